// As much of a WebSocket server (RFC 6455) as the tests need: it sends text and binary, and reads nothing but the end.

import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;

export class Peer {
  isOpen = true;

  private constructor(private readonly socket: Duplex) {
    const ended = () => (this.isOpen = false);
    for (const event of ['close', 'error', 'end']) socket.on(event, ended);
    socket.on('data', (data: Buffer) => {
      // A client's frame that says goodbye.
      if (((data[0] ?? 0) & 0x0f) === CLOSE) this.drop();
    });
  }

  static accept(request: IncomingMessage, socket: Duplex): Peer {
    const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
    return new Peer(socket);
  }

  say(message: unknown): void {
    this.send(TEXT, Buffer.from(JSON.stringify(message)));
  }

  media(bytes: Buffer): void {
    this.send(BINARY, bytes);
  }

  close(code: number, reason: string): void {
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code);
    body.write(reason, 2);
    this.send(CLOSE, body);
    this.socket.end();
    this.isOpen = false;
  }

  /** As a network that fails: without a word. */
  drop(): void {
    this.isOpen = false;
    this.socket.destroy();
  }

  private send(opcode: number, body: Buffer): void {
    if (!this.isOpen) return;
    const length = body.length;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    if (length < 126) head[1] = length;
    else if (length < 65_536) {
      head[1] = 126;
      head.writeUInt16BE(length, 2);
    } else {
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(length), 2);
    }
    this.socket.write(Buffer.concat([head, body]));
  }
}
