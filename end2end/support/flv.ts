// FLV files as an encoder makes them whose picture changes its size in mid-stream: ffmpeg alone encodes one size a file.

import { execFileSync } from 'node:child_process';

const HEADER_BYTES = 9 + 4;
const TAG_HEADER_BYTES = 11;
const SCRIPT = 18;

type Tag = { kind: number; timestampMs: number; body: Buffer };

function tags(file: Buffer): Tag[] {
  const found: Tag[] = [];
  for (let at = HEADER_BYTES; at + TAG_HEADER_BYTES <= file.length; ) {
    const bytes = file.readUIntBE(at + 1, 3);
    const timestampMs = file.readUIntBE(at + 4, 3) + file.readUInt8(at + 7) * 2 ** 24;
    found.push({ kind: file.readUInt8(at), timestampMs, body: file.subarray(at + TAG_HEADER_BYTES, at + TAG_HEADER_BYTES + bytes) });
    at += TAG_HEADER_BYTES + bytes + 4;
  }
  return found;
}

function write({ kind, timestampMs, body }: Tag): Buffer {
  const header = Buffer.alloc(TAG_HEADER_BYTES);
  header.writeUInt8(kind);
  header.writeUIntBE(body.length, 1, 3);
  header.writeUIntBE(timestampMs % 2 ** 24, 4, 3);
  header.writeUInt8(Math.floor(timestampMs / 2 ** 24), 7);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(TAG_HEADER_BYTES + body.length);
  return Buffer.concat([header, body, length]);
}

/** Of so many seconds a size, one after another: a test pattern at 25 pictures a second and a tone, each size with a decoder configuration of its own. */
export function flvOfSizes(sizes: string[], seconds: number): Buffer {
  const encoded = sizes.map((size) =>
    execFileSync(process.env['FFMPEG'] ?? 'ffmpeg', [
      ...['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`, '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'],
      ...['-t', String(seconds), '-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '0', '-g', '25', '-c:a', 'aac', '-ac', '1'],
      ...['-f', 'flv', '-flvflags', 'no_duration_filesize', 'pipe:1'],
    ]),
  );
  const all = encoded.flatMap((file, n) =>
    tags(file)
      // A last frame of sound may reach beyond the end.
      .filter((tag) => tag.kind !== SCRIPT && !isEndOfSequence(tag) && tag.timestampMs < seconds * 1_000)
      .map((tag) => ({ ...tag, timestampMs: tag.timestampMs + n * seconds * 1_000 })),
  );
  return Buffer.concat([encoded[0]!.subarray(0, HEADER_BYTES), ...all.map(write)]);
}

/** What ffmpeg writes behind the last picture of H.264, of which there is none before the last size. */
function isEndOfSequence({ kind, body }: Tag): boolean {
  return kind === 9 && body[1] === 2;
}
