// What holds on every page: no barrier that axe knows of, in light and dark; no sideways scrolling at 360 px; nothing in the console.

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures.ts';
import { live, recording, signIn } from '../support/pages.ts';
import { tour, type Stop } from '../support/tour.ts';

const SCREENS = new URL('../test-results/screens/', import.meta.url).pathname;

async function visit(page: Page, stop: Stop): Promise<void> {
  const answer = await page.goto(stop.path);
  expect(answer?.status(), stop.path).toBe(stop.status ?? 200);
}

/** Visits every page, those for people who are not signed in first. */
async function forEachPage(page: Page, stops: Stop[], look: (stop: Stop) => Promise<void>): Promise<void> {
  for (const stop of stops.filter((stop) => !stop.signedIn)) {
    await test.step(stop.name, async () => {
      await visit(page, stop);
      await look(stop);
    });
  }
  await signIn(page);
  await expect(page).toHaveURL('/');
  for (const stop of stops.filter((stop) => stop.signedIn)) {
    await test.step(stop.name, async () => {
      await visit(page, stop);
      await look(stop);
    });
  }
}

/** What axe finds, in few words. `best-practice` is more than WCAG 2.2 AA asks for. */
async function barriers(page: Page): Promise<unknown[]> {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const found = await new AxeBuilder({ page }).withTags(tags).analyze();
  return found.violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
}

const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 360, height: 740 };

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [size, viewport] of [['wide', WIDE], ['narrow', NARROW]] as const) {
    test(`has no barrier that axe finds, ${size}, in ${colorScheme}`, async ({ page, recorded, allowConsole }) => {
      test.setTimeout(120_000);
      allowConsole(/status of 404 .*\/no\/such\/page/);
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await forEachPage(page, tour(recorded), async (stop) => expect.soft(await barriers(page), stop.name).toEqual([]));
      await test.step('with what opens', async () => {
        await page.goto(`/stream/${recorded.id}`);
        const name = `${recorded.ingest.rtmp.streamname}.mp4`;
        await recording(page, name).getByLabel(`Details of ${name}`).click();
        await page.getByText('Delete', { exact: true }).click();
        expect(await barriers(page)).toEqual([]);
      });
    });

    test(`is looked at ${size}, in ${colorScheme}`, async ({ page, recorded, allowConsole }) => {
      test.setTimeout(120_000);
      allowConsole(/status of 404 .*\/no\/such\/page/);
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await forEachPage(page, tour(recorded), async (stop) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        expect.soft(width, `${stop.name} does not scroll sideways`).toBeLessThanOrEqual(viewport.width);
        await page.screenshot({ path: `${SCREENS}${stop.name}-${size}-${colorScheme}.png`, fullPage: true });
      });
      await page.goto(`/stream/${recorded.id}`);
      const name = `${recorded.ingest.rtmp.streamname}.mp4`;
      const row = recording(page, name);
      await row.getByLabel(`Details of ${name}`).click();
      await expect(row.locator('video')).toBeVisible();
      expect.soft(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
      await page.screenshot({ path: `${SCREENS}stream-opened-${size}-${colorScheme}.png`, fullPage: true });
    });
  }
}

test('a live stream is looked at, and has no barrier that axe finds', async ({ admin: page, api, push }) => {
  test.setTimeout(120_000);
  const stream = await api.createStream(['title:On air']);
  const encoder = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
  await page.goto(`/stream/${stream.id}`);
  await expect(page.getByText('H.264').first()).toBeVisible();
  await expect.poll(() => encoder.sentMs).toBeGreaterThan(6_000);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const path of [`/stream/${stream.id}`, `/playout/${stream.id}`, '/']) {
      await page.goto(path);
      const name = path === '/' ? 'start' : path.split('/')[1];
      if (path !== '/') await expect(page.getByRole('meter', { name: /^Mono, / }), 'how loud the tone is').toBeVisible();
      for (const [size, viewport] of [['wide', WIDE], ['narrow', NARROW]] as const) {
        await page.setViewportSize(viewport);
        expect.soft(await barriers(page), `${path} ${size}`).toEqual([]);
        expect.soft(await page.evaluate(() => document.documentElement.scrollWidth), `${path} ${size}`).toBeLessThanOrEqual(viewport.width);
        await page.screenshot({ path: `${SCREENS}${name}-live-${size}-${colorScheme}.png`, fullPage: true });
      }
    }
  }
});

test('the chosen colours stay, against the system\'s', async ({ admin: page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByRole('button', { name: 'Dark colours' }).click();
  await expect.poll(background).not.toBe(light);
  const dark = await background();
  await page.reload();
  expect(await background()).toBe(dark);
  await page.getByRole('button', { name: 'Colours as the system has them' }).click();
  await expect.poll(background).toBe(light);
});

test('everything is reached by keyboard, and the focus is seen', async ({ admin: page, recorded, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`/stream/${recorded.id}`);
  await live(page);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'To the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();

  const name = `${recorded.ingest.rtmp.streamname}.mp4`;
  const row = recording(page, name);
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim());
  const tabTo = async (label: string) => {
    for (let presses = 0; (await focused()) !== label; presses += 1) {
      expect(presses, `${label} is reached within 60 steps`).toBeLessThan(60);
      await page.keyboard.press('Tab');
    }
    const outline = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement ?? document.body);
      return { visible: document.activeElement?.matches(':focus-visible'), width: style.outlineStyle === 'none' ? '0px' : style.outlineWidth };
    });
    expect(outline.visible).toBe(true);
    expect(parseFloat(outline.width), `${label} shows its focus`).toBeGreaterThan(0);
  };
  await tabTo('Delete');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Delete the stream' })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Delete the stream' })).toBeHidden();

  await tabTo(`Details of ${name}`);
  await page.keyboard.press('Enter');
  await expect(row.locator('video')).toBeVisible();
  await tabTo(`Copy the URL of ${name}`);
  await page.keyboard.press('Space');
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain(name);
});
