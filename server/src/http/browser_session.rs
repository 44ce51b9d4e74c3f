//! Browser sessions in the database, behind a cookie that holds nothing but a random id.

use std::sync::Arc;

use afterlive_domain::{UnixMillis, UserId};
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

use crate::clock::Clock;
use crate::db::{self, Db};
use crate::service::{self, Caller, Service};

/// The key under which a session has the id of the user who signed in.
pub const USER: &str = "user";
/// The name of the cookie.
pub const COOKIE: &str = "afterlive_session";
/// A session ends so many days after it was last used, give or take [`RENEW_AFTER_MS`].
const IDLE_DAYS: i64 = 14;
/// The key under which a session has when its end was last moved.
const RENEWED_AT: &str = "renewed_at";
/// Use moves a session's end, but not more often than so: each time is a write.
const RENEW_AFTER_MS: i64 = DAY_MS;
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
        .with_name(COOKIE)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(secure)
        .with_expiry(Expiry::OnInactivity(Duration::days(IDLE_DAYS)))
}

/// Middleware behind [`layer`]: moves the end of a session that is in use.
pub async fn renew(State(clock): State<Clock>, session: Session, request: Request, next: Next) -> Response {
    // Files of the site are asked for by the dozen and mean nothing.
    if !request.uri().path().starts_with("/pkg/")
        && let Err(cause) = renew_if_due(&session, clock.now()).await
    {
        tracing::warn!(%cause, "the end of a browser session cannot be moved");
    }
    next.run(request).await
}

/// Who has signed in with the session; `None` for a stranger, and where the session cannot be read.
///
/// # Errors
/// Where the database fails.
pub async fn caller(service: &Service, session: &Session) -> service::Result<Option<Caller>> {
    let user: Option<UserId> = session.get(USER).await.unwrap_or_else(|cause| {
        tracing::error!(%cause, "a browser session cannot be read");
        None
    });
    let Some(user) = user else { return Ok(None) };
    Ok(service.user_caller(user).await?.map(|(caller, _)| caller))
}

/// As [`caller`], where no layer has put a session into the request: nothing is written, and the session's end is not moved.
///
/// # Errors
/// Where the database fails.
pub async fn caller_by_cookie(service: &Service, headers: &HeaderMap) -> service::Result<Option<Caller>> {
    let cookies = headers.get_all(http::header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let Some(id) = cookies.find(|(name, _)| *name == COOKIE).and_then(|(_, id)| id.parse::<Id>().ok()) else { return Ok(None) };
    let store = Store { db: service.db().clone(), clock: service.clock().clone() };
    caller(service, &Session::new(Some(id), Arc::new(store), None)).await
}

async fn renew_if_due(session: &Session, now: UnixMillis) -> std::result::Result<(), tower_sessions::session::Error> {
    // Who has not signed in has no session worth a row.
    if session.get_value(USER).await?.is_none() {
        return Ok(());
    }
    let renewed_at: Option<i64> = session.get(RENEWED_AT).await?;
    if renewed_at.is_none_or(|at| now.ms_since(UnixMillis(at)) >= RENEW_AFTER_MS) {
        session.insert(RENEWED_AT, now.0).await?;
    }
    Ok(())
}

/// The table's key: of the cookie only a hash is kept, so that a copy of the table signs nobody in.
fn row_id(id: &Id) -> String {
    use std::fmt::Write as _;
    Sha256::digest(id.0.to_be_bytes()).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn failed(cause: impl ToString) -> Error {
    Error::Backend(cause.to_string())
}

fn encode(record: &Record) -> Result<String> {
    serde_json::to_string(&record.data).map_err(|cause| Error::Encode(cause.to_string()))
}

impl Store {
    /// The end of a session that is written now. By our clock; the record's own says the same by the system's.
    fn expires_at(&self) -> UnixMillis {
        self.clock.now().plus_ms(IDLE_DAYS * DAY_MS)
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let data = encode(record)?;
        loop {
            let mut tx = self.db.write().await.map_err(failed)?;
            let inserted = db::browser_sessions::insert(&mut tx, &row_id(&record.id), &data, self.expires_at()).await;
            if inserted.map_err(failed)? {
                return tx.commit().await.map_err(failed);
            }
            // Two equal draws of 128 bits; the library asks for this all the same.
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = encode(record)?;
        let mut tx = self.db.write().await.map_err(failed)?;
        db::browser_sessions::update(&mut tx, &row_id(&record.id), &data, self.expires_at()).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut connection = self.db.read().await.map_err(failed)?;
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
