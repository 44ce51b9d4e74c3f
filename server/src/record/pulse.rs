//! Whether a publish's recording gets on: bytes reach the disk, or for some seconds they do not, and why. Touches nothing itself.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use afterlive_domain::AssetId;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// What the recorder waits for at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waits {
    Frames,
    Database,
    Storage,
    /// There is none, and it is looked at again later. That is told at once.
    Room,
    /// The end of a recording, which is watched by itself.
    Elsewhere,
}

/// Why the bytes on disk stand still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    Silence,
    /// Frames come, and none that can be written: the pictures have no beginning yet, or the encoder's clock stands still.
    NothingToWrite,
    Database,
    Storage,
    Room,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silence => "the encoder sends nothing",
            Self::NothingToWrite => "nothing comes that can be written, such as a keyframe to begin with",
            Self::Database => "the database takes no changes",
            Self::Storage => "the storage takes no writes",
            Self::Room => "the storage is full, or cannot be used",
        })
    }
}

/// Bytes stand still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stall {
    pub(super) cause: Cause,
    /// What is being recorded; absent where there is no recording at the moment.
    pub(super) asset: Option<AssetId>,
    /// The bytes have stood still since then.
    since: Instant,
}

/// What the recorder of a publish says of itself, and who watches it reads.
#[derive(Debug)]
pub(super) struct Pulse {
    state: Mutex<State>,
    /// Told where the watch would come too late by itself.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    waits: Waits,
    asset: Option<AssetId>,
    /// Of the file that is written now.
    bytes: u64,
    moved_at: Instant,
    heard_at: Instant,
    is_stalled: bool,
}

impl Default for Pulse {
    fn default() -> Self {
        let now = Instant::now();
        // Nothing was heard yet: what is silent from its beginning is silent.
        let state = State { waits: Waits::Frames, asset: None, bytes: 0, moved_at: now, heard_at: now, is_stalled: false };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl Pulse {
    pub(super) fn waits_for(&self, waits: Waits) {
        let before = std::mem::replace(&mut self.lock().waits, waits);
        if waits == Waits::Room && before != waits {
            self.changed.notify_one();
        }
    }

    /// Something has come from the encoder.
    pub(super) fn hears(&self) {
        self.lock().heard_at = Instant::now();
    }

    /// Another recording is written, or none.
    pub(super) fn writes(&self, asset: Option<AssetId>) {
        self.lock().asset = asset;
    }

    /// The file has so many bytes now.
    pub(super) fn has_written(&self, bytes: u64) {
        let mut state = self.lock();
        if state.bytes == bytes {
            return;
        }
        state.bytes = bytes;
        state.moved_at = Instant::now();
        if state.is_stalled {
            self.changed.notify_one();
        }
    }

    /// Tells each stall once it has lasted so long, and with `None` its end. Never completes.
    pub(super) async fn watch(&self, stall_after: Duration, tell: impl Fn(Option<Stall>)) {
        loop {
            let stall = loop {
                match self.look(stall_after) {
                    Ok(stall) => break stall,
                    // What is told before this line is stored, and comes at once.
                    Err(due) => drop(timeout_at(due, self.changed.notified()).await),
                }
            };
            tell(Some(stall));
            while self.lock().moved_at == stall.since {
                self.changed.notified().await;
            }
            self.lock().is_stalled = false;
            tell(None);
        }
    }

    /// The stall, where there is one; else when it is time to look again.
    fn look(&self, stall_after: Duration) -> Result<Stall, Instant> {
        let mut state = self.lock();
        let due = state.moved_at + stall_after;
        let now = Instant::now();
        if now < due && state.waits != Waits::Room {
            return Err(due);
        }
        let cause = match state.waits {
            Waits::Elsewhere => return Err(now + stall_after),
            Waits::Frames if now.duration_since(state.heard_at) >= stall_after => Cause::Silence,
            Waits::Frames => Cause::NothingToWrite,
            Waits::Database => Cause::Database,
            Waits::Storage => Cause::Storage,
            Waits::Room => Cause::Room,
        };
        state.is_stalled = true;
        Ok(Stall { cause, asset: state.asset, since: state.moved_at })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3_600);
    const AT_ONCE: Duration = Duration::ZERO;

    fn cause(pulse: &Pulse, stall_after: Duration) -> Option<Cause> {
        pulse.look(stall_after).ok().map(|stall| stall.cause)
    }

    #[test]
    fn a_stall_has_the_cause_that_the_recorder_waits_for() {
        let pulse = Pulse::default();
        assert_eq!(cause(&pulse, NEVER), None);
        assert_eq!(cause(&pulse, AT_ONCE), Some(Cause::Silence));
        for (waits, expected) in [(Waits::Database, Cause::Database), (Waits::Storage, Cause::Storage)] {
            pulse.waits_for(waits);
            assert_eq!((cause(&pulse, AT_ONCE), cause(&pulse, NEVER)), (Some(expected), None));
        }
        pulse.waits_for(Waits::Elsewhere);
        assert_eq!(cause(&pulse, AT_ONCE), None);
        pulse.waits_for(Waits::Room);
        assert_eq!(cause(&pulse, NEVER), Some(Cause::Room), "it is not waited until that lasts");
    }

    #[test]
    fn frames_that_cannot_be_written_are_no_silence() {
        let pulse = Pulse::default();
        let hour_ago = Instant::now().checked_sub(NEVER).unwrap();
        pulse.lock().moved_at = hour_ago;
        pulse.lock().heard_at = hour_ago;
        assert_eq!(cause(&pulse, NEVER / 2), Some(Cause::Silence));
        pulse.hears();
        assert_eq!(cause(&pulse, NEVER / 2), Some(Cause::NothingToWrite));
        pulse.has_written(0);
        assert_eq!(cause(&pulse, NEVER / 2), Some(Cause::NothingToWrite), "no byte has come");
        pulse.has_written(1);
        assert_eq!(cause(&pulse, NEVER / 2), None);
    }

    #[tokio::test]
    async fn each_stall_is_told_once_and_so_is_its_end() {
        let (pulse, (telling, mut told)) = (Pulse::default(), mpsc::unbounded_channel());
        let asset = AssetId(Uuid::new_v4());
        pulse.writes(Some(asset));
        let mut watch = std::pin::pin!(pulse.watch(NEVER, |stall| telling.send(stall).unwrap()));
        assert!(watch.as_mut().now_or_never().is_none() && told.is_empty());
        for bytes in 1..=2 {
            pulse.waits_for(Waits::Room);
            assert!(watch.as_mut().now_or_never().is_none());
            let stall = told.try_recv().unwrap().unwrap();
            assert_eq!((stall.cause, stall.asset), (Cause::Room, Some(asset)));
            assert!(watch.as_mut().now_or_never().is_none() && told.is_empty(), "it is told once");
            pulse.waits_for(Waits::Storage);
            assert!(watch.as_mut().now_or_never().is_none() && told.is_empty(), "nothing is written yet");
            pulse.has_written(bytes);
            assert!(watch.as_mut().now_or_never().is_none());
            assert_eq!(told.try_recv(), Ok(None));
            assert!(told.is_empty());
        }
    }

    #[tokio::test]
    async fn who_writes_nothing_is_found_by_the_watch_itself() {
        let (pulse, (telling, mut told)) = (Pulse::default(), mpsc::unbounded_channel());
        let watch = pulse.watch(Duration::from_millis(1), |stall| telling.send(stall).unwrap());
        tokio::select! {
            () = watch => {}
            stall = told.recv() => assert_eq!(stall.unwrap().unwrap().cause, Cause::Silence),
        }
    }
}
