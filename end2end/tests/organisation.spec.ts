// Settings and API keys.

import type { Locator } from '@playwright/test';
import { look, takePictures } from '../support/looks.ts';
import { copyValue, createStream, live, recordings, setSwitches } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

test('an API key is shown once, opens the API, and is refused once it is revoked', async ({ admin: page, server, recorded }) => {
  // By its link: it has no news to wait for, and this page's script is there.
  await live(page);
  await page.getByRole('link', { name: 'Organisation', exact: true }).click();
  const label = `Player ${Date.now()}`;
  await page.getByLabel('Label').fill(label);
  await page.getByRole('region', { name: 'API keys' }).getByLabel('Role').selectOption({ label: 'nanoReadOnly: read' });
  await page.getByRole('button', { name: 'Make a key' }).click();
  const key = await copyValue(page.getByRole('status', { name: 'New API key' }), 'API key').innerText();
  expect(key.length).toBeGreaterThanOrEqual(32);
  await expect(page.getByLabel('Label'), 'the next key is not made by mistake').toHaveValue('');

  // As `curl -H "X-BINTU-APIKEY: …" …/stream/ID?asset_limit=10` sends it.
  const url = `${server.url}/stream/${recorded.id}?asset_limit=10`;
  const call = () => fetch(url, { headers: { 'X-BINTU-APIKEY': key, Accept: '*/*' } });
  const answer = await call();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('Content-Type')).toBe('application/json; charset=utf-8');
  expect(((await answer.json()) as { id: string }).id).toBe(recorded.id);
  const refused = await fetch(`${server.url}/stream`, { method: 'POST', headers: { 'X-BINTU-APIKEY': key } });
  expect(refused.status, 'a key for reading creates nothing').toBe(403);

  await page.reload();
  await expect(page.getByText(key)).toHaveCount(0);
  const row = page.getByRole('row').filter({ hasText: label });
  await expect(row).toContainText(key.slice(0, 6));
  await row.getByLabel(`Revoke the key ${label}`).click();
  await row.getByRole('button', { name: 'Revoke the key' }).click();
  await expect(page.getByText('The key is revoked.')).toBeVisible();
  await expect(row).toHaveCount(0);
  expect((await call()).status).toBe(401);
});

test('with recording switched off, /rec is live only, and every page says so', async ({ admin: page, push }) => {
  await setSwitches(page, { Recording: false });
  try {
    const { id, streamKey, server } = await createStream(page);
    await page.goto(`/stream/${id}`);
    await live(page);
    await expect(page.getByText('Recording is off for your organisation').first()).toBeVisible();
    const encoder = push(server.replace(/live$/, 'rec'), streamKey);
    const state = page.getByRole('heading', { level: 1 });
    await expect(state.getByText('live', { exact: true })).toBeVisible();
    await expect.poll(() => encoder.sentMs).toBeGreaterThan(2_000);
    await encoder.stop();
    await expect(state.getByText('ended', { exact: true })).toBeVisible();
    await expect(page.getByRole('table')).toHaveCount(0);
  } finally {
    await setSwitches(page, { Recording: true });
  }
});

test('the playout page opens to outsiders only where live is public, with recordings where those are, and then without anything of the operator', async ({
  admin: page,
  browser,
  server,
  recorded,
  watchConsole,
}) => {
  const outside = await browser.newContext({ baseURL: server.url });
  watchConsole(outside);
  const visitor = await outside.newPage();
  try {
    await setSwitches(page, { 'Live public': false, 'VOD public': true });
    await visitor.goto(`/playout/${recorded.id}`);
    await expect(visitor).toHaveURL(/\/auth\?next=/);

    await setSwitches(page, { 'Live public': true, 'VOD public': false });
    await visitor.goto(`/playout/${recorded.id}`);
    await expect(visitor.getByRole('heading', { level: 1 })).toContainText('Sunday service');
    await expect(visitor.locator('video')).toHaveCount(0);
    await expect(visitor.getByText('.mp4')).toHaveCount(0);

    await setSwitches(page, { 'VOD public': true });
    await visitor.goto(`/playout/${recorded.id}`);
    await expect(visitor.getByRole('heading', { level: 1 })).toContainText('Sunday service');
    const video = visitor.getByRole('region', { name: 'Player' }).locator('video');
    await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.readyState)).toBeGreaterThan(0);
    await expect(visitor.getByRole('link', { name: 'To the stream' })).toHaveCount(0);
    await expect(visitor.getByRole('heading', { name: 'Ingest' })).toHaveCount(0);
    await expect(visitor.getByText('Edit tags')).toHaveCount(0);
    await expect(visitor.locator('.copy-label', { hasText: 'Streamname' })).toHaveCount(0);
    await expect(recordings(visitor).getByRole('link', { name: /\.mp4$/ })).toBeVisible();
    const operators = [visitor.getByText('hall-2', { exact: true }), visitor.locator('.copy-label', { hasText: 'WebSocket' })];
    for (const rest of operators) await expect(rest).toBeHidden();
    await takePictures(visitor, 'playout-visitor');
    await visitor.getByText('Links and details').click();
    for (const rest of operators) await expect(rest).toBeVisible();
    await look(visitor, 'playout-visitor-all');
    for (const operated of ['stream', 'stream/new', 'webcaster']) {
      await visitor.goto(`/${operated}/${recorded.id}`);
      await expect(visitor, operated).toHaveURL(/\/auth\?next=/);
    }

    await page.goto(`/playout/${recorded.id}`);
    await expect(page.getByRole('link', { name: 'To the stream' })).toBeVisible();
  } finally {
    await setSwitches(page, { 'Live public': true, 'VOD public': true });
  }
  await outside.close();
});

/** The heading of the card does not lie under the bar, which stays on top. */
async function isBelowTheBar(card: Locator): Promise<void> {
  const gap = (heading: Element) => heading.getBoundingClientRect().top - (document.querySelector('.top')?.getBoundingClientRect().bottom ?? 0);
  await expect.poll(() => card.getByRole('heading').first().evaluate(gap)).toBeGreaterThanOrEqual(0);
}

test('what a form refuses, and that it was saved, is seen in its card, and gone when the next one is answered', async ({ admin: page }) => {
  await page.setViewportSize({ width: 360, height: 500 });
  await live(page);
  await page.getByRole('link', { name: 'Organisation' }).click();
  const forms = [
    ['Embedding', 'Sites that may show the player', "'self'", 'Please give host names'],
    ['Webhook', 'URL that decides who may publish', 'http://user:secret@127.0.0.1/', 'Please give'],
  ] as const;
  // The second round leads to URLs that the page has had before.
  for (const [name, label, wrong, says] of [...forms, ...forms]) {
    const card = page.getByRole('region', { name, exact: true });
    await card.getByLabel(label).fill(wrong);
    await expect(card.getByRole('alert')).toHaveCount(0);
    await card.getByRole('button', { name: 'Save' }).click();
    await expect(card.getByRole('alert')).toContainText(says);
    await expect(card.getByRole('alert')).toBeInViewport();
    await isBelowTheBar(card);
    await expect(page.getByRole('alert'), 'nowhere else').toHaveCount(1);
    await expect(card.getByLabel(label)).toHaveAttribute('aria-invalid', 'true');
    await expect(card.getByLabel(label), 'is kept').toHaveValue(wrong);
  }
  const card = page.getByRole('region', { name: 'Webhook', exact: true });
  await test.step('the same once more is told once more', async () => {
    const told = await card.getByRole('alert').elementHandle();
    await card.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => told?.evaluate((paragraph) => paragraph.isConnected)).toBe(false);
    await expect(card.getByRole('alert')).toContainText('Please give');
  });
  await card.getByLabel('URL that decides who may publish').fill('');
  await card.getByRole('button', { name: 'Save' }).click();
  await expect(card.getByRole('status')).toHaveText('Saved.');
  await expect(card.getByRole('status')).toBeInViewport();
  await isBelowTheBar(card);
  await expect(page.getByText('Saved.', { exact: true }), 'nowhere else').toHaveCount(1);
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('the name is changed', async ({ admin: page }) => {
  await page.goto('/organisation');
  await page.getByLabel('Name', { exact: true }).fill('Chapel of St. Mary');
  await page.getByRole('region', { name: 'Settings' }).getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.', { exact: true })).toBeVisible();
  await expect(page.getByRole('heading', { level: 1, name: 'Chapel of St. Mary' })).toBeVisible();
});
