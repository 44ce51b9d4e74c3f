//! The feed of one stream: reads the hub as one viewer, and keeps what all viewers read. Begins with the first of them, goes on from publish to publish,
//! and ends a while after the last has gone.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use afterlive_domain::{StreamId, UnixMillis};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::follow::{Follow, News};
use super::message::{Init, Reading};
use super::ring::{Batch, Cursor, Entry, Ring};
use super::segments::{Segments, Window, max_segment_bytes};
use super::viewers::{Full, Place, Places, Session, Sessions};
use super::wall::WallClock;
use super::{Feeds, HLS_WINDOW_MS, IDLE_GRACE, Settings};
use crate::hub::{Headcount, Hub, Message, ViewerSubscription};

/// The frames of one reading of the publisher's socket come within so long; viewers are woken once for all of them.
const LINGER: Duration = Duration::from_millis(2);
/// How often it is looked whether anybody is there, and what has become old.
const TICK: Duration = Duration::from_secs(1);
/// HLS players are told that the stream has ended when its encoder has not come back by then: who has been told does not ask again.
const RETURN_GRACE: Duration = Duration::from_secs(4);
/// So long after a publish its last segments can still be had, and then no more.
const FORGET_AFTER: Duration = Duration::from_mins(1);
/// HLS players are taken to be there so long after the last request.
const WATCHED_FOR: Duration = Duration::from_secs(30);
/// What is kept while no HLS player is there.
const UNWATCHED_WINDOW_MS: u64 = 4_000;

pub struct Feed {
    stream: StreamId,
    settings: Settings,
    shared: RwLock<Shared>,
    /// Told when `shared` has changed in a way that somebody may wait for.
    changed: watch::Sender<()>,
    uses: AtomicUsize,
    idle_since: Mutex<Instant>,
    places: Places,
    sessions: Mutex<Sessions>,
    stop: CancellationToken,
}

/// What viewers read.
pub(super) struct Shared {
    pub(super) ring: Ring,
    pub(super) segments: Segments,
    /// Of the tracks that came last.
    pub(super) init: Option<Arc<Init>>,
    /// All init segments that a kept segment needs, the newest last.
    inits: Vec<Arc<Init>>,
    pub(super) live: bool,
    /// HLS players are told that nothing more will come.
    pub(super) ended: bool,
    ended_at: Option<Instant>,
    publish: u64,
    reading: Option<Reading>,
}

impl Shared {
    pub(super) fn init_segment(&self, number: u64) -> Option<&Arc<Init>> {
        self.inits.iter().find(|init| init.number == number)
    }

    /// Whether there is anything that an HLS player could be told of.
    pub(super) fn has_something(&self) -> bool {
        self.live || self.segments.has_complete()
    }
}

/// A publish that is followed.
struct Publish {
    subscription: ViewerSubscription,
    headcount: Headcount,
    follow: Follow,
    wall: WallClock,
    /// Whether viewers have been told of it.
    told: bool,
}

enum Happened {
    Begun(ViewerSubscription),
    Told(Message),
    Tick,
}

/// What a WebSocket viewer finds.
pub(super) struct Seen {
    pub(super) batch: Batch,
    pub(super) reading: Option<Reading>,
    /// The publish has ended, and this viewer has all of it.
    pub(super) over: bool,
}

impl Feed {
    pub(super) fn new(stream: StreamId, settings: Settings, first_number: u64, stop: CancellationToken) -> Self {
        let shared = Shared {
            ring: Ring::default(),
            segments: Segments::new(first_number, max_segment_bytes(settings.max_stream_bytes)),
            init: None,
            inits: Vec::new(),
            live: false,
            ended: false,
            ended_at: None,
            publish: 0,
            reading: None,
        };
        Self {
            stream,
            settings,
            shared: RwLock::new(shared),
            changed: watch::Sender::default(),
            uses: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            places: Places::new(settings.max_stream_viewers),
            sessions: Mutex::default(),
            stop,
        }
    }

    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// How many watch by this feed, HLS players as far as they can be counted.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.places.taken()
    }

    pub(super) fn enter(&self) {
        self.uses.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.uses.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nobody has used it for a while, which is longer for HLS players: between two requests may lie a segment. To be asked where nobody can
    /// enter meanwhile.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let wanted = !self.settings.dvr_window.is_zero() && self.read().live;
        let idle_since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.uses.load(Ordering::Relaxed) == 0
            && !wanted
            && !self.sessions().asked_within(WATCHED_FOR, now)
            && now.saturating_duration_since(idle_since) >= IDLE_GRACE
    }

    /// Places for one more, in the stream and in the node; with `address`, of those that it may have.
    pub(super) fn take_places(&self, node: &Places, address: Option<IpAddr>) -> Result<Vec<Place>, Full> {
        Ok(vec![self.places.take(address)?, node.take(address)?])
    }

    pub(super) fn hear_session(&self, session: Session) {
        self.sessions().ask(session, Instant::now());
    }

    pub(super) fn note_session(&self, session: Session, node: &Places) -> Result<(), Full> {
        self.sessions().note(session, Instant::now(), || self.take_places(node, Some(session.subscriber())))
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Nothing panics in the midst of a change.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Shared> {
        // Nothing panics in the midst of a change.
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shared> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn join(&self) -> Cursor {
        self.read().ring.join()
    }

    pub(super) fn is_live(&self) -> bool {
        self.read().live
    }

    pub(super) fn see(&self, cursor: &mut Cursor) -> Seen {
        let shared = self.read();
        let batch = shared.ring.read(cursor);
        let over = !shared.live && batch.items.is_empty() && shared.ring.is_read(cursor);
        Seen { batch, reading: shared.reading, over }
    }

    /// Waits until `look` finds something, for as long as that, and no longer than the server serves.
    pub(super) async fn wait_for<T>(&self, patience: Duration, mut look: impl FnMut(&Shared) -> Option<T>) -> Option<T> {
        // From before the first look, so that no change is missed.
        let mut changes = self.changes();
        let found = async {
            loop {
                if let Some(found) = look(&self.read()) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        let found = tokio::time::timeout(patience, self.stop.run_until_cancelled(found));
        found.await.ok().flatten().flatten()
    }

    /// Works until nobody wants it any more, or the server stops.
    pub(super) async fn run(self: Arc<Self>, feeds: Feeds) {
        let (hub, clock) = (feeds.0.hub.clone(), feeds.0.clock.clone());
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut publish: Option<Publish> = None;
        loop {
            let happened = tokio::select! {
                happened = next(publish.as_mut(), &hub, self.stream) => happened,
                _ = tick.tick() => Happened::Tick,
                () = self.stop.cancelled() => break,
            };
            match happened {
                Happened::Begun(subscription) => publish = Some(Publish::new(subscription, self.viewers())),
                Happened::Told(message) => {
                    tokio::time::sleep(LINGER).await;
                    if let Some(followed) = &mut publish
                        && self.take_all(followed, message, clock.now())
                    {
                        self.end();
                        publish = None;
                    }
                    feeds.note_number(self.read().segments.next_number() + 1);
                }
                Happened::Tick => {
                    self.tick(publish.is_some());
                    if let Some(followed) = &publish {
                        followed.headcount.set(self.viewers());
                    }
                    if self.is_idle(Instant::now()) && feeds.retire(&self) {
                        break;
                    }
                }
            }
        }
    }

    /// Takes this message and all that wait behind it. True where the publish has ended.
    fn take_all(&self, publish: &mut Publish, first: Message, now: UnixMillis) -> bool {
        let (mut news, mut message, mut ended) = (Vec::new(), Some(first), false);
        while let Some(next) = message {
            if next == Message::Ended {
                publish.follow.finish(&mut news);
                ended = true;
                break;
            }
            publish.follow.take(next, now, &mut news);
            message = publish.subscription.try_next();
        }
        if !news.is_empty() {
            for new in &news {
                if let News::Fragment { fragment, .. } = new {
                    publish.wall.note(fragment.dts_ms, now);
                }
            }
            self.publish(publish, news);
            self.changed.send_replace(());
        }
        ended
    }

    fn publish(&self, publish: &mut Publish, news: Vec<News>) {
        let window = self.window();
        let arrived = Instant::now();
        let wall_origin_ms = publish.wall.origin_ms();
        let mut shared = self.write();
        let shared = &mut *shared;
        for new in news {
            match new {
                News::Tracks { tracks, init } => {
                    if !publish.told {
                        publish.told = true;
                        publish.wall.begin();
                        shared.publish += 1;
                        if shared.ended {
                            // Nobody waits for more of what is over, and who comes now is not to begin in it.
                            shared.segments.hide();
                        }
                        (shared.live, shared.ended, shared.ended_at) = (true, false, None);
                    }
                    let has_video = tracks.iter().any(|track| track.codec.picture().is_some());
                    let end = shared.ring.end();
                    let number = shared.segments.begin(has_video, publish.wall.begin_ms(), end);
                    let init = Init::new(number, shared.publish, &tracks, init);
                    shared.inits.push(Arc::clone(&init));
                    shared.init = Some(init);
                }
                News::Fragment { fragment, joins } => {
                    let Some(init) = &shared.init else { continue };
                    shared.segments.push(&fragment, shared.ring.end());
                    shared.reading =
                        Some(Reading { media_ms: fragment.dts_ms, wall_ms: fragment.dts_ms.saturating_add(wall_origin_ms) });
                    shared.ring.push(Entry { bytes: fragment.bytes, init: Arc::clone(init), joins, arrived });
                }
            }
        }
        self.tidy(shared, window);
    }

    /// Gives up what is too old or too much.
    fn tidy(&self, shared: &mut Shared, window: Window) {
        let mut first = shared.segments.trim(window);
        loop {
            if let Some(first) = first {
                shared.ring.forget_before(first);
            }
            if shared.ring.bytes() <= self.settings.max_stream_bytes || !shared.segments.give_up_first() {
                break;
            }
            first = shared.segments.first_kept();
        }
        shared.segments.settle();
        let shown = shared.segments.first_init();
        // One earlier for segments that the playlist has shown last.
        let needed = shown.and_then(|init| shared.inits.iter().position(|other| other.number == init)).unwrap_or(0);
        shared.inits.drain(..needed.saturating_sub(1));
    }

    fn window(&self) -> Window {
        let dvr_ms = u64::try_from(self.settings.dvr_window.as_millis()).unwrap_or(u64::MAX);
        if dvr_ms > 0 || self.sessions().asked_within(WATCHED_FOR, Instant::now()) {
            Window { ms: dvr_ms.max(HLS_WINDOW_MS), watched: true }
        } else {
            Window { ms: UNWATCHED_WINDOW_MS, watched: false }
        }
    }

    /// The publish is over.
    fn end(&self) {
        {
            let mut shared = self.write();
            let end = shared.ring.end();
            shared.segments.close(end);
            shared.segments.settle();
            shared.ring.close();
            shared.reading = None;
            if std::mem::take(&mut shared.live) {
                shared.ended_at = Some(Instant::now());
            }
        }
        self.changed.send_replace(());
    }

    /// `returns`: there is a publish, of which nothing may have come yet.
    fn tick(&self, returns: bool) {
        self.sessions().expire(Instant::now());
        let mut shared = self.write();
        let Some(ended_for) = shared.ended_at.map(|at| at.elapsed()) else { return };
        if ended_for >= RETURN_GRACE && !shared.ended && !returns {
            shared.ended = true;
            self.changed.send_replace(());
        }
        if ended_for >= FORGET_AFTER {
            let end = shared.ring.end();
            shared.segments.clear();
            shared.ring.forget_before(end);
            shared.inits.clear();
            (shared.init, shared.ended_at) = (None, None);
        }
    }
}

/// What happens next in the hub. Safe to cancel.
async fn next(publish: Option<&mut Publish>, hub: &Hub, stream: StreamId) -> Happened {
    match publish {
        Some(publish) => Happened::Told(publish.subscription.next().await),
        None => Happened::Begun(hub.subscribe_when_live(stream).await),
    }
}

impl Publish {
    fn new(subscription: ViewerSubscription, viewers: usize) -> Self {
        let (headcount, follow) = (subscription.headcount(), Follow::new(subscription.started_at()));
        headcount.set(viewers);
        Self { subscription, headcount, follow, wall: WallClock::default(), told: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> Feed {
        let settings =
            Settings { max_viewers: 10, max_stream_viewers: 10, dvr_window: Duration::ZERO, max_stream_bytes: 1 << 20 };
        Feed::new(StreamId(uuid::Uuid::nil()), settings, 1, CancellationToken::new())
    }

    #[test]
    fn a_feed_outlasts_the_pause_between_two_requests_of_an_hls_player() {
        let (feed, now) = (feed(), Instant::now());
        let idle_after = |seconds| feed.is_idle(now + Duration::from_secs(seconds));
        feed.enter();
        assert!(!idle_after(100));
        feed.leave();
        assert!(!idle_after(9) && idle_after(11));
        let player = Session::new([127, 0, 0, 1].into(), b"player");
        feed.hear_session(player);
        assert!(idle_after(11), "who gets nothing does not watch");
        feed.note_session(player, &Places::new(1)).unwrap();
        assert!(!idle_after(29) && idle_after(31));
    }

    #[test]
    fn players_are_not_told_of_an_end_while_the_encoder_is_coming_back() {
        let feed = feed();
        feed.write().ended_at = Instant::now().checked_sub(RETURN_GRACE);
        feed.tick(true);
        assert!(!feed.read().ended);
        feed.tick(false);
        assert!(feed.read().ended);
    }
}
