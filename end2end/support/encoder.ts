// An encoder as people use one: ffmpeg pushing a test pattern and a tone over RTMP.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { CLOCK_SOURCE } from './clock.ts';

/** All but H.264 need an FFmpeg that speaks Enhanced RTMP. */
const CODECS = {
  'H.264 and AAC': ['-g', '30', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'],
  // As of an encoder that is short of time: a fifth of each second's pictures is missing, and of its sound some. Who loses one of the others has no second
  // keyframe to begin with.
  'H.264 with frames left out, and AAC': [
    ...['-vf', "select='not(between(mod(n,30),10,15))'", '-fps_mode', 'passthrough'],
    ...['-g', '100000', '-sc_threshold', '0', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'],
    ...['-af', "aselect='not(between(mod(n,50),10,15))'"],
  ],
  'AV1 and Opus': ['-g', '30', '-c:v', 'libsvtav1', '-preset', '12', '-c:a', 'libopus', '-b:a', '64k'],
  'HEVC and AAC': ['-g', '30', '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-c:a', 'aac'],
};
/** What is heard; else a tone. A beep at each whole second tells whether sound and picture are together. */
const SOUND: Partial<Record<keyof typeof CODECS, string>> = {
  'H.264 with frames left out, and AAC': 'aevalsrc=0.5*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.1):s=48000',
};
export type Codecs = keyof typeof CODECS;

export class Encoder {
  private complaints = '';
  private sentUs = 0;
  private readonly ended: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    child.stderr?.on('data', (chunk) => (this.complaints += chunk));
    child.stdout?.on('data', (chunk) => {
      const sent = [...String(chunk).matchAll(/^out_time_us=(\d+)/gm)].at(-1)?.[1];
      if (sent !== undefined) this.sentUs = Number(sent);
    });
    this.ended = once(child, 'exit');
  }

  /** Begins to push; `ingestUrl` and `streamKey` are what the page gives for OBS's "Server" and "Stream Key". `held`: does so by `release` only. */
  static push(ingestUrl: string, streamKey: string, codecs: Codecs = 'H.264 and AAC', held = false): Encoder {
    const args = [
      ...['-hide_banner', '-loglevel', 'warning', '-nostats', '-progress', 'pipe:1', '-stats_period', '0.1'],
      // It reads this to its end before it connects.
      ...(held ? ['-f', 'ffmetadata', '-i', 'pipe:0'] : []),
      ...['-re', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30', '-f', 'lavfi', '-i', SOUND[codecs] ?? 'sine=frequency=440:sample_rate=48000'],
      ...['-pix_fmt', 'yuv420p', '-b:v', '1M', ...CODECS[codecs], '-f', 'flv', `${ingestUrl}/${streamKey}`],
    ];
    const program = codecs.startsWith('H.264') ? (process.env['FFMPEG'] ?? 'ffmpeg') : process.env['AFTERLIVE_TEST_FFMPEG'];
    if (program === undefined) throw new Error('AFTERLIVE_TEST_FFMPEG is to be what scripts/enhanced-ffmpeg prints.');
    return new Encoder(spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, SVT_LOG: '1' } }));
  }

  /** Pushes pictures into which the time is burnt at which they were made: see `clock.ts`. */
  static pushClock(ingestUrl: string, streamKey: string): Encoder {
    const args = [
      ...['-hide_banner', '-loglevel', 'warning', '-nostats', '-progress', 'pipe:1', '-stats_period', '0.1'],
      ...['-f', 'lavfi', '-i', CLOCK_SOURCE, '-fps_mode', 'passthrough'],
      ...['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '30', '-b:v', '1M', '-c:a', 'aac'],
      ...['-f', 'flv', '-flush_packets', '1', `${ingestUrl}/${streamKey}`],
    ];
    return new Encoder(spawn(process.env['FFMPEG'] ?? 'ffmpeg', args, { stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  /** Pushes a file as it is, as fast as it is to be shown. */
  static pushFile(ingestUrl: string, streamKey: string, file: string): Encoder {
    const args = [
      ...['-hide_banner', '-loglevel', 'warning', '-nostats', '-progress', 'pipe:1', '-stats_period', '0.1'],
      ...['-re', '-i', file, '-c', 'copy', '-f', 'flv', '-flvflags', 'no_duration_filesize', `${ingestUrl}/${streamKey}`],
    ];
    return new Encoder(spawn(process.env['FFMPEG'] ?? 'ffmpeg', args, { stdio: ['pipe', 'pipe', 'pipe'] }));
  }

  /** What was held begins to push, at once: the program is loaded. */
  release(): void {
    this.child.stdin?.end(';FFMETADATA1\n');
  }

  /** How much media has been sent. */
  get sentMs(): number {
    return this.sentUs / 1_000;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** What it complained of, such as a refusal. */
  get log(): string {
    return this.complaints;
  }

  /** Ends the stream as a person does who presses "Stop". */
  async stop(): Promise<void> {
    if (!this.hasEnded) {
      if (this.child.stdin?.writable) this.child.stdin.write('q');
      // What was held takes no keys.
      else this.child.kill('SIGTERM');
    }
    await this.untilEnded();
  }

  /** Waits for the server to have cut it off or refused it. */
  async untilEnded(): Promise<void> {
    await this.ended;
  }

  kill(): void {
    if (!this.hasEnded) this.child.kill('SIGKILL');
  }
}
