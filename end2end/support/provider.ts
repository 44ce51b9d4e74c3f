// A real OpenID provider on loopback: the certified `oidc-provider`, with its own pages for signing in and consenting. Who somebody is there is what they type as
// their name; that name is a user's address too, verified unless it begins with "unverified".

import { createServer, type Server as HttpServer } from 'node:http';
import { once } from 'node:events';
import Provider from 'oidc-provider';
import { freePort } from './server.ts';

export class OidcProvider {
  private http: HttpServer | undefined;

  private constructor(readonly port: number) {}

  static async reserve(): Promise<OidcProvider> {
    return new OidcProvider(await freePort());
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get settings(): Record<string, string> {
    return {
      AFTERLIVE__OIDC__ISSUER: this.issuer,
      AFTERLIVE__OIDC__CLIENT_ID: 'afterlive',
      AFTERLIVE__OIDC__CLIENT_SECRET: 'a secret of the tests: 7 & more',
      AFTERLIVE__OIDC__NAME: 'Example Login',
    };
  }

  /** Serves those who come back to `url`. */
  async start(url: string): Promise<void> {
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: 'afterlive',
          client_secret: this.settings['AFTERLIVE__OIDC__CLIENT_SECRET'],
          redirect_uris: [`${url}/oidc/callback`],
          response_types: ['code'],
          grant_types: ['authorization_code'],
        },
      ],
      claims: { openid: ['sub'], email: ['email', 'email_verified'] },
      pkce: { required: () => true },
      cookies: { keys: ['of the tests'] },
      features: { devInteractions: { enabled: true } },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, email: id, email_verified: !id.startsWith('unverified') }),
      }),
    });
    this.http = createServer(provider.callback());
    this.http.listen(this.port, '127.0.0.1');
    await once(this.http, 'listening');
  }

  async stop(): Promise<void> {
    const http = this.http;
    this.http = undefined;
    if (http === undefined) return;
    http.closeAllConnections();
    http.close();
    await once(http, 'close');
  }
}
