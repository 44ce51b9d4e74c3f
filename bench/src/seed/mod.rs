//! A full database, for benchmarks alone: 100 organisations, one of them with a tenth of all there is, and five recordings a stream. The rows are those of the
//! version before counts were kept (migration 0013), so that they never have to be changed here, and a server that opens the database shows what the rest of its
//! migrations cost.

mod bulk;
mod rows;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

use self::bulk::{Bulk, Dialect};
use crate::step;

/// The hash of the organisation that has a tenth of all.
pub(crate) const BIG: &str = "bench";
/// Tags of its streams: one that most have, one that thirty have at most, one that only the oldest have.
pub(crate) const TAGS: [&str; 3] = ["service", "rare", "old"];
/// Of this version are the rows.
const LAST_MIGRATION: i64 = 13;

/// Fills a database, which is new; `url` as the server takes it.
pub(crate) fn run(url: &str, recordings: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    runtime.block_on(async {
        match url.strip_prefix("sqlite://") {
            Some(path) => into_sqlite(Path::new(path), recordings).await,
            None => into_postgres(url, recordings).await,
        }
    })?;
    step(&format!("{recordings} recordings in {} s", began.elapsed().as_secs()));
    Ok(())
}

async fn into_sqlite(path: &Path, recordings: u64) -> Result<()> {
    if path.exists() {
        bail!("{} is there already", path.display());
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    let options =
        options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Off).pragma("cache_size", "-400000");
    let mut connection: SqliteConnection = options.connect().await?;
    sqlx::migrate!("../server/migrations/sqlite").run_to(LAST_MIGRATION, &mut connection).await?;
    let indexes: Vec<(String, String)> =
        sqlx::query_as("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            .fetch_all(&mut connection)
            .await?;
    for (name, _) in &indexes {
        connection.execute(AssertSqlSafe(format!("DROP INDEX {name}"))).await?;
    }
    connection.execute("BEGIN").await?;
    let mut bulk = Bulk::new(Dialect::Sqlite);
    let mut rows = rows::Rows::new(recordings);
    while rows.write_some(&mut bulk) {
        for statement in bulk.take() {
            connection.execute(AssertSqlSafe(statement.text)).await?;
        }
    }
    connection.execute("COMMIT").await?;
    for (_, sql) in indexes {
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(connection.close().await?)
}

async fn into_postgres(url: &str, recordings: u64) -> Result<()> {
    let mut connection = PgConnection::connect(url).await.context("PostgreSQL")?;
    sqlx::migrate!("../server/migrations/postgres").run_to(LAST_MIGRATION, &mut connection).await?;
    // All rows fit together; to look that up a million times takes a minute. Only a superuser may do without.
    let _ = connection.execute("SET session_replication_role = replica").await;
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::TEXT, indexdef FROM pg_indexes WHERE schemaname = current_schema()
         AND indexname NOT IN (SELECT conname FROM pg_constraint)",
    )
    .fetch_all(&mut connection)
    .await?;
    for (name, _) in &indexes {
        connection.execute(AssertSqlSafe(format!("DROP INDEX {name}"))).await?;
    }
    let mut bulk = Bulk::new(Dialect::Postgres);
    let mut rows = rows::Rows::new(recordings);
    while rows.write_some(&mut bulk) {
        for copy in bulk.take() {
            let mut into = connection.copy_in_raw(&copy.text).await?;
            into.send(copy.rows.as_bytes()).await?;
            into.finish().await?;
        }
    }
    for (_, sql) in indexes {
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(connection.close().await?)
}
