// Which codecs a stream has, by RFC 6381, and which of them this browser plays.

/** @type {[RegExp, string][]} */
const NAMES = [
  [/^avc[13]\b/i, 'H.264'],
  [/^(hvc1|hev1)\b/i, 'HEVC (H.265)'],
  [/^av01\b/i, 'AV1'],
  [/^vp0?9\b/i, 'VP9'],
  [/^vp0?8\b/i, 'VP8'],
  [/^mp4a\b/i, 'AAC'],
  [/^opus\b/i, 'Opus'],
];

/** The codecs in a MIME type, each as `avc1.64001f`. @param {string} mime */
export function codecsOf(mime) {
  const list = /codecs="?([^";]*)"?/i.exec(mime)?.[1] ?? '';
  return list.split(',').map((codec) => codec.trim()).filter((codec) => codec !== '');
}

/** As people call it; what is unknown by its own code. @param {string} codec */
export function codecName(codec) {
  return NAMES.find(([pattern]) => pattern.test(codec))?.[1] ?? codec;
}

/**
 * The names of what cannot be played; empty where all can.
 * @param {string} mime
 * @param {(mime: string) => boolean} plays
 */
export function unplayable(mime, plays) {
  if (plays(mime)) return [];
  const container = mime.split(';')[0]?.trim() ?? 'video/mp4';
  const refused = codecsOf(mime).filter((codec) => !plays(`${container}; codecs="${codec}"`));
  // Each by itself, but not all of them together.
  return (refused.length > 0 ? refused : codecsOf(mime)).map(codecName);
}
