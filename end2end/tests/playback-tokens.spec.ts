// Playback tokens: made and revoked on a stream's page, and what they open where an organisation's recordings and streams are not public.

import type { Page } from '@playwright/test';
import { copyValue, live, recording, setSwitches } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

async function makeToken(page: Page, streamId: string, fields: Record<string, string>): Promise<{ token: string; url: (row: string) => Promise<string> }> {
  await page.goto(`/stream/${streamId}?tab=code`);
  const card = page.getByRole('region', { name: 'Playback access' });
  for (const [label, text] of Object.entries(fields)) await card.getByLabel(label).fill(text);
  await card.getByRole('button', { name: 'Make a playback token' }).click();
  const made = page.getByRole('status', { name: 'New playback token' });
  const token = await copyValue(made, 'Playback token').innerText();
  expect(page.url()).not.toContain(token);
  return { token, url: (row) => copyValue(made, row).innerText() };
}

for (const scripts of [true, false]) {
  test.describe(scripts ? 'with scripts' : 'without scripts', () => {
    test.use({ javaScriptEnabled: scripts });

    test('a token opens what is guarded until it is revoked', async ({ admin: page, browser, server, recorded, watchConsole, allowConsole }) => {
      if (!scripts) allowConsole(/was preloaded using link preload but not used/);
      allowConsole(/status of 40[13]/);
      const label = `Website ${scripts ? 'with' : 'without'} ${Date.now()}`;
      await setSwitches(page, { 'Live public': false, 'VOD public': false });
      try {
        const vod = recorded.playout.web.find((entry) => entry.type === 'vod')!.url;
        expect((await fetch(vod)).status).toBe(403);
        const { token, url } = await makeToken(page, recorded.id, { Label: label, 'Good for': '2' });
        expect((await fetch(await url('Newest recording'), { headers: { Range: 'bytes=0-9' } })).status).toBe(206);
        expect((await fetch(vod, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(200);

        const outside = await browser.newContext({ baseURL: server.url });
        watchConsole(outside);
        const visitor = await outside.newPage();
        await visitor.goto(`/playout/${recorded.id}`);
        await expect(visitor).toHaveURL(/\/auth\?next=/);
        await visitor.goto(await url('Playout page'));
        const video = visitor.getByRole('region', { name: 'Player' }).locator('video');
        await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.readyState)).toBeGreaterThan(0);
        // What it asked for would be refused, and when, nobody knows.
        await visitor.goto('about:blank');

        const row = page.getByRole('row').filter({ hasText: label });
        await expect(row).toContainText('this stream');
        await row.getByLabel(`Revoke the token ${label}`).click();
        await row.getByRole('button', { name: 'Revoke the token' }).click();
        await expect(page.getByText('The token is revoked.')).toBeVisible();
        await expect(row).toHaveCount(0);
        expect((await fetch(vod, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(403);
        await outside.close();
      } finally {
        await setSwitches(page, { 'Live public': true, 'VOD public': true });
      }
    });
  });
}

test('who comes with a token sees the stills of what is live', async ({ admin: page, browser, server, api, push, watchConsole }) => {
  const stream = await api.createStream(['title:Members only']);
  await setSwitches(page, { 'Live public': false, 'VOD public': false });
  try {
    const { url } = await makeToken(page, stream.id, { Label: `Stills ${Date.now()}`, 'Good for': '2' });
    expect(new URL(await url('HLS')).searchParams.get('token')).not.toBeNull();
    push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
    const outside = await browser.newContext({ baseURL: server.url });
    watchConsole(outside);
    const visitor = await outside.newPage();
    await visitor.goto(await url('Playout page'));
    await visitor.getByText('Links and details').click();
    const stills = [visitor.getByAltText('The stream as it looked'), recording(visitor, `${stream.ingest.rtmp.streamname}.mp4`).locator('img')];
    for (const still of stills) {
      await expect(still).toBeVisible({ timeout: 20_000 });
      await expect.poll(() => still.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
    }
    await outside.close();
  } finally {
    await setSwitches(page, { 'Live public': true, 'VOD public': true });
  }
});

test('what a guest copies opens with the token they came with', async ({ admin: page, browser, server, recorded, watchConsole }) => {
  const name = recorded.ingest.rtmp.streamname;
  for (const isLivePublic of [true, false]) {
    await setSwitches(page, { 'Live public': isLivePublic, 'VOD public': false });
    try {
      const { token } = await makeToken(page, recorded.id, { Label: `Copies ${Date.now()}`, 'Good for': '2' });
      const outside = await browser.newContext({ baseURL: server.url });
      watchConsole(outside);
      const visitor = await outside.newPage();
      await visitor.goto(`/playout/${recorded.id}?token=${token}`);
      await visitor.getByText('Links and details').click();
      const row = recording(visitor, recorded.playout.web.find((entry) => entry.type === 'vod')!.url.split('/').pop()!);
      await row.getByLabel(/details of/).click();
      for (const copied of [copyValue(visitor, 'Newest recording'), copyValue(row, 'URL')]) {
        const url = await copied.innerText();
        expect(new URL(url).searchParams.getAll('token'), url).toEqual([token]);
        expect((await fetch(url, { headers: { Range: 'bytes=0-9' } })).status).toBe(206);
      }
      const ending = isLivePublic ? `/play/${name}` : `/play/${name}?token=${token}`;
      expect((await copyValue(visitor, 'RTMP').innerText()).endsWith(ending)).toBe(true);
      await outside.close();
    } finally {
      await setSwitches(page, { 'Live public': true, 'VOD public': true });
    }
  }
});

test('who watches live by a token is told when it is revoked', async ({ admin: page, browser, server, api, push, watchConsole, allowConsole }) => {
  test.setTimeout(90_000);
  allowConsole(/status of 403/);
  const stream = await api.createStream(['title:Members only']);
  const first = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
  await expect.poll(() => first.sentMs).toBeGreaterThan(2_000);
  await first.stop();
  // What is live stands there too, and first.
  const isRecorded = async () => (await api.stream(stream.id)).playout.web.some((entry) => entry.type === 'vod' && entry.state === 'ready');
  await expect.poll(isRecorded, { timeout: 20_000 }).toBe(true);
  await setSwitches(page, { 'Live public': false, 'VOD public': false });
  try {
    const label = `Live ${Date.now()}`;
    const { token } = await makeToken(page, stream.id, { Label: label, 'Good for': '2' });
    const outside = await browser.newContext({ baseURL: server.url });
    watchConsole(outside);
    const visitor = await outside.newPage();
    await visitor.goto(`/embed/${stream.id}?token=${token}`);
    const player = visitor.locator('afterlive-player');
    await expect(player).toHaveAttribute('src', /\?token=/);
    const encoder = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
    await expect(player, 'the frame hears of it by the token').toHaveAttribute('data-state', 'playing');

    const row = page.getByRole('row').filter({ hasText: label });
    await row.getByLabel(`Revoke the token ${label}`).click();
    await row.getByRole('button', { name: 'Revoke the token' }).click();
    await expect(player).toHaveAttribute('data-state', 'refused');
    await expect(player.getByText('the token was revoked').first()).toBeVisible();
    await outside.close();
    await encoder.stop();
  } finally {
    await setSwitches(page, { 'Live public': true, 'VOD public': true });
  }
});

test('a form that cannot be says what to mend, once more where it is sent once more', async ({ admin: page, recorded }) => {
  await page.goto(`/stream/${recorded.id}?tab=code`);
  await live(page);
  const card = page.getByRole('region', { name: 'Playback access' });
  await card.getByLabel('Label').fill('Nowhere');
  await card.getByLabel(/^Only from these IP/).fill('nowhere');
  await card.getByRole('button', { name: 'Make a playback token' }).click();
  const told = page.getByRole('alert');
  await expect(told).toContainText('Please give IP addresses');
  const first = await told.elementHandle();
  await card.getByRole('button', { name: 'Make a playback token' }).click();
  await expect.poll(() => first?.evaluate((paragraph) => paragraph.isConnected), 'another one is told').toBe(false);
  await expect(told).toContainText('Please give IP addresses');
});

test('the dashboard plays what is guarded, and copies the bare URL', async ({ admin: page, recorded }) => {
  await setSwitches(page, { 'VOD public': false });
  try {
    const vod = recorded.playout.web.find((entry) => entry.type === 'vod')!.url;
    await page.goto(`/stream/${recorded.id}`);
    const row = recording(page, vod.split('/').pop()!);
    await row.getByLabel(/details of/).click();
    await expect(copyValue(row, 'URL')).toHaveText(vod);
    await expect(row.getByText('Recordings are not public here')).toBeVisible();
    const video = row.locator('video');
    await expect(video).toHaveAttribute('src', /\?token=/);
    // By the token alone, as where a region has a host name of its own.
    const src = (await video.getAttribute('src'))!;
    expect((await fetch(src, { headers: { Range: 'bytes=0-9' } })).status).toBe(206);
    const poster = (await row.locator('.thumbnail img').getAttribute('src'))!;
    expect((await fetch(new URL(poster, page.url()))).status).toBe(200);
    expect((await fetch((await row.getByRole('link', { name: 'Download MP4' }).getAttribute('href'))!, { method: 'HEAD' })).status).toBe(200);
  } finally {
    await setSwitches(page, { 'VOD public': true });
  }
});
