//! Tells who watches something of an organisation that a thing has changed there which may concern them. Knows neither what nor who.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use afterlive_domain::OrganisationHash;
use tokio::sync::watch;

/// A bell an organisation that is listened to. There are never more than organisations: who listens has been found to may watch something of it.
#[derive(Default)]
pub struct Bells(Mutex<HashMap<OrganisationHash, watch::Sender<()>>>);

impl Bells {
    pub fn listen(&self, hash: &OrganisationHash) -> watch::Receiver<()> {
        let mut bells = self.bells();
        bells.get(hash).map(watch::Sender::subscribe).unwrap_or_else(|| {
            let (bell, listener) = watch::channel(());
            bells.insert(hash.clone(), bell);
            listener
        })
    }

    /// Wakes who listens. A bell that nobody listens to any more is given up.
    pub fn ring(&self, hash: &OrganisationHash) {
        let mut bells = self.bells();
        let unheard = bells.get(hash).is_some_and(|bell| bell.send(()).is_err());
        if unheard {
            bells.remove(hash);
        }
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<OrganisationHash, watch::Sender<()>>> {
        // Nothing panics in the midst of a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_hears_of_their_own_organisation_and_bells_that_nobody_hears_are_given_up() {
        let (bells, ours, theirs) = (Bells::default(), "8sKpm".parse().unwrap(), "AAAAA".parse().unwrap());
        let listeners = [bells.listen(&ours), bells.listen(&ours), bells.listen(&theirs)];
        bells.ring(&ours);
        let heard = listeners.each_ref().map(|listener| listener.has_changed().unwrap());
        assert_eq!(heard, [true, true, false]);
        drop(listeners);
        assert_eq!(bells.bells().len(), 2);
        bells.ring(&ours);
        bells.ring(&theirs);
        assert_eq!(bells.bells().len(), 0);
    }
}
