// What the server sends live, given to a browser as it is: by HLS to hls.js, by WebSocket to Media Source Extensions.

import { createRequire } from 'node:module';
import type { Page } from '@playwright/test';
import { ALONE, expect, test } from '../support/fixtures.ts';

/** How long is watched; a longer look by hand: `WATCH_SECONDS=300`. */
const WATCH_MS = Number(process.env['WATCH_SECONDS'] ?? 10) * 1_000;
/** How long it may take to play that: the media clock of a browser on a busy machine is slow. */
const WITHIN_MS = 20_000 + 2 * WATCH_MS;
/** So long after it came to the server all is in the browser. */
const DELIVERED_WITHIN_S = 2;
const HLS_JS = createRequire(import.meta.url).resolve('hls.js/dist/hls.js');

// The player's scripts are the test's, not the page's.
test.use({ bypassCSP: true });
test.setTimeout(60_000 + WITHIN_MS);

/**
 * `stalls`: those with nothing left to play. A decoder that is not let run stalls as well, with all of it there.
 * `late_s`: how old the newest picture was each time that something was buffered. `newest_ms`: when that one came to the server.
 */
type Watched = { stalls: number; errors: string[]; latency_s: number; late_s: number[]; newest_ms: number };

async function playHls(page: Page, streamname: string): Promise<void> {
  await page.addScriptTag({ path: HLS_JS });
  await page.evaluate((url) => {
    const { Hls } = window as any;
    const video = Object.assign(document.createElement('video'), { muted: true, id: 'watched' });
    document.body.prepend(video);
    // As the player has it: nothing else would make up for a slow media clock.
    const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1, enableWorker: false });
    const watched: Watched = { stalls: 0, errors: [], latency_s: NaN, late_s: [], newest_ms: NaN };
    /** How much can be played on, without a gap. */
    const restS = (): number => {
      const { buffered, currentTime } = video;
      for (let at = 0; at < buffered.length; at++) {
        if (buffered.start(at) <= currentTime && currentTime <= buffered.end(at)) return buffered.end(at) - currentTime;
      }
      return 0;
    };
    const stalled = () => video.currentTime > 0 && restS() < 0.1 && watched.stalls++;
    video.addEventListener('waiting', stalled);
    video.addEventListener('timeupdate', () => (watched.latency_s = hls.latency));
    hls.on(Hls.Events.ERROR, (_: unknown, { details, fatal }: { details: string; fatal: boolean }) => {
      if (details === Hls.ErrorDetails.BUFFER_STALLED_ERROR && !fatal) stalled();
      else watched.errors.push(fatal ? `fatal ${details}` : details);
    });
    hls.on(Hls.Events.FRAG_BUFFERED, (_: unknown, { frag }: { frag: { programDateTime: number | null; start: number } }) => {
      if (frag.programDateTime === null || video.buffered.length === 0) return;
      watched.newest_ms = frag.programDateTime + (video.buffered.end(video.buffered.length - 1) - frag.start) * 1_000;
      watched.late_s.push((Date.now() - watched.newest_ms) / 1_000);
    });
    hls.loadSource(url);
    hls.attachMedia(video);
    void video.play();
    Object.assign(window, { watched });
  }, `/live/${streamname}/index.m3u8`);
}

const time = (page: Page) => page.locator('#watched').evaluate((video: HTMLVideoElement) => video.currentTime);
const watched = (page: Page) => page.evaluate(() => (window as unknown as { watched: Watched }).watched);

test('hls.js has low-latency HLS in time, and plays it without a stall', { tag: ALONE }, async ({ admin: page, api, push }) => {
  const stream = await api.createStream([]);
  const { url, streamname } = stream.ingest.rtmp;
  push(url, streamname);
  await expect.poll(async () => (await api.stream(stream.id)).state).toBe('live');
  await playHls(page, streamname);
  await expect.poll(() => time(page), { timeout: 20_000 }).toBeGreaterThan(1);
  const [began, from, { late_s: before }] = [Date.now(), await time(page), await watched(page)];
  await expect.poll(() => time(page), { timeout: WITHIN_MS }).toBeGreaterThan(from + WATCH_MS / 1_000);
  const [took, played, { stalls, errors, latency_s, late_s, newest_ms }] = [Date.now() - began, (await time(page)) - from, await watched(page)];
  // What has not come yet is late too.
  const late = Math.max(...late_s.slice(before.length), (Date.now() - newest_ms) / 1_000);
  const delivery = `latency ${latency_s.toFixed(2)} s, in the browser within ${late.toFixed(2)} s`;
  console.log(`hls.js: ${played.toFixed(1)} s played in ${(took / 1_000).toFixed(1)} s, ${delivery}, ${stalls} stalls, ${errors.join()}`);
  expect({ stalls, errors }).toEqual({ stalls: 0, errors: [] });
  // By when it was in the browser, not by what was shown of it when: that is the machine's.
  expect(late).toBeLessThan(DELIVERED_WITHIN_S);
});

test('an encoder that is soon back goes on in hls.js', async ({ admin: page, api, push, pushHeld }) => {
  const stream = await api.createStream([]);
  const { url, streamname } = stream.ingest.rtmp;
  const first = push(url, streamname);
  await expect.poll(async () => (await api.stream(stream.id)).state).toBe('live');
  await playHls(page, streamname);
  // Loaded beforehand: back within 4 s is soon, and the start of a program is none of them.
  const second = pushHeld(url, streamname);
  await expect.poll(() => time(page), { timeout: 20_000 }).toBeGreaterThan(3);
  await first.stop();
  second.release();
  const before = await time(page);
  await expect.poll(() => time(page), { timeout: 20_000, message: JSON.stringify(await watched(page)) }).toBeGreaterThan(before + 5);
  // It complains of the pause, in several ways; what came was good.
  expect((await watched(page)).errors.filter((error) => /fatal|parsing|append/i.test(error))).toEqual([]);
});

test('a fragment a frame plays by Media Source Extensions, soon after joining', { tag: ALONE }, async ({ admin: page, api, push }) => {
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
      const message = JSON.parse(data) as { type: string; mime: string; media_ms: number; wall_ms: number; server_ms: number };
      if (message.type === 'clock') {
        // What a picture's age is, by what the server says: docs/live.md.
        const { media_ms, wall_ms, server_ms } = message;
        const heardMs = performance.now();
        Object.assign(window, { ageMs: (atMs: number) => server_ms - wall_ms + (media_ms - atMs) + (performance.now() - heardMs) });
      }
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
  // Of the newest that there is, not of what is shown: a slow media clock falls behind, and nothing here catches up.
  const behindMs = await page.locator('#watched').evaluate((video: HTMLVideoElement) => {
    const { ageMs } = window as unknown as { ageMs: (atMs: number) => number };
    return ageMs(video.buffered.end(video.buffered.length - 1) * 1_000);
  });
  expect(behindMs).toBeLessThan(1_500);
});


test('frames that an encoder leaves out cost the viewer none of the others, and sound and picture stay together', { tag: ALONE }, async ({ admin: page, api, push }) => {
  const stream = await api.createStream([]);
  await page.goto(`/embed/${stream.id}`);
  await expect(page.locator('afterlive-player')).toHaveAttribute('data-state', 'offline');
  // Of each beep, which begins with a second: how far the picture was from that second.
  await page.locator('video').evaluate((video: HTMLVideoElement) => {
    const context = new AudioContext();
    const analyser = Object.assign(context.createAnalyser(), { fftSize: 512 });
    context.createMediaElementSource(video).connect(analyser).connect(context.destination);
    const samples = new Float32Array(analyser.fftSize);
    const apart: number[] = [];
    let [shown, quietSince] = [0, 0];
    const look = (_: number, { mediaTime }: VideoFrameCallbackMetadata): void => {
      shown = mediaTime;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      if (Math.max(...samples) < 0.1) return;
      if (performance.now() - quietSince > 300) apart.push(Math.abs(shown - Math.round(shown)));
      quietSince = performance.now();
    }, 10);
    Object.assign(window, { apart });
  });
  push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname, 'H.264 with frames left out, and AAC');
  const apart = () => page.evaluate(() => (window as unknown as { apart: number[] }).apart);
  const buffered = () =>
    page.locator('video').evaluate(({ buffered }: HTMLVideoElement) => Array.from({ length: buffered.length }, (_, at) => buffered.end(at) - buffered.start(at)));
  // What a browser drops for a hole is dropped until the next keyframe, and there is none.
  await expect.poll(async () => Math.max(...(await buffered()), 0), { timeout: 30_000 }).toBeGreaterThan(7);
  expect(await buffered()).toHaveLength(1);
  // An eighth of a second of sound is missing in each: what were not made up for would be half of one by the fourth.
  await expect.poll(async () => (await apart()).length, { timeout: 20_000 }).toBeGreaterThan(6);
  expect((await apart()).slice(3, 7).toSorted((a, b) => a - b)[1]).toBeLessThan(0.2);
});
