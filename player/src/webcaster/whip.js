// A publish by WHIP (RFC 9725): from tracks to the server, and back to the server by itself when the network was gone. Knows no page.

import { WITHOUT_H264, h264Of } from './h264.js';

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 5_000;
/** ICE mends short breaks by itself; after so long a new session is quicker. */
const DISCONNECTED_MS = 4_000;
/** So long a new session may take to connect. */
const CONNECT_MS = 8_000;

/** @typedef {{ name: 'connecting' | 'live' | 'reconnecting', detail?: string } | { name: 'ended', reason: string | null }} State */

/**
 * @typedef {object} Target
 * @property {() => string} url asked for with each session: the stream's key may have been renewed
 * @property {number} kbps of the pictures
 * @property {number} framesPerSecond
 */

/** The server's no, which no waiting changes. */
class Refused extends Error {}

export class Publish {
  /** @type {Target} */
  #target;
  /** @type {MediaStream} */
  #stream;
  /** @type {(state: State) => void} */
  #tell;
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** @type {string | null} */
  #location = null;
  #isOver = false;
  #wasLive = false;
  /** The one whose publish key is not the right one any more. @type {string | null} */
  #refusedUrl = null;
  #waitMs = FIRST_WAIT_MS;
  #timer = 0;

  /** @param {Target} target @param {MediaStream} stream @param {(state: State) => void} tell */
  constructor(target, stream, tell) {
    this.#target = target;
    this.#stream = stream;
    this.#tell = tell;
  }

  start() {
    this.#tell({ name: 'connecting' });
    void this.#connect();
  }

  /** Ends it for good; the server finishes the recording. */
  stop() {
    this.#end(null);
  }

  /** Statistics of the present session. */
  async stats() {
    const report = await this.#connection?.getStats();
    return report === undefined ? [] : [...report.values()];
  }

  /** Another camera or microphone, without a break. @param {MediaStream} stream */
  async replace(stream) {
    this.#stream = stream;
    for (const sender of this.#connection?.getSenders() ?? []) {
      const kind = sender.track?.kind;
      const track = stream.getTracks().find((track) => track.kind === kind);
      if (track !== undefined) await sender.replaceTrack(track);
    }
  }

  async #connect() {
    if (this.#target.url() === this.#refusedUrl) {
      // The page has not heard of the new key yet, and the server would say the same.
      this.#later(FIRST_WAIT_MS, () => void this.#connect());
      return;
    }
    this.#drop();
    const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.#connection = connection;
    connection.addEventListener('connectionstatechange', () => this.#changed(connection));
    try {
      for (const track of this.#stream.getTracks()) this.#add(connection, track);
      await connection.setLocalDescription();
      const answer = await this.#offer(connection);
      if (this.#connection !== connection) return;
      await connection.setRemoteDescription({ type: 'answer', sdp: withStartBitrate(answer, this.#target.kbps) });
      this.#listenForTheEnd(connection);
      await keepResolution(connection);
      this.#later(CONNECT_MS, () => this.#again('the connection does not come about: is UDP let through?'));
    } catch (error) {
      if (this.#connection !== connection || this.#isOver) return;
      if (error instanceof Refused) this.#end(error.message);
      else this.#again(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {RTCPeerConnection} connection @param {MediaStreamTrack} track */
  #add(connection, track) {
    const isVideo = track.kind === 'video';
    const encoding = isVideo ? { maxBitrate: this.#target.kbps * 1_000, maxFramerate: this.#target.framesPerSecond } : { maxBitrate: 128_000 };
    const transceiver = connection.addTransceiver(track, { direction: 'sendonly', streams: [this.#stream], sendEncodings: [encoding] });
    const codecs = RTCRtpSender.getCapabilities(track.kind)?.codecs ?? [];
    const wanted = isVideo ? h264Of(codecs) : codecs.filter(({ mimeType }) => /opus/i.test(mimeType));
    if (isVideo && wanted.length === 0) throw new Refused(WITHOUT_H264);
    // Resending is asked for by what it resends.
    const rtx = codecs.filter(({ mimeType }) => /\/rtx$/i.test(mimeType));
    if (wanted.length > 0 && 'setCodecPreferences' in transceiver) transceiver.setCodecPreferences([...wanted, ...rtx]);
  }

  /** @param {RTCPeerConnection} connection */
  async #offer(connection) {
    const sdp = connection.localDescription?.sdp ?? '';
    const url = this.#target.url();
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: sdp });
    if (response.status === 201) {
      const place = response.headers.get('location');
      const location = place === null ? null : new URL(place, response.url).href;
      // Stopped meanwhile: nobody else knows of the session, and the stream would be live for some seconds more.
      if (this.#connection === connection) this.#location = location;
      else if (location !== null) void end(location);
      return response.text();
    }
    const { words, lacksKey } = await explained(response);
    if (lacksKey && this.#connection === connection) this.#refusedUrl = url;
    // Our own session of before the break may not have been given up yet, a busy server may have room in a moment, and the page hears of a new key.
    const hasNewKey = lacksKey && this.#target.url() !== url;
    const passes = response.status >= 500 || hasNewKey || (this.#wasLive && (response.status === 409 || lacksKey));
    throw passes ? new Error(words) : new Refused(words);
  }

  /** A server that is asked to end a publish says so; one that is stopped, or a network that is gone, does not. @param {RTCPeerConnection} connection */
  #listenForTheEnd(connection) {
    const transport = connection.getSenders()[0]?.transport;
    transport?.addEventListener('statechange', () => {
      if (this.#connection !== connection || transport.state !== 'closed') return;
      // There is nobody to be told.
      this.#location = null;
      this.#end('The server has ended it: somebody has stopped or locked the stream, or the organisation no longer allows it.');
    });
  }

  /** @param {RTCPeerConnection} connection */
  #changed(connection) {
    if (this.#connection !== connection || this.#isOver) return;
    const state = connection.connectionState;
    if (state === 'connected') {
      this.#later(0, null);
      this.#wasLive = true;
      this.#waitMs = FIRST_WAIT_MS;
      this.#tell({ name: 'live' });
    } else if (state === 'disconnected') {
      this.#tell({ name: 'reconnecting', detail: 'the network is gone' });
      this.#later(DISCONNECTED_MS, () => this.#again('the network is gone'));
    } else if (state === 'failed' || state === 'closed') {
      this.#again('the connection is lost');
    }
  }

  /** @param {string} detail */
  #again(detail) {
    if (this.#isOver) return;
    this.#drop();
    this.#tell({ name: this.#wasLive ? 'reconnecting' : 'connecting', detail });
    this.#later(this.#waitMs, () => void this.#connect());
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
  }

  /** @param {string | null} reason */
  #end(reason) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#later(0, null);
    void this.#leave(this.#location);
    this.#tell({ name: 'ended', reason });
  }

  /** Says so first: once the connection is closed, the server knows of no such session. @param {string | null} location */
  async #leave(location) {
    const connection = this.#connection;
    this.#connection = null;
    if (location !== null) await end(location);
    connection?.close();
  }

  #drop() {
    const connection = this.#connection;
    this.#connection = null;
    this.#location = null;
    connection?.close();
  }

  /** @param {number} ms @param {(() => void) | null} act */
  #later(ms, act) {
    clearTimeout(this.#timer);
    if (act !== null) this.#timer = window.setTimeout(act, ms);
  }
}

/** Ends a session at the server. @param {string} location */
async function end(location) {
  await fetch(location, { method: 'DELETE', keepalive: true }).catch(() => {});
}

/** An error of the API: its words, and whether it is that the publish key is missing or wrong. @param {Response} response */
async function explained(response) {
  try {
    const { error } = await response.json();
    if (typeof error?.message === 'string') {
      const isLive = error.userinfo?.state === 'live';
      return {
        words: isLive ? `${error.message}: end that one, then go live here again` : error.message,
        lacksKey: response.status === 403 && error.userinfo?.publish_key !== undefined,
      };
    }
  } catch {
    // Something in between has answered.
  }
  return { words: `the server answered ${response.status}`, lacksKey: false };
}

/** Browsers of Chromium's family begin with 300 kbit/s and a small picture otherwise. @param {string} sdp @param {number} kbps */
export function withStartBitrate(sdp, kbps) {
  const h264 = new Set([...sdp.matchAll(/^a=rtpmap:(\d+) H264\//gim)].map(([, payload]) => payload));
  return sdp.replace(/^a=fmtp:(\d+) (.*?)(\r?)$/gm, (line, payload, parameters, end) =>
    h264.has(payload) ? `a=fmtp:${payload} ${parameters};x-google-start-bitrate=${Math.round(kbps * 0.7)}${end}` : line,
  );
}

/** Less detail rather than another size: each size is another configuration of the recording. @param {RTCPeerConnection} connection */
async function keepResolution(connection) {
  for (const sender of connection.getSenders()) {
    if (sender.track?.kind !== 'video') continue;
    const parameters = /** @type {RTCRtpSendParameters & { degradationPreference?: string }} */ (sender.getParameters());
    parameters.degradationPreference = 'maintain-resolution';
    await sender.setParameters(parameters).catch(() => {});
  }
}
