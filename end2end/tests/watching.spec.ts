// A recording is watched from its start while it is still recorded.

import { createStream, live, recording } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

test('a recording plays and seeks while it grows, and goes on playing when it is finished', async ({ admin: page, push }) => {
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey);
  const name = `${ingest.streamKey}.mp4`;
  const row = recording(page, name);
  await expect(row.getByRole('link', { name })).toBeVisible();
  await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(8_000);

  await row.getByLabel(`Details of ${name}`).click();
  await expect(row.getByText('It is being recorded.')).toBeVisible();
  const video = row.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(4.5);
  const duration = await video.evaluate((video: HTMLVideoElement) => video.duration);
  await video.evaluate((video: HTMLVideoElement) => {
    video.muted = true;
    return video.play();
  });
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.currentTime)).toBeGreaterThan(0.5);
  const seek = async (to: number) => {
    await video.evaluate((video: HTMLVideoElement, to) => void (video.currentTime = to), to);
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => !video.seeking && video.readyState >= 2)).toBe(true);
  };
  await seek(3.5);

  await test.step('its URL, opened elsewhere, has what there is by then', async () => {
    const url = await row.getByRole('link', { name }).getAttribute('href');
    const other = await page.context().newPage();
    await other.goto(url ?? '');
    await expect.poll(() => other.locator('video').evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThanOrEqual(duration);
    await other.close();
  });

  await encoder.stop();
  await expect(row.getByText('ready', { exact: true })).toBeVisible();
  await expect(row.locator('summary img')).toBeVisible();
  await test.step('who watches is not disturbed', async () => {
    await seek(0.2);
    await seek(duration - 0.5);
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.ended)).toBe(true);
    expect(await video.evaluate((video: HTMLVideoElement) => [video.duration, video.error])).toEqual([duration, null]);
  });

  await test.step('the page opened anew has all of it', async () => {
    await page.reload();
    await live(page);
    await row.getByLabel(`Details of ${name}`).click();
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(duration);
  });
});
