// Under which URL a recording's finished file is to be had, as an encoder may come back and make it longer: browsers keep the length that they first found
// under a URL, for all videos of a page. Pure but for what it remembers; loads nothing.

/** The finished files that a page has had. */
export class Finished {
  /** The length of each, by the path under which they stood one after the other. Not known where it is 0. @type {Map<string, number[]>} */
  #lengthsMs = new Map();

  /**
   * @param {string} url
   * @param {number} lengthMs not known where it is 0
   * @param {boolean} isNew it has been finished just now
   */
  file(url, lengthMs, isNew) {
    const lengths = this.#of(url);
    const known = lengthMs > 0 ? lengths.indexOf(lengthMs) : isNew ? -1 : lengths.length - 1;
    return numbered(url, known >= 0 ? known : lengths.push(lengthMs) - 1);
  }

  /** For a recording that grows: what its file will have, unless that comes to a length that was there before. @param {string} url */
  growing(url) {
    return numbered(url, this.#of(url).length);
  }

  /** @param {string} url */
  #of(url) {
    const path = pathOf(url);
    const lengths = this.#lengthsMs.get(path) ?? [];
    this.#lengthsMs.set(path, lengths);
    return lengths;
  }
}

/** This page's. */
export const finished = new Finished();

/** Without the query, where tokens stand. @param {string} url */
export function pathOf(url) {
  return url.split('?')[0] ?? url;
}

/** @param {string} url @param {number} index */
function numbered(url, index) {
  return index === 0 ? url : `${url}${url.includes('?') ? '&' : '?'}finished=${index + 1}`;
}
