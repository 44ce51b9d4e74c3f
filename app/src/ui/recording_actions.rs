//! What is done to a recording: to the bin and back, on hold and off it. Plain forms, each of which leads back to the page it stands on.

use afterlive_domain::{AssetId, AssetState};
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::confirm::Confirm;
use super::icon::Icon;
use crate::backend::LibraryRow;
use crate::format;
use crate::live::refresh_after;
use crate::server_fns::library::{BinRecording, HoldRecording, LiftHold, RestoreRecording};

/// The forms' actions: one set a page, however many recordings are on it.
#[derive(Clone, Copy)]
pub struct Acts {
    bin: ServerAction<BinRecording>,
    restore: ServerAction<RestoreRecording>,
    hold: ServerAction<HoldRecording>,
    lift: ServerAction<LiftHold>,
    /// The page's path and query, to return to.
    back: Signal<String>,
    /// So long the bin keeps what is in it.
    bin_days: Signal<u64>,
}

impl Acts {
    #[must_use]
    pub fn new(back: Signal<String>, bin_days: Signal<u64>) -> Self {
        let acts = Self {
            bin: ServerAction::new(),
            restore: ServerAction::new(),
            hold: ServerAction::new(),
            lift: ServerAction::new(),
            back,
            bin_days,
        };
        refresh_after(acts.bin);
        refresh_after(acts.restore);
        refresh_after(acts.hold);
        refresh_after(acts.lift);
        acts
    }
}

/// Which recording the form is about, and where it leads back to.
#[component]
fn About(asset: AssetId, back: Signal<String>) -> impl IntoView {
    view! {
        <input type="hidden" name="asset" value=asset.to_string() />
        <input type="hidden" name="back" value=move || back.get() />
    }
}

/// What can be done to get rid of it, or to get it back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    CanGo,
    CanReturn,
    /// It is on hold, being recorded, or gone for good.
    Stays,
}

fn fate(row: &LibraryRow) -> Fate {
    match row.recording.state {
        AssetState::Deleted if row.keeping.purged_at.is_none() => Fate::CanReturn,
        AssetState::Deleted | AssetState::Recording => Fate::Stays,
        AssetState::Ready | AssetState::Incomplete | AssetState::Failed if row.keeping.hold.is_some() => Fate::Stays,
        AssetState::Ready | AssetState::Incomplete | AssetState::Failed => Fate::CanGo,
    }
}

fn bin_question(row: &LibraryRow, bin_days: u64) -> String {
    let recording = &row.recording;
    let (name, length, size) =
        (&recording.file_name, format::duration(recording.duration_ms), format::megabytes(recording.size_bytes));
    match bin_days {
        0 => format!("{name} ({length}, {size}) is removed for good. This cannot be undone."),
        days => {
            let days = format::count(days, "day", "days");
            format!(
                "{name} ({length}, {size}) goes to the bin, and its URL stops working. It can be restored from there for {days}, less where the storage is full."
            )
        }
    }
}

/// "Delete" or "Restore", as its state has it.
#[component]
pub fn BinOrRestore(row: Signal<LibraryRow>, acts: Acts) -> impl IntoView {
    let id = row.with_untracked(|row| row.recording.id);
    let named = move |verb: &'static str| row.with_untracked(|row| format!("{verb} {}", row.recording.file_name));
    let fate = Memo::new(move |_| row.with(fate));
    let question = Signal::derive(move || row.with(|row| bin_question(row, acts.bin_days.get())));
    let answer = move || if acts.bin_days.get() == 0 { "Remove it for good" } else { "Move it to the bin" };
    move || match fate.get() {
        Fate::CanGo => view! {
            <Confirm label="Delete" about=named("Delete") question>
                <ActionForm action=acts.bin>
                    <About asset=id back=acts.back />
                    <button class="button danger solid">{answer}</button>
                </ActionForm>
            </Confirm>
        }
        .into_any(),
        Fate::CanReturn => view! {
            <ActionForm action=acts.restore>
                <About asset=id back=acts.back />
                <button class="button" aria-label=named("Restore")>
                    {Icon::Restore.draw()}
                    "Restore"
                </button>
            </ActionForm>
        }
        .into_any(),
        Fate::Stays => ().into_any(),
    }
}

/// "Hold" with its reason, or "Lift the hold".
#[component]
pub fn HoldOrLift(row: Signal<LibraryRow>, acts: Acts) -> impl IntoView {
    let (id, name) = row.with_untracked(|row| (row.recording.id, row.recording.file_name.clone()));
    let is_held = Memo::new(move |_| row.with(|row| row.keeping.hold.is_some()));
    let is_gone = Memo::new(move |_| row.with(|row| row.keeping.purged_at.is_some()));
    move || match (is_gone.get(), is_held.get()) {
        (true, _) => ().into_any(),
        (_, false) => {
            let question = format!("{name} stays, whatever people or the retention would delete, until the hold is lifted.");
            view! {
                <Confirm label="Hold" about=format!("Put {name} on legal hold") question calm=true>
                    <ActionForm action=acts.hold>
                        <About asset=id back=acts.back />
                        <label>
                            "Why (for those who come after you)"
                            <input type="text" name="note" maxlength="200" autocomplete="off" />
                        </label>
                        <button class="button primary">"Put it on legal hold"</button>
                    </ActionForm>
                </Confirm>
            }
            .into_any()
        }
        (_, true) => {
            let question = format!("{name} can be deleted again, by people and by the retention.");
            view! {
                <Confirm label="Lift the hold" about=format!("Lift the legal hold on {name}") question>
                    <ActionForm action=acts.lift>
                        <About asset=id back=acts.back />
                        <button class="button danger solid">"Lift the legal hold"</button>
                    </ActionForm>
                </Confirm>
            }
            .into_any()
        }
    }
}
