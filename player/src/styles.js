// How the player looks. On the picture everything is light on dark, in light and dark pages alike; below it the page's own colours hold.

const css = /* css */ `
:host {
  display: block;
  position: relative;
  min-width: 0;
  color: inherit;
  --afterlive-accent: oklch(0.78 0.095 210);
  --afterlive-live: oklch(0.63 0.22 27);
}
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
.screen {
  position: relative;
  overflow: hidden;
  border-radius: inherit;
  background: #000;
  color: #fff;
  font: 500 14px/1.35 system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
  container-type: inline-size;
}
::slotted(video) { display: block; width: 100%; aspect-ratio: 16 / 9; }
/* What was seen last is not what is. */
:host([data-state="interrupted"]) ::slotted(video) { filter: brightness(0.4); }
:host([bare]) .screen { height: 100%; display: grid; align-items: center; }
:host([bare]) ::slotted(video) { height: 100%; aspect-ratio: auto; object-fit: contain; }
:host(:fullscreen) .screen { height: 100%; display: grid; align-items: center; border-radius: 0; }
:host(:fullscreen) ::slotted(video) { height: 100% !important; max-height: 100% !important; }

.message {
  position: absolute;
  inset: 0 0 52px;
  display: grid;
  place-content: center;
  justify-items: center;
  gap: 6px;
  margin: 0;
  padding: 12px 16px;
  text-align: center;
  pointer-events: none;
}
.message[hidden] { display: none; }
.message > * { max-width: 34rem; padding: 2px 10px; border-radius: 6px; background: rgb(0 0 0 / 72%); }
.message .title { margin: 0; font-size: clamp(15px, 4.2cqi, 20px); font-weight: 600; }
.message .detail { margin: 0; font-size: clamp(13px, 3.2cqi, 15px); }
.message .detail:empty { display: none; }
.message .spinner {
  width: 30px; height: 30px; padding: 0; background: none;
  border: 3px solid rgb(255 255 255 / 35%); border-top-color: #fff; border-radius: 50%;
}
@media (prefers-reduced-motion: no-preference) {
  .message .spinner { animation: turn 0.9s linear infinite; }
  .bar, .unmute { transition: opacity 0.2s; }
  ::slotted(video) { transition: filter 0.3s; }
}
@keyframes turn { to { rotate: 1turn; } }

.unmute {
  position: absolute; top: 10px; left: 10px;
  display: inline-flex; align-items: center; gap: 8px;
  padding: 0 14px 0 10px;
  border-radius: 22px;
  background: rgb(0 0 0 / 78%);
}
.unmute[hidden] { display: none; }

.bar {
  position: absolute;
  inset: auto 0 0;
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0 2px;
  padding: 0 4px 4px;
  background: linear-gradient(transparent, rgb(0 0 0 / 78%) 45%);
}
:host([quiet]) .bar { opacity: 0; }
:host([quiet]) .screen { cursor: none; }
.bar > .gap { flex: 1; }

button, select {
  min-width: 44px; height: 44px; margin: 0; padding: 0 10px;
  display: inline-flex; align-items: center; justify-content: center; gap: 8px;
  border: 0; border-radius: 6px; background: none; color: inherit; font: inherit; cursor: pointer;
}
select { background: rgb(0 0 0 / 60%); padding: 0 6px; }
button:hover { background: rgb(255 255 255 / 16%); }
button[hidden], select[hidden], .time[hidden] { display: none; }
:is(button, select, input):focus-visible { outline: 2px solid #fff; outline-offset: -2px; box-shadow: 0 0 0 4px rgb(0 0 0 / 80%) inset; }
svg.icon { width: 22px; height: 22px; fill: none; stroke: currentcolor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
svg.icon .solid { fill: currentcolor; }
.live-dot { width: 10px; height: 10px; border-radius: 50%; background: rgb(255 255 255 / 55%); }
.at-edge .live-dot { background: var(--afterlive-live); }
.live { font-weight: 650; }
.live .late { font-weight: 450; font-variant-numeric: tabular-nums; }
.time { padding: 0 6px; font-variant-numeric: tabular-nums; white-space: nowrap; }

input[type="range"] { height: 44px; margin: 0; accent-color: var(--afterlive-accent); background: none; cursor: pointer; }
.volume { width: 84px; }
.seek { position: relative; flex: 1 0 100%; height: 30px; padding: 0 6px; }
.seek[hidden] { display: none; }
.seek input { display: block; width: 100%; height: 30px; }
.scrubber-tile {
  --half: min(84px, 40cqi);
  position: absolute; bottom: 30px;
  left: clamp(var(--half), calc(var(--at) * 100%), calc(100% - var(--half)));
  display: grid; justify-items: center; margin: 0; padding: 4px; border-radius: 5px;
  background: rgb(0 0 0 / 85%); font-size: 12px; font-variant-numeric: tabular-nums;
  pointer-events: none; transform: translateX(-50%);
}
.scrubber-tile[hidden] { display: none; }
.scrubber-tile svg { display: block; max-width: 100%; border-radius: 3px; }

.stats {
  position: absolute; top: 8px; right: 8px; padding: 8px 12px; max-width: calc(100% - 16px);
  max-height: calc(100% - 64px); overflow: auto;
  border-radius: 6px; background: rgb(0 0 0 / 82%); font-size: 12px; font-variant-numeric: tabular-nums;
}
.stats[hidden] { display: none; }
.stats:focus-visible { outline: 2px solid #fff; }
.stats dl { display: grid; grid-template-columns: auto auto; gap: 2px 12px; margin: 0; }
.stats dt { color: rgb(255 255 255 / 80%); }
.stats dd { margin: 0; overflow-wrap: anywhere; }

.note { margin: 8px 0 0; font-size: 0.8125rem; color: var(--ink-muted, inherit); }
.note[hidden], :host([bare]) .note { display: none; }
.offscreen { position: absolute; inset: 0 auto auto 0; margin: 0; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@container (width < 520px) {
  .volume, .pip, .bar:has(.captions:not([hidden])) .whole { display: none; }
  /* There is no room for both, and the bar has the sound's button too. */
  .stats:not([hidden]) ~ .unmute { display: none; }
}
@container (width < 400px) { .message { padding: 4px; gap: 2px; } .info, .live .late { display: none; } .live { padding: 0 6px; } }
@container (width < 300px) { .whole { display: none; } }
@media (forced-colors: active) { .bar, .message > *, .stats { background: Canvas; color: CanvasText; } }
`;

/** One for all players of a page. */
export const styles = new CSSStyleSheet();
styles.replaceSync(css);
