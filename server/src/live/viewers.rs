//! How many watch, and how many may. HLS players come and go with each request: who has asked lately is counted.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A player that has asked for nothing for so long has gone: the longest wait between two requests is that for a playlist.
const SESSION: Duration = Duration::from_secs(15);

/// There are as many viewers as there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("as many watch as may")]
pub struct Full;

/// Places for viewers. Clones share them.
#[derive(Clone)]
pub struct Places {
    max: usize,
    taken: Arc<AtomicUsize>,
}

impl Places {
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// # Errors
    /// Where all are taken.
    pub fn take(&self) -> Result<Place, Full> {
        let one_more = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).map_err(|_| Full)?;
        Ok(Place(Arc::clone(&self.taken)))
    }

    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// One viewer's. Dropping it frees the place.
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An HLS player, as far as requests tell one from another: players of one kind behind one address are one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Session(u64);

impl Session {
    #[must_use]
    pub fn new(address: IpAddr, user_agent: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (address, user_agent).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// The HLS players of a stream. There are never more than there are places.
#[derive(Default)]
pub struct Sessions {
    seen: HashMap<Session, (Instant, Vec<Place>)>,
    last: Option<Instant>,
}

impl Sessions {
    /// A player asks. One that is new needs places, which it keeps while it goes on asking.
    ///
    /// # Errors
    /// Where there are none.
    pub fn note(
        &mut self,
        session: Session,
        now: Instant,
        places: impl FnOnce() -> Result<Vec<Place>, Full>,
    ) -> Result<(), Full> {
        self.expire(now);
        match self.seen.get_mut(&session) {
            Some((seen, _)) => *seen = now,
            None => {
                self.seen.insert(session, (now, places()?));
            }
        }
        self.last = Some(now);
        Ok(())
    }

    pub fn expire(&mut self, now: Instant) {
        self.seen.retain(|_, (seen, _)| now.saturating_duration_since(*seen) < SESSION);
    }

    /// Whether anybody has asked within this time.
    #[must_use]
    pub fn asked_within(&self, time: Duration, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn players_are_counted_while_they_ask_and_no_more_than_may() {
        let (places, mut sessions, start) = (Places::new(2), Sessions::default(), Instant::now());
        let session = |player: u8| Session::new([127, 0, 0, player].into(), b"player");
        let mut note =
            |player, at_s| sessions.note(session(player), start + Duration::from_secs(at_s), || Ok(vec![places.take()?]));
        assert_eq!((note(1, 0), note(2, 1), note(1, 2)), (Ok(()), Ok(()), Ok(())));
        assert_eq!((note(3, 3), places.taken()), (Err(Full), 2));
        assert_eq!((note(1, 12), note(3, 16), places.taken()), (Ok(()), Ok(()), 2), "the second has gone");
        sessions.expire(start + Duration::from_secs(40));
        assert_eq!(places.taken(), 0);
        assert!(sessions.asked_within(Duration::from_secs(30), start + Duration::from_secs(45)));
        assert!(!sessions.asked_within(Duration::from_secs(30), start + Duration::from_secs(46)));
    }
}
