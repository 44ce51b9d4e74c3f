// The player by itself, against a stand-in for the server that fails on demand: each of its states, in words.

import { test as base, expect, type Locator, type Page } from '@playwright/test';
import { StandIn } from '../support/live-stand-in.ts';
import { barriers } from '../support/looks.ts';

const SCREENS = new URL('../test-results/screens/', import.meta.url).pathname;

const test = base.extend<{ standIn: StandIn }>({
  standIn: async ({}, use) => {
    const standIn = await StandIn.start();
    await use(standIn);
    await standIn.stop();
  },
});

const player = (page: Page): Locator => page.locator('afterlive-player');
const state = (page: Page) => player(page).getAttribute('data-state');
const position = (page: Page): Promise<number> => page.locator('video').evaluate((video: HTMLVideoElement) => video.currentTime);

async function plays(page: Page): Promise<void> {
  await expect.poll(() => state(page)).toBe('playing');
  const before = await position(page);
  await expect.poll(() => position(page)).not.toBe(before);
}

test('waits where nothing is live, starts by itself when something is, waits again when it ends, and plays the next publish', async ({ page, standIn }) => {
  test.setTimeout(150_000);
  await page.goto(standIn.url);
  await expect(player(page).getByText('Waits for the stream').first()).toBeVisible();
  await expect(player(page).getByRole('status')).toContainText('Waits for the stream');
  standIn.goLive();
  await plays(page);
  await expect(player(page).getByText('Waits for the stream').first()).toBeHidden();
  await expect(player(page).getByRole('button', { name: /^Live \d\.\d s$/ })).toBeVisible();
  await test.step('near the newest frame', async () => {
    const text = async () => Number(/(\d\.\d) s/.exec(await player(page).getByRole('button', { name: /^Live/ }).innerText())?.[1]);
    // After each stall, of which a busy machine has some, the player keeps more ahead for a while.
    await expect.poll(text, { timeout: 90_000 }).toBeLessThanOrEqual(0.7);
  });
  standIn.stopPublish();
  await expect(player(page).getByText('Waits for the stream').first()).toBeVisible();
  standIn.goLive();
  await plays(page);
});

test('keeps the last picture, dimmed, while an encoder that was cut off is waited for, and goes on or gives up', async ({ page, standIn }) => {
  test.setTimeout(90_000);
  await page.goto(standIn.url);
  standIn.goLive();
  await plays(page);
  standIn.stopPublish(60_000);
  await expect.poll(() => state(page)).toBe('interrupted');
  const video = page.locator('video');
  await expect(player(page).getByText('The signal is interrupted').first()).toBeVisible();
  await expect(player(page).getByRole('status')).toHaveText('The signal is interrupted. Waiting for the encoder…');
  await expect(video).toHaveCSS('filter', 'brightness(0.4)');
  expect(await video.evaluate((video: HTMLVideoElement) => [video.videoWidth, video.readyState >= 2]), 'there is a picture').toEqual([640, true]);
  await page.screenshot({ path: `${SCREENS}player-interrupted.png` });
  standIn.goLive();
  await plays(page);
  await expect(video).toHaveCSS('filter', 'none');

  standIn.stopPublish(15_000);
  await expect.poll(() => state(page)).toBe('interrupted');
  await expect.poll(() => state(page), { message: 'in vain', timeout: 30_000 }).toBe('offline');
});

test('a lost connection is said, and made again', async ({ page, standIn }) => {
  standIn.goLive();
  await page.goto(standIn.url);
  await plays(page);
  const asked = standIn.asked;
  await page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(globalThis, { seen });
    document.addEventListener('afterlive-state', (event) => seen.push((event as CustomEvent).detail.name));
  });
  standIn.dropAll();
  await expect.poll(() => page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen)).toContain('reconnecting');
  await expect.poll(() => standIn.asked).toBeGreaterThan(asked);
  await plays(page);
});

test('frames that stay away are a stall, and silence is a lost connection', async ({ page, standIn }) => {
  standIn.goLive();
  await page.goto(standIn.url);
  await plays(page);
  standIn.freeze();
  await expect.poll(() => state(page)).toBe('stalled');
  await expect(player(page).getByText('Waiting for more').first()).toBeVisible();
  await expect.poll(() => state(page), { timeout: 15_000 }).toBe('reconnecting');
  standIn.thaw();
  await plays(page);
});

test('a codec that this browser does not play is named', async ({ page, standIn }) => {
  standIn.mood = 'codec';
  await page.goto(standIn.url);
  await expect(player(page).getByText('This browser cannot play HEVC (H.265)').first()).toBeVisible();
});

for (const mood of ['refuses', 'refuses at once'] as const) {
  test(`a refusal is final and says why: the server ${mood}`, async ({ page, standIn }) => {
    standIn.mood = mood;
    await page.goto(standIn.url);
    await expect(player(page).getByText('Not allowed to watch this').first()).toBeVisible();
    const reason = mood === 'refuses' ? 'The token has expired.' : 'The token is for another stream.';
    await expect(player(page).getByText(reason).first()).toBeVisible();
    expect(standIn.asked).toBe(1);
  });
}

test('where WebSockets do not get through, hls.js plays', async ({ page, standIn }) => {
  await standIn.makeHls();
  standIn.mood = 'barred';
  await page.goto(standIn.url);
  await plays(page);
  await page.keyboard.press('Tab');
  await player(page).getByRole('button', { name: 'Statistics' }).click();
  await expect(player(page).getByText('HLS by hls.js')).toBeVisible();
});

test('the bar of a live stream begins where HLS keeps something of it', async ({ page, standIn }) => {
  await standIn.makeHls();
  standIn.mood = 'barred';
  await page.goto(standIn.url);
  await plays(page);
  await page.locator('video').evaluate((video: HTMLVideoElement) => {
    video.pause();
    Object.defineProperty(video, 'seekable', { value: { length: 1, start: () => 5, end: () => 30 } });
    video.dispatchEvent(new Event('timeupdate'));
  });
  const bar = player(page).getByRole('slider', { name: /^Find a place in / });
  await bar.press('Home');
  await expect.poll(() => position(page)).toBe(5);
  await bar.press('ArrowRight');
  await expect.poll(() => position(page)).toBe(10);
});

test('what the browser plays without sound only is played so, and says how to hear it', async ({ page, standIn }) => {
  standIn.goLive();
  // As browsers do before the visitor has touched the page; the tests' own is told to let everything play.
  await page.addInitScript(() => {
    const { play } = HTMLMediaElement.prototype;
    // Not `navigator.userActivation`: each question of the test counts as the user's doing.
    let isTouched = false;
    addEventListener('pointerdown', () => (isTouched = true), { capture: true });
    HTMLMediaElement.prototype.play = function (this: HTMLMediaElement) {
      if (this.muted || isTouched) return play.call(this);
      return Promise.reject(new DOMException('play() failed because the user did not interact with the document first.', 'NotAllowedError'));
    };
  });
  await page.goto(standIn.url);
  await plays(page);
  const video = page.locator('video');
  expect(await video.evaluate((video: HTMLVideoElement) => video.muted)).toBe(true);
  await player(page).getByRole('button', { name: 'Click for sound' }).click();
  expect(await video.evaluate((video: HTMLVideoElement) => video.muted)).toBe(false);
  await expect(player(page).getByRole('button', { name: 'Click for sound' })).toBeHidden();
  await plays(page);
});

test('who asks for no autoplay starts it by hand', async ({ page, standIn }) => {
  standIn.goLive();
  standIn.player = standIn.player.replace('live=', 'autoplay="0" live=');
  await page.goto(standIn.url);
  await expect(player(page).getByRole('button', { name: 'Play' })).toBeVisible();
  expect(standIn.asked).toBe(0);
  await player(page).getByRole('button', { name: 'Play' }).click();
  await plays(page);
});

test('keys do what they say, and the focus is seen', async ({ page, standIn }) => {
  standIn.goLive();
  await page.goto(standIn.url);
  await plays(page);
  const video = page.locator('video');
  const is = (of: 'paused' | 'muted' | 'volume') => video.evaluate((video: HTMLVideoElement, of) => video[of], of);
  await page.keyboard.press('Tab');
  await expect(player(page).getByRole('button', { name: 'Pause' })).toBeFocused();
  const outline = await player(page).getByRole('button', { name: 'Pause' }).evaluate((button) => getComputedStyle(button).outlineWidth);
  expect(parseFloat(outline)).toBeGreaterThan(0);
  await page.keyboard.press('Space');
  await expect.poll(() => is('paused')).toBe(true);
  await expect.poll(() => state(page)).toBe('paused');
  await page.keyboard.press('k');
  await expect.poll(() => is('paused')).toBe(false);
  await page.keyboard.press('m');
  expect(await is('muted')).toBe(true);
  await page.keyboard.press('m');
  expect(await is('muted')).toBe(false);
  await page.keyboard.press('ArrowDown');
  expect(await is('volume')).toBeCloseTo(0.95);
  await page.keyboard.press('ArrowUp');
  expect(await is('volume')).toBe(1);
  await page.keyboard.press('i');
  await expect(player(page).getByText('WebSocket, fragmented MP4')).toBeVisible();
  await expect(player(page).getByText(/640 × 360, \d+\.\d fps/)).toBeVisible();
  await expect(player(page).getByText(/H\.264 \(avc1/)).toBeVisible();
  await page.keyboard.press('i');
  await expect(player(page).getByText('WebSocket, fragmented MP4')).toBeHidden();
  await page.keyboard.press('f');
  await expect.poll(() => page.evaluate(() => document.fullscreenElement?.localName)).toBe('afterlive-player');
  await page.keyboard.press('f');
  await expect.poll(() => page.evaluate(() => document.fullscreenElement)).toBe(null);
});

test('who pauses for long is sent nothing, and comes back to the newest frame', async ({ page, standIn }) => {
  standIn.goLive();
  await page.goto(standIn.url);
  await plays(page);
  await player(page).getByRole('button', { name: 'Pause' }).click();
  const asked = standIn.asked;
  await expect.poll(() => standIn.watchers, { timeout: 20_000 }).toBe(0);
  await player(page).getByRole('button', { name: 'Play' }).click();
  await expect.poll(() => standIn.asked).toBe(asked + 1);
  await plays(page);
});

test('who pauses and plays by the browser\'s own means, as by a key for media, has paused and plays', async ({ page, standIn }) => {
  standIn.goLive();
  await page.goto(standIn.url);
  await plays(page);
  const video = page.locator('video');
  await video.evaluate((video: HTMLVideoElement) => video.pause());
  await expect.poll(() => state(page)).toBe('paused');
  await expect.poll(() => standIn.watchers, { message: 'nothing is sent for long', timeout: 20_000 }).toBe(0);
  await video.evaluate((video: HTMLVideoElement) => void video.play());
  await plays(page);
});

test('captions are offered where there are some', async ({ page, standIn }) => {
  standIn.goLive();
  await page.goto(standIn.url);
  await expect(player(page).getByRole('combobox', { name: 'Captions' })).toBeHidden();
  await page.locator('video').evaluate((video: HTMLVideoElement) => void video.addTextTrack('captions', 'English', 'en'));
  const menu = player(page).getByRole('combobox', { name: 'Captions' });
  await expect(menu).toBeVisible();
  await menu.selectOption('English');
  expect(await page.locator('video').evaluate((video: HTMLVideoElement) => video.textTracks[0]?.mode)).toBe('showing');
});

test('has no barrier that axe finds, fits 320 px, and its buttons are large enough, in each state', async ({ page, standIn }) => {
  test.setTimeout(120_000);
  const look = async (name: string) => {
    for (const [size, width] of [['narrow', 320], ['wide', 900]] as const) {
      await page.setViewportSize({ width, height: 640 });
      expect.soft(await barriers(page, 'light'), `${name} ${size}`).toEqual([]);
      expect.soft(await page.evaluate(() => document.documentElement.scrollWidth), `${name} ${size}`).toBeLessThanOrEqual(width);
      const small = await player(page).evaluate((host) =>
        [...(host.shadowRoot?.querySelectorAll('button, select') ?? [])]
          .map((button) => ({ box: button.getBoundingClientRect(), name: button.className }))
          .filter(({ box }) => box.width > 0 && (box.width < 44 || box.height < 44)),
      );
      expect.soft(small, `${name} ${size}`).toEqual([]);
      await page.screenshot({ path: `${SCREENS}player-${name}-${size}.png` });
    }
  };
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.goto(standIn.url);
  await expect.poll(() => state(page)).toBe('offline');
  await look('offline');
  standIn.goLive();
  await plays(page);
  await page.keyboard.press('Tab');
  await look('live');
  await page.keyboard.press('i');
  await expect(player(page).getByText('WebSocket, fragmented MP4')).toBeVisible();
  await look('statistics');
  standIn.mood = 'codec';
  await page.reload();
  await expect.poll(() => state(page)).toBe('unsupported');
  await look('unsupported');
});
