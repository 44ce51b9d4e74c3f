//! Gives what is new its body, right after the commit, so that what is told is what was so then, however long it waits. Sends nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterlive_domain::{EndpointId, UnixMillis};
use futures::future::BoxFuture;
use tracing::error;

use super::schedule::GIVE_UP_AFTER_MS;
use crate::clock::Clock;
use crate::db::event_bodies::{self, Bare, Happening, Made};
use crate::db::{self, Connection, Db};

/// So many bodies are made in a row at most, in one transaction, before what is due is sent. All endpoints that have something new have a share.
const BODIES_AT_ONCE: usize = 100;
/// What no body can be made of is left out for so long. What is behind it is not.
const LEFT_OUT_FOR_MS: i64 = 30_000;
const CANNOT_BE_MADE: &str = "its body could not be made for a day";

/// Makes what is told of an event.
pub(super) type Compose = Arc<dyn Fn(Happening) -> BoxFuture<'static, Result<String, ComposeError>> + Send + Sync>;
pub type ComposeError = Box<dyn std::error::Error + Send + Sync>;

/// Whether there is more to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum More {
    None,
    /// There may be some.
    Now,
    /// There is, for an endpoint that another holds at this moment.
    Soon,
}

/// Clones are handles to the same.
#[derive(Clone)]
pub(super) struct Composer {
    db: Db,
    clock: Clock,
    compose: Compose,
    turns: Arc<Mutex<Turns>>,
}

#[derive(Default)]
struct Turns {
    /// Who was the last that had a share: the next goes first.
    last: Option<EndpointId>,
    /// Of endpoints that have something of which no body could be made just now.
    left_out: HashMap<EndpointId, LeftOut>,
}

struct LeftOut {
    /// With all before it.
    up_to: i64,
    until: UnixMillis,
    count: usize,
    cause: String,
}

impl LeftOut {
    /// Where it seems to wait for longer than anything does, the clock has been set back since.
    fn waits(&self, now: UnixMillis) -> bool {
        (1..=LEFT_OUT_FOR_MS).contains(&self.until.ms_since(now))
    }
}

/// Some of what is new.
struct Batch {
    bare: Vec<Bare>,
    /// There may be more than that.
    is_cut: bool,
}

impl Composer {
    pub(super) fn new(db: Db, clock: Clock, compose: Compose) -> Self {
        Self { db, clock, compose, turns: Arc::default() }
    }

    /// Makes a batch of bodies; says whether there is more to make.
    ///
    /// # Errors
    /// Where the database fails. What no body can be made of is none: it is logged, left out for a while, and given up after a day.
    pub(super) async fn make_some(&self) -> db::Result<More> {
        let now = self.clock.now();
        let Batch { bare, is_cut } = self.batch(now).await?;
        if bare.is_empty() {
            return Ok(if is_cut { More::Now } else { More::None });
        }
        let (mut made, mut left_out) = (Vec::new(), HashMap::new());
        // What several endpoints are told of the same is made once.
        let mut bodies = HashMap::new();
        for bare in bare {
            match self.body(&bare, &mut bodies).await {
                Ok(body) => made.push((bare, Made::Body(body))),
                Err(cause) => {
                    note(&mut left_out, &bare, cause, now);
                    if now.ms_since(bare.begun_at) >= GIVE_UP_AFTER_MS {
                        made.push((bare, Made::GivenUp(CANNOT_BE_MADE)));
                    }
                }
            }
        }
        let mut held = Vec::new();
        if !made.is_empty() {
            let mut tx = self.db.write().await?;
            held = event_bodies::set(&mut tx, &mut made, self.clock.now()).await?;
            tx.commit().await?;
            // What was made of it is not there: all of it is made again.
            left_out.retain(|endpoint, _| !held.contains(endpoint));
        }
        let has_done_some = !left_out.is_empty() || made.iter().any(|(bare, _)| !held.contains(&bare.endpoint));
        for (endpoint, LeftOut { count, cause, .. }) in &left_out {
            error!(%endpoint, count, cause, "what an endpoint is to be told cannot be made: it is left out for now");
        }
        let mut turns = self.turns();
        for (endpoint, new) in left_out {
            match turns.left_out.entry(endpoint) {
                // The while that it is left out for is that of the first of it: who is sent more of the kind would be left out for ever.
                Entry::Occupied(known) => {
                    let known = known.into_mut();
                    known.up_to = known.up_to.max(new.up_to);
                }
                Entry::Vacant(place) => {
                    place.insert(new);
                }
            }
        }
        Ok(if is_cut && has_done_some {
            More::Now
        } else if held.is_empty() {
            More::None
        } else {
            More::Soon
        })
    }

    /// Endpoints take turns, so that one for which very much is new keeps none of the others waiting.
    async fn batch(&self, now: UnixMillis) -> db::Result<Batch> {
        let mut connection = self.db.read().await?;
        let mut endpoints = event_bodies::endpoints(&mut connection).await?;
        let first = {
            let mut turns = self.turns();
            let has_some = |id: &EndpointId| endpoints.binary_search_by_key(id, |(endpoint, _)| *endpoint).is_ok();
            turns.left_out.retain(|endpoint, left_out| left_out.waits(now) || has_some(endpoint));
            // Who has nothing else has no turn, or there would always be more to make.
            let has_turn = |left_out: &LeftOut, newest| !left_out.waits(now) || newest > left_out.up_to;
            endpoints
                .retain(|(endpoint, newest)| turns.left_out.get(endpoint).is_none_or(|left_out| has_turn(left_out, *newest)));
            turns.last.map_or(0, |last| endpoints.partition_point(|(endpoint, _)| *endpoint <= last))
        };
        endpoints.rotate_left(first);
        let share = (BODIES_AT_ONCE / endpoints.len().max(1)).max(1);
        let mut batch = Batch { bare: Vec::new(), is_cut: endpoints.len() > BODIES_AT_ONCE };
        for (endpoint, _) in endpoints.into_iter().take(BODIES_AT_ONCE) {
            let bare = self.some_of(&mut connection, endpoint, share, now).await?;
            batch.is_cut |= bare.len() == share;
            batch.bare.extend(bare);
            self.turns().last = Some(endpoint);
        }
        Ok(batch)
    }

    /// Behind what is left out, until that may be tried again and all behind it had its turn: then from the first on.
    async fn some_of(
        &self,
        connection: &mut Connection,
        endpoint: EndpointId,
        share: usize,
        now: UnixMillis,
    ) -> db::Result<Vec<Bare>> {
        let limit = u32::try_from(share).unwrap_or(u32::MAX);
        let left_out = self.turns().left_out.get(&endpoint).map(|left_out| (left_out.up_to, left_out.waits(now)));
        if let Some((up_to, waits)) = left_out {
            let bare = event_bodies::of_endpoint(connection, endpoint, up_to, limit).await?;
            if waits || bare.len() == share {
                return Ok(bare);
            }
            self.turns().left_out.remove(&endpoint);
        }
        event_bodies::of_endpoint(connection, endpoint, 0, limit).await
    }

    async fn body(&self, bare: &Bare, bodies: &mut HashMap<Happening, String>) -> Result<String, String> {
        let happening = bare.happening.as_ref().map_err(ToString::to_string)?;
        match bodies.entry(happening.clone()) {
            Entry::Occupied(body) => Ok(body.get().clone()),
            Entry::Vacant(place) => {
                let body = (self.compose)(happening.clone()).await.map_err(|cause| cause.to_string())?;
                Ok(place.insert(body).clone())
            }
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(left_out: &mut HashMap<EndpointId, LeftOut>, bare: &Bare, cause: String, now: UnixMillis) {
    let until = now.plus_ms(LEFT_OUT_FOR_MS);
    let of_endpoint = left_out.entry(bare.endpoint).or_insert(LeftOut { up_to: 0, until, count: 0, cause });
    of_endpoint.up_to = of_endpoint.up_to.max(bare.id);
    of_endpoint.count += 1;
}
