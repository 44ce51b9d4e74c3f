// A recording's storyboard: which part of which image shows what time. Reads the server's WebVTT, and is content with less. Pure.

/**
 * @typedef {object} Tile a picture of a stretch of the recording, as a part of an image, in pixels
 * @property {number} fromMs
 * @property {string} image its URL
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 */

/**
 * The tiles of a WebVTT file at `url`, in its order. Cues that are none are left out.
 * @param {string} text
 * @param {string} url
 * @returns {Tile[]}
 */
export function tiles(text, url) {
  const lines = text.split(/\r?\n/);
  return lines.flatMap((line, index) => {
    const from = / --> /.test(line) ? timestampMs(line.split(' --> ')[0] ?? '') : null;
    const target = lines[index + 1];
    if (from === null || target === undefined) return [];
    const tile = readTile(from, target, url);
    return tile === null ? [] : [tile];
  });
}

/** The tile for a time: the last one that begins by then. @param {Tile[]} all @param {number} ms */
export function tileAt(all, ms) {
  return all.findLast((tile) => tile.fromMs <= ms);
}

/** @param {number} fromMs @param {string} target @param {string} url @returns {Tile | null} */
function readTile(fromMs, target, url) {
  const [image, part] = target.trim().split('#xywh=');
  if (image === undefined || image === '' || part === undefined) return null;
  const numbers = part.split(',').map(Number);
  const [x, y, width, height] = numbers;
  if (numbers.length !== 4 || numbers.some((number) => !Number.isInteger(number) || number < 0)) return null;
  return { fromMs, image: besides(image, url), x: x ?? 0, y: y ?? 0, width: width ?? 0, height: height ?? 0 };
}

/** A name beside the file at `url`, under the same query: a token guards both. @param {string} name @param {string} url */
function besides(name, url) {
  const [path, query] = url.split('?');
  const folder = (path ?? '').slice(0, (path ?? '').lastIndexOf('/') + 1);
  return folder + name + (query === undefined || name.includes('?') ? '' : `?${query}`);
}

/** `01:02:03.450`, `02:03.450` @param {string} text @returns {number | null} */
function timestampMs(text) {
  const found = /^\s*(?:(\d+):)?(\d{1,2}):(\d{2})\.(\d{3})\s*$/.exec(text);
  if (found === null) return null;
  const [hours, minutes, seconds, ms] = found.slice(1).map((part) => Number(part ?? 0));
  return (((hours ?? 0) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000 + (ms ?? 0);
}
