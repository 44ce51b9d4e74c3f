// The same paths without JavaScript: everything is readable and every form works; players, copying and live updates are what is missing.

import { copyValue, createStream, recording, recordings, signIn, signOut } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { ADMIN } from '../support/server.ts';
import { tour } from '../support/tour.ts';

test.use({ javaScriptEnabled: false });

test.beforeEach(({ allowConsole }) => allowConsole(/was preloaded using link preload but not used/));

test('set-up, a stream, sign-out, a wrong password and sign-in', async ({ page, newServer }) => {
  await page.goto(newServer.setUpLink);
  await page.getByLabel('Organisation').fill(ADMIN.organisation);
  await page.getByLabel('Your e-mail address').fill(ADMIN.email);
  await page.getByLabel('New password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Create the organisation' }).click();
  await expect(page.getByText('All set. Create a stream, and go live.')).toBeVisible();
  await page.getByRole('link', { name: 'Create the first stream' }).click();
  await page.getByRole('button', { name: 'Create the stream' }).click();
  await expect(page.getByRole('heading', { name: 'Go live in three steps' })).toBeVisible();

  await signOut(page);
  await expect(page.getByText('You are signed out.')).toBeVisible();
  await page.goto(`${newServer.url}/auth`);
  await page.getByLabel('E-mail address').fill(ADMIN.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toHaveText('This e-mail address and this password do not belong together.');
  await expect(page.getByLabel('E-mail address'), 'is kept').toHaveValue(ADMIN.email);
  await signIn(page, newServer.url);
  await expect(page.getByRole('navigation', { name: 'Streams by state' })).toBeVisible();
});

test('a stream is created, tagged, found, locked and deleted', async ({ admin: page }) => {
  const tag = `evening-${Date.now()}`;
  const { id, streamKey } = await createStream(page, { tags: tag });
  await page.goto(`/stream?tag=${tag}`);
  await expect(page.getByRole('table').locator('tbody tr')).toHaveCount(1);
  await page.getByRole('link', { name: streamKey }).click();
  await expect(page).toHaveURL(`/stream/${id}`);
  await expect(copyValue(page, 'Stream ID')).toHaveText(id);

  await page.getByText('Edit tags').click();
  await page.getByLabel('Tags, separated by commas').fill('title:Evening prayer');
  await page.getByRole('button', { name: 'Save tags' }).click();
  await expect(page.getByText('Tags saved.')).toBeVisible();
  await expect(page.getByRole('listitem').filter({ hasText: /^title:Evening prayer$/ })).toBeVisible();

  await page.getByText('Stop & Lock', { exact: true }).click();
  await page.getByRole('button', { name: 'Stop and lock the stream' }).click();
  await expect(page.getByText('Stopped and locked.')).toBeVisible();
  await page.getByRole('button', { name: 'Unlock' }).click();
  await expect(page.getByText('Unlocked.')).toBeVisible();

  await page.getByText('Delete', { exact: true }).click();
  await page.getByRole('button', { name: 'Delete the stream' }).click();
  await expect(page.getByText('The stream is deleted.')).toBeVisible();
});

test('a stream is given a name, and what a form refuses is seen where that is', async ({ admin: page }) => {
  const name = `Evening prayer ${Date.now()}`;
  await page.goto('/stream/create');
  await page.getByLabel(/^Name/).fill(name);
  await page.getByLabel(/^Tags/).fill('hall-2');
  await page.getByRole('button', { name: 'Create the stream' }).click();
  await page.waitForURL(/\/stream\/new\/[0-9a-f-]{36}$/);
  await page.goto(page.url().replace('/new', ''));
  await expect(page.getByRole('heading', { level: 1 })).toContainText(name);
  const stream = page.url();

  await page.setViewportSize({ width: 360, height: 500 });
  await page.goto('/organisation');
  await page.getByLabel('Sites that may show the player').fill("'self'");
  await page.getByRole('region', { name: 'Embedding' }).getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('region', { name: 'Embedding' }).getByRole('alert')).toBeInViewport();
  await page.getByLabel('Sites that may show the player').fill('');
  await page.getByRole('region', { name: 'Embedding' }).getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('region', { name: 'Embedding' }).getByText('Saved.', { exact: true })).toBeInViewport();

  await page.goto(stream);
  await page.getByText('Edit the push URL').click();
  await page.getByLabel('RTMP URL with the key').fill('http://live.example.com/app/key');
  await page.getByRole('button', { name: 'Save the push URL' }).click();
  const form = page.locator('details', { hasText: 'Edit the push URL' });
  await expect(form.getByRole('alert')).toContainText('Please give an rtmp:// URL');
  await expect(form.getByRole('alert')).toBeInViewport();
  await expect(form.getByLabel('RTMP URL with the key'), 'is kept').toHaveValue('http://live.example.com/app/key');
});

test('a key is made, shown once and revoked', async ({ admin: page }) => {
  await page.goto('/organisation');
  const label = `Without scripts ${Date.now()}`;
  await page.getByLabel('Label').fill(label);
  await page.getByLabel('Good for days').fill('7');
  await page.getByRole('button', { name: 'Make a key' }).click();
  const key = await copyValue(page.getByRole('status', { name: 'New API key' }), 'API key').innerText();
  expect(key.length).toBeGreaterThanOrEqual(32);
  expect(page.url()).not.toContain(key);
  await page.goto('/organisation');
  await expect(page.getByText(key)).toHaveCount(0);
  const row = page.getByRole('row').filter({ hasText: label });
  await expect(row.getByRole('time')).toHaveCount(2);
  await row.getByLabel(`Revoke the key ${label}`).click();
  await row.getByRole('button', { name: 'Revoke the key' }).click();
  await expect(page.getByText('The key is revoked.')).toBeVisible();
});

test('the recordings are a table that can be read, with links to the files', async ({ admin: page, recorded }) => {
  await page.goto(`/stream/${recorded.id}`);
  const name = `${recorded.ingest.rtmp.streamname}.mp4`;
  const row = recording(page, name);
  await expect(recordings(page).getByRole('columnheader').filter({ hasText: 'Duration' })).toBeVisible();
  await expect(row.getByText('ready', { exact: true })).toBeVisible();
  await expect(row.getByRole('cell', { name: /^\d:\d\d:\d\d$/ })).toBeVisible();
  const url = recorded.playout.web.find((entry) => entry.type === 'vod')?.url ?? '';
  await expect(row.getByRole('link', { name })).toHaveAttribute('href', url);
  await row.getByLabel(`Details of ${name}`).click();
  await expect(row.locator('video')).toBeVisible();
});

test('every page is complete as it comes', async ({ admin: page, recorded, allowConsole }) => {
  allowConsole(/status of 404 .*\/no\/such\/page/);
  for (const stop of tour(recorded).filter((stop) => stop.signedIn)) {
    await test.step(stop.name, async () => {
      await page.goto(stop.path);
      await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
      await expect(page.getByRole('main')).not.toHaveText(/^\s*$/);
    });
  }
});
