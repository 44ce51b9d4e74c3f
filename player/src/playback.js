// What the two ways to watch have in common: the port between them and their element, the browser's leave to play, and what it tells by events.

/**
 * @typedef {object} Facts for the statistics; what is not known is left out
 * @property {string} transport
 * @property {string} [codecs]
 * @property {number} [bitrateBps]
 * @property {number} [bufferS]
 * @property {number} [latencyMs]
 */

/**
 * @typedef {object} Outlet what a way to watch tells the element
 * @property {(state: import('./states.js').State) => void} state
 * @property {() => void} mutedByPolicy the browser plays this without sound only
 */

/**
 * @typedef {object} Playback a way to watch
 * @property {() => void} start
 * @property {() => void} stop it lets go of the video
 * @property {() => void} play the viewer wants to see it
 * @property {() => void} pause
 * @property {(s: number) => void} seek
 * @property {() => [number, number] | null} seekable from when to when, in seconds
 * @property {() => void} goLive
 * @property {() => Facts} facts
 * @property {() => number | null} latencyMs
 */

/**
 * Whether a `play` or `playing` that the browser tells of holds: it does so a moment later, and the video may have been paused in between.
 * @param {HTMLVideoElement} video
 */
export function stillPlays({ paused }) {
  return !paused;
}

/**
 * Whether a `pause` that the browser tells of is somebody's wish, by a key for media or the small window. It may play again by now, have come to its end, or have been
 * another source, of which nothing is there any more: none of that is one.
 * @param {HTMLVideoElement} video
 */
export function standsPaused({ paused, ended, readyState }) {
  return paused && !ended && readyState > 0;
}

/**
 * Plays, without sound where the browser gives no leave otherwise.
 * @param {HTMLVideoElement} video
 * @param {Outlet} outlet
 */
export async function playWithLeave(video, outlet) {
  try {
    await video.play();
  } catch (error) {
    // Another source, or a pause, came in between.
    if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
    if (video.muted) {
      outlet.state({ name: 'blocked' });
      return;
    }
    video.muted = true;
    outlet.mutedByPolicy();
    await playWithLeave(video, outlet);
  }
}
