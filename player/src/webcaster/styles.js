// How the webcaster looks: the page's own colours and sizes, which reach into it as custom properties.

const css = /* css */ `
:host { display: block; color: var(--ink); font: 400 var(--size-3, 14px)/1.45 var(--font, system-ui); }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.missing { margin: 0 0 var(--gap-3); padding: var(--gap-3); border-radius: var(--round); background: var(--warn-soft); color: var(--ink); }
.desk { display: grid; gap: var(--gap-4); grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); }
@media (width < 56rem) { .desk { grid-template-columns: minmax(0, 1fr); } }
.screen { position: relative; aspect-ratio: 16 / 9; border-radius: var(--round-large); overflow: hidden; background: #000; color: #fff; align-self: start; }
.preview { display: block; width: 100%; height: 100%; object-fit: contain; }
.dark { position: absolute; inset: 0; display: grid; place-content: center; margin: 0; color: rgb(255 255 255 / 75%); }
.pill { position: absolute; top: 10px; left: 10px; display: inline-flex; align-items: center; gap: 8px; margin: 0; padding: 3px 12px; border-radius: 20px; background: rgb(0 0 0 / 75%); font-weight: 600; }
.dot { width: 10px; height: 10px; border-radius: 50%; background: currentcolor; }
.pill.live .dot { background: oklch(0.66 0.22 27); }
.level { position: absolute; right: 10px; bottom: 10px; left: 10px; width: calc(100% - 20px); height: 8px; opacity: 0.9; }
fieldset { margin: 0 0 var(--gap-3); padding: 0; border: 0; min-width: 0; }
legend { padding: 0; margin-bottom: var(--gap-2); font-weight: 600; }
.what { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: var(--gap-2) var(--gap-3); }
.what legend { grid-column: 1 / -1; }
.what label { display: grid; gap: 2px; color: var(--ink-muted); font-size: var(--size-2); min-width: 0; }
.mode label { display: flex; gap: var(--gap-2); align-items: center; min-height: 1.9rem; }
select, button { font: inherit; color: var(--ink); background: var(--surface-raised); border: 1px solid var(--line-strong); border-radius: var(--round); min-height: 2.25rem; padding: 0 var(--gap-3); min-width: 0; }
button { cursor: pointer; font-weight: 550; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.stop { border-color: var(--bad); color: var(--bad); }
button.off { background: var(--warn-soft); }
:is(select, button):disabled { opacity: 0.6; cursor: default; }
:focus-visible { outline: none; box-shadow: var(--focus); }
.actions { display: flex; flex-wrap: wrap; gap: var(--gap-2); margin: 0; }
.note { margin: var(--gap-2) 0 0; color: var(--ink-muted); min-height: 1.45em; overflow-wrap: anywhere; }
.note.bad { color: var(--bad); }
.figures { margin-top: var(--gap-4); }
.quality { margin: 0 0 var(--gap-2); }
.badge { display: inline-block; padding: 1px 10px; border-radius: 12px; font-weight: 600; background: var(--rest-soft); }
.badge.good { background: var(--good-soft); color: var(--good); }
.badge.fair { background: var(--warn-soft); color: var(--warn); }
.badge.poor { background: var(--bad-soft); color: var(--bad); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: var(--gap-2) var(--gap-4); margin: 0 0 var(--gap-3); }
dt { color: var(--ink-muted); font-size: var(--size-2); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.chart { display: block; width: 100%; height: 48px; background: var(--surface-sunk); border-radius: var(--round); }
.chart path { fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; }
`;

export const styles = new CSSStyleSheet();
styles.replaceSync(css);
