// A server that speaks the live protocol as the real one does, and fails on demand: for the player's states, which a healthy server has few of.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fragments } from './fragments.ts';
import { Peer } from './websocket.ts';

const PLAYER = fileURLToPath(new URL('../../player/', import.meta.url));
const MIME = 'video/mp4; codecs="avc1.42c01f,mp4a.40.2"';

/** How it meets who asks for the stream. `barred`: WebSockets do not get through, all else does. */
export type Mood = 'live' | 'offline' | 'refuses' | 'refuses at once' | 'barred' | 'codec';

export class StandIn {
  mood: Mood = 'offline';
  /** How often a socket was asked for. */
  asked = 0;
  /** What stands in the page. */
  player = '<afterlive-player live="/live/stand-in" label="Stand-in"><video slot="video" playsinline></video></afterlive-player>';
  private readonly peers = new Set<Peer>();
  private fragments: Fragments | undefined;
  private readonly folder = mkdtempSync(path.join(tmpdir(), 'afterlive-stand-in-'));
  private clock: NodeJS.Timeout | undefined;

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => void this.answer(request, response));
    server.on('upgrade', (request, socket) => {
      socket.on('error', () => {});
      this.asked += 1;
      if (this.mood === 'barred' || this.mood === 'refuses at once') {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      const peer = Peer.accept(request, socket);
      this.peers.add(peer);
      this.greet(peer);
    });
  }

  static async start(): Promise<StandIn> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new StandIn(server);
  }

  get url(): string {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? `http://localhost:${address.port}/` : '';
  }

  /** How many are connected. */
  get watchers(): number {
    return [...this.peers].filter((peer) => peer.isOpen).length;
  }

  /** Begins a publish: media time begins at nought. */
  goLive(): void {
    this.fragments?.stop();
    this.mood = 'live';
    const greeted = new Set<Peer>();
    const fragments = new Fragments((fragment) => {
      for (const peer of this.peers) {
        if (this.greeted.has(peer)) peer.media(fragment);
        else this.greet(peer);
      }
    });
    this.greeted = greeted;
    this.fragments = fragments;
    clearInterval(this.clock);
    this.clock = setInterval(() => this.peers.forEach((peer) => this.greeted.has(peer) && this.tellTime(peer)), 2_000);
  }

  /** Ends the publish; whoever watches is told. `waitsMs`: as of an encoder that was cut off, and is waited for. */
  stopPublish(waitsMs?: number): void {
    this.mood = 'offline';
    this.fragments?.stop();
    this.fragments = undefined;
    for (const peer of this.peers) if (this.greeted.has(peer)) peer.say({ type: 'stopped', ...(waitsMs === undefined ? {} : { waits_ms: waitsMs }) });
    this.greeted = new Set();
  }

  /** Nothing comes any more, and the connections stand. */
  freeze(): void {
    this.greeted = new Set();
    this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
  }

  /** As a network that fails. */
  dropAll(): void {
    for (const peer of this.peers) peer.drop();
    this.peers.clear();
  }

  /** Makes the stream one that plays as HLS too, of some seconds that loop by nobody's hand. */
  async makeHls(): Promise<void> {
    const args = [
      ...['-hide_banner', '-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-t', '20', '-pix_fmt', 'yuv420p'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-f', 'hls', '-hls_time', '1', '-hls_list_size', '0'],
      ...['-hls_segment_type', 'fmp4', '-hls_flags', 'omit_endlist', path.join(this.folder, 'index.m3u8')],
    ];
    const child = spawn(process.env['FFMPEG'] ?? 'ffmpeg', args, { stdio: 'inherit' });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`ffmpeg ended with ${code}`);
  }

  async stop(): Promise<void> {
    clearInterval(this.clock);
    this.fragments?.stop();
    this.dropAll();
    this.server.closeAllConnections();
    this.server.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  private greeted = new Set<Peer>();
  private isFrozen = false;

  private greet(peer: Peer): void {
    switch (this.mood) {
      case 'refuses':
        peer.close(1008, 'The token has expired.');
        break;
      case 'codec':
        peer.say({ type: 'info', state: 'live', mime: 'video/mp4; codecs="hvc1.1.6.L93.B0,mp4a.40.2"', video: { codec: 'hevc' }, audio: { codec: 'aac' } });
        break;
      case 'live': {
        const init = this.fragments?.init;
        if (init === undefined || this.fragments === undefined || this.isFrozen) return;
        this.greeted.add(peer);
        const tracks = { video: { codec: 'h264', width: 640, height: 360 }, audio: { codec: 'aac', sample_rate: 48_000, channels: 1 } };
        peer.say({ type: 'info', state: 'live', mime: MIME, ...tracks });
        peer.media(init);
        this.tellTime(peer);
        for (const fragment of this.fragments.group) peer.media(fragment);
        break;
      }
      default:
        peer.say({ type: 'status', state: 'offline' });
    }
  }

  private tellTime(peer: Peer): void {
    const { mediaMs, wallMs } = this.fragments?.newest ?? { mediaMs: 0, wallMs: 0 };
    peer.say({ type: 'clock', media_ms: mediaMs, wall_ms: wallMs, server_ms: Date.now() });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', this.url);
    const send = (status: number, type: string, body: string | Buffer) => void response.writeHead(status, { 'content-type': type }).end(body);
    if (pathname === '/') {
      const page = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Stand-in</title><link rel="icon" href="data:,"><script type="module" src="/player/element.js"></script></head>
        <body><main><h1>Stand-in</h1>${this.player}</main></body></html>`;
      send(200, 'text/html', page);
    } else if (pathname.startsWith('/live/')) {
      await this.list(pathname, send);
    } else {
      const vendored = { '/player/vendor/hls.mjs': 'node_modules/hls.js/dist/hls.light.min.mjs' }[pathname];
      const file = path.join(PLAYER, vendored ?? pathname.replace(/^\/player\//, 'src/'));
      const body = await readFile(file).catch(() => undefined);
      if (body === undefined) send(404, 'text/plain', 'not here');
      else send(200, file.endsWith('.css') ? 'text/css' : 'text/javascript', body);
    }
  }

  private async list(pathname: string, send: (status: number, type: string, body: string | Buffer) => void): Promise<void> {
    if (this.mood === 'refuses' || this.mood === 'refuses at once') {
      send(403, 'application/json', JSON.stringify({ error: { message: 'The token is for another stream.', code: 2001 } }));
      return;
    }
    const body = await readFile(path.join(this.folder, path.basename(pathname))).catch(() => undefined);
    const type = pathname.endsWith('.m3u8') ? 'application/vnd.apple.mpegurl' : 'video/mp4';
    if (body === undefined || this.mood === 'offline') send(404, 'text/plain', 'not live');
    else send(200, type, body);
  }
}
