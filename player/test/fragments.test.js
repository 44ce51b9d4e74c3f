// What is read of init segments and fragments, made here box by box.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInit, keyframeS, videoTrack } from '../src/fragments.js';

/** @param {number} value */
const u32 = (value) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
/** @param {string} text */
const ascii = (text) => [...text].map((letter) => letter.charCodeAt(0));
/** @param {string} name @param {...number[]} parts */
const box = (name, ...parts) => {
  const body = parts.flat();
  return [...u32(body.length + 8), ...ascii(name), ...body];
};
/** @param {string} name @param {number} version @param {number} flags @param {...number[]} parts */
const full = (name, version, flags, ...parts) => box(name, u32(version * 2 ** 24 + flags), ...parts);

/** @param {number} id @param {number} timescale @param {string} handler */
const trak = (id, timescale, handler) =>
  box(
    'trak',
    full('tkhd', 0, 3, u32(0), u32(0), u32(id), u32(0)),
    box('mdia', full('mdhd', 1, 0, u32(0), u32(0), u32(0), u32(0), u32(timescale), u32(0), u32(0)), full('hdlr', 0, 0, u32(0), ascii(handler), u32(0))),
  );
/** @param {number[][]} traks */
const init = (...traks) => new Uint8Array([...box('ftyp', ascii('isom')), ...box('moov', box('mvhd', u32(0)), ...traks)]);

const SYNC = 0x2000000;
const NON_SYNC = 0x1010000;
/** @param {number} id @param {number[]} tfdt @param {number[]} trun @param {number[]} tfhd */
const fragment = (id, tfdt, trun, tfhd = full('tfhd', 0, 0x20000, u32(id))) =>
  new Uint8Array([...box('moof', full('mfhd', 0, 0, u32(1)), box('traf', tfhd, tfdt, trun)), ...box('mdat', [1, 2, 3])]);
const at = full('tfdt', 1, 0, u32(0), u32(180_000));

test('the track with pictures is found, wherever it stands', () => {
  assert.deepEqual(videoTrack(init(trak(1, 48_000, 'soun'), trak(2, 90_000, 'vide'))), { id: 2, timescale: 90_000 });
  assert.equal(videoTrack(init(trak(1, 48_000, 'soun'))), null);
  assert.equal(isInit(init()), true);
  assert.equal(isInit(new Uint8Array(3)), false);
});

test('a keyframe is told by the flags of its sample, of its run or of its fragment', () => {
  const track = { id: 2, timescale: 90_000 };
  const each = (/** @type {number} */ flags) => full('trun', 0, 0x701, u32(1), u32(100), u32(3_000), u32(3), u32(flags));
  assert.equal(keyframeS(fragment(2, at, each(SYNC)), track), 2);
  assert.equal(keyframeS(fragment(2, at, each(NON_SYNC)), track), null);
  assert.equal(keyframeS(fragment(2, full('tfdt', 0, 0, u32(90_000)), full('trun', 0, 0x4, u32(1), u32(SYNC))), track), 1);
  const tfhd = (/** @type {number} */ flags) => full('tfhd', 0, 0x38, u32(2), u32(3_000), u32(3), u32(flags));
  assert.equal(keyframeS(fragment(2, at, full('trun', 0, 0, u32(1)), tfhd(SYNC)), track), 2);
  assert.equal(keyframeS(fragment(2, at, full('trun', 0, 0, u32(1)), tfhd(NON_SYNC)), track), null);
});

test('sound is no keyframe, nor is what cannot be read', () => {
  const track = { id: 2, timescale: 90_000 };
  assert.equal(keyframeS(fragment(1, at, full('trun', 0, 0x4, u32(1), u32(SYNC))), track), null);
  assert.equal(keyframeS(new Uint8Array([0, 0, 0, 1, 109, 111, 111, 102]), track), null);
  assert.equal(keyframeS(new Uint8Array(), track), null);
});
