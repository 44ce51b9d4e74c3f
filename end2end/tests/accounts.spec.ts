// People of an organisation: invited, limited by their roles, given a new password, removed. And what each sees of their own account.

import type { Page } from '@playwright/test';
import { anotherBrowser, copyValue, live, signIn } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { takePictures } from '../support/looks.ts';
import { ADMIN } from '../support/server.ts';

const PASSWORD = 'seven lanterns at the weir';

function users(page: Page) {
  return page.getByRole('region', { name: 'Users' });
}

function row(page: Page, email: string) {
  return users(page).getByRole('row').filter({ hasText: email });
}

/** Invites somebody, and gives the link that is shown. */
async function invite(page: Page, email: string, role: string): Promise<string> {
  await users(page).getByLabel('E-mail address').fill(email);
  await users(page).locator('form').filter({ hasText: 'Invite' }).getByRole('combobox').selectOption(role);
  await users(page).getByRole('button', { name: 'Invite' }).click();
  const link = await copyValue(page.getByRole('status', { name: 'Invitation' }), 'Invitation').innerText();
  await expect(row(page, email)).toContainText(role);
  return link;
}

test('somebody is invited, sees what the role allows, gets a new password, and is removed', async ({
  admin: page,
  browser,
  server,
  recorded,
  watchConsole,
  allowConsole,
}) => {
  test.setTimeout(120_000);
  allowConsole(/status of (401|403)/);
  const email = `ada-${Date.now()}@example.com`;
  await live(page);
  await page.getByRole('link', { name: 'Organisation', exact: true }).click();
  const link = await invite(page, email, 'nanoReadOnly');
  await takePictures(page, 'users');
  await page.reload();
  await expect(page.getByText(link)).toHaveCount(0);
  await expect(row(page, email)).toBeVisible();

  const person = await anotherBrowser(browser, server.url, watchConsole);
  await person.goto(link);
  await expect(person.getByText(`To join ${ADMIN.organisation} as nanoReadOnly`)).toBeVisible();
  await takePictures(person, 'invitation');
  await person.getByLabel('New password').fill('passwordpassword');
  await person.getByRole('button', { name: 'Make my account' }).click();
  await expect(person.getByRole('alert')).toContainText('harder to guess');
  await takePictures(person, 'invitation-refused');
  await person.getByLabel('New password').fill(PASSWORD);
  await person.getByRole('button', { name: 'Make my account' }).click();
  await expect(person.getByText('Welcome. Your account is made, and you are signed in.')).toBeVisible();

  await expect(person.getByRole('link', { name: 'New stream' })).toHaveCount(0);
  await person.goto('/stream/create');
  await expect(person.getByRole('heading', { name: 'Your role does not allow this' })).toBeVisible();
  await person.goto(`/stream/${recorded.id}`);
  await expect(person.getByRole('link', { name: 'Watch' })).toBeVisible();
  for (const what of ['Webcaster', 'Instructions']) await expect(person.getByRole('link', { name: what })).toHaveCount(0);
  await expect(person.getByText('Stop & Lock')).toHaveCount(0);
  await person.goto('/organisation');
  await expect(person.getByText('Administrators see and change the settings, users and API keys here.')).toBeVisible();
  await expect(users(person)).toHaveCount(0);

  await test.step('the link is used up', async () => {
    const other = await anotherBrowser(browser, server.url, watchConsole);
    await other.goto(link);
    await expect(other.getByRole('heading', { name: 'This link opens nothing' })).toBeVisible();
    await takePictures(other, 'dead-link');
    await other.context().close();
  });

  await test.step('a new password signs the other browser out', async () => {
    await page.reload();
    await row(page, email).getByLabel(`Make a link for a new password of ${email}`).click();
    await row(page, email).getByRole('button', { name: 'Make the link' }).click();
    const name = 'Link for a new password';
    const reset = await copyValue(page.getByRole('status', { name }), name).innerText();
    const other = await anotherBrowser(browser, server.url, watchConsole);
    await other.goto(reset);
    await takePictures(other, 'new-password');
    await other.getByLabel('New password').fill('another horse by the quay');
    await other.getByRole('button', { name: 'Set the password' }).click();
    await expect(other.getByText('The new password is set')).toBeVisible();
    await person.goto('/stream');
    await expect(person).toHaveURL(/\/auth\?next=/);
    await other.goto('/');
    await live(other);

    await row(page, email).getByLabel(`Remove ${email}`).click();
    await row(page, email).getByRole('button', { name: 'Remove the user' }).click();
    await expect(page.getByText('The user is removed')).toBeVisible();
    await expect(row(page, email)).toHaveCount(0);
    // Where the page has not heard of it by itself.
    await other.evaluate(() => document.querySelector<HTMLAnchorElement>('.main-nav a[href="/stream"]')?.click());
    await expect(other, 'signed out with the next click').toHaveURL(/\/auth\?next=.*&error=ended/);
    await expect(other.getByRole('alert')).toHaveText('Your session has ended. Please sign in again.');
    await expect(other.getByRole('navigation', { name: 'Main' }), 'the head is a stranger\'s').toHaveCount(0);
    await other.context().close();
  });
  await person.context().close();
});

test('the last administrator stays', async ({ admin: page }) => {
  await page.goto('/organisation');
  await row(page, ADMIN.email).getByLabel(`Change the role of ${ADMIN.email}`).click();
  await row(page, ADMIN.email).getByRole('combobox').selectOption('nanoUser');
  await row(page, ADMIN.email).getByRole('button', { name: 'Change the role' }).click();
  await expect(page.getByRole('alert')).toContainText("the organisation's last administrator");
});

test("one's own account lists what is signed in, and ends it", async ({ browser, newServer: server, watchConsole, allowConsole }) => {
  allowConsole(/status of 401/);
  const page = await anotherBrowser(browser, server.url, watchConsole);
  await page.goto(server.setUpLink);
  await page.getByLabel('Organisation').fill(ADMIN.organisation);
  await page.getByLabel('Your e-mail address').fill(ADMIN.email);
  await page.getByLabel('New password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Create the organisation' }).click();
  await expect(page.getByText('All set.')).toBeVisible();

  const other = await anotherBrowser(browser, server.url, watchConsole);
  await other.goto('/auth');
  await other.getByLabel('E-mail address').fill(ADMIN.email);
  await other.getByLabel('Password').fill('not the password at all');
  await other.getByRole('button', { name: 'Sign in' }).click();
  await expect(other.getByRole('alert')).toBeVisible();
  await expect(other.getByLabel('E-mail address'), 'is kept').toHaveValue(ADMIN.email);
  await other.getByLabel('Password').fill(ADMIN.password);
  await other.getByRole('button', { name: 'Sign in' }).click();
  await expect(other).toHaveURL('/');
  const answer = await fetch(`${server.url}/user/validate`, { method: 'POST', body: JSON.stringify({ email: ADMIN.email, password: ADMIN.password }) });
  expect(answer.status).toBe(200);

  await page.locator('summary', { hasText: ADMIN.email }).click();
  await page.getByRole('link', { name: 'Your account' }).click();
  const sessions = page.getByRole('region', { name: 'Browsers that are signed in' });
  await expect(sessions.getByRole('row')).toHaveCount(3);
  await expect(sessions.getByText('(this one)')).toHaveCount(1);
  await page.setViewportSize({ width: 360, height: 740 });
  const apart = await sessions.getByText('(this one)').evaluate((mark) => {
    const before = document.createRange();
    before.setStart(mark.parentElement ?? mark, 0);
    before.setEndBefore(mark);
    const [last, own] = [[...before.getClientRects()].at(-1), mark.getClientRects()[0]];
    if (last === undefined || own === undefined) throw new Error('nothing stands there');
    // On the same line, or on the next one.
    return own.top < last.bottom ? own.left - last.right : 0;
  });
  expect(apart, 'it stands behind what it is said of').toBeLessThan(16);
  await expect(page.getByRole('region', { name: 'Programs that are signed in' }).getByRole('row')).toHaveCount(2);
  await takePictures(page, 'account');
  await sessions.getByRole('button', { name: /^End the session of / }).click();
  await expect(sessions.getByRole('row')).toHaveCount(2);
  await other.goto('/stream');
  await expect(other.getByRole('alert')).toHaveText('Your session has ended. Please sign in again.');

  await page.getByLabel('Present password').fill('not the present one');
  await page.getByLabel('New password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await expect(page.getByRole('alert')).toContainText('not your present password');
  await page.getByLabel('Present password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Change the password' }).click();
  await expect(page.getByText('Your password is changed.')).toBeVisible();
  await expect(page.getByLabel('Present password')).toHaveValue('');
  await expect(page.getByText('None. A program that calls')).toBeVisible();
  await page.reload();
  await expect(sessions.getByRole('row')).toHaveCount(2);
  await takePictures(page, 'account-alone');
  await page.context().close();
  await other.context().close();
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('an invitation is made, refused, revoked and accepted, and a session ended', async ({ page, browser, server, allowConsole }) => {
    allowConsole(/was preloaded using link preload but not used/);
    await signIn(page);
    await page.goto('/organisation');
    await users(page).getByLabel('E-mail address').fill(ADMIN.email);
    await users(page).getByRole('button', { name: 'Invite' }).click();
    await expect(page.getByRole('alert')).toContainText('This email is taken');
    await expect(users(page).getByLabel('E-mail address'), 'is kept').toHaveValue(ADMIN.email);

    const email = `bob-${Date.now()}@example.com`;
    const revoked = await invite(page, email, 'nanoUser');
    await row(page, email).getByText('Revoke', { exact: true }).click();
    await row(page, email).getByRole('button', { name: 'Revoke the invitation' }).click();
    await expect(page.getByText('The invitation is revoked.')).toBeVisible();
    const link = await invite(page, email, 'nanoUser');

    const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false });
    const person = await context.newPage();
    await person.goto(revoked);
    await expect(person.getByRole('heading', { name: 'This link opens nothing' })).toBeVisible();
    await person.goto(link);
    await person.getByLabel('New password').fill(PASSWORD);
    await person.getByRole('button', { name: 'Make my account' }).click();
    await expect(person.getByText('Welcome.')).toBeVisible();
    await person.goto('/account');
    await person.getByLabel('Present password').fill(PASSWORD);
    await person.getByLabel('New password').fill('another horse by the quay');
    await person.getByRole('button', { name: 'Change the password' }).click();
    await expect(person.getByText('Your password is changed.')).toBeVisible();
    await context.close();

    await page.goto('/organisation');
    await row(page, email).getByText('Role', { exact: true }).first().click();
    await row(page, email).getByRole('combobox').selectOption('nanoAdmin');
    await row(page, email).getByRole('button', { name: 'Change the role' }).click();
    await expect(page.getByText('The role is changed')).toBeVisible();
    await row(page, email).getByText('Remove', { exact: true }).click();
    await row(page, email).getByRole('button', { name: 'Remove the user' }).click();
    await expect(page.getByText('The user is removed')).toBeVisible();
  });
});
