// The player's buttons, keys and words: shows what the video and the playback say, and passes on what the viewer wants. Decides nothing about media.

import { clockText, seconds } from './clock.js';
import { Scrubber } from './scrubber.js';
import { FrameRate, rows } from './stats.js';
import { words } from './states.js';
import { ICONS } from './template.js';

/** While it plays the bar goes after so long without a sign of the viewer. */
const QUIET_AFTER_MS = 3_000;
const REFRESH_MS = 250;
const SEEK_S = 5;
const VOLUME_STEP = 0.05;
/** Who is later than this is not at the live edge. */
const EDGE_MS = 8_000;
/** In these states there is nothing newer to go to. */
const NOTHING_NEWER = ['connecting', 'offline', 'interrupted'];

/**
 * @typedef {object} Wishes what the viewer may want
 * @property {() => void} toggle
 * @property {() => void} goLive
 * @property {(s: number) => void} seek
 */

export class Controls {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #quiet;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #refresh;
  #frameRate = new FrameRate();
  #isLive = false;
  #mutedByPolicy = false;
  #lengthMs = 0;
  /** @type {import('./states.js').State} */
  #state = { name: 'idle' };
  /** @type {import('./playback.js').Playback | null} */
  #playback = null;
  #listening = new AbortController();

  /**
   * @param {HTMLElement} host
   * @param {import('./template.js').Face} face
   * @param {HTMLVideoElement} video
   * @param {Wishes} wishes
   */
  constructor(host, face, video, wishes) {
    this.host = host;
    this.face = face;
    this.video = video;
    this.wishes = wishes;
    // The bar begins where there is something to go to.
    this.scrubber = new Scrubber(face, (s) => wishes.seek(s + (this.#playback?.seekable()?.[0] ?? 0)));
    this.#listen();
    this.#refresh = setInterval(() => this.#tick(), REFRESH_MS);
    this.#capabilities();
    this.update();
  }

  stop() {
    this.#listening.abort();
    clearInterval(this.#refresh);
    clearTimeout(this.#quiet);
  }

  /** @param {import('./playback.js').Playback | null} playback @param {boolean} isLive */
  shows(playback, isLive) {
    this.#playback = playback;
    this.#isLive = isLive;
    this.update();
  }

  /** What is known of the recording's length before its head is there. @param {number} ms */
  length(ms) {
    this.#lengthMs = ms;
    this.update();
  }

  /** @param {import('./states.js').State} state */
  state(state) {
    this.#state = state;
    const { message, spinner, title, detail, status } = this.face;
    const said = words(state, this.#isLive);
    message.hidden = !said.covers;
    spinner.hidden = !said.busy;
    title.textContent = said.title;
    detail.textContent = said.detail;
    // What one hears anyway is not told, and nothing is told before something has happened.
    const told = state.name === 'playing' || state.name === 'idle' ? '' : [said.title, said.detail].filter((part) => part !== '').join('. ');
    if (status.textContent !== told) status.textContent = told;
    this.host.dataset['state'] = state.name;
    this.update();
    this.#wake();
  }

  mutedByPolicy() {
    this.#mutedByPolicy = true;
    this.update();
  }

  update() {
    const { face, video } = this;
    const isMuted = video.muted || video.volume === 0;
    if (!isMuted) this.#mutedByPolicy = false;
    const plays = !video.paused && !video.ended;
    set(face.toggle, plays ? 'Pause' : 'Play', plays ? ICONS.pause : ICONS.play);
    set(face.mute, isMuted ? 'Unmute' : 'Mute', isMuted ? ICONS.silent : ICONS.sound);
    const volume = String(isMuted ? 0 : Math.round(video.volume * 100));
    if (face.volume.value !== volume) face.volume.value = volume;
    face.volume.setAttribute('aria-valuetext', `${volume} %`);
    face.unmute.hidden = !(this.#mutedByPolicy && plays);

    const isOver = this.#state.name === 'unsupported' || this.#state.name === 'refused' || this.#state.name === 'failed';
    face.live.hidden = !this.#isLive || isOver;
    const late = this.#playback?.latencyMs() ?? null;
    const isAtEdge = this.#state.name === 'playing' && (late === null || late < EDGE_MS);
    face.live.classList.toggle('at-edge', isAtEdge);
    text(face.liveWord, isAtEdge || NOTHING_NEWER.includes(this.#state.name) ? 'Live' : 'Go to live');
    text(face.late, late !== null && this.#state.name === 'playing' ? seconds(late) : '');
    face.late.title = late === null ? '' : 'Latency: from the server to this picture';

    const seekable = this.#playback?.seekable() ?? null;
    const lengthMs = seekable === null ? this.#lengthMs : (seekable[1] - seekable[0]) * 1000;
    const isFile = !this.#isLive;
    face.time.hidden = !isFile || lengthMs <= 0;
    text(face.now, clockText(video.currentTime));
    text(face.whole, ` / ${clockText(lengthMs / 1000)}`);
    const isSeekable = isFile || (seekable !== null && lengthMs > 20_000);
    if (isSeekable) this.scrubber.show((video.currentTime - (seekable?.[0] ?? 0)) * 1000, lengthMs);
    else face.seek.hidden = true;
  }

  toggleStats() {
    const { stats, info } = this.face;
    stats.hidden = !stats.hidden;
    info.setAttribute('aria-pressed', String(!stats.hidden));
    this.#stats();
  }

  toggleMute() {
    const { video } = this;
    video.muted = !(video.muted || video.volume === 0);
    if (!video.muted && video.volume === 0) video.volume = 0.5;
  }

  toggleFull() {
    if (document.fullscreenElement !== null) {
      void document.exitFullscreen();
    } else if (document.fullscreenEnabled) {
      void this.host.requestFullscreen().catch(() => {});
    } else {
      // iPhones show the video alone.
      /** @type {{ webkitEnterFullscreen?: () => void }} */ (this.video).webkitEnterFullscreen?.();
    }
  }

  /** A key, where it means something here. @param {KeyboardEvent} event */
  key(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const origin = event.composedPath()[0];
    if (origin instanceof HTMLSelectElement || (origin instanceof HTMLElement && origin.isContentEditable)) return;
    const act = this.#keyed(event.key, origin);
    if (act === null) return;
    event.preventDefault();
    act();
    this.#wake();
  }

  /** @param {string} key @param {EventTarget | undefined} origin @returns {(() => void) | null} */
  #keyed(key, origin) {
    const { video, wishes } = this;
    switch (key) {
      case ' ':
        // A button that has the focus is pressed by it.
        return origin instanceof HTMLButtonElement ? null : wishes.toggle;
      case 'k':
      case 'K':
        return wishes.toggle;
      case 'm':
      case 'M':
        return () => this.toggleMute();
      case 'f':
      case 'F':
        return () => this.toggleFull();
      case 'i':
      case 'I':
        return () => this.toggleStats();
    }
    // On the bar all four lead along it, as on every slider; its own steps are the mouse's, and too small for keys.
    if (origin === this.face.seekInput) {
      const by = { ArrowLeft: -SEEK_S, ArrowDown: -SEEK_S, ArrowRight: SEEK_S, ArrowUp: SEEK_S }[key];
      return by === undefined ? null : this.#by(by, (to, from) => this.scrubber.goTo((to - from) * 1000));
    }
    // Another slider's arrows are its own.
    if (origin instanceof HTMLInputElement) return null;
    const volume = (/** @type {number} */ by) => () => {
      video.muted = false;
      video.volume = Math.min(1, Math.max(0, video.volume + by));
    };
    switch (key) {
      case 'ArrowUp':
        return volume(VOLUME_STEP);
      case 'ArrowDown':
        return volume(-VOLUME_STEP);
      case 'ArrowLeft':
        return this.#by(-SEEK_S, wishes.seek);
      case 'ArrowRight':
        return this.#by(SEEK_S, wishes.seek);
      default:
        return null;
    }
  }

  /** @param {number} s @param {(toS: number, beginS: number) => void} go */
  #by(s, go) {
    const range = this.#playback?.seekable() ?? null;
    if (range === null) return null;
    return () => go(Math.min(range[1], Math.max(range[0], this.video.currentTime + s)), range[0]);
  }

  #listen() {
    const { face, video, wishes, host } = this;
    const { signal } = this.#listening;
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ event, /** @type {(event: any) => void} */ act) =>
      target.addEventListener(event, act, { signal });
    for (const event of ['play', 'pause', 'ended', 'timeupdate', 'durationchange', 'seeking', 'loadedmetadata', 'emptied']) {
      on(video, event, () => this.update());
    }
    on(video, 'volumechange', () => this.update());
    on(face.toggle, 'click', wishes.toggle);
    on(face.live, 'click', wishes.goLive);
    on(face.mute, 'click', () => this.toggleMute());
    on(face.unmute, 'click', () => {
      video.muted = false;
      if (video.volume === 0) video.volume = 0.5;
      face.mute.focus();
    });
    on(face.volume, 'input', () => {
      video.volume = Number(face.volume.value) / 100;
      video.muted = video.volume === 0;
    });
    on(face.info, 'click', () => this.toggleStats());
    on(face.full, 'click', () => this.toggleFull());
    on(face.pip, 'click', () => {
      if (document.pictureInPictureElement === video) void document.exitPictureInPicture();
      else void video.requestPictureInPicture().catch(() => {});
    });
    on(face.captions, 'change', () => this.#chooseCaptions());
    on(video.textTracks, 'addtrack', () => this.#listCaptions());
    on(video.textTracks, 'removetrack', () => this.#listCaptions());
    on(document, 'fullscreenchange', () => {
      const isFull = document.fullscreenElement === host;
      set(face.full, isFull ? 'Leave full screen' : 'Full screen', isFull ? ICONS.small : ICONS.full);
    });
    on(host, 'keydown', (event) => this.key(event));
    on(video, 'click', () => {
      wishes.toggle();
      // So that keys are heard from here on.
      face.toggle.focus({ preventScroll: true });
    });
    on(video, 'dblclick', () => this.toggleFull());
    for (const event of ['pointermove', 'pointerdown', 'focusin']) on(host, event, () => this.#wake());
    on(host, 'pointerleave', () => this.#doze(500));
  }

  /** The bar shows, and goes again where it plays on. */
  #wake() {
    this.host.removeAttribute('quiet');
    this.#doze(QUIET_AFTER_MS);
  }

  /** @param {number} afterMs */
  #doze(afterMs) {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => {
      const isUsed = this.face.bar.querySelector(':focus-visible') !== null || !this.face.tile.hidden;
      if (this.#state.name === 'playing' && !isUsed) this.host.setAttribute('quiet', '');
    }, afterMs);
  }

  #tick() {
    // In between two events of the video the latency moves, and where nothing plays nothing does.
    if (this.#isLive && this.#state.name === 'playing') this.update();
    this.#stats();
  }

  #stats() {
    const { stats } = this.face;
    const fps = this.#frameRate.read(this.video, performance.now());
    if (stats.hidden || this.#playback === null) return;
    const cells = rows(this.video, this.#playback.facts(), fps).flatMap(([name, value]) => {
      const [term, description] = [document.createElement('dt'), document.createElement('dd')];
      term.textContent = name;
      description.textContent = value;
      return [term, description];
    });
    this.face.statsList.replaceChildren(...cells);
  }

  #capabilities() {
    const { face, video } = this;
    face.pip.hidden = !document.pictureInPictureEnabled || video.disablePictureInPicture;
    face.full.hidden = !document.fullscreenEnabled && !('webkitEnterFullscreen' in video);
    this.#listCaptions();
  }

  #captionTracks() {
    return Array.from(this.video.textTracks).filter(({ kind }) => kind === 'captions' || kind === 'subtitles');
  }

  #listCaptions() {
    const tracks = this.#captionTracks();
    const { captions } = this.face;
    captions.hidden = tracks.length === 0;
    const names = ['No captions', ...tracks.map(({ label, language }, index) => label || language || `Captions ${index + 1}`)];
    captions.replaceChildren(...names.map((name, index) => new Option(name, String(index - 1))));
    captions.value = String(tracks.findIndex(({ mode }) => mode === 'showing'));
  }

  #chooseCaptions() {
    const chosen = Number(this.face.captions.value);
    for (const [index, track] of this.#captionTracks().entries()) track.mode = index === chosen ? 'showing' : 'disabled';
  }
}

/** @param {HTMLButtonElement} button @param {string} name @param {string} icon */
function set(button, name, icon) {
  if (button.getAttribute('aria-label') === name) return;
  button.setAttribute('aria-label', name);
  button.title = name;
  button.innerHTML = icon;
}

/** @param {HTMLElement} element @param {string} content */
function text(element, content) {
  if (element.textContent !== content) element.textContent = content;
}
