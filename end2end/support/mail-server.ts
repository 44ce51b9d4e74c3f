// A mail server of a test's own: it takes all mail but that for `refused@…`, and keeps the links in it.

import { once } from 'node:events';
import { createServer, type Server as Listener, type Socket } from 'node:net';

type Mail = { to: string; link: string };

const LINK = /^http:\S+\/(?:invitation|password)\/\S+$/m;

/** As mail programs show it: long lines are sent in parts (quoted-printable, RFC 2045 §6.7). */
function decoded(letter: string): string {
  if (!/^Content-Transfer-Encoding: quoted-printable$/im.test(letter)) return letter;
  return letter.replace(/=\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

export class MailServer {
  readonly mails: Mail[] = [];

  private constructor(private readonly listener: Listener) {}

  static async start(): Promise<MailServer> {
    const listener = createServer();
    const server = new MailServer(listener);
    listener.on('connection', (socket) => server.talk(socket));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return server;
  }

  /** For a server that is to send its mail here. */
  get settings(): Record<string, string> {
    const address = this.listener.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return {
      AFTERLIVE__MAIL__HOST: '127.0.0.1',
      AFTERLIVE__MAIL__PORT: `${port}`,
      AFTERLIVE__MAIL__ENCRYPTION: 'none',
      AFTERLIVE__MAIL__FROM: 'Afterlive <noreply@example.com>',
    };
  }

  stop(): void {
    this.listener.close();
  }

  private talk(socket: Socket): void {
    const say = (line: string) => socket.write(`${line}\r\n`);
    let rest = '';
    let to = '';
    let letter: string[] | undefined;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      rest += chunk.toString('utf8');
      const lines = rest.split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (letter !== undefined) {
          if (line !== '.') {
            letter.push(line);
            continue;
          }
          this.mails.push({ to, link: LINK.exec(decoded(letter.join('\n')))?.[0] ?? '' });
          letter = undefined;
          say('250 2.0.0 taken');
          continue;
        }
        const verb = line.split(/[ :]/)[0]?.toUpperCase();
        if (verb === 'RCPT') to = /<(.*)>/.exec(line)?.[1] ?? '';
        if (verb === 'EHLO') say('250 mail.test');
        else if (verb === 'RCPT' && to.startsWith('refused@')) say('550 5.1.1 nobody has this mailbox');
        else if (verb === 'DATA') {
          letter = [];
          say('354 go on');
        } else if (verb === 'QUIT') {
          say('221 goodbye');
          socket.end();
        } else say('250 well');
      }
    });
    say('220 mail.test ESMTP');
  }
}
