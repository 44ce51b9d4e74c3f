// How a page looks: in both colours, wide and narrow.

import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

const SCREENS = new URL('../test-results/screens/', import.meta.url).pathname;
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 360, height: 740 };

export type Colours = 'light' | 'dark';

/** What axe is asked for; `best-practice` is more than WCAG 2.2 AA asks for. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Those of the rules under `TAGS` that ask what colour something has. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

/**
 * What axe finds, in few words. In dark it is asked for what colours decide, and for the rest in light only: a page is the same document in
 * both, and the style sheets tell them apart by `light-dark()`, which stands for a colour and nothing else. So no element is there,
 * is seen or lies elsewhere in one of them alone. That they keep to it is a test of `every-page.spec.ts`.
 */
export async function barriers(page: Page, colours: Colours): Promise<unknown[]> {
  // Where all is well axe would spend a good part of its time on telling so; and for what it finds in frames of other sites, which are none here, it would open
  // a page of its own.
  const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode();
  const { violations } = await (colours === 'light' ? axe.withTags(TAGS) : axe.withRules(COLOUR_RULES)).analyze();
  return violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
}

export async function fits(page: Page, name: string): Promise<void> {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect.soft(width, `${name} does not scroll sideways`).toBeLessThanOrEqual(page.viewportSize()?.width ?? 0);
}

export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${SCREENS}${name}.png`, fullPage: true });
}

/** Takes its pictures, and sees that nothing scrolls sideways. Leaves it wide. */
export async function takePictures(page: Page, name: string, look: (name: string, colours: Colours) => Promise<void> = async () => {}): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [size, viewport] of [['wide', WIDE], ['narrow', NARROW]] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(viewport);
      const named = `${name}-${size}-${colorScheme}`;
      await fits(page, named);
      await look(named, colorScheme);
      await picture(page, named);
    }
  }
  await page.setViewportSize(WIDE);
}

/** As `takePictures`, and axe finds nothing. */
export async function look(page: Page, name: string): Promise<void> {
  await takePictures(page, name, async (name, colours) => {
    expect.soft(await barriers(page, colours), `${name} has no barrier that axe finds`).toEqual([]);
  });
}
