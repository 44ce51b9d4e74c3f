// Media Source Extensions: takes initialisation segments and fragments in order, and lets go of what has been seen. Decides nothing about where to play.

import { droppable, evictable } from './edge.js';
import { isInit, keyframeS, videoTrack } from './fragments.js';

/** More that waits to be appended is given up: it would take too long to be of use. */
const MOST_QUEUED_BYTES = 32 << 20;
/** So much is appended at once: fragments are small, and each append has its price. */
const APPEND_BYTES = 1 << 20;

/** @returns {typeof MediaSource | undefined} what iPhones have is called otherwise */
export function mediaSource() {
  const scope = /** @type {{ MediaSource?: typeof MediaSource, ManagedMediaSource?: typeof MediaSource }} */ (
    /** @type {unknown} */ (globalThis)
  );
  return scope.MediaSource ?? scope.ManagedMediaSource;
}

/** @param {string} mime */
export function canPlay(mime) {
  return mediaSource()?.isTypeSupported(mime) === true;
}

export class MediaBuffer {
  /** @type {MediaSource | null} */
  #source = null;
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /** @type {Uint8Array[]} */
  #queue = [];
  #queuedBytes = 0;
  #url = '';
  #mime = '';
  /** A quota error was met by making room; another one in a row is the end. */
  #hasMadeRoom = false;
  /** @type {import('./fragments.js').VideoTrack | null} */
  #pictures = null;
  /** Of what is in it, or has been. @type {number[]} */
  #keyframesS = [];

  /**
   * @param {HTMLVideoElement} video
   * @param {(reason: string) => void} failed it takes nothing any more; said once
   * @param {() => void} grown there is more in it
   */
  constructor(video, failed, grown) {
    this.video = video;
    this.failed = failed;
    this.grown = grown;
  }

  /** Opens what `start` will fill, which takes a while: to be called before it is known with what. Nothing happens where something plays. */
  prepare() {
    if (this.#source === null && mediaSource() !== undefined) this.#open();
  }

  /** Begins anew with nothing. @param {string} mime */
  start(mime) {
    if (this.#source === null || this.#mime !== '') this.#open();
    this.#mime = mime;
    this.#fill();
  }

  #open() {
    this.close();
    const Source = mediaSource();
    if (Source === undefined) {
      this.failed('There are no Media Source Extensions.');
      return;
    }
    const source = new Source();
    this.#source = source;
    this.#url = URL.createObjectURL(source);
    // Without this a managed source waits for AirPlay to be ruled out.
    this.video.disableRemotePlayback = true;
    source.addEventListener('sourceopen', () => this.#fill(), { once: true });
    // Closed again before it was filled: `start` opens another.
    source.addEventListener('sourceclose', () => {
      if (source === this.#source && this.#mime === '') this.close();
    });
    this.video.src = this.#url;
  }

  /**
   * What follows is coded otherwise. False where that cannot be joined on.
   * @param {string} mime
   */
  change(mime) {
    if (mime === this.#mime) return true;
    const buffer = this.#buffer;
    if (buffer === null || typeof buffer.changeType !== 'function' || buffer.updating || this.#queue.length > 0) return false;
    try {
      buffer.changeType(mime);
      this.#mime = mime;
      return true;
    } catch {
      return false;
    }
  }

  /** @param {ArrayBuffer} bytes */
  append(bytes) {
    if (this.#source === null) return;
    const part = new Uint8Array(bytes);
    this.#note(part);
    this.#queue.push(part);
    this.#queuedBytes += bytes.byteLength;
    if (this.#queuedBytes > MOST_QUEUED_BYTES) {
      this.#fail('More arrives than the browser takes.');
      return;
    }
    this.#pump();
  }

  /** @returns {[number, number][]} */
  get ranges() {
    try {
      const buffered = this.#buffer?.buffered;
      if (buffered === undefined) return [];
      return Array.from({ length: buffered.length }, (_, index) => [buffered.start(index), buffered.end(index)]);
    } catch {
      // It belongs to no source any more.
      return [];
    }
  }

  /** Lets go of what has been seen, now and then. */
  tidy() {
    const buffer = this.#buffer;
    if (buffer === null || buffer.updating) return;
    const range = evictable(this.ranges, this.video.currentTime, this.#beginnings());
    if (range === null) return;
    this.#keyframesS = this.#keyframesS.filter((atS) => atS > range[1]);
    this.#try(() => buffer.remove(...range));
  }

  /** Where it can be begun with; `null`: anywhere. */
  #beginnings() {
    return this.#pictures === null ? null : this.#keyframesS;
  }

  /** @param {Uint8Array} part */
  #note(part) {
    try {
      if (isInit(part)) this.#pictures = videoTrack(part);
      const atS = this.#pictures === null ? null : keyframeS(part, this.#pictures);
      if (atS !== null) this.#keyframesS.push(atS);
    } catch {
      // Not as our server writes it: the browser will say what it thinks of it.
    }
  }

  close() {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#hasMadeRoom = false;
    this.#pictures = null;
    this.#keyframesS = [];
    const had = this.#source !== null;
    this.#source = null;
    this.#buffer = null;
    this.#mime = '';
    if (this.#url !== '') URL.revokeObjectURL(this.#url);
    if (had && this.video.src === this.#url) {
      this.video.removeAttribute('src');
      this.video.load();
      this.video.disableRemotePlayback = false;
    }
    this.#url = '';
  }

  /** As soon as it is open, and known with what. */
  #fill() {
    const source = this.#source;
    if (source === null || source.readyState !== 'open' || this.#mime === '' || this.#buffer !== null) return;
    this.#try(() => {
      const buffer = source.addSourceBuffer(this.#mime);
      this.#buffer = buffer;
      buffer.addEventListener('updateend', () => {
        if (buffer !== this.#buffer) return;
        this.#pump();
        this.grown();
      });
      buffer.addEventListener('error', () => {
        if (buffer === this.#buffer) this.#fail('The browser cannot read what arrives.');
      });
    });
    this.#pump();
  }

  #pump() {
    const buffer = this.#buffer;
    if (buffer === null || buffer.updating || this.#queue.length === 0) return;
    const next = this.#take();
    try {
      buffer.appendBuffer(/** @type {Uint8Array<ArrayBuffer>} */ (next));
      this.#hasMadeRoom = false;
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError') this.#makeRoom(next);
      else this.#fail(error instanceof Error ? error.message : 'The browser takes no more.');
    }
  }

  /** The next bytes to append: as many fragments as are worth one append. */
  #take() {
    let bytes = 0;
    let count = 0;
    for (const part of this.#queue) {
      if (count > 0 && bytes + part.byteLength > APPEND_BYTES) break;
      bytes += part.byteLength;
      count += 1;
    }
    const parts = this.#queue.splice(0, count);
    this.#queuedBytes -= bytes;
    if (parts.length === 1 && parts[0] !== undefined) return parts[0];
    const joined = new Uint8Array(bytes);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.byteLength;
    }
    return joined;
  }

  /** All that was seen goes, but the last second, and what that is begun with. @param {Uint8Array} refused */
  #makeRoom(refused) {
    const buffer = this.#buffer;
    const range = droppable(this.ranges, this.video.currentTime, this.#beginnings());
    if (buffer === null || range === null || this.#hasMadeRoom) {
      this.#fail('The browser has no room for more.');
      return;
    }
    this.#hasMadeRoom = true;
    this.#queue.unshift(refused);
    this.#queuedBytes += refused.byteLength;
    this.#try(() => buffer.remove(...range));
  }

  /** @param {() => void} act */
  #try(act) {
    try {
      act();
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : 'The browser refused it.');
    }
  }

  /** @param {string} reason */
  #fail(reason) {
    if (this.#source === null) return;
    this.close();
    this.failed(reason);
  }
}
