//! Browser sessions in the database, behind a cookie that holds nothing but a random id.

use std::sync::Arc;

use afterlive_domain::UnixMillis;
use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::Duration;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::request::cookies;
use super::{flash, second_step};
use crate::clock::Clock;
use crate::db::browser_sessions::Written;
use crate::db::users::User;
use crate::db::{self, Db};
use crate::hexadecimal::hexadecimal;
use crate::service::account::{MAX_SESSIONS, SIGNED_IN};
use crate::service::{self, Caller, Service, SignedIn};

/// The key under which a session has when it was used last.
const USED_AT: &str = "used_at";
/// Of one that was begun to leave a stranger something: nobody else has a session.
const STRANGER: &str = "stranger";

/// The name of the cookie.
pub const COOKIE: &str = "afterlive_session";
/// Its name where people come over TLS alone: browsers take one of such a name from nobody but this very host over TLS, so that no other below the same domain,
/// and nobody on the network, can put one of their own in its place.
pub const SECURE_COOKIE: &str = "__Host-afterlive_session";
/// One in which nobody has signed in ends so long after it was written: what it keeps is for the next page, or for the code of a sign-in.
const STRANGERS_MS: i64 = 3_600_000;
/// A session ends so many days after it was last used, give or take [`RENEW_AFTER_MS`].
const IDLE_DAYS: i64 = 14;
/// However much it is used, it ends so many days after the password was given: what NIST SP 800-63B-4 advises for one factor (2.1.3).
const MOST_DAYS: i64 = 30;
/// Use is noted, and moves a session's end, but not more often than so: each time is a write.
const RENEW_AFTER_MS: i64 = 10 * 60_000;
const DAY_MS: i64 = 86_400_000;

#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    clock: Clock,
}

/// The layer that gives each request its session. `secure`: the cookie is sent over TLS only.
#[must_use]
pub fn layer(db: Db, clock: Clock, secure: bool) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(Store { db, clock })
        .with_name(cookie_name(secure))
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(secure)
        .with_expiry(Expiry::OnInactivity(Duration::days(IDLE_DAYS)))
}

fn cookie_name(secure: bool) -> &'static str {
    if secure { SECURE_COOKIE } else { COOKIE }
}

/// In the extensions of a request whose cookie names a session that is there no more: it was ended elsewhere, or nobody has used it for long.
#[derive(Clone, Copy, Debug)]
pub struct Lost;

/// Middleware behind [`layer`]: moves the end of a session that is in use, and notes where one is [`Lost`].
pub async fn renew(State(clock): State<Clock>, session: Session, mut request: Request, next: Next) -> Response {
    // Files of the site are asked for by the dozen and mean nothing.
    if !request.uri().path().starts_with("/pkg/") {
        let is_named = session.id().is_some();
        if let Err(cause) = renew_if_due(&session, clock.now()).await {
            tracing::warn!(%cause, "the end of a browser session cannot be moved");
        }
        // Reading it has shown that there is none.
        if is_named && session.id().is_none() {
            request.extensions_mut().insert(Lost);
        }
    }
    next.run(request).await
}

/// Signs in with the session, under a new id, so that nobody who knew the old one is signed in with it.
///
/// # Errors
/// Where the database fails.
pub async fn begin(session: &Session, signed_in: &SignedIn) -> std::result::Result<(), tower_sessions::session::Error> {
    session.cycle_id().await?;
    // The code was given, or somebody else has signed in.
    second_step::end(session).await?;
    second_step::end_offer(session).await?;
    session.insert(USED_AT, signed_in.began_at).await?;
    session.insert(SIGNED_IN, signed_in).await
}

/// Who has signed in with the session, as a caller and as the user that is; `None` for a stranger, and where the session cannot be read.
///
/// # Errors
/// Where the database fails.
pub async fn signed_in(service: &Service, session: &Session) -> service::Result<Option<(Caller, User)>> {
    match read(session).await {
        Some(signed_in) => service.session_caller(&signed_in, hash(session)).await,
        None => Ok(None),
    }
}

/// As [`caller`], also for who must set up a second factor before anything else: for what does that, and nothing more.
///
/// # Errors
/// Where the database fails.
pub async fn enrolling(service: &Service, session: &Session) -> service::Result<Option<(Caller, User)>> {
    match read(session).await {
        Some(signed_in) => service.enrolling_caller(&signed_in, hash(session)).await,
        None => Ok(None),
    }
}

/// Whether somebody signed in with the session, who may have been removed, suspended or signed out elsewhere since.
pub async fn had_signed_in(session: &Session) -> bool {
    read(session).await.is_some()
}

async fn read(session: &Session) -> Option<SignedIn> {
    session.get(SIGNED_IN).await.unwrap_or_else(|cause| {
        tracing::error!(%cause, "a browser session cannot be read");
        None
    })
}

/// By what the session is called in the database; `None` of one that was not there before this request.
#[must_use]
pub fn id(session: &Session) -> Option<String> {
    session.id().map(|id| row_id(&id))
}

/// As [`id`], before it is written as text. To be asked for once the session was read, which finds out whether it is there.
fn hash(session: &Session) -> Option<[u8; 32]> {
    session.id().map(|id| hash_of(&id))
}

/// Leaves the browser something for its next page, in place of what was left before. In the database nobody can read it.
///
/// # Errors
/// Where the database fails.
pub async fn put_flash(db: &Db, session: &Session, text: &str) -> Result<()> {
    if session.id().is_none() {
        // The layer sends the cookie, as of any session that was changed.
        session.insert(STRANGER, true).await.map_err(failed)?;
        session.save().await.map_err(failed)?;
    }
    let sealed = session.id().and_then(|id| Some((row_id(&id), flash::seal(&id, text)?)));
    let (id, sealed) = sealed.ok_or_else(|| Error::Encode("what the next page shows cannot be sealed".to_owned()))?;
    let mut tx = db.write().await.map_err(failed)?;
    db::browser_sessions::put_flash(&mut tx, &id, &sealed).await.map_err(failed)?;
    tx.commit().await.map_err(failed)
}

/// What was left for this page, once.
///
/// # Errors
/// Where the database fails.
pub async fn take_flash(db: &Db, session: &Session, now: UnixMillis) -> Result<Option<String>> {
    let Some(id) = session.id() else { return Ok(None) };
    let row = row_id(&id);
    let found = db::browser_sessions::flash(&mut db.read_briefly().await.map_err(failed)?, &row, now).await;
    let Some(sealed) = found.map_err(failed)? else { return Ok(None) };
    let mut tx = db.write().await.map_err(failed)?;
    let is_ours = db::browser_sessions::delete_flash(&mut tx, &row, &sealed).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(flash::open(&id, &sealed).filter(|_| is_ours))
}

/// As [`signed_in`], for whom a caller is enough.
///
/// # Errors
/// Where the database fails.
pub async fn caller(service: &Service, session: &Session) -> service::Result<Option<Caller>> {
    Ok(signed_in(service, session).await?.map(|(caller, _)| caller))
}

/// As [`caller`], where no layer has put a session into the request: nothing is written, and the session's end is not moved.
///
/// # Errors
/// Where the database fails.
pub async fn caller_by_cookie(service: &Service, headers: &HeaderMap) -> service::Result<Option<Caller>> {
    let ours = cookie_name(service.config().http.is_secure());
    let Some(id) = cookies(headers).find(|(name, _)| *name == ours).and_then(|(_, id)| id.parse::<Id>().ok()) else {
        return Ok(None);
    };
    let store = Store { db: service.db().clone(), clock: service.clock().clone() };
    caller(service, &Session::new(Some(id), Arc::new(store), None)).await
}

async fn renew_if_due(session: &Session, now: UnixMillis) -> std::result::Result<(), tower_sessions::session::Error> {
    // Who has not signed in has no session worth a row.
    if session.get_value(SIGNED_IN).await?.is_none() {
        return Ok(());
    }
    let used_at: Option<UnixMillis> = session.get(USED_AT).await?;
    if used_at.is_none_or(|at| now.ms_since(at) >= RENEW_AFTER_MS) {
        session.insert(USED_AT, now).await?;
    }
    Ok(())
}

/// The table's key: of the cookie only a hash is kept, so that a copy of the table signs nobody in.
fn row_id(id: &Id) -> String {
    hexadecimal(&hash_of(id))
}

fn hash_of(id: &Id) -> [u8; 32] {
    Sha256::digest(id.0.to_be_bytes()).into()
}

fn failed(cause: impl ToString) -> Error {
    Error::Backend(cause.to_string())
}

fn encode(record: &Record) -> Result<String> {
    serde_json::to_string(&record.data).map_err(|cause| Error::Encode(cause.to_string()))
}

/// Whose session it is, for who wants to end all of a user's, and since when.
fn signed_in_with(record: &Record) -> Option<SignedIn> {
    serde_json::from_value(record.data.get(SIGNED_IN)?.clone()).ok()
}

fn used_at(record: &Record) -> UnixMillis {
    let used_at = record.data.get(USED_AT).and_then(|value| serde_json::from_value(value.clone()).ok());
    used_at.unwrap_or(UnixMillis(0))
}

impl Store {
    /// As it is written now. Its end is by our clock; the record's own says so by the system's.
    fn written<'a>(&self, id: &'a str, record: &Record, data: &'a str) -> Written<'a> {
        let now = self.clock.now();
        let signed_in = signed_in_with(record);
        let expires_at = match &signed_in {
            Some(SignedIn { began_at, .. }) => now.plus_ms(IDLE_DAYS * DAY_MS).min(began_at.plus_ms(MOST_DAYS * DAY_MS)),
            None => now.plus_ms(STRANGERS_MS),
        };
        Written { id, data, user: signed_in.map(|it| it.user), used_at: used_at(record), expires_at }
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let data = encode(record)?;
        loop {
            let mut tx = self.db.write().await.map_err(failed)?;
            let id = row_id(&record.id);
            let inserted = db::browser_sessions::insert(&mut tx, self.written(&id, record, &data), MAX_SESSIONS).await;
            if inserted.map_err(failed)? {
                return tx.commit().await.map_err(failed);
            }
            // Two equal draws of 128 bits; the library asks for this all the same.
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = encode(record)?;
        let id = row_id(&record.id);
        let mut tx = self.db.write().await.map_err(failed)?;
        db::browser_sessions::update(&mut tx, self.written(&id, record, &data)).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut connection = self.db.read_briefly().await.map_err(failed)?;
        let found = db::browser_sessions::load(&mut connection, &row_id(id), self.clock.now()).await.map_err(failed)?;
        let Some((data, expires_at)) = found else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(|cause| Error::Decode(cause.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(expires_at.0 / 1_000).map_err(failed)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let mut tx = self.db.write().await.map_err(failed)?;
        db::browser_sessions::delete(&mut tx, &row_id(id)).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Location;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    async fn a_store(folder: &tempfile::TempDir) -> Arc<Store> {
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        Arc::new(Store { db, clock: Clock::simulated(NOW) })
    }

    #[tokio::test]
    async fn what_writes_a_session_meanwhile_takes_nothing_from_the_next_page_and_brings_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = a_store(&folder).await;
        let first = Session::new(None, Arc::clone(&store), None);
        put_flash(&store.db, &first, "a link").await.unwrap();
        let open = || Session::new(first.id(), Arc::clone(&store), None);

        // A slow read has the session from before the form, and notes its use after it.
        let (slow, form) = (open(), open());
        slow.load().await.unwrap();
        put_flash(&store.db, &form, "another link").await.unwrap();
        slow.insert(USED_AT, NOW.plus_ms(RENEW_AFTER_MS)).await.unwrap();
        slow.save().await.unwrap();

        let (slow, page) = (open(), open());
        slow.load().await.unwrap();
        assert_eq!(take_flash(&store.db, &page, NOW).await.unwrap().as_deref(), Some("another link"));
        slow.insert(USED_AT, NOW.plus_ms(2 * RENEW_AFTER_MS)).await.unwrap();
        slow.save().await.unwrap();
        assert_eq!(take_flash(&store.db, &open(), NOW).await.unwrap(), None);
        let other = Session::new(Some(Id(7)), Arc::clone(&store), None);
        assert_eq!(take_flash(&store.db, &other, NOW).await.unwrap(), None);
    }
}
