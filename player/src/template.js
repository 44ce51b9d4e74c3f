// The parts of the player's face, each found by its class. Says what is there and what it is called, not what it does.

import { fill } from './parts.js';

/** @param {string} paths */
const icon = (paths) => `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths}</svg>`;

export const ICONS = {
  play: icon('<path class="solid" d="M7 5v14l12-7z"/>'),
  pause: icon('<path d="M8 5v14M16 5v14"/>'),
  sound: icon('<path class="solid" d="M4 9v6h4l5 4V5L8 9z"/><path d="M16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12"/>'),
  silent: icon('<path class="solid" d="M4 9v6h4l5 4V5L8 9z"/><path d="m16.5 9.5 5 5m0-5-5 5"/>'),
  info: icon('<circle cx="12" cy="12" r="9"/><path d="M12 11v5M12 7.5v.5"/>'),
  pip: icon('<rect x="3" y="5" width="18" height="14" rx="2"/><rect class="solid" x="12" y="11.5" width="6.5" height="5" rx="1"/>'),
  full: icon('<path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/>'),
  small: icon('<path d="M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5"/>'),
};

const html = `
<div class="screen" part="screen">
  <slot name="video"></slot>
  <div class="message" part="message" hidden>
    <span class="spinner" hidden></span>
    <p class="title"></p>
    <p class="detail"></p>
  </div>
  <div class="stats" role="group" aria-label="Statistics" tabindex="0" hidden><dl></dl></div>
  <button type="button" class="unmute" hidden>${ICONS.silent}<span>Click for sound</span></button>
  <div class="bar" part="bar">
    <div class="seek" hidden>
      <input type="range" min="0" max="0" step="1000" value="0">
      <p class="scrubber-tile" aria-hidden="true" hidden></p>
    </div>
    <button type="button" class="toggle" aria-label="Play" aria-keyshortcuts="k">${ICONS.play}</button>
    <button type="button" class="live" hidden><span class="live-dot" aria-hidden="true"></span><span class="word">Live</span><span class="late"></span></button>
    <span class="time" hidden><span class="now"></span><span class="whole"></span></span>
    <span class="gap"></span>
    <select class="captions" aria-label="Captions" hidden></select>
    <button type="button" class="mute" aria-label="Mute" aria-keyshortcuts="m">${ICONS.sound}</button>
    <input type="range" class="volume" min="0" max="100" step="5" value="100" aria-label="Volume">
    <button type="button" class="info" aria-label="Statistics" aria-pressed="false" aria-keyshortcuts="i">${ICONS.info}</button>
    <button type="button" class="pip" aria-label="Picture in picture" hidden>${ICONS.pip}</button>
    <button type="button" class="full" aria-label="Full screen" aria-keyshortcuts="f" hidden>${ICONS.full}</button>
  </div>
</div>
<p class="note" hidden></p>
<p class="offscreen" role="status"></p>
`;

/** Fills a shadow root, and gives its parts by name. @param {ShadowRoot} root */
export function face(root) {
  const part = fill(root, html, 'player');
  const button = (/** @type {string} */ name) => part(`.${name}`, HTMLButtonElement);
  return {
    screen: part('.screen', HTMLElement),
    slot: part('slot', HTMLSlotElement),
    message: part('.message', HTMLElement),
    spinner: part('.spinner', HTMLElement),
    title: part('.title', HTMLElement),
    detail: part('.detail', HTMLElement),
    stats: part('.stats', HTMLElement),
    statsList: part('.stats dl', HTMLElement),
    unmute: button('unmute'),
    bar: part('.bar', HTMLElement),
    seek: part('.seek', HTMLElement),
    seekInput: part('.seek input', HTMLInputElement),
    tile: part('.scrubber-tile', HTMLElement),
    toggle: button('toggle'),
    live: button('live'),
    liveWord: part('.live .word', HTMLElement),
    late: part('.late', HTMLElement),
    time: part('.time', HTMLElement),
    now: part('.now', HTMLElement),
    whole: part('.whole', HTMLElement),
    captions: part('.captions', HTMLSelectElement),
    mute: button('mute'),
    volume: part('.volume', HTMLInputElement),
    info: button('info'),
    pip: button('pip'),
    full: button('full'),
    note: part('.note', HTMLElement),
    status: part('[role=status]', HTMLElement),
  };
}

/** @typedef {ReturnType<typeof face>} Face */
