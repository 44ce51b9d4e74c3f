// The page in other people's frames: shows what is live, the newest recording where nothing is, and goes from one to the other by itself.

import { AfterlivePlayer } from './element.js';
import { LiveSocket } from './socket.js';
import { socketUrl } from './urls.js';

/** When to ask again until the recording of a stream that has just ended is there to be named. */
const ASK_AGAIN_MS = [1_000, 2_000, 4_000, 8_000];
/** While a recording grows its row changes: when it is finished. */
const GROWTH_MS = 3_000;
/** How often it is asked whether an encoder that was cut off is still waited for. */
const AWAITED_MS = 2_000;

/**
 * @typedef {object} Recording as the server names it
 * @property {string} id
 * @property {string} url
 * @property {boolean} growing
 * @property {string} name
 * @property {number} duration_ms
 * @property {string | null} poster
 * @property {string | null} storyboard
 */

const player = document.querySelector('afterlive-player');
const offer = document.querySelector('#to-live');
if (player instanceof AfterlivePlayer && offer instanceof HTMLButtonElement) embed(player, offer);

/** @param {AfterlivePlayer} player @param {HTMLButtonElement} offer shown to who watches a recording when the stream goes live */
function embed(player, offer) {
  const video = player.querySelector('video');
  const { live, facts, fixed } = player.dataset;
  /** @type {LiveSocket | null} */
  let watch = null;
  let isWatched = false;
  /** What was shown before it went live: a recording, and how long it was, where that is known. */
  let lastId = player.dataset['recording'] ?? null;
  let lastMs = player.hasAttribute('src') ? Number(player.getAttribute('duration-ms')) : NaN;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let asking;

  /** Listens for the stream while something else is shown. */
  function listen() {
    if (live === undefined || watch !== null) return;
    const socket = new LiveSocket(socketUrl(live, player.getAttribute('token'), document.baseURI), {
      message: ({ type }) => {
        if (type === 'info') hear();
      },
      media: () => {},
      lost: () => {},
      refused: () => {},
      unreachable: () => void socket.retry(),
    });
    watch = socket;
    socket.open();
  }

  function hear() {
    if (isWatched) {
      offer.hidden = false;
      // Its frames are nobody's business until they are wanted.
      watch?.close();
    } else {
      goLive();
    }
  }

  function goLive() {
    offer.hidden = true;
    isWatched = false;
    watch?.close();
    watch = null;
    clearTimeout(asking);
    player.removeAttribute('src');
    player.removeAttribute('growing');
    player.removeAttribute('storyboard');
    // Where live has no picture, as in a codec that does not play here, there is none: not another one's.
    video?.removeAttribute('poster');
    if (live !== undefined) player.setAttribute('live', live);
  }

  /** @param {Recording} recording */
  function show(recording) {
    lastId = recording.id;
    lastMs = recording.duration_ms;
    if (video !== null) {
      video.poster = recording.poster ?? '';
      // The page came with one for a stream, of which nothing is to be had beforehand.
      video.preload = 'metadata';
    }
    player.setAttribute('src', recording.url);
    player.toggleAttribute('growing', recording.growing);
    player.setAttribute('duration-ms', String(recording.duration_ms));
    player.setAttribute('label', recording.name);
    if (recording.storyboard === null) player.removeAttribute('storyboard');
    else player.setAttribute('storyboard', recording.storyboard);
    player.removeAttribute('live');
    if (recording.growing) follow();
  }

  /** @returns {Promise<{ awaited: boolean, recording: Recording | null }>} */
  async function known() {
    const nothing = { awaited: false, recording: null };
    if (facts === undefined) return nothing;
    const answer = await fetch(facts, { cache: 'no-store' }).catch(() => null);
    return answer?.ok ? answer.json() : nothing;
  }

  /** What there is to see where nothing is live: at once, and then what was recorded of what has just ended, once it is there. @param {number} asked how often */
  async function showNewest(asked) {
    clearTimeout(asking);
    const { awaited, recording } = await known();
    const hasShown = asked > 0 && player.hasAttribute('src');
    // Who has begun to watch is left to it.
    if (hasShown ? isWatched : player.hasAttribute('src') || player.state.name !== 'offline') return;
    // An encoder that was cut off may be back: what was live goes on.
    if (awaited && !hasShown) {
      asking = setTimeout(() => void showNewest(asked), AWAITED_MS);
      return;
    }
    const waitMs = ASK_AGAIN_MS[asked];
    const isNews = recording !== null && (recording.id !== lastId || recording.duration_ms !== lastMs);
    // What grows is finished in a moment, and shows as it is then.
    if (recording !== null && (!recording.growing || waitMs === undefined) && (isNews || !hasShown)) {
      show(recording);
      listen();
    }
    if (waitMs !== undefined && !(isNews && !recording.growing)) asking = setTimeout(() => void showNewest(asked + 1), waitMs);
  }

  function follow() {
    clearTimeout(asking);
    asking = setTimeout(async () => {
      if (!player.hasAttribute('growing')) return;
      const { recording } = await known();
      if (recording !== null && recording.id === lastId) show(recording);
      else follow();
    }, GROWTH_MS);
  }

  function begin() {
    video?.addEventListener('playing', () => (isWatched = player.hasAttribute('src')));
    video?.addEventListener('ended', () => {
      isWatched = false;
      if (!offer.hidden) goLive();
    });
    offer.addEventListener('click', goLive);
    // The page is all player: its keys are the page's.
    document.body.addEventListener('keydown', (event) => {
      if (event.target === document.body) player.key(event);
    });
    if (fixed !== undefined) {
      if (player.hasAttribute('growing')) follow();
      return;
    }
    player.addEventListener('afterlive-state', () => {
      if (player.state.name === 'offline' && !player.hasAttribute('src')) void showNewest(0);
    });
    if (player.hasAttribute('src')) {
      listen();
      if (player.hasAttribute('growing')) follow();
    }
  }

  begin();
}
