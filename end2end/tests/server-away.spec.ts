// What a page shows while it does not hear from the server.

import { createStream } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

test('what is live does not count on while nobody knows whether it is', async ({ admin: page, push, allowConsole }) => {
  allowConsole(/ERR_FAILED/);
  const ingest = await createStream(page);
  const encoder = push(ingest.server, ingest.streamKey);
  await expect.poll(() => encoder.sentMs, { timeout: 30_000 }).toBeGreaterThan(2_000);

  await page.clock.install();
  await page.route('**/events?*', (route) => route.abort());
  await page.goto(`/stream/${ingest.id}`);
  await expect(page.getByText('Reconnecting…')).toBeVisible();
  const facts = page.getByRole('region', { name: 'Live when last heard of' });
  const shown = await facts.locator('.live-clock').innerText();
  await page.clock.fastForward(60_000);
  await expect(facts.locator('.live-clock')).toHaveText(shown);

  await page.unroute('**/events?*');
  await page.reload();
  const known = page.getByRole('region', { name: 'Live now' });
  await expect(known.locator('.live-clock')).toHaveText(/\d:\d\d/);
  await encoder.stop();
});
