//! Answers that lie in memory whole while they are sent: how many bytes of them there may be, of all and of one who asks, and how long one may take. Knows nothing
//! of what is in them. Media are none of them: they are read as they are sent.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use afterlive_app::backend::BackendError;
use afterlive_domain::{Error as Refusal, OrganisationId};
use axum::Json;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LINK};
use http::{HeaderMap, Method};

use super::error::{internal, refuse};
use super::listen::AddressHold;
use super::request::{Asked, ClientAddress};
use crate::address::subscriber;
use crate::hush::Hush;

/// Shorter ones are not counted: as many as there are connections cost less than the connections.
const LEAST_BYTES: usize = 16 * 1024;
/// Of all together.
const MAX_BYTES: usize = 256 << 20;
/// Of the poorest lines.
const PACE: Pace = Pace { within: Duration::from_mins(1), bytes_a_second: 16 * 1024 };
/// After which who was turned away may come back.
pub const RETRY_AFTER_S: u32 = 5;

/// Extension of an answer whose body is bytes in memory, that belong to it alone.
#[derive(Clone, Copy, Debug)]
struct InMemory;

/// Marks an answer that was made of bytes in memory, where it is long enough to be counted.
#[must_use]
pub fn in_memory(mut response: Response) -> Response {
    if response.body().size_hint().lower() >= LEAST_BYTES as u64 {
        response.extensions_mut().insert(InMemory);
    }
    response
}

/// A page, or what a server function answers: whole before its first byte is sent, though it may come as a stream of which nobody could say how long it is. What is
/// neither is as it was.
pub(super) async fn gathered(response: Response, of_function: bool) -> Response {
    if !of_function && !is_page(response.headers()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => in_memory(Response::from_parts(parts, Body::from(bytes))),
        Err(cause) => internal(cause),
    }
}

/// What a request is about, where its answer is long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Errand {
    /// It may be asked for again.
    Read,
    /// The same, by one of our own pages. Of server functions all that change something answer in a few bytes, or lead elsewhere: what is long was read.
    Function,
    /// It is done.
    Change,
}

impl Errand {
    fn of(request: &Request) -> Self {
        match request.method() {
            &Method::GET | &Method::HEAD => Self::Read,
            _ if is_for_function(request) => Self::Function,
            _ => Self::Change,
        }
    }
}

/// Whether it asks a server function of the dashboard.
pub(super) fn is_for_function(request: &Request) -> bool {
    request.uri().path().starts_with("/ui/")
}

fn is_page(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// How long an answer may take until all of it is taken: so long however short it is, and longer by its length. Who takes less is cut.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub within: Duration,
    /// Not 0.
    pub bytes_a_second: usize,
}

/// How many bytes may wait.
#[derive(Clone, Copy, Debug)]
struct Limits {
    all: usize,
    /// The others are for members: guests may be anybody.
    guests: usize,
    /// So that nobody's programs take all that there is.
    of_organisation: usize,
    /// So that guests at some addresses do not take what all guests have, nor anything from the members at theirs.
    of_guests_address: usize,
    of_members_address: usize,
}

impl Limits {
    fn of(all: usize) -> Self {
        Self { all, guests: all / 2, of_organisation: all / 2, of_guests_address: all / 16, of_members_address: all / 4 }
    }
}

/// Who is sent an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Taker {
    address: IpAddr,
    /// Whose credential was good; `None` for a guest, who may be anybody, a player key's holder too.
    member_of: Option<OrganisationId>,
}

/// How many bytes wait, and for whom.
#[derive(Debug, Default)]
struct Waiting {
    all: usize,
    guests: usize,
    by_organisation: HashMap<OrganisationId, usize>,
    by_address: HashMap<(IpAddr, bool), usize>,
}

/// The memory of all answers that are being sent. Clones are one.
#[derive(Clone)]
pub struct Unsent(Arc<Shared>);

struct Shared {
    limits: Limits,
    pace: Pace,
    waiting: Mutex<Waiting>,
    hush: Hush<IpAddr>,
}

impl Default for Unsent {
    fn default() -> Self {
        Self::new(MAX_BYTES, PACE)
    }
}

impl Unsent {
    /// For so many bytes, of which each answer is taken at that pace.
    #[must_use]
    pub fn new(max_bytes: usize, pace: Pace) -> Self {
        let waiting = Mutex::default();
        Self(Arc::new(Shared { limits: Limits::of(max_bytes), pace, waiting, hush: Hush::default() }))
    }

    /// Answers a request. Where what is answered lies in memory, and of such there is too much, it is 503 instead; but never for what was changed: that is done, and
    /// who does not hear of it would do it again. It is counted all the same, and has its time.
    pub async fn within(&self, request: Request, answer: impl AsyncFnOnce(Request) -> Response) -> Response {
        let errand = Errand::of(&request);
        let extensions = request.extensions();
        let address = extensions.get().map_or(IpAddr::from([0, 0, 0, 0]), |address: &ClientAddress| subscriber(address.0));
        let (asked, due) = (extensions.get::<Asked>().cloned(), extensions.get().map(|hold: &AddressHold| hold.due().clone()));
        let mut response = answer(request).await;
        if response.extensions_mut().remove::<InMemory>().is_none() {
            return response;
        }
        let member_of = asked.and_then(|asked| asked.caller()).map(|caller| caller.organisation);
        self.hold(response, Taker { address, member_of }, errand, due).await
    }

    async fn hold(&self, response: Response, taker: Taker, errand: Errand, due: Option<Due>) -> Response {
        let (parts, body) = response.into_parts();
        // All of it is there: nothing is waited for.
        let bytes = match to_bytes(body, usize::MAX).await {
            Ok(bytes) => bytes,
            Err(cause) => return internal(cause),
        };
        if bytes.len() < LEAST_BYTES {
            return Response::from_parts(parts, Body::from(bytes));
        }
        let share = match errand {
            Errand::Read | Errand::Function => self.take(taker, bytes.len()),
            Errand::Change => Some(self.take_anyway(taker, bytes.len())),
        };
        let Some(share) = share else {
            if let Some(unsaid) = self.0.hush.says(taker.address) {
                let (address, bytes) = (taker.address, bytes.len());
                tracing::warn!(%address, bytes, unsaid, "an answer was not sent: too many bytes of others wait to be taken");
            }
            return no_room(parts.headers, errand);
        };
        let Pace { within, bytes_a_second } = self.0.pace;
        let due = due.map(|due| due.begin(within + Duration::from_secs((bytes.len() / bytes_a_second) as u64)));
        // What belongs to the bytes is dropped with the last of them, wherever hyper has it.
        Response::from_parts(parts, Body::from(Bytes::from_owner(Held { bytes, _share: share, _due: due })))
    }

    /// `None` where there is no room. Where nothing waits of those that are counted together there is room for one of any length, or what is long could never be had.
    fn take(&self, taker: Taker, bytes: usize) -> Option<Share> {
        let limits = self.0.limits;
        let is_guest = taker.member_of.is_none();
        let waiting = self.waiting();
        let has_room = |held: usize, limit: usize| held == 0 || held + bytes <= limit;
        let of_organisation = taker.member_of.map_or(0, |id| waiting.by_organisation.get(&id).copied().unwrap_or_default());
        let of_address = waiting.by_address.get(&(taker.address, is_guest)).copied().unwrap_or_default();
        if !(has_room(waiting.all, limits.all)
            && (!is_guest || has_room(waiting.guests, limits.guests))
            && has_room(of_organisation, limits.of_organisation)
            && has_room(of_address, if is_guest { limits.of_guests_address } else { limits.of_members_address }))
        {
            return None;
        }
        Some(self.count(waiting, taker, bytes))
    }

    /// Counts what is sent whether there is room or not.
    fn take_anyway(&self, taker: Taker, bytes: usize) -> Share {
        self.count(self.waiting(), taker, bytes)
    }

    fn count(&self, mut waiting: MutexGuard<'_, Waiting>, taker: Taker, bytes: usize) -> Share {
        let is_guest = taker.member_of.is_none();
        waiting.all += bytes;
        match taker.member_of {
            Some(id) => *waiting.by_organisation.entry(id).or_default() += bytes,
            None => waiting.guests += bytes,
        }
        *waiting.by_address.entry((taker.address, is_guest)).or_default() += bytes;
        drop(waiting);
        Share { of: self.clone(), taker, bytes }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal, with what the layers around the handler have said of other sites.
fn no_room(mut headers: HeaderMap, errand: Errand) -> Response {
    let is_page = is_page(&headers);
    for of_body in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ETAG, LINK] {
        headers.remove(of_body);
    }
    let refusal = Refusal::NoRoom { retry_after_s: RETRY_AFTER_S };
    let mut refused = refuse(&refusal);
    if is_page {
        let words = format!("{refusal}: try again in {RETRY_AFTER_S} seconds.\n").into_response().into_parts();
        refused.headers_mut().extend(words.0.headers);
        *refused.body_mut() = words.1;
    }
    if errand == Errand::Function {
        // In the one form that its caller reads.
        let words = Json(BackendError::NotNow { retry_after_s: RETRY_AFTER_S }).into_response().into_parts();
        refused.headers_mut().extend(words.0.headers);
        *refused.body_mut() = words.1;
    }
    for of_refusal in refused.headers().keys() {
        headers.remove(of_refusal);
    }
    refused.headers_mut().extend(headers);
    refused
}

/// An answer's bytes, and what ends with them.
struct Held {
    bytes: Bytes,
    _share: Share,
    _due: Option<Begun>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// So many bytes of the memory there is. Dropping it gives them back.
struct Share {
    of: Unsent,
    taker: Taker,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        let Taker { address, member_of } = self.taker;
        let mut waiting = self.of.waiting();
        waiting.all -= self.bytes;
        match member_of {
            Some(id) => less(&mut waiting.by_organisation, id, self.bytes),
            None => waiting.guests -= self.bytes,
        }
        less(&mut waiting.by_address, (address, member_of.is_none()), self.bytes);
    }
}

fn less<K: std::hash::Hash + Eq>(of: &mut HashMap<K, usize>, key: K, bytes: usize) {
    if let Some(held) = of.get_mut(&key) {
        *held -= bytes;
        if *held == 0 {
            of.remove(&key);
        }
    }
}

/// From which instants are counted, so that one is a number.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When what one connection is sent must have been taken; one a connection. It wakes nobody: a connection on which something waits to be taken is woken when some of it
/// was, and when nothing was for too long ([`super::listen::stalled`]).
#[derive(Clone, Debug, Default)]
pub struct Due(Arc<AtomicU64>);

/// Until it is dropped, there is something to be taken.
struct Begun {
    due: Due,
    at: u64,
}

impl Due {
    fn begin(self, within: Duration) -> Begun {
        // Never 0, which is never.
        let at = u64::try_from((BEGIN.elapsed() + within).as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.store(at, Ordering::Relaxed);
        Begun { due: self, at }
    }

    fn is_over(&self) -> bool {
        let at = self.0.load(Ordering::Relaxed);
        at != 0 && u128::from(at) < BEGIN.elapsed().as_micros()
    }

    /// Drives `served` until it ends, or is woken after the time.
    pub(super) async fn or_over(&self, served: impl Future<Output = ()>) {
        let mut served = std::pin::pin!(served);
        std::future::poll_fn(|context| if self.is_over() { Poll::Ready(()) } else { served.as_mut().poll(context) }).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Where another answer has begun meanwhile, its time stays.
        let _ = self.due.0.compare_exchange(self.at, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn guest(address: u8) -> Taker {
        Taker { address: IpAddr::from([192, 0, 2, address]), member_of: None }
    }

    fn member(address: u8, organisation: u128) -> Taker {
        Taker { member_of: Some(OrganisationId(Uuid::from_u128(organisation))), ..guest(address) }
    }

    /// Takes ten bytes as often as they are given.
    fn fill(unsent: &Unsent, taker: Taker) -> Vec<Share> {
        std::iter::from_fn(|| unsent.take(taker, 10)).collect()
    }

    #[test]
    fn guests_of_one_address_take_a_part_and_nothing_from_who_has_a_credential_there() {
        let unsent = Unsent::new(1_600, PACE);
        let mut held = fill(&unsent, guest(1));
        assert_eq!(held.len(), 10);
        assert_eq!(fill(&unsent, guest(2)).len(), 10, "another address");
        assert_eq!(fill(&unsent, member(1, 1)).len(), 40);
        held.pop();
        assert_eq!(fill(&unsent, guest(1)).len(), 1);
        drop(held);
        let waiting = unsent.waiting();
        assert!(waiting.by_address.is_empty() && waiting.by_organisation.is_empty(), "what nobody has is not kept");
        assert_eq!((waiting.all, waiting.guests), (0, 0));
    }

    #[test]
    fn neither_guests_nor_one_organisation_take_all() {
        let unsent = Unsent::new(1_600, PACE);
        let of_each = |taker: &dyn Fn(u8) -> Taker| -> Vec<Share> { (0..40).flat_map(|n| fill(&unsent, taker(n))).collect() };
        let guests = of_each(&guest);
        assert_eq!(guests.len(), 80);
        let programs = of_each(&|address| member(address, 1));
        assert_eq!(programs.len(), 80);
        drop(guests);
        assert_eq!(of_each(&|address| member(address, 1)).len(), 0, "as many as one organisation may have");
        assert_eq!(of_each(&|address| member(address, 2)).len(), 80);
    }

    #[test]
    fn who_takes_nothing_else_gets_an_answer_of_any_length() {
        let unsent = Unsent::new(400, PACE);
        let long = unsent.take(member(1, 1), 1_000).expect("there is no other way to have it");
        assert!(unsent.take(member(1, 1), 10).is_none() && unsent.take(guest(2), 10).is_none());
        drop(long);
        assert!(unsent.take(member(1, 1), 10).is_some());
    }

    #[tokio::test]
    async fn what_waits_is_counted_until_its_last_byte_is_gone() {
        let unsent = Unsent::new(4 * LEAST_BYTES, PACE);
        let due = Due::default();
        let answer = |length: usize| Response::new(Body::from(vec![7; length]));
        let held = unsent.hold(answer(LEAST_BYTES), guest(1), Errand::Read, Some(due.clone())).await;
        let piece = to_bytes(held.into_body(), usize::MAX).await.unwrap().slice(..1);
        assert_eq!((unsent.waiting().all, due.0.load(Ordering::Relaxed) != 0), (LEAST_BYTES, true), "a piece keeps the whole");
        let refused = unsent.hold(answer(LEAST_BYTES), guest(1), Errand::Read, None).await;
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "5"));
        let short = unsent.hold(answer(LEAST_BYTES - 1), guest(1), Errand::Read, None).await;
        assert_eq!(short.status().as_u16(), 200);
        let of_change = unsent.hold(answer(2 * LEAST_BYTES), guest(1), Errand::Change, None).await;
        assert_eq!((of_change.status().as_u16(), unsent.waiting().all), (200, 3 * LEAST_BYTES), "it is done, and counts");
        drop(of_change);
        drop(piece);
        assert_eq!((unsent.waiting().all, due.0.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn the_time_of_an_answer_ends_with_it_and_not_that_of_the_next() {
        let due = Due::default();
        assert!(!due.is_over());
        let first = due.clone().begin(Duration::ZERO);
        std::thread::yield_now();
        let next = due.clone().begin(Duration::from_secs(60));
        assert!(!due.is_over());
        drop(first);
        assert_ne!(due.0.load(Ordering::Relaxed), 0);
        drop(next);
        assert!(!due.is_over());
    }
}
