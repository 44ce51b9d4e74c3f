// What tests are given: a server for each worker, a page that fails its test by any complaint in the console, encoders that never outlive it.

import { test as base, expect, type BrowserContext, type Page } from '@playwright/test';
import { Api, type StreamAnswer } from './api.ts';
import { type Codecs, Encoder } from './encoder.ts';
import { signIn } from './pages.ts';
import { Server } from './server.ts';

/** On a test that measures how long something takes: beside another it would measure the machine. */
export const ALONE = '@alone';

type PerTest = {
  /** A page that is signed in as the admin. */
  admin: Page;
  push: (ingestUrl: string, streamKey: string, codecs?: Codecs) => Encoder;
  /** An encoder that is loaded, and pushes from its `release` on. */
  pushHeld: (ingestUrl: string, streamKey: string) => Encoder;
  /** Pushes pictures that say when they were made. */
  pushClock: (ingestUrl: string, streamKey: string) => Encoder;
  /** Pushes an FLV file as it is. */
  pushFile: (ingestUrl: string, streamKey: string, file: string) => Encoder;
  /** What the console may say in this test. */
  allowConsole: (pattern: RegExp) => void;
  /** Watches a context that the test makes itself. */
  watchConsole: (context: BrowserContext) => void;
  /** A server that nobody has set up, for the tests that do. */
  newServer: Server;
};

type PerWorker = {
  server: Server;
  /** The REST API with the admin's key. */
  api: Api;
  /** A stream with one finished recording, for tests that only look. */
  recorded: StreamAnswer;
};

type Console = { allowed: RegExp[]; watch: (context: BrowserContext) => void };

export const test = base.extend<PerTest & { consoleWatch: Console }, PerWorker & { worker: { server: Server; api: Api } }>({
  worker: [
    async ({}, use) => {
      const { server, setUp } = await Server.start({ setUp: true });
      if (setUp === undefined) throw new Error('afterlive setup printed nothing');
      await use({ server, api: new Api(server.url, setUp.api_key) });
      await server.stop();
    },
    { scope: 'worker' },
  ],

  server: [async ({ worker }, use) => use(worker.server), { scope: 'worker' }],
  api: [async ({ worker }, use) => use(worker.api), { scope: 'worker' }],

  recorded: [
    async ({ api }, use) => {
      const stream = await api.createStream(['title:Sunday service', 'hall-2']);
      const encoder = Encoder.push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
      try {
        await expect.poll(async () => (await api.stream(stream.id)).state, { timeout: 15_000 }).toBe('live');
        await expect.poll(() => encoder.sentMs, { timeout: 30_000 }).toBeGreaterThan(4_000);
        await encoder.stop();
      } finally {
        encoder.kill();
      }
      await expect
        .poll(async () => (await api.stream(stream.id)).playout.web.some((entry) => entry.type === 'vod' && entry.thumbnail), {
          message: `a recording with its poster; the encoder said: ${encoder.log}`,
          timeout: 30_000,
        })
        .toBe(true);
      await use(await api.stream(stream.id));
    },
    { scope: 'worker', timeout: 90_000 },
  ],

  baseURL: async ({ server }, use) => use(server.url),

  // Automatic, and on the context: so it sees every page of the test.
  consoleWatch: [
    async ({ context }, use) => {
      const allowed: RegExp[] = [];
      const complaints: string[] = [];
      const watch = (watched: BrowserContext) => {
        watched.on('console', (message) => {
          if (message.type() === 'error' || message.type() === 'warning') {
            complaints.push(`${message.type()} on ${message.page()?.url()}: ${message.text()} (${message.location().url})`);
          }
        });
        watched.on('weberror', (error) => complaints.push(`uncaught on ${error.page()?.url()}: ${error.error()}`));
      };
      watch(context);
      await use({ allowed, watch });
      const unexpected = complaints.filter((text) => !allowed.some((pattern) => pattern.test(text)));
      expect(unexpected, 'the browser console has nothing to complain of').toEqual([]);
    },
    { auto: true },
  ],

  allowConsole: async ({ consoleWatch }, use) => use((pattern) => void consoleWatch.allowed.push(pattern)),
  watchConsole: async ({ consoleWatch }, use) => use(consoleWatch.watch),

  admin: async ({ page }, use) => {
    await signIn(page);
    await expect(page).toHaveURL('/');
    await use(page);
  },

  newServer: async ({}, use) => {
    const { server } = await Server.start({ setUp: false });
    await use(server);
    await server.stop();
  },

  push: async ({}, use) => {
    const encoders: Encoder[] = [];
    await use((ingestUrl, streamKey, codecs) => {
      const encoder = Encoder.push(ingestUrl, streamKey, codecs);
      encoders.push(encoder);
      return encoder;
    });
    for (const encoder of encoders) encoder.kill();
  },

  pushHeld: async ({}, use) => {
    const encoders: Encoder[] = [];
    await use((ingestUrl, streamKey) => {
      const encoder = Encoder.push(ingestUrl, streamKey, undefined, true);
      encoders.push(encoder);
      return encoder;
    });
    for (const encoder of encoders) encoder.kill();
  },

  pushFile: async ({}, use) => {
    const encoders: Encoder[] = [];
    await use((ingestUrl, streamKey, file) => {
      const encoder = Encoder.pushFile(ingestUrl, streamKey, file);
      encoders.push(encoder);
      return encoder;
    });
    for (const encoder of encoders) encoder.kill();
  },

  pushClock: async ({}, use) => {
    const encoders: Encoder[] = [];
    await use((ingestUrl, streamKey) => {
      const encoder = Encoder.pushClock(ingestUrl, streamKey);
      encoders.push(encoder);
      return encoder;
    });
    for (const encoder of encoders) encoder.kill();
  },
});

// What the server printed is the first thing to read when a test fails.
test.afterEach(async ({ server }, info) => {
  if (info.status !== info.expectedStatus) await info.attach('server log', { body: server.log, contentType: 'text/plain' });
});

export { expect };
