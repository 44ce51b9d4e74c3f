// Live by HLS, where WebSocket or Media Source Extensions are not to be had: by hls.js, which is fetched only then, or by the browser itself.

import { playWithLeave, standsPaused, stillPlays } from './playback.js';
import { playlistUrl, reasonOf } from './urls.js';
import { waitMs } from './waits.js';

/** @typedef {import('./playback.js').Playback} Playback */

const NATIVE = 'application/vnd.apple.mpegurl';

/**
 * What is used of hls.js (Apache-2.0), which the site's build lays beside this file.
 * @typedef {object} Hls
 * @property {(url: string) => void} loadSource
 * @property {(video: HTMLVideoElement) => void} attachMedia
 * @property {(event: string, heard: (event: string, data: any) => void) => void} on
 * @property {() => void} destroy
 * @property {() => void} recoverMediaError
 * @property {number} latency
 * @property {number | null} liveSyncPosition
 * @property {number} bandwidthEstimate
 * @property {{ bitrate: number, videoCodec?: string, audioCodec?: string }[]} levels
 * @property {number} currentLevel
 */

/** @implements {Playback} */
export class HlsPlayback {
  /** @type {Hls | null} */
  #hls = null;
  #isNative = false;
  #attempt = 0;
  #wantsToPlay = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {string} base `/live/NAME`
   * @param {string | null} token
   * @param {import('./playback.js').Outlet} outlet
   */
  constructor(video, base, token, outlet) {
    this.video = video;
    this.url = playlistUrl(base, token, document.baseURI);
    this.outlet = outlet;
  }

  start() {
    const { signal } = this.#listening;
    this.video.addEventListener('playing', () => this.#playing(), { signal });
    // By the browser's own means, as in its small window.
    this.video.addEventListener('play', () => (this.#wantsToPlay ||= stillPlays(this.video)), { signal });
    this.video.addEventListener('pause', () => this.#wantsToPlay && standsPaused(this.video) && this.pause(), { signal });
    this.video.addEventListener('waiting', () => this.outlet.state({ name: 'stalled' }), { signal });
    this.video.addEventListener('ended', () => this.#again(), { signal });
    this.video.addEventListener('error', () => this.#isNative && this.#again(), { signal });
    this.outlet.state({ name: 'connecting' });
    void this.#load();
  }

  stop() {
    this.#listening.abort();
    clearTimeout(this.#retry);
    this.#letGo();
  }

  play() {
    this.#wantsToPlay = true;
    this.goLive();
    void playWithLeave(this.video, this.outlet);
  }

  pause() {
    this.#wantsToPlay = false;
    this.video.pause();
    this.outlet.state({ name: 'paused' });
  }

  /** @param {number} s */
  seek(s) {
    this.video.currentTime = s;
  }

  /** @returns {[number, number] | null} */
  seekable() {
    const { seekable } = this.video;
    if (seekable.length === 0) return null;
    return [seekable.start(0), seekable.end(seekable.length - 1)];
  }

  goLive() {
    const edge = this.#hls?.liveSyncPosition ?? this.seekable()?.[1];
    if (edge !== undefined && Number.isFinite(edge) && edge > this.video.currentTime) this.video.currentTime = edge;
  }

  latencyMs() {
    if (this.#hls !== null) return this.#hls.latency > 0 ? this.#hls.latency * 1000 : null;
    return null;
  }

  /** @returns {import('./playback.js').Facts} */
  facts() {
    const { buffered, currentTime } = this.video;
    const end = buffered.length === 0 ? undefined : buffered.end(buffered.length - 1);
    const latency = this.latencyMs();
    const level = this.#hls?.levels[this.#hls.currentLevel];
    const codecs = [level?.videoCodec, level?.audioCodec].filter((codec) => codec !== undefined).join(', ');
    return {
      transport: this.#isNative ? 'HLS by the browser' : 'HLS by hls.js',
      ...(codecs === '' ? {} : { codecs }),
      ...(level === undefined ? {} : { bitrateBps: level.bitrate }),
      ...(end === undefined ? {} : { bufferS: Math.max(0, end - currentTime) }),
      ...(latency === null ? {} : { latencyMs: latency }),
    };
  }

  async #load() {
    const { signal } = this.#listening;
    const answer = await fetch(this.url, { cache: 'no-store', signal }).catch(() => null);
    if (signal.aborted) return;
    if (answer === null) return this.#later('reconnecting');
    if (answer.status === 401 || answer.status === 403) {
      return this.outlet.state({ name: 'refused', reason: await reasonOf(answer) });
    }
    if (!answer.ok) return this.#later(answer.status === 404 ? 'offline' : 'reconnecting');
    // A list that has ended stays for a while, and would be played again from its beginning.
    if (await this.#hasEnded(await answer.text())) return this.#later('offline');
    if (signal.aborted) return;

    const Library = await library();
    if (signal.aborted) return;
    if (Library !== null) this.#byLibrary(Library);
    else if (this.video.canPlayType(NATIVE) !== '') this.#byBrowser();
    else return this.outlet.state({ name: 'failed', reason: 'This browser knows none of the ways in which live streams are sent.' });
    if (this.#wantsToPlay) void playWithLeave(this.video, this.outlet);
  }

  /** @param {string} list the stream's, which may name another one @returns {Promise<boolean>} */
  async #hasEnded(list) {
    if (list.includes('#EXT-X-ENDLIST')) return true;
    const media = list.split(/\r?\n/).find((line) => line.trim() !== '' && !line.startsWith('#'));
    if (!list.includes('#EXT-X-STREAM-INF') || media === undefined) return false;
    const { signal } = this.#listening;
    const answer = await fetch(new URL(media, this.url), { cache: 'no-store', signal }).catch(() => null);
    return answer?.ok === true && (await answer.text()).includes('#EXT-X-ENDLIST');
  }

  /** @param {{ new (config: object): Hls, Events: Record<string, string> }} Library */
  #byLibrary(Library) {
    const hls = new Library({
      lowLatencyMode: true,
      maxLiveSyncPlaybackRate: 1.1,
      backBufferLength: 30,
      // Nothing is remuxed, and a worker of inline code is what our pages allow nobody.
      enableWorker: false,
    });
    this.#hls = hls;
    hls.on(Library.Events['ERROR'] ?? 'hlsError', (_, data) => {
      if (hls !== this.#hls || data.fatal !== true) return;
      const codec = data.details === 'bufferAddCodecError' || data.details === 'manifestIncompatibleCodecsError';
      if (codec) {
        this.#letGo();
        this.outlet.state({ name: 'unsupported' });
      } else if (data.type === 'mediaError' && this.#attempt === 0) {
        this.#attempt += 1;
        hls.recoverMediaError();
      } else this.#again();
    });
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  #byBrowser() {
    this.#isNative = true;
    this.video.src = this.url;
  }

  #playing() {
    if (!stillPlays(this.video)) return;
    this.#attempt = 0;
    this.#wantsToPlay = true;
    this.outlet.state({ name: 'playing' });
  }

  /** The list has ended or cannot be had: the stream may come back. */
  #again() {
    this.#letGo();
    void this.#load();
  }

  /** @param {'offline' | 'reconnecting'} name */
  #later(name) {
    const wait = waitMs(Math.min(this.#attempt, name === 'offline' ? 2 : Infinity));
    this.#attempt += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#load(), wait);
    this.outlet.state(name === 'offline' ? { name } : { name, waitMs: wait });
  }

  #letGo() {
    this.#hls?.destroy();
    this.#hls = null;
    if (this.#isNative) {
      this.#isNative = false;
      this.video.removeAttribute('src');
      this.video.load();
    }
  }
}

/** hls.js, where it is to be had and of use here. */
async function library() {
  try {
    const { default: Library } = await import(new URL('./vendor/hls.mjs', import.meta.url).href);
    return Library.isSupported() ? Library : null;
  } catch {
    return null;
  }
}
