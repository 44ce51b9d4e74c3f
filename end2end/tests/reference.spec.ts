// The API's reference, which is no page of the app.

import { expect, test } from '../support/fixtures.ts';
import { takePictures } from '../support/looks.ts';

test('says what is what before all calls, and has its examples copied by a button', async ({ page, context, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url });
  await page.goto('/docs');
  const names = page.getByRole('region', { name: 'What is what' });
  await expect(names.getByRole('row').filter({ hasText: 'streamname' }).first()).toContainText('What an encoder publishes under');
  const button = page.getByRole('button', { name: 'Copy the example of GET /stream', exact: true });
  await button.click();
  // Both at once, as neither says so for long.
  await Promise.all([expect(button).toHaveText('Copied'), expect(page.getByRole('status')).toHaveText('Copied')]);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^curl (-g )?"http:\/\/localhost:\d+\/stream[^]*-H "X-BINTU-APIKEY: \$KEY"$/);
  await expect(button).toHaveText('Copy');
  await expect(page.getByRole('status')).toBeEmpty();
  await takePictures(page, 'reference-top');
});

test.describe('without scripts', () => {
  test.use({ javaScriptEnabled: false });
  test('has no button that would do nothing', async ({ page }) => {
    await page.goto('/docs');
    await expect(page.locator('.copy-block pre').first()).toContainText('curl "http');
    await expect(page.locator('.copy-button').first()).toBeHidden();
  });
});
