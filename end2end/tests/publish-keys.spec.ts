// Publish keys: what is copied into an encoder has one where the organisation requires it, and the stream's name alone lets nobody in.

import type { Page } from '@playwright/test';
import { copyValue, createStream, live } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

const WITH_KEY = /^\w{5}-\w{5}\?key=[0-9a-f]{32}$/;

async function requireKeys(page: Page, on: boolean): Promise<void> {
  await page.goto('/organisation');
  const card = page.getByRole('region', { name: 'Publish keys' });
  await card.getByRole('checkbox').setChecked(on);
  await card.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.', { exact: true })).toBeVisible();
}

// The organisation is every spec's, also where this one has run out of time.
test.afterEach(async ({ api }) => api.requirePublishKeys(false));

test('where publish keys are required, what is copied goes live, from an encoder and from the browser, and the name alone does not', async ({
  admin: page,
  push,
  api,
}) => {
  test.setTimeout(120_000);
  await page.goto('/organisation');
  const recommended = page.getByText('Recommended, since playback is public');
  await expect(recommended).toBeVisible();
  await requireKeys(page, true);
  await expect(recommended).toHaveCount(0);
  const { id, server, streamKey } = await createStream(page);
  expect(streamKey).toMatch(WITH_KEY);
  const name = streamKey.split('?')[0] ?? '';
  const state = page.getByRole('heading', { level: 1 }).locator('.pill');
  await expect(page.locator('.copy-block', { hasText: 'ffmpeg' }).first()).toContainText(`/${streamKey}'`);

  await test.step('an encoder is let in with the stream key, and told why where it has the name alone', async () => {
    const refused = push(server, name);
    await refused.untilEnded();
    expect(refused.log).toContain('a publish key is missing: copy the stream key');
    const encoder = push(server, streamKey);
    await expect(state).toHaveText('live');
    await encoder.stop();
    await expect(state).toHaveText('ended');
  });

  const renewed = await test.step('the key is renewed once that is confirmed', async () => {
    await page.goto(`/stream/${id}`);
    await live(page);
    await page.locator('summary', { hasText: 'Renew key' }).click();
    await page.getByRole('button', { name: 'Renew the publish key' }).click();
    await expect(page.getByText('The publish key is renewed.')).toBeVisible();
    await expect(copyValue(page, 'Stream key')).not.toHaveText(streamKey);
    const renewed = await copyValue(page, 'Stream key').innerText();
    expect(renewed).toMatch(WITH_KEY);
    const refused = push(server, streamKey);
    await refused.untilEnded();
    expect(refused.log).toContain('the publish key is wrong: copy the stream key anew');
    return renewed;
  });

  await test.step('the webcaster goes live, stays so when the key is renewed, and goes live again with the new one', async () => {
    await page.goto(`/webcaster/${id}`);
    await live(page);
    const webcaster = page.locator('afterlive-webcaster');
    await expect(webcaster).toHaveAttribute('stream-key', renewed);
    await webcaster.getByRole('button', { name: 'Turn on camera and microphone' }).click();
    const goLive = async () => {
      await webcaster.getByRole('button', { name: 'Go live' }).click();
      await expect(webcaster).toHaveAttribute('data-state', 'live');
      await expect(state).toHaveText('live');
    };
    await goLive();
    await api.renewPublishKey(id);
    await expect(webcaster).not.toHaveAttribute('stream-key', renewed);
    await expect(webcaster, 'it is the same element').toHaveAttribute('data-state', 'live');
    await webcaster.getByRole('button', { name: 'Stop' }).click();
    await expect(webcaster).toHaveAttribute('data-state', 'ended');
    await expect(state).toHaveText('ended');
    await goLive();
    await webcaster.getByRole('button', { name: 'Stop' }).click();
    await expect(state).toHaveText('ended');
  });

  await requireKeys(page, false);
  await expect(recommended).toBeVisible();
});
