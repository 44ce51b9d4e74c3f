// Live from the browser: camera and microphone by WebRTC into a recording.

import type { Locator, Page } from '@playwright/test';
import { Server } from '../support/server.ts';
import { createStream, live, recording, signIn } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';

const webcaster = (page: Page): Locator => page.locator('afterlive-webcaster');

async function preview(page: Page): Promise<void> {
  await webcaster(page).getByRole('button', { name: 'Turn on camera and microphone' }).click();
  const video = webcaster(page).getByLabel('Preview');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.videoWidth)).toBeGreaterThan(0);
}

test('a camera goes live, is watched by WebRTC, and becomes an MP4 when it stops', async ({ admin: page }) => {
  test.setTimeout(90_000);
  const ingest = await createStream(page);
  await page.goto(`/webcaster/${ingest.id}`);
  await live(page);
  await preview(page);
  await webcaster(page).getByRole('button', { name: 'Go live' }).click();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
  await expect(webcaster(page).locator('.badge')).toHaveText(/Good|Fair|Poor/);
  await expect(webcaster(page).locator('.video-rate')).toHaveText(/[1-9].* kbit\/s/);

  await test.step('a second page sees it by WHEP', async () => {
    const other = await page.context().newPage();
    await other.goto('/stream');
    const seen = await other.evaluate(watch, `/live/${ingest.streamKey}/whep`);
    expect(seen.frames).toBeGreaterThan(20);
    expect(seen.width).toBeGreaterThan(300);
    expect(seen.firstFrameMs).toBeLessThan(2_000);
    await other.close();
  });

  await webcaster(page).getByRole('button', { name: 'Mute' }).click();
  await webcaster(page).getByRole('button', { name: 'Camera off' }).click();
  await expect(webcaster(page).getByRole('button', { name: 'Mute' })).toHaveAttribute('aria-pressed', 'true');
  await webcaster(page).getByRole('button', { name: 'Stop' }).click();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'ended');
  const name = `${ingest.streamKey}.mp4`;
  const row = recording(page, name);
  await expect(row.getByText('ready', { exact: true })).toBeVisible({ timeout: 20_000 });
  await row.getByLabel(`Details of ${name}`).click();
  const video = row.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration), { timeout: 15_000 }).toBeGreaterThan(3);
  expect(await video.evaluate((video: HTMLVideoElement) => video.error)).toBeNull();
});

test('an operator who stops the stream ends the publish in the browser', async ({ admin: page, api }) => {
  const ingest = await createStream(page);
  await page.goto(`/webcaster/${ingest.id}`);
  await live(page);
  await preview(page);
  await webcaster(page).getByLabel('Live only').check();
  await webcaster(page).getByRole('button', { name: 'Go live' }).click();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
  await api.stop(ingest.id);
  await expect(webcaster(page)).toHaveAttribute('data-state', 'ended', { timeout: 15_000 });
  await expect(webcaster(page).getByRole('status')).toContainText('The server has ended it');
});

test('over plain http the page says why there is no camera', async ({ page, watchConsole }) => {
  const { server } = await Server.start({ setUp: true, publicHost: 'afterlive.test' });
  try {
    watchConsole(page.context());
    await signIn(page, server.url);
    await expect(page.getByRole('link', { name: 'New stream' })).toBeVisible();
    const ingest = await createStream(page, { origin: server.url });
    await page.goto(`${server.url}/webcaster/${ingest.id}`);
    await expect(webcaster(page).getByRole('alert')).toContainText('https');
    await expect(webcaster(page).getByRole('button', { name: 'Turn on camera and microphone' })).toBeHidden();
  } finally {
    await server.stop();
  }
});

/** Watches by WHEP for some seconds, in the page. */
async function watch(path: string): Promise<{ frames: number; width: number; firstFrameMs: number }> {
  const connection = new RTCPeerConnection();
  connection.addTransceiver('video', { direction: 'recvonly' });
  connection.addTransceiver('audio', { direction: 'recvonly' });
  const video = document.createElement('video');
  video.muted = true;
  video.autoplay = true;
  const stream = new MediaStream();
  video.srcObject = stream;
  connection.addEventListener('track', ({ track }) => stream.addTrack(track));
  await connection.setLocalDescription();
  const began = performance.now();
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: connection.localDescription?.sdp ?? '' });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  let firstFrameMs = 0;
  video.requestVideoFrameCallback(() => (firstFrameMs = performance.now() - began));
  document.body.append(video);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const { totalVideoFrames } = video.getVideoPlaybackQuality();
  const width = video.videoWidth;
  connection.close();
  video.remove();
  return { frames: totalVideoFrames, width, firstFrameMs };
}
