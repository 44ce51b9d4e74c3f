// A clock in the picture: the wall time in milliseconds, the lowest 16 bits of it, as a row of black and white fields. Read back where the picture is shown, it
// tells how long it was on its way.

import type { Locator } from '@playwright/test';

const BITS = 16;
const FIELD = 40;

/** For ffmpeg's `-f lavfi`, with a tone in the same graph, as two that are paced apart wait for each other. The time is taken when a picture is made, not when it is due. */
export const CLOCK_SOURCE = [
  // Paced here: behind this the times are those of the wall.
  'testsrc2=size=640x360:rate=30,realtime',
  'settb=1/1000000',
  'setpts=RTCTIME',
  `drawbox=x=0:y=0:w=${BITS * FIELD}:h=${FIELD}:color=black:t=fill`,
  ...Array.from(
    { length: BITS },
    (_, bit) => `drawbox=x=${bit * FIELD}:y=0:w=${FIELD}:h=${FIELD}:color=white:t=fill:enable='mod(floor(t*1000/${2 ** bit}),2)'`,
  ),
  'setpts=PTS-STARTPTS[out0];sine=frequency=440:sample_rate=48000:samples_per_frame=1024[out1]',
].join(',');

/** How old each of the next pictures is when the browser shows it, in milliseconds. */
export async function ages(video: Locator, count: number): Promise<number[]> {
  return (await pictures(video, count)).map(({ ageMs }) => ageMs);
}

/** The same, with how late the player says at that moment that it is: empty while it says nothing. */
export function pictures(video: Locator, count: number): Promise<{ ageMs: number; said: string }[]> {
  return video.evaluate(
    (element, { count, BITS, FIELD }) => {
      const video = element as HTMLVideoElement;
      const canvas = Object.assign(document.createElement('canvas'), { width: BITS * FIELD, height: FIELD });
      const context = canvas.getContext('2d', { willReadFrequently: true });
      const late = video.closest('afterlive-player')?.shadowRoot?.querySelector('.late');
      return new Promise<{ ageMs: number; said: string }[]>((resolve) => {
        const seen: { ageMs: number; said: string }[] = [];
        const look = (): void => {
          const shownMs = Date.now();
          // What comes by WebRTC has the size that its sender can afford.
          const scale = video.videoWidth / canvas.width;
          context?.drawImage(video, 0, 0, video.videoWidth, FIELD * scale, 0, 0, canvas.width, canvas.height);
          const bits = Array.from({ length: BITS }, (_, bit) => {
            const [red = 0] = context?.getImageData(bit * FIELD + FIELD / 2, FIELD / 2, 1, 1).data ?? [];
            return red > 127 ? 2 ** bit : 0;
          });
          const madeMs = bits.reduce((sum, bit) => sum + bit, 0);
          seen.push({ ageMs: (shownMs - madeMs + 10 * 2 ** BITS) % 2 ** BITS, said: late?.textContent ?? '' });
          if (seen.length < count) video.requestVideoFrameCallback(look);
          else resolve(seen);
        };
        video.requestVideoFrameCallback(look);
      });
    },
    { count, BITS, FIELD },
  );
}

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/**
 * To be run before a page's own scripts: its camera is a picture with that clock in it, its microphone a tone. Small and slow, as one machine draws, encodes,
 * decodes and reads it, all without a graphics card.
 */
export function clockCamera(BITS: number): void {
  const [FIELD, HEIGHT, RATE] = [20, 180, 15];
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: BITS * FIELD, height: HEIGHT });
    const context = canvas.getContext('2d');
    const draw = (): void => {
      const now = Date.now();
      for (let bit = 0; context !== null && bit < BITS; bit++) {
        context.fillStyle = Math.floor(now / 2 ** bit) % 2 === 1 ? 'white' : 'black';
        context.fillRect(bit * FIELD, 0, FIELD, FIELD);
      }
    };
    draw();
    setInterval(draw, 1_000 / RATE);
    const sound = new AudioContext();
    const [tone, out] = [sound.createOscillator(), sound.createMediaStreamDestination()];
    tone.connect(out);
    tone.start();
    return new MediaStream([...canvas.captureStream(RATE).getTracks(), ...out.stream.getTracks()]);
  };
}

/** What {@link clockCamera} is given. */
export const CLOCK_BITS = BITS;
