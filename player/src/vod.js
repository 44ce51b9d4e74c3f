// A recording: the browser's own way of playing a file, followed while it grows.

import { Follower } from './follow.js';
import { playWithLeave } from './playback.js';
import { reasonOf } from './urls.js';

/** @typedef {import('./playback.js').Playback} Playback */

/** @implements {Playback} */
export class VodPlayback {
  #listening = new AbortController();
  #isWaiting = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {import('./follow.js').Recording} recording
   * @param {import('./playback.js').Outlet} outlet
   * @param {(isWaiting: boolean) => void} waiting the viewer has seen all there is of a recording that grows
   */
  constructor(video, recording, outlet, waiting) {
    this.video = video;
    this.outlet = outlet;
    this.follower = new Follower(video, recording, (isWaiting) => {
      this.#isWaiting = isWaiting;
      waiting(isWaiting);
    });
  }

  start() {
    const { video, outlet, follower } = this;
    const on = (/** @type {string} */ event, /** @type {() => void} */ act) => {
      video.addEventListener(event, act, { signal: this.#listening.signal });
    };
    // What the page came with is loading already, and a second setting would load it anew.
    if (video.getAttribute('src') !== follower.first) video.src = follower.first;
    on('playing', () => outlet.state({ name: 'playing' }));
    on('pause', () => {
      if (!follower.isChanging && !video.ended && !this.#isWaiting) outlet.state({ name: 'paused' });
    });
    on('waiting', () => {
      if (!follower.isChanging && !video.paused) outlet.state({ name: 'stalled' });
    });
    on('canplay', () => {
      if (!video.paused && !video.seeking) outlet.state({ name: 'playing' });
    });
    on('ended', () => outlet.state({ name: 'ended' }));
    on('error', () => void this.#failed());
    outlet.state(video.paused ? { name: 'idle' } : { name: 'playing' });
    if (video.error !== null) void this.#failed();
  }

  /** @param {import('./follow.js').Recording} recording */
  update(recording) {
    this.follower.update(recording);
  }

  stop() {
    this.#listening.abort();
    this.follower.stop();
  }

  play() {
    if (this.video.error !== null) this.video.load();
    void playWithLeave(this.video, this.outlet);
  }

  pause() {
    this.video.pause();
  }

  /** @param {number} s */
  seek(s) {
    this.follower.seek(s);
  }

  /** @returns {[number, number] | null} */
  seekable() {
    const { duration } = this.video;
    return Number.isFinite(duration) ? [0, duration] : null;
  }

  goLive() {}

  latencyMs() {
    return null;
  }

  /** @returns {import('./playback.js').Facts} */
  facts() {
    const { buffered, currentTime } = this.video;
    const ranges = Array.from({ length: buffered.length }, (_, index) => [buffered.start(index), buffered.end(index)]);
    const range = ranges.find(([from, to]) => from !== undefined && to !== undefined && from <= currentTime && currentTime <= to);
    return { transport: 'MP4 over HTTP', ...(range?.[1] === undefined ? {} : { bufferS: range[1] - currentTime }) };
  }

  /** Browsers say little of why: plain HTTP says more. */
  async #failed() {
    if (this.follower.isChanging) return;
    const code = this.video.error?.code;
    if (code === MediaError.MEDIA_ERR_DECODE) return this.outlet.state({ name: 'unsupported' });
    const answer = await fetch(this.follower.recording.url, { method: 'HEAD', cache: 'no-store' }).catch(() => null);
    if (this.#listening.signal.aborted) return;
    if (answer === null) return this.outlet.state({ name: 'failed', reason: 'The server cannot be reached.' });
    if (answer.status === 401 || answer.status === 403) {
      return this.outlet.state({ name: 'refused', reason: await reasonOf(answer) });
    }
    if (!answer.ok) return this.outlet.state({ name: 'failed', reason: 'There is nothing under this address, or not any more.' });
    this.outlet.state({ name: 'unsupported' });
  }
}
