// A recording that grows, followed: against a video of the test's own, which does what browsers do between two sources.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Finished } from '../src/finished.js';
import { Follower } from '../src/follow.js';

const URL_ = 'http://h/vod-eu/a/a-b.mp4';

class FakeVideo extends EventTarget {
  #src = URL_;
  currentTime = 0;
  duration = NaN;
  playbackRate = 1;
  paused = true;
  ended = false;
  /** @type {string[]} */
  sources = [];
  get src() {
    return this.#src;
  }
  /** As browsers: all begins anew. @param {string} url */
  set src(url) {
    this.#src = url;
    this.sources.push(url);
    Object.assign(this, { currentTime: 0, duration: NaN, paused: true, ended: false });
  }
  async play() {
    this.paused = false;
    this.dispatchEvent(new Event('playing'));
  }
  /** @param {number} duration */
  load(duration) {
    this.duration = duration;
    this.dispatchEvent(new Event('loadedmetadata'));
  }
  /** Plays to its end. */
  finish() {
    Object.assign(this, { currentTime: this.duration, ended: true, paused: true });
    this.dispatchEvent(new Event('pause'));
    this.dispatchEvent(new Event('ended'));
  }
}

/** @type {FakeVideo} */
let video;
/** Where the URL leads; nowhere while it is `null`. @type {string | null} */
let newest;
let asked = 0;
/** @type {boolean[]} */
let waits = [];
/** What the page has had. */
let files = new Finished();
const as = (/** @type {boolean} */ isGrowing, lengthMs = 0, url = URL_) => ({ url, isGrowing, lengthMs });
const follow = (/** @type {boolean} */ isGrowing, lengthMs = 0) =>
  new Follower(
    /** @type {HTMLVideoElement} */ (/** @type {unknown} */ (video)),
    as(isGrowing, lengthMs),
    (isWaiting) => void waits.push(isWaiting),
    files,
  );
/** Until what was asked is answered. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  video = new FakeVideo();
  [newest, asked, waits] = [null, 0, []];
  files = new Finished();
  globalThis.fetch = async () => {
    asked += 1;
    return /** @type {Response} */ ({ ok: newest !== null, url: newest ?? '' });
  };
});

test('at the end of a snapshot it goes on in the next one, where it was', async () => {
  follow(true);
  video.load(4);
  await video.play();
  newest = `${URL_}?upto=2`;
  video.finish();
  assert.deepEqual(waits, [true]);
  await settled();
  assert.deepEqual(video.sources, [newest]);
  video.load(7);
  assert.deepEqual([video.currentTime, video.paused, waits.at(-1)], [4, false, false]);
});

test('where there is nothing new it asks again after a second, not before', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  follow(true);
  video.load(4);
  await video.play();
  video.finish();
  await settled();
  assert.equal(asked, 1);
  context.mock.timers.tick(999);
  await settled();
  assert.equal(asked, 1);
  newest = `${URL_}?upto=2`;
  context.mock.timers.tick(1);
  await settled();
  assert.deepEqual([asked, video.sources.length], [2, 1]);
});

test('who has paused is left where they are when the file is finished', () => {
  const follower = follow(true);
  video.load(4);
  video.currentTime = 1.5;
  follower.update(as(false));
  assert.deepEqual(video.sources, [URL_]);
  assert.equal(follower.positionS, 1.5, 'also before the file\'s head is there');
  video.load(9);
  assert.deepEqual([video.currentTime, video.paused], [1.5, true]);
});

test('who seeks between two sources is taken there', () => {
  const follower = follow(true);
  video.load(4);
  follower.update(as(false));
  follower.seek(3);
  video.load(9);
  assert.equal(video.currentTime, 3);
});

test('a file that is finished a second time is another one to browsers', async () => {
  const follower = follow(false);
  video.load(4);
  await video.play();
  video.finish();
  newest = `${URL_}?upto=3`;
  follower.update(as(true));
  await settled();
  video.load(6);
  follower.update(as(false));
  assert.deepEqual(video.sources, [newest, `${URL_}?finished=2`]);
});

test('what the page has had under a URL is remembered beyond one player', () => {
  assert.equal(follow(false, 7_700).first, URL_);
  const later = follow(false, 17_324);
  assert.equal(later.first, `${URL_}?finished=2`);
  assert.equal(follow(false, 7_700).first, URL_, 'the same file has the same URL');
  assert.equal(follow(true).first, `${URL_}?finished=3`);
  later.update(as(false, 17_324, `${URL_}?token=2`));
  assert.deepEqual(video.sources, []);
});

test('a file that has become longer while nobody could say so takes the place of the other', () => {
  const follower = follow(false, 4_000);
  video.load(4);
  video.currentTime = 1.5;
  follower.update(as(false, 9_000));
  assert.deepEqual(video.sources, [`${URL_}?finished=2`]);
  video.load(9);
  assert.equal(video.currentTime, 1.5);
});

test('who is led to the file itself, before it is known to be finished, is left there', async () => {
  follow(false, 4_000);
  const follower = follow(true);
  video.load(6);
  await video.play();
  newest = `${URL_}?finished=2`;
  video.finish();
  await settled();
  follower.update(as(false, 7_000));
  assert.deepEqual(video.sources, [newest]);
});

test('a refused snapshot is asked for again; what fails by itself is the viewer\'s to see', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  follow(true);
  video.load(4);
  video.dispatchEvent(new Event('error'));
  assert.equal(asked, 0);
  await video.play();
  newest = `${URL_}?upto=2`;
  video.finish();
  await settled();
  video.dispatchEvent(new Event('error'));
  context.mock.timers.tick(1_000);
  await settled();
  assert.deepEqual(video.sources, [newest, newest]);
});

test('another token for the same file changes nothing, another file everything', () => {
  const follower = follow(false);
  video.load(4);
  follower.update(as(false, 0, `${URL_}?token=2`));
  assert.deepEqual(video.sources, []);
  follower.update(as(false, 0, 'http://h/other.mp4'));
  assert.deepEqual(video.sources, ['http://h/other.mp4']);
});
