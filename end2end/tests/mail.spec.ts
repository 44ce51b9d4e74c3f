// Where there is a mail server: links are mailed, the page says what became of that, and who has forgotten the password helps themselves.

import { copyValue } from '../support/pages.ts';
import { expect, test } from '../support/fixtures.ts';
import { look } from '../support/looks.ts';
import { MailServer } from '../support/mail-server.ts';
import { ADMIN, Server } from '../support/server.ts';

const PASSWORD = 'seven lanterns at the weir';

test('links are mailed, what became of it is shown, and a forgotten password is mended by mail', async ({
  browser,
  watchConsole,
}) => {
  test.setTimeout(120_000);
  const mail = await MailServer.start();
  const { server } = await Server.start({ setUp: true, settings: mail.settings });
  const context = await browser.newContext({ baseURL: server.url });
  try {
    watchConsole(context);
    const page = await context.newPage();
    await page.goto('/auth');
    await page.getByLabel('E-mail address').fill(ADMIN.email);
    await page.getByLabel('Password').fill(ADMIN.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: 'Organisation', exact: true }).click();
    const users = page.getByRole('region', { name: 'Users' });
    const invite = async (email: string) => {
      await users.getByLabel('E-mail address').fill(email);
      await users.getByRole('button', { name: 'Invite' }).click();
    };
    const shown = page.getByRole('status', { name: 'Invitation' });

    await invite('refused@example.com');
    await expect(shown).toContainText('It could not be sent to refused@example.com: the mail server answered 550: 5.1.1 nobody has this mailbox.');
    await expect(users.getByRole('row').filter({ hasText: 'refused@example.com' })).toContainText('Not mailed: the mail server answered 550');
    await look(page, 'mail-refused');

    await invite('ada@example.com');
    await expect(shown).toContainText('A mail with this link was sent to ada@example.com.');
    await expect(users.getByRole('row').filter({ hasText: 'ada@example.com' })).toContainText('Mailed');
    const link = await copyValue(shown, 'Invitation').innerText();
    expect(mail.mails.at(-1)).toEqual({ to: 'ada@example.com', link });
    await look(page, 'mail-sent');

    await test.step('without scripts too', async () => {
      const plain = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false, storageState: await context.storageState() });
      const other = await plain.newPage();
      await other.goto('/organisation');
      const form = other.getByRole('region', { name: 'Users' });
      await form.getByLabel('E-mail address').fill('bob@example.com');
      await form.getByRole('button', { name: 'Invite' }).click();
      await expect(other.getByText('A mail with this link was sent to bob@example.com.')).toBeVisible();
      await plain.close();
    });

    await context.clearCookies();
    await page.goto('/auth');
    await look(page, 'auth-with-mail');
    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await expect(page.getByRole('heading', { name: 'Forgotten password' })).toBeVisible();
    await look(page, 'forgotten');
    const before = mail.mails.length;
    for (const email of ['nobody@example.com', ADMIN.email]) {
      await page.goto('/forgotten');
      await page.getByLabel('E-mail address').fill(email);
      await page.getByRole('button', { name: 'Send me a link' }).click();
      await expect(page.getByText('If somebody signs in here with that address')).toBeVisible();
    }
    await look(page, 'forgotten-asked');
    await expect.poll(() => mail.mails.length).toBe(before + 1);
    expect(mail.mails.at(-1)?.to).toBe(ADMIN.email);
    await page.goto(mail.mails.at(-1)?.link ?? '/');
    await page.getByLabel('New password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Set the password' }).click();
    await expect(page.getByText('The new password is set')).toBeVisible();
  } finally {
    await context.close();
    await server.stop();
    mail.stop();
  }
});
