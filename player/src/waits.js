// How long to wait before the next attempt: longer each time, and not the same for everybody who lost the same server. Pure.

const WAITS_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];

/**
 * @param {number} attempt counted from 0
 * @param {() => number} random between 0 and 1
 */
export function waitMs(attempt, random = Math.random) {
  const whole = WAITS_MS[Math.min(attempt, WAITS_MS.length - 1)] ?? 0;
  return Math.round(whole * (0.75 + random() * 0.5));
}
