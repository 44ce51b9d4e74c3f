//! How loud sound is, channel by channel: a native meter each, with the figures beside it.

use leptos::prelude::*;

use crate::backend::Level;
use crate::format;

/// The meter's ends, in decibels; quieter is nothing to hear.
const QUIETEST: f64 = -60.0;
const LOUDEST: f64 = 0.0;
/// Speech and music lie between these.
const LOW: f64 = -45.0;
const HIGH: f64 = -9.0;

fn name(at: usize, channels: usize) -> String {
    match (at, channels) {
        (0, 1) => "Mono".to_owned(),
        (0, 2) => "Left".to_owned(),
        (1, 2) => "Right".to_owned(),
        _ => format!("Channel {}", at + 1),
    }
}

#[component]
pub fn LevelMeter(#[prop(into)] channels: Signal<Vec<Level>>) -> impl IntoView {
    let count = Memo::new(move |_| channels.with(Vec::len));
    view! {
        <ul class="plain levels" aria-label="Loudness over the last seconds">
            {move || {
                let count = count.get();
                (0..count)
                    .map(|at| {
                        let level = Memo::new(move |_| channels.with(|channels| channels.get(at).copied().unwrap_or_default()));
                        view! {
                            <li>
                                <span class="channel">{name(at, count)}</span>
                                <meter
                                    aria-label=format!("{}, decibels below full scale", name(at, count))
                                    min=QUIETEST
                                    max=LOUDEST
                                    low=LOW
                                    high=HIGH
                                    optimum=f64::midpoint(LOW, HIGH)
                                    value=move || level.get().rms_dbfs.clamp(QUIETEST, LOUDEST)
                                ></meter>
                                <span class="rms">{move || format::decibels(level.get().rms_dbfs)}</span>
                                <span class="peak">"peak " {move || format::decibels(level.get().peak_dbfs)}</span>
                            </li>
                        }
                    })
                    .collect_view()
            }}
        </ul>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_the_names_that_people_know() {
        assert_eq!(name(0, 1), "Mono");
        assert_eq!([0, 1].map(|at| name(at, 2)), ["Left", "Right"]);
        assert_eq!(name(5, 6), "Channel 6");
    }
}
