// Which pictures can be sent: H.264 as it is recorded. Says whether this browser encodes it, and what to do where it does not; opens nothing.

/** What to say where it cannot. */
export const WITHOUT_H264 =
  'This browser cannot encode H.264, which is what is recorded. Firefox does it by its plug-in OpenH264: switch that on under about:addons → Plugins, and load ' +
  'this page again. Chrome, Edge and Safari can; some Linux packages of Chromium and Firefox cannot.';

/**
 * Those in which pictures can be sent, of all that a browser encodes.
 * @template {{ mimeType: string, sdpFmtpLine?: string }} T
 * @param {T[]} codecs
 */
export function h264Of(codecs) {
  return codecs.filter(({ mimeType, sdpFmtpLine }) => /h264/i.test(mimeType) && /packetization-mode=1/.test(sdpFmtpLine ?? ''));
}

/** Whether this browser encodes it: by now, as a plug-in comes some time after the first start. */
export function encodesH264() {
  return h264Of(RTCRtpSender.getCapabilities('video')?.codecs ?? []).length > 0;
}
