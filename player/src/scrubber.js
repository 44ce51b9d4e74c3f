// The bar of a recording's length: pointed at, dragged or moved by keys it shows what is to be seen there, and the player goes there.

import { clockText } from './clock.js';
import { tileAt, tiles } from './storyboard.js';

const SVG = 'http://www.w3.org/2000/svg';

export class Scrubber {
  /** @type {import('./storyboard.js').Tile[]} */
  #tiles = [];
  #asked = '';
  #storyboard = '';
  #lengthMs = 0;
  /** @type {number | null} */
  #pointedMs = null;

  /**
   * @param {import('./template.js').Face} face
   * @param {(s: number) => void} seek
   */
  constructor(face, seek) {
    this.face = face;
    this.seek = seek;
    const { seekInput } = face;
    seekInput.addEventListener('input', () => this.goTo(Number(seekInput.value)));
    seekInput.addEventListener('pointermove', (event) => {
      const width = Math.max(1, seekInput.clientWidth);
      this.#point(Math.min(1, Math.max(0, event.offsetX / width)) * this.#lengthMs);
    });
    seekInput.addEventListener('pointerleave', () => this.#leave());
    seekInput.addEventListener('focus', () => void this.#fetch());
    seekInput.addEventListener('blur', () => this.#leave());
  }

  /** @param {string} label what the recording is called */
  name(label) {
    this.face.seekInput.setAttribute('aria-label', `Find a place in ${label}`);
  }

  /** Its pictures; empty where there are none. Fetched when somebody first shows interest. @param {string} url */
  storyboard(url) {
    this.#storyboard = url;
  }

  /** @param {number} positionMs @param {number} lengthMs not known where it is 0 */
  show(positionMs, lengthMs) {
    const { seek, seekInput } = this.face;
    seek.hidden = lengthMs <= 0;
    const whole = Math.round(lengthMs);
    if (whole !== this.#lengthMs) {
      this.#lengthMs = whole;
      seekInput.max = String(whole);
    }
    seekInput.value = String(Math.round(positionMs));
    this.#tell(positionMs);
  }

  /** @param {number} ms */
  goTo(ms) {
    this.#point(ms);
    this.#tell(ms);
    this.seek(ms / 1000);
  }

  /** @param {number} ms */
  #tell(ms) {
    this.face.seekInput.setAttribute('aria-valuetext', `${clockText(ms / 1000)} of ${clockText(this.#lengthMs / 1000)}`);
  }

  #leave() {
    this.#pointedMs = null;
    this.face.tile.hidden = true;
  }

  /** @param {number} ms */
  #point(ms) {
    void this.#fetch();
    this.#pointedMs = ms;
    this.#draw();
  }

  #draw() {
    const { tile: shown } = this.face;
    const ms = this.#pointedMs;
    if (ms === null || this.#lengthMs <= 0) return;
    shown.hidden = false;
    shown.style.setProperty('--at', (ms / this.#lengthMs).toFixed(3));
    const time = document.createElement('span');
    time.textContent = clockText(ms / 1000);
    const tile = tileAt(this.#tiles, ms);
    shown.replaceChildren(...(tile === undefined ? [] : [picture(tile)]), time);
  }

  async #fetch() {
    const url = this.#storyboard;
    if (url === '' || url === this.#asked) return;
    this.#asked = url;
    const text = await fetch(url).then((answer) => (answer.ok ? answer.text() : '')).catch(() => '');
    if (url !== this.#storyboard) return;
    this.#tiles = tiles(text, url);
    this.#draw();
  }
}

/** The tile's part of the sheet: the view box cuts it out. @param {import('./storyboard.js').Tile} tile */
function picture({ image, x, y, width, height }) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `${x} ${y} ${width} ${height}`);
  svg.setAttribute('width', String(width));
  svg.setAttribute('height', String(height));
  const sheet = document.createElementNS(SVG, 'image');
  sheet.setAttribute('href', image);
  svg.append(sheet);
  return svg;
}
