//! How a page gets its data and keeps them fresh: rendered by the server, then fetched anew whenever an event says that something changed.
//!
//! Nothing is patched by hand: an event only says *that*, a fetch says *what*. Fetched data go into signals that stay, so a table's open row
//! and a playing video outlive every update.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::StreamId;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;
use serde::{Serialize, de::DeserializeOwned};

use crate::backend::{Answer, BackendError};
use crate::browser::{self, Connection};
use crate::query::{and_query, playback_token};
use crate::ui::problem::Problem;

/// Events that come close together are answered by one fetch.
const DEBOUNCE: Duration = Duration::from_millis(150);
/// How often what grows without events (a live bitrate, a recording's length) is fetched.
const GROWTH: Duration = Duration::from_secs(2);
/// After how long a page asks again for what the server failed to answer, or for the events that it was refused: at the least, and at the most.
/// All that were failed or refused together, as by a restart, must not come back together.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));
/// A page that was to be left and is there after so long stays: what led away failed.
const LEAVING: Duration = Duration::from_secs(1);

/// What of the page is to be fetched anew, and whether news arrive.
#[derive(Clone, Copy)]
pub struct News {
    /// Counts up whenever the page's data may be old.
    stale: RwSignal<u32>,
    /// Counts the forms that were answered.
    answered: RwSignal<u32>,
    /// Why the last form has no answer, and how often in a row that was so.
    unanswered: RwSignal<Option<(u32, BackendError)>>,
    /// The server, which that form did not reach, has been heard of since.
    is_back: RwSignal<bool>,
    /// What the page shows is being done away with, and nothing of it is fetched any more.
    leaving: RwSignal<bool>,
    /// The page was loaded by who had signed in.
    signed_in: RwSignal<bool>,
    /// `None` before the first connection, and where a page has no events.
    pub connected: RwSignal<Option<bool>>,
}

impl News {
    pub fn provide() {
        provide_context(Self {
            stale: RwSignal::new(0),
            answered: RwSignal::new(0),
            unanswered: RwSignal::new(None),
            is_back: RwSignal::new(false),
            leaving: RwSignal::new(false),
            signed_in: RwSignal::new(false),
            connected: RwSignal::new(None),
        });
    }

    #[must_use]
    pub fn of_app() -> Self {
        expect_context()
    }

    pub fn refresh(self) {
        self.stale.update(|count| *count = count.wrapping_add(1));
    }

    /// What stands around the page shows who has signed in. Only the browser remembers.
    pub fn note_signed_in(self) {
        Effect::new(move |_| self.signed_in.set(true));
    }

    /// Whether what stands around the page shows somebody who has signed in: where they are signed out meanwhile, all of it must be loaded anew.
    #[must_use]
    pub fn shows_signed_in(self) -> bool {
        self.signed_in.get_untracked()
    }

    /// What came back of a form that was sent. An answer leads to a page that shows the outcome; where there is none, this page must say so.
    fn hear(self, came: Option<Answer<()>>) {
        if let Some(Err(error)) = came {
            self.is_back.set(false);
            self.unanswered.update(|last| *last = Some((last.as_ref().map_or(1, |(count, _)| count.wrapping_add(1)), error)));
        } else {
            self.forget_unanswered();
            self.answered.update(|count| *count = count.wrapping_add(1));
        }
    }

    /// The connection to the server stands again.
    fn hear_again(self) {
        if self.unanswered.with_untracked(|last| matches!(last, Some((_, BackendError::Unreachable)))) {
            self.is_back.set(true);
        }
    }

    /// Whether the server, which the last form did not reach, is there again: that it cannot be reached is true no more.
    #[must_use]
    pub fn is_back(self) -> bool {
        self.is_back.get()
    }

    /// How many forms were answered since the page was opened; changes when one is.
    #[must_use]
    pub fn answered(self) -> u32 {
        self.answered.get()
    }

    /// Why the last form has no answer, with a number that is another one where the same has happened again; `None` where it has one.
    #[must_use]
    pub fn unanswered(self) -> Option<(u32, BackendError)> {
        self.unanswered.get()
    }

    /// The page on which that was said has been left.
    pub fn forget_unanswered(self) {
        self.unanswered.set(None);
    }
}

/// Fetches the page's data anew each time a form's action has been answered, and has it said where it was not.
pub fn refresh_after<S>(action: ServerAction<S>)
where
    S: ServerFn<Output = (), Error = BackendError> + Clone + Send + Sync + 'static,
{
    let news = News::of_app();
    let (version, came) = (action.version(), action.value());
    Effect::watch(
        move || version.get(),
        move |_, _, _| {
            news.hear(came.get_untracked());
            news.refresh();
        },
        false,
    );
}

/// As [`refresh_after`], for a form that does away with what the page shows and leads to another one: from when it is sent nothing is fetched, as it would be
/// missed. Where it failed the page stays, and is fetched anew.
pub fn leave_after<S>(sent: Memo<bool>, action: ServerAction<S>)
where
    S: ServerFn<Output = (), Error = BackendError> + Clone + Send + Sync + 'static,
{
    let news = News::of_app();
    let (version, came) = (action.version(), action.value());
    let staying = StoredValue::new(None::<TimeoutHandle>);
    let stay_no_more = move || {
        if let Some(Some(staying)) = staying.try_update_value(Option::take) {
            staying.clear();
        }
    };
    Effect::watch(
        move || sent.get(),
        move |is_sent, _, _| {
            if *is_sent {
                stay_no_more();
                news.leaving.set(true);
            }
        },
        false,
    );
    Effect::watch(
        move || version.get(),
        move |_, _, _| {
            news.hear(came.get_untracked());
            let stay = move || {
                news.leaving.set(false);
                news.refresh();
            };
            staying.set_value(set_timeout_with_handle(stay, LEAVING).ok());
        },
        false,
    );
    on_cleanup(move || {
        stay_no_more();
        let _ = news.leaving.try_set(false);
    });
}

/// Renders `body` over the data that `load` gives for `source`, and keeps them fresh.
///
/// The first answer is rendered by the server and travels with the page. Where it is an error, the page is that error.
pub fn loaded<S, T, F, V>(
    source: impl Into<Signal<S>>,
    load: fn(S) -> F,
    skeleton: impl Fn() -> AnyView + Send + 'static,
    body: impl Fn(Signal<T>) -> V + Send + Sync + 'static,
) -> impl IntoView
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
    V: IntoView + 'static,
{
    let source = source.into();
    let first = OnceResource::new(load(source.get_untracked()));
    let body: Arc<dyn Fn(Signal<T>) -> AnyView + Send + Sync> = Arc::new(move |data| body(data).into_any());
    view! {
        // A Suspense would take the page away while what came of a form, which is read inside, is asked for.
        <Transition fallback=skeleton>
            {move || {
                let body = Arc::clone(&body);
                Suspend::new(async move {
                    let first = first.await;
                    if let Err(BackendError::NotNow { retry_after_s }) = first {
                        ask_after(Duration::from_secs(retry_after_s.into()));
                    }
                    let state = RwSignal::new(first.map(ArcRwSignal::new));
                    keep_fresh(state, source, load);
                    let shape = Memo::new(move |_| state.with(|state| state.as_ref().err().cloned()));
                    move || match (shape.get(), state.get_untracked()) {
                        (None, Ok(data)) => body(RwSignal::from(data).into()),
                        (Some(error), _) | (None, Err(error)) => view! { <Problem error/> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
}

/// Asks again for what the page did not get, in the browser.
fn ask_after(wait: Duration) {
    let news = News::of_app();
    Effect::new(move |_| set_timeout(move || news.refresh(), wait));
}

/// What a page shows: its data, in a signal that outlives each fetch, or why there are none.
type State<T> = RwSignal<Answer<ArcRwSignal<T>>>;

fn keep_fresh<S, T, F>(state: State<T>, source: Signal<S>, load: fn(S) -> F)
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: PartialEq + Send + Sync + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let news = News::of_app();
    // Answers may overtake each other: only the latest question's counts.
    let asked = StoredValue::new(0_u32);
    Effect::watch(
        move || (source.get(), news.stale.get()),
        move |(source, _), _, _| {
            if news.leaving.get_untracked() {
                return;
            }
            let this = asked.get_value().wrapping_add(1);
            asked.set_value(this);
            let answer = load(source.clone());
            leptos::task::spawn_local(async move {
                let answer = answer.await;
                if asked.try_get_value() != Some(this) {
                    return;
                }
                if let Some(wait) = settle(state, answer) {
                    let ask_again = move || {
                        if asked.try_get_value() == Some(this) {
                            news.refresh();
                        }
                    };
                    set_timeout(ask_again, wait);
                }
            });
        },
        false,
    );
}

/// Says after how long to ask again, where the server has no room for the question now, or failed while the page shows something.
fn settle<T: PartialEq + Send + Sync + 'static>(state: State<T>, answer: Answer<T>) -> Option<Duration> {
    match (answer, state.get_untracked()) {
        (Ok(new), Ok(data)) => {
            if data.with_untracked(|old| *old != new) {
                data.set(new);
            }
        }
        (Ok(new), Err(_)) => state.set(Ok(ArcRwSignal::new(new))),
        // What is shown is still the last that was true, and the header says that the connection is gone.
        (Err(BackendError::Unreachable), Ok(_)) => {}
        // It may fail at one question and not at the next, and what somebody sends or watches by this page must not end by it.
        (Err(BackendError::Internal { .. }), Ok(_)) => {
            let (least, most) = ASK_AGAIN;
            return Some(browser::between(least, most));
        }
        (Err(BackendError::NotNow { retry_after_s }), _) => return Some(Duration::from_secs(retry_after_s.into())),
        (Err(error), _) => state.set(Err(error)),
    }
    None
}

/// Listens to the server's events while the page is open: of one stream, or of the whole organisation.
pub fn listen(stream: Option<StreamId>) {
    let news = News::of_app();
    let token = use_query_map().with_untracked(playback_token);
    // The browser opens no other connection once it was refused one, be it that a proxy had no server behind it for a second.
    let opened = RwSignal::new(0_u32);
    Effect::new(move |_| {
        opened.track();
        let url = stream.map_or_else(|| "/events".to_owned(), |stream| format!("/events?stream={stream}"));
        let url =
            token.as_ref().filter(|_| stream.is_some()).map_or(url.clone(), |token| and_query(&url, &format!("token={token}")));
        let pending = StoredValue::new(None::<TimeoutHandle>);
        let heard = move || {
            // A fetch that is on its way out already will see this event's change too.
            if pending.try_get_value().flatten().is_none() {
                let fetch = move || {
                    pending.try_set_value(None);
                    news.refresh();
                };
                pending.try_set_value(set_timeout_with_handle(fetch, DEBOUNCE).ok());
            }
        };
        let reopening = StoredValue::new(None::<TimeoutHandle>);
        let connected = move |connection: Connection| {
            let stands = connection == Connection::Stands;
            // What happened while there was no connection has been missed. And who has been signed out is refused: the page asks, hears so, and is replaced.
            // Else it asks with each refusal, so that it stays fresh where there is no place for long.
            let is_back = stands && news.connected.get_untracked() == Some(false);
            if connection == Connection::Refused || is_back {
                news.refresh();
            }
            if is_back {
                news.hear_again();
            }
            if connection == Connection::Refused {
                let reopen = move || {
                    let _ = opened.try_update(|count| *count = count.wrapping_add(1));
                };
                let (least, most) = ASK_AGAIN;
                reopening.try_set_value(set_timeout_with_handle(reopen, browser::between(least, most)).ok());
            }
            news.connected.set(Some(stands));
        };
        let events = StoredValue::new_local(browser::Events::open(&url, heard, connected));
        on_cleanup(move || {
            let _ = events.try_update_value(Option::take);
            for waiting in [pending, reopening] {
                if let Some(Some(waiting)) = waiting.try_get_value() {
                    waiting.clear();
                }
            }
        });
    });
    on_cleanup(move || {
        let _ = news.connected.try_set(None);
    });
}

/// Fetches what grows while `growing`, as long as somebody looks at the page.
pub fn follow_growth(growing: Signal<bool>) {
    let news = News::of_app();
    Effect::new(move |_| {
        if growing.get() {
            let tick = move || {
                if browser::is_visible() {
                    news.refresh();
                }
            };
            if let Ok(handle) = set_interval_with_handle(tick, GROWTH) {
                on_cleanup(move || handle.clear());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_stays_where_the_server_does_not_answer_fails_or_has_no_room() {
        Owner::new().with(|| {
            let state: State<u32> = RwSignal::new(Ok(ArcRwSignal::new(1)));
            let shown = || state.get_untracked().map(|data| data.get_untracked());
            assert_eq!(settle(state, Err(BackendError::Unreachable)), None);
            assert_eq!(settle(state, Err(BackendError::NotNow { retry_after_s: 2 })), Some(Duration::from_secs(2)));
            let failed = || BackendError::Internal { request_id: "r1".to_owned() };
            assert_eq!(settle(state, Err(failed())), Some(ASK_AGAIN.0));
            assert_eq!(shown(), Ok(1));
            assert_eq!(settle(state, Ok(2)), None);
            assert_eq!(shown(), Ok(2));
            assert_eq!(settle(state, Err(BackendError::SignedOut)), None);
            assert_eq!(shown(), Err(BackendError::SignedOut));
            assert_eq!(settle(state, Err(failed())), None);
            assert_eq!(shown(), Err(failed()), "what is shown is no page");
        });
    }

    #[test]
    fn a_form_without_an_answer_is_told_each_time_until_one_has_an_answer() {
        Owner::new().with(|| {
            News::provide();
            let news = News::of_app();
            let told = || (news.unanswered.get_untracked(), news.answered.get_untracked());
            for count in [1, 2] {
                news.hear(Some(Err(BackendError::Unreachable)));
                assert_eq!(told(), (Some((count, BackendError::Unreachable)), 0));
            }
            news.hear(Some(Ok(())));
            assert_eq!(told(), (None, 1));
        });
    }

    #[test]
    fn a_server_that_is_back_is_said_to_be_until_another_form_does_not_reach_it() {
        Owner::new().with(|| {
            News::provide();
            let news = News::of_app();
            let says_so = || {
                news.hear_again();
                news.is_back.get_untracked()
            };
            assert!(!says_so(), "nothing was said of its being away");
            news.hear(Some(Err(BackendError::Unreachable)));
            assert!(!news.is_back.get_untracked() && says_so());
            news.hear(Some(Err(BackendError::Unreachable)));
            assert!(!news.is_back.get_untracked());
            news.hear(Some(Err(BackendError::Refused("too long".to_owned()))));
            assert!(!says_so(), "it was there all the time");
        });
    }
}
