// Live from the browser: camera and microphone by WebRTC into a recording.

import type { Locator, Page } from '@playwright/test';
import { ages, CLOCK_BITS, clockCamera, median } from '../support/clock.ts';
import { Server } from '../support/server.ts';
import { createStream, live, recording, signIn, type Ingest } from '../support/pages.ts';
import { ALONE, expect, test } from '../support/fixtures.ts';

const webcaster = (page: Page): Locator => page.locator('afterlive-webcaster');

/** A stream of its own, with the camera on the page. */
async function prepare(page: Page): Promise<Ingest> {
  const ingest = await createStream(page);
  await page.goto(`/webcaster/${ingest.id}`);
  await live(page);
  await preview(page);
  return ingest;
}

async function goLive(page: Page): Promise<void> {
  await webcaster(page).getByRole('button', { name: 'Go live' }).click();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
}

async function preview(page: Page): Promise<void> {
  await webcaster(page).getByRole('button', { name: 'Turn on camera and microphone' }).click();
  const video = webcaster(page).getByLabel('Preview');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.videoWidth)).toBeGreaterThan(0);
}

test('is opened on a new stream, or on one that is there', async ({ admin: page }) => {
  await page.goto('/webcaster');
  const title = `from the browser ${Date.now()}`;
  await page.getByLabel('Tags').fill(`title:${title}`);
  await page.getByRole('button', { name: 'Create it and open the webcaster' }).click();
  await expect(page).toHaveURL(/\/webcaster\/[0-9a-f-]{36}$/);
  const made = page.url();
  await expect(page.getByRole('heading', { name: title })).toBeVisible();
  await expect(webcaster(page).getByRole('button', { name: 'Turn on camera and microphone' })).toBeVisible();

  await page.getByRole('link', { name: 'Another stream' }).click();
  await expect(page).toHaveURL('/webcaster');
  await page.getByRole('link', { name: title }).click();
  await expect(page).toHaveURL(made);
});

test('a camera goes live, is watched by WebRTC, and becomes an MP4 when it stops', async ({ admin: page }) => {
  test.setTimeout(90_000);
  const ingest = await createStream(page);
  await page.goto(`/webcaster/${ingest.id}`);
  await live(page);
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const get = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wish) => {
      const stream = await get(wish);
      Object.assign(globalThis, { tracks: stream.getTracks() });
      return stream;
    };
  });
  await preview(page);
  await goLive(page);
  await expect(webcaster(page).locator('.badge')).toHaveText(/Good|Fair|Poor/);
  await expect(webcaster(page).locator('.video-rate')).toHaveText(/^([1-9]\d* kbit|[1-9]\d*\.\d\d Mbit)\/s$/);
  await test.step('what becomes of it can still be read', async () => {
    const choice = webcaster(page).getByLabel('Live and recorded');
    await expect(choice).toBeDisabled();
    const faded = (input: Element): boolean => {
      for (let part: Element | null = input; part !== null; part = part.parentElement) if (getComputedStyle(part).opacity !== '1') return true;
      return false;
    };
    expect(await choice.evaluate(faded)).toBe(false);
  });

  await test.step('a second page sees it by WHEP', async () => {
    const other = await page.context().newPage();
    await other.goto('/stream');
    const seen = await other.evaluate(watch, { path: `/live/${ingest.streamKey}/whep`, frames: 20 });
    expect(seen.width).toBeGreaterThan(300);
    // No limit in time: it is decoded beside its own encoder.
    test.info().annotations.push({ type: 'first picture', description: `${Math.round(seen.firstFrameMs)} ms after asking` });
    await other.close();
  });

  await test.step('a link asks before it ends what is live', async () => {
    const asked = page.waitForEvent('dialog');
    const pressed = page.getByRole('link', { name: 'Recordings', exact: true }).click();
    const dialog = await asked;
    expect(dialog.type()).toBe('beforeunload');
    await dialog.dismiss();
    await pressed;
    await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
    await expect(page).toHaveURL(/\/webcaster\//);
  });

  await test.step('without sound and picture, and with both again', async () => {
    const button = (name: string) => webcaster(page).getByRole('button', { name, exact: true });
    await button('Mute').click();
    await button('Camera off').click();
    await expect(webcaster(page).getByText('Camera is off')).toBeVisible();
    await button('Camera on').click();
    await expect(webcaster(page).getByText('Camera is off')).toBeHidden();
    await button('Unmute').click();
    await expect(button('Mute')).toBeVisible();
  });
  const name = `${ingest.streamKey}.mp4`;
  const row = recording(page, name);
  // Long enough for what is asked of the file below.
  await expect(row.getByRole('cell', { name: /^(?!0:00:0[0-3]$)\d+:\d\d:\d\d$/ })).toBeVisible();
  await webcaster(page).getByRole('button', { name: 'Stop' }).click();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'ended');
  await expect(row.getByText('ready', { exact: true })).toBeVisible({ timeout: 20_000 });
  await expect(webcaster(page).getByRole('status')).toHaveText('Ended. The recording stands below.');
  await test.step('the camera is switched off without leaving the page', async () => {
    await webcaster(page).getByRole('button', { name: 'Turn off camera and microphone' }).click();
    await expect(webcaster(page).getByText('No preview yet')).toBeVisible();
    await expect(webcaster(page).getByRole('button', { name: 'Turn on camera and microphone' })).toBeFocused();
    expect(await page.evaluate(() => (globalThis as unknown as { tracks: MediaStreamTrack[] }).tracks.map(({ readyState }) => readyState))).toEqual(['ended', 'ended']);
  });
  await row.getByLabel(`Details of ${name}`).click();
  const video = row.locator('video');
  await expect.poll(() => video.evaluate((video: HTMLVideoElement) => video.duration), { timeout: 15_000 }).toBeGreaterThan(3);
  expect(await video.evaluate((video: HTMLVideoElement) => video.error)).toBeNull();
});

test('who goes back or signs out is asked as well', async ({ admin: page }) => {
  const ingest = await createStream(page);
  await page.goto(`/stream/${ingest.id}`);
  await live(page);
  await page.getByRole('link', { name: 'Webcaster', exact: true }).click();
  await live(page);
  await preview(page);
  await goLive(page);
  const isAskedAfter = async (act: () => Promise<unknown>): Promise<void> => {
    const asked = page.waitForEvent('dialog');
    const acted = act();
    const dialog = await asked;
    expect(dialog.type()).toBe('beforeunload');
    await dialog.dismiss();
    await acted;
    await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
  };
  await isAskedAfter(() => page.evaluate(() => history.back()));
  await page.locator('.user-menu summary').click();
  await isAskedAfter(() => page.getByRole('button', { name: 'Sign out' }).click());
});

test('who leaves by a link is asked, and then ends the publish at once', async ({ admin: page, api }) => {
  const ingest = await prepare(page);
  await goLive(page);
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('link', { name: 'Recordings', exact: true }).click();
  await expect(page).toHaveURL('/vod');
  // The server would wait 20 s for somebody who is only silent.
  await expect.poll(async () => (await api.stream(ingest.id)).state).toBe('ended');
});

test('what is live from here goes on when tags or the push URL are saved', async ({ admin: page }) => {
  const ingest = await prepare(page);
  await goLive(page);
  const element = await webcaster(page).elementHandle();
  const isAskedToLeave: string[] = [];
  page.on('dialog', (dialog) => {
    isAskedToLeave.push(dialog.type());
    void dialog.dismiss();
  });
  await page.getByText('Edit tags').click();
  await page.getByLabel('Tags, separated by commas').fill('title:Evening prayer');
  await page.getByRole('button', { name: 'Save tags' }).click();
  await expect(page).toHaveURL(`/webcaster/${ingest.id}?notice=tags`);
  await expect(page.getByText('Tags saved.')).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Evening prayer');

  await page.getByText('Edit the push URL').click();
  await page.getByLabel(/^RTMP URL with the key/).fill('nonsense');
  await page.getByRole('button', { name: 'Save the push URL' }).click();
  await expect(page).toHaveURL(`/webcaster/${ingest.id}?notice=flash#push-url`);
  await expect(page.locator('#push-url').getByRole('alert')).toBeVisible();

  expect(await element?.evaluate((element) => element.isConnected), 'it is the same element').toBe(true);
  await expect(webcaster(page)).toHaveCount(1);
  await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
  expect(isAskedToLeave).toEqual([]);
});

test('what a camera sends is seen on the playout page within 500 ms from glass to glass, and by WebRTC within 300 ms', { tag: ALONE }, async ({ admin: page }) => {
  test.setTimeout(270_000);
  await page.addInitScript(clockCamera, CLOCK_BITS);
  const ingest = await prepare(page);
  await goLive(page);

  const viewer = await page.context().newPage();
  await viewer.goto(`/playout/${ingest.id}`);
  const player = viewer.locator('afterlive-player').first();
  await expect(player).toHaveAttribute('data-state', 'playing', { timeout: 20_000 });
  // Of batch after batch: what is late in one that the machine was too busy for is not the delivery.
  let bySocket = NaN;
  const newestBySocket = async () => (bySocket = median(await ages(player.locator('video'), 30)));
  await expect.poll(newestBySocket, { timeout: 90_000, intervals: [0] }).toBeLessThan(500);

  await viewer.goto('/stream');
  await viewer.evaluate(watch, { path: `/live/${ingest.streamKey}/whep`, frames: 0 });
  let byWebRtc = NaN;
  const newestByWebRtc = async () => (byWebRtc = median(await ages(viewer.locator('#watched'), 30)));
  await expect.poll(newestByWebRtc, { timeout: 120_000, intervals: [0] }).toBeLessThan(300);
  const description = `${bySocket} ms by WebSocket, ${byWebRtc} ms by WHEP, at the median`;
  console.log(description);
  test.info().annotations.push({ type: 'latency', description });
  await viewer.close();
  await webcaster(page).getByRole('button', { name: 'Stop' }).click();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'ended');
});

test('nothing moves under the hand: not when the webcaster comes, nor with the stream\'s state', async ({ admin: page, push }) => {
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(globalThis, { shifts });
    new PerformanceObserver((list) => shifts.push(...list.getEntries().map((entry) => (entry as unknown as { value: number }).value))).observe({ type: 'layout-shift', buffered: true });
  });
  const ingest = await createStream(page);
  for (const width of [360, 700, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`/webcaster/${ingest.id}`);
    await live(page);
    await expect(webcaster(page).getByRole('button', { name: 'Turn on camera and microphone' })).toBeVisible();
    // Two frames, as what has moved is told after it has been drawn.
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const moved = await page.evaluate(() => (globalThis as unknown as { shifts: number[] }).shifts.reduce((sum, shift) => sum + shift, 0));
    expect.soft(moved, `${width}`).toBeLessThan(0.02);
  }
  await page.setViewportSize({ width: 360, height: 800 });
  const place = async () => (await page.getByRole('link', { name: 'To the stream' }).boundingBox())?.y;
  const state = page.getByRole('heading', { level: 1 }).locator('.pill');
  const before = await place();
  await expect(state).toHaveText('created');
  push(ingest.server, ingest.streamKey);
  await expect(state).toHaveText('live');
  expect(await place()).toBe(before);
});

test('a camera or a microphone that ends while live is named, and one button has it back in the same publish', async ({ admin: page, api }) => {
  const ingest = await createStream(page);
  await page.goto(`/webcaster/${ingest.id}`);
  await live(page);
  await page.evaluate(() => {
    const [streams, connections]: [MediaStream[], RTCPeerConnection[]] = [[], []];
    Object.assign(globalThis, { streams, connections });
    const { mediaDevices } = navigator;
    const get = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wish) => {
      const stream = await get(wish);
      streams.push(stream);
      return stream;
    };
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        connections.push(this);
      }
    };
  });
  await preview(page);
  await goLive(page);
  const again = webcaster(page).getByRole('button', { name: 'Turn on again' });
  const note = webcaster(page).getByRole('status');
  await expect(again).toBeHidden();
  /** Of all sessions there were: what each sends, and how many pictures it has sent. */
  const sent = () =>
    page.evaluate(async () => {
      const { connections } = globalThis as unknown as { connections: RTCPeerConnection[] };
      const reports = await Promise.all(connections.map(async (connection) => [...(await connection.getStats()).values()]));
      return {
        tracks: connections.map((connection) => connection.getSenders().map(({ track }) => `${track?.kind} ${track?.readyState}`).sort()),
        pictures: reports.flat().reduce((sum, { type, framesSent }) => sum + (type === 'outbound-rtp' ? (framesSent ?? 0) : 0), 0),
      };
    });
  const ways = [
    { kind: 'video', words: 'The picture has ended.', press: () => again.click() },
    { kind: 'audio', words: 'The sound has ended.', press: () => again.press('Enter') },
  ];
  for (const { kind, words, press } of ways) {
    await test.step(kind, async () => {
      await page.evaluate((kind) => {
        const { streams } = globalThis as unknown as { streams: MediaStream[] };
        const track = streams.at(-1)?.getTracks().find((track) => track.kind === kind);
        // What a page stops itself it is not told of, as it is of a device that was pulled out.
        track?.stop();
        track?.dispatchEvent(new Event('ended'));
      }, kind);
      await expect(note).toContainText(words);
      await expect(note).toContainText('what is live goes on');
      const before = await sent();
      expect(before.tracks.flat()).toContain(`${kind} ended`);
      await press();
      await expect(again).toBeHidden();
      await expect(note).toHaveText('');
      await expect(webcaster(page).getByLabel('From')).toBeFocused();
      expect((await sent()).tracks, 'in the same session').toEqual([['audio live', 'video live']]);
      await expect.poll(async () => (await sent()).pictures).toBeGreaterThan(before.pictures);
    });
  }
  await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
  expect((await api.stream(ingest.id)).state).toBe('live');
  await webcaster(page).getByRole('button', { name: 'Stop' }).click();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'ended');
});

test('a double click goes live, and another one ends it', async ({ admin: page }) => {
  await prepare(page);
  const go = webcaster(page).getByRole('button', { name: 'Go live' });
  const end = webcaster(page).getByRole('button', { name: 'Stop', exact: true });
  await go.dblclick();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'live');
  await end.dblclick();
  // What was pressed is the other button by then.
  await expect(go).toBeVisible();
  await expect(webcaster(page)).toHaveAttribute('data-state', 'ended');
});

test('an operator who stops the stream ends the publish in the browser', async ({ admin: page, api }) => {
  const ingest = await prepare(page);
  await webcaster(page).getByLabel('Live only').check();
  await goLive(page);
  await api.stop(ingest.id);
  await expect(webcaster(page)).toHaveAttribute('data-state', 'ended', { timeout: 15_000 });
  await expect(webcaster(page).getByRole('status')).toContainText('The server has ended it');
});

test('a browser without H.264 is told so when the page opens, and how to mend it', async ({ admin: page }) => {
  await page.addInitScript(() => {
    const { getCapabilities } = RTCRtpSender;
    RTCRtpSender.getCapabilities = (kind) => {
      const all = getCapabilities.call(RTCRtpSender, kind);
      return all && { ...all, codecs: all.codecs.filter(({ mimeType }) => !/h264/i.test(mimeType)) };
    };
  });
  const ingest = await createStream(page);
  await page.goto(`/webcaster/${ingest.id}`);
  await expect(webcaster(page).getByRole('alert')).toContainText('OpenH264: switch that on under about:addons');
  await preview(page);
  await expect(webcaster(page).getByRole('button', { name: 'Go live' })).toBeDisabled();
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
    // A page that is left asks nothing of a server that has gone.
    await page.goto('about:blank');
  } finally {
    await server.stop();
  }
});

/** Watches by WHEP in the page: until more frames than these have come, or, where that is 0, until the page goes. */
async function watch({ path, frames }: { path: string; frames: number }): Promise<{ width: number; firstFrameMs: number }> {
  const connection = new RTCPeerConnection();
  connection.addTransceiver('video', { direction: 'recvonly' });
  connection.addTransceiver('audio', { direction: 'recvonly' });
  const video = document.createElement('video');
  video.id = 'watched';
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
  if (frames === 0) return { width: 0, firstFrameMs: 0 };
  while (video.getVideoPlaybackQuality().totalVideoFrames <= frames) await new Promise((shown) => video.requestVideoFrameCallback(shown));
  const width = video.videoWidth;
  connection.close();
  video.remove();
  return { width, firstFrameMs };
}
