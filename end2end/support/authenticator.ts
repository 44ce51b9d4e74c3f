// An app for codes on somebody's phone: RFC 6238, by the secret as the page writes it.

import { createHmac } from 'node:crypto';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const STEP_MS = 30_000;
/** A code must still be good so long after it was read: a page takes a while. */
const TYPING_MS = 10_000;

export class Authenticator {
  private readonly secret: Buffer;
  private used = 0;

  constructor(secret: string) {
    const bits = [...secret].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, '0')).join('');
    this.secret = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  }

  /** One that was not given before. The step before and the one after are good too; where both were used, the next one is waited for. */
  async next(): Promise<string> {
    const step = Math.max(this.used + 1, this.now(TYPING_MS) - 1);
    while (step > this.now() + 1) await new Promise((resolve) => setTimeout(resolve, 200));
    this.used = step;
    return this.at(step);
  }

  /** One that is shown at none of the steps around now. */
  wrong(): string {
    const good = [-2, -1, 0, 1, 2].map((steps) => this.at(this.now() + steps));
    return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !good.includes(code)) ?? '666666';
  }

  private now(laterMs = 0): number {
    return Math.floor((Date.now() + laterMs) / STEP_MS);
  }

  private at(step: number): string {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac('sha1', this.secret).update(counter).digest();
    const offset = (mac.at(-1) ?? 0) & 0xf;
    return ((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).toString().padStart(6, '0');
  }
}
