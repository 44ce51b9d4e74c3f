// What holds on every page: no barrier that axe knows of, in light and dark; no sideways scrolling at 360 px; nothing in the console.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures.ts';
import { type Colours, barriers, fits, picture } from '../support/looks.ts';
import { live, recording, signIn } from '../support/pages.ts';
import { tour, type Stop } from '../support/tour.ts';

/** The widths, and in each the colours, that everything is looked at in. */
const SIZES = [
  { size: 'wide', viewport: { width: 1440, height: 900 } },
  { size: 'narrow', viewport: { width: 360, height: 740 } },
] as const;
const COLOURS = ['light', 'dark'] as const;

/** Shows what is loaded in both widths and in both colours: what is styled by them follows at once, and no script of ours asks for either. */
async function inAllLooks(page: Page, name: string, look: (name: string, colours: Colours) => Promise<void>): Promise<void> {
  for (const { size, viewport } of SIZES) {
    await page.setViewportSize(viewport);
    for (const colorScheme of COLOURS) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await test.step(`${name}, ${size}, in ${colorScheme}`, () => look(`${name}-${size}-${colorScheme}`, colorScheme));
    }
  }
}

/** Pages are loaded as most people see them first, whatever was looked at before. */
async function loadLooks(page: Page): Promise<void> {
  await page.setViewportSize(SIZES[0].viewport);
  await page.emulateMedia({ colorScheme: COLOURS[0], reducedMotion: 'reduce' });
}

async function hasNoBarrier(page: Page, name: string, colours: Colours): Promise<void> {
  expect.soft(await barriers(page, colours), `${name} has no barrier that axe finds`).toEqual([]);
}

/** All that holds of a page, in all looks. */
async function lookAt(page: Page, name: string): Promise<void> {
  await inAllLooks(page, name, async (look, colours) => {
    await fits(page, look);
    await hasNoBarrier(page, look, colours);
    await picture(page, look);
  });
}

// The reference is by far the longest page, and takes as long as all others together.
for (const [who, theirs] of [
  ['reads the reference', (stop) => stop.name === 'reference'],
  ['is not signed in', (stop) => !stop.signedIn && stop.name !== 'reference'],
  ['is signed in', (stop) => stop.signedIn],
] satisfies [string, (stop: Stop) => boolean][]) {
  test(`who ${who} meets no barrier that axe finds, wide and narrow, in light and dark`, async ({ page, recorded, allowConsole }) => {
    // Up to twenty pages in four looks, on a machine that may be building beside.
    test.setTimeout(600_000);
    allowConsole(/status of 404 .*\/no\/such\/page/);
    const stops = tour(recorded).filter(theirs);
    if (stops.some((stop) => stop.signedIn)) {
      await signIn(page);
      await expect(page).toHaveURL('/');
    }
    for (const stop of stops) {
      await loadLooks(page);
      const answer = await page.goto(stop.path);
      expect(answer?.status(), stop.path).toBe(stop.status ?? 200);
      await lookAt(page, stop.name);
    }
  });
}

test('what opens on the page of a stream has no barrier either', async ({ admin: page, recorded }) => {
  test.setTimeout(120_000);
  await loadLooks(page);
  await page.goto(`/stream/${recorded.id}`);
  const name = `${recorded.ingest.rtmp.streamname}.mp4`;
  const row = recording(page, name);
  await row.getByLabel(`Details of ${name}`).click();
  await expect(row.locator('video')).toBeVisible();
  await inAllLooks(page, 'stream-opened', async (name) => {
    await fits(page, name);
    await picture(page, name);
  });
  await page.getByText('Delete', { exact: true }).click();
  await inAllLooks(page, 'stream-delete', (name, colours) => hasNoBarrier(page, name, colours));
});

test('light and dark differ in colours alone', async ({ request }) => {
  const styles = await (await request.get('/pkg/afterlive.css')).text();
  expect(styles).toContain('light-dark(');
  expect(styles).not.toContain('prefers-color-scheme');
  const chosen = /:root\[data-theme="?(light|dark)"?\]\s*\{\s*color-scheme:\s*\1;?\s*\}/g;
  expect(styles.replace(chosen, '')).not.toContain('data-theme');
});

test('a live stream is looked at, and has no barrier that axe finds', async ({ admin: page, api, push }) => {
  test.setTimeout(180_000);
  const stream = await api.createStream(['title:On air']);
  const encoder = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
  await page.goto(`/stream/${stream.id}`);
  await expect(page.getByText('H.264').first()).toBeVisible();
  await expect.poll(() => encoder.sentMs).toBeGreaterThan(6_000);
  for (const [path, name] of [[`/stream/${stream.id}`, 'stream-live'], [`/playout/${stream.id}`, 'playout-live'], ['/', 'start-live']] as const) {
    await loadLooks(page);
    await page.goto(path);
    if (path !== '/') await expect(page.getByRole('meter', { name: /^Mono, / }), 'how loud the tone is').toBeVisible();
    await lookAt(page, name);
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

  await tabTo(`Play and details of ${name}`);
  await page.keyboard.press('Enter');
  await expect(row.locator('video')).toBeVisible();
  await tabTo(`Copy the URL of ${name}`);
  await page.keyboard.press('Space');
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain(name);
});
