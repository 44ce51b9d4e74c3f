// A recording is watched from its start while it is still recorded.

import type { Locator, Page } from '@playwright/test';
import { createStream, live, recording } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

const duration = (video: Locator): Promise<number> => video.evaluate((video: HTMLVideoElement) => video.duration);
const position = (video: Locator): Promise<number> => video.evaluate((video: HTMLVideoElement) => video.currentTime);
const play = (video: Locator): Promise<void> =>
  video.evaluate((video: HTMLVideoElement) => {
    video.muted = true;
    return video.play();
  });
const seek = async (video: Locator, to: number): Promise<void> => {
  await video.evaluate((video: HTMLVideoElement, to) => void (video.currentTime = to), to);
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => !video.seeking && video.readyState >= 2)).toBe(true);
};

test.afterEach(async ({ api }) => api.setReconnectWindow(null));

test('the player follows a recording that grows, and has all of it once it is finished, without a reload', async ({ admin: page, api, push }) => {
  test.setTimeout(90_000);
  await api.setReconnectWindow(60);
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey);
  const name = `${ingest.streamKey}.mp4`;
  const row = recording(page, name);
  await expect(row.getByRole('link', { name })).toBeVisible();
  await row.getByLabel(`Details of ${name}`).click();
  await expect(row.getByText('It is being recorded.')).toBeVisible();
  await expect(row.getByText('Still being recorded. The player follows it')).toBeVisible();
  await expect(row.locator('summary img'), 'the stream as it looks').toHaveAttribute('src', /^\/live\//);

  const video = row.locator('video');
  let first = 0;
  // Between two sources there is none.
  await expect.poll(async () => (first = await duration(video))).toBeGreaterThan(0);
  // It plays since the row was opened.
  await video.evaluate((video: HTMLVideoElement) => void (video.muted = true));
  await test.step('beyond the end of what there was when it was opened', async () => {
    await expect.poll(() => position(video), { timeout: 20_000 }).toBeGreaterThan(first + 3);
    expect(encoder.hasEnded).toBe(false);
  });
  await test.step('its URL, opened elsewhere, has what there is by then', async () => {
    const url = await row.getByRole('link', { name }).getAttribute('href');
    const other = await page.context().newPage();
    await other.goto(url ?? '');
    await expect.poll(() => duration(other.locator('video'))).toBeGreaterThan(first + 2);
    await other.close();
  });

  await test.step('who has paused is left where they are, with all of it to go to', async () => {
    // At once, and not while the player goes from one source to the next: only between them is there no picture.
    const pauseAt = (video: HTMLVideoElement, at: number): boolean => {
      if (video.readyState < 2) return false;
      video.pause();
      video.currentTime = at;
      return true;
    };
    await expect.poll(() => video.evaluate(pauseAt, 1.5)).toBe(true);
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => !video.seeking && video.readyState >= 2)).toBe(true);
    await encoder.stop();
    await expect(row.getByText('ready', { exact: true })).toBeVisible();
    await expect.poll(() => duration(video)).toBeGreaterThan(encoder.sentMs / 1_000 - 0.5);
    await expect.poll(() => position(video)).toBe(1.5);
    expect(await video.evaluate((video: HTMLVideoElement) => [video.paused, video.error])).toEqual([true, null]);
    await expect(row.getByText('Still being recorded.')).toBeHidden();
    const all = await duration(video);
    await seek(video, all * 0.9);
    expect(await position(video)).toBeCloseTo(all * 0.9, 1);
  });

  await test.step('who watched to the end sees what an encoder that comes back adds', async () => {
    const all = await duration(video);
    await play(video);
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.ended)).toBe(true);
    const again = push(ingest.server, ingest.streamKey);
    await expect.poll(() => position(video), { timeout: 20_000 }).toBeGreaterThan(all + 1);
    await again.stop();
    await expect(row.getByText('ready', { exact: true })).toBeVisible();
    await expect.poll(() => duration(video)).toBeGreaterThan(all + again.sentMs / 1_000 - 0.5);
    const both = await duration(video);
    // In one go: it plays already, and who begins to play at the end begins anew.
    await video.evaluate((video: HTMLVideoElement, to) => {
      video.currentTime = to;
      return video.play();
    }, both - 0.3);
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => [video.ended, video.error])).toEqual([true, null]);
  });
});

test('the preview on the stream\'s page is one player while the figures beside it change, and stays paused', async ({ admin: page, push }) => {
  test.setTimeout(90_000);
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey);
  const card = page.getByRole('region', { name: 'Live now' });
  await card.getByRole('button', { name: 'Watch here' }).click();
  const player = card.locator('afterlive-player');
  await expect(player).toHaveAttribute('data-state', 'playing', { timeout: 20_000 });
  await player.evaluate((player) => player.setAttribute('data-seen', 'before'));
  const received = card.locator('dt', { hasText: 'Received' }).locator('+ dd');
  const changes = async (): Promise<void> => expect(received).not.toHaveText((await received.textContent()) ?? '');
  await changes();
  await changes();
  await expect(player).toHaveAttribute('data-seen', 'before');
  await player.locator('video').click();
  await expect(player).toHaveAttribute('data-state', 'paused');
  await changes();
  await expect(player).toHaveAttribute('data-state', 'paused');
  await encoder.stop();
});

test('what an encoder that comes back adds is there for who watched live meanwhile, on the playout page and in a frame', async ({ admin: page, api, push }) => {
  test.setTimeout(90_000);
  await api.setReconnectWindow(60);
  const stream = await api.createStream([]);
  const { url, streamname } = stream.ingest.rtmp;
  const framed = await page.context().newPage();
  const pages = [page, framed];
  // The playout page has players in its table too.
  const player = (page: Page, what: 'live' | 'src'): Locator => page.locator(`:is(.stage, main) > afterlive-player[${what}*="/${streamname}"]`);
  const length = async () => ((await api.stream(stream.id)).playout.web.find(({ type }) => type === 'vod')?.duration_ms ?? 0) / 1_000;
  const publish = async () => {
    const encoder = push(url, streamname);
    for (const page of pages) await expect(player(page, 'live')).toBeVisible();
    await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(4_000);
    await encoder.stop();
    for (const page of pages) await expect(player(page, 'src')).toBeVisible();
  };
  await page.goto(`/playout/${stream.id}`);
  await live(page);
  await framed.goto(`/embed/${stream.id}`);

  await publish();
  const first = await length();
  for (const page of pages) await expect.poll(() => duration(player(page, 'src').locator('video'))).toBeCloseTo(first, 1);
  await publish();
  const whole = await length();
  expect(whole).toBeGreaterThan(first + 3);
  for (const page of pages) {
    const video = player(page, 'src').locator('video');
    await expect.poll(() => duration(video)).toBeCloseTo(whole, 1);
    await seek(video, whole - 1);
    expect(await position(video)).toBeCloseTo(whole - 1, 1);
  }
});

test('the playout page plays what is live, on demand from its start, and interrupts nobody who watches a recording', async ({ admin: page, push }) => {
  test.setTimeout(90_000);
  const ingest = await createStream(page);
  const name = (index: number) => `${ingest.streamKey}${index === 1 ? '' : `-${index}`}.mp4`;
  const stage = page.getByRole('region', { name: 'Player' });
  const video = stage.locator('video');
  await page.goto(`/playout/${ingest.id}`);
  await live(page);
  await expect(stage).toContainText('There is no recording to play yet.');

  const watchFromStart = stage.getByRole('button', { name: 'Watch it from its start' });
  const isLive = stage.locator('afterlive-player[live]');
  await test.step('the first one from its start, and as a whole once it has ended', async () => {
    const encoder = push(ingest.server, ingest.streamKey);
    await expect(isLive).toBeVisible();
    await watchFromStart.click();
    await expect(isLive).toBeHidden();
    await expect(stage).toContainText(`Recorded just now, from its start: ${name(1)}`);
    await expect.poll(() => position(video), 'it begins by itself').toBeGreaterThan(0.2);
    const first = await duration(video);
    await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan((first + 2) * 1_000);
    await encoder.stop();
    await expect(stage).toContainText(`Newest recording: ${name(1)}`);
    await expect.poll(() => duration(video)).toBeGreaterThan(first + 1.5);
    // To its end.
    await seek(video, (await duration(video)) - 0.1);
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.ended)).toBe(true);
  });

  await test.step('what is live instead, where nobody watches', async () => {
    const encoder = push(ingest.server, ingest.streamKey);
    await expect(isLive).toBeVisible();
    await watchFromStart.click();
    await expect(stage).toContainText(`Recorded just now, from its start: ${name(2)}`);
    await expect.poll(() => position(video)).toBeGreaterThan(0.2);
    await stage.getByRole('button', { name: 'Watch live' }).click();
    await expect(isLive).toBeVisible();
    await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(4_000);
    await encoder.stop();
    await expect(stage).toContainText(`Newest recording: ${name(2)}`);
    await expect(video, 'nobody has asked for this one').toHaveJSProperty('paused', true);
  });

  await test.step('but not to who watches', async () => {
    await expect.poll(() => duration(video)).toBeGreaterThan(3.5);
    await play(video);
    await expect.poll(() => position(video)).toBeGreaterThan(0.2);
    await video.evaluate((video: HTMLVideoElement) => video.pause());
    const encoder = push(ingest.server, ingest.streamKey);
    const offer = stage.getByRole('button', { name: 'A newer recording is in progress' });
    await expect(offer).toBeVisible();
    await expect(stage.getByRole('button', { name: 'Watch live' })).toBeVisible();
    await expect(stage).toContainText(`An earlier recording: ${name(2)}`);
    await expect(video).toHaveAttribute('src', new RegExp(`/${name(2)}(\\?|$)`));
    await offer.click();
    await expect(stage).toContainText(`Recorded just now, from its start: ${name(3)}`);
    await expect.poll(() => duration(video)).toBeGreaterThan(0);
    await expect(offer).toBeHidden();
    await encoder.stop();
    await expect(stage).toContainText(`Newest recording: ${name(3)}`);
  });
});
