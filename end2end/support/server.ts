// A server of a test's own: the real binary on free ports, with a data folder that goes when it ends.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const BINARY = path.resolve(
  fileURLToPath(new URL('..', import.meta.url)),
  process.env['AFTERLIVE_BIN'] ?? '../target/release/afterlive',
);
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;
const SET_UP_LINK = /http:\/\/\S+\/setup\?token=\S+/;

/** What `afterlive setup` prints. */
export type SetUp = {
  organisation: { id: string; hash: string; name: string };
  user: { id: string; email: string };
  api_key: string;
};

export const ADMIN = { email: 'admin@example.com', password: 'wandering geese by night', organisation: 'Chapel' };

export class Server {
  private child: ChildProcess | undefined;
  private output = '';
  /** Looked for just before it serves: set-up takes long enough for somebody else to take what was free. */
  private httpPort = 0;
  private rtmpPort = 0;

  private constructor(
    private readonly dataDir: string,
    private readonly publicHost: string,
    private readonly settings: Record<string, string>,
  ) {}

  /** Starts a server with an empty database. `publicHost` is the host name by which pages and URLs name it, `settings` are variables. */
  static async start(options: {
    setUp: boolean;
    publicHost?: string;
    settings?: Record<string, string>;
  }): Promise<{ server: Server; setUp: SetUp | undefined }> {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'afterlive-end2end-'));
    const server = new Server(dataDir, options.publicHost ?? 'localhost', options.settings ?? {});
    try {
      const setUp = options.setUp ? await server.setUp() : undefined;
      [server.httpPort, server.rtmpPort] = [await freePort(), await freePort()];
      await server.serve();
      if (!options.setUp) await server.untilPrinted(SET_UP_LINK);
      return { server, setUp };
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get url(): string {
    return `http://${this.publicHost}:${this.httpPort}`;
  }

  /** All that it has printed. */
  get log(): string {
    return this.output;
  }

  /** The one-time link that a first start prints. */
  get setUpLink(): string {
    const link = SET_UP_LINK.exec(this.output)?.[0];
    if (link === undefined) throw new Error(`The server printed no set-up link:\n${this.output}`);
    return link;
  }

  /** Runs one of the other commands on the same data, and gives what it printed. */
  async command(args: string[], input = ''): Promise<string> {
    const child = spawn(BINARY, args, { env: this.environment(), stdio: ['pipe', 'pipe', 'pipe'] });
    let printed = '';
    let complaint = '';
    child.stdout.on('data', (chunk) => (printed += chunk));
    child.stderr.on('data', (chunk) => (complaint += chunk));
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`afterlive ${args.join(' ')} ended with ${code}:\n${complaint}`);
    return printed.trim();
  }

  async stop(): Promise<void> {
    const child = this.child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(hard);
    }
    await rm(this.dataDir, { recursive: true, force: true });
  }

  private async setUp(): Promise<SetUp> {
    const args = ['setup', '--email', ADMIN.email, '--password-stdin', '--organisation', ADMIN.organisation];
    return JSON.parse(await this.command(args, `${ADMIN.password}\n`)) as SetUp;
  }

  private async serve(): Promise<void> {
    const child = spawn(BINARY, ['serve'], { env: this.environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (this.output += chunk));
    let failure: Error | undefined;
    child.on('error', (error) => (failure = error));
    await this.until('answers', async () => {
      if (failure !== undefined) throw failure;
      return (await fetch(`http://127.0.0.1:${this.httpPort}/healthz`).catch(() => undefined))?.ok === true;
    });
  }

  private async untilPrinted(pattern: RegExp): Promise<void> {
    await this.until(`prints ${pattern}`, async () => pattern.test(this.output));
  }

  private async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await holds())) {
      const code = this.child?.exitCode;
      if (typeof code === 'number') throw new Error(`The server ended with ${code}:\n${this.output}`);
      if (Date.now() > deadline) throw new Error(`It took more than ${START_TIMEOUT_MS} ms until the server ${what}:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  private environment(): NodeJS.ProcessEnv {
    // Nothing of the settings of who runs the tests.
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('AFTERLIVE'));
    return {
      ...Object.fromEntries(inherited),
      ...this.settings,
      AFTERLIVE__DATA_DIR: this.dataDir,
      AFTERLIVE__HTTP__LISTEN: `127.0.0.1:${this.httpPort}`,
      AFTERLIVE__HTTP__PUBLIC_URL: this.url,
      AFTERLIVE__RTMP__LISTEN: `127.0.0.1:${this.rtmpPort}`,
      AFTERLIVE__WEBRTC__LISTEN: '127.0.0.1:0',
      AFTERLIVE__RTMP__PUBLIC_URL: `rtmp://127.0.0.1:${this.rtmpPort}`,
      // A test that pushes twice means two recordings.
      AFTERLIVE__RECORD__RECONNECT_WINDOW_S: '0',
    };
  }
}

/** A port that was free a moment ago; the kernel gives each but once in a while. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('The probe has no port.');
  return address.port;
}
