import { createStream, signIn, signOut } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { ADMIN } from '../support/server.ts';

test.describe('the first start', () => {
  test('the printed link makes the account, signs it in, and works once', async ({ page, newServer }) => {
    await page.goto(newServer.url);
    await expect(page.getByText('This server has no administrator yet.')).toBeVisible();

    await page.goto(newServer.setUpLink);
    await page.getByLabel('Organisation').fill(ADMIN.organisation);
    await page.getByLabel('Your e-mail address').fill(ADMIN.email);
    await page.getByLabel('Password').fill(ADMIN.password);
    await page.getByRole('button', { name: 'Create the organisation' }).click();
    await expect(page.getByText('All set. Create a stream, and go live.')).toBeVisible();
    await expect(page.getByRole('link', { name: 'Create the first stream' })).toBeVisible();

    await page.goto(newServer.setUpLink);
    await expect(page.getByText('This link has been used')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Create the organisation' })).toHaveCount(0);
    await expect(page.getByRole('link', { name: 'To the start page' })).toBeVisible();
  });

  test('a field that is refused is told beside it, and what was typed is kept', async ({ page, newServer }) => {
    await page.goto(newServer.setUpLink);
    await page.getByLabel('Organisation').fill(ADMIN.organisation);
    // The browser takes it for an address; the server does not.
    await page.getByLabel('Your e-mail address').fill(ADMIN.email);
    await page.getByLabel('Password').evaluate((field: HTMLInputElement) => field.removeAttribute('minlength'));
    await page.getByLabel('Password').fill('short');
    await page.getByRole('button', { name: 'Create the organisation' }).click();
    await expect(page.getByRole('alert')).toContainText('Please give');
    await expect(page.getByLabel('Organisation')).toHaveValue(ADMIN.organisation);
    await expect(page.getByLabel('Your e-mail address')).toHaveValue(ADMIN.email);
  });
});

test.describe('signing in and out', () => {
  test('a wrong password is refused without saying what was wrong, and the right one opens the page that was asked for', async ({ page }) => {
    await page.goto('/stream/create');
    await expect(page).toHaveURL(/\/auth\?next=/);
    await page.getByLabel('E-mail address').fill(ADMIN.email);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toHaveText('This e-mail address and this password do not belong together.');
    await page.getByLabel('E-mail address').fill(ADMIN.email);
    await page.getByLabel('Password').fill(ADMIN.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL('/stream/create');
  });

  test('after signing out nothing opens, neither by the back button nor with the old cookie', async ({ page, context, server, allowConsole }) => {
    // A page that asks for fresh data in the moment of signing out is told that it may not, and leaves.
    allowConsole(/status of 401 .*\/ui\/overview/);
    await signIn(page);
    await expect(page).toHaveURL('/');
    const { id } = await createStream(page);
    const cookies = await context.cookies();
    await signOut(page);
    await expect(page.getByText('You are signed out.')).toBeVisible();
    await page.goBack();
    await expect(page).toHaveURL(/\/auth/);
    await context.addCookies(cookies);
    await page.goto(`/stream/${id}`);
    await expect(page).toHaveURL(/\/auth\?next=/);
    const answer = await fetch(`${server.url}/ui/home`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') },
      body: '{}',
    });
    expect(await answer.text()).toContain('SignedOut');
  });

  test('the session has a new id after signing in, and no script can read it', async ({ page, context }) => {
    await page.goto('/auth');
    const before = await context.cookies();
    await signIn(page);
    await expect(page).toHaveURL('/');
    const session = (await context.cookies()).find((cookie) => cookie.name === 'afterlive_session');
    expect(session).toMatchObject({ httpOnly: true, sameSite: 'Lax' });
    expect(before.map((cookie) => cookie.value)).not.toContain(session?.value);
  });
});
