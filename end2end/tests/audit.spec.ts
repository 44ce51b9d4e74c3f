// The audit log: what was done is in it at once, with and without scripts, and it is filtered by its URL.

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures.ts';

const SCREENS = new URL('../test-results/screens/', import.meta.url).pathname;

async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [size, viewport] of [['wide', { width: 1280, height: 800 }], ['narrow', { width: 360, height: 740 }]] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(viewport);
      expect.soft(await page.evaluate(() => document.documentElement.scrollWidth), `${name} ${size}`).toBeLessThanOrEqual(viewport.width);
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      expect.soft((await new AxeBuilder({ page }).withTags(tags).analyze()).violations, `${name} ${size}`).toEqual([]);
      await page.screenshot({ path: `${SCREENS}${name}-${size}-${colorScheme}.png`, fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with scripts' : 'without scripts', () => {
    test.use({ javaScriptEnabled });

    test('who did what stands there at once, and is filtered', async ({ admin: page, api, allowConsole }) => {
      allowConsole(/was preloaded using link preload but not used/);
      const stream = await api.createStream(['title:Evensong']);
      await page.goto('/organisation');
      await page.getByRole('link', { name: 'Open the log' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Audit log');
      const row = page.getByRole('row').filter({ hasText: stream.ingest.rtmp.streamname.split('?')[0] });
      await expect(row).toContainText('created a stream');
      await expect(row).toContainText('title:Evensong');
      await expect(row).toContainText(/127\.0\.0\.1|::1/);
      if (javaScriptEnabled) await look(page, 'audit');

      await page.getByLabel('About').selectOption('session');
      await page.getByRole('button', { name: 'Show' }).click();
      await expect(page).toHaveURL(/\/organisation\/audit\?about=session/);
      await expect(page.getByRole('row').filter({ hasText: 'signed in' }).first()).toBeVisible();
      await expect(row).toHaveCount(0);
      await page.getByRole('row').filter({ hasText: 'signed in' }).first().getByRole('link').first().click();
      await expect(page).toHaveURL(/who=/);
      await page.getByRole('link', { name: 'Clear' }).click();
      await expect(page).toHaveURL('/organisation/audit');
      await expect(row).toBeVisible();
      await row.getByRole('link', { name: stream.ingest.rtmp.streamname.split('?')[0] }).click();
      await expect(page).toHaveURL(`/stream/${stream.id}`);
    });
  });
}
