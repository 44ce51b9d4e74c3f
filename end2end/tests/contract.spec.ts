// The API is called with whatever its document allows, and with what it does not: each answer is one that the document has, and none is the server's own failure.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect, test } from '../support/fixtures.ts';
import { Server } from '../support/server.ts';
import { Api } from '../support/api.ts';

/** Of each call, beside what its document has as examples: the most for who may make all of them. */
const EXAMPLES = { admin: 7, again: 2 };
/** The same calls in each run: what is found is found by everybody. */
const SEED = 7;
/** Some 5,000 calls, and some minute. */
const TIMEOUT_MS = 300_000;
/** Beside its examples what the document has at its limits, which are the most calls by far. */
const PHASES = { all: 'examples,coverage,fuzzing', few: 'examples,fuzzing' };
const CHECKS = [
  ...['not_a_server_error', 'status_code_conformance', 'content_type_conformance'],
  ...['response_headers_conformance', 'response_schema_conformance'],
];

for (const database of ['SQLite', 'PostgreSQL']) {
  test(`no call that can be made of the document is answered by a server error, or by what the document does not have: ${database}`, async ({ push }) => {
    test.setTimeout(TIMEOUT_MS);
    const folder = process.env['AFTERLIVE_TEST_SCHEMATHESIS'];
    if (folder === undefined) throw new Error('Set AFTERLIVE_TEST_SCHEMATHESIS to what scripts/schemathesis prints.');
    // Its own: an organisation after this has a webhook, locked streams and publish keys.
    const { server, setUp } = await Server.start({ setUp: true, settings: database === 'SQLite' ? {} : onPostgres() });
    const settings = await mkdtemp(path.join(tmpdir(), 'afterlive-contract-'));
    try {
      const admin = setUp?.api_key ?? '';
      const api = new Api(server.url, admin);
      const stream = await api.createStream(['title:Sunday service']);
      const encoder = push(stream.ingest.rtmp.url, stream.ingest.rtmp.streamname);
      await expect.poll(() => encoder.sentMs, { timeout: 30_000 }).toBeGreaterThan(2_000);
      await encoder.stop();
      let asset: string | undefined;
      await expect
        .poll(async () => (asset = (await api.stream(stream.id)).playout.web.find((entry) => entry.type === 'vod')?.id), { timeout: 30_000 })
        .toBeDefined();
      // Before all else: the organisation may have no room for more keys afterwards.
      const keyOf = (role: string): Promise<string> =>
        server.command(['key', 'add', '--org', setUp?.organisation.hash ?? '', '--role', role, '--label', role]);
      const [user, reader] = [await keyOf('nanoUser'), await keyOf('nanoReadOnly')];
      const ids = { stream: stream.id, asset: asset ?? '', ...(await things(server.url, admin)) };
      const again = { examples: EXAMPLES.again, phases: PHASES.all };
      // Each role on one of the two: what it may is asked above the databases, what the rows say below. What a user may is what a reader may or an
      // administrator, so that little of it is asked.
      const runs =
        database === 'SQLite'
          ? [
              { key: admin, examples: EXAMPLES.admin, phases: PHASES.all },
              { key: user, examples: EXAMPLES.again, phases: PHASES.few },
              { key: reader, ...again },
            ]
          : [{ key: admin, ...again }];
      for (const { key, examples, phases } of runs) {
        const config = path.join(settings, 'schemathesis.toml');
        await writeFile(config, configuration(server.url, key, ids));
        const { code, printed } = await schemathesis(folder, settings, config, `${server.url}/openapi.json`, examples, phases);
        expect(code, printed).toBe(0);
        expect(printed).toMatch(/[1-9]\d* generated, [1-9]\d* passed/);
      }
      expect(server.log, 'nothing of it is an error in the log').not.toMatch(/ERROR|panicked/);
    } finally {
      await server.stop();
      await rm(settings, { recursive: true });
    }
  });
}

/** On the cluster of the tests, which is new each time and in which nobody else has tables. */
function onPostgres(): Record<string, string> {
  const url = process.env['AFTERLIVE_TEST_POSTGRES_URL'];
  if (url === undefined) throw new Error('Run it by scripts/postgres COMMAND, which sets AFTERLIVE_TEST_POSTGRES_URL.');
  return { AFTERLIVE__DATABASE__URL: url };
}

type Ids = { stream: string; asset: string; endpoint: string; delivery: string; apikey: string };

/** An endpoint that nobody answers at, what it is to be told, and a key that nobody has. */
async function things(url: string, admin: string): Promise<Omit<Ids, 'stream' | 'asset'>> {
  const make = async (call: string, body: object): Promise<{ id: string; delivery: string }> => {
    const headers = { 'X-BINTU-APIKEY': admin, 'Content-Type': 'application/json' };
    const answer = await fetch(url + call, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${call}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { id: string; delivery: string };
  };
  const endpoint = await make('/organisation/endpoint', { url: 'http://no-such-host.invalid/', kinds: ['asset.failed'] });
  const told = await make(`/organisation/endpoint/${endpoint.id}/test`, {});
  const key = await make('/organisation/apikey', { label: 'to be revoked', role: 'nanoReadOnly' });
  return { endpoint: endpoint.id, delivery: told.delivery, apikey: key.id };
}

/** Ids that are there: with made-up ones most calls get no further than 404. */
function configuration(url: string, key: string, { stream, asset, endpoint, delivery, apikey }: Ids): string {
  return `
base-url = "${url}"
headers = { X-BINTU-APIKEY = "${key}" }
[generation]
database = "none"
[[operations]]
include-path-regex = "^/stream/"
exclude-method = "DELETE"
parameters = { "path.id" = "${stream}" }
[[operations]]
include-path-regex = "^/asset/"
parameters = { "path.id" = "${asset}" }
[[operations]]
include-path-regex = "^/organisation/endpoint/"
exclude-method = "DELETE"
parameters = { "path.id" = "${endpoint}" }
[[operations]]
include-path-regex = "^/organisation/delivery/"
parameters = { "path.id" = "${delivery}" }
[[operations]]
include-path-regex = "^/organisation/apikey/"
parameters = { "path.id" = "${apikey}" }
`;
}

/** Runs in a folder of the test's own, since it leaves notes where it is. */
async function schemathesis(
  folder: string,
  cwd: string,
  config: string,
  document: string,
  examples: number,
  phases: string,
): Promise<{ code: number; printed: string }> {
  const args = ['-m', 'schemathesis.cli', '--config-file', config, 'run', document, '--no-color'];
  // What the document allows, and what it does not.
  args.push('--mode', 'all');
  args.push('--phases', phases, '--checks', CHECKS.join(','), '--max-examples', `${examples}`, '--seed', `${SEED}`);
  const child = spawn('python3', args, { cwd, env: { ...process.env, PYTHONPATH: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const [code] = (await once(child, 'close')) as [number];
  return { code, printed };
}
