//! Streams whose encoder was cut off, and until when it is waited for. Only viewers are told: whether a recording goes on is the recorder's to say.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use afterlive_domain::StreamId;

use super::lock;

/// With more than so many entries the old ones are looked for, and dropped.
const SWEEP_FROM: usize = 64;

/// By stream. Holds some 40 bytes each.
#[derive(Default)]
pub(super) struct Awaited(Mutex<HashMap<StreamId, Instant>>);

impl Awaited {
    pub(super) fn note(&self, stream: StreamId, window: Duration) {
        let now = Instant::now();
        let mut awaited = lock(&self.0);
        if awaited.len() >= SWEEP_FROM {
            awaited.retain(|_, until| *until > now);
        }
        // One that is waited for beyond all clocks is as good as not waited for.
        if let Some(until) = now.checked_add(window) {
            awaited.insert(stream, until);
        }
    }

    pub(super) fn forget(&self, stream: StreamId) {
        lock(&self.0).remove(&stream);
    }

    /// For how much longer; `None` where it is not waited for, or not any more.
    pub(super) fn left(&self, stream: StreamId) -> Option<Duration> {
        let until = lock(&self.0).get(&stream).copied()?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn those_that_are_waited_for_no_more_are_swept() {
        let awaited = Awaited::default();
        let stream = StreamId(Uuid::new_v4());
        awaited.note(stream, Duration::from_secs(30));
        for _ in 0..3 * SWEEP_FROM {
            awaited.note(StreamId(Uuid::new_v4()), Duration::ZERO);
        }
        assert!(lock(&awaited.0).len() <= SWEEP_FROM);
        assert!(awaited.left(stream).is_some_and(|left| left <= Duration::from_secs(30)));
        awaited.forget(stream);
        assert_eq!(awaited.left(stream), None);
    }

    #[test]
    fn a_window_without_end_and_one_without_length_are_none() {
        let (awaited, stream) = (Awaited::default(), StreamId(Uuid::new_v4()));
        awaited.note(stream, Duration::MAX);
        assert_eq!(awaited.left(stream), None);
        awaited.note(stream, Duration::ZERO);
        assert_eq!(awaited.left(stream), None);
    }
}
