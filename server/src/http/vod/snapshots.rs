//! Which snapshots of growing recordings there are. The URL of a recording that grows leads to its newest one; a snapshot's own URL goes on meaning
//! that one, also for a while after the recording has ended, so that whoever watches it is not disturbed.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use afterlive_domain::Region;
use afterlive_media::mp4::front;
use bytes::Bytes;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::snapshot::Snapshot;
use crate::record::{Growing, GrowingFile};
use crate::storage::{Key, Turns};

/// Who comes within this time of another viewer gets the same snapshot.
const RENEW_AFTER: Duration = Duration::from_secs(10);
/// But no later than this, where the recording is young and has grown by much since.
const RENEW_YOUNG_AFTER: Duration = Duration::from_secs(1);
/// By much: a sixteenth.
const MUCH: u64 = 16;
/// How long a viewer who comes at the very end waits for the finished file, and how often it is looked for meanwhile.
const FINISH_WAIT: Duration = Duration::from_secs(2);
const FINISH_POLL: Duration = Duration::from_millis(20);
/// Snapshots of one recording that viewers have been sent to: half a day of them. Who holds an older one is sent to another.
const MAX_HANDED_OUT: usize = 4_096;
/// Snapshots of which more is known than that. The least recently used one goes when there are more.
const MAX_KEPT: usize = 1_024;
/// One that nobody has asked for so long goes too, and with it the descriptor of its recording.
const KEPT_FOR: Duration = Duration::from_secs(3_600);
/// Fronts made at a time: each takes a processor for a moment, and for ten hours of recording some 100 MB.
const FRONTS_AT_ONCE: usize = 1;
/// All fronts together, those that are just being sent included. That of an hour takes 2 to 4 MiB. One that finds no room is refused for the moment.
const MAX_FRONTS_BYTES: usize = 256 << 20;
/// What that is counted in: the shortest front.
const ROOM_BYTES: usize = 64 << 10;

/// A recording.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Name {
    pub region: Region,
    pub key: Key,
}

/// What the recording's own URL leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Newest {
    /// It does not grow here.
    Ended,
    /// It has begun, and there is nothing to play yet.
    NotYet,
    /// It has ended, and is just being finished.
    Ending,
    /// The snapshot of so many bytes of media.
    Upto(u64),
}

/// What a snapshot's URL leads to.
#[derive(Debug)]
pub enum Found {
    Snapshot(Arc<Snapshot>),
    /// Nobody was ever sent to that one; this is the nearest that is not longer, or the newest.
    Other(u64),
    NotYet,
    /// The recording has ended, and is itself what there is to see.
    Ended,
}

#[derive(Debug)]
pub struct Snapshots {
    growing: Growing,
    state: Mutex<State>,
    making: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

#[derive(Default, Debug)]
struct State {
    /// Of recordings that grow, in the order of their length.
    handed_out: HashMap<Name, Vec<HandedOut>>,
    kept: HashMap<(Name, u64), Kept>,
}

#[derive(Clone, Copy, Debug)]
struct HandedOut {
    media_bytes: u64,
    at: Instant,
    seen_at: SystemTime,
}

#[derive(Debug)]
struct Kept {
    /// Empty until it is made, and again when its room was needed.
    front: Arc<OnceCell<Bytes>>,
    /// Once the front was made for the first time.
    snapshot: Option<Arc<Snapshot>>,
    used_at: Instant,
}

/// A front and the room it takes, given back with it.
struct Housed {
    front: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Housed {
    fn as_ref(&self) -> &[u8] {
        &self.front
    }
}

impl Snapshots {
    pub fn new(growing: Growing) -> Self {
        Self {
            growing,
            state: Mutex::default(),
            making: Arc::new(Semaphore::new(FRONTS_AT_ONCE)),
            room: Arc::new(Semaphore::new(MAX_FRONTS_BYTES / ROOM_BYTES)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there may be snapshots of.
    pub fn growing_list(&self) -> &Growing {
        &self.growing
    }

    fn growing(&self, name: &Name) -> Option<GrowingFile> {
        self.growing.file(&name.region, &name.key.file_name()).map(|(_, file)| file)
    }

    pub fn grows(&self, name: &Name) -> bool {
        self.growing(name).is_some()
    }

    /// Lets go of what nobody asks for any more: it holds the room of recordings that may have been deleted.
    pub fn tidy(&self, now: Instant) {
        let _closing = self.sweep(now);
    }

    /// Lets go of it beside everything else: it may be the last that holds a deleted recording, whose room is freed with it.
    fn sweep(&self, now: Instant) -> Option<JoinHandle<()>> {
        let_go(self.state().sweep(now))
    }

    /// Waits until a recording that has ended is finished, which takes some milliseconds; not for ever, as the disk may be away.
    pub async fn finished(&self, name: &Name) {
        let until = tokio::time::Instant::now() + FINISH_WAIT;
        while self.growing(name).is_some_and(|file| file.has_ended()) && tokio::time::Instant::now() < until {
            tokio::time::sleep(FINISH_POLL).await;
        }
    }

    /// Where a viewer who comes now begins. Makes nothing yet.
    pub fn newest(&self, name: &Name, now: Instant, time: SystemTime) -> Newest {
        match self.growing(name) {
            None => Newest::Ended,
            // In a moment no snapshot is needed.
            Some(file) if file.has_ended() => Newest::Ending,
            Some(file) => self.newest_of(name, &file, now, time),
        }
    }

    /// The same where a recording that has ended is not finished for long: its database or its storage may be away.
    pub fn newest_of_unfinished(&self, name: &Name, now: Instant, time: SystemTime) -> Newest {
        self.growing(name).map_or(Newest::Ended, |file| self.newest_of(name, &file, now, time))
    }

    fn newest_of(&self, name: &Name, file: &GrowingFile, now: Instant, time: SystemTime) -> Newest {
        let media_bytes = file.media_bytes();
        if media_bytes == 0 {
            return Newest::NotYet;
        }
        let mut state = self.state();
        if !state.handed_out.contains_key(name) {
            state.handed_out.retain(|name, _| self.grows(name));
        }
        let handed_out = state.handed_out.entry(name.clone()).or_default();
        if let Some(last) = handed_out.last()
            && !is_due(*last, media_bytes, now)
        {
            return Newest::Upto(last.media_bytes);
        }
        if handed_out.len() == MAX_HANDED_OUT {
            handed_out.remove(0);
        }
        handed_out.push(HandedOut { media_bytes, at: now, seen_at: time });
        Newest::Upto(media_bytes)
    }

    /// The snapshot of so many bytes of media.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] where there is no room for another front just now.
    pub async fn get(&self, name: &Name, reads: &Turns, media_bytes: u64, now: Instant, time: SystemTime) -> io::Result<Found> {
        if let Some(snapshot) = self.kept(name, media_bytes, now) {
            return Ok(Found::Snapshot(snapshot));
        }
        let Some(file) = self.growing(name) else { return Ok(Found::Ended) };
        let handed_out = self.handed_out(name, media_bytes);
        let Some(handed_out) = handed_out else {
            return Ok(match self.newest_of(name, &file, now, time) {
                Newest::Upto(newest) => Found::Other(newest),
                Newest::NotYet => Found::NotYet,
                Newest::Ending | Newest::Ended => Found::Ended,
            });
        };
        if handed_out.media_bytes != media_bytes {
            return Ok(Found::Other(handed_out.media_bytes));
        }
        let front = match self.made(name, media_bytes, &file, now).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::NotYet),
            front => front?,
        };
        let snapshot = Arc::new(Snapshot::new(reads.clone(), file, media_bytes, front.len() as u64, handed_out.seen_at));
        if let Some(kept) = self.state().kept.get_mut(&(name.clone(), media_bytes)) {
            kept.snapshot = Some(Arc::clone(&snapshot));
        }
        Ok(Found::Snapshot(snapshot))
    }

    fn kept(&self, name: &Name, media_bytes: u64, now: Instant) -> Option<Arc<Snapshot>> {
        let _closing = self.sweep(now);
        let mut state = self.state();
        let kept = state.kept.get_mut(&(name.clone(), media_bytes))?;
        kept.used_at = now;
        kept.snapshot.clone()
    }

    /// The longest that viewers were sent to and that is not longer than this.
    fn handed_out(&self, name: &Name, media_bytes: u64) -> Option<HandedOut> {
        self.state().handed_out.get(name)?.iter().rfind(|handed_out| handed_out.media_bytes <= media_bytes).copied()
    }

    /// What stands before the snapshot's media; `None` where the recording has ended and it is not kept any more.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn front(&self, name: &Name, snapshot: &Snapshot, now: Instant) -> io::Result<Option<Bytes>> {
        let media_bytes = snapshot.media_bytes();
        let kept = || Ok(self.state().kept.get(&(name.clone(), media_bytes)).and_then(|kept| kept.front.get().cloned()));
        let Some(file) = self.growing(name) else { return kept() };
        match self.made(name, media_bytes, &file, now).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => kept(),
            // It was made when the recording had ended and the index of its last fragment was not to be had.
            Ok(front) if front.len() as u64 != snapshot.front_bytes() => Ok(None),
            front => front.map(Some),
        }
    }

    /// The front as it is kept, or made anew. Who waits for the same one waits for the same making.
    async fn made(&self, name: &Name, media_bytes: u64, file: &GrowingFile, now: Instant) -> io::Result<Bytes> {
        let cell = {
            let mut state = self.state();
            let new = || Kept { front: Arc::default(), snapshot: None, used_at: now };
            let kept = state.kept.entry((name.clone(), media_bytes)).or_insert_with(new);
            kept.used_at = now;
            let cell = Arc::clone(&kept.front);
            let oldest = state.bound();
            drop(state);
            let_go(oldest.into_iter().collect());
            cell
        };
        cell.get_or_try_init(|| self.make(file, media_bytes)).await.cloned()
    }

    /// Not found where there is not one sample.
    async fn make(&self, file: &GrowingFile, media_bytes: u64) -> io::Result<Bytes> {
        let place = Arc::clone(&self.making).acquire_owned().await.map_err(io::Error::other)?;
        let file = file.clone();
        // Goes on where the viewer has gone, and keeps its place as long.
        let making = tokio::task::spawn_blocking(move || {
            let _place = place;
            front(&file.index(), media_bytes)
        });
        let front = making.await.map_err(io::Error::other)?.ok_or(io::ErrorKind::NotFound)?;
        let room = self.make_room(front.len()).ok_or(io::ErrorKind::ResourceBusy)?;
        Ok(Bytes::from_owner(Housed { front, _room: room }))
    }

    /// Lets go of fronts, the least recently used first, until there is room. Those that are just being sent give theirs back when they have been.
    fn make_room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(bytes.div_ceil(ROOM_BYTES)).ok()?;
        loop {
            if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(wanted) {
                return Some(room);
            }
            let mut state = self.state();
            let made = state.kept.values_mut().filter(|kept| kept.front.initialized());
            made.min_by_key(|kept| kept.used_at)?.front = Arc::default();
        }
    }
}

/// With the last descriptor of a deleted file its blocks are freed, which a disk that hangs takes for ever: nobody waits for that who holds the list.
fn let_go(kept: Vec<Kept>) -> Option<JoinHandle<()>> {
    (!kept.is_empty()).then(|| tokio::task::spawn_blocking(move || drop(kept)))
}

/// Whether it is time for a new snapshot.
fn is_due(last: HandedOut, media_bytes: u64, now: Instant) -> bool {
    let (age, grown_bytes) = (now.duration_since(last.at), media_bytes.saturating_sub(last.media_bytes));
    grown_bytes > 0 && (age >= RENEW_AFTER || age >= RENEW_YOUNG_AFTER && grown_bytes > last.media_bytes / MUCH)
}

impl State {
    /// Takes out what nobody has asked for lately.
    #[must_use]
    fn sweep(&mut self, now: Instant) -> Vec<Kept> {
        for kept in self.kept.values_mut().filter(|kept| kept.snapshot.as_ref().is_some_and(|kept| Arc::strong_count(kept) > 1)) {
            kept.used_at = now;
        }
        self.kept.extract_if(|_, kept| now.duration_since(kept.used_at) >= KEPT_FOR).map(|(_, kept)| kept).collect()
    }

    /// Takes out the one that was asked for longest ago, where there are too many.
    #[must_use]
    fn bound(&mut self) -> Option<Kept> {
        if self.kept.len() <= MAX_KEPT {
            return None;
        }
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used_at).map(|(id, _)| id.clone());
        oldest.and_then(|oldest| self.kept.remove(&oldest))
    }
}
