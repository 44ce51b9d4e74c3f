// Cameras, microphones and screens: what there is, and getting at it. Nothing of where it is sent.

/** @typedef {'camera' | 'screen'} Source */

/**
 * @typedef {object} Wish
 * @property {Source} source
 * @property {string} camera its id; empty: the browser's choice
 * @property {string} microphone its id; empty: the browser's choice; `none`: no sound
 * @property {number} height
 * @property {number} framesPerSecond
 */

/** Why this page cannot have a camera, in words; null where it can. */
export function whatIsMissing() {
  if (!window.isSecureContext) {
    return (
      `Browsers give cameras and microphones to pages over https alone, or to http://localhost. This page came by ${location.protocol}//${location.host}. ` +
      'Open it by https (a reverse proxy with a certificate in front of the server), or on the server itself by http://localhost.'
    );
  }
  if (!('mediaDevices' in navigator) || !('RTCPeerConnection' in window)) return 'This browser has no WebRTC. Firefox, Chromium, Chrome, Edge and Safari have.';
  return null;
}

/** Labels are there once the person has allowed a camera or a microphone. */
export async function devices() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const named = (/** @type {MediaDeviceKind} */ kind, /** @type {string} */ word) =>
    all.filter((device) => device.kind === kind && device.deviceId !== '').map((device, n) => ({ id: device.deviceId, label: device.label || `${word} ${n + 1}` }));
  return { cameras: named('videoinput', 'Camera'), microphones: named('audioinput', 'Microphone') };
}

/** Asks for what is wished. @param {Wish} wish @returns {Promise<MediaStream>} */
export async function capture(wish) {
  const size = { height: { ideal: wish.height }, width: { ideal: Math.round((wish.height * 16) / 9) }, frameRate: { ideal: wish.framesPerSecond, max: wish.framesPerSecond } };
  const sound = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const audio = wish.microphone === 'none' ? false : wish.microphone === '' ? sound : { ...sound, deviceId: { exact: wish.microphone } };
  if (wish.source === 'camera') {
    const video = wish.camera === '' ? size : { ...size, deviceId: { exact: wish.camera } };
    return navigator.mediaDevices.getUserMedia({ video, audio });
  }
  const screen = await navigator.mediaDevices.getDisplayMedia({ video: size, audio: wish.microphone === 'none' });
  if (audio === false) return screen;
  try {
    const voice = await navigator.mediaDevices.getUserMedia({ audio });
    return new MediaStream([...screen.getVideoTracks(), ...voice.getAudioTracks()]);
  } catch (error) {
    stop(screen);
    throw error;
  }
}

/** @param {MediaStream | null} stream */
export function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** What of it has ended, in words: the screen is shown no more, or a device was pulled out. Empty where all goes on. @param {MediaStream | null} stream */
export function whatEnded(stream) {
  const ended = (stream?.getTracks() ?? []).filter(({ readyState }) => readyState === 'ended');
  const [picture, sound] = ['video', 'audio'].map((kind) => ended.some((track) => track.kind === kind));
  if (picture && sound) return 'Picture and sound have ended.';
  return picture ? 'The picture has ended.' : sound ? 'The sound has ended.' : '';
}

/** What a browser's refusal means. @param {unknown} error */
export function explain(error) {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError') return 'The browser was not allowed to use it. Allow camera and microphone for this page (the icon beside the address), and try again.';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'There is no such camera or microphone. Choose another one.';
  if (name === 'NotReadableError') return 'Another program uses the camera or microphone. Close it there, and try again.';
  return `It could not be opened: ${error instanceof Error ? error.message : String(error)}`;
}
