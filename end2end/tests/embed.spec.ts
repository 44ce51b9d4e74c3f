// The player for frames in other people's pages.

import { AxeBuilder } from '@axe-core/playwright';
import type { FrameLocator, Locator, Page } from '@playwright/test';
import { expect, test } from '../support/fixtures.ts';
import { Outside } from '../support/outside.ts';

const SCREENS = new URL('../test-results/screens/', import.meta.url).pathname;

const player = (within: Page | FrameLocator): Locator => within.locator('afterlive-player');
const position = (video: Locator): Promise<number> => video.evaluate((video: HTMLVideoElement) => video.currentTime);

async function advances(video: Locator): Promise<void> {
  const before = await position(video);
  await expect.poll(() => position(video)).toBeGreaterThan(before + 0.5);
}

async function setDomains(page: Page, domains: string): Promise<void> {
  await page.goto('/organisation');
  await page.getByLabel('Sites that may show the player').fill(domains);
  await page.getByRole('region', { name: 'Embedding' }).getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
}

/** Counts how often the page asks what there is to see before it shows a recording again. It asks on then, for a newer one: a slow test would count that too. */
async function countQuestions(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { fetch } = globalThis;
    const player = document.querySelector('afterlive-player');
    if (player === null) throw new Error('no player');
    let asked = 0;
    globalThis.fetch = (...what) => {
      if (/\/facts/.test(String(what[0]))) asked += 1;
      return fetch(...what);
    };
    const shown = new MutationObserver(() => {
      if (!player.hasAttribute('src')) return;
      shown.disconnect();
      Object.assign(globalThis, { questions: asked });
    });
    shown.observe(player, { attributeFilter: ['src'] });
  });
}

test('waits, goes live by itself, then shows the recording, and goes live again', async ({ admin: page, api, push }) => {
  test.setTimeout(90_000);
  const stream = await api.createStream(['title:Evening concert']);
  await page.goto(`/embed/${stream.id}`);
  await expect(page).toHaveTitle('Evening concert');
  await expect(player(page).getByText('Waits for the stream').first()).toBeVisible();
  const video = page.locator('video');

  const encoder = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
  await expect(player(page)).toHaveAttribute('data-state', 'playing');
  await advances(video);
  await expect.poll(() => encoder.sentMs).toBeGreaterThan(4_000);
  await encoder.stop();

  const file = new RegExp(`/${stream.ingest.rtmp.streamname}\\.mp4`);
  await expect(player(page)).toHaveAttribute('src', file, { timeout: 20_000 });
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(3);

  await test.step('who watches the recording is offered what is live', async () => {
    await player(page).getByRole('button', { name: 'Play' }).click();
    await advances(video);
    await player(page).getByRole('button', { name: 'Pause' }).click();
    const again = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
    const offer = page.getByRole('button', { name: 'Live now: watch' });
    await expect(offer).toBeVisible();
    await expect(player(page)).toHaveAttribute('src', file);
    await offer.click();
    await expect(player(page)).toHaveAttribute('data-state', 'playing');
    await advances(video);
    await expect(offer).toBeHidden();
    await again.stop();
  });
});

test('what is live and not recorded leads back to the recording at once, with few questions', async ({ admin: page, recorded, push }) => {
  await page.goto(`/embed/${recorded.id}`);
  const video = page.locator('video');
  await expect(video).toHaveAttribute('poster', /./);
  await countQuestions(page);
  const encoder = push(recorded.ingest.rtmp.url.replace(/rec$/, 'live'), recorded.ingest.rtmp.streamname);
  await expect(player(page)).toHaveAttribute('data-state', 'playing');
  await expect(video, 'nothing of the recording lies behind what is live').not.toHaveAttribute('poster');
  await encoder.stop();
  // What is buffered is shown to its end first.
  await expect(player(page)).toHaveAttribute('src', new RegExp(`/${recorded.ingest.rtmp.streamname}\\.mp4`));
  await expect(player(page)).toHaveAttribute('data-state', 'idle');
  expect(await page.evaluate(() => (globalThis as unknown as { questions: number }).questions)).toBeLessThan(4);
});

test('stands in other sites\' frames where the organisation lets them, and no other page does', async ({ admin: page, server, recorded, allowConsole }) => {
  allowConsole(/frame-ancestors|Framing .* violates/);
  const outside = await Outside.framing(`${server.url}/embed/${recorded.id}?asset=${vod(recorded)}`);
  const framed = page.frameLocator('iframe');
  try {
    // Other sites' frames are sent no cookie: what plays there is public.
    await page.goto(outside.url);
    await expect.poll(() => framed.locator('video').evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(3);
    await framed.locator('video').click();
    await advances(framed.locator('video'));

    await setDomains(page, 'example.com');
    await page.goto(outside.url);
    await expect(framed.locator('afterlive-player')).toHaveCount(0);

    await setDomains(page, `example.com ${outside.host}`);
    await page.goto(outside.url);
    await expect(framed.locator('afterlive-player')).toBeVisible();
  } finally {
    outside.stop();
    await setDomains(page, '');
  }
  const playout = await Outside.framing(`${server.url}/playout/${recorded.id}`);
  await page.goto(playout.url);
  await expect(page.frameLocator('iframe').getByRole('main')).toHaveCount(0);
  playout.stop();
});

test('shows a recording that is asked for, with its storyboard, by keys too; frames of old find it', async ({ admin: page, recorded }) => {
  await page.goto(`/playout/${recorded.id}?embed=1`);
  await expect(page).toHaveURL(`/embed/${recorded.id}`);
  await page.goto(`/embed/${recorded.id}?asset=${vod(recorded)}`);
  const video = page.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(3);
  await page.keyboard.press('k');
  await advances(video);
  await page.keyboard.press('k');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.paused)).toBe(true);
  await page.keyboard.press('ArrowLeft');
  await expect.poll(() => position(video)).toBe(0);
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => position(video)).toBeGreaterThan(3);
  const bar = player(page).getByRole('slider', { name: /^Find a place in / });
  await bar.focus();
  await bar.press('Home');
  await expect.poll(() => position(video)).toBe(0);
  await test.step('the bar\'s arrows go as far as all others', async () => {
    const end = await video.evaluate((video: HTMLVideoElement) => video.duration);
    await bar.press('ArrowRight');
    await expect.poll(() => position(video)).toBeCloseTo(Math.min(5, end), 1);
    await bar.press('ArrowDown');
    await expect.poll(() => position(video)).toBe(0);
  });
});

test('has no barrier that axe finds, and fits 320 px', async ({ admin: page, api, recorded }) => {
  const waiting = await api.createStream([]);
  for (const [name, path] of [['recording', recorded.id], ['waiting', waiting.id]] as const) {
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: width === 320 ? 180 : 720 });
      await page.goto(`/embed/${path}`);
      await expect(player(page)).toHaveAttribute('data-state', name === 'waiting' ? 'offline' : 'idle');
      const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']).analyze();
      expect.soft(found.violations.map(({ id, nodes }) => ({ id, where: nodes.map((node) => node.html) })), `${name} ${width}`).toEqual([]);
      const size = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight, innerHeight]);
      expect.soft(size, `${name} ${width}`).toEqual([width, size[2], size[2]]);
      if (name === 'recording') await expect.soft(player(page).getByText(/^ \/ 0:0\d$/), `its length at ${width}`).toBeVisible();
      await page.screenshot({ path: `${SCREENS}embed-${name}-${width}.png` });
    }
  }
});

test.describe('without scripts', () => {
  test.use({ javaScriptEnabled: false });
  test('it is the browser\'s own player', async ({ admin: page, recorded, allowConsole }) => {
    allowConsole(/was preloaded using link preload but not used/);
    await page.goto(`/embed/${recorded.id}`);
    const video = page.locator('video');
    await expect(video).toHaveAttribute('controls', '');
    await expect(video).toHaveAttribute('src', new RegExp(`/${recorded.ingest.rtmp.streamname}\\.mp4`));
    await expect(video).toBeVisible();
  });
});

function vod(recorded: { playout: { web: { type: string; id?: string }[] } }): string {
  return recorded.playout.web.find((entry) => entry.type === 'vod')?.id ?? '';
}
