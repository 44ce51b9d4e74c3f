// How loud a microphone is, for the bar under the preview.

const LOOK_EVERY_MS = 100;

export class Meter {
  /** @type {AudioContext | null} */
  #context = null;
  #timer = 0;

  /** @param {MediaStream} stream @param {(level: number) => void} tell from 0 to 1 */
  start(stream, tell) {
    this.stop();
    if (stream.getAudioTracks().length === 0) return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 1_024;
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#context = context;
    this.#timer = window.setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      tell(Math.min(1, loudest));
    }, LOOK_EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    void this.#context?.close();
    this.#context = null;
  }
}
