// Where a live player should stand, and how fast it should play to get there. Pure: it is told what is buffered, and touches no element.

/** So much a stream that comes evenly is kept ahead of what is shown, in seconds. */
export const LEAST_TARGET_S = 0.25;
/** More is not kept, however unevenly it comes. */
export const MOST_TARGET_S = 2;
/** Each stall raises the target by this. */
const STALL_STEP_S = 0.2;
/** Each time that so long passes without one, it is lowered by this. */
const CALM_S = 20;
const CALM_STEP_S = 0.1;

/** Who is further behind the target than this is not sped up but taken there. */
const JUMP_S = 3;
/** In the beginning nobody minds a jump: what came since the last keyframe is skipped at once. */
const SETTLING_JUMP_S = 0.3;
/** Catching up begins with this much too much, and ends with this much. */
const CATCH_UP_FROM_S = 0.15;
const CATCH_UP_TO_S = 0.03;
const FASTEST = 1.1;
const SLOWEST = 0.96;
/** Nearer to the end of a range than this nothing plays on. */
const END_S = 0.05;

/**
 * @typedef {object} Situation
 * @property {number} positionS
 * @property {[number, number][]} ranges what is buffered, in order
 * @property {number} targetS how much should be ahead of the position
 * @property {number} rate at which it plays now
 * @property {boolean} settling it has only just begun
 * @property {boolean} hasPlayed it came to where it is by playing: it may have been the sound alone
 */

/**
 * What to do next.
 * @param {Situation} situation
 * @returns {{ rate: number, seekToS: number | null }}
 */
export function steer({ positionS, ranges, targetS, rate, settling, hasPlayed }) {
  const newest = ranges.at(-1);
  if (newest === undefined) return { rate: 1, seekToS: null };
  const [startS, endS] = newest;
  const aheadS = endS - positionS;
  const live = { rate: 1, seekToS: Math.max(startS, endS - targetS) };

  if (aheadS > targetS + (settling ? SETTLING_JUMP_S : JUMP_S)) return live;
  if (positionS < startS) {
    // Frames are missing in between: what is before the gap is played to its end.
    const hasMore = ranges.some(([fromS, toS]) => fromS <= positionS && positionS < toS - END_S);
    return hasMore ? { rate: 1, seekToS: null } : live;
  }
  // Beyond all there is: somebody sought there. Or the picture is late, and the sound went on by itself: whoever took that back would play it twice.
  if (aheadS < -END_S) return hasPlayed ? { rate: 1, seekToS: null } : live;

  const excessS = aheadS - targetS;
  const catchesUp = rate > 1 ? excessS > CATCH_UP_TO_S : excessS > CATCH_UP_FROM_S;
  if (catchesUp) return { rate: Math.min(FASTEST, 1.02 + round(excessS * 0.1)), seekToS: null };
  const lags = rate < 1 ? aheadS < targetS * 0.8 : aheadS < targetS * 0.35;
  return { rate: lags ? SLOWEST : 1, seekToS: null };
}

/** To hundredths: each change of rate costs the decoder of sound something. @param {number} rate */
function round(rate) {
  return Math.round(rate * 100) / 100;
}

/** How much to keep ahead after a stall. @param {number} targetS */
export function afterStall(targetS) {
  return Math.min(MOST_TARGET_S, targetS + STALL_STEP_S);
}

/** How much to keep ahead when there was no stall for `calmS`. @param {number} targetS @param {number} calmS */
export function afterCalm(targetS, calmS) {
  return calmS < CALM_S ? targetS : Math.max(LEAST_TARGET_S, targetS - CALM_STEP_S);
}

/** So much that was seen is kept, and so much is worth the trouble of dropping it, in seconds. */
const KEEP_BEHIND_S = 10;
const WORTH_S = 20;
/** Browsers drop up to the next place where pictures can be begun with: what is dropped ends so little before one. */
const BEFORE_S = 0.01;

/**
 * What to drop of the buffer, so that an hour of live costs what a minute does; `null` where it is not yet worth the trouble.
 * @param {[number, number][]} ranges
 * @param {number} positionS
 * @param {number[] | null} keyframesS where pictures can be begun with, in order; `null` where there is sound alone
 * @returns {[number, number] | null}
 */
export function evictable(ranges, positionS, keyframesS) {
  return until(ranges, positionS - KEEP_BEHIND_S, keyframesS, WORTH_S);
}

/** All that can be dropped, as there is no room; `null` where that is nothing. @param {[number, number][]} ranges @param {number} positionS @param {number[] | null} keyframesS */
export function droppable(ranges, positionS, keyframesS) {
  return until(ranges, positionS - 1, keyframesS, BEFORE_S);
}

/**
 * @param {[number, number][]} ranges @param {number} latestS @param {number[] | null} keyframesS @param {number} leastS
 * @returns {[number, number] | null}
 */
function until(ranges, latestS, keyframesS, leastS) {
  const fromS = ranges[0]?.[0];
  const toS = keyframesS === null ? latestS : keyframesS.findLast((atS) => atS <= latestS);
  if (fromS === undefined || toS === undefined || toS - fromS <= leastS) return null;
  return [fromS, keyframesS === null ? toS : toS - BEFORE_S];
}
