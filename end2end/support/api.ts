// The REST API as a program calls it: a key in a header, JSON both ways.

/** What of a stream's answer the tests read. */
export type StreamAnswer = {
  id: string;
  state: string;
  tags: string[];
  ingest: { rtmp: { url: string; streamname: string } };
  playout: {
    web: {
      type: string; id?: string; url: string; index?: number; state?: string; thumbnail?: string | null; storyboard?: string | null; duration_ms?: number;
    }[];
  };
};

export class Api {
  constructor(
    private readonly baseUrl: string,
    private readonly key: string,
  ) {}

  async createStream(tags: string[]): Promise<StreamAnswer> {
    return this.call('POST', '/stream', { tags });
  }

  async stream(id: string): Promise<StreamAnswer> {
    return this.call('GET', `/stream/${id}?asset_limit=10`);
  }

  /** As an operator does. */
  async stop(id: string): Promise<void> {
    await this.call('PUT', `/stream/${id}/stop`);
  }

  async renewPublishKey(id: string): Promise<void> {
    await this.call('POST', `/stream/${id}/publish_key`);
  }

  /** Of all streams' encoders. */
  async requirePublishKeys(required: boolean): Promise<void> {
    await this.call('PUT', '/organisation/publish_key', { required });
  }

  /** Asks to delete a recording, and says the answer's status. */
  async deleteAsset(id: string): Promise<number> {
    const answer = await this.send('DELETE', `/asset/${id}`);
    await answer.body?.cancel();
    return answer.status;
  }

  /** For all streams; `null` is the server's default. */
  async setReconnectWindow(seconds: number | null): Promise<void> {
    await this.call('PUT', '/organisation/recording', { reconnect_window_s: seconds });
  }

  private async call(method: string, path: string, body?: unknown): Promise<StreamAnswer> {
    const answer = await this.send(method, path, body);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as StreamAnswer;
  }

  private send(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(this.baseUrl + path, {
      method,
      headers: { 'X-BINTU-APIKEY': this.key, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}
