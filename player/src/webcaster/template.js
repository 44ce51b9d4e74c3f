// The parts of the webcaster's face, each found by its class. Says what is there and what it is called, not what it does.

import { fill } from '../parts.js';

const html = `
<p class="missing" role="alert" hidden></p>
<div class="desk">
  <div class="screen">
    <video class="preview" autoplay muted playsinline aria-label="Preview"></video>
    <p class="dark">No preview yet</p>
    <p class="pill" hidden><span class="dot" aria-hidden="true"></span><span class="word"></span></p>
    <meter class="level" min="0" max="1" low="0.05" high="0.9" optimum="0.4" value="0" aria-label="Sound level" hidden></meter>
  </div>
  <form class="setup">
    <fieldset class="what">
      <legend>Picture and sound</legend>
      <label>From <select class="source"><option value="camera">Camera</option><option value="screen">Screen</option></select></label>
      <label class="camera-row">Camera <select class="camera"><option value="">The browser's choice</option></select></label>
      <label>Microphone <select class="microphone"><option value="">The browser's choice</option><option value="none">No microphone</option></select></label>
      <label>Resolution <select class="height"><option value="360">640 × 360</option><option value="540">960 × 540</option><option value="720" selected>1280 × 720</option><option value="1080">1920 × 1080</option></select></label>
      <label>Frame rate <select class="rate"><option>15</option><option>25</option><option selected>30</option><option>60</option></select></label>
      <label>Bitrate <select class="kbps"><option value="800">800 kbit/s</option><option value="1500">1.5 Mbit/s</option><option value="2500" selected>2.5 Mbit/s</option><option value="4000">4 Mbit/s</option><option value="6000">6 Mbit/s</option></select></label>
    </fieldset>
    <fieldset class="mode">
      <legend>What becomes of it</legend>
      <label><input type="radio" name="mode" value="rec" class="rec" checked> Live and recorded</label>
      <label><input type="radio" name="mode" value="live" class="live-only"> Live only</label>
    </fieldset>
    <p class="actions">
      <button type="button" class="look">Turn on camera and microphone</button>
      <button type="button" class="go primary" hidden>Go live</button>
      <button type="button" class="stop" hidden>Stop</button>
      <button type="button" class="mute" hidden>Mute</button>
      <button type="button" class="shade" hidden>Camera off</button>
      <button type="button" class="leave" hidden>Turn off camera and microphone</button>
      <button type="button" class="again" hidden>Turn on again</button>
    </p>
    <p class="note" role="status"></p>
  </form>
</div>
<section class="figures" aria-label="Connection" hidden>
  <p class="quality"><span class="badge"></span> <span class="advice"></span></p>
  <dl>
    <div><dt>Video</dt><dd class="video-rate"></dd></div>
    <div><dt>Audio</dt><dd class="audio-rate"></dd></div>
    <div><dt>Picture</dt><dd class="size"></dd></div>
    <div><dt>Frame rate</dt><dd class="fps"></dd></div>
    <div><dt>Packets lost</dt><dd class="loss"></dd></div>
    <div><dt>Round trip</dt><dd class="trip"></dd></div>
  </dl>
  <svg class="chart" viewBox="0 0 300 48" preserveAspectRatio="none" role="img" aria-label="Bitrate over the last two minutes"><path></path></svg>
</section>
`;

/** Fills a shadow root, and gives its parts by name. @param {ShadowRoot} root */
export function face(root) {
  const part = fill(root, html, 'webcaster');
  const select = (/** @type {string} */ name) => part(`.${name}`, HTMLSelectElement);
  const button = (/** @type {string} */ name) => part(`.${name}`, HTMLButtonElement);
  const text = (/** @type {string} */ name) => part(`.${name}`, HTMLElement);
  return {
    missing: text('missing'),
    desk: text('desk'),
    preview: part('.preview', HTMLVideoElement),
    dark: text('dark'),
    pill: text('pill'),
    pillWord: text('word'),
    level: part('.level', HTMLMeterElement),
    what: part('.what', HTMLFieldSetElement),
    mode: part('.mode', HTMLFieldSetElement),
    cameraRow: text('camera-row'),
    source: select('source'),
    camera: select('camera'),
    microphone: select('microphone'),
    height: select('height'),
    rate: select('rate'),
    kbps: select('kbps'),
    rec: part('.rec', HTMLInputElement),
    liveOnly: part('.live-only', HTMLInputElement),
    look: button('look'),
    go: button('go'),
    stop: button('stop'),
    mute: button('mute'),
    shade: button('shade'),
    leave: button('leave'),
    again: button('again'),
    note: text('note'),
    figures: text('figures'),
    badge: text('badge'),
    advice: text('advice'),
    videoRate: text('video-rate'),
    audioRate: text('audio-rate'),
    size: text('size'),
    fps: text('fps'),
    loss: text('loss'),
    trip: text('trip'),
    chart: part('.chart path', SVGPathElement),
  };
}
