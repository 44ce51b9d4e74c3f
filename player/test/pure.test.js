// The small pure parts: clock, codecs, storyboard, states, waits, URLs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockText, latencyMs, seconds } from '../src/clock.js';
import { codecName, codecsOf, unplayable } from '../src/codecs.js';
import { bitrate } from '../src/rate.js';
import { same, words } from '../src/states.js';
import { tileAt, tiles } from '../src/storyboard.js';
import { playlistUrl, reasonOf, socketUrl, withToken } from '../src/urls.js';
import { waitMs } from '../src/waits.js';

test('latency is measured by the server\'s clock, whatever the browser\'s says', () => {
  // The frame of 5 s arrived at 100,000, and 40 ms later the server said so.
  const clock = { media_ms: 5_000, wall_ms: 100_000, server_ms: 100_040 };
  assert.equal(latencyMs(clock, 7, 7, 5_000), 40);
  assert.equal(latencyMs(clock, 7, 1_007, 5_600), 440);
  assert.equal(latencyMs(clock, 7, 7, 9_000), 0, 'never less than nothing');
});

test('times are written as people read them', () => {
  assert.deepEqual([seconds(40), seconds(449), seconds(9_960), seconds(61_000)], ['0.0 s', '0.4 s', '10 s', '61 s']);
  assert.deepEqual([clockText(0), clockText(62.9), clockText(3_723), clockText(NaN)], ['0:00', '1:02', '1:02:03', '0:00']);
});

test('bitrates are written as the pages around write them', () => {
  assert.deepEqual([bitrate(0), bitrate(128_000), bitrate(999_000), bitrate(2_500_000)], ['0 kbit/s', '128 kbit/s', '999 kbit/s', '2.50 Mbit/s']);
});

test('codecs are named, and only those that do not play', () => {
  const mime = 'video/mp4; codecs="hvc1.1.6.L93.B0, mp4a.40.2"';
  assert.deepEqual(codecsOf(mime), ['hvc1.1.6.L93.B0', 'mp4a.40.2']);
  assert.deepEqual(unplayable(mime, () => true), []);
  assert.deepEqual(unplayable(mime, (asked) => !asked.includes('hvc1')), ['HEVC (H.265)']);
  assert.deepEqual(unplayable(mime, () => false), ['HEVC (H.265)', 'AAC']);
  assert.deepEqual(['avc1.64001f', 'av01.0.04M.08', 'opus', 'vp09.00.10.08', 'xyz'].map(codecName), ['H.264', 'AV1', 'Opus', 'VP9', 'xyz']);
});

test('a storyboard\'s tiles stand beside the file, under the same token', () => {
  const text = 'WEBVTT\n\n00:00:00.000 --> 00:00:02.000\na.jpg#xywh=0,0,160,90\n\n01:00:02.500 --> 01:00:04.000\na.jpg#xywh=160,0,160,90\n';
  const read = tiles(text, 'http://vod/8sKpm/thumbnails/a.vtt?token=t');
  assert.equal(read.length, 2);
  assert.deepEqual(read[1], { fromMs: 3_602_500, image: 'http://vod/8sKpm/thumbnails/a.jpg?token=t', x: 160, y: 0, width: 160, height: 90 });
  assert.equal(tileAt(read, 3_602_499)?.x, 0);
  assert.equal(tileAt(read, 3_602_500)?.x, 160);
  assert.equal(tileAt([], 1), undefined);
});

test('what is no storyboard has no tiles', () => {
  const others = ['', 'WEBVTT', '<!DOCTYPE html>', 'x --> y\na.jpg#xywh=0,0,1,1', '00:00:00.000 --> 00:00:02.000\na.jpg', '00:00:00.000 --> ', '00:00:00.000 --> 00:00:02.000\na.jpg#xywh=0,0,1,x'];
  for (const text of others) assert.deepEqual(tiles(text, 'http://vod/a.vtt'), [], text);
});

test('every state has words, and those that need the viewer are written over the picture', () => {
  assert.equal(words({ name: 'offline' }, true).title, 'Waits for the stream');
  assert.deepEqual(words({ name: 'interrupted' }, true).title, 'The signal is interrupted');
  assert.match(words({ name: 'unsupported', codecs: ['HEVC (H.265)'] }, true).title, /cannot play HEVC/);
  assert.equal(words({ name: 'refused', reason: 'The token has expired.' }, true).detail, 'The token has expired.');
  assert.match(words({ name: 'reconnecting', waitMs: 4_100 }, true).detail, /in 4 s/);
  for (const name of /** @type {const} */ (['idle', 'offline', 'interrupted', 'connecting', 'playing', 'blocked', 'paused', 'stalled', 'reconnecting', 'unsupported', 'refused', 'ended', 'failed'])) {
    assert.notEqual(words({ name }, false).title, '');
    assert.equal(words({ name }, true).covers, !['idle', 'playing', 'paused', 'ended'].includes(name), name);
  }
  assert.ok(same({ name: 'refused', reason: 'a' }, { name: 'refused', reason: 'a' }) && !same({ name: 'refused' }, { name: 'failed' }));
});

test('waits grow, differ, and have an end', () => {
  const at = (/** @type {number} */ attempt) => waitMs(attempt, () => 0.5);
  assert.deepEqual([at(0), at(1), at(2), at(5), at(500)], [500, 1_000, 2_000, 15_000, 15_000]);
  assert.deepEqual([waitMs(1, () => 0), waitMs(1, () => 1)], [750, 1_250]);
});

test('URLs carry the token, and a socket has its own scheme', () => {
  assert.equal(socketUrl('/live/a-b', null, 'http://h:3000/embed/x?y=1'), 'ws://h:3000/live/a-b/ws');
  assert.equal(socketUrl('/live/a-b', 'a+b', 'https://h/'), 'wss://h/live/a-b/ws?token=a%2Bb');
  assert.equal(playlistUrl('/live/a-b', 't', 'https://h/x/'), 'https://h/live/a-b/index.m3u8?token=t');
  assert.equal(withToken('/a?b=1', 't'), '/a?b=1&token=t');
});

test('a refusal\'s reason is read from what the server says', async () => {
  const json = (/** @type {unknown} */ body) => new Response(JSON.stringify(body), { status: 403, headers: { 'content-type': 'application/json' } });
  assert.equal(await reasonOf(json({ error: { message: 'The token has expired.' } })), 'The token has expired.');
  assert.equal(await reasonOf(json({})), 'The server refuses it.');
  assert.equal(await reasonOf(new Response('no', { status: 403, headers: { 'content-type': 'text/plain' } })), 'no');
  assert.match(await reasonOf(new Response('', { status: 401 })), /token/);
});
