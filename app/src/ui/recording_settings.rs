//! The form for an organisation's limits and retention of recordings. An empty field is the server's default, so that one is shown where nothing is set.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::outcome::Outcome;
use crate::backend::OrganisationPage;
use crate::format;
use crate::live::refresh_after;
use crate::server_fns::organisation::SaveRecordingSettings;

#[component]
pub fn RecordingSettingsForm(page: Signal<OrganisationPage>) -> impl IntoView {
    let action = ServerAction::<SaveRecordingSettings>::new();
    refresh_after(action);
    let own = Memo::new(move |_| page.with(|page| page.recording));
    let server = Memo::new(move |_| page.with(|page| page.recording_rules));
    let bin_days = Memo::new(move |_| page.with(|page| page.bin_days));
    let plain = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    view! {
        <section class="card" aria-labelledby="limits">
            <h2 id="limits">"Limits and retention"</h2>
            <Outcome card="limits" />
            <p class="muted small">"An empty field follows the server's setting, which it shows in grey."</p>
            <ActionForm action>
                <NumberField
                    name="max_duration_s"
                    label="Longest recording, in seconds"
                    hint="At the next keyframe another recording goes on, without a frame lost. 0: no limit."
                    value=Signal::derive(move || plain(own.get().max_duration_s))
                    default=Signal::derive(move || or_none(server.get().max_duration_s, "no limit"))
                />
                <NumberField
                    name="max_megabytes"
                    label="Largest recording, in MB"
                    hint="The same before a file is larger. 0: no limit."
                    value=Signal::derive(move || own.get().max_bytes.map(format::exact_megabytes).unwrap_or_default())
                    default=Signal::derive(move || match server.get().max_bytes {
                        0 => "no limit".to_owned(),
                        bytes => format::exact_megabytes(bytes),
                    })
                />
                <NumberField
                    name="reconnect_window_s"
                    label="Reconnect window, in seconds"
                    hint="An encoder that comes back by then goes on in the same recording. 0: it begins another one."
                    value=Signal::derive(move || plain(own.get().reconnect_window_s))
                    default=Signal::derive(move || or_none(server.get().reconnect_window_s, "none"))
                />
                <NumberField
                    name="retention_days"
                    label="Keep recordings, in days"
                    hint="Older ones go to the bin, also those that are there now. Legal hold keeps a recording. 0: kept for ever."
                    value=Signal::derive(move || plain(own.get().retention_days))
                    default=Signal::derive(move || or_none(server.get().retention_days, "for ever"))
                />
                <p class="muted small">
                    {move || match bin_days.get() {
                        0 => "What goes to the bin is removed for good at once.".to_owned(),
                        days => {
                            let days = format::count(days, "day", "days");
                            format!("What goes to the bin can be restored for {days}, less where the storage is full; then it is removed for good.")
                        }
                    }}
                </p>
                <button class="button">"Set the limits"</button>
            </ActionForm>
        </section>
    }
}

fn or_none(number: u64, none: &str) -> String {
    if number == 0 { none.to_owned() } else { number.to_string() }
}

#[component]
fn NumberField(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    #[prop(into)] value: Signal<String>,
    #[prop(into)] default: Signal<String>,
) -> impl IntoView {
    view! {
        <label>
            {label}
            <input
                type="number"
                name=name
                min="0"
                step=if name == "max_megabytes" { "any" } else { "1" }
                value=move || value.get()
                placeholder=move || default.get()
            />
            <small class="muted">{hint}</small>
        </label>
    }
}
