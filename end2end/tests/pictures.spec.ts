// Pictures: of what is live, and for finding a place in a recording.

import { createStream, live, recording } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

/** Resolves once the picture is there and has been decoded. */
const isDrawn = (image: HTMLImageElement): boolean => image.complete && image.naturalWidth > 0;

test('a live stream is seen on its page by a picture of some seconds ago, which goes when it ends', async ({ admin: page, push }) => {
  const ingest = await createStream(page, { liveOnly: true });
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey);
  const still = page.getByRole('img', { name: 'The stream as it looked some seconds ago' });
  await expect(still).toBeVisible();
  await expect.poll(() => still.evaluate(isDrawn)).toBe(true);
  expect(await still.evaluate((image: HTMLImageElement) => [image.naturalWidth, image.naturalHeight])).toEqual([640, 360]);
  const first = await still.getAttribute('src');
  await test.step('the next one replaces it', async () => {
    await expect(still).not.toHaveAttribute('src', first ?? '', { timeout: 20_000 });
    await expect.poll(() => still.evaluate(isDrawn)).toBe(true);
  });
  const url = new URL(`/live/${ingest.streamKey}/thumbnail.jpg`, page.url());
  expect((await page.request.get(url.href)).headers()['content-type']).toBe('image/jpeg');
  expect((await fetch(url)).status, 'for everybody where live is public').toBe(200);
  await encoder.stop();
  await expect(still).toBeHidden();
});

test('below the player a bar shows what is to be seen where, by pointer and by keys, and goes there', async ({ admin: page, api, recorded }) => {
  await expect
    .poll(async () => (await api.stream(recorded.id)).playout.web.some((entry) => entry.storyboard), { timeout: 30_000 })
    .toBe(true);
  await page.goto(`/stream/${recorded.id}`);
  await live(page);
  const name = `${recorded.ingest.rtmp.streamname}.mp4`;
  const row = recording(page, name);
  await row.getByLabel(`Details of ${name}`).click();
  const video = row.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.readyState)).toBeGreaterThan(0);
  const bar = row.getByRole('slider', { name: `Find a place in ${name}` });
  const tile = row.locator('.scrubber-tile');
  await expect(tile).toBeHidden();

  const box = await bar.boundingBox();
  if (box === null) throw new Error('the bar is not on the page');
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2);
  await expect(tile, 'as in the bar').toHaveText(/^0:0\d$/);
  await expect(tile.locator('svg')).toBeVisible();
  const [shown, sprite] = await tile.locator('svg').evaluate((svg) => [svg.getAttribute('viewBox'), svg.querySelector('image')?.getAttribute('href')]);
  expect(shown).toMatch(/^\d+ 0 160 90$/);
  await expect.poll(() => page.evaluate((url) => performance.getEntriesByName(url).length, sprite ?? '')).toBeGreaterThan(0);

  await page.mouse.click(box.x + box.width * 0.75, box.y + box.height / 2);
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.currentTime)).toBeGreaterThan(2);
  await page.mouse.move(0, 0);
  await bar.focus();
  const before = await video.evaluate((video: HTMLVideoElement) => video.currentTime);
  await bar.press('ArrowLeft');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.currentTime)).toBeLessThan(before);
  await expect(tile.locator('svg')).toBeVisible();
  await bar.blur();
  await expect(tile).toBeHidden();
});
