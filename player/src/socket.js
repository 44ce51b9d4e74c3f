// The WebSocket of a live stream: connects, tells messages apart, notices a dead connection, and connects again with growing waits. Knows nothing of media.

import { waitMs } from './waits.js';

/** What the server says in text frames; binary ones are an initialisation segment or a fragment. */
/**
 * @typedef {{ codec: string, width?: number, height?: number, sample_rate?: number, channels?: number }} Track
 * @typedef {{ type: 'info', state: 'live', mime: string, video: Track | null, audio: Track | null }} Info
 * @typedef {{ type: 'clock' } & import('./clock.js').Clock} ClockMessage
 * @typedef {{ type: 'status', state: 'offline' | 'skipped' | 'refused', reason?: string, waits_ms?: number }} StatusMessage
 * @typedef {{ type: 'stopped', waits_ms?: number }} Stopped `waits_ms`: the encoder was cut off, and is waited for
 * @typedef {Info | ClockMessage | StatusMessage | Stopped} Message
 */

/**
 * @typedef {object} Handlers
 * @property {(message: Message) => void} message
 * @property {(bytes: ArrayBuffer) => void} media
 * @property {(waitMs: number) => void} lost it comes back after so long
 * @property {(reason: string) => void} refused for good
 * @property {() => void} unreachable it could not be opened; whether it ever could, `hasOpened` says
 */

/** The close code by which the server refuses who may not watch, or not any more: RFC 6455 §7.4.1. */
const REFUSED = 1008;
/** While live something arrives all the time. After a silence of this the connection is taken for dead. */
const SILENCE_MS = 8_000;

export class LiveSocket {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  #attempt = 0;
  /** Whether this connection could be opened. */
  #isOpen = false;
  /** Whether something is to come. */
  #isLive = false;

  /** @param {string} url @param {Handlers} handlers */
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    /** Whether any connection could be opened. */
    this.hasOpened = false;
  }

  open() {
    this.close();
    /** @type {WebSocket} */
    let socket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      this.handlers.unreachable();
      return;
    }
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => {
      if (socket === this.#socket) this.#isOpen = this.hasOpened = true;
    });
    socket.addEventListener('message', ({ data }) => {
      if (socket === this.#socket) this.#heard(data);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (socket === this.#socket) this.#closed(code, reason);
    });
  }

  /** What plays has come so far that the next loss is a new one. */
  settle() {
    this.#attempt = 0;
  }

  /** Begins anew, as after a loss. */
  again() {
    this.#closed(0, '');
  }

  close() {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    this.#isLive = false;
    // Browsers complain of who hangs up before it has been answered.
    if (socket?.readyState === 0) socket.addEventListener('open', () => socket.close());
    else socket?.close();
  }

  /** @param {string | ArrayBuffer} data */
  #heard(data) {
    if (typeof data !== 'string') {
      this.#listen();
      this.handlers.media(data);
      return;
    }
    /** @type {Message} */
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.type === 'status' && message.state === 'refused') {
      this.close();
      this.handlers.refused(message.reason ?? '');
      return;
    }
    if (message.type === 'info') this.#isLive = true;
    if (message.type === 'stopped' || (message.type === 'status' && message.state === 'offline')) {
      this.#isLive = false;
      this.#attempt = 0;
    }
    this.#listen();
    this.handlers.message(message);
  }

  #listen() {
    clearTimeout(this.#silence);
    if (this.#isLive) this.#silence = setTimeout(() => this.again(), SILENCE_MS);
  }

  /** @param {number} code @param {string} reason */
  #closed(code, reason) {
    const wasOpen = this.#isOpen;
    this.close();
    if (code === REFUSED) this.handlers.refused(reason);
    else if (wasOpen) this.handlers.lost(this.retry());
    else this.handlers.unreachable();
  }

  /** Tries again. Returns the wait. */
  retry() {
    const wait = waitMs(this.#attempt);
    this.#attempt += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.open(), wait);
    return wait;
  }
}
