// How much comes or goes in a second, in words: the same in the player, in the webcaster and on the pages around them. Pure.

/** `640 kbit/s` below a megabit, `2.50 Mbit/s` above. @param {number} bps */
export function bitrate(bps) {
  return bps < 1e6 ? `${Math.round(bps / 1e3)} kbit/s` : `${(bps / 1e6).toFixed(2)} Mbit/s`;
}
