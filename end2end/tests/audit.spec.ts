// The audit log: what was done is in it at once, with and without scripts, and it is filtered by its URL.

import { expect, test } from '../support/fixtures.ts';
import { look } from '../support/looks.ts';

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
