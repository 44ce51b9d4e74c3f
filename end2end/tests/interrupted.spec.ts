// An encoder whose connection breaks, as its viewers and its operator see it; and one that says good-bye.

import type { Locator, Page } from '@playwright/test';
import { createStream, live } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { look } from '../support/looks.ts';

const stage = (page: Page): Locator => page.getByRole('region', { name: 'Player' });
const embedded = (page: Page): Locator => page.locator('main > afterlive-player');
const position = (player: Locator): Promise<number> => player.locator('video').evaluate((video: HTMLVideoElement) => video.currentTime);

async function plays(player: Locator): Promise<void> {
  await expect(player).toHaveAttribute('data-state', 'playing', { timeout: 20_000 });
  const before = await position(player);
  await expect.poll(() => position(player)).not.toBe(before);
}

test.afterEach(async ({ api }) => api.setReconnectWindow(null));

test('viewers wait for an encoder that was cut off, and go on with it; one that says good-bye leaves its recording at once', async ({ admin: page, api, push }) => {
  // Two pages in four looks, on a machine that may be building beside.
  test.setTimeout(240_000);
  await api.setReconnectWindow(300);
  const ingest = await createStream(page);
  const [framed, operator] = [await page.context().newPage(), await page.context().newPage()];
  await page.goto(`/playout/${ingest.id}`);
  await live(page);
  await framed.goto(`/embed/${ingest.id}`);
  await operator.goto(`/stream/${ingest.id}`);
  await live(operator);
  const isLive = stage(page).locator('afterlive-player[live]');

  const encoder = push(ingest.server, ingest.streamKey);
  for (const player of [isLive, embedded(framed)]) await plays(player);
  await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(3_000);
  // Had the page another player afterwards, the picture would be gone.
  await isLive.evaluate((player) => Object.assign(player, { isTheSame: true }));
  encoder.kill();
  await test.step('the last picture stays, and the page says what is waited for', async () => {
    for (const player of [isLive, embedded(framed)]) {
      await expect(player).toHaveAttribute('data-state', 'interrupted');
      await expect(player.getByText('Waiting for the encoder…').first()).toBeVisible();
    }
    for (const shown of [page, operator]) {
      await expect(shown.getByText(/Waits \d+ s more for the encoder\./)).toBeVisible();
      await expect(shown.getByRole('heading', { level: 1 }).getByText('interrupted')).toBeVisible();
    }
    await expect(stage(page).getByRole('button', { name: 'Play the newest recording' })).toBeVisible();
    await look(page, 'interrupted-playout');
    await look(operator, 'interrupted-stream');
    const late = await page.context().newPage();
    await late.goto(`/embed/${ingest.id}`);
    await expect(embedded(late), 'for who comes now too').toHaveAttribute('data-state', 'interrupted');
    await late.close();
  });

  const again = push(ingest.server, ingest.streamKey);
  for (const player of [isLive, embedded(framed)]) await plays(player);
  expect(await isLive.evaluate((player) => 'isTheSame' in player)).toBe(true);
  for (const shown of [page, operator]) await expect(shown.getByText('The signal is interrupted.')).toBeHidden();
  await expect.poll(() => again.sentMs, { timeout: 20_000 }).toBeGreaterThan(3_000);
  await again.stop();
  await expect(stage(page)).toContainText(`Newest recording: ${ingest.streamKey}.mp4`);
  await expect(embedded(framed)).toHaveAttribute('src', new RegExp(`/${ingest.streamKey}\\.mp4`), { timeout: 20_000 });
  await expect(operator.getByRole('heading', { level: 1 }).getByText('ended')).toBeVisible();
  expect((await api.stream(ingest.id)).playout.web.filter(({ type }) => type === 'vod'), 'one recording of both').toHaveLength(1);
});

test('the recording is offered while the encoder is waited for', async ({ admin: page, api, push }) => {
  test.setTimeout(90_000);
  // For longer than the steps take.
  await api.setReconnectWindow(300);
  const ingest = await createStream(page);
  await page.goto(`/playout/${ingest.id}`);
  await live(page);
  const encoder = push(ingest.server, ingest.streamKey);
  const isLive = stage(page).locator('afterlive-player[live]');
  await plays(isLive);
  await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(3_000);
  encoder.kill();
  await expect(isLive).toHaveAttribute('data-state', 'interrupted');
  await stage(page).getByRole('button', { name: 'Play the newest recording' }).click();
  await expect(stage(page)).toContainText(`Newest recording: ${ingest.streamKey}.mp4`);
  await stage(page).getByRole('button', { name: 'Wait for the encoder' }).click();
  await expect(isLive).toHaveAttribute('data-state', 'interrupted');
});

test('the recording is shown where the encoder stays away', async ({ admin: page, api, push }) => {
  test.setTimeout(90_000);
  await api.setReconnectWindow(10);
  const ingest = await createStream(page);
  const framed = await page.context().newPage();
  await page.goto(`/playout/${ingest.id}`);
  await live(page);
  await framed.goto(`/embed/${ingest.id}`);
  const encoder = push(ingest.server, ingest.streamKey);
  const isLive = stage(page).locator('afterlive-player[live]');
  for (const player of [isLive, embedded(framed)]) await plays(player);
  await expect.poll(() => encoder.sentMs, { timeout: 20_000 }).toBeGreaterThan(3_000);
  // Too short a while to look for it.
  for (const shown of [page, framed]) {
    await shown.evaluate(() => {
      const seen: string[] = [];
      Object.assign(globalThis, { seen });
      document.addEventListener('afterlive-state', (event) => seen.push((event as CustomEvent).detail.name));
    });
  }
  encoder.kill();

  await expect(stage(page)).toContainText(`Newest recording: ${ingest.streamKey}.mp4`, { timeout: 30_000 });
  await expect(isLive).toBeHidden();
  await expect(page.getByRole('heading', { level: 1 }).getByText('ended')).toBeVisible();
  await expect(embedded(framed)).toHaveAttribute('src', new RegExp(`/${ingest.streamKey}\\.mp4`), { timeout: 30_000 });
  for (const shown of [page, framed]) {
    expect(await shown.evaluate(() => (globalThis as unknown as { seen: string[] }).seen)).toContain('interrupted');
  }
});
