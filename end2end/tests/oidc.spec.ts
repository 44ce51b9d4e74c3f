// Signing in by a real OpenID provider: connected, signed in, disconnected, joined by an invitation, and what the pages say when it is away. With scripts and without.

import type { Browser, BrowserContext, Page } from '@playwright/test';
import { look } from '../support/looks.ts';
import { copyValue } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { OidcProvider } from '../support/provider.ts';
import { ADMIN, Server } from '../support/server.ts';

/** What the provider asks of somebody who has no session there: their name, any password, and whether they agree. */
async function signInThere(page: Page, provider: OidcProvider, name: string): Promise<void> {
  await page.waitForURL(`${provider.issuer}/interaction/**`);
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('whatever');
  await page.locator('button[type=submit]').click();
  await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' });
  await page.locator('button[type=submit]').click();
}

async function signInByPassword(page: Page): Promise<void> {
  await page.goto('/auth');
  await page.getByLabel('E-mail address').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('link', { name: 'Organisation', exact: true })).toBeVisible();
}

async function inNewContext(
  browser: Browser,
  options: { server: Server; scripts: boolean; watch: (context: BrowserContext) => void },
  does: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ baseURL: options.server.url, javaScriptEnabled: options.scripts });
  options.watch(context);
  // A font of the provider's pages: nothing here leaves this machine.
  await context.route('https://fonts.googleapis.com/**', (route) => route.abort());
  try {
    await does(await context.newPage());
  } finally {
    await context.close();
  }
}

for (const scripts of [true, false]) {
  test(`people sign in by a real provider, ${scripts ? 'with' : 'without'} scripts`, async ({ browser, watchConsole, allowConsole }) => {
    test.setTimeout(180_000);
    // The provider's own pages, and a page that a stranger may not see.
    allowConsole(/^(error|warning) on http:\/\/127\.0\.0\.1:/);
    allowConsole(/status of 401/);
    // A page that is left before its script runs, or has none.
    allowConsole(/was preloaded using link preload but not used/);
    const provider = await OidcProvider.reserve();
    const { server } = await Server.start({ setUp: true, settings: provider.settings });
    const where = { server, scripts, watch: watchConsole };
    const suffix = scripts ? '' : '-plain';
    const card = (page: Page) => page.getByRole('region', { name: 'Sign-in by Example Login' });
    try {
      await inNewContext(browser, where, async (page) => {
        await test.step('the server is there without it, and says so after a click', async () => {
          await page.goto('/auth?next=%2Fvod');
          if (scripts) await look(page, 'oidc-auth');
          await page.getByRole('button', { name: 'Sign in by Example Login' }).click();
          await expect(page.getByText('The sign-in provider cannot be reached at the moment.')).toBeVisible();
          if (scripts) await look(page, 'oidc-auth-away');
        });
      });
      await provider.start(server.url);
      await inNewContext(browser, where, async (page) => {
        await test.step('who is nobody here is told what to do', async () => {
          // It is asked again after five seconds.
          await expect(async () => {
            await page.goto('/auth?next=%2Fvod');
            await page.getByRole('button', { name: 'Sign in by Example Login' }).click();
            await page.waitForURL(`${provider.issuer}/interaction/**`, { timeout: 2_000 });
          }).toPass({ timeout: 20_000 });
          await signInThere(page, provider, 'stranger@example.com');
          await expect(page.getByText('no account here is connected with you there')).toBeVisible();
          if (scripts) await look(page, 'oidc-auth-unknown');
        });
      });
      await inNewContext(browser, where, async (page) => {
        await test.step('an account is connected, with the password', async () => {
          await signInByPassword(page);
          await page.goto('/account');
          if (scripts) await look(page, 'oidc-account');
          await card(page).getByLabel('Present password').fill('another one');
          await card(page).getByRole('button', { name: 'Connect Example Login' }).click();
          await expect(page.getByText('This is not your present password. Nothing was changed.')).toBeVisible();
          await card(page).getByLabel('Present password').fill(ADMIN.password);
          await card(page).getByRole('button', { name: 'Connect Example Login' }).click();
          await signInThere(page, provider, 'ada at the provider');
          await expect(page.getByText('Your account is connected.')).toBeVisible();
          await expect(card(page)).toContainText('You can sign in by Example Login besides your password.');
          if (scripts) await look(page, 'oidc-account-connected');
        });
        await inNewContext(browser, where, async (other) => {
          await test.step('and signs in by the provider, to the page that was asked for', async () => {
            await other.goto('/auth?next=%2Fvod');
            await other.getByRole('button', { name: 'Sign in by Example Login' }).click();
            await signInThere(other, provider, 'ada at the provider');
            await other.waitForURL(`${server.url}/vod`);
            await expect(other.getByRole('heading', { name: 'Recordings' })).toBeVisible();
          });
          await test.step('until it is disconnected', async () => {
            await card(page).getByLabel('Present password').fill(ADMIN.password);
            await card(page).getByRole('button', { name: 'Disconnect Example Login' }).click();
            await expect(page.getByText('Your account is disconnected,')).toBeVisible();
            await expect(card(page).getByRole('button', { name: 'Connect Example Login' })).toBeVisible();
            await other.goto('/account');
            await expect(other.getByRole('heading', { name: 'Sign in' })).toBeVisible();
          });
        });
        await test.step('who was invited joins without a password, where the address is theirs', async () => {
          await page.goto('/organisation');
          const users = page.getByRole('region', { name: 'Users' });
          const invite = async (email: string) => {
            await users.getByLabel('E-mail address').fill(email);
            await users.getByRole('button', { name: 'Invite' }).click();
            await expect(page.getByText(email).first()).toBeVisible();
            return await copyValue(page.getByRole('status', { name: 'Invitation' }), 'Invitation').innerText();
          };
          const unverified = await invite('unverified@example.com');
          await inNewContext(browser, where, async (person) => {
            await person.goto(unverified);
            if (scripts) await look(person, `oidc-invitation${suffix}`);
            await person.getByRole('button', { name: 'Join by Example Login' }).click();
            await signInThere(person, provider, 'unverified@example.com');
            await expect(person.getByText('does not say that this e-mail address is yours')).toBeVisible();
            if (scripts) await look(person, 'oidc-invitation-refused');
          });
          await page.goto('/organisation');
          const verified = await invite('dee@example.com');
          await inNewContext(browser, where, async (person) => {
            await person.goto(verified);
            await person.getByRole('button', { name: 'Join by Example Login' }).click();
            await signInThere(person, provider, 'dee@example.com');
            await expect(person.getByText('Welcome. Your account is made, and you are signed in.')).toBeVisible();
            await person.goto('/account');
            await expect(card(person)).toContainText('and have no password');
            if (scripts) await look(person, 'oidc-account-without-password');
          });
        });
      });
      expect(server.log).not.toContain('code=');
      expect(server.log).not.toContain(provider.settings['AFTERLIVE__OIDC__CLIENT_SECRET'] ?? 'x');
    } finally {
      await server.stop();
      await provider.stop();
    }
  });
}
