// The overlay for those who want to know how it plays: reads the element and the playback, and judges nothing.

import { seconds } from './clock.js';
import { bitrate } from './rate.js';

/**
 * @param {HTMLVideoElement} video
 * @param {import('./playback.js').Facts} facts
 * @param {number | null} fps
 * @returns {[string, string][]}
 */
export function rows(video, facts, fps) {
  const quality = video.getVideoPlaybackQuality?.();
  const picture = video.videoWidth > 0 ? `${video.videoWidth} × ${video.videoHeight}` : 'none';
  /** @type {[string, string | null][]} */
  const all = [
    ['Transport', facts.transport],
    ['Codecs', facts.codecs ?? null],
    ['Picture', fps === null ? picture : `${picture}, ${fps.toFixed(fps < 100 ? 1 : 0)} fps`],
    ['Bitrate', facts.bitrateBps === undefined ? null : bitrate(facts.bitrateBps)],
    ['Buffer', facts.bufferS === undefined ? null : seconds(facts.bufferS * 1000)],
    ['Latency', facts.latencyMs === undefined ? null : seconds(facts.latencyMs)],
    ['Speed', video.playbackRate === 1 ? null : `${video.playbackRate.toFixed(2)} ×`],
    ['Dropped', quality === undefined ? null : `${quality.droppedVideoFrames} of ${quality.totalVideoFrames} frames`],
  ];
  return all.flatMap(([name, value]) => (value === null ? [] : [/** @type {[string, string]} */ ([name, value])]));
}

/** Frames a second that were shown, over the time between two askings. */
export class FrameRate {
  #frames = 0;
  #at = 0;
  /** @type {number | null} */
  #fps = null;

  /** @param {HTMLVideoElement} video @param {number} nowMs */
  read(video, nowMs) {
    const frames = video.getVideoPlaybackQuality?.().totalVideoFrames;
    if (frames === undefined) return null;
    const elapsed = nowMs - this.#at;
    if (elapsed < 900) return this.#fps;
    this.#fps = this.#at === 0 || frames < this.#frames ? null : ((frames - this.#frames) * 1000) / elapsed;
    this.#frames = frames;
    this.#at = nowMs;
    return this.#fps;
  }
}
