// The list of streams: what it shows lives in its URL.

import type { Page } from '@playwright/test';
import { createStream, live } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

const rows = (page: Page) => page.getByRole('table').locator('tbody tr');

/** Fills the form and presses its button. */
async function show(page: Page, fields: { q?: string; tag?: string; sort?: string }): Promise<void> {
  if (fields.q !== undefined) await page.getByRole('searchbox', { name: 'Search' }).fill(fields.q);
  if (fields.tag !== undefined) await page.getByLabel('Tag', { exact: true }).fill(fields.tag);
  if (fields.sort !== undefined) await page.getByLabel('Sort').selectOption(fields.sort);
  await page.getByRole('search').getByRole('button', { name: 'Show' }).click();
}

test('is filtered by tag, searched, sorted and paged, and its URL brings all of that back', async ({ admin: page, api }) => {
  const batch = `batch-${Date.now()}`;
  const names: string[] = [];
  for (let number = 1; number <= 27; number += 1) {
    const stream = await api.createStream([batch, `number-${number}`]);
    names.push(stream.ingest.rtmp.streamname);
  }
  await page.goto('/stream');
  // Before that the browser's own form puts every field into the URL.
  await live(page);
  await show(page, { tag: batch });
  await expect(page.getByText('27 streams', { exact: true })).toBeVisible();
  expect([...new URL(page.url()).searchParams], 'fields that say nothing stay out of the URL').toEqual([['tag', batch]]);
  await expect(rows(page)).toHaveCount(25);
  await expect(rows(page).first()).toContainText(names[26] ?? '');

  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Next' }).click();
  await expect(rows(page)).toHaveCount(2);
  await expect(rows(page).last()).toContainText(names[0] ?? '');
  await page.reload();
  await expect(rows(page)).toHaveCount(2);
  await page.goBack();
  await expect(rows(page)).toHaveCount(25);

  await page.getByRole('navigation', { name: 'Streams a page' }).getByRole('link', { name: '50', exact: true }).click();
  await expect(rows(page)).toHaveCount(27);

  await show(page, { sort: 'By streamname' });
  await expect(rows(page).first()).toContainText([...names].sort()[0] ?? '');

  await show(page, { q: 'NUMBER-13' });
  await expect(rows(page)).toHaveCount(1);
  await expect(rows(page)).toContainText(names[12] ?? '');
  await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue('NUMBER-13');

  await show(page, { q: 'no stream is called that' });
  await expect(page.getByText('No stream matches.')).toBeVisible();
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(rows(page).first()).toBeVisible();
  await expect(page.getByLabel('Tag', { exact: true })).toHaveValue('');
});

test('shows a stream that somebody else creates, and its change of state, by itself', async ({ admin: page, api, push }) => {
  await page.goto('/stream');
  await live(page);
  const stream = await api.createStream([`title:made elsewhere ${Date.now()}`]);
  const row = rows(page).filter({ hasText: stream.id });
  await expect(row.getByText('created', { exact: true })).toBeVisible();
  push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
  await expect(row.getByText('live', { exact: true })).toBeVisible();
});

test('leads from a state on the start page to the streams that are in it', async ({ admin: page, recorded }) => {
  await page.goto('/');
  await page.getByRole('navigation', { name: 'Streams by state' }).getByRole('link', { name: /ended/ }).click();
  await expect(page).toHaveURL('/stream?state=ended');
  // Other tests' streams have ended since, more of them than a page holds.
  await page.goto(`/stream?state=ended&q=${recorded.id}`);
  await expect(rows(page).filter({ hasText: recorded.id })).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'State' }).getByRole('link', { name: /ended/ })).toHaveAttribute('aria-current', 'true');
});

test('a question is left without an answer by its button and by Escape', async ({ admin: page, recorded }) => {
  await page.goto(`/stream/${recorded.id}`);
  await live(page);
  const deletes = page.locator('.page-head').getByText('Delete', { exact: true });
  const question = page.locator('.page-head').getByText(/is deleted, and its streamname is never given again/);
  for (const leave of [() => page.keyboard.press('Escape'), () => page.getByRole('button', { name: 'Cancel' }).click()]) {
    await deletes.click();
    await expect(question).toBeVisible();
    await leave();
    await expect(question).toBeHidden();
    await expect(deletes).toBeFocused();
  }
});

for (const [start, link, button] of [
  ['/stream', 'New stream', 'Create the stream'],
  ['/webcaster', undefined, 'Create it and open the webcaster'],
] as const) {
  test(`“${button}” that is pressed twice makes one stream`, async ({ admin: page }) => {
    await page.goto(start);
    await live(page);
    // By the router: a page that is loaded may not have its scripts yet.
    if (link !== undefined) await page.getByRole('banner').getByRole('link', { name: link }).click();
    const tag = `twice-${Date.now()}`;
    await page.getByLabel(/^Tags/).fill(tag);
    let sent = 0;
    let answer = (): void => {};
    const isPressedTwice = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/ui/create_stream', async (route) => {
      sent += 1;
      await isPressedTwice;
      await route.continue();
    });
    const press = page.getByRole('button', { name: button });
    await press.scrollIntoViewIfNeeded();
    const { x, y, width, height } = (await press.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    // By hand: whoever looks for a button on a page that is being left waits for the next one.
    await page.mouse.click(x + width / 2, y + height / 2);
    await expect.poll(() => sent).toBe(1);
    await page.mouse.click(x + width / 2, y + height / 2);
    answer();
    await expect(page).toHaveURL(/\/(stream\/new|webcaster)\/[0-9a-f-]{36}$/);
    expect(sent).toBe(1);
    await page.goto(`/stream?tag=${tag}`);
    await expect(rows(page)).toHaveCount(1);
  });
}

test('a stream is created with a name, which heads its pages and is one of its tags', async ({ admin: page }) => {
  await page.goto('/stream/create');
  const name = page.getByLabel(/^Name/);
  await name.fill('Prayer, in the evening');
  await page.getByLabel(/^Tags/).fill('hall-2');
  await page.getByRole('button', { name: 'Create the stream' }).click();
  expect(await name.evaluate((field: HTMLInputElement) => field.validity.patternMismatch), 'it would be two tags').toBe(true);
  await name.fill('Prayer in the evening');
  await page.getByRole('button', { name: 'Create the stream' }).click();
  await page.waitForURL(/\/stream\/new\/[0-9a-f-]{36}$/);
  await page.goto(`/stream/${page.url().slice(-36)}`);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Prayer in the evening');
  for (const tag of [/^title:Prayer in the evening$/, /^hall-2$/]) {
    await expect(page.getByRole('listitem').filter({ hasText: tag })).toHaveCount(1);
  }
});

test('a stream\'s tags are edited in place', async ({ admin: page }) => {
  const { id } = await createStream(page, { tags: 'first, second' });
  await page.goto(`/stream/${id}`);
  await page.getByText('Edit tags').click();
  await page.getByLabel('Tags, separated by commas').fill('title:Evening prayer, second,  second ');
  await page.getByRole('button', { name: 'Save tags' }).click();
  await expect(page.getByText('Tags saved.')).toBeVisible();
  await expect(page.getByRole('listitem').filter({ hasText: /^title:Evening prayer$/ })).toBeVisible();
  await expect(page).toHaveTitle(/^Evening prayer/);
  await page.reload();
  await expect(page.getByRole('listitem').filter({ hasText: /^second$/ })).toHaveCount(1);
});

test('what is refused of tags or of a push URL is said in the form, which keeps what was typed, and told each time', async ({ admin: page }) => {
  const { id } = await createStream(page);
  await page.setViewportSize({ width: 360, height: 500 });
  await page.goto(`/stream/${id}`);
  await live(page);
  for (const [name, label, wrong, press, says, right, done] of [
    ['Edit tags', 'Tags, separated by commas', 'x'.repeat(300), 'Save tags', 'Please give tags of at most', 'evening', 'Tags saved.'],
    ['Edit the push URL', 'RTMP URL with the key', 'http://live.example.com/app/key', 'Save the push URL', 'Please give an rtmp:// URL', '', 'Saved.'],
  ] as const) {
    const form = page.locator('details', { hasText: name });
    const told = form.getByRole('alert');
    await form.getByText(name).click();
    await form.getByLabel(label).fill(wrong);
    await form.getByRole('button', { name: press }).click();
    await expect(told).toContainText(says);
    await expect(told).toBeInViewport();
    await expect(page.getByRole('alert'), 'nowhere else').toHaveCount(1);
    await expect(form.getByLabel(label)).toHaveAttribute('aria-invalid', 'true');
    await expect(form.getByLabel(label)).toHaveAccessibleDescription(new RegExp(says));
    await expect(form.getByLabel(label), 'is kept').toHaveValue(wrong);
    const first = await told.elementHandle();
    await form.getByRole('button', { name: press }).click();
    await expect.poll(() => first?.evaluate((paragraph) => paragraph.isConnected), 'another one is told').toBe(false);
    await expect(told).toContainText(says);
    await form.getByLabel(label).fill(right);
    await form.getByRole('button', { name: press }).click();
    await expect(page.locator('.notices')).toContainText(done);
    await expect(page.getByRole('alert')).toHaveCount(0);
    await expect(form.getByLabel(label), 'the form stays open').toBeVisible();
    await expect(form.getByLabel(label)).toHaveValue(right);
  }
});

test('deleting asks once, names what is lost, and then the stream is gone for everyone', async ({ admin: page, server }) => {
  const { id, streamKey } = await createStream(page);
  await page.goto(`/stream/${id}`);
  await page.getByText('Delete', { exact: true }).click();
  await expect(page.getByText(`The stream ${streamKey} is deleted, and its streamname is never given again.`)).toBeVisible();
  await page.getByRole('button', { name: 'Delete the stream' }).click();
  await expect(page).toHaveURL(/^[^?]*\/stream\?/);
  await expect(page.getByText('The stream is deleted.')).toBeVisible();
  await expect(rows(page).filter({ hasText: id })).toHaveCount(0);
  expect((await fetch(`${server.url}/stream/${id}`)).status).toBe(404);
  await page.goto('/stream?state=deleted');
  await expect(rows(page).filter({ hasText: id })).toBeVisible();
  await expect(rows(page).filter({ hasText: id }).getByRole('link'), 'there is no page to go to').toHaveCount(0);
});
