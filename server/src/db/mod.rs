//! The database, SQLite or PostgreSQL: the connection, the transaction, and one module a table with all of its SQL.
//! No rule of the product is decided here beyond those that a conditional `UPDATE` must decide.

pub mod api_keys;
pub mod asset_list;
pub mod asset_mending;
mod asset_row;
pub mod asset_search;
pub mod assets;
pub mod audit;
pub mod audit_log;
pub mod browser_sessions;
mod connect;
pub mod counts;
pub mod delivery_log;
pub mod event_bodies;
pub mod event_deliveries;
pub mod event_endpoints;
pub mod event_outbox;
pub mod events;
pub mod invitations;
pub mod jobs;
pub mod known_browsers;
pub mod link_mails;
pub mod organisations;
mod packed;
pub mod password_links;
#[cfg(test)]
mod plans;
pub mod playback;
pub mod region_folders;
pub mod retention;
pub mod second_factors;
pub mod session_tokens;
pub mod sessions;
pub mod stream_search;
pub mod streams;
pub mod system;
pub mod user_identities;
pub mod users;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use afterlive_domain::{AssetId, Event, EventKind, OrganisationId, StreamId, UnixMillis};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::timeout;
use tracing::Instrument as _;

/// How many events a receiver may lag behind before it is told to start over.
const EVENT_QUEUE: usize = 1_024;

/// What can go wrong between us and the database. None of it is the user's doing, apart from [`Error::is_unique_violation`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database URL {url:?} cannot be used: {why}")]
    Url { url: String, why: String },
    #[error("the database cannot be opened at {place}: {cause}")]
    Open { place: String, cause: sqlx::Error },
    #[error("the database at {place} cannot be brought to this version's tables: {cause}")]
    Migrate { place: String, cause: sqlx::migrate::MigrateError },
    #[error("the database has {value:?} in {column}, which this version does not know")]
    Unreadable { column: &'static str, value: String },
    #[error("the database failed: {0}")]
    Failed(#[from] sqlx::Error),
}

impl Error {
    /// Whether it only was that no connection came free in time, or could be made.
    #[must_use]
    pub fn is_no_room(&self) -> bool {
        matches!(self, Self::Failed(sqlx::Error::PoolTimedOut))
    }

    #[cfg(test)]
    pub fn no_room() -> Self {
        Self::Failed(sqlx::Error::PoolTimedOut)
    }

    /// Whether a row was refused because its key is taken.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Failed(sqlx::Error::Database(cause)) if cause.is_unique_violation())
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where the database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    Sqlite(PathBuf),
    /// A `postgres://` URL. May hold a password: never log it.
    Postgres(String),
}

impl FromStr for Location {
    type Err = Error;

    /// `sqlite://` and a path (`sqlite:///var/lib/x.db` is absolute, `sqlite://x.db` is not), or a `postgres://` URL.
    fn from_str(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(path.into()));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return match url.parse::<sqlx::postgres::PgConnectOptions>() {
                Ok(_) => Ok(Self::Postgres(url.to_owned())),
                Err(cause) => Err(Error::Url { url: connect::without_password(url), why: cause.to_string() }),
            };
        }
        let why = "it must begin with sqlite:// or postgres://".to_owned();
        Err(Error::Url { url: connect::without_password(url), why })
    }
}

/// The open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    /// Those that may read at a time what takes long, so that some of the connections are left.
    readers: Arc<Semaphore>,
    news: Arc<News>,
}

#[derive(Clone, Debug)]
enum Pools {
    /// SQLite lets one connection write at a time: waiting for it happens in our queue, which is fair, not in SQLite's, which is not.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

#[derive(Debug)]
struct News {
    sender: broadcast::Sender<Event>,
    /// Held from an event's insertion to its broadcast, so that ids ascend in the order in which they are heard.
    order: Mutex<()>,
    looks: event_outbox::Looks,
}

/// So many events, deliveries or jobs are written at a time, of 11 values each at most: far from what either database takes in one statement.
const ROWS_A_STATEMENT: usize = 100;
/// Statements of so many rows are kept prepared. Of more than that there are too many shapes.
const ROWS_PREPARED: usize = 5;

/// A connection that runs queries: one of the pool's, or a transaction's. See [`on`].
#[derive(Debug)]
pub struct Connection {
    inner: Inner,
    /// Among those who read.
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
    SqliteTransaction(Transaction<'static, Sqlite>),
    PostgresTransaction(Transaction<'static, Postgres>),
}

/// A connection as sqlx takes it.
#[derive(Debug)]
pub enum Raw<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl From<Inner> for Connection {
    fn from(inner: Inner) -> Self {
        Self { inner, _place: None }
    }
}

impl Connection {
    pub fn raw(&mut self) -> Raw<'_> {
        match &mut self.inner {
            Inner::Sqlite(connection) => Raw::Sqlite(connection),
            Inner::Postgres(connection) => Raw::Postgres(connection),
            Inner::SqliteTransaction(transaction) => Raw::Sqlite(transaction),
            Inner::PostgresTransaction(transaction) => Raw::Postgres(transaction),
        }
    }
}

/// Runs one body on whichever database the connection is of; in the body the name is a `&mut` sqlx connection.
///
/// ```text
/// on!(connection, c => sqlx::query_scalar("SELECT name FROM organisations WHERE id = $1").bind(id).fetch_one(c).await)
/// ```
macro_rules! on {
    ($connection:expr, $raw:ident => $body:expr) => {
        match $connection.raw() {
            $crate::db::Raw::Sqlite($raw) => $body,
            $crate::db::Raw::Postgres($raw) => $body,
        }
    };
}
pub(crate) use on;

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
///
/// Ask for no second one while it is held: SQLite has one writer, and the second would wait for the first.
#[derive(Debug)]
pub struct Tx {
    connection: Connection,
    news: Arc<News>,
    events: Vec<NewEvent>,
    notes: Vec<audit::NewEntry>,
}

#[derive(Debug)]
struct NewEvent {
    kind: EventKind,
    organisation: OrganisationId,
    stream: Option<StreamId>,
    asset: Option<AssetId>,
    at: UnixMillis,
}

impl std::ops::Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl std::ops::DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Tx {
    /// Notes what this transaction makes happen. The event is written and told when, and only if, the transaction commits.
    pub fn emit_stream(&mut self, kind: EventKind, organisation: OrganisationId, stream: StreamId, at: UnixMillis) {
        self.events.push(NewEvent { kind, organisation, stream: Some(stream), asset: None, at });
    }

    /// As [`Tx::emit_stream`], for what happens to a recording of the stream.
    pub fn emit_asset(
        &mut self,
        kind: EventKind,
        organisation: OrganisationId,
        stream: StreamId,
        asset: AssetId,
        at: UnixMillis,
    ) {
        self.events.push(NewEvent { kind, organisation, stream: Some(stream), asset: Some(asset), at });
    }

    /// Notes for the audit log what this transaction does. Written with its commit: where it cannot be, nothing of it happens.
    pub fn note(&mut self, entry: audit::NewEntry) {
        self.notes.push(entry);
    }

    /// Makes all of it durable, then tells the events to who listens. Who is gone while their commit is under way changes nothing of that: what is committed is told.
    ///
    /// # Errors
    /// Where the commit fails; then nothing of it has happened, and nothing is told.
    pub async fn commit(self) -> Result<()> {
        self.commit_holding(()).await
    }

    /// As [`Tx::commit`], with something that is let go of when the commit is over, also where nobody waits for it any more. Who goes before it has begun lets go at once,
    /// and the transaction is rolled back.
    ///
    /// # Errors
    /// As [`Tx::commit`].
    pub async fn commit_holding(mut self, held: impl Send + 'static) -> Result<()> {
        let (news, events) = (Arc::clone(&self.news), std::mem::take(&mut self.events));
        // May wait for another transaction: nobody waits along with it.
        let lines = match events.as_slice() {
            [] => Vec::new(),
            events => event_outbox::lines_for(&mut self.connection, &news.looks, events).await?,
        };
        if !self.notes.is_empty() {
            // Before what publishes wait for too: they wait for no note. On the heap: who notes nothing, as they do, has no room for it in their futures.
            Box::pin(audit::write(&mut self.connection, &mut self.notes)).await?;
        }
        let connection = self.connection;
        let telling = async move {
            let _held = held;
            match events.is_empty() {
                true => connection.commit().await,
                false => news.commit(connection, events, &lines).await,
            }
        };
        // A task of its own: who hangs up in between must not leave a commit that the database finishes and nobody hears of, nor a place that is given away before.
        match tokio::spawn(telling.in_current_span()).await {
            Ok(done) => done,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The whole process ends, and with it all who would hear.
                Err(_) => Err(sqlx::Error::WorkerCrashed.into()),
            },
        }
    }
}

impl News {
    /// The last act of a transaction with events: they are numbered, made durable and told, and nobody else's in between.
    async fn commit(&self, mut connection: Connection, events: Vec<NewEvent>, lines: &[event_outbox::Line]) -> Result<()> {
        let _order = self.order.lock().await;
        let events = events::insert(&mut connection, events, lines).await?;
        connection.commit().await?;
        for event in events {
            // Nobody listening is no fault.
            let _ = self.sender.send(event);
        }
        Ok(())
    }
}

impl Connection {
    async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::SqliteTransaction(transaction) => transaction.commit().await?,
            Inner::PostgresTransaction(transaction) => transaction.commit().await?,
            Inner::Sqlite(_) | Inner::Postgres(_) => {}
        }
        Ok(())
    }
}

impl Db {
    /// Opens the database, makes it where it is SQLite and not there yet, and brings its tables to this version.
    ///
    /// # Errors
    /// Where it cannot be reached, or is of a newer version; the text names the place, never a password.
    pub async fn open(location: &Location) -> Result<Self> {
        let pools = connect::open(location).await?;
        let (sender, _) = broadcast::channel(EVENT_QUEUE);
        let readers = Arc::new(Semaphore::new(connect::readers(&pools)));
        Ok(Self { pools, readers, news: Arc::new(News { sender, order: Mutex::new(()), looks: event_outbox::Looks::default() }) })
    }

    /// A connection for reading. On SQLite it refuses to write.
    ///
    /// # Errors
    /// Where none comes free in time, or the database is gone.
    pub async fn read(&self) -> Result<Connection> {
        let place = timeout(connect::ACQUIRE_TIMEOUT, Arc::clone(&self.readers).acquire_owned()).await;
        // It is never closed.
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(Connection { _place: Some(place), ..self.read_briefly().await? })
    }

    /// As [`Db::read`], for who reads a row or two by their key and is waited for: who signs in, shows a credential, or goes live. Some of the connections are left to
    /// them, whatever is read by the others and for how long.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_briefly(&self) -> Result<Connection> {
        Ok(Connection::from(match &self.pools {
            Pools::Sqlite { readers, .. } => Inner::Sqlite(readers.acquire().await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.acquire().await?),
        }))
    }

    /// Begins a transaction. On SQLite it holds the write lock from the start, so that it never fails half-way for want of it.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn write(&self) -> Result<Tx> {
        let connection = Connection::from(match &self.pools {
            Pools::Sqlite { writer, .. } => Inner::SqliteTransaction(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::Postgres(pool) => Inner::PostgresTransaction(connect::begin(pool).await?),
        });
        Ok(Tx { connection, news: Arc::clone(&self.news), events: Vec::new(), notes: Vec::new() })
    }

    /// Hears what this process commits from now on. A receiver that lags by more than 1,024 events is told that it did.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.news.sender.subscribe()
    }

    /// Closes all connections; SQLite's log is folded into its file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

/// Reads a column's text as what it stands for.
fn parse<T: FromStr>(column: &'static str, value: &str) -> Result<T> {
    value.parse().map_err(|_| Error::Unreadable { column, value: value.to_owned() })
}

/// As [`parse`], for a column that may be NULL.
fn parse_option<T: FromStr>(column: &'static str, value: Option<&str>) -> Result<Option<T>> {
    value.map(|value| parse(column, value)).transpose()
}

/// Has SQLite read a table along that index, and fail where it cannot; to stand behind the table's name. It does not know how many rows are alike, so that of
/// several indexes that begin with a column that is asked for it may take one that leads through all of them. PostgreSQL knows, and is told nothing.
fn indexed_by<D: sqlx::Database>(index: &str) -> String {
    match D::NAME {
        "SQLite" => format!(" INDEXED BY {index}"),
        _ => String::new(),
    }
}

/// So many rows at the most. SQLite looks at a number that stands there alone to plan the statement for it, and does so again each time the number is given, which
/// takes as long as many a list; a sum it does not look into.
fn push_limit<D>(query: &mut sqlx::QueryBuilder<D>, limit: i64)
where
    D: sqlx::Database,
    i64: for<'q> sqlx::Encode<'q, D> + sqlx::Type<D>,
{
    query.push(if D::NAME == "SQLite" { " LIMIT 0 + " } else { " LIMIT " }).push_bind(limit);
}

/// The steps in which SQLite does it.
#[cfg(test)]
async fn steps(connection: &mut Connection, statement: &str) -> Vec<String> {
    let Raw::Sqlite(sqlite) = connection.raw() else { unreachable!("it was opened as SQLite") };
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let steps: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(explain).fetch_all(sqlite).await.expect("SQLite knows the statement");
    steps.into_iter().map(|(.., step)| step).collect()
}
