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

/** What is put off for seconds comes after a hundredth of them: so long waits a page that was refused. */
async function hurry(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const { setTimeout } = window;
    Object.assign(window, { setTimeout: (act: () => void, ms = 0) => setTimeout.call(window, act, ms < 5_000 ? ms : ms / 100) });
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

for (const status of [429, 502]) {
  test(`a page whose events are refused once, by a ${status}, hears of what happens afterwards`, async ({ admin: page, api, allowConsole }) => {
    allowConsole(new RegExp(`status of ${status}`));
    // The page after the sign-in asks for events as well.
    await live(page);
    await hurry(page);
    let asked = 0;
    await page.route('**/events', async (route) => {
      if (new URL(route.request().frame().url()).pathname !== '/stream') return route.continue();
      asked += 1;
      await (asked === 1 ? route.fulfill({ status }) : route.continue());
    });
    await page.goto('/stream');
    await live(page);
    expect(asked).toBe(2);
    const { id } = await api.createStream(['heard of']);
    await expect(page.getByRole('row').filter({ hasText: id })).toBeVisible();
  });
}

test('a page whose events are refused again and again asks by itself', async ({ admin: page, api, allowConsole }) => {
  allowConsole(/status of 429/);
  await hurry(page);
  let asked = 0;
  await page.route('**/events', async (route) => {
    asked += 1;
    await route.fulfill({ status: 429 });
  });
  await page.goto('/stream');
  await expect(page.getByText('Reconnecting…')).toBeVisible();
  await expect.poll(() => asked).toBeGreaterThan(2);
  const { id } = await api.createStream(['asked for']);
  await expect(page.getByRole('row').filter({ hasText: id })).toBeVisible();
});

test('a form that does not reach the server says so each time, and no more once it does', async ({ admin: page, allowConsole }) => {
  allowConsole(/ERR_FAILED/);
  const { id } = await createStream(page);
  await page.goto(`/stream/${id}`);
  await live(page);
  await page.getByText('Edit tags').click();
  await page.getByLabel('Tags, separated by commas').fill('evening');
  const save = page.getByRole('button', { name: 'Save tags' });
  const told = page.getByRole('alert').filter({ hasText: 'The server could not be reached' });
  await page.route('**/ui/set_tags', (route) => route.abort());
  await save.click();
  await expect(told).toBeInViewport();
  const first = await told.elementHandle();
  await save.click();
  await expect.poll(() => first?.evaluate((paragraph) => paragraph.isConnected), 'another one is told').toBe(false);
  await expect(told).toHaveCount(1);
  await page.unroute('**/ui/set_tags');
  await save.click();
  await expect(page.getByText('Tags saved.')).toBeVisible();
  await expect(told).toHaveCount(0);
});

test('that a form did not reach the server is said no more once that is there again', async ({ admin: page, allowConsole }) => {
  allowConsole(/ERR_FAILED/);
  await hurry(page);
  const { id } = await createStream(page);
  await page.route('**/events?*', (route) => route.abort());
  await page.route('**/ui/set_tags', (route) => route.abort());
  await page.goto(`/stream/${id}`);
  await expect(page.getByText('Reconnecting…')).toBeVisible();
  await page.getByText('Edit tags').click();
  await page.getByLabel('Tags, separated by commas').fill('evening');
  await page.getByRole('button', { name: 'Save tags' }).click();
  const away = page.getByRole('alert').filter({ hasText: 'The server could not be reached' });
  await expect(away).toBeVisible();
  await page.unroute('**/ui/set_tags');
  await page.unroute('**/events?*');
  const back = page.getByRole('status').filter({ hasText: 'The server answers again' });
  await expect(back).toBeVisible({ timeout: 20_000 });
  await expect(away).toHaveCount(0);
  await expect(page.getByLabel('Tags, separated by commas'), 'is kept').toHaveValue('evening');
  await page.getByRole('button', { name: 'Save tags' }).click();
  await expect(page.getByText('Tags saved.')).toBeVisible();
  await expect(back).toHaveCount(0);
});

test('a page that got no answer is tried again by its button', async ({ admin: page, allowConsole }) => {
  allowConsole(/ERR_FAILED/);
  await live(page);
  await page.route('**/ui/streams', (route) => route.abort());
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Streams' }).click();
  const away = page.getByRole('heading', { name: 'The server does not answer' });
  await expect(away).toBeVisible();
  await page.unroute('**/ui/streams');
  await page.getByRole('link', { name: 'Try again' }).click();
  await live(page);
  await expect(away).toHaveCount(0);
  await expect(page).toHaveURL('/stream');
});

test('a page whose refresh fails on the server stays, and asks again', async ({ admin: page, api, allowConsole }) => {
  allowConsole(/status of 500/);
  await hurry(page);
  // Without one there is no table yet.
  await api.createStream(['before a failure']);
  await page.goto('/stream');
  await live(page);
  const table = await page.getByRole('table').elementHandle();
  let failed = 0;
  await page.route('**/ui/streams', async (route) => {
    failed += 1;
    if (failed > 1) return route.continue();
    // As the server writes what the pages know as a failure of its own.
    await route.fulfill({ status: 500, contentType: 'application/json', body: JSON.stringify({ Internal: { request_id: 'r1' } }) });
  });
  const { id } = await api.createStream(['after a failure']);
  await expect(page.getByRole('row').filter({ hasText: id })).toBeVisible();
  expect(failed).toBeGreaterThan(1);
  expect(await table?.evaluate((element) => element.isConnected), 'the page is the same').toBe(true);
});
