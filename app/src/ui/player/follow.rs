//! Follows a recording that grows: its URL leads to a snapshot, which has an end. There, the next snapshot takes its place, and once the recording is
//! finished the file does, each at the same position, as all of them share one timeline. Asks at most once a second, and only at the end.

use std::time::Duration;

use leptos::html::Video;
use leptos::prelude::*;
use leptos::web_sys::HtmlVideoElement;

use crate::browser;
use crate::query::with_query;

/// How long who has seen all there is waits before the next question.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Nearer to the end than this there is nothing to play, in seconds; browsers begin anew where they are told to play at the end.
const END_S: f64 = 0.05;

/// Where the viewer was when another source was set.
#[derive(Clone, Copy)]
struct Place {
    position_s: f64,
    rate: f64,
    plays: bool,
}

/// Whether there is more after where it stands. Also while it goes there, when browsers do not say that it has ended.
fn has_rest(video: &HtmlVideoElement) -> bool {
    video.current_time() + END_S < video.duration()
}

#[derive(Clone, Copy)]
pub(super) struct Follower {
    video: NodeRef<Video>,
    url: Memo<String>,
    is_growing: Memo<bool>,
    /// What the source is known to lead to; `None` for the one that the page came with.
    source: StoredValue<Option<String>>,
    /// Finished files under this URL, as an encoder may come back: browsers remember the length of the first.
    finished: StoredValue<u32>,
    /// Set from the new source on until its head is there.
    place: StoredValue<Option<Place>>,
    /// Whether the viewer let it play up to here.
    plays: StoredValue<bool>,
    is_waiting: RwSignal<bool>,
    asking: StoredValue<Option<TimeoutHandle>>,
}

impl Follower {
    pub(super) fn new(video: NodeRef<Video>, url: Memo<String>, is_growing: Memo<bool>) -> Self {
        let follower = Self {
            video,
            url,
            is_growing,
            source: StoredValue::new(None),
            finished: StoredValue::new(u32::from(!is_growing.get_untracked())),
            place: StoredValue::new(None),
            plays: StoredValue::new(false),
            is_waiting: RwSignal::new(false),
            asking: StoredValue::new(None),
        };
        Effect::watch(move || (url.get(), is_growing.get()), move |now, before, _| follower.changed(now, before), false);
        follower
    }

    /// Whether the viewer has seen all there is, and waits for more.
    pub(super) fn is_waiting(self) -> bool {
        self.is_waiting.get()
    }

    pub(super) fn is_changing(self) -> bool {
        self.place.with_value(Option::is_some)
    }

    pub(super) fn seek(self, position_s: f64) {
        if self.is_changing() {
            self.place.update_value(|place| *place = place.map(|place| Place { position_s, ..place }));
        } else if let Some(video) = self.video.get_untracked() {
            video.set_current_time(position_s);
        }
    }

    pub(super) fn playing(self) {
        self.plays.set_value(true);
        self.is_waiting.set(false);
    }

    /// Browsers pause at the end too, and between two sources.
    pub(super) fn paused(self) {
        if !self.is_changing() && self.video.get_untracked().is_some_and(|video| has_rest(&video)) {
            self.plays.set_value(false);
        }
    }

    /// The viewer went elsewhere.
    pub(super) fn moved(self) {
        if !self.is_changing() && self.video.get_untracked().is_some_and(|video| has_rest(&video)) {
            self.is_waiting.set(false);
        }
    }

    pub(super) fn ended(self) {
        if self.is_growing.get_untracked() && !self.is_waiting.get_untracked() {
            self.is_waiting.set(true);
            self.ask();
        }
    }

    /// The head of a source is there.
    pub(super) fn loaded(self) {
        let Some(video) = self.video.get_untracked() else { return };
        let Some(Place { position_s, rate, plays }) = self.place.try_update_value(Option::take).flatten() else { return };
        video.set_playback_rate(rate);
        video.set_current_time(position_s);
        if has_rest(&video) {
            self.is_waiting.set(false);
            if plays {
                browser::play(&video);
            }
        } else if self.is_growing.get_untracked() {
            self.is_waiting.set(true);
            self.ask_later();
        }
    }

    /// A snapshot that was just found may be refused for the moment. What fails by itself is the viewer's to see.
    pub(super) fn failed(self) {
        if self.is_changing() && self.is_growing.get_untracked() {
            self.source.set_value(None);
            self.is_waiting.set(true);
            self.ask_later();
        }
    }

    fn changed(self, (url, is_growing): &(String, bool), before: Option<&(String, bool)>) {
        let Some(video) = self.video.get_untracked() else { return };
        match before {
            Some((other, _)) if other != url => {
                self.source.set_value(None);
                self.finished.set_value(u32::from(!is_growing));
                self.place.set_value(None);
                self.is_waiting.set(false);
                video.set_src(url);
            }
            Some((_, true)) if !is_growing => {
                self.is_waiting.set(false);
                // Who stood at the end when it ended has been led to the file already.
                if self.source.with_value(|source| source.as_ref() == Some(url)) {
                    self.finished.update_value(|finished| *finished += 1);
                    return;
                }
                let finished = self.finished.try_update_value(|finished| {
                    *finished += 1;
                    *finished
                });
                let source = match finished {
                    Some(number) if number > 1 => with_query(url, &[("finished", &number.to_string())]),
                    _ => url.clone(),
                };
                self.change(&video, source);
            }
            Some((_, false)) if *is_growing && video.ended() => self.ended(),
            _ => {}
        }
    }

    /// To a source of the same timeline.
    fn change(self, video: &HtmlVideoElement, source: String) {
        let place = Place {
            position_s: video.current_time(),
            rate: video.playback_rate(),
            plays: if video.ended() { self.plays.get_value() } else { !video.paused() },
        };
        // A change upon a change: the element stands at nought already.
        self.place.update_value(|known| *known = known.or(Some(place)));
        video.set_src(&source);
        self.source.set_value(Some(source));
    }

    fn ask_later(self) {
        if let Some(before) = self.asking.get_value() {
            before.clear();
        }
        self.asking.set_value(set_timeout_with_handle(move || self.ask(), ASK_AGAIN_AFTER).ok());
    }

    /// The next snapshot, if there is one.
    fn ask(self) {
        let is_wanted =
            move || self.is_waiting.try_get_untracked() == Some(true) && self.is_growing.try_get_untracked() == Some(true);
        if !is_wanted() {
            return;
        }
        let url = self.url.get_untracked();
        leptos::task::spawn_local(async move {
            let newest = browser::leads_to(&url).await;
            if !is_wanted() {
                return;
            }
            match (newest, self.video.get_untracked()) {
                (Some(newest), Some(video)) if self.source.with_value(|source| source.as_ref() != Some(&newest)) => {
                    self.change(&video, newest);
                }
                (_, Some(_)) => self.ask_later(),
                (_, None) => {}
            }
        });
    }
}
