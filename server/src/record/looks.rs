//! Whether regions can take recordings: one look at each at a time, which nobody waits for longer than he likes. A disk that hangs lets the looks hang too, and each that does
//! holds a thread that others need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use afterlive_domain::Region;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::hub::CannotRecord;

/// What a look has seen.
pub(super) type Seen = Result<(), CannotRecord>;

/// By region, the last look. Clones are handles to the same looks.
#[derive(Clone, Default, Debug)]
pub(super) struct Looks {
    last: Arc<Mutex<HashMap<Region, watch::Receiver<Option<Seen>>>>>,
}

impl Looks {
    /// Looks, or waits for the look that goes on. `None` where that takes longer than `patience`: it goes on, and who comes next waits for the same one.
    pub(super) async fn look(
        &self,
        region: &Region,
        patience: Duration,
        look: impl FnOnce() -> Seen + Send + 'static,
    ) -> Option<Seen> {
        let mut seen = self.begin_or_join(region, look);
        let answer = timeout(patience, seen.wait_for(Option::is_some)).await.ok()?;
        // The look itself has failed.
        answer.map_or_else(|_| Some(Err(CannotRecord("the storage cannot be used".to_owned()))), |seen| seen.clone())
    }

    fn begin_or_join(&self, region: &Region, look: impl FnOnce() -> Seen + Send + 'static) -> watch::Receiver<Option<Seen>> {
        let (telling, seen) = watch::channel(None);
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = last.get(region).filter(|last| goes_on(last)) {
                return last.clone();
            }
            last.insert(region.clone(), seen.clone());
        }
        spawn_blocking(move || telling.send_replace(Some(look())));
        seen
    }
}

/// Not so where it was given up without an answer.
fn goes_on(look: &watch::Receiver<Option<Seen>>) -> bool {
    look.borrow().is_none() && look.has_changed().is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);
    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_disk_that_hangs_holds_one_thread_however_many_ask_and_keeps_no_other_region_waiting() {
        let (looks, count) = (Looks::default(), Arc::new(AtomicUsize::new(0)));
        let (eu, us): (Region, Region) = ("eu".parse().unwrap(), "us".parse().unwrap());
        let (answering, answers) = mpsc::channel::<Seen>();
        let answers = Arc::new(Mutex::new(answers));
        let hanging = || {
            let (count, answers) = (Arc::clone(&count), Arc::clone(&answers));
            move || {
                count.fetch_add(1, Ordering::Relaxed);
                answers.lock().unwrap().recv().unwrap()
            }
        };
        for _ in 0..20 {
            assert_eq!(looks.look(&eu, SHORT, hanging()).await, None);
        }
        assert_eq!(looks.look(&us, LONG, || Ok(())).await, Some(Ok(())), "another disk is well");
        let (first, second, ()) = tokio::join!(looks.look(&eu, LONG, hanging()), looks.look(&eu, LONG, hanging()), async {
            answering.send(Ok(())).unwrap();
        });
        assert_eq!((first, second), (Some(Ok(())), Some(Ok(()))), "who waits for the look has its answer");
        assert_eq!(count.load(Ordering::Relaxed), 1);
        // An answer is nobody's who asks later.
        let full = CannotRecord("the storage is full".to_owned());
        answering.send(Err(full.clone())).unwrap();
        assert_eq!(looks.look(&eu, LONG, hanging()).await, Some(Err(full)));
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_look_that_fails_is_no_answer_and_is_made_again() {
        let (looks, eu) = (Looks::default(), "eu".parse().unwrap());
        let seen = looks.look(&eu, LONG, || panic!("a look that fails")).await;
        assert!(matches!(seen, Some(Err(_))), "{seen:?}");
        assert_eq!(looks.look(&eu, LONG, || Ok(())).await, Some(Ok(())));
    }
}
