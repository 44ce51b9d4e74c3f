// What the webcaster makes of statistics and of the server's answer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whatEnded } from '../src/webcaster/devices.js';
import { h264Of } from '../src/webcaster/h264.js';
import { figures, line, read } from '../src/webcaster/quality.js';
import { Publish, withStartBitrate } from '../src/webcaster/whip.js';

/** @param {Partial<{ bytes: number, sent: number, lost: number, trip: number, limited: string }>} what @param {number} atMs */
const reading = ({ bytes = 0, sent = 0, lost = 0, trip = 0.02, limited = 'none' }, atMs) =>
  read(
    [
      { type: 'outbound-rtp', kind: 'video', bytesSent: bytes, packetsSent: sent, framesPerSecond: 30, frameWidth: 1280, frameHeight: 720, qualityLimitationReason: limited },
      { type: 'outbound-rtp', kind: 'audio', bytesSent: bytes / 100, packetsSent: 0 },
      { type: 'remote-inbound-rtp', kind: 'video', packetsLost: lost, roundTripTime: trip },
      { type: 'candidate-pair' },
    ],
    atMs,
  );

test('rates and losses are those between two readings', () => {
  const seen = figures(reading({ bytes: 1_000_000, sent: 1_000, lost: 5 }, 1_000), reading({ bytes: 1_250_000, sent: 1_190, lost: 15 }, 2_000));
  assert.deepEqual([seen.videoKbps, seen.audioKbps, seen.size, seen.framesPerSecond, seen.roundTripMs], [2_000, 20, '1280 × 720', 30, 20]);
  assert.equal(seen.lossPercent, 5);
  assert.equal(seen.level, 'fair');
});

test('the word follows what is worst', () => {
  const level = (/** @type {Parameters<typeof reading>[0]} */ now) => figures(reading({}, 0), reading({ sent: 100, ...now }, 1_000)).level;
  assert.deepEqual([level({}), level({ limited: 'cpu' }), level({ limited: 'bandwidth' }), level({ lost: 20 }), level({ trip: 0.9 })], ['good', 'fair', 'fair', 'poor', 'poor']);
});

test('the chart\'s newest value stands at the right edge', () => {
  assert.equal(line([1, 2], 301, 300, 48), 'M299.0 25.0L300.0 4.0');
  assert.equal(line([], 301, 300, 48), '');
});

test('only H.264 is told where to begin', () => {
  const sdp = 'a=rtpmap:108 H264/90000\r\na=fmtp:108 packetization-mode=1\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n';
  assert.equal(
    withStartBitrate(sdp, 2_000),
    'a=rtpmap:108 H264/90000\r\na=fmtp:108 packetization-mode=1;x-google-start-bitrate=1400\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n',
  );
});

/**
 * A browser whose requests wait for the test's answer.
 * @param {import('node:test').TestContext} t
 */
function browser(t) {
  /** @type {[string, string][]} */
  const asked = [];
  /** @type {((answer: unknown) => void)[]} */
  const answers = [];
  /** @type {((state: string) => void)[]} */
  const connections = [];
  const names = ['fetch', 'RTCPeerConnection', 'window'];
  const before = names.map((name) => [name, Reflect.get(globalThis, name)]);
  t.after(() => Object.assign(globalThis, Object.fromEntries(before)));
  Object.assign(globalThis, {
    window: globalThis,
    RTCPeerConnection: class {
      localDescription = { sdp: 'an offer' };
      connectionState = 'new';
      /** @param {string} _ @param {() => void} hear */
      addEventListener(_, hear) {
        connections.push((state) => {
          this.connectionState = state;
          hear();
        });
      }
      async setLocalDescription() {}
      async setRemoteDescription() {}
      getSenders() {
        return [];
      }
      close() {}
    },
    /** @param {string} url @param {{ method: string }} how */
    fetch: (url, { method }) => {
      asked.push([method, url]);
      return new Promise((answered) => answers.push(answered));
    },
  });
  return { asked, answers, connections, stream: /** @type {MediaStream} */ (/** @type {unknown} */ ({ getTracks: () => [] })) };
}

/** What is due by now has happened. */
async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test('a session that is answered after the stop is ended', async (t) => {
  const { asked, answers, stream } = browser(t);
  const publish = new Publish({ url: () => 'http://host/p/webrtc?x', kbps: 1, framesPerSecond: 1 }, stream, () => {});
  publish.start();
  await settled();
  publish.stop();
  answers[0]?.({ status: 201, url: 'http://host/p/webrtc?x', headers: new Headers({ location: '/p/webrtc/7' }), text: async () => 'an answer' });
  await settled();
  assert.deepEqual(asked, [['POST', 'http://host/p/webrtc?x'], ['DELETE', 'http://host/p/webrtc/7']]);
});

test('who connects anew does so with the key as it is then', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { asked, answers, stream } = browser(t);
  let key = 'old';
  const publish = new Publish({ url: () => `http://host/p/webrtc?key=${key}`, kbps: 1, framesPerSecond: 1 }, stream, () => {});
  publish.start();
  await settled();
  key = 'new';
  answers[0]?.({ status: 503, json: async () => ({}) });
  await settled();
  t.mock.timers.tick(1_000);
  await settled();
  publish.stop();
  assert.deepEqual(asked, [['POST', 'http://host/p/webrtc?key=old'], ['POST', 'http://host/p/webrtc?key=new']]);
});

/** @param {string} kind */
const withoutKey = (kind) => ({ status: 403, json: async () => ({ error: { message: `it is ${kind}`, code: 2001, userinfo: { publish_key: kind } } }) });

test('who comes back with a key that is no more waits for the page to have another', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { asked, answers, connections, stream } = browser(t);
  let key = 'old';
  /** @type {string[]} */
  const states = [];
  const target = { url: () => `http://host/p/webrtc?key=${key}`, kbps: 1, framesPerSecond: 1 };
  const publish = new Publish(target, stream, ({ name }) => states.push(name));
  publish.start();
  await settled();
  answers[0]?.({ status: 201, url: 'http://host/p/webrtc', headers: new Headers(), text: async () => 'an answer' });
  await settled();
  connections[0]?.('connected');
  connections[0]?.('failed');
  t.mock.timers.tick(1_000);
  await settled();
  answers[1]?.(withoutKey('wrong'));
  await settled();
  for (let second = 0; second < 60; second += 1) t.mock.timers.tick(1_000);
  await settled();
  assert.equal(asked.length, 2, 'the same key is not shown again');
  key = 'new';
  t.mock.timers.tick(1_000);
  await settled();
  assert.deepEqual(asked.slice(1).map(([, url]) => url), ['http://host/p/webrtc?key=old', 'http://host/p/webrtc?key=new']);
  assert.deepEqual(states, ['connecting', 'live', 'reconnecting', 'reconnecting']);
  publish.stop();
  assert.equal(states.at(-1), 'ended');
});

test('who begins with a wrong key is told so, unless there is another by then', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { asked, answers, stream } = browser(t);
  let key = 'old';
  /** @type {import('../src/webcaster/whip.js').State[]} */
  const states = [];
  const target = { url: () => `http://host/p/webrtc?key=${key}`, kbps: 1, framesPerSecond: 1 };
  new Publish(target, stream, (state) => states.push(state)).start();
  await settled();
  key = 'new';
  answers[0]?.(withoutKey('missing'));
  await settled();
  t.mock.timers.tick(1_000);
  await settled();
  assert.deepEqual(asked.map(([, url]) => url), ['http://host/p/webrtc?key=old', 'http://host/p/webrtc?key=new']);
  answers[1]?.(withoutKey('wrong'));
  await settled();
  assert.deepEqual(states.at(-1), { name: 'ended', reason: 'it is wrong' });
});

test('pictures are sent as H.264 in packets of mode 1, and as nothing else', () => {
  const [vp8, mode0, mode1] = [
    { mimeType: 'video/VP8' },
    { mimeType: 'video/H264', sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f' },
  ];
  assert.deepEqual([h264Of([vp8, mode0, mode1]), h264Of([vp8, mode0]), h264Of([vp8])], [[mode1], [], []]);
});

test('what has ended is named: picture, sound or both', () => {
  const said = (/** @type {[string, string][]} */ ...tracks) =>
    whatEnded(/** @type {MediaStream} */ (/** @type {unknown} */ ({ getTracks: () => tracks.map(([kind, readyState]) => ({ kind, readyState })) })));
  assert.equal(said(['video', 'live'], ['audio', 'live']), '');
  assert.equal(said(['video', 'ended'], ['audio', 'live']), 'The picture has ended.');
  assert.equal(said(['video', 'live'], ['audio', 'ended']), 'The sound has ended.');
  assert.equal(said(['video', 'ended'], ['audio', 'ended']), 'Picture and sound have ended.');
  assert.equal(whatEnded(null), '');
});
