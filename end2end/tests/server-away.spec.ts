// What a page shows while it does not hear from the server.

import type { Page } from '@playwright/test';
import { createStream, live } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

/**
 * A clock that a test puts forward, and intervals that are then due. Playwright's own has timers with numbers from 10^12 on, which WASM cannot stop: it holds them
 * in 32 bits.
 */
async function holdTheClock(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const { setInterval, clearInterval } = window;
    const now = Date.now.bind(Date);
    const running = new Map<number, () => void>();
    let ahead = 0;
    Date.now = () => now() + ahead;
    Object.assign(window, {
      setInterval: (act: () => void, ms: number) => {
        const id = setInterval.call(window, act, ms) as unknown as number;
        running.set(id, act);
        return id;
      },
      clearInterval: (id: number) => {
        running.delete(id);
        clearInterval.call(window, id);
      },
      putForward: (ms: number) => {
        ahead += ms;
        for (const act of [...running.values()]) act();
      },
    });
  });
}

const minutes = (text: string): number => Number(/(\d+):\d\d$/.exec(text)?.[1]);

async function aMinutePasses(page: Page): Promise<void> {
  await page.evaluate(() => (window as unknown as { putForward: (ms: number) => void }).putForward(60_000));
}

test('what is live does not count on while nobody knows whether it is', async ({ admin: page, push, allowConsole }) => {
  allowConsole(/ERR_FAILED/);
  const ingest = await createStream(page);
  const encoder = push(ingest.server, ingest.streamKey);
  await expect.poll(() => encoder.sentMs, { timeout: 30_000 }).toBeGreaterThan(2_000);
  await holdTheClock(page);

  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  await test.step('it counts while the server is there', async () => {
    const clock = page.getByRole('region', { name: 'Live now' }).locator('.live-clock');
    await expect(clock).toHaveText(/\d:\d\d$/);
    const before = minutes(await clock.innerText());
    await aMinutePasses(page);
    await expect.poll(async () => minutes(await clock.innerText())).toBeGreaterThan(before);
  });

  await page.route('**/events?*', (route) => route.abort());
  await page.reload();
  await expect(page.getByText('Reconnecting…')).toBeVisible();
  const facts = page.getByRole('region', { name: 'Live when last heard of' });
  const clock = facts.locator('.live-clock');
  await expect(clock).toHaveText(/\d:\d\d$/);
  const shown = await clock.innerText();
  await aMinutePasses(page);
  // What is drawn is drawn by then.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await expect(clock).toHaveText(shown);

  await page.unroute('**/events?*');
  await expect(page.getByRole('region', { name: 'Live now' }), 'it is heard of again').toBeVisible({ timeout: 20_000 });
  await expect.poll(async () => minutes(await page.locator('.live-clock').innerText())).toBeGreaterThan(minutes(shown));
  await encoder.stop();
});
