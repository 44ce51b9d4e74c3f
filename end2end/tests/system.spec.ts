// Above the organisations: made, suspended and resumed by who administers the installation, with and without scripts.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/fixtures.ts';
import { look } from '../support/looks.ts';
import { anotherBrowser, copyValue } from '../support/pages.ts';

const PASSWORD = 'wandering geese by night';

async function signInAs(page: Page, email: string, password: string): Promise<void> {
  await page.goto('/auth');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with scripts' : 'without scripts', () => {
    test.use({ javaScriptEnabled });

    test('an organisation is made, suspended and resumed', async ({ admin: page, browser, server, watchConsole, allowConsole }) => {
      test.setTimeout(120_000);
      allowConsole(/was preloaded using link preload but not used/);
      allowConsole(/status of 403 .*\/system/);
      const name = javaScriptEnabled ? 'Harbour Choir' : 'Hill Choir';
      const email = javaScriptEnabled ? 'dee@harbour.example' : 'eve@hill.example';
      await page.getByRole('link', { name: 'System', exact: true }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Organisations');
      await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
      await page.getByLabel('E-mail address of its first administrator').fill(email);
      await page.getByRole('button', { name: 'Create the organisation' }).click();
      await expect(page.getByText('is shown this once')).toBeVisible();
      const link = await copyValue(page, 'Invitation').innerText();
      const row = page.getByRole('row').filter({ hasText: name });
      await expect(row).toContainText('active');
      if (javaScriptEnabled) await look(page, 'system');

      const other = await anotherBrowser(browser, server.url, watchConsole);
      await other.goto(new URL(link).pathname);
      await other.getByLabel('New password').fill(PASSWORD);
      await other.getByRole('button', { name: 'Make my account' }).click();
      await expect(other).toHaveURL(/notice=joined/);
      // Whoever administers an organisation administers that one alone.
      await expect(other.getByRole('link', { name: 'System', exact: true })).toHaveCount(0);
      expect((await other.goto('/system'))?.status()).toBe(403);

      await page.goto('/system');
      await row.getByRole('link', { name }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
      await expect(page.getByText(email)).toBeVisible();
      if (javaScriptEnabled) await look(page, 'tenant');
      await page.locator('summary', { hasText: 'Suspend' }).click();
      await page.getByRole('button', { name: 'Suspend the organisation' }).click();
      await expect(page.getByText('Suspended since')).toBeVisible();
      if (javaScriptEnabled) await look(page, 'tenant-suspended');

      await other.goto('/stream');
      await expect(other).toHaveURL(/\/auth/);
      await signInAs(other, email, 'not the right one at all');
      await expect(other.getByRole('alert')).toContainText('do not belong together');
      await signInAs(other, email, PASSWORD);
      await expect(other.getByRole('alert')).toContainText('Your organisation is suspended');

      await page.getByRole('button', { name: 'Resume' }).click();
      await expect(page.getByText('All is as it was before.')).toBeVisible();
      await page.getByRole('textbox', { name: 'Name', exact: true }).fill(`${name} of old`);
      await page.getByRole('button', { name: 'Rename' }).click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} of old`);
      // The session was not ended: it is good again.
      await other.goto('/stream');
      await expect(other).toHaveURL('/stream');

      await page.goto('/system');
      await page.getByLabel('E-mail address of a user').fill(email);
      await page.getByRole('button', { name: 'Give the role' }).click();
      await expect(page.getByText('They are a system administrator from now on.')).toBeVisible();
      const listed = page.getByRole('listitem').filter({ hasText: email });
      await listed.locator('summary').click();
      await listed.getByRole('button', { name: 'Take the role' }).click();
      await expect(listed).toHaveCount(0);
      await other.context().close();
    });
  });
}
