//! Live delivery as MP4: one feed a stream, which makes a fragment of each frame once, and the viewers who read it by WebSocket, HLS, or one HTTP answer.
//! Who may watch is decided in `service/`, before anybody comes here; routes are in `http/`.
//!
//! ```text
//! hub ─ feed (first viewer … some seconds after the last) ─ ring of fragments ─┬─ WebSocket: a cursor each, skips to a keyframe when slow
//!                                                                              └─ HLS: segments and parts are ranges of the same fragments
//! ```

mod feed;
mod follow;
mod hls;
mod message;
mod progressive;
mod ring;
mod segments;
mod viewers;
mod wall;
pub mod whep;
mod ws;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use afterlive_domain::StreamId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::feed::Feed;
pub use self::hls::{Answer, File, Reload, Unavailable};
pub use self::progressive::{NAME as PROGRESSIVE, body as progressive};
pub use self::viewers::{Full, Place, Places, Session};
pub use self::ws::{MAX_INBOUND_BYTES, Seat, WRITE_BUFFER_BYTES, serve as serve_socket};
use crate::clock::Clock;
use crate::config;
use crate::hub::Hub;

/// A feed that nobody has used for so long ends, where no HLS player was there lately: who reloads a page finds it as it was.
pub const IDLE_GRACE: Duration = Duration::from_secs(10);
/// The least time of a stream that HLS players can go back, whatever is configured.
pub const HLS_WINDOW_MS: u64 = 10_000;

/// Limits of the live delivery of this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Viewers at a time, by WebSocket and HLS.
    pub max_viewers: usize,
    /// Of one stream.
    pub max_stream_viewers: usize,
    /// How far back an HLS player can go. Zero: as little as makes sense.
    pub dvr_window: Duration,
    /// Fragments of one stream that are kept, in memory. A window that does not fit is shorter.
    pub max_stream_bytes: usize,
}

impl From<&config::Live> for Settings {
    fn from(config: &config::Live) -> Self {
        Self {
            max_viewers: config.max_viewers,
            max_stream_viewers: config.max_stream_viewers,
            dvr_window: config.dvr_window,
            max_stream_bytes: config.max_stream_bytes,
        }
    }
}

/// All feeds of this node. Clones are handles to the same.
#[derive(Clone)]
pub struct Feeds(Arc<Parts>);

struct Parts {
    hub: Hub,
    clock: Clock,
    settings: Settings,
    stop: CancellationToken,
    feeds: Mutex<HashMap<StreamId, Arc<Feed>>>,
    places: Places,
    /// No feed has numbered a segment so high or higher: a name once given is never given to other bytes, which caches keep.
    next_number: AtomicU64,
    tasks: TaskTracker,
}

impl Feeds {
    /// Feeds end at `stop`.
    #[must_use]
    pub fn new(hub: Hub, clock: Clock, settings: Settings, stop: CancellationToken) -> Self {
        Self(Arc::new(Parts {
            hub,
            clock,
            settings,
            stop,
            feeds: Mutex::default(),
            places: Places::new(settings.max_viewers),
            next_number: AtomicU64::new(0),
            tasks: TaskTracker::new(),
        }))
    }

    /// Where there is a DVR window to fill, each stream has a feed while it is live. Works until told to stop, and until the last feed has ended.
    pub async fn run(self) {
        let mut publishes = self.0.hub.publishes();
        loop {
            if !self.0.settings.dvr_window.is_zero() {
                for stream in self.0.hub.live_streams() {
                    drop(self.open(stream));
                }
            }
            tokio::select! {
                () = self.0.stop.cancelled() => break,
                // The sender is the hub's, which this has.
                _ = publishes.changed() => {}
            }
        }
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// The stream's feed, which goes on while this is held. Begins with the first who asks.
    #[must_use]
    pub fn open(&self, stream: StreamId) -> Use {
        let mut feeds = self.lock();
        let feed = feeds.entry(stream).or_insert_with(|| {
            let feed = Arc::new(Feed::new(stream, self.0.settings, self.first_number(), self.0.stop.clone()));
            self.0.tasks.spawn(Arc::clone(&feed).run(self.clone()));
            feed
        });
        feed.enter();
        Use(Arc::clone(feed))
    }

    /// How many streams have a feed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// By the time, so that no number comes twice also when the server is started anew: segments last about a second at least.
    fn first_number(&self) -> u64 {
        let now_s = u64::try_from(self.0.clock.now().0 / 1_000).unwrap_or(0);
        self.0.next_number.load(Ordering::Relaxed).max(now_s)
    }

    fn note_number(&self, next: u64) {
        self.0.next_number.fetch_max(next, Ordering::Relaxed);
    }

    /// Takes the feed off the list, unless somebody uses it.
    fn retire(&self, feed: &Feed) -> bool {
        let mut feeds = self.lock();
        let retires = feed.is_idle(Instant::now());
        if retires {
            feeds.remove(&feed.stream());
        }
        retires
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamId, Arc<Feed>>> {
        // Nothing panics in the midst of a change.
        self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A feed that somebody uses.
pub struct Use(Arc<Feed>);

impl std::ops::Deref for Use {
    type Target = Feed;

    fn deref(&self) -> &Feed {
        &self.0
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.leave();
    }
}
