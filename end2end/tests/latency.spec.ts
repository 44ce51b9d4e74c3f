// From glass to glass: a clock is burnt into the picture when it is made, and read where it is shown.

import { ages, median } from '../support/clock.ts';
import { expect, test } from '../support/fixtures.ts';

/** Measured on an idle machine it is half of this. */
const LIVE_MS = 500;
const HLS_MS = 3_000;

test('live by WebSocket is seen within half a second, and the player says so', async ({ admin: page, api, pushClock }) => {
  test.setTimeout(150_000);
  const stream = await api.createStream(['title:Clock']);
  await page.goto(`/embed/${stream.id}?muted=1`);
  const encoder = pushClock(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
  const player = page.locator('afterlive-player');
  await expect(player).toHaveAttribute('data-state', 'playing');
  // What is needed to settle at the edge.
  await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(6_000);
  // A machine that is busy with other things makes it stall, and then it comes nearer again by and by.
  await expect.poll(async () => median(await ages(page.locator('video'), 60)), { timeout: 90_000 }).toBeLessThan(LIVE_MS);
  const seen = await ages(page.locator('video'), 60);
  const [middle, shown] = [median(seen), await player.getByRole('button', { name: /^Live/ }).innerText()];
  test.info().annotations.push({ type: 'latency', description: `${middle} ms at the median, the player says ${shown}` });
  expect(Math.abs(Number(/\d+\.\d/.exec(shown)?.[0]) * 1_000 - middle)).toBeLessThan(300);

  await test.step('who joins later sees a picture at once', async () => {
    const second = await page.context().newPage();
    await second.goto(`/embed/${stream.id}?muted=1`);
    const took = await second.evaluate(async () => {
      const video = document.querySelector('video');
      while (video !== null && video.readyState < 2) await new Promise((resolve) => requestAnimationFrame(resolve));
      return performance.now();
    });
    test.info().annotations.push({ type: 'first picture', description: `${Math.round(took)} ms after navigation` });
    expect(took).toBeLessThan(2_000);
    await second.close();
  });
  await encoder.stop();
});

test('by low-latency HLS, where there are no WebSockets, it is seen within three seconds', async ({ admin: page, api, pushClock }) => {
  test.setTimeout(150_000);
  const stream = await api.createStream(['title:Clock']);
  await page.addInitScript(() => void Reflect.deleteProperty(globalThis, 'WebSocket'));
  const encoder = pushClock(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
  await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(4_000);
  await page.goto(`/embed/${stream.id}?muted=1`);
  const player = page.locator('afterlive-player');
  await expect(player).toHaveAttribute('data-state', 'playing', { timeout: 20_000 });
  await page.keyboard.press('i');
  await expect(player.getByText('HLS by hls.js')).toBeVisible();
  await expect.poll(async () => median(await ages(page.locator('video'), 60)), { timeout: 90_000 }).toBeLessThan(HLS_MS);
  test.info().annotations.push({ type: 'latency', description: `${median(await ages(page.locator('video'), 60))} ms at the median` });
  await encoder.stop();
});
