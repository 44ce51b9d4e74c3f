// Somebody else's page: another origin, with a frame.

import { once } from 'node:events';
import { createServer } from 'node:http';

export class Outside {
  private constructor(
    readonly url: string,
    readonly host: string,
    readonly stop: () => void,
  ) {}

  /** A page with a frame of `src`. */
  static async framing(src: string): Promise<Outside> {
    const server = createServer((_, response) => {
      const frame = `<iframe title="Player" src="${src}" width="640" height="360" allow="autoplay; fullscreen"></iframe>`;
      const page = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Outside</title><link rel="icon" href="data:,"></head><body>${frame}</body></html>`;
      response.writeHead(200, { 'content-type': 'text/html' }).end(page);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const host = `127.0.0.1:${address.port}`;
    const stop = () => {
      server.closeAllConnections();
      server.close();
    };
    return new Outside(`http://${host}/`, host, stop);
  }
}
