// An encoder that changes the size of its picture in mid-stream: one recording, whose file has a sample description for each.

import { writeFileSync } from 'node:fs';
import { createStream, live, recording } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { flvOfSizes } from '../support/flv.ts';

const SECONDS_EACH = 3;

/** A picture that the browser has shown. */
type Shown = { timeS: number; width: number; height: number };

test('a recording whose resolution changes plays over the changes, with pictures of each size', async ({ admin: page, pushFile }, info) => {
  const file = info.outputPath('sizes.flv');
  writeFileSync(file, flvOfSizes(['640x360', '320x180', '640x360'], SECONDS_EACH));
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  const encoder = pushFile(ingest.server, ingest.streamKey, file);
  await live(page);
  await encoder.untilEnded();
  expect(encoder.log).toBe('');
  const name = `${ingest.streamKey}.mp4`;
  const row = recording(page, name);
  await expect(row.getByText('ready', { exact: true })).toBeVisible();
  await row.getByLabel(`Details of ${name}`).click();
  const video = row.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(3 * SECONDS_EACH - 0.2);

  const shown = await video.evaluate(async (video: HTMLVideoElement): Promise<Shown[]> => {
    const shown: Shown[] = [];
    const note: VideoFrameRequestCallback = (_, { mediaTime, width, height }) => {
      shown.push({ timeS: mediaTime, width, height });
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
    video.muted = true;
    // It plays since the row was opened.
    video.currentTime = 0;
    const over = new Promise((resolve, reject) => {
      video.addEventListener('ended', resolve);
      video.addEventListener('error', () => reject(new Error(video.error?.message ?? 'unknown')));
    });
    await video.play();
    await over;
    return shown;
  });
  const end = await video.evaluate((video: HTMLVideoElement) => ({ error: video.error, timeS: video.currentTime, width: video.videoWidth }));
  expect(end).toEqual({ error: null, timeS: expect.closeTo(3 * SECONDS_EACH, 0), width: 640 });
  // Frames that a busy machine leaves out are of no account; which size there is at which time is.
  for (const [part, width] of [640, 320, 640].entries()) {
    const from = part * SECONDS_EACH;
    const seen = shown.filter(({ timeS }) => timeS > from + 0.2 && timeS < from + SECONDS_EACH - 0.2);
    expect(seen.length, `pictures from ${from} s on`).toBeGreaterThan(5);
    expect(new Set(seen.map(({ width, height }) => `${width}x${height}`)), `from ${from} s on`).toEqual(new Set([`${width}x${(width * 9) / 16}`]));
  }

  // To where the smaller picture is, and back over the change.
  for (const [timeS, size] of [[4.5, [320, 180]], [1.5, [640, 360]]] as const) {
    await video.evaluate((video: HTMLVideoElement, timeS) => {
      video.pause();
      video.currentTime = timeS;
    }, timeS);
    const sought = () => video.evaluate((video: HTMLVideoElement) => (!video.seeking && video.readyState >= 2 ? [video.videoWidth, video.videoHeight] : []));
    await expect.poll(sought, `at ${timeS} s`).toEqual(size);
  }
});
