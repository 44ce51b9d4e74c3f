// What the browser's statistics say about a publish: rates, losses, and a word for all of it. Pure: two readings in, figures out.

/**
 * @typedef {object} Reading One look at the statistics.
 * @property {number} atMs
 * @property {number} videoBytes
 * @property {number} audioBytes
 * @property {number} packetsSent
 * @property {number} packetsLost by the server's word
 * @property {number} framesPerSecond
 * @property {number} width
 * @property {number} height
 * @property {number | null} roundTripMs
 * @property {string} limitedBy `none`, `cpu`, `bandwidth` or `other`
 */

/**
 * @typedef {object} Figures
 * @property {number} videoKbps
 * @property {number} audioKbps
 * @property {number} framesPerSecond
 * @property {string} size
 * @property {number} lossPercent
 * @property {number | null} roundTripMs
 * @property {'good' | 'fair' | 'poor'} level
 * @property {string} words
 */

const FAIR_LOSS = 2;
const POOR_LOSS = 8;
const FAIR_ROUND_TRIP_MS = 250;
const POOR_ROUND_TRIP_MS = 600;

/** @param {unknown} value */
const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

/** Reads what `getStats` gives. @param {Iterable<Record<string, unknown>>} stats @param {number} atMs @returns {Reading} */
export function read(stats, atMs) {
  /** @type {Reading} */
  const reading = {
    atMs,
    videoBytes: 0,
    audioBytes: 0,
    packetsSent: 0,
    packetsLost: 0,
    framesPerSecond: 0,
    width: 0,
    height: 0,
    roundTripMs: null,
    limitedBy: 'none',
  };
  for (const entry of stats) {
    if (entry.type === 'outbound-rtp') {
      const bytes = number(entry.bytesSent) + number(entry.headerBytesSent);
      reading.packetsSent += number(entry.packetsSent);
      if (entry.kind === 'video') {
        reading.videoBytes += bytes;
        reading.framesPerSecond = number(entry.framesPerSecond);
        reading.width = number(entry.frameWidth);
        reading.height = number(entry.frameHeight);
        if (typeof entry.qualityLimitationReason === 'string') reading.limitedBy = entry.qualityLimitationReason;
      } else {
        reading.audioBytes += bytes;
      }
    } else if (entry.type === 'remote-inbound-rtp') {
      reading.packetsLost += Math.max(0, number(entry.packetsLost));
      if (typeof entry.roundTripTime === 'number') reading.roundTripMs = Math.round(entry.roundTripTime * 1_000);
    }
  }
  return reading;
}

/** What has happened from one reading to the next. @param {Reading} before @param {Reading} now @returns {Figures} */
export function figures(before, now) {
  const ms = Math.max(1, now.atMs - before.atMs);
  const kbps = (/** @type {number} */ bytes) => Math.max(0, Math.round((bytes * 8) / ms));
  const sent = Math.max(0, now.packetsSent - before.packetsSent);
  const lost = Math.max(0, now.packetsLost - before.packetsLost);
  const lossPercent = sent === 0 ? 0 : Math.min(100, (lost * 100) / (sent + lost));
  return {
    videoKbps: kbps(now.videoBytes - before.videoBytes),
    audioKbps: kbps(now.audioBytes - before.audioBytes),
    framesPerSecond: Math.round(now.framesPerSecond),
    size: now.width > 0 ? `${now.width} × ${now.height}` : '–',
    lossPercent,
    roundTripMs: now.roundTripMs,
    ...verdict(lossPercent, now.roundTripMs ?? 0, now.limitedBy),
  };
}

/** @param {number} lossPercent @param {number} roundTripMs @param {string} limitedBy @returns {Pick<Figures, 'level' | 'words'>} */
function verdict(lossPercent, roundTripMs, limitedBy) {
  if (lossPercent >= POOR_LOSS || roundTripMs >= POOR_ROUND_TRIP_MS) {
    return { level: 'poor', words: 'Poor: much is lost on the way. A lower bitrate or a cable helps.' };
  }
  if (limitedBy === 'cpu') return { level: 'fair', words: 'Fair: this computer cannot encode more. A lower resolution or frame rate helps.' };
  if (limitedBy === 'bandwidth' || lossPercent >= FAIR_LOSS || roundTripMs >= FAIR_ROUND_TRIP_MS) {
    return { level: 'fair', words: 'Fair: the network does not take all of it.' };
  }
  return { level: 'good', words: 'Good' };
}

/** The line of a chart, the newest value at the right edge. @param {number[]} values @param {number} slots @param {number} width @param {number} height */
export function line(values, slots, width, height) {
  const top = Math.max(1, ...values);
  const step = width / Math.max(1, slots - 1);
  const start = width - step * (values.length - 1);
  const points = values.map((value, at) => `${(start + step * at).toFixed(1)} ${(height - 2 - ((height - 6) * value) / top).toFixed(1)}`);
  return points.length === 0 ? '' : `M${points.join('L')}`;
}
