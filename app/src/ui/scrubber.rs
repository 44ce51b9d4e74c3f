//! A bar of a recording's length: pointed at, dragged or moved by keys it shows what is to be seen there, and the player goes there.

use leptos::ev::PointerEvent;
use leptos::prelude::*;
use leptos::web_sys::Element;

use crate::browser;
use crate::format;
use crate::storyboard::{Tile, tiles};

/// How far an arrow key goes, in milliseconds.
const STEP_MS: u32 = 1_000;

/// `url` is the storyboard's. It is fetched when somebody first shows interest.
#[component]
pub fn Scrubber(url: String, duration_ms: u64, name: String, position_ms: RwSignal<f64>, seek: Callback<f64>) -> impl IntoView {
    let known = RwSignal::new(None::<Vec<Tile>>);
    let asked = StoredValue::new(false);
    let pointed_ms = RwSignal::new(None::<f64>);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a recording fit a double")]
    let length_ms = duration_ms.max(1) as f64;
    let fetch = move || {
        if asked.get_value() {
            return;
        }
        asked.set_value(true);
        let url = url.clone();
        leptos::task::spawn_local(async move {
            if let Some(text) = browser::fetch_text(&url).await {
                known.try_set(Some(tiles(&text, &url)));
            }
        });
    };
    let interest = {
        let fetch = fetch.clone();
        move || fetch()
    };
    let point = {
        let fetch = fetch.clone();
        move |event: PointerEvent| {
            fetch();
            let width = f64::from(event_target::<Element>(&event).client_width().max(1));
            pointed_ms.set(Some((f64::from(event.offset_x()) / width).clamp(0.0, 1.0) * length_ms));
        }
    };
    let go = move |event: leptos::ev::Event| {
        fetch();
        if let Ok(ms) = event_target_value(&event).parse::<f64>() {
            pointed_ms.set(Some(ms));
            seek.run(ms);
        }
    };
    let leave = move || pointed_ms.set(None);
    let tile = Memo::new(move |_| {
        let ms = pointed_ms.get()?;
        known.with(|tiles| tiles.as_ref()?.iter().rfind(|tile| tile.from_ms as f64 <= ms).cloned())
    });
    let place = move || format!("{:.3}", pointed_ms.get().unwrap_or(0.0) / length_ms);
    let time = |ms: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and of a recording's length")]
        format::duration(ms.max(0.0) as u64)
    };
    view! {
        <div class="scrubber">
            <p class="scrubber-label" aria-hidden="true">
                <b>"Scenes"</b>
                <span>"rest on the bar to see what is where, click to go there"</span>
            </p>
            <input
                type="range"
                min="0"
                max=duration_ms.to_string()
                step=STEP_MS.to_string()
                aria-label=format!("Scenes: find a place in {name}")
                aria-valuetext=move || time(position_ms.get())
                prop:value=move || position_ms.get().to_string()
                on:input=go
                on:focus=move |_| interest()
                on:blur=move |_| leave()
                on:pointermove=point
                on:pointerleave=move |_| leave()
            />
            {move || {
                pointed_ms
                    .get()
                    .is_some()
                    .then(|| {
                        view! {
                            <p class="scrubber-tile" aria-hidden="true" style:--at=place>
                                {move || tile.get().map(draw)}
                                <span>{move || time(pointed_ms.get().unwrap_or(0.0))}</span>
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// The tile's part of the sheet: the view box cuts it out, and no inline style is needed.
fn draw(tile: Tile) -> impl IntoView {
    let Tile { image, x, y, width, height, .. } = tile;
    view! {
        <svg viewBox=format!("{x} {y} {width} {height}") width=width.to_string() height=height.to_string()>
            <image href=image></image>
        </svg>
    }
}
