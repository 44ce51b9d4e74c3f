//! The queue between a publisher and one subscriber, and what happens when it is full.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterlive_media::frame::{Frame, TrackConfig};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::waiting::{Part, Waiting};
use super::{
    MAX_RECORDER_QUEUE_BYTES, MAX_RECORDER_QUEUE_MESSAGES, MAX_VIEWER_QUEUE_BYTES, MAX_VIEWER_QUEUE_MESSAGES, Message, Overflow,
    lock,
};

/// A recorder that rests looks again after so long, unless it is woken: where an encoder's clock stands still no fragment ends, and that frames come must be seen.
const RECORDER_REST: Duration = Duration::from_millis(1_500);
/// A recorder is woken when so much waits for it: what an encoder sends in a second, or what one that sends a file as fast as it can sends at once.
const RECORDER_WAKE_BYTES: usize = 512 << 10;
/// Or so many messages, which may be small.
const RECORDER_WAKE_MESSAGES: usize = MAX_RECORDER_QUEUE_MESSAGES / 16;

/// What a full queue does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Policy {
    /// Forgets what waits and goes on at the next keyframe.
    Viewer,
    /// Takes nothing more, and says so when what waits has been read.
    Recorder,
}

impl Policy {
    fn has_room(self, messages: usize, bytes: usize) -> bool {
        match self {
            Self::Viewer => messages < MAX_VIEWER_QUEUE_MESSAGES && bytes <= MAX_VIEWER_QUEUE_BYTES,
            Self::Recorder => messages < MAX_RECORDER_QUEUE_MESSAGES && bytes <= MAX_RECORDER_QUEUE_BYTES,
        }
    }
}

/// Says of a message whether the reader is to be woken for it. Is told of each, in their order, under the locks of stream and queue.
type WakesAt = Box<dyn FnMut(&Message) -> bool + Send>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing can be decoded before the next keyframe: frames are not queued.
    WaitsForKeyframe,
    Flowing,
    Overflowed,
    Ended(Instant),
}

struct State {
    messages: VecDeque<Message>,
    bytes: usize,
    phase: Phase,
    /// Of pictures and of sound, what came and was not queued.
    refused_frames: [u64; 2],
    /// Of a recorder's: when a frame came last, queued or not.
    last_frame_at: Option<Instant>,
    /// Absent where the reader is woken for each message.
    wakes_at: Option<WakesAt>,
}

impl State {
    /// Says whether the reader is to be woken.
    fn push(&mut self, message: Message) -> bool {
        let is_awaited = self.wakes_at.as_mut().is_none_or(|wakes_at| wakes_at(&message));
        self.messages.push_back(message);
        is_awaited || self.bytes >= RECORDER_WAKE_BYTES || self.messages.len() >= RECORDER_WAKE_MESSAGES
    }
}

/// How many people watch by a subscription. Clones count together.
#[derive(Clone, Debug)]
pub struct Headcount(Arc<AtomicUsize>);

impl Headcount {
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, viewers: usize) {
        self.0.store(viewers, Ordering::Relaxed);
    }
}

/// One writer, the publisher, which never waits; one reader.
pub(super) struct Queue {
    policy: Policy,
    headcount: Headcount,
    state: Mutex<State>,
    wake: Notify,
    /// Of a recorder's.
    waiting: Option<Part>,
}

impl Queue {
    pub(super) fn of_viewer() -> Self {
        Self::new(Policy::Viewer, None)
    }

    /// `waiting`: what waits for all recorders.
    pub(super) fn of_recorder(waiting: &Arc<Waiting>) -> Self {
        Self::new(Policy::Recorder, Some(Part::new(waiting)))
    }

    fn new(policy: Policy, waiting: Option<Part>) -> Self {
        let phase = match policy {
            Policy::Viewer => Phase::WaitsForKeyframe,
            Policy::Recorder => Phase::Flowing,
        };
        let messages = VecDeque::new();
        let state = State { messages, bytes: 0, phase, refused_frames: [0; 2], last_frame_at: None, wakes_at: None };
        let state = Mutex::new(state);
        Self { policy, headcount: Headcount(Arc::new(AtomicUsize::new(1))), state, wake: Notify::new(), waiting }
    }

    fn has_room(&self, messages: usize, bytes: usize, more: usize) -> bool {
        self.policy.has_room(messages, bytes + more) && self.waiting.as_ref().is_none_or(|waiting| waiting.has_room(more))
    }

    pub(super) fn headcount(&self) -> &Headcount {
        &self.headcount
    }

    /// From here on the reader is woken where `wakes_at` says so, where much waits, for a track and at the end only, until [`Self::wake_at_each`].
    pub(super) fn wake_at(&self, mut wakes_at: impl FnMut(&Message) -> bool + Send + 'static) {
        let mut state = lock(&self.state);
        for message in &state.messages {
            // What waits is there for who asks.
            wakes_at(message);
        }
        state.wakes_at = Some(Box::new(wakes_at));
    }

    pub(super) fn wake_at_each(&self) {
        lock(&self.state).wakes_at = None;
    }

    /// `starts_here`: a decoder can begin with this frame, which came `at`.
    pub(super) fn push_frame(&self, frame: &Frame, starts_here: bool, at: Instant) {
        let mut state = lock(&self.state);
        if self.policy == Policy::Recorder {
            state.last_frame_at = Some(at);
        }
        if state.phase == Phase::WaitsForKeyframe && starts_here {
            state.phase = Phase::Flowing;
        }
        if state.phase != Phase::Flowing || !self.make_room(&mut state, frame.data.len(), starts_here) {
            state.refused_frames[frame.kind as usize] += 1;
            return;
        }
        state.bytes += frame.data.len();
        if let Some(waiting) = &self.waiting {
            waiting.add(frame.data.len());
        }
        let is_awaited = state.push(Message::Frame(frame.clone()));
        drop(state);
        if is_awaited {
            self.wake.notify_one();
        }
    }

    pub(super) fn push_track(&self, track: &TrackConfig) {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Overflowed | Phase::Ended(_)) {
            return;
        }
        if !self.policy.has_room(state.messages.len(), state.bytes) {
            self.overflow(&mut state);
            if state.phase == Phase::Overflowed {
                return;
            }
        }
        state.push(Message::TrackChanged(track.clone()));
        drop(state);
        self.wake.notify_one();
    }

    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        if !matches!(state.phase, Phase::Overflowed | Phase::Ended(_)) {
            state.phase = Phase::Ended(Instant::now());
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Frames of pictures and of sound that its reader never got: those that wait, and those that found no room. To be asked of one that nobody writes any more.
    pub(super) fn unread_frames(&self) -> [u64; 2] {
        let state = lock(&self.state);
        let mut frames = state.refused_frames;
        for message in &state.messages {
            if let Message::Frame(frame) = message {
                frames[frame.kind as usize] += 1;
            }
        }
        frames
    }

    pub(super) fn ended_ago(&self) -> Option<Duration> {
        if let Phase::Ended(at) = lock(&self.state).phase { Some(at.elapsed()) } else { None }
    }

    /// For how long nothing had come when it ended; `None` while it goes on, and where nothing ever came.
    pub(super) fn silent_before_end(&self) -> Option<Duration> {
        let state = lock(&self.state);
        let Phase::Ended(at) = state.phase else { return None };
        state.last_frame_at.map(|last| at.saturating_duration_since(last))
    }

    /// Whether the frame can be queued now; if not, the queue has been dealt with as its policy says.
    fn make_room(&self, state: &mut State, frame_bytes: usize, starts_here: bool) -> bool {
        if self.has_room(state.messages.len(), state.bytes, frame_bytes) {
            return true;
        }
        self.overflow(state);
        if state.phase == Phase::WaitsForKeyframe && starts_here && self.policy.has_room(state.messages.len(), frame_bytes) {
            state.phase = Phase::Flowing;
        }
        state.phase == Phase::Flowing
    }

    fn overflow(&self, state: &mut State) {
        match self.policy {
            Policy::Viewer => {
                // The frames go; the newest configuration of each track stays, for the frames to come need it.
                let mut newest: Vec<TrackConfig> = Vec::new();
                for message in state.messages.drain(..).rev() {
                    if let Message::TrackChanged(track) = message
                        && !newest.iter().any(|other| other.codec.kind() == track.codec.kind())
                    {
                        newest.push(track);
                    }
                }
                state.messages.extend(newest.into_iter().rev().map(Message::TrackChanged));
                state.bytes = 0;
                state.phase = Phase::WaitsForKeyframe;
            }
            Policy::Recorder => {
                state.phase = Phase::Overflowed;
                self.wake.notify_one();
            }
        }
    }

    /// The next message where there is one: `Ok(None)` means that more may come.
    pub(super) fn try_next(&self) -> Result<Option<Message>, Overflow> {
        let mut state = lock(&self.state);
        if let Some(message) = state.messages.pop_front() {
            if let Message::Frame(frame) = &message {
                state.bytes -= frame.data.len();
                if let Some(waiting) = &self.waiting {
                    waiting.remove(frame.data.len());
                }
            }
            return Ok(Some(message));
        }
        match state.phase {
            Phase::Ended(_) => Ok(Some(Message::Ended)),
            Phase::Overflowed => Err(Overflow),
            Phase::WaitsForKeyframe | Phase::Flowing => Ok(None),
        }
    }

    /// Waits for the next message. Safe to cancel: no message is lost.
    pub(super) async fn next(&self) -> Result<Message, Overflow> {
        loop {
            if let Some(message) = self.try_next()? {
                return Ok(message);
            }
            // A wake-up that comes before this line is stored, and returns at once.
            let woken = self.wake.notified();
            match self.policy {
                Policy::Viewer => woken.await,
                // Woken or rested: it looks.
                Policy::Recorder => drop(timeout(RECORDER_REST, woken).await),
            }
        }
    }
}
