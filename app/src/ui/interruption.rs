//! What pages say while an encoder that was cut off is waited for.

use leptos::prelude::*;

use super::icon::Icon;
use super::state_pill::{pill, stream_icon};
use crate::backend::Overview;

/// The stream's state, as people see it: while its encoder is waited for it has not ended.
#[component]
pub fn PresentState(overview: Signal<Overview>) -> impl IntoView {
    let state = Memo::new(move |_| overview.with(|overview| overview.stream.state));
    let is_awaited = Memo::new(move |_| overview.with(|overview| overview.awaited_s.is_some()));
    move || match is_awaited.get() {
        true => pill("interrupted", Icon::Incomplete),
        false => pill(state.get().as_str(), stream_icon(state.get())),
    }
}

/// Says so, and for how much longer. Who only watches is not told of recordings.
#[component]
pub fn Interruption(overview: Signal<Overview>) -> impl IntoView {
    let awaited_s = Memo::new(move |_| overview.with(|overview| overview.awaited_s));
    let is_awaited = Memo::new(move |_| awaited_s.get().is_some());
    let operates = Memo::new(move |_| overview.with(|overview| overview.role.is_some()));
    move || {
        is_awaited.get().then(|| {
            let rest = if operates.get() {
                " Back by then, it goes on where it was: for who watches, and in its recording."
            } else {
                " Once it is back, the picture goes on here by itself."
            };
            view! {
                <p class="notice warn interruption">
                    {Icon::Incomplete.draw()}
                    <span>
                        // Told once: the seconds would be read out each time.
                        <span role="status">"The signal is interrupted."</span> " Waits "
                        {move || awaited_s.get().unwrap_or_default()} " s more for the encoder." {rest}
                    </span>
                </p>
            }
        })
    }
}
