// <afterlive-player>: one video, which is a live stream or a recording. Chooses the way it is watched; how that is done is in `live`, `hls` and `vod`.
// The video lies inside it in the page: without scripts it is the browser's own player.

import { Controls } from './controls.js';
import { HlsPlayback } from './hls.js';
import { LivePlayback, canStream } from './live.js';
import { same } from './states.js';
import { styles } from './styles.js';
import { face } from './template.js';
import { VodPlayback } from './vod.js';

const WAITS = 'Still being recorded. This is all there is of it so far; it goes on by itself in a moment.';
const FOLLOWS = 'Still being recorded. The player follows it: at the end of what there is, it goes on with what came since.';

/** @typedef {import('./states.js').State} State */

export class AfterlivePlayer extends HTMLElement {
  static observedAttributes = ['live', 'token', 'src', 'growing', 'storyboard', 'duration-ms', 'label', 'autoplay'];

  #root = this.attachShadow({ mode: 'open' });
  #face = face(this.#root);
  /** @type {HTMLVideoElement | null} */
  #video = null;
  /** @type {Controls | null} */
  #controls = null;
  /** @type {import('./playback.js').Playback | null} */
  #playback = null;
  /** What is watched, and how: `live /live/NAME token` or `vod`. */
  #what = '';
  #hasStarted = false;
  #isQueued = false;
  #isWaiting = false;
  /** @type {State} */
  #state = { name: 'idle' };

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styles];
    this.#face.slot.addEventListener('slotchange', () => this.#adopt());
  }

  /** What it is doing now. */
  get state() {
    return this.#state;
  }

  connectedCallback() {
    this.#adopt();
    // What a program makes may come without a video; what a page holds, with one.
    setTimeout(() => {
      if (this.isConnected && this.#video === null) {
        const video = document.createElement('video');
        video.slot = 'video';
        video.playsInline = true;
        this.append(video);
        this.#adopt();
      }
    }, 0);
  }

  disconnectedCallback() {
    this.#drop();
    this.#controls?.stop();
    this.#controls = null;
    this.#video = null;
  }

  attributeChangedCallback() {
    if (this.#isQueued) return;
    // Several come together, and only all of them make sense.
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      this.#settle();
    });
  }

  play() {
    if (this.#playback === null) return;
    if (this.#hasStarted) this.#playback.play();
    else this.#start();
  }

  pause() {
    this.#playback?.pause();
  }

  goLive() {
    this.#playback?.goLive();
    this.play();
  }

  /** A key pressed elsewhere on the page, where the page is all player. @param {KeyboardEvent} event */
  key(event) {
    this.#controls?.key(event);
  }

  /** Takes over the video that lies inside. */
  #adopt() {
    if (!this.isConnected || this.#video !== null) return;
    const video = this.querySelector('video');
    if (video === null) return;
    if (video.slot !== 'video') video.slot = 'video';
    this.#video = video;
    video.controls = false;
    if (this.hasAttribute('muted')) video.muted = true;
    this.setAttribute('role', 'group');
    this.#controls = new Controls(this, this.#face, video, {
      toggle: () => (video.paused || video.ended ? this.play() : this.pause()),
      goLive: () => this.goLive(),
      seek: (s) => this.#playback?.seek(s),
    });
    this.#settle();
  }

  /** Makes what is watched what the attributes say. */
  #settle() {
    const [video, controls] = [this.#video, this.#controls];
    if (video === null || controls === null) return;
    const label = this.getAttribute('label') ?? '';
    this.setAttribute('aria-label', label === '' ? 'Player' : `Player: ${label}`);
    controls.scrubber.name(label === '' ? 'the recording' : label);
    controls.scrubber.storyboard(this.getAttribute('storyboard') ?? '');
    const lengthMs = Number(this.getAttribute('duration-ms') ?? 0);
    controls.length(lengthMs);

    const live = this.getAttribute('live') ?? '';
    const src = this.getAttribute('src') ?? '';
    const what = live !== '' ? `live ${live} ${this.getAttribute('token') ?? ''}` : src !== '' ? 'vod' : '';
    const recording = { url: src, isGrowing: this.hasAttribute('growing'), lengthMs };
    if (what === this.#what) {
      if (this.#playback instanceof VodPlayback) this.#playback.update(recording);
    } else {
      this.#drop();
      this.#what = what;
      if (what === 'vod') this.#watchRecording(video, recording);
      else if (what !== '') this.#watchLive(canStream() ? 'socket' : 'hls');
    }
    this.#note();
  }

  /** @param {HTMLVideoElement} video @param {import('./follow.js').Recording} recording */
  #watchRecording(video, recording) {
    const playback = new VodPlayback(video, recording, this.#outlet(), (isWaiting) => {
      this.#isWaiting = isWaiting;
      this.#note();
    });
    this.#begin(playback, false);
    this.#hasStarted = true;
    playback.start();
    if (this.#wishes('autoplay') === true) playback.play();
  }

  /** @param {'socket' | 'hls'} way */
  #watchLive(way) {
    const video = this.#video;
    const base = this.getAttribute('live');
    if (video === null || base === null) return;
    // The page's own source is for browsers without scripts.
    if (video.hasAttribute('src')) {
      video.removeAttribute('src');
      video.load();
    }
    const token = this.getAttribute('token');
    const playback =
      way === 'socket'
        ? new LivePlayback(video, base, token, this.#outlet(), () => {
            if (this.#playback !== playback) return;
            const what = this.#what;
            this.#drop();
            this.#what = what;
            this.#watchLive('hls');
          })
        : new HlsPlayback(video, base, token, this.#outlet());
    this.#begin(playback, true);
    if (this.#wishes('autoplay') !== false) this.#start();
    else this.#say({ name: 'idle' });
  }

  /** @param {import('./playback.js').Playback} playback @param {boolean} isLive */
  #begin(playback, isLive) {
    this.#playback = playback;
    this.#hasStarted = false;
    this.toggleAttribute('is-live', isLive);
    this.#controls?.shows(playback, isLive);
  }

  #start() {
    this.#hasStarted = true;
    this.#playback?.start();
  }

  /** @returns {import('./playback.js').Outlet} */
  #outlet() {
    return {
      state: (state) => this.#say(state),
      mutedByPolicy: () => this.#controls?.mutedByPolicy(),
    };
  }

  /** What an attribute that may be `1`, `0` or absent says. @param {string} name */
  #wishes(name) {
    const value = this.getAttribute(name);
    return value === null ? null : value !== '0' && value !== 'false';
  }

  #drop() {
    this.#playback?.stop();
    this.#playback = null;
    this.#what = '';
    this.#isWaiting = false;
    this.#controls?.shows(null, false);
  }

  #note() {
    const { note } = this.#face;
    const isGrowing = this.#what === 'vod' && this.hasAttribute('growing');
    note.hidden = !isGrowing;
    const said = this.#isWaiting ? WAITS : FOLLOWS;
    if (note.textContent !== said) note.textContent = said;
  }

  /** @param {State} state */
  #say(state) {
    if (same(state, this.#state) && this.dataset['state'] !== undefined) return;
    this.#state = state;
    this.#controls?.state(state);
    this.dispatchEvent(new CustomEvent('afterlive-state', { bubbles: true, detail: state }));
  }
}

if (customElements.get('afterlive-player') === undefined) customElements.define('afterlive-player', AfterlivePlayer);
