//! Live streams in memory: who publishes, who watches, and the frames between them.
//!
//! Knows no protocol, no disk and no SQL; keeps no wall clock: bitrates and frame rates are counted in media time, and only how
//! unevenly frames come is measured against a steady clock.
//!
//! ```text
//! Hub::publish ─ Publisher ─ set_track, frame ─┬─ viewer queue   (bounded; skips to the next keyframe when full)
//!   RAII: dropping it ends the stream          └─ recorder queue (bounded; ends with Overflow when full)
//! ```

mod awaited;
mod gop;
mod jitter;
mod live;
mod queue;
mod recorder;
mod seldom;
mod stats;
mod still;
mod waiting;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use afterlive_domain::{StreamId, UnixMillis};
use afterlive_media::frame::{Frame, TrackConfig};
use tokio::sync::watch;

use self::awaited::Awaited;
use self::live::Live;
pub use self::live::{Publisher, RecorderSubscription, Remote, ViewerSubscription};
pub use self::queue::Headcount;
pub use self::recorder::{CannotRecord, Recorder, Recording};
pub use self::stats::{AudioStats, LiveStats, VideoStats};
use self::still::LastStills;
pub use self::still::{Keyframe, Still};
use self::waiting::Waiting;

/// The most bytes of frames that are kept for viewers to come. A longer group of pictures is not kept: viewers then wait for its end.
pub const MAX_GOP_BYTES: usize = 8 << 20;
/// The most frames, of both tracks, that are kept for viewers to come.
pub const MAX_GOP_FRAMES: usize = 2_048;
/// The most bytes that wait for one viewer. Has room for a whole group of pictures, which each viewer starts with.
pub const MAX_VIEWER_QUEUE_BYTES: usize = 2 * MAX_GOP_BYTES;
/// The most messages that wait for one viewer.
pub const MAX_VIEWER_QUEUE_MESSAGES: usize = 2 * MAX_GOP_FRAMES;
/// The most bytes that wait for the recorder: 25 seconds of a disk that stands still, at 20 Mbit/s.
pub const MAX_RECORDER_QUEUE_BYTES: usize = 64 << 20;
/// The most messages that wait for the recorder.
pub const MAX_RECORDER_QUEUE_MESSAGES: usize = 65_536;

/// What a subscriber is told, in this order: the tracks, then frames, with new tracks between them; at last the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// The track has appeared, or is from here on another than before. Frames of a track never come before this.
    TrackChanged(TrackConfig),
    Frame(Frame),
    /// The publish is over, however it ended. Is told again to who asks again.
    Ended,
}

/// The stream has a publisher already; that one goes on undisturbed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("already live from another encoder")]
pub struct AlreadyLive;

/// The recorder's queue was full. What had been queued before has been delivered; all after it is lost to this subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the recorder could not keep up: {MAX_RECORDER_QUEUE_BYTES} bytes or {MAX_RECORDER_QUEUE_MESSAGES} messages were waiting, or all recordings' together had half of the memory"
)]
pub struct Overflow;

type Streams = Arc<RwLock<HashMap<StreamId, Arc<Live>>>>;

/// All live streams of this node. Clones are handles to the same hub.
#[derive(Clone, Default)]
pub struct Hub {
    streams: Streams,
    last_stills: Arc<LastStills>,
    awaited: Arc<Awaited>,
    waiting: Arc<Waiting>,
    /// Told of each publish that begins.
    begun: watch::Sender<()>,
}

impl Hub {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Claims the stream: atomic, so that of two encoders that come at once exactly one gets it. Dropping the publisher ends it.
    ///
    /// # Errors
    /// [`AlreadyLive`], without effect on who is live.
    pub fn publish(&self, stream: StreamId, started_at: UnixMillis) -> Result<Publisher, AlreadyLive> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        match streams.entry(stream) {
            Entry::Occupied(_) => Err(AlreadyLive),
            Entry::Vacant(place) => {
                let live = Arc::new(Live::new(started_at, Arc::clone(&self.waiting)));
                place.insert(Arc::clone(&live));
                self.begun.send_replace(());
                Ok(Publisher::new(self, stream, live))
            }
        }
    }

    /// As [`Hub::subscribe`]; waits until the stream is live, for as long as it takes. Safe to cancel.
    pub async fn subscribe_when_live(&self, stream: StreamId) -> ViewerSubscription {
        // From before the first look, so that a publish that begins between a look and the wait is heard.
        let mut begun = self.begun.subscribe();
        loop {
            if let Some(subscription) = self.subscribe(stream) {
                return subscription;
            }
            // The sender is this hub's own.
            let _ = begun.changed().await;
        }
    }

    /// Is told of each publish that begins, whichever stream's; two close together may be one piece of news.
    #[must_use]
    pub fn publishes(&self) -> watch::Receiver<()> {
        self.begun.subscribe()
    }

    /// A viewer: is told the tracks, then frames from the last keyframe on. `None` where the stream is not live.
    #[must_use]
    pub fn subscribe(&self, stream: StreamId) -> Option<ViewerSubscription> {
        self.find(stream).and_then(Live::subscribe_viewer)
    }

    /// Asks the publisher to end: its connection hears [`Publisher::stop_requested`]. `false` where the stream is not live. One that was cut off is not
    /// waited for any more.
    pub fn stop(&self, stream: StreamId) -> bool {
        self.awaited.forget(stream);
        self.find(stream).inspect(|live| live.stop.cancel()).is_some()
    }

    /// Asks a publisher of which nothing has been heard for long to make way: its connection hears [`Publisher::gives_way`]. Completes when it has
    /// ended, and the stream can be claimed. `None` where the stream is not live, or its publisher is heard or does not say whether it is.
    pub fn make_way(&self, stream: StreamId) -> Option<impl Future<Output = ()> + Send + use<>> {
        let live = self.find(stream)?;
        live.is_silent().then(|| {
            live.gives_way.cancel();
            live.over.clone().cancelled_owned()
        })
    }

    /// Whether the stream is live, and its publisher makes no way (see [`Self::make_way`]) for another.
    #[must_use]
    pub fn is_taken(&self, stream: StreamId) -> bool {
        self.find(stream).is_some_and(|live| !live.is_silent())
    }

    #[must_use]
    pub fn is_live(&self, stream: StreamId) -> bool {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).contains_key(&stream)
    }

    /// For how much longer the encoder of a stream is waited for whose connection broke (see [`Publisher::wait_for_return`]). `None` from its first frame on
    /// when it is back, where it has ended in good order, and where it has not come back in time.
    #[must_use]
    pub fn awaited(&self, stream: StreamId) -> Option<Duration> {
        self.awaited.left(stream)
    }

    /// How the stream does at this moment. `None` where it is not live.
    #[must_use]
    pub fn stats(&self, stream: StreamId) -> Option<LiveStats> {
        self.find(stream).map(|live| live.stats())
    }

    /// The last keyframe that came, also of a group of pictures that is too large to be kept. `None` where the stream is not live, or has no
    /// video so far.
    #[must_use]
    pub fn newest_keyframe(&self, stream: StreamId) -> Option<Keyframe> {
        self.find(stream).and_then(Live::newest_keyframe)
    }

    /// The stream as it looked some seconds ago; `None` where it is not live, or nobody has made a picture of it.
    #[must_use]
    pub fn still(&self, stream: StreamId) -> Option<Still> {
        self.find(stream).and_then(|live| live.still())
    }

    /// As [`Hub::still`], and for some seconds after the end the last one: for who has been told of it before.
    #[must_use]
    pub fn still_or_last(&self, stream: StreamId) -> Option<Still> {
        self.still(stream).or_else(|| self.last_stills.of(stream))
    }

    /// The streams that are live at this moment, in no order.
    #[must_use]
    pub fn live_streams(&self) -> Vec<StreamId> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    fn find(&self, stream: StreamId) -> Option<Arc<Live>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).get(&stream).map(Arc::clone)
    }
}

/// Nothing panics while it holds one of the hub's locks in a half-changed state, so a poisoned one is as good as new.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
