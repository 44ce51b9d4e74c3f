// Live by WebSocket and Media Source Extensions: the socket's frames go into the buffer, and the position is kept near the newest of them.

import { MediaBuffer, canPlay, mediaSource } from './buffer.js';
import { latencyMs } from './clock.js';
import { codecName, codecsOf, unplayable } from './codecs.js';
import { LEAST_TARGET_S, afterCalm, afterStall, steer } from './edge.js';
import { playWithLeave, standsPaused, stillPlays } from './playback.js';
import { LiveSocket } from './socket.js';
import { playlistUrl, reasonOf, socketUrl } from './urls.js';

/** @typedef {import('./playback.js').Playback} Playback */

/** How often the position is looked at. */
const TICK_MS = 100;
/** What has begun so short ago may jump. */
const SETTLING_MS = 2_000;
/** Who pauses for longer begins anew at the newest frame, and nothing is sent to them meanwhile. */
const PAUSE_KEPT_MS = 10_000;
/** After so long without a fault the next fault is a new one. */
const SETTLED_MS = 5_000;
/** A wait this short is not worth a word. */
const STALL_SAID_MS = 400;

/** Whether this browser has what this needs. */
export function canStream() {
  return mediaSource() !== undefined && typeof WebSocket === 'function';
}

/** Whether it came to where it is by playing. @param {HTMLVideoElement} video */
function hasPlayedTo({ played, currentTime }) {
  const NEAR_S = 0.1;
  const reaches = (/** @type {number} */ at) => played.start(at) < currentTime - NEAR_S && played.end(at) > currentTime - NEAR_S;
  return Array.from({ length: played.length }, (_, at) => at).some(reaches);
}

/** @implements {Playback} */
export class LivePlayback {
  #target = LEAST_TARGET_S;
  #settlingUntil = 0;
  /** When it last stalled or began. */
  #calmSince = 0;
  #isLive = false;
  #wantsToPlay = true;
  /** Whether the socket was closed since nobody plays. */
  #hasParted = false;
  #hasPlayed = false;
  /** @type {{ clock: import('./clock.js').Clock, heardMs: number } | null} */
  #clock = null;
  /** @type {import('./socket.js').Info | null} */
  #info = null;
  /** @type {[number, number][]} when, and how many bytes */
  #arrived = [];
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticker;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #parting;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #stall;
  /** What is buffered of a publish that has ended is shown until then; no picture that comes once more ends that. @type {ReturnType<typeof setTimeout> | undefined} */
  #ending;
  /** @type {ReturnType<typeof setTimeout> | undefined} until when an encoder that was cut off is waited for */
  #awaiting;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {string} base `/live/NAME`
   * @param {string | null} token
   * @param {import('./playback.js').Outlet} outlet
   * @param {() => void} unavailable this way is barred here, though another may be open
   */
  constructor(video, base, token, outlet, unavailable) {
    this.video = video;
    this.base = base;
    this.token = token;
    this.outlet = outlet;
    this.unavailable = unavailable;
    this.buffer = new MediaBuffer(
      video,
      () => this.#restart(),
      // The first picture is not kept waiting for the next tick.
      () => this.#settlingUntil === 0 && this.#tick(),
    );
    this.socket = new LiveSocket(socketUrl(base, token, document.baseURI), {
      message: (message) => this.#message(message),
      media: (bytes) => this.#media(bytes),
      lost: (waitMs) => this.#lost(waitMs),
      refused: (reason) => this.#end({ name: 'refused', ...(reason === '' ? {} : { reason }) }),
      unreachable: () => void this.#probe(),
    });
  }

  start() {
    const { signal } = this.#listening;
    this.video.addEventListener('play', () => this.#resumed(), { signal });
    this.video.addEventListener('pause', () => this.#paused(), { signal });
    this.video.addEventListener('playing', () => this.#playing(), { signal });
    this.video.addEventListener('waiting', () => this.#waiting(), { signal });
    this.video.addEventListener('error', () => this.#broken(), { signal });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#connect();
  }

  stop() {
    this.#listening.abort();
    clearInterval(this.#ticker);
    clearTimeout(this.#parting);
    clearTimeout(this.#stall);
    clearTimeout(this.#ending);
    clearTimeout(this.#awaiting);
    this.socket.close();
    this.buffer.close();
    this.video.playbackRate = 1;
  }

  play() {
    this.#wantsToPlay = true;
    clearTimeout(this.#parting);
    this.#parting = undefined;
    if (this.buffer.ranges.length === 0 && !this.#isLive) {
      this.#connect();
    } else {
      this.goLive();
      void playWithLeave(this.video, this.outlet);
    }
  }

  pause() {
    this.#wantsToPlay = false;
    this.video.pause();
    // Where nothing is live nothing is sent either, and by the socket alone it is heard of what is waited for.
    if (this.#isLive) this.#rest();
  }

  /** Paused in what is live. */
  #rest() {
    this.outlet.state({ name: 'paused' });
    clearTimeout(this.#parting);
    this.#parting = setTimeout(() => {
      // The encoder went away meanwhile.
      if (!this.#isLive) return;
      this.#isLive = false;
      this.#hasParted = true;
      this.socket.close();
      this.#arrived = [];
      // The picture stays; what is behind it goes when playing begins anew.
    }, PAUSE_KEPT_MS);
  }

  seek() {}

  seekable() {
    return null;
  }

  goLive() {
    if (!this.#isLive && this.#wantsToPlay) {
      this.#connect();
      return;
    }
    const newest = this.buffer.ranges.at(-1);
    if (newest !== undefined) this.video.currentTime = Math.max(newest[0], newest[1] - this.#target);
  }

  latencyMs() {
    if (this.#clock === null || !this.#isLive || this.video.readyState < 2) return null;
    return latencyMs(this.#clock.clock, this.#clock.heardMs, performance.now(), this.video.currentTime * 1000);
  }

  /** @returns {import('./playback.js').Facts} */
  facts() {
    const end = this.buffer.ranges.at(-1)?.[1];
    const latency = this.latencyMs();
    return {
      transport: 'WebSocket, fragmented MP4',
      ...(this.#info === null ? {} : { codecs: codecsOf(this.#info.mime).map((codec) => `${codecName(codec)} (${codec})`).join(', ') }),
      ...(this.#isLive ? { bitrateBps: this.#bitrate() } : {}),
      ...(end === undefined ? {} : { bufferS: Math.max(0, end - this.video.currentTime) }),
      ...(latency === null ? {} : { latencyMs: latency }),
    };
  }

  #connect() {
    this.#hasParted = false;
    this.outlet.state({ name: 'connecting' });
    this.buffer.prepare();
    this.socket.open();
  }

  /** @param {import('./socket.js').Message} message */
  #message(message) {
    switch (message.type) {
      case 'info':
        this.#begin(message);
        break;
      case 'clock':
        this.#clock = { clock: message, heardMs: performance.now() };
        break;
      case 'status':
        if (message.state === 'offline') this.#over(message.waits_ms);
        break;
      case 'stopped':
        this.#stopped(message.waits_ms);
        break;
    }
  }

  /** @param {import('./socket.js').Info} info */
  #begin(info) {
    clearTimeout(this.#awaiting);
    clearTimeout(this.#ending);
    const refused = unplayable(info.mime, canPlay);
    if (refused.length > 0) {
      this.#isLive = false;
      this.#info = info;
      this.buffer.close();
      this.outlet.state({ name: 'unsupported', codecs: refused });
      return;
    }
    const before = this.#info;
    // Only within one publish time goes on; and tracks that come or go need a new buffer.
    const joins = this.#isLive && before !== null && !before.video === !info.video && !before.audio === !info.audio;
    this.#info = info;
    if (joins && this.buffer.change(info.mime)) return;
    this.#isLive = true;
    this.#clock = null;
    this.#hasPlayed = false;
    this.#settlingUntil = 0;
    this.buffer.start(info.mime);
    if (this.#wantsToPlay) void playWithLeave(this.video, this.outlet);
    else this.#rest();
  }

  /** @param {ArrayBuffer} bytes */
  #media(bytes) {
    const now = performance.now();
    this.#arrived.push([now, bytes.byteLength]);
    this.buffer.append(bytes);
  }

  #bitrate() {
    const WINDOW_MS = 3_000;
    const since = performance.now() - WINDOW_MS;
    this.#arrived = this.#arrived.filter(([at]) => at >= since);
    return (this.#arrived.reduce((sum, [, bytes]) => sum + bytes, 0) * 8 * 1000) / WINDOW_MS;
  }

  #tick() {
    const { video } = this;
    this.#bitrate();
    const ranges = this.buffer.ranges;
    if (!this.#isLive) return;
    if (ranges.length === 0) {
      // The browser has dropped all there was, as it may where keyframes are rare.
      if (this.#hasPlayed) this.#restart();
      return;
    }
    const now = performance.now();
    if (this.#settlingUntil === 0) {
      this.#settlingUntil = now + SETTLING_MS;
      this.#calmSince = now;
    }
    if (this.#hasPlayed && now - this.#calmSince > SETTLED_MS) this.socket.settle();
    const calmer = afterCalm(this.#target, (now - this.#calmSince) / 1000);
    if (calmer < this.#target) {
      this.#target = calmer;
      this.#calmSince = now;
    }
    // Who has paused keeps the picture; the first one is found for them too.
    if (this.#wantsToPlay || video.readyState < 2) {
      const { rate, seekToS } = steer({
        positionS: video.currentTime,
        ranges,
        targetS: this.#target,
        rate: video.playbackRate,
        settling: now < this.#settlingUntil,
        hasPlayed: hasPlayedTo(video),
      });
      if (seekToS !== null && !video.seeking) video.currentTime = seekToS;
      if (video.playbackRate !== rate) video.playbackRate = rate;
    }
    this.buffer.tidy();
  }

  /** Also by the browser's own means, as a key for media or the small window. */
  #resumed() {
    if (!stillPlays(this.video)) return;
    this.#wantsToPlay = true;
    // Nobody parts who plays.
    clearTimeout(this.#parting);
    // What is left of the buffer is all that there would be, and at its end nothing ever plays.
    if (this.#hasParted) this.play();
  }

  /** By the same means. `pause` has noted its own before it is told of here. */
  #paused() {
    if (this.#wantsToPlay && standsPaused(this.video)) this.pause();
  }

  #playing() {
    if (!stillPlays(this.video)) return;
    clearTimeout(this.#stall);
    this.#hasPlayed = true;
    if (this.#isLive) this.outlet.state({ name: 'playing' });
  }

  #waiting() {
    if (!this.#isLive || !this.#hasPlayed || this.video.seeking) return;
    const now = performance.now();
    if (now > this.#settlingUntil) {
      this.#target = afterStall(this.#target);
      this.#calmSince = now;
    }
    clearTimeout(this.#stall);
    this.#stall = setTimeout(() => {
      if (this.#isLive && !this.video.paused && this.video.readyState < 3) this.outlet.state({ name: 'stalled' });
    }, STALL_SAID_MS);
  }

  /** Nothing is live. @param {number} [waitsMs] for so long the encoder is waited for, which was cut off */
  #over(waitsMs) {
    // It is the newest that is known: an end from before has nothing to add.
    clearTimeout(this.#ending);
    if (waitsMs === undefined) return this.#offline();
    this.#isLive = false;
    this.#info = null;
    // The last picture stays, where there is one.
    this.outlet.state({ name: 'interrupted' });
    clearTimeout(this.#awaiting);
    this.#awaiting = setTimeout(() => this.#offline(), waitsMs);
  }

  #offline() {
    this.#isLive = false;
    this.#info = null;
    clearTimeout(this.#awaiting);
    // What was paused is gone, and of what comes next it is said that it starts by itself.
    this.#wantsToPlay = true;
    this.buffer.close();
    this.outlet.state({ name: 'offline' });
  }

  /** The publish has ended: what is buffered is shown to its end. @param {number} [waitsMs] as of `over` */
  #stopped(waitsMs) {
    const end = this.buffer.ranges.at(-1)?.[1] ?? 0;
    const rest = Math.max(0, end - this.video.currentTime);
    this.#isLive = false;
    this.#info = null;
    this.video.playbackRate = 1;
    clearTimeout(this.#stall);
    clearTimeout(this.#ending);
    this.#ending = setTimeout(() => {
      if (!this.#isLive) this.#over(waitsMs);
    }, Math.min(rest, 3) * 1000);
  }

  /** @param {number} waitMs */
  #lost(waitMs) {
    clearTimeout(this.#awaiting);
    clearTimeout(this.#stall);
    clearTimeout(this.#ending);
    this.#isLive = false;
    this.#info = null;
    if (this.#wantsToPlay) {
      this.outlet.state({ name: 'reconnecting', waitMs });
    } else {
      this.#hasParted = true;
      this.socket.close();
      this.outlet.state({ name: 'paused' });
    }
  }

  /** The buffer has given up, as where a frame cannot be decoded: from the next keyframe on it may. */
  #restart() {
    if (this.#isLive) this.socket.again();
  }

  #broken() {
    // An element without a source has no error worth a word.
    if (this.video.error !== null && this.#isLive) {
      this.buffer.close();
      this.socket.again();
    }
  }

  /** The socket cannot be opened, and browsers do not say why: plain HTTP tells a refusal from a barred way. */
  async #probe() {
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(playlistUrl(this.base, this.token, document.baseURI), { cache: 'no-store' });
    } catch {
      if (!this.#listening.signal.aborted) this.#again('reconnecting');
      return;
    }
    if (this.#listening.signal.aborted) return;
    if (answer.status === 401 || answer.status === 403) {
      this.#end({ name: 'refused', reason: await reasonOf(answer) });
    } else if (answer.ok && !this.socket.hasOpened) {
      this.unavailable();
    } else {
      this.#again(answer.status === 404 ? 'offline' : 'reconnecting');
    }
  }

  /** @param {'offline' | 'reconnecting'} name */
  #again(name) {
    // Who has paused meanwhile connects when they play.
    if (!this.#wantsToPlay) {
      this.#hasParted = true;
      this.outlet.state({ name: 'paused' });
      return;
    }
    const waitMs = this.socket.retry();
    this.outlet.state(name === 'offline' ? { name } : { name, waitMs });
  }

  /** @param {import('./states.js').State} state */
  #end(state) {
    clearTimeout(this.#awaiting);
    clearTimeout(this.#stall);
    clearTimeout(this.#ending);
    this.#isLive = false;
    this.socket.close();
    this.buffer.close();
    this.outlet.state(state);
  }
}
