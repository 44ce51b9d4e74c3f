// What the server tells browsers of its pages and files, beyond what is seen.

import { expect, test } from '../support/fixtures.ts';

const html = { Accept: 'text/html' };

test('a page may run no script but ours, is framed by nobody, and is kept by no cache', async ({ server }) => {
  const page = await fetch(`${server.url}/auth`, { headers: html });
  const policy = page.headers.get('Content-Security-Policy') ?? '';
  const nonce = /script-src 'self' 'nonce-([\w-]+)' 'wasm-unsafe-eval'/.exec(policy)?.[1];
  expect(nonce).toBeTruthy();
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe-inline');
  const scripts = [...(await page.text()).matchAll(/<script\b([^>]*)>/g)].map((match) => match[1] ?? '');
  expect(scripts.length).toBeGreaterThan(1);
  for (const attributes of scripts) expect(attributes).toMatch(new RegExp(`nonce="${nonce}"|src="/pkg/[0-9a-f]+/player/`));
  expect(page.headers.get('Cache-Control')).toBe('no-store');
  expect(page.headers.get('X-Content-Type-Options')).toBe('nosniff');
  const again = await fetch(`${server.url}/auth`, { headers: html });
  expect(again.headers.get('Content-Security-Policy'), 'the nonce is used once').not.toBe(policy);
});

test('the player for frames alone may stand in frames of other sites', async ({ server }) => {
  const embed = await fetch(`${server.url}/embed/00000000-0000-4000-8000-000000000000`, { headers: html });
  expect(embed.headers.get('Content-Security-Policy')).toContain('frame-ancestors *');
  const playout = await fetch(`${server.url}/playout/00000000-0000-4000-8000-000000000000`, { headers: html, redirect: 'manual' });
  expect(playout.headers.get('Content-Security-Policy')).toContain("frame-ancestors 'none'");
});

test('the files that a page names are compressed and kept for good', async ({ server }) => {
  const page = await (await fetch(`${server.url}/auth`, { headers: html })).text();
  const script = /href="(\/pkg\/[0-9a-f]+\/afterlive\.js)"/.exec(page)?.[1];
  const wasm = /href="(\/pkg\/[0-9a-f]+\/afterlive\.wasm)"/.exec(page)?.[1];
  const styles = /href="(\/pkg\/[^"]*afterlive\.css)"/.exec(page)?.[1];
  for (const [path, type] of [
    [script, 'text/javascript; charset=utf-8'],
    [wasm, 'application/wasm'],
    [styles, 'text/css; charset=utf-8'],
  ] as const) {
    const file = await fetch(server.url + path, { headers: { 'Accept-Encoding': 'br' } });
    expect(file.status, path).toBe(200);
    expect(file.headers.get('Content-Type')).toBe(type);
    expect(file.headers.get('Content-Encoding')).toBe('br');
    expect(file.headers.get('Vary')).toBe('accept-encoding');
    expect(file.headers.get('Cache-Control')).toBe('public, max-age=31536000, immutable');
    const etag = file.headers.get('ETag') ?? '';
    const known = await fetch(server.url + path, { headers: { 'Accept-Encoding': 'br', 'If-None-Match': etag } });
    expect(known.status).toBe(304);
    const head = await fetch(server.url + path, { method: 'HEAD', headers: { 'Accept-Encoding': 'identity' } });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get('Content-Length'))).toBeGreaterThan(1_000);
    expect(await head.text()).toBe('');
  }
});

test('what is not there is a page with status 404 for people, and a bare 404 for programs', async ({ server }) => {
  const page = await fetch(`${server.url}/no/such/page`, { headers: html });
  expect(page.status).toBe(404);
  expect(await page.text()).toContain('There is nothing here');
  for (const path of ['/no/such/page', '/pkg/afterlive.js.br', '/pkg/..%2f..%2fCargo.toml', '/favicon.ico/..%2f']) {
    const bare = await fetch(server.url + path, { headers: { Accept: '*/*' } });
    expect(bare.status, path).toBe(404);
    expect(await bare.text()).not.toContain('<html');
  }
});

test('a form sent by another site does nothing', async ({ server }) => {
  const forged = await fetch(`${server.url}/ui/sign_out`, {
    method: 'POST',
    headers: { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site', 'Content-Type': 'application/x-www-form-urlencoded' },
  });
  expect(forged.status).toBe(403);
});

test('a form longer than any of ours is refused', async ({ server }) => {
  const body = new URLSearchParams({ email: 'a@example.com', password: 'x'.repeat(100_000) });
  const long = await fetch(`${server.url}/ui/sign_in`, { method: 'POST', body });
  expect(long.status).toBe(413);
});
