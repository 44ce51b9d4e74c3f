//! The databases that are measured: filled where they are not there yet, and then kept.

use std::path::Path;

use anyhow::{Context as _, Result};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::seed;
use crate::settings::Settings;
use crate::step;

pub(crate) struct Database {
    /// As the server takes it.
    pub(crate) url: String,
}

/// What calls are about.
pub(crate) struct Samples {
    pub(crate) streams: Vec<String>,
    /// The stream with the most recordings.
    pub(crate) biggest: String,
}

impl Database {
    pub(crate) fn sqlite(settings: &Settings, recordings: u64) -> Result<Self> {
        let folder = settings.results.join("full");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{recordings}.db"));
        if !path.exists() {
            step(&format!("Filling {}", path.display()));
            let unfinished = folder.join("unfinished.db");
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(folder.join(format!("unfinished.db{end}")));
            }
            seed::run(&url_of(&unfinished), recordings)?;
            std::fs::rename(&unfinished, &path)?;
        }
        Ok(Self { url: url_of(&path) })
    }

    /// In a database of its own on that server.
    pub(crate) fn postgres(server: &str, recordings: u64) -> Result<Self> {
        let (address, _) = server.rsplit_once('/').context("a PostgreSQL URL without a database")?;
        let name = format!("afterlive_bench_{recordings}");
        let this = Self { url: format!("{address}/{name}") };
        wait(async {
            let mut control = PgConnection::connect(server).await?;
            let is_there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
                .bind(&name)
                .fetch_optional(&mut control)
                .await?;
            if is_there.is_some() {
                return Ok(());
            }
            step(&format!("Filling {name}"));
            let unfinished = "afterlive_bench_unfinished";
            control.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {unfinished}"))).await?;
            control.execute(AssertSqlSafe(format!("CREATE DATABASE {unfinished}"))).await?;
            let url = format!("{address}/{unfinished}");
            tokio::task::spawn_blocking(move || seed::run(&url, recordings)).await??;
            control.execute(AssertSqlSafe(format!("ALTER DATABASE {unfinished} RENAME TO {name}"))).await?;
            Ok(())
        })?;
        Ok(this)
    }

    pub(crate) fn kind(&self) -> &'static str {
        if self.sqlite_path().is_some() { "SQLite" } else { "PostgreSQL" }
    }

    fn sqlite_path(&self) -> Option<&str> {
        self.url.strip_prefix("sqlite://")
    }

    /// The database is kept and the folders are not: those of the next run are others, and a server takes them for another server's.
    pub(crate) fn forget_folders(&self) -> Result<()> {
        const FORGET: &str = "DELETE FROM region_folders";
        wait(async {
            match self.sqlite_path() {
                Some(path) => {
                    let mut connection: SqliteConnection = SqliteConnectOptions::new().filename(path).connect().await?;
                    connection.execute(FORGET).await?;
                }
                None => {
                    PgConnection::connect(&self.url).await?.execute(FORGET).await?;
                }
            }
            Ok(())
        })
    }

    /// What PostgreSQL does by itself some minutes after rows have come, and not while it is measured.
    pub(crate) fn look_at_rows(&self) -> Result<()> {
        if self.sqlite_path().is_some() {
            return Ok(());
        }
        wait(async {
            let mut connection = PgConnection::connect(&self.url).await?;
            connection.execute("VACUUM ANALYZE").await?;
            Ok(())
        })
    }

    /// Streams from all over the list of the organisation that has the most.
    pub(crate) fn samples(&self, streams: usize) -> Result<Samples> {
        const SAMPLE: &str = "SELECT s.id FROM streams s JOIN organisations o ON o.id = s.organisation_id
             WHERE o.hash = $1 AND s.state = 'ended' ORDER BY s.id LIMIT $2";
        const BIGGEST: &str = "SELECT s.id FROM streams s JOIN organisations o ON o.id = s.organisation_id
             WHERE o.hash = $1 AND s.state = 'ended' ORDER BY s.next_asset_index DESC LIMIT 1";
        let limit = streams as i64;
        wait(async {
            let (streams, biggest) = match self.sqlite_path() {
                Some(path) => {
                    let mut connection: SqliteConnection =
                        SqliteConnectOptions::new().filename(path).read_only(true).connect().await?;
                    let streams = sqlx::query_scalar(SAMPLE).bind(seed::BIG).bind(limit).fetch_all(&mut connection).await?;
                    (streams, sqlx::query_scalar(BIGGEST).bind(seed::BIG).fetch_one(&mut connection).await?)
                }
                None => {
                    let mut connection = PgConnection::connect(&self.url).await?;
                    let streams = sqlx::query_scalar(SAMPLE).bind(seed::BIG).bind(limit).fetch_all(&mut connection).await?;
                    (streams, sqlx::query_scalar(BIGGEST).bind(seed::BIG).fetch_one(&mut connection).await?)
                }
            };
            Ok(Samples { streams, biggest })
        })
    }
}

fn url_of(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
