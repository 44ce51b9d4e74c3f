//! A viewer by one HTTP answer that goes on: the init segment, and fragment after fragment as they come. It is one MP4, so that it ends where another would begin: with the
//! publish, and where its tracks become others. docs/live.md is the contract.

use std::collections::VecDeque;
use std::convert::Infallible;

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::ring::{Cursor, Item};
use super::{Feeds, Place, Seat};
use afterlive_domain::StreamId;

/// The file's name, beside those of HLS.
pub const NAME: &str = "progressive.mp4";

impl Feeds {
    /// Whether there is something that a viewer can begin with, or will be in a moment.
    #[must_use]
    pub fn is_live(&self, stream: StreamId) -> bool {
        self.0.hub.is_live(stream)
    }
}

struct Viewer {
    // Free before the viewer is no more counted.
    _place: Place,
    seat: Seat,
    cursor: Cursor,
    changes: watch::Receiver<()>,
    /// The viewer may not watch any more.
    withdrawn: CancellationToken,
    /// Finds that out. A task of its own, as a body is polled only as its viewer takes it: who takes nothing must not keep a connection to the database in the midst
    /// of a question.
    _asking: AbortOnDropHandle<()>,
    /// What was read for them and not asked for yet: at most one batch of the ring.
    waiting: VecDeque<Bytes>,
    has_begun: bool,
    is_over: bool,
}

/// What is sent, as it is asked for: who takes it slowly is skipped to a keyframe by the ring, as every other viewer is. `place` is among connections that are answered
/// for long. Ends when `withdrawn` completes, too, and when the server stops. Within a runtime.
pub fn body(
    seat: Seat,
    place: Place,
    withdrawn: BoxFuture<'static, String>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let (cursor, changes, waiting) = (seat.feed.join(), seat.feed.changes(), VecDeque::new());
    let over = CancellationToken::new();
    let asking = AbortOnDropHandle::new(tokio::spawn({
        let over = over.clone();
        async move {
            withdrawn.await;
            over.cancel();
        }
    }));
    let viewer = Viewer {
        _place: place,
        seat,
        cursor,
        changes,
        withdrawn: over,
        _asking: asking,
        waiting,
        has_begun: false,
        is_over: false,
    };
    futures::stream::unfold(viewer, async |mut viewer| viewer.next().await.map(|bytes| (Ok(bytes), viewer)))
}

impl Viewer {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Also of who takes so fast, or so slowly, that they never wait here.
            if self.withdrawn.is_cancelled() {
                return None;
            }
            if let Some(bytes) = self.waiting.pop_front() {
                return Some(bytes);
            }
            if self.is_over {
                return None;
            }
            self.changes.borrow_and_update();
            if self.read() {
                continue;
            }
            tokio::select! {
                biased;
                () = self.withdrawn.cancelled() => return None,
                () = self.seat.feeds.0.stop.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
            }
        }
    }

    /// Reads the next fragments; false where there is nothing to do but to wait.
    fn read(&mut self) -> bool {
        let seen = self.seat.feed.see(&mut self.cursor);
        for item in seen.batch.items {
            match item {
                Item::Init(_) if self.has_begun => {
                    self.is_over = true;
                    break;
                }
                Item::Init(init) => {
                    self.has_begun = true;
                    self.waiting.push_back(init.bytes.clone());
                }
                Item::Fragment(bytes) => self.waiting.push_back(bytes),
            }
        }
        // A feed that was just opened has heard of no publish yet.
        self.is_over |= seen.over && (self.has_begun || !self.seat.feeds.is_live(self.seat.feed.stream()));
        self.is_over || !self.waiting.is_empty()
    }
}
