// Endpoints for events: made, tried out, changed and deleted, with and without scripts.

import { copyValue } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { look } from '../support/looks.ts';

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with scripts' : 'without scripts', () => {
    test.use({ javaScriptEnabled });

    test('an endpoint is made, tried out, changed and deleted', async ({ admin: page, allowConsole }) => {
      test.setTimeout(90_000);
      allowConsole(/was preloaded using link preload but not used/);
      await page.goto('/organisation');
      await page.getByRole('link', { name: 'Endpoints' }).click();
      await expect(page.getByText('None yet. An endpoint is a URL of yours')).toBeVisible();
      const url = `http://no-such-host.invalid/events/of/a/long/name/${Date.now()}`;
      await page.getByLabel('URL that is told').fill(url);
      await page.getByLabel('stream.ended').uncheck();
      await page.getByRole('button', { name: 'Add the endpoint' }).click();
      await expect(page.getByText('The endpoint is made.')).toBeVisible();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(url);
      await expect(page.getByLabel('stream.ended')).not.toBeChecked();
      await page.getByText('Show the secret').click();
      const secret = await copyValue(page, 'Signing secret').innerText();
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);

      await page.getByRole('button', { name: 'Send a test' }).click();
      await expect(page.getByText('A test is on its way.')).toBeVisible();
      const told = page.getByRole('region', { name: 'What it was told' }).getByRole('row').filter({ hasText: 'test' });
      await expect(async () => {
        if (!javaScriptEnabled) await page.reload();
        await expect(told).toContainText('1 try: its host cannot be found', { timeout: 500 });
      }).toPass();
      await told.getByRole('button', { name: 'Send test again' }).click();
      await expect(page.getByText('It is sent again.')).toBeVisible();
      if (javaScriptEnabled) await look(page, 'endpoint');

      await page.getByLabel('Rotate the signing secret').click();
      await page.getByRole('button', { name: 'Rotate the secret' }).click();
      await expect(page.getByText('A new secret signs from now on')).toBeVisible();
      await expect(page.getByText('The one before signs too, until')).toBeVisible();
      await page.getByLabel('Switch the endpoint off').click();
      await page.getByRole('button', { name: 'Switch it off' }).click();
      await expect(page.getByText('Switched off.')).toBeVisible();
      await expect(page.getByRole('button', { name: 'Send a test' })).toHaveCount(0);

      await page.goto('/organisation/events');
      const row = page.getByRole('row').filter({ hasText: url });
      await expect(row).toContainText('off');
      if (javaScriptEnabled) await look(page, 'events');
      await row.getByRole('link', { name: `Open ${url}` }).click();
      await page.getByLabel('Delete the endpoint').click();
      await page.getByRole('button', { name: 'Delete the endpoint' }).click();
      await expect(page.getByText('The endpoint is deleted.')).toBeVisible();
      await expect(page.getByText('None yet. An endpoint is a URL of yours')).toBeVisible();
    });
  });
}
