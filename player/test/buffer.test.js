// The buffer against Media Source Extensions of the test's own: order, coalescing, room, change of codec.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { MediaBuffer } from '../src/buffer.js';

class FakeSourceBuffer extends EventTarget {
  updating = false;
  /** @type {string[]} */
  log = [];
  /** @type {[number, number][]} */
  held = [[0, 60]];
  /** @type {Error | null} */
  refuses = null;
  get buffered() {
    return { length: this.held.length, start: (/** @type {number} */ i) => this.held[i]?.[0], end: (/** @type {number} */ i) => this.held[i]?.[1] };
  }
  /** @param {Uint8Array} bytes */
  appendBuffer(bytes) {
    if (this.refuses !== null) throw this.refuses;
    this.log.push(`append ${Array.from(bytes).join('')}`);
    this.updating = true;
  }
  /** @param {number} from @param {number} to */
  remove(from, to) {
    this.log.push(`remove ${from}-${to}`);
    this.updating = true;
  }
  /** @param {string} mime */
  changeType(mime) {
    this.log.push(`change ${mime}`);
  }
  done() {
    this.updating = false;
    this.dispatchEvent(new Event('updateend'));
  }
}

/** @type {FakeSourceBuffer} */
let sourceBuffer;
/** @type {FakeMediaSource} */
let source;
let sources = 0;

class FakeMediaSource extends EventTarget {
  static isTypeSupported() {
    return true;
  }
  readyState = 'closed';
  constructor() {
    super();
    source = this;
    sources += 1;
  }
  addSourceBuffer() {
    sourceBuffer = new FakeSourceBuffer();
    return sourceBuffer;
  }
}

/** @type {string[]} */
let failures = [];
let grown = 0;
/** @param {number} currentTime */
function buffer(currentTime = 0) {
  const video = { currentTime, src: '', disableRemotePlayback: false, removeAttribute: () => {}, load: () => {} };
  return new MediaBuffer(
    /** @type {HTMLVideoElement} */ (/** @type {unknown} */ (video)),
    (reason) => void failures.push(reason),
    () => void (grown += 1),
  );
}
const bytes = (/** @type {number[]} */ ...values) => new Uint8Array(values).buffer;
const open = () => {
  source.readyState = 'open';
  source.dispatchEvent(new Event('sourceopen'));
};

beforeEach(() => {
  failures = [];
  sources = grown = 0;
  Object.assign(globalThis, { MediaSource: FakeMediaSource });
  URL.createObjectURL = () => 'blob:test';
  URL.revokeObjectURL = () => {};
});

test('what comes before the source is open waits, and all of it keeps its order', () => {
  const media = buffer();
  media.start('video/mp4');
  media.append(bytes(1));
  media.append(bytes(2));
  open();
  media.append(bytes(3));
  media.append(bytes(4));
  assert.deepEqual(sourceBuffer.log, ['append 12']);
  sourceBuffer.done();
  assert.deepEqual(sourceBuffer.log, ['append 12', 'append 34'], 'what waits goes in one piece');
});

test('what was opened beforehand is filled at once, and once', () => {
  const media = buffer();
  media.prepare();
  open();
  media.start('video/mp4');
  media.append(bytes(1));
  assert.deepEqual(sourceBuffer.log, ['append 1']);
  assert.equal(grown, 0);
  sourceBuffer.done();
  assert.equal(grown, 1);
  media.prepare();
  assert.equal(sources, 1, 'what plays goes on');
  media.start('video/mp4');
  assert.equal(sources, 2, 'what follows begins with nothing');
  media.append(bytes(2));
  open();
  assert.deepEqual(sourceBuffer.log, ['append 2']);
});

test('where there is no room, what was seen makes some, once', () => {
  const media = buffer(40);
  media.start('video/mp4');
  open();
  sourceBuffer.refuses = new DOMException('full', 'QuotaExceededError');
  media.append(bytes(1));
  assert.deepEqual(sourceBuffer.log, ['remove 0-39']);
  sourceBuffer.refuses = null;
  sourceBuffer.done();
  assert.deepEqual(sourceBuffer.log, ['remove 0-39', 'append 1']);
  sourceBuffer.done();
  sourceBuffer.refuses = new DOMException('full', 'QuotaExceededError');
  media.append(bytes(2));
  sourceBuffer.done();
  assert.deepEqual(failures, ['The browser has no room for more.']);
});

test('another codec is joined on where nothing waits, and is a new beginning otherwise', () => {
  const media = buffer();
  media.start('a');
  assert.ok(media.change('a'));
  assert.ok(!media.change('b'), 'the source is not open yet');
  open();
  assert.ok(media.change('b'));
  assert.deepEqual(sourceBuffer.log, ['change b']);
  media.append(bytes(1));
  assert.ok(!media.change('c'));
});

test('seen media go when they are worth it, and nothing is done to a closed buffer', () => {
  const media = buffer(50);
  media.start('a');
  open();
  media.tidy();
  assert.deepEqual(sourceBuffer.log, ['remove 0-40']);
  media.close();
  media.append(bytes(1));
  sourceBuffer.done();
  assert.deepEqual([sourceBuffer.log.length, media.ranges, failures], [1, [], []]);
});

test('a fault of the browser is told once', () => {
  const media = buffer();
  media.start('a');
  open();
  sourceBuffer.dispatchEvent(new Event('error'));
  sourceBuffer.dispatchEvent(new Event('error'));
  assert.equal(failures.length, 1);
});
