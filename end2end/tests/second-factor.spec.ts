// The second factor: set up, asked for, lost, reset, and asked of everybody; with scripts and without.

import type { Page } from '@playwright/test';
import { Authenticator } from '../support/authenticator.ts';
import { copyValue } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { look } from '../support/looks.ts';
import { ADMIN, Server, type SetUp } from '../support/server.ts';

const PASSWORD = 'seven lanterns at the weir';

async function signIn(page: Page, url: string, email: string, password: string): Promise<void> {
  await page.goto(`${url}/auth`);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** From the form that asks for the password to the recovery codes. */
async function setUp(page: Page, password: string): Promise<{ app: Authenticator; codes: string[] }> {
  await page.getByLabel('Your password').fill(password);
  await page.getByRole('button', { name: 'Set up a second factor' }).click();
  await expect(page.getByRole('img', { name: /^QR code/ })).toBeVisible();
  const app = new Authenticator(await copyValue(page, 'Secret').innerText());
  await page.getByLabel('Code', { exact: true }).fill(app.wrong());
  await page.getByRole('button', { name: 'Switch it on' }).click();
  await expect(page.getByRole('alert')).toContainText('This code is wrong');
  await page.getByLabel('Code', { exact: true }).fill(await app.next());
  await page.getByRole('button', { name: 'Switch it on' }).click();
  const codes = (await page.getByRole('status', { name: 'Recovery codes' }).locator('code').innerText()).split('\n');
  expect(codes).toHaveLength(10);
  return { app, codes };
}

async function withServer(use: (server: Server, made: SetUp) => Promise<void>): Promise<void> {
  const { server, setUp: made } = await Server.start({ setUp: true });
  if (made === undefined) throw new Error('afterlive setup printed nothing');
  try {
    await use(server, made);
  } finally {
    await server.stop();
  }
}

/** Leaves the pages, which ask the server now and then, before nobody is signed in any more. */
async function forget(page: Page): Promise<void> {
  await page.goto('about:blank');
  await page.context().clearCookies();
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with scripts' : 'without scripts', () => {
    test.use({ javaScriptEnabled });

    test('is set up, asked for at the sign-in, and switched off', async ({ page, allowConsole }) => {
      test.setTimeout(240_000);
      allowConsole(/was preloaded using link preload but not used/);
      await withServer(async (server) => {
        await signIn(page, server.url, ADMIN.email, ADMIN.password);
        await page.goto(`${server.url}/account`);
        const card = page.getByRole('region', { name: 'Second factor' });
        if (javaScriptEnabled) {
          await look(page, 'account-without-second-factor');
          await card.getByLabel('Your password').fill(ADMIN.password);
          await card.getByRole('button', { name: 'Set up a second factor' }).click();
          await expect(page.getByRole('img', { name: /^QR code/ })).toBeVisible();
          await look(page, 'second-factor-set-up');
          await page.goto(`${server.url}/account`);
        }
        const { app, codes } = await setUp(page, ADMIN.password);
        if (javaScriptEnabled) await look(page, 'second-factor-codes');
        await page.reload();
        await expect(page.getByText(codes[0] ?? 'no code')).toHaveCount(0);
        await expect(card).toContainText('10 recovery codes are left.');

        await forget(page);
        await signIn(page, server.url, ADMIN.email, ADMIN.password);
        await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
        if (javaScriptEnabled) await look(page, 'sign-in-code');
        await page.goto(`${server.url}/vod`);
        await expect(page, 'nobody is signed in yet').toHaveURL(/\/auth\?next=/);
        await signIn(page, server.url, ADMIN.email, ADMIN.password);
        await page.getByLabel('Code', { exact: true }).fill(app.wrong());
        await page.getByRole('button', { name: 'Sign in' }).click();
        await expect(page.getByRole('alert')).toContainText('This code is wrong');
        await page.getByLabel('Code', { exact: true }).fill(await app.next());
        await page.getByRole('button', { name: 'Sign in' }).click();
        await expect(page).toHaveURL(`${server.url}/`);

        await forget(page);
        await signIn(page, server.url, ADMIN.email, ADMIN.password);
        await page.getByText('App not at hand?').click();
        if (javaScriptEnabled) await look(page, 'sign-in-recovery-code');
        await page.getByLabel('Recovery code').fill(codes[0] ?? '');
        await page.getByRole('button', { name: 'Use the recovery code' }).click();
        await expect(page).toHaveURL(`${server.url}/`);

        // They are taken in the field for the app's codes too.
        await forget(page);
        await signIn(page, server.url, ADMIN.email, ADMIN.password);
        await page.getByLabel('Code', { exact: true }).fill(codes[1] ?? '');
        await expect(page.getByLabel('Code', { exact: true })).toHaveValue(codes[1] ?? '');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await expect(page).toHaveURL(`${server.url}/`);

        await page.goto(`${server.url}/account`);
        await expect(card).toContainText('8 recovery codes are left.');
        await card.getByText('Switch off', { exact: true }).click();
        const question = card.locator('details', { hasText: 'Switch off' });
        if (javaScriptEnabled) await look(page, 'second-factor-off');
        await question.getByLabel('Your password').fill(ADMIN.password);
        await question.getByLabel(/^Code of the app/).fill(await app.next());
        await question.getByRole('button', { name: 'Switch it off' }).click();
        await expect(page.getByText('The second factor is switched off.')).toBeVisible();
        await forget(page);
        await signIn(page, server.url, ADMIN.email, ADMIN.password);
        await expect(page).toHaveURL(`${server.url}/`);
        // It asks for news, and the server stops.
        await page.goto('about:blank');
      });
    });

    test('is asked of everybody, and reset for who has lost it', async ({ page, browser, allowConsole, watchConsole }) => {
      test.setTimeout(240_000);
      allowConsole(/was preloaded using link preload but not used/);
      allowConsole(/status of 401/);
      await withServer(async (server, made) => {
        const email = 'ada@example.com';
        await server.command(['user', 'add', '--org', made.organisation.hash, '--email', email, '--password-stdin'], `${PASSWORD}\n`);
        await signIn(page, server.url, ADMIN.email, ADMIN.password);
        await page.goto(`${server.url}/organisation`);
        const rule = page.getByRole('region', { name: 'Second factor' });
        await expect(rule.getByRole('checkbox')).toBeDisabled();
        await page.goto(`${server.url}/account`);
        await setUp(page, ADMIN.password);
        await page.goto(`${server.url}/organisation`);
        await rule.getByRole('checkbox').setChecked(true);
        await rule.getByRole('button', { name: 'Save' }).click();
        await expect(page.getByText('Saved.', { exact: true })).toBeVisible();

        const context = await browser.newContext({ javaScriptEnabled });
        watchConsole(context);
        const person = await context.newPage();
        await signIn(person, server.url, email, PASSWORD);
        await expect(person.getByRole('heading', { name: 'First a second factor' })).toBeVisible();
        if (javaScriptEnabled) await look(person, 'second-factor-first');
        await person.goto(`${server.url}/vod`);
        await expect(person.getByRole('heading', { name: 'First a second factor' })).toBeVisible();
        await setUp(person, PASSWORD);
        await person.goto(`${server.url}/vod`);
        await expect(person.getByRole('heading', { name: 'Recordings' })).toBeVisible();

        await page.goto(`${server.url}/organisation`);
        const row = page.getByRole('region', { name: 'Users' }).getByRole('row').filter({ hasText: email });
        await expect(row).toContainText('Second factor');
        await row.getByText('Reset second factor', { exact: true }).click();
        if (javaScriptEnabled) await look(page, 'users-with-second-factor');
        await row.getByRole('button', { name: 'Reset the second factor' }).click();
        await expect(page.getByText('The second factor is reset')).toBeVisible();
        await person.goto(`${server.url}/vod`);
        await signIn(person, server.url, email, PASSWORD);
        await expect(person.getByRole('heading', { name: 'First a second factor' })).toBeVisible();
        await server.command(['user', 'reset-second-factor', '--email', ADMIN.email]);
        await page.goto(`${server.url}/account`);
        await expect(page, 'signed out').toHaveURL(/\/auth\?next=/);
        await context.close();
      });
    });
  });
}
