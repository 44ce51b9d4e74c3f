// What the server sends live, given to a browser as it is: by HLS to hls.js, by WebSocket to Media Source Extensions.

import { createRequire } from 'node:module';
import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures.ts';

/** How long is watched; a longer look by hand: `WATCH_SECONDS=300`. */
const WATCH_MS = Number(process.env['WATCH_SECONDS'] ?? 10) * 1_000;
const HLS_JS = createRequire(import.meta.url).resolve('hls.js/dist/hls.js');

// The player's scripts are the test's, not the page's.
test.use({ bypassCSP: true });
test.setTimeout(60_000 + WATCH_MS);

type Watched = { stalls: number; errors: string[]; latency_s: number };

async function playHls(page: Page, streamname: string): Promise<void> {
  await page.addScriptTag({ path: HLS_JS });
  await page.evaluate((url) => {
    const { Hls } = window as any;
    const video = Object.assign(document.createElement('video'), { muted: true, id: 'watched' });
    document.body.prepend(video);
    // As the player has it: the media clock of a browser on a busy machine is slow, and nothing else would make up for that.
    const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1, enableWorker: false });
    const watched: Watched = { stalls: 0, errors: [], latency_s: NaN };
    video.addEventListener('waiting', () => video.currentTime > 0 && watched.stalls++);
    video.addEventListener('timeupdate', () => (watched.latency_s = hls.latency));
    hls.on(Hls.Events.ERROR, (_: unknown, { details, fatal }: { details: string; fatal: boolean }) =>
      watched.errors.push(fatal ? `fatal ${details}` : details),
    );
    hls.loadSource(url);
    hls.attachMedia(video);
    void video.play();
    Object.assign(window, { watched });
  }, `/live/${streamname}/index.m3u8`);
}

const time = (page: Page) => page.locator('#watched').evaluate((video: HTMLVideoElement) => video.currentTime);
const watched = (page: Page) => page.evaluate(() => (window as unknown as { watched: Watched }).watched);

test('hls.js plays low-latency HLS without a stall, close to the edge', async ({ admin: page, api, push }) => {
  const stream = await api.createStream([]);
  const { url, streamname } = stream.ingest.rtmp;
  push(url, streamname);
  await expect.poll(async () => (await api.stream(stream.id)).state).toBe('live');
  await playHls(page, streamname);
  await expect.poll(() => time(page), { timeout: 20_000 }).toBeGreaterThan(1);
  const [began, from] = [Date.now(), await time(page)];
  await page.waitForTimeout(WATCH_MS);
  const played = (await time(page)) - from;
  const { stalls, errors, latency_s } = await watched(page);
  console.log(`hls.js: ${played.toFixed(1)} s played, latency ${latency_s.toFixed(2)} s, ${stalls} stalls, ${errors.join()}`);
  expect({ stalls, errors }).toEqual({ stalls: 0, errors: [] });
  expect(Math.abs(played - (Date.now() - began) / 1_000)).toBeLessThan(1.5);
  expect(latency_s).toBeLessThan(3);
});

test('an encoder that is soon back goes on in hls.js', async ({ admin: page, api, push }) => {
  const stream = await api.createStream([]);
  const { url, streamname } = stream.ingest.rtmp;
  const first = push(url, streamname);
  await expect.poll(async () => (await api.stream(stream.id)).state).toBe('live');
  await playHls(page, streamname);
  await expect.poll(() => time(page), { timeout: 20_000 }).toBeGreaterThan(3);
  await first.stop();
  const before = await time(page);
  push(url, streamname);
  await expect.poll(() => time(page), { timeout: 20_000, message: JSON.stringify(await watched(page)) }).toBeGreaterThan(before + 5);
  // It complains of the pause, in several ways; what came was good.
  expect((await watched(page)).errors.filter((error) => /fatal|parsing|append/i.test(error))).toEqual([]);
});

test('a fragment a frame plays by Media Source Extensions, soon after joining', async ({ admin: page, api, push }) => {
  const stream = await api.createStream([]);
  const { url, streamname } = stream.ingest.rtmp;
  const encoder = push(url, streamname);
  await expect.poll(async () => (await api.stream(stream.id)).state).toBe('live');
  await expect.poll(() => encoder.sentMs).toBeGreaterThan(2_000);
  const joined = await page.evaluate(async (path) => {
    const video = Object.assign(document.createElement('video'), { muted: true, id: 'watched' });
    document.body.prepend(video);
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    await new Promise((open) => source.addEventListener('sourceopen', open, { once: true }));
    const began = performance.now();
    const socket = new WebSocket(location.origin.replace('http', 'ws') + path);
    socket.binaryType = 'arraybuffer';
    const waiting: ArrayBuffer[] = [];
    let buffer: SourceBuffer | undefined;
    const next = () => {
      const bytes = waiting[0];
      if (buffer === undefined || buffer.updating || bytes === undefined) return;
      waiting.shift();
      buffer.appendBuffer(bytes);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') {
        waiting.push(data as ArrayBuffer);
        return next();
      }
      const message = JSON.parse(data) as { type: string; mime: string };
      if (message.type !== 'info') return;
      buffer = source.addSourceBuffer(message.mime);
      buffer.addEventListener('updateend', next);
    };
    const shown = new Promise<number>((resolve) => video.requestVideoFrameCallback(() => resolve(performance.now() - began)));
    await new Promise((ready) => video.addEventListener('progress', () => video.buffered.length > 0 && ready(undefined)));
    // Media time does not begin at 0. From the newest on, as a player of live does.
    video.currentTime = Math.max(video.buffered.start(0), video.buffered.end(0) - 0.1);
    void video.play();
    return shown;
  }, `/live/${streamname}/ws`);
  console.log(`first picture ${joined.toFixed(0)} ms after joining`);
  const before = await time(page);
  await expect.poll(() => time(page)).toBeGreaterThan(before + 2);
  const behind = await page.locator('#watched').evaluate((video: HTMLVideoElement) => video.buffered.end(0) - video.currentTime);
  expect(behind).toBeLessThan(1.5);
});

