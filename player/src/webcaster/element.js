// <afterlive-webcaster>: a camera or a screen, and a microphone, live from the browser. What it is told: the stream's key, and the URLs that say what
// becomes of it. How media are had, sent and judged stands in `devices`, `whip` and `quality`.

import { bitrate } from '../rate.js';
import { capture, devices, explain, stop, whatEnded, whatIsMissing } from './devices.js';
import { WITHOUT_H264, encodesH264 } from './h264.js';
import { Meter } from './meter.js';
import { figures, line, read } from './quality.js';
import { styles } from './styles.js';
import { face } from './template.js';
import { Publish } from './whip.js';

const LOOK_EVERY_MS = 1_000;
const CHART_SLOTS = 120;

/** @typedef {import('./devices.js').Wish} Wish */

export class AfterliveWebcaster extends HTMLElement {
  static observedAttributes = ['records'];

  #root = this.attachShadow({ mode: 'open' });
  #face = face(this.#root);
  #meter = new Meter();
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {Publish | null} */
  #publish = null;
  /** Whether anything of it was live. */
  #hasBeenLive = false;
  /** @type {import('./quality.js').Reading | null} */
  #reading = null;
  /** @type {number[]} */
  #rates = [];
  #timer = 0;
  /** What is sent without sound, and without a picture. */
  #isOff = { audio: false, video: false };
  /** Watches, while it is live, for who is about to leave. */
  #watching = new AbortController();

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styles];
    const { look, go, stop, mute, shade, leave, again, source, camera, microphone, height, rate } = this.#face;
    look.addEventListener('click', once(() => void this.#look()));
    again.addEventListener('click', once(() => void this.#look()));
    go.addEventListener('click', once(() => this.#go()));
    stop.addEventListener('click', once(() => this.#publish?.stop()));
    mute.addEventListener('click', () => this.#toggle('audio'));
    shade.addEventListener('click', () => this.#toggle('video'));
    leave.addEventListener('click', once(() => {
      this.#letGo();
      this.#say('');
      this.#show();
      // The button that was pressed is gone.
      look.focus();
    }));
    source.addEventListener('change', () => {
      this.#face.cameraRow.hidden = source.value !== 'camera';
      look.textContent = source.value === 'camera' ? 'Turn on camera and microphone' : 'Choose the screen';
    });
    for (const select of [source, camera, microphone, height, rate]) {
      select.addEventListener('change', () => {
        if (this.#stream !== null) void this.#look();
      });
    }
  }

  connectedCallback() {
    addEventListener('click', leave, { capture: true });
    const missing = whatIsMissing();
    this.#face.desk.hidden = missing !== null;
    this.#lacks(missing);
    this.#offerRecording();
    if (missing === null) {
      this.#show();
      void this.#list();
      navigator.mediaDevices.addEventListener('devicechange', this.#list);
    }
  }

  /** The organisation's recording switch was set while the page is open; what is live goes on as it began. */
  attributeChangedCallback() {
    if (this.#publish === null) this.#offerRecording();
  }

  disconnectedCallback() {
    removeEventListener('click', leave, { capture: true });
    this.#publish?.stop();
    this.#letGo();
    if ('mediaDevices' in navigator) navigator.mediaDevices.removeEventListener('devicechange', this.#list);
  }

  #offerRecording() {
    const records = this.hasAttribute('records');
    const { rec, liveOnly } = this.#face;
    rec.disabled = !records;
    if (!records) liveOnly.checked = true;
  }

  /** @param {string | null} missing */
  #lacks(missing) {
    const { missing: said } = this.#face;
    said.hidden = missing === null;
    if (said.textContent !== missing) said.textContent = missing ?? '';
  }

  #list = async () => {
    const { cameras, microphones } = await devices();
    fill(this.#face.camera, cameras);
    fill(this.#face.microphone, microphones);
  };

  /** @returns {Wish} */
  #wish() {
    const { source, camera, microphone, height, rate } = this.#face;
    return {
      source: source.value === 'screen' ? 'screen' : 'camera',
      camera: camera.value,
      microphone: microphone.value,
      height: Number(height.value),
      framesPerSecond: Number(rate.value),
    };
  }

  async #look() {
    this.#say('');
    try {
      const stream = await capture(this.#wish());
      const before = this.#stream;
      this.#stream = stream;
      // Whoever was muted stays so.
      this.#apply(stream);
      await this.#publish?.replace(stream);
      stop(before);
      this.#face.preview.srcObject = stream;
      for (const track of stream.getTracks()) track.addEventListener('ended', () => this.#lost(stream));
      this.#say('');
      this.#meter.start(stream, (level) => (this.#face.level.value = level));
      this.#face.level.hidden = stream.getAudioTracks().length === 0;
      await this.#list();
    } catch (error) {
      this.#say(explain(error), true);
    }
    const { again, source } = this.#face;
    const hadFocus = this.#root.activeElement === again;
    this.#show();
    // The button that was pressed is gone; the next one in its row might be the one that ends it all.
    if (hadFocus && again.hidden) source.focus();
  }

  /** Camera, microphone and screen are nobody's any more, and their lamps go out. */
  #letGo() {
    this.#meter.stop();
    stop(this.#stream);
    this.#stream = null;
    const { preview, level } = this.#face;
    preview.srcObject = null;
    level.hidden = true;
  }

  /** The screen is shown no more, or a device was pulled out. @param {MediaStream} stream */
  #lost(stream) {
    if (this.#stream !== stream) return;
    this.#say('');
    this.#show();
  }

  #go() {
    const stream = this.#stream;
    if (stream === null) return;
    const { kbps, rate, rec } = this.#face;
    const to = this.getAttribute(rec.checked ? 'rec-url' : 'live-url') ?? '';
    const url = () => `/p/webrtc?${new URLSearchParams({ stream_name: this.getAttribute('stream-key') ?? '', stream_url: to })}`;
    const target = { url, kbps: Number(kbps.value), framesPerSecond: Number(rate.value) };
    this.#rates = [];
    this.#reading = null;
    this.#hasBeenLive = false;
    this.#say('');
    this.#publish = new Publish(target, stream, (state) => this.#changed(state));
    this.#publish.start();
    this.#watch();
    this.#timer = window.setInterval(() => void this.#measure(), LOOK_EVERY_MS);
    this.#show();
  }

  #watch() {
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    addEventListener('beforeunload', (event) => event.preventDefault(), { signal });
    // The server is told; it would wait for whoever just went away.
    addEventListener('pagehide', () => this.#publish?.stop(), { signal });
  }

  /** @param {import('./whip.js').State} state */
  #changed(state) {
    this.dataset.state = state.name;
    if (state.name === 'ended') {
      this.#watching.abort();
      clearInterval(this.#timer);
      this.#publish = null;
      const isRecorded = this.#face.rec.checked && this.#hasBeenLive;
      this.#say(state.reason ?? (isRecorded ? 'Ended. The recording stands below.' : 'Ended.'), state.reason !== null);
      this.#offerRecording();
    } else {
      this.#hasBeenLive ||= state.name === 'live';
      const words = { connecting: 'Connecting…', live: 'Live', reconnecting: 'Reconnecting…' };
      this.#face.pillWord.textContent = words[state.name];
      this.#face.pill.classList.toggle('live', state.name === 'live');
      this.#say(state.detail === undefined ? '' : `Trying again: ${state.detail}.`);
    }
    this.#show();
  }

  async #measure() {
    const entries = await this.#publish?.stats();
    if (entries === undefined || entries.length === 0) return;
    const now = read(entries, performance.now());
    const before = this.#reading;
    this.#reading = now;
    // Another session counts from nought.
    if (before === null || now.packetsSent < before.packetsSent) return;
    const seen = figures(before, now);
    const { badge, advice, videoRate, audioRate, size, fps, loss, trip, chart } = this.#face;
    this.#rates = [...this.#rates, seen.videoKbps + seen.audioKbps].slice(-CHART_SLOTS);
    badge.className = `badge ${seen.level}`;
    badge.textContent = { good: 'Good', fair: 'Fair', poor: 'Poor' }[seen.level];
    advice.textContent = seen.level === 'good' ? '' : seen.words.replace(/^\w+: /, '');
    videoRate.textContent = bitrate(seen.videoKbps * 1_000);
    audioRate.textContent = bitrate(seen.audioKbps * 1_000);
    size.textContent = seen.size;
    fps.textContent = `${seen.framesPerSecond} fps`;
    loss.textContent = `${seen.lossPercent.toFixed(1)} %`;
    trip.textContent = seen.roundTripMs === null ? '–' : `${seen.roundTripMs} ms`;
    chart.setAttribute('d', line(this.#rates, CHART_SLOTS, 300, 48));
  }

  /** @param {'audio' | 'video'} kind */
  #toggle(kind) {
    this.#isOff[kind] = !this.#isOff[kind];
    if (this.#stream !== null) this.#apply(this.#stream);
    this.#show();
  }

  /** @param {MediaStream} stream */
  #apply(stream) {
    for (const track of stream.getTracks()) track.enabled = !this.#isOff[track.kind === 'audio' ? 'audio' : 'video'];
  }

  #show() {
    const isLive = this.#publish !== null;
    const hasStream = this.#stream !== null;
    const canSend = encodesH264();
    const { look, go, stop, mute, shade, leave, again, mode, kbps, dark, pill, figures } = this.#face;
    this.#lacks(canSend ? null : WITHOUT_H264);
    go.disabled = !canSend;
    look.hidden = hasStream;
    go.hidden = !hasStream || isLive;
    stop.hidden = !isLive;
    mute.hidden = (this.#stream?.getAudioTracks().length ?? 0) === 0;
    shade.hidden = !hasStream;
    leave.hidden = !hasStream || isLive;
    // At the end of the row, so that no button moves under the hand when something ends.
    again.hidden = whatEnded(this.#stream) === '';
    leave.textContent = this.#face.source.value === 'camera' ? 'Turn off camera and microphone' : 'Stop sharing the screen';
    mode.disabled = isLive;
    kbps.disabled = isLive;
    const isDark = this.#isOff.video;
    const picture = this.#face.source.value === 'camera' ? 'Camera' : 'Picture';
    mute.textContent = this.#isOff.audio ? 'Unmute' : 'Mute';
    mute.classList.toggle('off', this.#isOff.audio);
    shade.textContent = `${picture} ${isDark ? 'on' : 'off'}`;
    shade.classList.toggle('off', isDark);
    dark.hidden = hasStream && !isDark;
    dark.textContent = hasStream ? `${picture} is off` : 'No preview yet';
    pill.hidden = !isLive;
    figures.hidden = !isLive;
  }

  /** Where there is nothing else to say, what has ended is said until it is back. @param {string} words @param {boolean} isBad */
  #say(words, isBad = false) {
    const { note, again } = this.#face;
    const ended = words === '' ? whatEnded(this.#stream) : '';
    const goesOn = this.#publish === null ? '' : '; what is live goes on';
    note.textContent = ended === '' ? words : `${ended} Press “${again.textContent}”, or choose something else above${goesOn}.`;
    note.classList.toggle('bad', isBad || ended !== '');
  }
}

/**
 * Buttons take each other's place: the second click of a double click is meant for the one that was there before.
 * @param {() => void} act
 */
function once(act) {
  return (/** @type {MouseEvent} */ { detail }) => {
    if (detail < 2) act();
  };
}

/**
 * Links of the dashboard change the page without leaving it, and nobody would be asked. Here they are the browser's own, which asks while it is live; and from
 * the beginning, so that all that lies before and after in its history is another document. @param {MouseEvent} event
 */
function leave(event) {
  if (event.target instanceof Element && event.target.closest('a[href]') !== null) event.stopImmediatePropagation();
}

/** Lists devices behind the entries that are always there; the choice stays. @param {HTMLSelectElement} select @param {{ id: string, label: string }[]} found */
function fill(select, found) {
  const chosen = select.value;
  for (const option of [...select.options]) if (option.dataset.device !== undefined) option.remove();
  for (const { id, label } of found) {
    const option = new Option(label, id);
    option.dataset.device = '';
    select.add(option);
  }
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}

customElements.define('afterlive-webcaster', AfterliveWebcaster);
