// What encoders send beside H.264 and AAC.

import { createStream, live, recording } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

test('a recording in AV1 and Opus plays with picture and sound, and seeks', async ({ admin: page, push }) => {
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey, 'AV1 and Opus');
  const facts = page.getByRole('region', { name: 'Live now' });
  await expect(facts.getByText(/^AV1 · 640 × 360/)).toBeVisible({ timeout: 20_000 });
  await expect(facts.getByText('Opus · 48,000 Hz · mono')).toBeVisible();
  await expect.poll(() => encoder.sentMs, { timeout: 30_000 }).toBeGreaterThan(4_000);
  await encoder.stop();
  const name = `${ingest.streamKey}.mp4`;
  const row = recording(page, name);
  await expect(row.getByText('ready', { exact: true })).toBeVisible();
  await row.getByLabel(`Details of ${name}`).click();
  const video = row.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(3.5);
  await video.evaluate((video: HTMLVideoElement) => {
    video.muted = true;
    return video.play();
  });
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.currentTime)).toBeGreaterThan(0.5);
  // Chromium counts what it has decoded of each track.
  const decoded = await video.evaluate((video) => {
    const { webkitAudioDecodedByteCount: audio, webkitVideoDecodedByteCount: picture } = video as unknown as Record<string, number>;
    return { audio, picture };
  });
  expect(decoded.audio).toBeGreaterThan(0);
  expect(decoded.picture).toBeGreaterThan(0);
  await video.evaluate((video: HTMLVideoElement) => {
    video.pause();
    video.currentTime = 2.5;
  });
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => !video.seeking && video.readyState >= 2)).toBe(true);
  const seen = await video.evaluate((video: HTMLVideoElement) => [video.currentTime, video.videoWidth, video.videoHeight]);
  expect(seen).toEqual([2.5, 640, 360]);
});

test('a stream in HEVC says that not every browser plays it', async ({ admin: page, push }) => {
  const ingest = await createStream(page, { liveOnly: true });
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey, 'HEVC and AAC');
  const facts = page.getByRole('region', { name: 'Live now' });
  await expect(facts.getByText('HEVC does not play in Firefox, nor in Chromium on most computers.')).toBeVisible({ timeout: 20_000 });
  await test.step('what is good is read across the card, on its own ground', async () => {
    const help = facts.locator('details', { hasText: 'What is good, and what to do' });
    await help.locator('summary').click();
    const { share, ground } = await help.evaluate((details) => ({
      share: (details.querySelector('dd')?.clientWidth ?? 0) / details.clientWidth,
      ground: getComputedStyle(details).backgroundColor,
    }));
    expect(share).toBeGreaterThan(0.7);
    expect(ground).toBe('rgba(0, 0, 0, 0)');
  });
  await encoder.stop();
});

test('a frame says so on black, and not on the picture of an earlier recording', async ({ admin: page, recorded, push }) => {
  await page.goto(`/embed/${recorded.id}`);
  const video = page.locator('video');
  const picture = () => video.evaluate((video: HTMLVideoElement) => [video.poster, video.videoWidth]);
  await expect.poll(picture).toEqual([expect.stringMatching(/./), 640]);
  const encoder = push(recorded.ingest.rtmp.url.replace(/rec$/, 'live'), recorded.ingest.rtmp.streamname, 'HEVC and AAC');
  await expect(page.getByText('This browser cannot play HEVC (H.265)').first()).toBeVisible({ timeout: 20_000 });
  expect(await picture()).toEqual(['', 0]);
  await encoder.stop();
  await expect(page.locator('afterlive-player')).toHaveAttribute('data-state', 'idle');
});
