// The live socket against a WebSocket of the test's own, in simulated time.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { LiveSocket } from '../src/socket.js';

class FakeSocket extends EventTarget {
  /** @type {FakeSocket[]} */
  static all = [];
  binaryType = '';
  isClosed = false;
  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }
  close() {
    this.isClosed = true;
  }
  open() {
    this.dispatchEvent(new Event('open'));
  }
  /** @param {unknown} data */
  say(data) {
    const event = new Event('message');
    Object.assign(event, { data: data instanceof ArrayBuffer ? data : JSON.stringify(data) });
    this.dispatchEvent(event);
  }
  end(code = 1006, reason = '') {
    const event = new Event('close');
    Object.assign(event, { code, reason });
    this.dispatchEvent(event);
  }
}

/** @type {string[]} */
let heard = [];
const newest = () => /** @type {FakeSocket} */ (FakeSocket.all.at(-1));
const socket = () =>
  new LiveSocket('ws://h/live/a/ws', {
    message: ({ type }) => void heard.push(type),
    media: (bytes) => void heard.push(`${bytes.byteLength} bytes`),
    lost: (waitMs) => void heard.push(`lost ${waitMs}`),
    refused: (reason) => void heard.push(`refused ${reason}`),
    unreachable: () => void heard.push('unreachable'),
  });

beforeEach(() => {
  heard = [];
  FakeSocket.all = [];
  Object.assign(globalThis, { WebSocket: FakeSocket });
  Math.random = () => 0.5;
});

test('text and media are told apart, and what is no message is passed over', () => {
  socket().open();
  newest().open();
  newest().say({ type: 'info', state: 'live', mime: '' });
  newest().say(new ArrayBuffer(7));
  newest().dispatchEvent(Object.assign(new Event('message'), { data: 'no JSON' }));
  assert.deepEqual(heard, ['info', '7 bytes']);
});

test('a lost connection is made again with growing waits, until it has settled', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const live = socket();
  live.open();
  newest().open();
  newest().end();
  context.mock.timers.tick(500);
  newest().open();
  newest().end();
  context.mock.timers.tick(999);
  assert.equal(FakeSocket.all.length, 2);
  context.mock.timers.tick(1);
  assert.equal(FakeSocket.all.length, 3);
  newest().open();
  live.settle();
  newest().end();
  assert.deepEqual(heard, ['lost 500', 'lost 1000', 'lost 500']);
});

test('a connection that cannot be made again may have been refused meanwhile, which is asked by other means', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const live = socket();
  live.open();
  assert.equal(live.hasOpened, false);
  newest().open();
  newest().end();
  context.mock.timers.tick(500);
  newest().end();
  context.mock.timers.tick(60_000);
  assert.deepEqual(heard, ['lost 500', 'unreachable']);
  assert.deepEqual([live.hasOpened, FakeSocket.all.length, live.retry()], [true, 2, 1_000]);
  context.mock.timers.tick(1_000);
  assert.equal(FakeSocket.all.length, 3);
});

test('a refusal is final, and says why', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  socket().open();
  newest().open();
  newest().end(1008, 'The token has expired.');
  context.mock.timers.tick(60_000);
  assert.deepEqual(heard, ['refused The token has expired.']);
  assert.equal(FakeSocket.all.length, 1);
});

test('a refusal in mid-stream is final, and says why', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  socket().open();
  newest().open();
  newest().say({ type: 'info', state: 'live', mime: '' });
  newest().say({ type: 'status', state: 'refused', reason: 'the token was revoked' });
  newest().end(1008, 'you may not watch this any more');
  context.mock.timers.tick(60_000);
  assert.deepEqual(heard, ['info', 'refused the token was revoked']);
  assert.equal(FakeSocket.all.length, 1);
});

test('what never opened is not tried again by itself', () => {
  socket().open();
  newest().end();
  assert.deepEqual(heard, ['unreachable']);
});

test('silence while live is a loss; while offline it is not', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  socket().open();
  newest().open();
  newest().say({ type: 'status', state: 'offline' });
  context.mock.timers.tick(60_000);
  assert.deepEqual(heard, ['status']);
  newest().say({ type: 'info', state: 'live', mime: '' });
  context.mock.timers.tick(7_999);
  newest().say(new ArrayBuffer(1));
  context.mock.timers.tick(7_999);
  assert.equal(heard.at(-1), '1 bytes');
  context.mock.timers.tick(1);
  assert.equal(heard.at(-1), 'lost 500');
  assert.ok(FakeSocket.all[0]?.isClosed);
});

test('a closed socket is heard no more', () => {
  const live = socket();
  live.open();
  const first = newest();
  live.close();
  first.open();
  first.say({ type: 'stopped' });
  first.end();
  assert.deepEqual(heard, []);
});
