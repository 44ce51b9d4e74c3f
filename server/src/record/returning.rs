//! The publishes of a stream in the order in which they came: who comes waits until the recording of the one before stands finished, and gets of it
//! what no database has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use afterlive_domain::{AssetId, StreamId};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::take::Hashed;

/// How long an encoder that is back at once waits for its recording to be finished before it gets another one.
const FINISH_WAIT: Duration = Duration::from_secs(5);
/// An encoder that waits longer than this for leave to publish is refused: what the gate takes, and what a busy machine adds.
const LONGEST_LEAVE: Duration = Duration::from_secs(40);
/// With more than so many entries the old ones are looked for, and dropped.
const SWEEP_FROM: usize = 64;

/// By stream, the last publish that is recorded or was. Holds some 200 bytes each.
#[derive(Default, Debug)]
pub(super) struct Returns {
    latest: Mutex<HashMap<StreamId, Arc<Left>>>,
}

/// What is left of a publish.
#[derive(Default, Debug)]
struct Left {
    inner: Mutex<Inner>,
    /// Told once nothing more is done to its recording, for now.
    settled: CancellationToken,
}

/// A recording whose encoder has left.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) asset: AssetId,
    /// When that was noticed, by [`Clock::monotonic`](crate::clock::Clock::monotonic).
    pub(super) noticed: Duration,
    /// For how long nothing had come by then.
    pub(super) silence: Duration,
    /// Of what is in its file.
    pub(super) hashed: Option<Hashed>,
}

#[derive(Default, Debug)]
struct Inner {
    recorded: Option<Recorded>,
    /// Until then its encoder is waited for; absent while it is there.
    until: Option<Instant>,
    /// It was over without a frame, before the one before it was: what counts is what that has left.
    passed_over: Option<Arc<Left>>,
}

impl Left {
    /// Whether somebody may still come for it.
    fn is_wanted(&self, now: Instant) -> bool {
        let inner = lock(&self.inner);
        inner.until.is_none_or(|until| until > now) || inner.passed_over.as_ref().is_some_and(|before| before.is_wanted(now))
    }
}

/// A publish's place among those of its stream. Who drops it says that nothing more is done to the publish's recording, for now.
#[derive(Debug)]
pub(super) struct Turn {
    begun: Duration,
    /// Its encoder is waited for so long once it has left.
    window: Duration,
    before: Option<Arc<Left>>,
    own: Arc<Left>,
    _settled: DropGuard,
}

impl Returns {
    /// Whether the stream's encoder may come back: it is there, or has left within its window, recorded or not.
    pub(super) fn waits_for(&self, stream: StreamId) -> bool {
        lock(&self.latest).get(&stream).is_some_and(|left| left.is_wanted(Instant::now()))
    }

    /// To be called in the order in which the publishes begin, with [`Clock::monotonic`](crate::clock::Clock::monotonic).
    pub(super) fn take_turn(&self, stream: StreamId, begun: Duration, window: Duration) -> Turn {
        let own = Arc::new(Left::default());
        let mut latest = lock(&self.latest);
        if latest.len() >= SWEEP_FROM {
            sweep(&mut latest, Instant::now());
        }
        let before = latest.insert(stream, Arc::clone(&own));
        Turn { begun, window, before, _settled: own.settled.clone().drop_guard(), own }
    }
}

/// Takes out those that nobody can come for any more. Whose encoder is back in time may still wait for leave to publish, and has no turn before that.
fn sweep(latest: &mut HashMap<StreamId, Arc<Left>>, now: Instant) {
    let Some(then) = now.checked_sub(LONGEST_LEAVE) else { return };
    latest.retain(|_, left| left.is_wanted(then));
}

impl Turn {
    /// When the publish began.
    pub(super) fn begun(&self) -> Duration {
        self.begun
    }

    /// Waits until what the publish before has left is finished, but not for ever. Safe to cancel.
    pub(super) async fn settle(&mut self) -> Option<Recorded> {
        let until = Instant::now() + FINISH_WAIT;
        while let Some(before) = &self.before {
            if timeout_at(until, before.settled.cancelled()).await.is_err() {
                break;
            }
            let (recorded, passed_over) = {
                let mut inner = lock(&before.inner);
                (inner.recorded.take(), inner.passed_over.take())
            };
            self.before = passed_over;
            if self.before.is_none() {
                return recorded;
            }
        }
        self.before = None;
        None
    }

    /// The publish is over. Its encoder is waited for so long, and goes on with what is left.
    pub(super) fn leave(&self, window: Duration, recorded: Recorded) {
        *lock(&self.own.inner) = Inner { recorded: Some(recorded), until: Some(Instant::now() + window), passed_over: None };
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut own = lock(&self.own.inner);
        if own.until.is_some() {
            return;
        }
        // It has recorded nothing. What is in the list for ever would never be swept.
        let until = Instant::now() + self.window;
        let nothing = |passed_over| Inner { recorded: None, until: Some(until), passed_over };
        *own = match self.before.take() {
            // In its place, lest the line of those that are passed over grow.
            Some(before) if before.settled.is_cancelled() => {
                let before = std::mem::take(&mut *lock(&before.inner));
                Inner { until: before.until.max(Some(until)), ..before }
            }
            before => nothing(before),
        };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use uuid::Uuid;

    use super::*;

    fn recorded(asset: AssetId) -> Recorded {
        Recorded { asset, noticed: Duration::ZERO, silence: Duration::ZERO, hashed: None }
    }

    #[tokio::test]
    async fn who_comes_waits_for_the_one_before_however_that_ends_and_gets_what_it_left() {
        let (returns, stream, asset) = (Returns::default(), StreamId(Uuid::new_v4()), AssetId(Uuid::new_v4()));
        let mut first = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        assert!(first.settle().await.is_none(), "there was none before");
        let mut second = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        assert!(second.settle().now_or_never().is_none(), "the first is not done");

        let mut third = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        second.leave(Duration::from_secs(30), recorded(asset));
        drop(second);
        assert_eq!(third.settle().await.map(|recorded| recorded.asset), Some(asset));
        drop(third);
        assert!(returns.take_turn(stream, Duration::ZERO, Duration::ZERO).settle().await.is_none(), "it has left nothing");
    }

    #[tokio::test]
    async fn an_encoder_is_waited_for_within_its_window_whether_it_was_recorded_or_not() {
        let (returns, stream) = (Returns::default(), StreamId(Uuid::new_v4()));
        assert!(!returns.waits_for(stream), "it never came");
        let there = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        assert!(returns.waits_for(stream));
        drop(there);
        assert!(!returns.waits_for(stream), "no window");
        drop(returns.take_turn(stream, Duration::ZERO, Duration::from_secs(30)));
        assert!(returns.waits_for(stream));
        // What is passed over does not take the window of what was before it.
        drop(returns.take_turn(stream, Duration::ZERO, Duration::ZERO));
        assert!(returns.waits_for(stream));
    }

    #[tokio::test]
    async fn a_publish_without_a_frame_is_passed_over() {
        let (returns, stream, asset) = (Returns::default(), StreamId(Uuid::new_v4()), AssetId(Uuid::new_v4()));
        let first = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        for _ in 0..3 {
            drop(returns.take_turn(stream, Duration::ZERO, Duration::ZERO));
        }
        let mut last = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        assert!(last.settle().now_or_never().is_none(), "the first is not done");

        // It has waited in vain.
        drop(last);
        let mut last = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        first.leave(Duration::from_secs(30), recorded(asset));
        drop(first);
        assert_eq!(last.settle().await.map(|recorded| recorded.asset), Some(asset));
    }

    #[tokio::test]
    async fn of_many_publishes_without_a_frame_no_more_is_kept_than_of_one() {
        let (returns, stream) = (Returns::default(), StreamId(Uuid::new_v4()));
        let first = returns.take_turn(stream, Duration::ZERO, Duration::ZERO);
        for _ in 0..200_000 {
            drop(returns.take_turn(stream, Duration::ZERO, Duration::ZERO));
        }
        let line = std::iter::successors(Some(Arc::clone(&lock(&returns.latest)[&stream])), |left| {
            lock(&left.inner).passed_over.clone()
        });
        assert_eq!(line.count(), 2);
        drop(first);
    }

    #[tokio::test]
    async fn those_that_are_there_and_those_that_are_waited_for_stay_in_the_list() {
        let returns = Returns::default();
        let stream = || StreamId(Uuid::new_v4());
        let there = returns.take_turn(stream(), Duration::ZERO, Duration::ZERO);
        let gone = returns.take_turn(stream(), Duration::ZERO, Duration::ZERO);
        gone.leave(Duration::from_secs(60), recorded(AssetId(Uuid::new_v4())));
        drop(gone);
        for _ in 0..2 * SWEEP_FROM {
            drop(returns.take_turn(stream(), Duration::ZERO, Duration::ZERO));
        }
        let mut latest = lock(&returns.latest);
        // Each of them may have come back in time, and wait for leave.
        assert_eq!(latest.len(), 2 + 2 * SWEEP_FROM);
        sweep(&mut latest, Instant::now() + LONGEST_LEAVE - Duration::from_secs(15));
        assert_eq!(latest.len(), 2 + 2 * SWEEP_FROM);
        sweep(&mut latest, Instant::now() + LONGEST_LEAVE + Duration::from_secs(1));
        let waited_for =
            latest.values().filter(|left| lock(&left.inner).until.is_none_or(|until| until > Instant::now())).count();
        assert_eq!((latest.len(), waited_for), (2, 2));
        drop(latest);
        drop(there);
    }
}
