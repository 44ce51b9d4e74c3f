// Who clicks the last picture while an encoder that was cut off is waited for: against the stand-in for the server.

import { test as base, expect } from '@playwright/test';
import { StandIn } from '../support/live-stand-in.ts';

const test = base.extend<{ standIn: StandIn }>({
  standIn: async ({}, use) => {
    const standIn = await StandIn.start();
    await use(standIn);
    await standIn.stop();
  },
});

test('a click on the last picture is a pause: the encoder\'s first picture comes by itself, and the next click plays', async ({ page, standIn }) => {
  test.setTimeout(90_000);
  const player = page.locator('afterlive-player');
  const video = page.locator('video');
  const plays = async () => {
    await expect(player).toHaveAttribute('data-state', 'playing', { timeout: 20_000 });
    expect(await video.evaluate(({ paused }: HTMLVideoElement) => paused)).toBe(false);
  };
  await page.goto(standIn.url);
  standIn.goLive();
  await plays();
  const asked = standIn.asked;
  standIn.stopPublish(60_000);
  await expect(player).toHaveAttribute('data-state', 'interrupted');
  await video.click();
  await expect(player.getByRole('button', { name: 'Play' })).toBeVisible();
  await expect(player, 'it is still waited for').toHaveAttribute('data-state', 'interrupted');

  standIn.goLive();
  await expect(player).toHaveAttribute('data-state', 'paused', { timeout: 20_000 });
  expect(standIn.asked, 'by the same socket').toBe(asked);
  await expect(player.getByText('Waiting for the encoder…').first()).toBeHidden();
  await expect.poll(() => video.evaluate(({ readyState }: HTMLVideoElement) => readyState), 'there is a picture').toBeGreaterThanOrEqual(2);
  expect(await video.evaluate(({ paused }: HTMLVideoElement) => paused)).toBe(true);
  await video.click();
  await plays();
});

test('who clicked it, where the encoder stays away, sees the next publish start by itself', async ({ page, standIn }) => {
  test.setTimeout(90_000);
  const player = page.locator('afterlive-player');
  await page.goto(standIn.url);
  standIn.goLive();
  await expect(player).toHaveAttribute('data-state', 'playing', { timeout: 20_000 });
  standIn.stopPublish(15_000);
  await expect(player).toHaveAttribute('data-state', 'interrupted');
  await page.locator('video').click();
  await expect(player).toHaveAttribute('data-state', 'offline', { timeout: 30_000 });
  await expect(player.getByText('It starts here by itself.').first()).toBeVisible();
  standIn.goLive();
  await expect(player).toHaveAttribute('data-state', 'playing', { timeout: 20_000 });
});
