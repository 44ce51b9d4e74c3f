// What a viewer is told who pauses live, while the encoder, the connection or the publish comes and goes: against a socket, a video and Media Source
// Extensions of the test's own, in simulated time.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { HlsPlayback } from '../src/hls.js';
import { LivePlayback } from '../src/live.js';

class FakeSocket extends EventTarget {
  /** @type {FakeSocket[]} */
  static all = [];
  binaryType = '';
  isClosed = false;
  constructor() {
    super();
    FakeSocket.all.push(this);
  }
  close() {
    this.isClosed = true;
  }
  open() {
    this.dispatchEvent(new Event('open'));
  }
  /** @param {object} message */
  say(message) {
    this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify(message) }));
  }
  end() {
    this.dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '' }));
  }
}

class FakeSourceBuffer extends EventTarget {
  updating = false;
  buffered = { length: 1, start: () => 0, end: () => 1 };
}

class FakeMediaSource extends EventTarget {
  static isTypeSupported() {
    return true;
  }
  readyState = 'closed';
  constructor() {
    super();
    queueMicrotask(() => {
      this.readyState = 'open';
      this.dispatchEvent(new Event('sourceopen'));
    });
  }
  addSourceBuffer() {
    video.fill();
    return new FakeSourceBuffer();
  }
}

class FakeVideo extends EventTarget {
  #src = '';
  currentTime = 1;
  playbackRate = 1;
  readyState = 0;
  paused = true;
  ended = false;
  muted = false;
  /** Whether the browser gives leave to play. */
  isAllowed = true;
  seeking = false;
  disableRemotePlayback = false;
  error = null;
  played = { length: 0 };
  seekable = { length: 0 };
  get src() {
    return this.#src;
  }
  /** As browsers: another source is one that is paused, and of which nothing is there. @param {string} url */
  set src(url) {
    this.#src = url;
    this.load();
    this.#tell('loadstart');
  }
  canPlayType() {
    return 'maybe';
  }
  load() {
    this.paused = true;
    this.readyState = 0;
  }
  removeAttribute() {
    this.#src = '';
  }
  /** There are pictures. */
  fill() {
    this.readyState = 4;
    if (!this.paused) this.#tell('playing');
  }
  async play() {
    if (!this.isAllowed) throw new DOMException('Press something first.', 'NotAllowedError');
    const wasPaused = this.paused;
    this.paused = false;
    if (!wasPaused) return;
    this.#tell('play');
    if (this.readyState >= 3) this.#tell('playing');
  }
  pause() {
    if (this.paused) return;
    this.paused = true;
    this.#tell('pause');
  }
  /** A moment later, as browsers do. @param {string} event */
  #tell(event) {
    queueMicrotask(() => this.dispatchEvent(new Event(event)));
  }
}

const INFO = { type: 'info', state: 'live', mime: 'video/mp4; codecs="avc1.42c01f"', video: { codec: 'h264' }, audio: null };
const WINDOW_MS = 30_000;

/** @type {string[]} */
let states = [];
/** @type {FakeVideo} */
let video;
/** @type {import('../src/playback.js').Playback} */
let playback;
const element = () => /** @type {HTMLVideoElement} */ (/** @type {unknown} */ (video));
const outlet = { state: (/** @type {{ name: string }} */ { name }) => void states.push(name), mutedByPolicy: () => {} };
const socket = () => /** @type {FakeSocket} */ (FakeSocket.all.at(-1));
const told = () => states.at(-1);

/** What is due by now has happened. */
async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** Somebody who watches, live. */
async function plays() {
  playback.start();
  socket().open();
  socket().say(INFO);
  await settled();
  assert.equal(told(), 'playing');
}

/** Watches by HLS, as the browser plays it by itself. What is given back has the playlist answered, and waits until the browser has it. */
function startByHls() {
  /** @type {(answer: Response) => void} */
  let answer = () => {};
  Object.assign(globalThis, { fetch: () => new Promise((resolve) => (answer = resolve)) });
  playback = new HlsPlayback(element(), '/live/a', null, outlet);
  playback.start();
  return async () => {
    const loading = once(video, 'loadstart');
    answer(new Response('#EXTM3U\n#EXTINF:1,\n1.m4s\n'));
    await loading;
    await settled();
  };
}

const NAMES = ['WebSocket', 'MediaSource', 'document', 'fetch'];
const before = Object.fromEntries(NAMES.map((name) => [name, Reflect.get(globalThis, name)]));

beforeEach(() => {
  states = [];
  FakeSocket.all = [];
  Object.assign(globalThis, { WebSocket: FakeSocket, MediaSource: FakeMediaSource, document: { baseURI: 'http://h/' } });
  URL.createObjectURL = () => 'blob:test';
  URL.revokeObjectURL = () => {};
  video = new FakeVideo();
  playback = new LivePlayback(element(), '/live/a', null, outlet, () => {});
});
afterEach(() => {
  playback.stop();
  Object.assign(globalThis, before);
});

/** @param {import('node:test').TestContext} context @returns {(ms: number) => void} */
function time(context) {
  context.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  return (ms) => context.mock.timers.tick(ms);
}

test('who clicks the last picture while the encoder is waited for is told when it is back, and plays with the next click', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  pass(3_000);
  assert.equal(told(), 'interrupted');
  assert.equal(video.paused, false, 'to the browser it plays, and a click is a pause');
  playback.pause();
  pass(20_000);
  assert.deepEqual([told(), socket().isClosed], ['interrupted', false]);
  socket().say(INFO);
  await settled();
  assert.deepEqual([told(), video.paused], ['paused', true]);
  playback.play();
  await settled();
  assert.equal(told(), 'playing');
  assert.equal(FakeSocket.all.length, 1);
});

test('who has paused gets nothing sent for long by an encoder that is back either', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  pass(3_000);
  playback.pause();
  socket().say(INFO);
  // What is live is not silent.
  for (let second = 0; second < 9; second += 1) {
    pass(1_000);
    socket().say({ type: 'clock', media_ms: 0, wall_ms: 0, server_ms: 0 });
  }
  assert.equal(socket().isClosed, false);
  pass(1_000);
  assert.deepEqual([told(), socket().isClosed], ['paused', true]);
});

test('who paused just before the encoder was cut off hears of it, and of its return', async (context) => {
  const pass = time(context);
  await plays();
  playback.pause();
  assert.equal(told(), 'paused');
  pass(2_000);
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  pass(20_000);
  assert.deepEqual([told(), socket().isClosed], ['interrupted', false]);
  socket().say(INFO);
  await settled();
  assert.deepEqual([told(), video.paused], ['paused', true]);
});

test('where the encoder stays away the next publish starts by itself, as is said, for who has paused too', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  pass(3_000);
  playback.pause();
  pass(WINDOW_MS);
  assert.deepEqual([told(), socket().isClosed], ['offline', false]);
  socket().say(INFO);
  await settled();
  assert.equal(told(), 'playing');
});

test('a connection that is lost is made again for who plays; who has paused is told nothing that does not happen', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  pass(3_000);
  playback.pause();
  socket().end();
  assert.equal(told(), 'paused');
  pass(60_000);
  assert.deepEqual([told(), FakeSocket.all.length], ['paused', 1]);
  playback.play();
  assert.deepEqual([told(), FakeSocket.all.length], ['connecting', 2]);
});

test('who pauses while it is connected again is not left with a promise where that cannot be', async (context) => {
  const pass = time(context);
  Object.assign(globalThis, { fetch: async () => Promise.reject(new TypeError('no network')) });
  await plays();
  socket().end();
  assert.equal(told(), 'reconnecting');
  playback.pause();
  pass(1_000);
  assert.equal(FakeSocket.all.length, 2);
  socket().end();
  await settled();
  pass(60_000);
  assert.deepEqual([told(), FakeSocket.all.length], ['paused', 2]);
});

for (const [what, happens] of /** @type {const} */ ([
  ['refused', () => socket().say({ type: 'status', state: 'refused', reason: 'the token has expired' })],
  ['reconnecting', () => socket().end()],
])) {
  test(`what comes right after the end has the last word: ${what}`, async (context) => {
    const pass = time(context);
    await plays();
    video.currentTime = 0;
    socket().say({ type: 'stopped' });
    happens();
    pass(3_000);
    assert.equal(told(), what);
  });
}

test('whose token is revoked while they watch is refused, and connects no more', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'status', state: 'refused', reason: 'the token was revoked' });
  socket().end();
  pass(60_000);
  await settled();
  assert.deepEqual([told(), FakeSocket.all.length], ['refused', 1]);
});

test('who plays again by the browser\'s own means is not parted with', async (context) => {
  const pass = time(context);
  await plays();
  playback.pause();
  pass(2_000);
  await video.play();
  for (let second = 0; second < 20; second += 1) {
    pass(1_000);
    socket().say({ type: 'clock', media_ms: 0, wall_ms: 0, server_ms: 0 });
  }
  assert.deepEqual([told(), socket().isClosed], ['playing', false]);
});

test('who plays again by the browser\'s own means after they were parted with is connected again', async (context) => {
  const pass = time(context);
  await plays();
  playback.pause();
  pass(20_000);
  assert.deepEqual([told(), socket().isClosed], ['paused', true]);
  // At the end of what is buffered, where nothing more is told.
  video.readyState = 2;
  await video.play();
  await settled();
  assert.deepEqual([told(), socket().isClosed], ['connecting', false]);
});

test('who pauses by the browser\'s own means has paused: they are parted with, and an encoder that is back does not start it', async (context) => {
  const pass = time(context);
  await plays();
  video.pause();
  await settled();
  assert.equal(told(), 'paused');
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  pass(3_000);
  socket().say(INFO);
  await settled();
  assert.deepEqual([told(), video.paused], ['paused', true]);
  for (let second = 0; second < 10; second += 1) {
    socket().say({ type: 'clock', media_ms: 0, wall_ms: 0, server_ms: 0 });
    pass(1_000);
  }
  assert.equal(socket().isClosed, true);
});

test('who pauses the last picture by the browser\'s own means, and plays again, sees the encoder that is back', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  pass(3_000);
  video.readyState = 2;
  for (const [act, then] of /** @type {const} */ ([['pause', 'paused'], ['play', 'playing']])) {
    await video[act]();
    await settled();
    assert.equal(told(), 'interrupted');
    socket().say(INFO);
    await settled();
    assert.equal(told(), then);
    socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
    pass(3_000);
    video.readyState = 2;
  }
});

test('who paused before it could not be connected again is connected when they play by the browser\'s own means', async (context) => {
  const pass = time(context);
  Object.assign(globalThis, { fetch: async () => Promise.reject(new TypeError('no network')) });
  await plays();
  socket().end();
  playback.pause();
  pass(1_000);
  socket().end();
  await settled();
  assert.deepEqual([told(), FakeSocket.all.length], ['paused', 2]);
  await video.play();
  await settled();
  assert.deepEqual([told(), FakeSocket.all.length], ['connecting', 3]);
});

test('what is paused since it is another source, or has ended, is not what somebody has paused', async () => {
  await plays();
  for (const state of [{ readyState: 0 }, { readyState: 2, ended: true }]) {
    Object.assign(video, { paused: true, ...state });
    video.dispatchEvent(new Event('pause'));
    assert.equal(told(), 'playing');
  }
});

test('who pauses and plays at once plays', async () => {
  await plays();
  video.pause();
  void video.play();
  await settled();
  assert.deepEqual([told(), video.paused], ['playing', false]);
  playback.pause();
  playback.play();
  await settled();
  assert.deepEqual([told(), video.paused], ['playing', false]);
  playback.play();
  playback.pause();
  await settled();
  assert.deepEqual([told(), video.paused], ['paused', true]);
});

test('where the browser gives no leave to play, that is said, and it is not taken for a pause', async (context) => {
  const pass = time(context);
  video.isAllowed = false;
  playback.start();
  socket().open();
  socket().say(INFO);
  await settled();
  assert.deepEqual([told(), video.muted], ['blocked', true]);
  for (let second = 0; second < 12; second += 1) {
    pass(1_000);
    socket().say({ type: 'clock', media_ms: 0, wall_ms: 0, server_ms: 0 });
  }
  assert.deepEqual([told(), socket().isClosed], ['blocked', false]);
  video.isAllowed = true;
  playback.play();
  await settled();
  assert.equal(told(), 'playing');
});

test('a picture that plays on after the end does not keep what is over from being told', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'stopped' });
  video.fill();
  await settled();
  pass(4_000);
  assert.equal(told(), 'offline');
});

test('an end that is told while what is buffered is shown is not taken back by what was told before it', async (context) => {
  const pass = time(context);
  await plays();
  socket().say({ type: 'stopped', waits_ms: WINDOW_MS });
  socket().say({ type: 'status', state: 'offline' });
  pass(4_000);
  assert.equal(told(), 'offline');
});

test('who plays by HLS and pauses at once while nothing is there yet has paused', async () => {
  const load = startByHls();
  playback.play();
  playback.pause();
  await settled();
  await load();
  assert.deepEqual([told(), video.paused], ['paused', true]);
});

test('who plays by HLS and pauses at once is told of the pause alone', async () => {
  const load = startByHls();
  await load();
  video.fill();
  await settled();
  assert.equal(told(), 'playing');
  playback.pause();
  await settled();
  states = [];
  playback.play();
  playback.pause();
  await settled();
  assert.deepEqual(states, ['paused']);
});
