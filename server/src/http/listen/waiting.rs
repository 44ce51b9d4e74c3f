//! Connections of which a request is waited for, or the rest of one, in the order in which that began. Where all places are taken the first of them makes room for
//! who comes, so that those who only stand there, or send a letter at a time, keep nobody out. Who is being answered is never sent away.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http::repeat::Repeats;

/// Who was sent away has left by then, if it was still there to be sent; else another one is.
const LEAVES_WITHIN: Duration = Duration::from_millis(100);

/// All of them. Clones are the same.
#[derive(Clone, Default)]
pub(in crate::http) struct Waiting(Arc<Shared>);

#[derive(Default)]
struct Shared {
    line: Mutex<Line>,
    has_joined: Notify,
}

#[derive(Default)]
struct Line {
    next: u64,
    /// In the order of arrival.
    standing: BTreeMap<u64, Arc<Called>>,
}

/// How one in the line is told to go.
#[derive(Default)]
struct Called {
    repeats: Repeats,
    is_sent_away: AtomicBool,
    waker: AtomicWaker,
}

/// A place in the line. Dropped when what was waited for is there.
pub(in crate::http) struct Stand {
    waiting: Waiting,
    number: u64,
    called: Arc<Called>,
}

impl Waiting {
    /// `repeats` are what the connection answers without anybody waiting for it.
    pub(in crate::http) fn begin(&self, repeats: Repeats) -> Stand {
        let called = Arc::new(Called { repeats, ..Called::default() });
        let mut line = self.line();
        let number = line.next;
        line.next += 1;
        line.standing.insert(number, Arc::clone(&called));
        drop(line);
        self.0.has_joined.notify_one();
        Stand { waiting: self.clone(), number, called }
    }

    /// One after the other, for as long as it is asked to.
    pub(super) async fn keep_making_room(&self) -> Infallible {
        loop {
            if self.send_one_away() {
                tokio::time::sleep(LEAVES_WITHIN).await;
            } else {
                // Those who repeat themselves join no line when they stop.
                let _ = tokio::time::timeout(LEAVES_WITHIN, self.0.has_joined.notified()).await;
            }
        }
    }

    /// Whether there was one.
    fn send_one_away(&self) -> bool {
        let now = Instant::now();
        let mut line = self.line();
        let first = line.standing.iter().find(|(_, called)| called.repeats.busy_at(now) != Some(now));
        let Some((number, called)) = first.map(|(number, called)| (*number, Arc::clone(called))) else { return false };
        line.standing.remove(&number);
        drop(line);
        called.is_sent_away.store(true, Ordering::Release);
        called.waker.wake();
        true
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stand {
    /// Ready when somebody else is to have the connection's place.
    pub(in crate::http) fn poll_sent_away(&self, context: &Context<'_>) -> Poll<()> {
        self.called.waker.register(context.waker());
        if self.called.is_sent_away.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.waiting.line().standing.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn is_sent_away(stand: &Stand) -> bool {
        poll_fn(|context| Poll::Ready(stand.poll_sent_away(context).is_ready())).await
    }

    #[tokio::test]
    async fn who_was_waited_for_longest_goes_first_and_who_has_come_does_not_go() {
        let waiting = Waiting::default();
        assert!(!waiting.send_one_away(), "nobody stands there");
        let [first, second, third] = [(); 3].map(|()| waiting.begin(Repeats::default()));
        drop(first);
        assert!(waiting.send_one_away());
        assert_eq!((is_sent_away(&second).await, is_sent_away(&third).await), (true, false));
        assert!(waiting.send_one_away() && !waiting.send_one_away());
        assert!(is_sent_away(&third).await);
        drop((second, third));
        assert!(waiting.line().standing.is_empty());
    }
}
