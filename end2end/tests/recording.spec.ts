// What the product exists for: a stream pushed to /rec becomes an MP4 that plays in the dashboard.

import type { Page } from '@playwright/test';
import type { Api } from '../support/api.ts';
import { copyRow, createStream, live, recording, recordings, signIn } from '../support/pages.ts';
import { ALONE, expect, test } from '../support/fixtures.ts';

/** From the moment that the encoder is gone. */
const READY_WITHIN_MS = 1_000;

/** By what the server says; a page gathers what it hears, asks, and draws. */
async function isReadySoon(api: Api, id: string, name: string): Promise<void> {
  const state = async () => (await api.stream(id)).playout.web.find((entry) => entry.type === 'vod' && entry.url.endsWith(`/${name}`))?.state;
  await expect.poll(state, { timeout: READY_WITHIN_MS, intervals: [20] }).toBe('ready');
}

/** Fails if the page is ever loaded anew. */
async function watchForReloads(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(() => Object.assign(window, { untouched: true }));
  return async () => expect(await page.evaluate(() => 'untouched' in window), 'the page was not reloaded').toBe(true);
}

test('a push to /rec shows in the open page by itself, ready within a second of its end, and plays and seeks', { tag: ALONE }, async ({ admin: page, api, push }) => {
  const ingest = await createStream(page, { tags: 'title:Sunday service, hall-2' });
  expect(ingest.server).toMatch(/\/rec$/);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const expectNoReload = await watchForReloads(page);
  await expect(recordings(page).getByText('Nothing is recorded yet.')).toBeVisible();

  const encoder = push(ingest.server, ingest.streamKey);
  const name = `${ingest.streamKey}.mp4`;
  const row = recording(page, name);
  await expect(row.getByText('recording', { exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 }).getByText('live', { exact: true })).toBeVisible();
  await test.step('the row grows', async () => {
    // From 2 s on, however long it took to be looked at.
    await expect(row.getByRole('cell', { name: /^(?!0:00:0[01]$)\d+:\d\d:\d\d$/ })).toBeVisible();
  });
  await expect.poll(() => encoder.sentMs).toBeGreaterThan(5_000);
  await encoder.stop();
  const ended = Date.now();
  await isReadySoon(api, ingest.id, name);
  test.info().annotations.push({ type: 'ready after', description: `${Date.now() - ended} ms` });
  await expect(row.getByText('ready', { exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 }).getByText('ended', { exact: true })).toBeVisible();

  await test.step('the poster follows', async () => {
    await expect(row.locator('summary img')).toBeVisible();
  });

  await test.step('the row opens to a player that plays and seeks', async () => {
    await row.getByLabel(`Details of ${name}`).click();
    const video = row.locator('video');
    await expect(video).toBeVisible();
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(4.5);
    await video.evaluate((video: HTMLVideoElement) => {
      video.muted = true;
      return video.play();
    });
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.currentTime)).toBeGreaterThan(0.5);
    await video.evaluate((video: HTMLVideoElement) => {
      video.pause();
      video.currentTime = 3.5;
    });
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => !video.seeking && video.readyState >= 2)).toBe(true);
    const seen = await video.evaluate((video: HTMLVideoElement) => [video.currentTime, video.videoWidth, video.videoHeight]);
    expect(seen).toEqual([3.5, 640, 360]);
  });

  await test.step('a second recording gets the next name and stands on top; the player stays', async () => {
    const second = push(ingest.server, ingest.streamKey);
    const secondName = `${ingest.streamKey}-2.mp4`;
    const secondRow = recording(page, secondName);
    await expect(secondRow.getByText('recording', { exact: true })).toBeVisible();
    await expect.poll(() => second.sentMs).toBeGreaterThan(2_000);
    await second.stop();
    await isReadySoon(api, ingest.id, secondName);
    await expect(secondRow.getByText('ready', { exact: true })).toBeVisible();
    await expect(recordings(page).locator('tbody').first()).toContainText(secondName);
    await expect(row.locator('video')).toBeVisible();
    expect(await row.locator('video').evaluate((video: HTMLVideoElement) => video.currentTime)).toBe(3.5);
  });
  await expectNoReload();
});

test('the thumbnail of a recording plays it in its row, and pauses it there', async ({ admin: page, recorded }) => {
  await page.goto(`/stream/${recorded.id}`);
  await live(page);
  const name = `${recorded.ingest.rtmp.streamname}.mp4`;
  const row = recording(page, name);
  const video = row.locator('video');
  // However long it is looked at.
  await video.evaluate((video: HTMLVideoElement) => void (video.loop = true));
  const thumbnail = row.getByLabel(`Play and details of ${name}`);
  await thumbnail.click();
  await expect(video).toBeVisible();
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.currentTime)).toBeGreaterThan(0.3);
  await thumbnail.click();
  await expect(video).toBeHidden();
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.paused), 'nobody hears what nobody sees').toBe(true);
  await thumbnail.press('Enter');
  await expect(video).toBeVisible();
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.paused)).toBe(false);
});

test('a push to /live is shown while it lasts and leaves no recording', async ({ admin: page, push }) => {
  const ingest = await createStream(page, { liveOnly: true });
  expect(ingest.server).toMatch(/\/live$/);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey);
  const state = page.getByRole('heading', { level: 1 });
  await expect(state.getByText('live', { exact: true })).toBeVisible();
  await expect.poll(() => encoder.sentMs).toBeGreaterThan(2_000);
  await encoder.stop();
  await expect(state.getByText('ended', { exact: true })).toBeVisible();
  await expect(recordings(page).getByText('Nothing is recorded yet.')).toBeVisible();
});

test('a second encoder is refused with the reason, and the first goes on', async ({ admin: page, push }) => {
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const first = push(ingest.server, ingest.streamKey);
  await expect(recording(page, `${ingest.streamKey}.mp4`).getByText('recording', { exact: true })).toBeVisible();
  const second = push(ingest.server, ingest.streamKey);
  await second.untilEnded();
  expect(second.log).toMatch(/already live/i);
  expect(first.hasEnded).toBe(false);
  await expect(recordings(page).locator('tbody')).toHaveCount(1);
});

test('Stop & Lock cuts the encoder off and refuses it until the stream is unlocked', async ({ admin: page, push }) => {
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const cut = push(ingest.server, ingest.streamKey);
  await expect.poll(() => cut.sentMs).toBeGreaterThan(2_000);
  await page.getByText('Stop & Lock', { exact: true }).click();
  await expect(page.getByText('The encoder that sends now is cut off')).toBeVisible();
  await page.getByRole('button', { name: 'Stop and lock the stream' }).click();
  await expect(page.getByText('Stopped and locked.')).toBeVisible();
  await cut.untilEnded();
  await expect(recording(page, `${ingest.streamKey}.mp4`).getByText('ready', { exact: true })).toBeVisible();

  const refused = push(ingest.server, ingest.streamKey);
  await refused.untilEnded();
  expect(refused.log).toMatch(/locked/i);

  await page.getByRole('button', { name: 'Unlock' }).click();
  await expect(page.getByText('Unlocked.')).toBeVisible();
  push(ingest.server, ingest.streamKey);
  await expect(recording(page, `${ingest.streamKey}-2.mp4`).getByText('recording', { exact: true })).toBeVisible();
});

test.describe('copying', () => {
  test('the URL of a recording is in the clipboard, and the button says so to eye and screen reader', async ({ admin: page, context, recorded }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.goto(`/stream/${recorded.id}`);
    await live(page);
    const name = `${recorded.ingest.rtmp.streamname}.mp4`;
    const button = recording(page, name).getByRole('button', { name: `Copy the URL of ${name}` });
    await button.click();
    // Both at once, as neither says so for long.
    const spoken = page.getByRole('status').filter({ hasText: 'Copied' });
    await Promise.all([expect(button).toHaveText('Copied'), expect(spoken).toBeAttached()]);
    const url = await page.evaluate(() => navigator.clipboard.readText());
    expect(url).toBe(recorded.playout.web.find((entry) => entry.type === 'vod')?.url);
    const answer = await fetch(url, { headers: { Range: 'bytes=0-11' } });
    expect(answer.status).toBe(206);
    expect(Buffer.from(await answer.arrayBuffer()).toString('latin1', 4, 8)).toBe('ftyp');
  });

  test('works over plain http from another machine, where browsers have no clipboard to offer', async ({ page, server, recorded }) => {
    const origin = server.url.replace('localhost', 'afterlive.test');
    await signIn(page, origin);
    await expect(page).toHaveURL(`${origin}/`);
    await page.goto(`${origin}/stream/${recorded.id}`);
    await live(page);
    expect(await page.evaluate(() => window.isSecureContext)).toBe(false);
    await copyRow(page, 'Stream ID').getByRole('button').click();
    await expect(copyRow(page, 'Stream ID').getByRole('button')).toHaveText('Copied');
    // Read back as a person does: by pasting.
    await page.goto(`${origin}/stream`);
    const search = page.getByRole('searchbox', { name: 'Search' });
    await search.focus();
    await page.keyboard.press('ControlOrMeta+V');
    await expect(search).toHaveValue(recorded.id);
  });
});
