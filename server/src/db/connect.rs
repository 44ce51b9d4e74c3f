//! Opening either database with the settings that durability and fairness ask for, and running the migrations.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use url::Url;

use super::{Error, Location, Pools, Result};

/// SQLite: pages are read in parallel, by so many connections at most. Each costs a thread and some 2 MB at rest.
const SQLITE_READERS: u32 = 4;
/// SQLite: and so many more are there for what is read briefly ([`super::Db::read_briefly`]), opened when they are needed.
const SQLITE_BRIEF_READERS: u32 = 2;
/// SQLite: a connection is a thread, which reads so many rows ahead of who asked for them. With the 50 that are usual it and the asker wake each other by turns for
/// each page of recordings.
const SQLITE_ROWS_AHEAD: usize = 1_024;
/// PostgreSQL: so many connections at most; its own default limit is 100 for all nodes together.
const POSTGRES_CONNECTIONS: u32 = 16;
/// PostgreSQL: so many of them may read at a time what takes long. The others are for transactions, of which callers have at most five, and for what is read briefly.
const POSTGRES_READERS: u32 = 8;
/// PostgreSQL: a connection that nobody has used for so long is asked whether it is still there, before somebody begins with it. One that was used just now is not:
/// the question takes as long as a statement, a request uses several connections by turns, and one that is lost may be lost right behind the answer too.
const POSTGRES_UNASKED: Duration = Duration::from_secs(1);
/// How long a request waits for a connection before it fails.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// PostgreSQL: whoever waits for a row holds one of the connections, and a node that stops in the middle of a transaction, as a machine that hangs does, would
/// have all other nodes wait. So who waits is let go, and then the transaction that they wait for.
const POSTGRES_PATIENCE: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'";
/// SQLite: how long to wait for another process, such as `afterlive key add`, to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections may read at a time what takes long.
pub(super) fn readers(pools: &Pools) -> usize {
    let readers = match pools {
        Pools::Sqlite { .. } => SQLITE_READERS,
        Pools::Postgres(_) => POSTGRES_READERS,
    };
    readers as usize
}

pub(super) async fn open(location: &Location) -> Result<Pools> {
    match location {
        Location::Sqlite(path) => open_sqlite(path).await,
        Location::Postgres(url) => open_postgres(url).await,
    }
}

async fn open_sqlite(path: &Path) -> Result<Pools> {
    let place = path.display().to_string();
    let failed = |cause| Error::Open { place: place.clone(), cause };
    // A new database is its owner's alone, wherever it lies; SQLite gives the files beside it the same mode. Where this fails, SQLite says better why.
    let _ = File::options().write(true).create_new(true).mode(0o600).open(path);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode NORMAL may lose the last commits in a power cut. A recording's spool is released once its row is committed,
        // and an encoder is told "accepted": a commit must be on the disk, for the price of an fsync each.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    sqlx::migrate!("migrations/sqlite").run(&writer).await.map_err(|cause| Error::Migrate { place: place.clone(), cause })?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS + SQLITE_BRIEF_READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // It is a file: there is no connection that could have been lost meanwhile.
        .test_before_acquire(false)
        .connect_with(options.create_if_missing(false).pragma("query_only", "on").row_buffer_size(SQLITE_ROWS_AHEAD))
        .await
        .map_err(failed)?;
    Ok(Pools::Sqlite { writer, readers })
}

async fn open_postgres(url: &str) -> Result<Pools> {
    let place = without_password(url);
    let failed = |cause| Error::Open { place: place.clone(), cause };
    let options: PgConnectOptions = url.parse().map_err(failed)?;
    let options = options.application_name("afterlive");
    // A pool would try again and again for as long as a request may wait; a wrong address is better told at once.
    options.connect().await.map_err(failed)?.close().await.map_err(failed)?;
    // On a connection of its own, with another patience: of nodes that start together all but one wait for as long as it takes.
    let first = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.map_err(failed)?;
    sqlx::migrate!("migrations/postgres").run(&first).await.map_err(|cause| Error::Migrate { place: place.clone(), cause })?;
    first.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(POSTGRES_PATIENCE).await.map(drop) }))
        .test_before_acquire(false)
        .before_acquire(|connection, of| {
            Box::pin(async move {
                if of.idle_for >= POSTGRES_UNASKED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
        .map_err(failed)?;
    Ok(Pools::Postgres(pool))
}

/// Begins a transaction, on another connection where one turns out to be dead, as all are that were used in the second before the database server started anew: a
/// transaction that has not begun has done nothing, and what would be lost may be the end of a recording.
pub(super) async fn begin(pool: &PgPool) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let mut dead = 0;
    loop {
        match pool.begin().await {
            Err(sqlx::Error::Io(_) | sqlx::Error::Database(_)) if dead < POSTGRES_CONNECTIONS => dead += 1,
            begun => return begun,
        }
    }
}

/// The URL as it may be shown: without password and parameters. What does not parse is not shown at all.
pub(super) fn without_password(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            // Fails only where there is no host, and then there is no password either.
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        }
        Err(_) => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_new_database_is_its_owners_alone_and_one_that_is_there_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let modes = || {
            let files = ["a.db", "a.db-wal", "a.db-shm"].map(|name| folder.path().join(name));
            files.map(|file| metadata(file).unwrap().permissions().mode() & 0o777)
        };
        for mode in [0o600, 0o640] {
            let Pools::Sqlite { writer, readers } = open_sqlite(&path).await.unwrap() else { unreachable!() };
            assert_eq!(modes(), [mode; 3]);
            readers.close().await;
            writer.close().await;
            set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("postgres://me:secret@host/db?password=secret"), "postgres://me@host/db");
        assert_eq!(without_password("postgres://me:secret@ho st/db"), "…");
        let error = "mysql://me:secret@host/db".parse::<Location>().unwrap_err().to_string();
        assert!(error.contains("mysql://me@host") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_location_is_sqlite_or_postgres() {
        assert_eq!("sqlite:///var/x.db".parse::<Location>().unwrap(), Location::Sqlite("/var/x.db".into()));
        assert_eq!("sqlite://data/x.db".parse::<Location>().unwrap(), Location::Sqlite("data/x.db".into()));
        assert!(matches!("postgres://me@localhost/x".parse(), Ok(Location::Postgres(_))));
        for bad in ["", "x.db", "sqlite://", "mysql://localhost/x", "postgres://h:notaport/x"] {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
    }
}
