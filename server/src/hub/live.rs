//! One live stream: its publisher's end, and its subscribers'.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use afterlive_domain::{StreamId, UnixMillis};
use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use afterlive_media::timeline::Timeline;
use tokio_util::sync::CancellationToken;

use super::awaited::Awaited;
use super::gop::GopCache;
use super::queue::{Headcount, Queue};
use super::seldom::Seldom;
use super::stats::{Counters, LiveStats};
use super::still::{LastStills, Still};
use super::waiting::Waiting;
use super::{Hub, Message, Overflow, Streams, lock};

/// Whether nothing has been heard of an encoder for so long that another one may have the stream.
type IsSilent = Box<dyn Fn() -> bool + Send + Sync>;

/// What publisher and subscribers of one publish share.
pub(super) struct Live {
    started_at: UnixMillis,
    waiting: Arc<Waiting>,
    pub(super) stop: CancellationToken,
    /// It stops since it is not allowed any more.
    withdrawn: AtomicBool,
    pub(super) gives_way: CancellationToken,
    /// Cancelled when the stream can be claimed again.
    pub(super) over: CancellationToken,
    /// Of publishers that give way only.
    is_silent: OnceLock<IsSilent>,
    lost_frames: AtomicU64,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) ended: bool,
    video: Option<TrackConfig>,
    audio: Option<TrackConfig>,
    gop: GopCache,
    /// The last one of the video track as it is now.
    pub(super) keyframe: Option<Frame>,
    pub(super) still: Option<Still>,
    viewers: Vec<Arc<Queue>>,
    recorders: Vec<Arc<Queue>>,
    counters: Counters,
    timeline: Timeline,
    jumps: Seldom,
}

impl State {
    pub(super) fn track(&mut self, kind: TrackKind) -> &mut Option<TrackConfig> {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    fn tracks(&self) -> impl Iterator<Item = &TrackConfig> {
        self.video.iter().chain(&self.audio)
    }

    /// The one order in which queues are written. The lock on the state keeps two writers from mixing theirs.
    fn queues(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.recorders.iter().chain(&self.viewers)
    }

    /// Whether a decoder can begin with this frame: a video keyframe, or any frame of a stream without video.
    fn starts_at(&self, frame: &Frame) -> bool {
        match frame.kind {
            TrackKind::Video => frame.keyframe,
            TrackKind::Audio => self.video.is_none(),
        }
    }
}

impl Live {
    pub(super) fn new(started_at: UnixMillis, waiting: Arc<Waiting>) -> Self {
        Self {
            started_at,
            waiting,
            stop: CancellationToken::new(),
            withdrawn: AtomicBool::new(false),
            gives_way: CancellationToken::new(),
            over: CancellationToken::new(),
            is_silent: OnceLock::new(),
            lost_frames: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.is_silent.get().is_some_and(|is_silent| is_silent())
    }

    pub(super) fn subscribe_viewer(self: Arc<Self>) -> Option<ViewerSubscription> {
        let queue = Arc::new(Queue::of_viewer());
        {
            let mut state = lock(&self.state);
            if state.ended {
                return None;
            }
            state.tracks().for_each(|track| queue.push_track(track));
            let now = Instant::now();
            for frame in state.gop.frames() {
                queue.push_frame(frame, state.starts_at(frame), now);
            }
            state.viewers.push(Arc::clone(&queue));
        }
        Some(ViewerSubscription { live: self, queue })
    }

    fn subscribe_recorder(self: Arc<Self>) -> RecorderSubscription {
        let queue = self.open_recorder_queue(None);
        RecorderSubscription { live: self, queue }
    }

    /// In place of another: no frame comes between them.
    fn open_recorder_queue(&self, closed: Option<&Arc<Queue>>) -> Arc<Queue> {
        let queue = Arc::new(Queue::of_recorder(&self.waiting));
        let mut state = lock(&self.state);
        state.recorders.retain(|other| closed.is_none_or(|closed| !Arc::ptr_eq(other, closed)));
        state.tracks().for_each(|track| queue.push_track(track));
        if state.ended {
            queue.end();
        } else {
            state.recorders.push(Arc::clone(&queue));
        }
        queue
    }

    fn unsubscribe(&self, queue: &Arc<Queue>) {
        let mut state = lock(&self.state);
        state.viewers.retain(|other| !Arc::ptr_eq(other, queue));
        state.recorders.retain(|other| !Arc::ptr_eq(other, queue));
    }

    pub(super) fn stats(&self) -> LiveStats {
        let state = lock(&self.state);
        let viewers = state.viewers.iter().map(|queue| queue.headcount().get()).sum();
        state.counters.read(self.started_at, viewers, state.video.as_ref(), state.audio.as_ref())
    }
}

/// The right to publish a stream, and the way to do it. Dropping it ends the publish: subscribers read what is queued, then
/// [`Message::Ended`], and the stream can be claimed again.
pub struct Publisher {
    streams: Streams,
    last_stills: Arc<LastStills>,
    awaited: Arc<Awaited>,
    stream: StreamId,
    live: Arc<Live>,
    /// So long its encoder is waited for when it has ended.
    window: Duration,
    /// Whether it has sent a frame.
    is_seen: bool,
}

impl Publisher {
    pub(super) fn new(hub: &Hub, stream: StreamId, live: Arc<Live>) -> Self {
        let Hub { streams, last_stills, awaited, .. } = hub;
        Self {
            streams: Arc::clone(streams),
            last_stills: Arc::clone(last_stills),
            awaited: Arc::clone(awaited),
            stream,
            live,
            window: Duration::ZERO,
            is_seen: false,
        }
    }

    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// Announces a track, or that it changes. One that is as before is not passed on: encoders like to repeat themselves.
    pub fn set_track(&mut self, track: TrackConfig) {
        let mut state = lock(&self.live.state);
        let kind = track.codec.kind();
        if state.track(kind).as_ref() == Some(&track) {
            return;
        }
        // What is kept for viewers to come was made for the track as it was.
        state.gop.clear();
        if kind == TrackKind::Video {
            state.keyframe = None;
        }
        state.queues().for_each(|queue| queue.push_track(&track));
        *state.track(kind) = Some(track);
    }

    /// Hands a frame to every subscriber; never waits for one. A frame of a track that was not announced goes nowhere.
    ///
    /// Subscribers see one timeline, whatever the encoder's clock does: see [`Timeline`].
    pub fn frame(&mut self, frame: &Frame) {
        let now = Instant::now();
        let mut state = lock(&self.live.state);
        let Some(timescale) = state.track(frame.kind).as_ref().map(|track| track.timescale) else { return };
        if !self.is_seen {
            self.is_seen = true;
            self.awaited.forget(self.stream);
        }
        let (dts, jump) = state.timeline.place(frame.kind, frame.dts, timescale);
        if let Some(jump) = jump
            && let Some(untold) = state.jumps.tell(now)
        {
            tracing::warn!(stream = %self.stream, due_ms = jump.due_ms, sent_ms = jump.sent_ms, untold, "the encoder's clock has jumped; what follows is joined on");
        }
        let frame = &Frame { dts, ..frame.clone() };
        state.counters.count(frame, timescale, now);
        let starts_here = state.starts_at(frame);
        if frame.kind == TrackKind::Video && frame.keyframe {
            state.keyframe = Some(frame.clone());
        }
        if state.video.is_some() {
            state.gop.push(frame);
        }
        state.queues().for_each(|queue| queue.push_frame(frame, starts_here, now));
    }

    /// The recorder's subscription: everything from here on, so ask for it before the first frame.
    #[must_use]
    pub fn subscribe_recorder(&self) -> RecorderSubscription {
        Arc::clone(&self.live).subscribe_recorder()
    }

    /// So many frames are lost: they never came from the encoder, or depend on one that did not. Whoever accounts for the publish tells it.
    pub fn count_lost(&self, frames: u64) {
        self.live.lost_frames.fetch_add(frames, Ordering::Relaxed);
    }

    /// Bytes of frames so far.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        lock(&self.live.state).counters.bytes_in()
    }

    /// Lets viewers be told, when it has ended, that its encoder was cut off and is waited for so long: see [`Hub::awaited`].
    pub fn wait_for_return(&mut self, window: Duration) {
        self.window = window;
    }

    /// Whether anybody watches at this moment.
    #[must_use]
    pub fn has_viewers(&self) -> bool {
        !lock(&self.live.state).viewers.is_empty()
    }

    /// What others can see and do of this publish, and of no later one.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote { live: Arc::clone(&self.live) }
    }

    /// Whether it is to stop since [`Remote::withdraw`] was called.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.live.withdrawn.load(Ordering::Acquire)
    }

    /// Completes when someone called [`super::Hub::stop`] or [`Remote::withdraw`]; then drop the publisher.
    pub fn stop_requested(&self) -> impl Future<Output = ()> + Send + use<> {
        self.live.stop.clone().cancelled_owned()
    }

    /// Completes when another encoder is to have the stream, since nothing is heard of this one by `is_silent`; then drop the publisher. One
    /// that never says so keeps the stream, however silent it is.
    pub fn gives_way(&self, is_silent: IsSilent) -> impl Future<Output = ()> + Send + use<> {
        // It says so once.
        let _ = self.live.is_silent.set(is_silent);
        self.live.gives_way.clone().cancelled_owned()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Who hears of the end asks at once whether there is more to come. Of what has shown nothing nobody misses anything, and the one before is waited for on.
        if self.window.is_zero() {
            self.awaited.forget(self.stream);
        } else if self.is_seen {
            self.awaited.note(self.stream, self.window);
        }
        // The stream is free before its subscribers hear of the end: who acts on the news can claim it.
        self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(&self.stream);
        self.live.over.cancel();
        let mut state = lock(&self.live.state);
        state.ended = true;
        state.gop.clear();
        state.keyframe = None;
        if let Some(still) = state.still.take() {
            self.last_stills.keep(self.stream, still);
        }
        state.queues().for_each(|queue| queue.end());
    }
}

/// One publish, for who does not publish. Does not keep it going.
#[derive(Clone)]
pub struct Remote {
    live: Arc<Live>,
}

impl Remote {
    /// The time of the last frame on the stream's timeline, in milliseconds; 0 before the first.
    #[must_use]
    pub fn position_ms(&self) -> i64 {
        lock(&self.live.state).counters.position_ms()
    }

    /// Asks the publisher to end, since it is not allowed any more.
    pub fn withdraw(&self) {
        self.live.withdrawn.store(true, Ordering::Release);
        self.live.stop.cancel();
    }
}

/// A viewer's end. Starts at the last keyframe, and skips to the next one where the viewer is too slow; the publisher never waits.
pub struct ViewerSubscription {
    live: Arc<Live>,
    queue: Arc<Queue>,
}

impl ViewerSubscription {
    /// Waits for the next message. Safe to cancel: no message is lost.
    pub async fn next(&mut self) -> Message {
        // A viewer's queue never overflows.
        self.queue.next().await.unwrap_or(Message::Ended)
    }

    /// The next message, where one waits.
    pub fn try_next(&mut self) -> Option<Message> {
        self.queue.try_next().unwrap_or(Some(Message::Ended))
    }

    /// For how many viewers this subscription stands: one, unless it is passed on to others.
    #[must_use]
    pub fn headcount(&self) -> Headcount {
        self.queue.headcount().clone()
    }

    /// As the one who published said.
    #[must_use]
    pub fn started_at(&self) -> UnixMillis {
        self.live.started_at
    }
}

impl Drop for ViewerSubscription {
    fn drop(&mut self) {
        self.live.unsubscribe(&self.queue);
    }
}

/// The recorder's end. Gets every frame or an error: nothing is ever left out silently.
pub struct RecorderSubscription {
    live: Arc<Live>,
    queue: Arc<Queue>,
}

impl RecorderSubscription {
    /// Waits for the next message; after [`Self::wake_at`] until it is woken. Safe to cancel: no message is lost.
    ///
    /// # Errors
    /// [`Overflow`] after the last message before the gap, and then until [`Self::resume`]; the publish goes on without this subscription.
    pub async fn next(&mut self) -> Result<Message, Overflow> {
        self.queue.next().await
    }

    /// From here on [`Self::next`], where nothing waits, need not wake for each message: only for those of which `wakes_at` says so, for a track, where
    /// much waits, and at the end. `wakes_at` is told of each message, in their order, while the stream is locked: it must be quick, and not ask the
    /// hub. Until [`Self::wake_at_each`] or [`Self::resume`].
    pub fn wake_at(&mut self, wakes_at: impl FnMut(&Message) -> bool + Send + 'static) {
        self.queue.wake_at(wakes_at);
    }

    /// Ends what [`Self::wake_at`] began.
    pub fn wake_at_each(&mut self) {
        self.queue.wake_at_each();
    }

    /// The next message, where one waits.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn try_next(&mut self) -> Result<Option<Message>, Overflow> {
        self.queue.try_next()
    }

    /// Frames of the publish that were lost on the way to us, so far.
    #[must_use]
    pub fn lost_frames(&self) -> u64 {
        self.live.lost_frames.load(Ordering::Relaxed)
    }

    /// How long ago the publish ended; `None` while it goes on.
    #[must_use]
    pub fn ended_ago(&self) -> Option<Duration> {
        self.queue.ended_ago()
    }

    /// For how long no frame had come when the publish ended: a connection whose network went without a word is given up late. `None` while it goes on, and where
    /// none came since this subscription began.
    #[must_use]
    pub fn silent_before_end(&self) -> Option<Duration> {
        self.queue.silent_before_end()
    }

    /// Begins anew, with the tracks as they are and everything from here on. What waited or was lost before stays lost; says how many frames of pictures and
    /// of sound that is.
    pub fn resume(&mut self) -> [u64; 2] {
        let queue = self.live.open_recorder_queue(Some(&self.queue));
        std::mem::replace(&mut self.queue, queue).unread_frames()
    }
}

impl Drop for RecorderSubscription {
    fn drop(&mut self) {
        self.live.unsubscribe(&self.queue);
    }
}
