// How a page looks: in both colours, wide and narrow.

import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

const SCREENS = new URL('../test-results/screens/', import.meta.url).pathname;
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 360, height: 740 };

/** What axe is asked for; `best-practice` is more than WCAG 2.2 AA asks for. */
export const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export async function fits(page: Page, name: string): Promise<void> {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect.soft(width, `${name} does not scroll sideways`).toBeLessThanOrEqual(page.viewportSize()?.width ?? 0);
}

export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${SCREENS}${name}.png`, fullPage: true });
}

/** Takes its pictures, and sees that nothing scrolls sideways. Leaves it wide. */
export async function takePictures(page: Page, name: string, look: (name: string) => Promise<void> = async () => {}): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [size, viewport] of [['wide', WIDE], ['narrow', NARROW]] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(viewport);
      const named = `${name}-${size}-${colorScheme}`;
      await fits(page, named);
      await look(named);
      await picture(page, named);
    }
  }
  await page.setViewportSize(WIDE);
}

/** As `takePictures`, and axe finds nothing. */
export async function look(page: Page, name: string): Promise<void> {
  await takePictures(page, name, async (name) => {
    const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
    const found = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => node.html) }));
    expect.soft(found, `${name} has no barrier that axe finds`).toEqual([]);
  });
}
