// Reads of fragmented MP4 what a player has to know beside the browser: where pictures can be begun with. ISO/IEC 14496-12.

/** `sample_is_non_sync_sample` of a sample's flags, §8.8.3.1. */
const NON_SYNC = 0x10000;

/** The track with pictures. @typedef {{ id: number, timescale: number }} VideoTrack */

/** What an init segment says of it; `null` where there is none. @param {Uint8Array} bytes @returns {VideoTrack | null} */
export function videoTrack(bytes) {
  const view = viewOf(bytes);
  for (const moov of boxes(view, 0, view.byteLength, 'moov')) {
    for (const trak of boxes(view, ...moov, 'trak')) {
      const [tkhd] = boxes(view, ...trak, 'tkhd');
      const [mdia] = boxes(view, ...trak, 'mdia');
      if (tkhd === undefined || mdia === undefined) continue;
      const [mdhd] = boxes(view, ...mdia, 'mdhd');
      const [hdlr] = boxes(view, ...mdia, 'hdlr');
      if (mdhd === undefined || hdlr === undefined || nameAt(view, hdlr[0] + 8) !== 'vide') continue;
      // Behind the times of creation and modification, which version 1 has with 64 bits.
      const behindTimes = (/** @type {number} */ at) => at + (view.getUint8(at) === 1 ? 20 : 12);
      return { id: view.getUint32(behindTimes(tkhd[0])), timescale: view.getUint32(behindTimes(mdhd[0])) };
    }
  }
  return null;
}

/** When the picture of a fragment is decoded, in seconds, if it is one that can be begun with. @param {Uint8Array} bytes @param {VideoTrack} track */
export function keyframeS(bytes, track) {
  const view = viewOf(bytes);
  for (const moof of boxes(view, 0, view.byteLength, 'moof')) {
    for (const traf of boxes(view, ...moof, 'traf')) {
      const [tfhd] = boxes(view, ...traf, 'tfhd');
      const [tfdt] = boxes(view, ...traf, 'tfdt');
      const [trun] = boxes(view, ...traf, 'trun');
      if (tfhd === undefined || tfdt === undefined || trun === undefined || view.getUint32(tfhd[0] + 4) !== track.id) continue;
      const flags = firstSampleFlags(view, trun[0]) ?? defaultSampleFlags(view, tfhd[0]);
      if (flags === null || (flags & NON_SYNC) !== 0) return null;
      const dts = view.getUint8(tfdt[0]) === 1 ? Number(view.getBigUint64(tfdt[0] + 4)) : view.getUint32(tfdt[0] + 4);
      return dts / track.timescale;
    }
  }
  return null;
}

/** Whether it is an init segment. @param {Uint8Array} bytes */
export function isInit(bytes) {
  return bytes.byteLength >= 8 && nameAt(viewOf(bytes), 4) === 'ftyp';
}

/** §8.8.8. @param {DataView} view @param {number} at */
function firstSampleFlags(view, at) {
  const flags = view.getUint32(at) & 0xffffff;
  let field = at + 8;
  if (flags & 0x1) field += 4; // data_offset
  if (flags & 0x4) return view.getUint32(field);
  if (!(flags & 0x400)) return null;
  if (flags & 0x100) field += 4; // sample_duration
  if (flags & 0x200) field += 4; // sample_size
  return view.getUint32(field);
}

/** §8.8.7. @param {DataView} view @param {number} at */
function defaultSampleFlags(view, at) {
  const flags = view.getUint32(at) & 0xffffff;
  if (!(flags & 0x20)) return null;
  let field = at + 8;
  if (flags & 0x1) field += 8; // base_data_offset
  if (flags & 0x2) field += 4; // sample_description_index
  if (flags & 0x8) field += 4; // default_sample_duration
  if (flags & 0x10) field += 4; // default_sample_size
  return view.getUint32(field);
}

/**
 * Where the bodies of the boxes of that name begin and end.
 * @param {DataView} view @param {number} from @param {number} to @param {string} name
 * @returns {[number, number][]}
 */
function boxes(view, from, to, name) {
  /** @type {[number, number][]} */
  const found = [];
  for (let at = from; at + 8 <= to; ) {
    const size = view.getUint32(at);
    // Sizes of 64 bits and "to the end" are none of our server's.
    if (size < 8 || at + size > to) break;
    if (nameAt(view, at + 4) === name) found.push([at + 8, at + size]);
    at += size;
  }
  return found;
}

/** @param {DataView} view @param {number} at */
function nameAt(view, at) {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}

/** @param {Uint8Array} bytes */
function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
