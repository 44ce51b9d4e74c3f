// Where a live player stands: the controller by itself, and in a simulated stream.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEAST_TARGET_S, MOST_TARGET_S, afterCalm, afterStall, droppable, evictable, steer } from '../src/edge.js';

/** @param {Partial<import('../src/edge.js').Situation>} situation */
const steered = (situation) => steer({ positionS: 10, ranges: [[0, 10.25]], targetS: 0.25, rate: 1, settling: false, hasPlayed: true, ...situation });

test('who is where they should be is left alone', () => {
  assert.deepEqual(steered({}), { rate: 1, seekToS: null });
  assert.deepEqual(steered({ ranges: [] }), { rate: 1, seekToS: null });
  assert.deepEqual(steered({ ranges: [[0, 10.38]] }), { rate: 1, seekToS: null }, 'a little more is no reason');
});

test('who is a little behind is sped up, by at most a tenth, until it is caught up with', () => {
  const behind = steered({ ranges: [[0, 11]] });
  assert.equal(behind.seekToS, null);
  assert.ok(behind.rate > 1.02 && behind.rate <= 1.1, String(behind.rate));
  assert.equal(steered({ ranges: [[0, 13]] }).rate, 1.1);
  assert.ok(steered({ ranges: [[0, 10.35]], rate: 1.05 }).rate > 1, 'what has begun goes on below where it begins');
  assert.equal(steered({ ranges: [[0, 10.26]], rate: 1.05 }).rate, 1);
});

test('who is far behind is taken to the edge', () => {
  assert.deepEqual(steered({ ranges: [[0, 20]] }), { rate: 1, seekToS: 19.75 });
  assert.deepEqual(steered({ ranges: [[0, 10.8]], settling: true }), { rate: 1, seekToS: 10.55 }, 'at once in the beginning');
  assert.equal(steered({ ranges: [[0, 10.8]] }).seekToS, null);
});

test('who has next to nothing ahead is slowed down until there is some', () => {
  assert.ok(steered({ ranges: [[0, 10.05]] }).rate < 1);
  assert.ok(steered({ ranges: [[0, 10.15]], rate: 0.96 }).rate < 1);
  assert.equal(steered({ ranges: [[0, 10.21]], rate: 0.96 }).rate, 1);
});

test('a gap is crossed once what is before it has been played', () => {
  assert.equal(steered({ ranges: [[0, 10.5], [12, 12.3]], positionS: 10 }).seekToS, null);
  assert.equal(steered({ ranges: [[0, 10.02], [12, 12.3]], positionS: 10 }).seekToS, 12.05);
  assert.equal(steered({ ranges: [[30, 30.1]], positionS: 0 }).seekToS, 30, 'media time need not begin at nought');
});

test('a position beyond all there is comes back', () => {
  assert.equal(steered({ positionS: 40, hasPlayed: false }).seekToS, 10);
});

test('sound that goes on while the picture is late is not played twice', () => {
  assert.deepEqual(steered({ positionS: 10.6 }), { rate: 1, seekToS: null });
});

test('a stall keeps more ahead, calm less again, within limits', () => {
  let target = LEAST_TARGET_S;
  for (let stalls = 0; stalls < 20; stalls += 1) target = afterStall(target);
  assert.equal(target, MOST_TARGET_S);
  assert.equal(afterCalm(target, 19), target);
  for (let times = 0; times < 20; times += 1) target = afterCalm(target, 21);
  assert.equal(target, LEAST_TARGET_S);
});

test('in a stream that comes in waves it settles, and does not swing', () => {
  // Frames arrive every 40 ms, and every 5 s they are held up for 150 ms; the viewer begins 2 s behind.
  let [positionS, rate, targetS] = [8, 1, 0.25];
  let jumps = 0;
  /** @type {number[]} */
  const ahead = [];
  for (let nowMs = 10_000; nowMs < 70_000; nowMs += 100) {
    const heldUp = nowMs % 5_000 < 150;
    const endS = (Math.floor(nowMs / 40) * 40 - (heldUp ? nowMs % 5_000 : 0)) / 1000;
    const next = steer({ positionS, ranges: [[0, endS]], targetS, rate, settling: nowMs < 12_000, hasPlayed: true });
    if (next.seekToS !== null) {
      positionS = next.seekToS;
      jumps += 1;
    }
    rate = next.rate;
    positionS += Math.min(0.1 * rate, Math.max(0, endS - positionS));
    if (nowMs > 15_000) ahead.push(endS - positionS);
  }
  assert.equal(jumps, 1);
  assert.ok(Math.max(...ahead) < 0.6, String(Math.max(...ahead)));
  assert.ok(ahead.filter((s) => s <= 0).length === 0, 'it never runs dry');
});

test('what was seen long ago goes, in pieces worth the trouble', () => {
  assert.equal(evictable([], 10, null), null);
  assert.equal(evictable([[0, 31]], 30, null), null);
  assert.deepEqual(evictable([[0, 32]], 31, null), [0, 21]);
});

test('nothing goes that is begun with at a keyframe which is still needed', () => {
  // Browsers drop up to the next keyframe, and where there is none yet all that there is.
  assert.equal(evictable([[0, 100]], 99, [0]), null);
  assert.equal(evictable([[0, 100]], 99, [0, 15, 95]), null);
  assert.deepEqual(evictable([[0, 100]], 99, [0, 15, 50, 95]), [0, 49.99]);
  assert.deepEqual(droppable([[0, 100]], 99, [0, 15, 50, 95]), [0, 94.99]);
  assert.equal(droppable([[50, 100]], 99, [50]), null);
});
