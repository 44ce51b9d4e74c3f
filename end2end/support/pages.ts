// The dashboard in its users' words: where things are is said here once.

import { type Browser, type BrowserContext, expect, type Locator, type Page } from '@playwright/test';
import { ADMIN } from './server.ts';

/** `origin`: by which name the server is visited, where it is not its own. */
export async function signIn(page: Page, origin = ''): Promise<void> {
  await page.goto(`${origin}/auth`);
  await page.getByLabel('E-mail address').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** A page in another person's browser. */
export async function anotherBrowser(browser: Browser, baseURL: string, watch: (context: BrowserContext) => void): Promise<Page> {
  const context = await browser.newContext({ baseURL });
  watch(context);
  return await context.newPage();
}

export async function signOut(page: Page): Promise<void> {
  await page.locator('summary', { hasText: ADMIN.email }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
}

/** Sets the organisation's switches, by what they are called. */
export async function setSwitches(page: Page, switches: Record<string, boolean>): Promise<void> {
  await page.goto('/organisation');
  for (const [name, on] of Object.entries(switches)) await page.getByRole('checkbox', { name: new RegExp(`^${name}`) }).setChecked(on);
  await page.getByRole('region', { name: 'Settings', exact: true }).getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved.', { exact: true })).toBeVisible();
}

/** What an encoder is given, as the page shows it. */
export type Ingest = { id: string; server: string; streamKey: string };

/** Creates a stream by its form, and reads what `/stream/new/ID` then says. */
export async function createStream(page: Page, options: { tags?: string; liveOnly?: boolean; origin?: string } = {}): Promise<Ingest> {
  await page.goto(`${options.origin ?? ''}/stream/create`);
  await page.getByLabel(/^Tags/).fill(options.tags ?? '');
  if (options.liveOnly) await page.getByLabel('Live only').check();
  await page.getByRole('button', { name: 'Create the stream' }).click();
  await page.waitForURL(/\/stream\/new\/[0-9a-f-]{36}$/);
  return {
    id: page.url().slice(-36),
    server: await copyValue(page, 'RTMP server').innerText(),
    streamKey: await copyValue(page, 'Stream key').innerText(),
  };
}

/** The value in the copy row with this label. */
export function copyValue(within: Page | Locator, label: string): Locator {
  return copyRow(within, label).locator('code');
}

/** Found by its label rather than its button, which is not there where there are no scripts. A note may follow the label. */
export function copyRow(within: Page | Locator, label: string): Locator {
  const page = 'page' in within ? within.page() : within;
  const labelled = page.locator('.copy-label', { hasText: new RegExp(`^\\s*${label}`) });
  return within.locator('.copy-row', { has: labelled }).first();
}

/** The *VOD Playout URLs*, which viewers from outside know as *Recordings*. */
export function recordings(page: Page): Locator {
  return page.getByRole('region', { name: /^(VOD Playout URLs|Recordings)$/ });
}

/** One recording: its row, and the panel below that it opens to. */
export function recording(page: Page, fileName: string): Locator {
  return recordings(page).locator('tbody', { has: page.getByText(fileName, { exact: true }) });
}

/** The names of the recordings that are listed, newest first. */
export function recordingNames(page: Page): Locator {
  return recordings(page).getByRole('cell').filter({ hasText: /\.mp4/ });
}

/** Resolves once the page has come alive: scripts run, and the event stream stands. */
export async function live(page: Page): Promise<void> {
  await page.getByText('Updates arrive').waitFor({ state: 'attached' });
}
