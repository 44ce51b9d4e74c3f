// What the player may be doing, and the words for each. Every state is said, on the picture and to screen readers.

/**
 * @typedef {'idle' | 'offline' | 'interrupted' | 'connecting' | 'playing' | 'blocked' | 'paused' | 'stalled' | 'reconnecting' | 'unsupported' | 'refused' | 'ended' | 'failed'} StateName
 * @typedef {object} State
 * @property {StateName} name
 * @property {string} [reason] the server's or the browser's words: for `refused` and `failed`
 * @property {string[]} [codecs] which ones, for `unsupported`
 * @property {number} [waitMs] until the next attempt, for `reconnecting`
 */

/**
 * @typedef {object} Words
 * @property {string} title
 * @property {string} detail may be empty
 * @property {boolean} covers it is written over the picture; otherwise only told to screen readers
 * @property {boolean} busy something is going on that will end by itself
 */

/**
 * @param {State} state
 * @param {boolean} live what is played is live, not a recording
 * @returns {Words}
 */
export function words(state, live) {
  const plain = (/** @type {string} */ title) => ({ title, detail: '', covers: false, busy: false });
  switch (state.name) {
    case 'idle':
      return plain(live ? 'Ready' : 'Ready to play');
    case 'offline':
      return {
        title: 'Waits for the stream',
        detail: 'Nothing is live just now. It starts here by itself.',
        covers: true,
        busy: false,
      };
    case 'interrupted':
      return { title: 'The signal is interrupted', detail: 'Waiting for the encoder…', covers: true, busy: true };
    case 'connecting':
      return { title: 'Connecting', detail: '', covers: true, busy: true };
    case 'playing':
      return plain('Playing');
    case 'blocked':
      return { title: 'Press play', detail: 'The browser plays nothing before that.', covers: true, busy: false };
    case 'paused':
      return plain('Paused');
    case 'stalled':
      return { title: 'Waiting for more', detail: 'It goes on as soon as enough has arrived.', covers: true, busy: true };
    case 'reconnecting':
      return {
        title: 'Reconnecting',
        detail: state.waitMs === undefined ? 'The connection was lost.' : `The connection was lost. Next attempt ${soon(state.waitMs)}.`,
        covers: true,
        busy: true,
      };
    case 'unsupported': {
      const codecs = state.codecs ?? [];
      return {
        title: codecs.length === 0 ? 'This browser cannot play this' : `This browser cannot play ${codecs.join(' and ')}`,
        detail: 'Another browser may. Who sends reaches every browser with H.264 and AAC.',
        covers: true,
        busy: false,
      };
    }
    case 'refused':
      return { title: 'Not allowed to watch this', detail: state.reason ?? '', covers: true, busy: false };
    case 'ended':
      return plain('The end');
    case 'failed':
      return { title: 'It cannot be played', detail: state.reason ?? '', covers: true, busy: false };
  }
}

/** @param {number} ms */
function soon(ms) {
  const s = Math.round(ms / 1000);
  return s < 1 ? 'at once' : `in ${s} s`;
}

/** @param {State} a @param {State} b */
export function same(a, b) {
  return a.name === b.name && a.reason === b.reason && a.waitMs === b.waitMs && a.codecs?.join() === b.codecs?.join();
}
