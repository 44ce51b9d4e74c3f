// What ffmpeg makes of a test pattern as fragmented MP4, a frame a fragment, in real time: for a server that sends it on.

import { type ChildProcess, spawn } from 'node:child_process';

/** One top-level box, or `moof` and `mdat` together. */
type Box = { type: string; bytes: Buffer };

export class Fragments {
  /** Once it is whole. */
  init: Buffer | undefined;
  /** From the last keyframe on. */
  group: Buffer[] = [];
  /** Media time of what came last, in milliseconds, and when that was. */
  newest = { mediaMs: 0, wallMs: 0 };
  private rest = Buffer.alloc(0);
  private ftyp: Buffer | undefined;
  private moof: Buffer | undefined;
  private readonly children: ChildProcess;
  private timescales = new Map<number, number>();

  constructor(private readonly heard: (fragment: Buffer) => void) {
    const args = [
      ...['-hide_banner', '-loglevel', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25'],
      ...['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-pix_fmt', 'yuv420p'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'baseline', '-level', '3.1', '-g', '25', '-b:v', '800k'],
      ...['-c:a', 'aac', '-f', 'mp4', '-movflags', 'frag_every_frame+empty_moov+default_base_moof', '-flush_packets', '1', 'pipe:1'],
    ];
    this.children = spawn(process.env['FFMPEG'] ?? 'ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.children.stdout?.on('data', (data: Buffer) => this.read(data));
  }

  /** Nothing is heard from here on, also of what ffmpeg has written before it was killed. */
  stop(): void {
    this.children.stdout?.destroy();
    this.children.kill('SIGKILL');
  }

  private read(data: Buffer): void {
    this.rest = Buffer.concat([this.rest, data]);
    for (let box = this.take(); box !== undefined; box = this.take()) this.box(box);
  }

  private take(): Box | undefined {
    if (this.rest.length < 8) return undefined;
    const length = this.rest.readUInt32BE(0);
    if (this.rest.length < length) return undefined;
    const box = { type: this.rest.toString('latin1', 4, 8), bytes: this.rest.subarray(0, length) };
    this.rest = this.rest.subarray(length);
    return box;
  }

  private box({ type, bytes }: Box): void {
    if (type === 'ftyp') this.ftyp = bytes;
    else if (type === 'moov' && this.ftyp !== undefined) {
      this.init = Buffer.concat([this.ftyp, bytes]);
      for (const trak of within(bytes, 8, 'trak')) {
        const tkhd = within(trak, 8, 'tkhd')[0];
        const mdhd = within(trak, 8, 'mdia').flatMap((mdia) => within(mdia, 8, 'mdhd'))[0];
        if (tkhd === undefined || mdhd === undefined) continue;
        const long = (mdhd[8] ?? 0) === 1;
        this.timescales.set(tkhd.readUInt32BE(tkhd[8] === 1 ? 28 : 20), mdhd.readUInt32BE(long ? 28 : 20));
      }
    } else if (type === 'moof') this.moof = bytes;
    else if (type === 'mdat' && this.moof !== undefined) {
      const fragment = Buffer.concat([this.moof, bytes]);
      const { isKeyframe, mediaMs } = this.about(this.moof);
      if (isKeyframe) this.group = [];
      this.group.push(fragment);
      this.newest = { mediaMs, wallMs: Date.now() };
      this.heard(fragment);
    }
  }

  /** Whether a decoder can begin here, and when it is. ISO/IEC 14496-12 §8.8.7, §8.8.8, §8.8.12. */
  private about(moof: Buffer): { isKeyframe: boolean; mediaMs: number } {
    const traf = within(moof, 8, 'traf')[0];
    const [tfhd, tfdt, trun] = ['tfhd', 'tfdt', 'trun'].map((type) => (traf === undefined ? undefined : within(traf, 8, type)[0]));
    if (tfhd === undefined || tfdt === undefined || trun === undefined) return { isKeyframe: false, mediaMs: 0 };
    const track = tfhd.readUInt32BE(12);
    const ticks = tfdt[8] === 1 ? Number(tfdt.readBigUInt64BE(12)) : tfdt.readUInt32BE(12);
    const mediaMs = (ticks * 1000) / (this.timescales.get(track) ?? 1000);
    const first = trun.readUInt32BE(8) & 0x4 ? trun.readUInt32BE(trun.readUInt32BE(8) & 0x1 ? 20 : 16) : tfhd.readUInt32BE(tfhd.length - 4);
    // The first track is the picture; its other frames are no sync samples.
    return { isKeyframe: track === 1 && (first & 0x10000) === 0, mediaMs };
  }
}

/** The boxes of a type directly within a box, whose content begins at `from`. */
function within(box: Buffer, from: number, type: string): Buffer[] {
  const found = [];
  for (let at = from; at + 8 <= box.length; at += Math.max(8, box.readUInt32BE(at))) {
    if (box.toString('latin1', at + 4, at + 8) === type) found.push(box.subarray(at, at + box.readUInt32BE(at)));
  }
  return found;
}
