// The library, and the page of one recording: found, proved whole, deleted, restored and held.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Locator, Page } from '@playwright/test';
import type { StreamAnswer } from '../support/api.ts';
import { Encoder } from '../support/encoder.ts';
import { copyRow, copyValue, createStream, live, signIn } from '../support/pages.ts';
import { expect, test as base } from '../support/fixtures.ts';

const run = promisify(execFile);

/** A finished recording that the test may delete. */
type Own = { stream: StreamAnswer; id: string; name: string; url: string };

const test = base.extend<{ own: Own; folder: string }>({
  own: async ({ api, push }, use) => {
    const stream = await api.createStream(['title:Own recording', `own-${Date.now()}`]);
    const encoder: Encoder = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
    await expect.poll(() => encoder.sentMs, { timeout: 30_000 }).toBeGreaterThan(3_000);
    await encoder.stop();
    const finished = async () => (await api.stream(stream.id)).playout.web.find((entry) => entry.type === 'vod' && entry.state === 'ready');
    await expect.poll(finished, { message: `a recording; the encoder said: ${encoder.log}` }).toBeDefined();
    const entry = await finished();
    await use({ stream, id: entry?.id ?? '', name: `${stream.ingest.rtmp.streamname}.mp4`, url: entry?.url ?? '' });
  },

  folder: async ({}, use) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'afterlive-download-'));
    await use(folder);
    await rm(folder, { recursive: true, force: true });
  },
});

function row(page: Page, name: string): Locator {
  return page.getByRole('table').getByRole('row').filter({ hasText: name });
}

function fact(page: Page, name: string): Locator {
  const facts = page.getByRole('region', { name: 'Facts' });
  return facts.locator('dt', { hasText: name }).locator('xpath=following-sibling::dd[1]');
}

async function find(page: Page, own: Own): Promise<void> {
  await page.goto('/vod');
  await page.getByRole('searchbox', { name: 'Search' }).fill(own.stream.ingest.rtmp.streamname);
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page).toHaveURL(/\/vod\?.*q=/);
  await expect(page.getByRole('table').locator('tbody tr')).toHaveCount(1);
}

async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url);
  await answer.body?.cancel();
  return answer.status;
}

test('a recording is found, and what its page says of it is true of the downloaded file', async ({ admin: page, own, folder }) => {
  await find(page, own);
  await row(page, own.name).getByRole('link', { name: `Own recording ${own.name}`, exact: true }).click();
  await expect(page).toHaveURL(`/vod/${own.id}`);
  await expect(page.getByRole('region', { name: 'Verdict' })).toContainText('Everything the encoder sent is in the file');
  await expect(page.locator('.figure.good')).toHaveText(/0\s*Dropped frames|Dropped frames\s*0/);
  await expect(copyValue(page, 'URL')).toHaveText(own.url);
  await expect(page.locator('pre', { hasText: '<video' })).toContainText(own.url);

  const video = page.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration)).toBeGreaterThan(2.5);

  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe(own.name);
  await file.saveAs(path.join(folder, own.name));
  const line = await page.locator('pre', { hasText: 'sha256sum' }).innerText();
  const { stdout } = await run('bash', ['-c', line], { cwd: folder });
  expect(stdout.trim()).toBe(`${await copyValue(page, 'SHA-256').innerText()}  -`);

  const report = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Report as JSON' }).click();
  const saved = path.join(folder, 'report.json');
  await (await report).saveAs(saved);
  const { stdout: json } = await run('cat', [saved]);
  const account = JSON.parse(json) as { id: string; report: { checksum: { sha256: string }; tracks: { kind: string }[] } };
  expect(account.id).toBe(own.id);
  expect(account.report.checksum.sha256).toBe(await copyValue(page, 'SHA-256').innerText());
  expect(account.report.tracks.map((track) => track.kind)).toEqual(['video', 'audio']);
});

test('the report is nobody else\'s', async ({ browser, own, server }) => {
  const stranger = await browser.newContext();
  const answer = await stranger.request.get(`${server.url}/vod/${own.id}/report`);
  expect(answer.status()).toBe(401);
  await stranger.close();
});

test('a recording goes to the bin, and comes back by undo and from the bin', async ({ admin: page, own }) => {
  await find(page, own);
  await live(page);
  await row(page, own.name).getByLabel(`Delete ${own.name}`).click();
  await expect(row(page, own.name)).toContainText('its URL stops working');
  await row(page, own.name).getByRole('button', { name: 'Move it to the bin' }).click();
  await expect(page.getByText(`${own.name} is in the bin.`)).toBeVisible();
  await expect(row(page, own.name)).toHaveCount(0);
  await expect.poll(() => statusOf(own.url)).toBe(404);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('Restored.')).toBeVisible();
  await expect(row(page, own.name).getByText('ready', { exact: true })).toBeVisible();
  await expect.poll(() => statusOf(own.url)).toBe(200);

  await page.goto(`/vod/${own.id}`);
  await page.getByLabel(`Delete ${own.name}`).click();
  await page.getByRole('button', { name: 'Move it to the bin' }).click();
  await expect(page.getByText('In the bin since')).toBeVisible();
  await expect(page.locator('video')).toHaveCount(0);
  await page.goto('/vod?state=bin');
  await expect(row(page, own.name)).toContainText('until');
  await page.getByLabel(`Restore ${own.name}`).click();
  await expect(page.getByText('Restored.')).toBeVisible();
  await page.goto(`/vod/${own.id}`);
  await expect(page.locator('video')).toBeVisible();
  await expect.poll(() => statusOf(own.url)).toBe(200);
});

test('a hold keeps a recording from everybody until it is lifted', async ({ admin: page, api, own }) => {
  await page.goto(`/vod/${own.id}`);
  await page.getByLabel(`Put ${own.name} on legal hold`).click();
  await page.getByLabel(/^Why/).fill('Case 7');
  await page.getByRole('button', { name: 'Put it on legal hold' }).click();
  await expect(page.getByLabel(`Lift the legal hold on ${own.name}`)).toBeVisible();
  await expect(page.locator('details.confirm[open]'), 'no question lies open where the button was').toHaveCount(0);
  await expect(page.getByText('“Case 7”')).toBeVisible();
  await expect(page.getByLabel(`Delete ${own.name}`)).toHaveCount(0);
  expect(await api.deleteAsset(own.id)).toBe(409);
  await page.goto('/vod?state=held');
  await expect(row(page, own.name).getByText('held', { exact: true })).toBeVisible();
  await expect(page.getByLabel(`Delete ${own.name}`)).toHaveCount(0);

  await page.goto(`/vod/${own.id}`);
  await page.getByLabel(`Lift the legal hold on ${own.name}`).click();
  await page.getByRole('button', { name: 'Lift the legal hold' }).click();
  await expect(page.getByText('The legal hold is lifted.')).toBeVisible();
  await expect(page.getByLabel(`Delete ${own.name}`)).toBeVisible();
  expect(await api.deleteAsset(own.id)).toBe(200);
  await expect(page.getByText('In the bin since')).toBeVisible();
});

test('the page of a recording in progress grows, and has its verdict a moment after the encoder left', async ({ admin: page, api, push }) => {
  const ingest = await createStream(page, { tags: 'title:In progress' });
  const encoder = push(ingest.server, ingest.streamKey);
  const growing = async () => (await api.stream(ingest.id)).playout.web.find((entry) => entry.type === 'vod');
  await page.goto(`/vod?stream=${ingest.streamKey}&state=recording`);
  await live(page);
  await row(page, `${ingest.streamKey}.mp4`).getByRole('link', { name: `In progress ${ingest.streamKey}.mp4`, exact: true }).click();
  await expect(page.getByRole('region', { name: 'Verdict' })).toContainText('It is being recorded.');
  // From 2 s on, however long it took to be looked at.
  await expect(fact(page, 'Duration')).toHaveText(/^(?!0:00:0[01]\.)\d+:\d\d:\d\d\.\d{3}$/);
  await expect(fact(page, 'Session ended')).toHaveText('not yet');
  await encoder.stop();
  await expect(page.getByRole('region', { name: 'Verdict' })).toContainText('Everything the encoder sent is in the file');
  await expect(page.locator('video')).toBeVisible();
  await expect(copyRow(page, 'SHA-256')).toBeVisible();
  expect((await growing())?.state).toBe('ready');
});

test('filters narrow the library and stay in its URL', async ({ admin: page, own }) => {
  const tag = own.stream.tags.find((tag) => tag.startsWith('own-')) ?? '';
  await page.goto('/vod');
  await page.getByLabel('Tag').fill(tag);
  await page.getByLabel('Region').selectOption('eu');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page).toHaveURL(/tag=.*&region=eu/);
  await expect(page.getByRole('table').locator('tbody tr')).toHaveCount(1);
  await page.reload();
  await expect(page.getByLabel('Tag')).toHaveValue(tag);
  await expect(page.getByLabel('Region')).toHaveValue('eu');
  await page.getByLabel('Region').selectOption('us');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByText('No recording matches.')).toBeVisible();
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(page).toHaveURL(/\/vod$/);
  await page.getByLabel('Stream', { exact: true }).fill(own.stream.ingest.rtmp.streamname);
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByRole('table').locator('tbody tr')).toHaveCount(1);
  await page.getByLabel('Recorded from').fill('2001-01-01');
  await page.getByLabel('to', { exact: true }).fill('2001-01-02');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByText('No recording matches.')).toBeVisible();
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });
  test.beforeEach(({ allowConsole }) => allowConsole(/was preloaded using link preload but not used/));

  test('a recording is found, read, deleted, found in the bin, restored and held', async ({ page, own }) => {
    await signIn(page);
    await find(page, own);
    await row(page, own.name).getByRole('link', { name: `Own recording ${own.name}`, exact: true }).click();
    await expect(page.getByRole('region', { name: 'Verdict' })).toContainText('Everything the encoder sent is in the file');
    await expect(copyValue(page, 'SHA-256')).toHaveText(/^[0-9a-f]{64}$/);
    await expect(page.locator('video')).toBeVisible();

    await page.getByLabel(`Delete ${own.name}`).click();
    await page.getByRole('button', { name: 'Move it to the bin' }).click();
    await expect(page.getByText(`${own.name} is in the bin.`)).toBeVisible();
    await page.goto('/vod?state=bin');
    await row(page, own.name).getByRole('button', { name: `Restore ${own.name}` }).click();
    await expect(page.getByText('Restored.')).toBeVisible();

    // Its files follow by a job, the poster too.
    await expect.poll(() => statusOf(own.url)).toBe(200);
    await page.goto(`/vod/${own.id}`);
    await page.getByLabel(`Put ${own.name} on legal hold`).click();
    await page.getByRole('button', { name: 'Put it on legal hold' }).click();
    await expect(page.getByText('On legal hold.')).toBeVisible();
    await expect(page.getByLabel(`Delete ${own.name}`)).toHaveCount(0);
  });
});
