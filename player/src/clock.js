// How late the picture is, from what the server says of its clock. Pure.

/**
 * @typedef {object} Clock as the server sends it: the frame of media time `media_ms` arrived at wall time `wall_ms`, and it was `server_ms` when it said so
 * @property {number} media_ms
 * @property {number} wall_ms
 * @property {number} server_ms
 */

/**
 * Between the arrival of a frame at the server and its being shown, in milliseconds. The browser's own clock may be wrong: only how far it moved counts.
 * @param {Clock} clock
 * @param {number} heardMs when the clock was heard, by the browser's steady clock
 * @param {number} nowMs by the same
 * @param {number} positionMs media time of what is shown
 */
export function latencyMs(clock, heardMs, nowMs, positionMs) {
  const serverNowMs = clock.server_ms + (nowMs - heardMs);
  const arrivedMs = clock.wall_ms + (positionMs - clock.media_ms);
  return Math.max(0, serverNowMs - arrivedMs);
}

/** `0.4 s`, `12 s` @param {number} ms */
export function seconds(ms) {
  return ms < 9_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

/** `1:02:03`, `2:03` @param {number} s */
export function clockText(s) {
  const whole = Number.isFinite(s) ? Math.max(0, Math.floor(s)) : 0;
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}
