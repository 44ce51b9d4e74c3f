//! From the hub's frames to a growing file in the spool that plays at every instant. Decides when to begin and where to cut;
//! what becomes of the file afterwards is [`crate::finalise`]'s.

mod beginning;
mod brink;
mod cannot_go_on;
mod course;
mod cut;
mod ending;
mod first_picture;
mod going_on;
mod growing;
mod left_behind;
mod limits;
mod looks;
mod opening;
mod pulse;
mod returning;
mod room;
mod stalls;
mod take;
mod tally;
#[cfg(test)]
mod unsynced;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::organisation::RecordingSettings;
use afterlive_domain::{AssetId, OrganisationId, Region, UnixMillis};
use afterlive_media::mp4::WriterError;
use async_trait::async_trait;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::claims::Claims;
use crate::clock::Clock;
use crate::db::{self, organisations};
use crate::finalise::Finaliser;
use crate::hub::{self, CannotRecord, Message, Overflow, RecorderSubscription};
use crate::storage::RegionStore;

use course::Course;
#[cfg(test)]
pub(crate) use course::tests::live as a_live_stream;
use going_on::millis;
pub use growing::{Growing, GrowingFile};
pub use limits::Limits;
use looks::Looks;
use opening::{Opening, Start, frames_in};
use pulse::Waits;
use returning::Returns;
use stalls::watched;
use take::{SYNC_EVERY, Take};

/// When nothing reaches the disk for so long, it is told.
const STALL_AFTER: Duration = Duration::from_secs(5);
/// How long after a recording could not go on the storage is tried again; doubles with each vain try, up to [`MAX_ROOM_WAIT`].
const ROOM_WAIT: Duration = Duration::from_secs(2);
const MAX_ROOM_WAIT: Duration = Duration::from_secs(64);

/// So long the storage may take to say whether it has room. A stream is claimed and on air by then, and its encoder waits.
const LOOK_WAIT: Duration = Duration::from_secs(2);

/// Records publishes. Clones are handles to the same recorder.
#[derive(Clone)]
pub struct Recorder {
    finaliser: Finaliser,
    growing: Growing,
    tasks: TaskTracker,
    stop: CancellationToken,
    limits: Limits,
    returns: Arc<Returns>,
    looks: Looks,
    /// The finaliser's.
    claims: Claims<AssetId>,
    /// When it was made, by [`Clock::monotonic`]: which encoders had left by then only the database knows.
    begun: Duration,
}

/// Why a file has come to its end.
#[derive(Debug)]
enum End {
    /// The publish is over.
    Published,
    Overflow(Overflow),
    /// A write failed, and the file may hold half of one.
    Disk(std::io::Error),
    /// The storage is nearly full; the file is in good order.
    NoRoom {
        free_bytes: u64,
    },
    /// The recording has come to one of its limits; the frame that did not fit begins the next one.
    Limit(Box<Message>),
    /// The file can take no more, but another one can, beginning with the frame that did not fit.
    Full {
        error: WriterError,
        first: Option<Box<Message>>,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published => f.write_str("the encoder has ended it"),
            Self::Overflow(overflow) => write!(f, "{overflow}"),
            Self::Disk(error) => write!(f, "the disk failed: {error}"),
            Self::NoRoom { free_bytes } => write!(f, "the storage is full: {} MiB are free", free_bytes >> 20),
            Self::Limit(_) => f.write_str("a limit is reached; another recording goes on"),
            Self::Full { error, .. } => write!(f, "the file could take no more ({error}); another recording goes on"),
        }
    }
}

impl Recorder {
    /// `tasks` is to be waited for at the server's end: recordings are finished there. From `stop` on, what cannot be finished waits for the next start.
    #[must_use]
    pub fn new(finaliser: Finaliser, growing: Growing, tasks: TaskTracker, limits: Limits, stop: CancellationToken) -> Self {
        let (returns, looks, claims) = (Arc::default(), Looks::default(), finaliser.claims().clone());
        let begun = finaliser.clock().monotonic();
        Self { finaliser, growing, tasks, limits, stop, returns, looks, claims, begun }
    }

    /// What holds for a publish of the organisation, from its beginning to its end. Where the database does not say, what the server's settings say:
    /// a recording without its limits is better than none.
    async fn limits_of(&self, organisation: OrganisationId) -> Limits {
        let reading =
            async { organisations::recording_settings(&mut self.finaliser.db().read_briefly().await?, organisation).await };
        let settings = reading.await.unwrap_or_else(|error: db::Error| {
            tracing::error!(%organisation, %error, "an organisation's limits of recordings cannot be read; the server's hold");
            RecordingSettings::default()
        });
        self.limits.of_organisation(&settings)
    }

    /// Records until the publish ends: in one file, unless that comes to a limit or to harm. Then what can still be recorded is, as the stream's
    /// next recording.
    async fn record(&self, course: &mut Course<'_>) {
        let mut opening = Opening::default();
        let mut room_wait = ROOM_WAIT;
        if let Some(wait) = course.room_wait.take()
            && !self.wait_for_room(course, wait).await
        {
            return;
        }
        loop {
            let (opened, end) = self.wait_for_start(opening, course).await;
            let received = opened.received_frames();
            opening = Opening::default();
            let Some(start) = opened.start() else {
                course.miss(received);
                let Some(End::Overflow(overflow)) = end else { return };
                tracing::error!(stream = %course.publish.streamname, %overflow, "a publish is not recorded from its beginning");
                course.resume(self.finaliser.clock().monotonic());
                continue;
            };
            let resumed = match course.turn.as_mut().filter(|_| std::mem::take(&mut course.may_go_on)) {
                Some(turn) => self.go_on(&course.publish, turn, course.taken_up, &start, course.pulse).await,
                None => None,
            };
            let begun = match resumed {
                Some(take) => Some(take),
                None => self.begin(course, &start).await,
            };
            let Some(mut take) = begun else {
                course.miss(start.received_frames());
                if !self.wait_for_room(course, room_wait).await {
                    return;
                }
                room_wait = (room_wait * 2).min(MAX_ROOM_WAIT);
                continue;
            };
            course.recording = Some((take.asset().clone(), take.counts()));
            course.pulse.writes(Some(take.asset().id));
            // What came while nothing could be written: the recording before was finished by then.
            take.count_missed(std::mem::take(&mut course.missed));
            let (end, untaken) = self.follow(&mut take, start, end, course).await;
            let lost = course.frames.lost_frames();
            take.count_lost(lost - std::mem::replace(&mut course.lost_counted, lost));
            // What comes while the file is finished is the beginning of the next one.
            match &end {
                End::Limit(first) => opening = Opening::at_limit(take.tracks(), (**first).clone(), untaken),
                End::Full { first, .. } => {
                    // The configurations are told by nobody again.
                    opening = Opening::after(take.tracks());
                    first.iter().map(|first| (**first).clone()).chain(untaken).for_each(|message| opening.offer(message));
                }
                End::Overflow(_) => take.count_missed(course.frames.resume()),
                End::Published | End::Disk(_) | End::NoRoom { .. } => take.count_missed(frames_in(&untaken)),
            }
            // A disk that takes a file's head and nothing more is no better than one that takes nothing.
            room_wait = if take.media_bytes() > 0 { ROOM_WAIT } else { (room_wait * 2).min(MAX_ROOM_WAIT) };
            // A slow disk may let the recorder come to the end late.
            let ended = Ended::of(&course.frames, self.finaliser.clock());
            let turn = if matches!(end, End::Published) { course.turn.take() } else { None };
            course.pulse.waits_for(Waits::Elsewhere);
            self.finish(take, &end, ended, turn).await;
            course.recording = None;
            course.pulse.writes(None);
            match end {
                End::Published => return,
                End::Limit(_) | End::Full { .. } | End::Overflow(_) => {}
                End::Disk(_) | End::NoRoom { .. } => {
                    if !self.wait_for_room(course, room_wait).await {
                        return;
                    }
                }
            }
        }
    }

    /// Waits, `wait` at least, until a recording can begin, and takes up the publish from there; false where it is over before.
    async fn wait_for_room(&self, course: &mut Course<'_>, mut wait: Duration) -> bool {
        let _unrecorded = self.growing.count_unrecorded();
        course.pulse.waits_for(Waits::Room);
        loop {
            let next_try = Instant::now() + wait;
            course.frames.wake_at(|_| false);
            // What comes meanwhile has no place to be kept. It is counted.
            loop {
                match timeout_at(next_try, course.frames.next()).await {
                    Ok(Ok(Message::Ended)) => return false,
                    Ok(Ok(message)) => course.miss(frames_in([&message])),
                    Ok(Err(_)) => {
                        course.resume(self.finaliser.clock().monotonic());
                        course.frames.wake_at(|_| false);
                    }
                    Err(_) => break,
                }
            }
            let stream = &course.publish.streamname;
            match self.find_room(&course.publish.region).await {
                Ok(()) => {
                    tracing::info!(%stream, "recording can go on");
                    course.resume(self.finaliser.clock().monotonic());
                    course.pulse.waits_for(Waits::Frames);
                    return true;
                }
                Err(reason) => tracing::warn!(%stream, %reason, "a publish is still not recorded"),
            }
            wait = (wait * 2).min(MAX_ROOM_WAIT);
        }
    }

    /// Whether the region can take a recording. Says within [`LOOK_WAIT`].
    async fn find_room(&self, region: &Region) -> Result<(), CannotRecord> {
        let (regions, name, least_bytes) = (self.finaliser.regions().clone(), region.clone(), self.limits.begin_free_bytes);
        let look = move || match regions.get(&name).map(RegionStore::writable_bytes) {
            None => Err(CannotRecord(format!("region {name} is not configured"))),
            Some(Err(error)) => {
                tracing::error!(region = %name, %error, "a region's storage cannot be used");
                Err(CannotRecord("the storage cannot be used".to_owned()))
            }
            Some(Ok(free_bytes)) if free_bytes < least_bytes => Err(CannotRecord("the storage is full".to_owned())),
            Some(Ok(_)) => Ok(()),
        };
        self.looks.look(region, LOOK_WAIT, look).await.unwrap_or_else(|| {
            tracing::error!(%region, "a region's storage does not answer");
            Err(CannotRecord("the storage does not answer".to_owned()))
        })
    }

    /// Gathers what a file begins with; with it comes why it has ended, where it has already.
    async fn wait_for_start(&self, mut opening: Opening, course: &mut Course<'_>) -> (Opening, Option<End>) {
        course.pulse.waits_for(Waits::Frames);
        course.frames.wake_at_each();
        let mut end = None;
        while end.is_none() && !opening.is_ready() {
            match course.frames.next().await {
                Ok(Message::Ended) => end = Some(End::Published),
                Err(overflow) => end = Some(End::Overflow(overflow)),
                Ok(message) => {
                    course.pulse.hears();
                    opening.offer(message);
                }
            }
        }
        (opening, end)
    }

    /// Writes what there is and what comes, until there is no more of it. With why it has ended comes what there was and was not taken.
    async fn follow(&self, take: &mut Take, start: Start, ended: Option<End>, course: &mut Course<'_>) -> (End, Vec<Message>) {
        let Course { pulse, frames, .. } = course;
        pulse.waits_for(Waits::Storage);
        let mut messages = start.messages.into_iter();
        while let Some(message) = messages.next() {
            let taken = take.offer(message).await;
            pulse.has_written(take.media_bytes());
            if let Err(end) = taken {
                return (end, messages.collect());
            }
        }
        if let Some(end) = ended {
            return (end, Vec::new());
        }
        loop {
            let next = match frames.try_next() {
                Ok(Some(message)) => Some(Ok(message)),
                Err(overflow) => Some(Err(overflow)),
                Ok(None) => {
                    pulse.waits_for(Waits::Frames);
                    // Anew each time: which pictures can be decoded is found out only when they are written.
                    let mut foresight = take.foresight();
                    frames.wake_at(move |message| foresight.wakes_at(message));
                    if take.has_unsynced() { timeout(SYNC_EVERY, frames.next()).await.ok() } else { Some(frames.next().await) }
                }
            };
            pulse.waits_for(Waits::Storage);
            let taken = match next {
                // Nothing more to write for a while.
                None => take.sync().await,
                Some(Ok(Message::Ended)) => Err(End::Published),
                Some(Err(overflow)) => Err(End::Overflow(overflow)),
                Some(Ok(message)) => {
                    pulse.hears();
                    take.offer(message).await
                }
            };
            pulse.has_written(take.media_bytes());
            if let Err(end) = taken {
                return (end, Vec::new());
            }
        }
    }
}

/// When a recording ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    /// When its last frame came.
    at: UnixMillis,
    /// When its encoder was given up, by [`Clock::monotonic`].
    noticed: Duration,
    /// From the last frame until then.
    silence: Duration,
}

impl Ended {
    fn of(frames: &RecorderSubscription, clock: &Clock) -> Self {
        let (ago, silence) = (frames.ended_ago().unwrap_or_default(), frames.silent_before_end().unwrap_or_default());
        Self { at: clock.now().plus_ms(-millis(ago + silence)), noticed: clock.monotonic().saturating_sub(ago), silence }
    }
}

#[async_trait]
impl hub::Recorder for Recorder {
    /// Makes no asset yet: a publish that never sends a frame leaves none. An encoder that is back within the reconnect window is let in also where there is
    /// no room: live goes on, and recording does once there is.
    async fn start(&self, recording: hub::Recording, frames: RecorderSubscription) -> Result<(), CannotRecord> {
        let room = self.find_room(&recording.region).await;
        if let Err(cause) = &room {
            if !self.returns.waits_for(recording.stream) {
                return Err(cause.clone());
            }
            tracing::error!(stream = %recording.streamname, %cause, "an encoder is back, and is not recorded for now");
        }
        let limits = self.limits_of(recording.organisation).await;
        let turn = self.returns.take_turn(recording.stream, self.finaliser.clock().monotonic(), limits.reconnect_window);
        self.tasks.spawn(Self { limits, ..self.clone() }.supervise(recording, turn, frames, room.is_ok()));
        Ok(())
    }
}

/// As `Arc<dyn hub::Recorder>`, which the gate takes.
impl From<Recorder> for Arc<dyn hub::Recorder> {
    fn from(recorder: Recorder) -> Self {
        Arc::new(recorder)
    }
}
