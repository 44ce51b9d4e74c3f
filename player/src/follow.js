// Follows a recording that grows: its URL leads to a snapshot, which has an end. There, the next snapshot takes its place, and once the recording is
// finished the file does, each at the same position, as all of them share one timeline. Asks at most once a second, and only at the end.

import { finished, pathOf } from './finished.js';

/**
 * @typedef {object} Recording as it is known by now
 * @property {string} url
 * @property {boolean} isGrowing
 * @property {number} lengthMs not known where it is 0
 */

/** How long who has seen all there is waits before the next question. */
const ASK_AGAIN_MS = 1_000;
/** Nearer to the end than this there is nothing to play, in seconds; browsers begin anew where they are told to play at the end. */
const END_S = 0.05;

/** Whether there is more after where it stands. Also while it goes there, when browsers do not say that it has ended. @param {HTMLVideoElement} video */
function hasRest(video) {
  return video.currentTime + END_S < video.duration;
}

export class Follower {
  /** What the source is known to lead to; `null` for the one that the page came with. @type {string | null} */
  #source = null;
  /** Where the viewer was when another source was set; until its head is there. @type {{ positionS: number, rate: number, plays: boolean } | null} */
  #place = null;
  /** Whether the viewer let it play up to here. */
  #plays = false;
  #isWaiting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #asking;
  #listening = new AbortController();

  /**
   * @param {HTMLVideoElement} video
   * @param {Recording} recording
   * @param {(isWaiting: boolean) => void} waiting told when the viewer has seen all there is, and when there is more
   * @param {import('./finished.js').Finished} files what the page has had
   */
  constructor(video, recording, waiting, files = finished) {
    this.video = video;
    this.recording = recording;
    this.waiting = waiting;
    this.files = files;
    /** What the video is to begin with. */
    this.first = this.#named(false);
    const on = (/** @type {string} */ event, /** @type {() => void} */ act) => {
      video.addEventListener(event, act, { signal: this.#listening.signal });
    };
    on('playing', () => {
      this.#plays = true;
      this.#setWaiting(false);
    });
    // Browsers pause at the end too, and between two sources.
    on('pause', () => {
      if (!this.isChanging && hasRest(video)) this.#plays = false;
    });
    on('seeking', () => {
      if (!this.isChanging && hasRest(video)) this.#setWaiting(false);
    });
    on('ended', () => this.#ended());
    on('loadedmetadata', () => this.#loaded());
    on('error', () => this.#failed());
  }

  /** Between two sources the element stands at nought. */
  get isChanging() {
    return this.#place !== null;
  }

  /** Where the viewer is, in seconds. */
  get positionS() {
    return this.#place?.positionS ?? this.video.currentTime;
  }

  stop() {
    this.#listening.abort();
    clearTimeout(this.#asking);
  }

  /** @param {number} positionS */
  seek(positionS) {
    if (this.#place !== null) this.#place.positionS = positionS;
    else this.video.currentTime = positionS;
  }

  /** What is known of the recording now. @param {Recording} recording */
  update(recording) {
    const was = this.recording;
    this.recording = recording;
    const { url, isGrowing, lengthMs } = recording;
    // It may have grown, and ended again, before anybody could say so.
    const isOtherLength = !was.isGrowing && was.lengthMs > 0 && lengthMs > 0 && lengthMs !== was.lengthMs;
    // Another token for the same file is no reason to begin anew.
    if (pathOf(url) !== pathOf(was.url)) {
      this.#source = null;
      this.#place = null;
      this.#setWaiting(false);
      this.video.src = this.#named(false);
    } else if (!isGrowing && (was.isGrowing || isOtherLength)) {
      this.#setWaiting(false);
      const source = this.#named(true);
      // Who stood at the end when it ended has been led to the file already.
      if (this.#source !== source) this.#change(source);
    } else if (isGrowing && !was.isGrowing && this.video.ended) {
      this.#ended();
    }
  }

  /** Its URL, here and now. @param {boolean} isNew it has been finished just now */
  #named(isNew) {
    const { url, isGrowing, lengthMs } = this.recording;
    return isGrowing ? this.files.growing(url) : this.files.file(url, lengthMs, isNew);
  }

  #ended() {
    if (this.recording.isGrowing && !this.#isWaiting) {
      this.#setWaiting(true);
      void this.#ask();
    }
  }

  /** The head of a source is there. */
  #loaded() {
    const place = this.#place;
    if (place === null) return;
    this.#place = null;
    const { video } = this;
    video.playbackRate = place.rate;
    // Who went elsewhere by the browser's own means meanwhile is there already; all others stand at nought.
    if (video.currentTime === 0) video.currentTime = place.positionS;
    if (hasRest(video)) {
      this.#setWaiting(false);
      if (place.plays) void video.play().catch(() => {});
    } else if (this.recording.isGrowing) {
      this.#setWaiting(true);
      this.#askLater();
    }
  }

  /** A snapshot that was just found may be refused for the moment. What fails by itself is the viewer's to see. */
  #failed() {
    if (this.isChanging && this.recording.isGrowing) {
      this.#source = null;
      this.#setWaiting(true);
      this.#askLater();
    }
  }

  /** To a source of the same timeline. @param {string} source */
  #change(source) {
    const { video } = this;
    // A change upon a change: the element stands at nought already.
    this.#place ??= {
      positionS: video.currentTime,
      rate: video.playbackRate,
      plays: video.ended ? this.#plays : !video.paused,
    };
    video.src = source;
    this.#source = source;
  }

  #askLater() {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(() => void this.#ask(), ASK_AGAIN_MS);
  }

  /** The next snapshot, if there is one. */
  async #ask() {
    const isWanted = () => this.#isWaiting && this.recording.isGrowing && !this.#listening.signal.aborted;
    if (!isWanted()) return;
    const newest = await leadsTo(this.#named(false));
    if (!isWanted()) return;
    if (newest !== null && newest !== this.#source) this.#change(newest);
    else this.#askLater();
  }

  /** @param {boolean} isWaiting */
  #setWaiting(isWaiting) {
    if (isWaiting === this.#isWaiting) return;
    this.#isWaiting = isWaiting;
    this.waiting(isWaiting);
  }
}

/** Where its redirects end, without the content; `null` where nothing is to be had there just now. @param {string} url */
async function leadsTo(url) {
  try {
    const response = await fetch(url, { method: 'HEAD', cache: 'no-store' });
    return response.ok ? response.url : null;
  } catch {
    return null;
  }
}
