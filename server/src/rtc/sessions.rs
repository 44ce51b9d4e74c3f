//! Sessions that go on by themselves, each under an id by which its peer ends it. Knows neither what they do nor who may begin one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// The sessions of one kind. There are never more than peers. Clones are handles to the same.
#[derive(Clone)]
pub struct Sessions(Arc<Parts>);

struct Parts {
    /// By their ids; cancelled by their peers' word.
    running: Mutex<HashMap<Uuid, CancellationToken>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Sessions {
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        Self(Arc::new(Parts { running: Mutex::default(), tasks: TaskTracker::new(), stop }))
    }

    /// Begins a session. It is on the list while it holds its place, and hears by the token that its peer wants it to end.
    pub fn begin<F>(&self, session: impl FnOnce(Place, CancellationToken) -> F) -> Uuid
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Who knows it ends the session: 122 bits by chance.
        let id = Uuid::new_v4();
        let deleted = CancellationToken::new();
        self.0.running().insert(id, deleted.clone());
        let place = Place { parts: Arc::clone(&self.0), id };
        self.0.tasks.spawn(session(place, deleted));
        id
    }

    /// Ends a session by its peer's word. `false` where there is none of this id.
    #[must_use]
    pub fn end(&self, id: Uuid) -> bool {
        self.0.running().get(&id).inspect(|deleted| deleted.cancel()).is_some()
    }

    /// Whether there is a session of this id.
    #[must_use]
    pub fn has(&self, id: Uuid) -> bool {
        self.0.running().contains_key(&id)
    }

    /// Told when no session is to begin any more, and all are to end.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Waits until the server stops and the last session has ended.
    pub async fn serve(self) {
        self.0.stop.cancelled().await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Parts {
    /// Nothing panics while it holds the lock, so a poisoned one is as good as new.
    fn running(&self) -> MutexGuard<'_, HashMap<Uuid, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place in the list; left when dropped.
pub struct Place {
    parts: Arc<Parts>,
    id: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.parts.running().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_is_found_and_ended_by_its_id_while_it_holds_its_place() {
        let stop = CancellationToken::new();
        let sessions = Sessions::new(stop.clone());
        let ends = CancellationToken::new();
        let may_end = ends.clone();
        let id = sessions.begin(|place, deleted| async move {
            deleted.cancelled().await;
            drop(place);
            may_end.cancelled().await;
        });
        assert!(sessions.has(id) && !sessions.has(Uuid::nil()) && !sessions.end(Uuid::nil()));
        assert!(sessions.end(id));
        while sessions.has(id) {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        let mut served = tokio::spawn(sessions.serve());
        tokio::select! {
            biased;
            _ = &mut served => panic!("it waits for what a session does behind its place"),
            () = tokio::task::yield_now() => ends.cancel(),
        }
        served.await.unwrap();
    }
}
