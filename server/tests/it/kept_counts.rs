//! What triggers keep beside the rows (migration 0014) is what counting the rows comes to, whatever happens to them, on SQLite and PostgreSQL alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use afterlive_domain::{AssetId, Mode, Report, SessionId, StreamId, StreamState, Streamname, Tags, UnixMillis};
use afterlive_server::db::assets::{self, Asset, Facts, NewAsset};
use afterlive_server::db::counts::DAY_MS;
use afterlive_server::db::organisations::Organisation;
use afterlive_server::db::sessions::{EndReason, GoLive, NewSession, end_session, go_live};
use afterlive_server::db::streams::{self, Stream};
use afterlive_server::db::{Db, Location, Raw, Tx, retention};
use sqlx::Executor as _;
use uuid::Uuid;

use crate::fixture::database::{NOW, an_organisation, on_each_database, on_each_database_url};

/// What is kept, and how it is counted.
const KEPT: [(&str, &str, &str); 5] = [
    (
        "streams",
        "SELECT organisation_id || ' ' || state || ' ' || CAST(SUM(streams) AS BIGINT) FROM stream_counts
         GROUP BY organisation_id, state HAVING SUM(streams) <> 0",
        "SELECT organisation_id || ' ' || state || ' ' || COUNT(*) FROM streams GROUP BY organisation_id, state",
    ),
    (
        "recordings",
        "SELECT organisation_id || ' ' || region || ' ' || state || ' ' || CAST(SUM(recordings) AS BIGINT) || ' '
             || CAST(SUM(size_bytes) AS BIGINT) || ' ' || CAST(SUM(duration_ms) AS BIGINT) FROM asset_counts
         GROUP BY organisation_id, region, state HAVING SUM(recordings) <> 0 OR SUM(size_bytes) <> 0 OR SUM(duration_ms) <> 0",
        "SELECT organisation_id || ' ' || region || ' ' || state || ' ' || COUNT(*) || ' '
             || CAST(SUM(size_bytes) AS BIGINT) || ' ' || CAST(SUM(duration_ms) AS BIGINT) FROM assets
         WHERE purged_at IS NULL GROUP BY organisation_id, region, state",
    ),
    (
        "what arrived",
        "SELECT organisation_id || ' ' || day || ' ' || CAST(SUM(publishes) AS BIGINT) || ' ' || CAST(SUM(bytes_in) AS BIGINT)
         FROM ingest_days GROUP BY organisation_id, day HAVING SUM(publishes) <> 0 OR SUM(bytes_in) <> 0",
        "SELECT organisation_id || ' ' || (ended_at / 86400000) || ' ' || COUNT(*) || ' ' || CAST(SUM(bytes_in) AS BIGINT) FROM sessions
         WHERE started_at / 86400000 = ended_at / 86400000 GROUP BY organisation_id, ended_at / 86400000",
    ),
    (
        "tags of streams",
        "SELECT stream_id || ' ' || tag || ' ' || state || ' ' || created_at FROM stream_tags",
        "SELECT t.stream_id || ' ' || t.tag || ' ' || s.state || ' ' || s.created_at FROM stream_tags t JOIN streams s ON s.id = t.stream_id",
    ),
    (
        "tags of recordings",
        "SELECT organisation_id || ' ' || tag || ' ' || created_at || ' ' || asset_id FROM asset_tags",
        "SELECT a.organisation_id || ' ' || t.tag || ' ' || a.created_at || ' ' || a.id FROM assets a
         JOIN stream_tags t ON t.stream_id = a.stream_id WHERE a.purged_at IS NULL",
    ),
];

async fn texts(db: &Db, statement: &'static str) -> Vec<String> {
    let mut connection = db.read().await.unwrap();
    let mut texts: Vec<String> = match connection.raw() {
        Raw::Sqlite(c) => sqlx::query_scalar(statement).fetch_all(c).await.unwrap(),
        Raw::Postgres(c) => sqlx::query_scalar(statement).fetch_all(c).await.unwrap(),
    };
    texts.sort();
    texts
}

pub async fn assert_kept(db: &Db, after: &str) {
    for (what, kept, counted) in KEPT {
        assert_eq!(texts(db, kept).await, texts(db, counted).await, "{what}, after {after}");
    }
}

async fn execute(tx: &mut Tx, statement: &'static str, id: &str) {
    match tx.raw() {
        Raw::Sqlite(c) => c.execute(sqlx::query(statement).bind(id)).await.map(drop).unwrap(),
        Raw::Postgres(c) => c.execute(sqlx::query(statement).bind(id)).await.map(drop).unwrap(),
    }
}

fn a_stream(organisation: &Organisation, number: u32, tags: &Tags) -> Stream {
    let name: Streamname = format!("{}-{number:05}", organisation.hash).parse().unwrap();
    Stream {
        id: StreamId(Uuid::new_v4()),
        organisation: organisation.id,
        streamname: name,
        state: StreamState::Created,
        default_mode: Mode::Rec,
        live_session: None,
        first_live_at: None,
        last_live_at: None,
        created_at: NOW.plus_ms(i64::from(number)),
        updated_at: NOW,
        deleted_at: None,
        push_url: None,
        publish_key_renewals: 0,
        tags: tags.clone(),
    }
}

/// Takes the same way each time.
struct Walk {
    db: Db,
    noise: u64,
    organisations: Vec<Organisation>,
    streams: Vec<Stream>,
    sessions: Vec<SessionId>,
    assets: Vec<Asset>,
    now: UnixMillis,
}

impl Walk {
    fn below(&mut self, limit: usize) -> usize {
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.noise >> 33) as usize % limit
    }

    fn tags(&mut self) -> Tags {
        let all = ["a", "b", "c", "d"];
        let (from, many) = (self.below(4), self.below(4));
        Tags::new(all.iter().cycle().skip(from).take(many)).unwrap()
    }

    fn stream(&mut self) -> Stream {
        let at = self.below(self.streams.len());
        self.streams[at].clone()
    }

    fn asset(&mut self) -> Option<Asset> {
        if self.assets.is_empty() {
            return None;
        }
        let at = self.below(self.assets.len());
        Some(self.assets[at].clone())
    }

    fn facts(&mut self) -> Facts {
        let length = 1 + self.below(100_000) as u64;
        Facts { duration_ms: length, size_bytes: length * 3, ..Facts::default() }
    }

    /// Does something, and says what.
    async fn step(&mut self, number: u32) -> &'static str {
        self.now = self.now.plus_ms(self.below(DAY_MS as usize / 3) as i64);
        let now = self.now;
        let choice = if self.streams.is_empty() { 0 } else { self.below(18) };
        let (tags, facts) = (self.tags(), self.facts());
        let mut tx = self.db.write().await.unwrap();
        let what = match choice {
            0 | 1 => {
                let at = self.below(self.organisations.len());
                let stream = a_stream(&self.organisations[at], number, &tags);
                streams::insert(&mut tx, &stream).await.unwrap();
                self.streams.push(stream);
                "a stream"
            }
            2 => {
                let stream = self.stream();
                streams::set_tags(&mut tx, stream.organisation, stream.id, &tags, now).await.unwrap();
                "other tags"
            }
            3..=6 => {
                let (stream, id) = (self.stream().id, SessionId(Uuid::new_v4()));
                let region: afterlive_domain::Region = ["eu", "us"][self.below(2)].parse().unwrap();
                let (protocol, peer) = ("rtmp", "127.0.0.1:50000".to_owned());
                let new = NewSession { id, stream, mode: Mode::Rec, region: region.clone(), protocol, peer };
                if go_live(&mut tx, &new, now).await.unwrap() == GoLive::Started {
                    self.sessions.push(id);
                    let new = NewAsset { id: AssetId(Uuid::new_v4()), stream, session: id, region, created_at: now };
                    self.assets.push(assets::begin(&mut tx, &new).await.unwrap());
                }
                "a publish"
            }
            7..=9 => {
                for session in std::mem::take(&mut self.sessions) {
                    end_session(&mut tx, session, EndReason::Unpublished, facts.size_bytes, now).await.unwrap();
                }
                "the end of all publishes"
            }
            10 | 11 => {
                for asset in self.assets.clone() {
                    let reason = (self.below(4) == 0).then_some("cut");
                    assets::finish(&mut tx, &asset, &facts, None, reason, now, now).await.unwrap();
                }
                "the end of all recordings"
            }
            12 => {
                let stream = self.stream();
                match self.below(4) {
                    0 => streams::delete(&mut tx, stream.organisation, stream.id, now).await.map(drop).unwrap(),
                    1 => streams::lock(&mut tx, stream.organisation, stream.id, now).await.map(drop).unwrap(),
                    _ => streams::unlock(&mut tx, stream.organisation, stream.id, now).await.map(drop).unwrap(),
                }
                if self.below(3) == 0 {
                    assets::delete_of_stream(&mut tx, stream.organisation, stream.id, now).await.unwrap();
                }
                "a lock, its end or a deletion"
            }
            _ => match self.asset() {
                None => "nothing",
                Some(asset) => self.change(&mut tx, &asset, choice).await,
            },
        };
        if self.below(10) == 0 {
            return "what was taken back";
        }
        tx.commit().await.unwrap();
        what
    }

    async fn change(&mut self, tx: &mut Tx, asset: &Asset, choice: usize) -> &'static str {
        let now = self.now;
        let text = asset.id.to_string();
        match choice {
            13 => {
                assets::fail(tx, asset, "nothing came", now).await.unwrap();
                "a failure"
            }
            14 => {
                assets::delete(tx, asset.organisation, asset.id, now).await.unwrap();
                if self.below(2) == 0 {
                    retention::purge(tx, asset.id, now).await.unwrap();
                }
                "the bin"
            }
            15 => {
                assets::restore(tx, asset.organisation, asset.id, now).await.unwrap();
                let report = Report::default();
                assets::reopen(tx, asset, asset.session, &report, now).await.unwrap();
                "a way back"
            }
            16 => {
                execute(tx, "UPDATE assets SET region = 'au', size_bytes = size_bytes + 7, state = state WHERE id = $1", &text)
                    .await;
                let session = asset.session.to_string();
                execute(
                    tx,
                    "UPDATE sessions SET bytes_in = bytes_in + 5, started_at = started_at - 3600000 WHERE id = $1",
                    &session,
                )
                .await;
                "a change by hand"
            }
            _ => {
                execute(tx, "DELETE FROM assets WHERE id = $1", &text).await;
                let session =
                    "DELETE FROM sessions WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM assets WHERE session_id = sessions.id)";
                execute(tx, session, &asset.session.to_string()).await;
                let stream = asset.stream.to_string();
                if self.below(2) == 0 {
                    let tags = "DELETE FROM stream_tags WHERE stream_id = $1
                        AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.stream_id = stream_tags.stream_id)";
                    execute(tx, tags, &stream).await;
                    let stream_of_none = "DELETE FROM streams WHERE id = $1
                        AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.stream_id = streams.id)
                        AND NOT EXISTS (SELECT 1 FROM assets WHERE assets.stream_id = streams.id)";
                    execute(tx, stream_of_none, &stream).await;
                }
                "rows deleted"
            }
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_what_counting_comes_to_whatever_happens() {
    on_each_database(async |db| {
        let organisations = vec![an_organisation(&db).await, an_organisation(&db).await];
        let (streams, sessions, assets) = (Vec::new(), Vec::new(), Vec::new());
        let mut walk = Walk { db: db.clone(), noise: 7, organisations, streams, sessions, assets, now: NOW };
        let mut recent = Vec::new();
        for number in 0..600 {
            recent.push(walk.step(number).await);
            // What was taken back may have left names of what is not there, and those change nothing.
            if number % 10 == 9 {
                assert_kept(&db, &format!("step {number}: {recent:?}")).await;
                recent.clear();
            }
        }
        for (what, kept, _) in KEPT {
            assert!(!texts(&db, kept).await.is_empty(), "the walk has come past {what}");
        }
    })
    .await;
}

/// A row for each count, held from the change to the commit, would have these wait for each other, and some of them in a circle.
#[tokio::test]
async fn many_that_count_for_one_organisation_at_once_all_come_through() {
    const AT_ONCE: u32 = 12;
    const TURNS: u32 = 15;
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let tags = Tags::new(["a", "b", "c"]).unwrap();
        let mut tx = db.write().await.unwrap();
        let shared = a_stream(&organisation, 0, &tags);
        streams::insert(&mut tx, &shared).await.unwrap();
        tx.commit().await.unwrap();
        let next = Arc::new(AtomicU32::new(1));
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|worker| {
                let (db, organisation, tags, next, shared) = (db.clone(), organisation.clone(), tags.clone(), Arc::clone(&next), shared.id);
                tokio::spawn(async move {
                    for turn in 0..TURNS {
                        let stream = a_stream(&organisation, next.fetch_add(1, Ordering::Relaxed), &tags);
                        let (session, region) = (SessionId(Uuid::new_v4()), "eu".parse().unwrap());
                        let mut tx = db.write().await?;
                        streams::insert(&mut tx, &stream).await?;
                        tx.commit().await?;

                        let mut tx = db.write().await?;
                        let (protocol, peer) = ("rtmp", "127.0.0.1:50000".to_owned());
                        let new = NewSession { id: session, stream: stream.id, mode: Mode::Rec, region, protocol, peer };
                        assert_eq!(go_live(&mut tx, &new, NOW).await?, GoLive::Started);
                        tx.commit().await?;

                        // Half of them are recordings of one stream, whose tags are changed meanwhile.
                        let of = if turn % 2 == 0 { stream.id } else { shared };
                        let mut tx = db.write().await?;
                        let id = AssetId(Uuid::new_v4());
                        let new = NewAsset { id, stream: of, session, region: "eu".parse().unwrap(), created_at: NOW };
                        let asset = assets::begin(&mut tx, &new).await?;
                        tx.commit().await?;

                        let mut tx = db.write().await?;
                        let facts = Facts { duration_ms: 5, size_bytes: 7, ..Facts::default() };
                        assert!(assets::finish(&mut tx, &asset, &facts, None, None, NOW, NOW).await?.is_some());
                        end_session(&mut tx, session, EndReason::Unpublished, 9, NOW.plus_ms(1)).await?;
                        tx.commit().await?;

                        let mut tx = db.write().await?;
                        match worker % 3 {
                            0 => {
                                let tags = Tags::new([["a", "d"], ["b", "e"]][turn as usize % 2]).unwrap();
                                assert!(streams::set_tags(&mut tx, organisation.id, shared, &tags, NOW).await?);
                            }
                            1 => {
                                assets::delete(&mut tx, organisation.id, id, NOW).await?;
                                retention::purge(&mut tx, id, NOW).await?;
                            }
                            _ => {
                                streams::delete(&mut tx, organisation.id, stream.id, NOW).await?;
                                // As who deletes it does.
                                streams::hold(&mut tx, of).await?;
                                assets::delete_of_stream(&mut tx, organisation.id, of, NOW).await?;
                            }
                        }
                        tx.commit().await?;
                    }
                    Ok::<_, afterlive_server::db::Error>(())
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap().expect("nobody is stopped");
        }
        for (what, kept, counted) in &KEPT[..4] {
            assert_eq!(texts(&db, kept).await, texts(&db, counted).await, "{what}");
        }
        let missing = "SELECT a.id FROM assets a JOIN stream_tags t ON t.stream_id = a.stream_id WHERE a.purged_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM asset_tags d WHERE d.asset_id = a.id AND d.tag = t.tag)";
        assert_eq!(texts(&db, missing).await, Vec::<String>::new(), "every recording is found by each tag");
        let rest = "SELECT d.asset_id FROM asset_tags d JOIN assets a ON a.id = d.asset_id
             WHERE a.purged_at IS NULL AND NOT EXISTS (SELECT 1 FROM stream_tags t WHERE t.stream_id = a.stream_id AND t.tag = d.tag)";
        assert_eq!(texts(&db, rest).await, Vec::<String>::new(), "and by no other");
        // Three changes a stream at least, each a row at first.
        let rows = texts(&db, "SELECT state FROM stream_counts").await.len();
        assert!(rows < (3 * AT_ONCE * TURNS) as usize / 2, "{rows} rows are left of the changes");
    })
    .await;
}

#[tokio::test]
async fn what_was_there_before_is_counted_when_the_tables_come() {
    on_each_database_url(async |url: String| {
        const BEFORE: i64 = 13;
        let rows = [
            "INSERT INTO organisations (id, hash, name, recording_enabled, vod_public, created_at, updated_at) VALUES ('o', 'abcde', 'O', TRUE, TRUE, 0, 0)",
            "INSERT INTO streams (id, organisation_id, streamname, state, default_mode, created_at, updated_at)
             VALUES ('s1', 'o', 'abcde-00001', 'ended', 'rec', 5, 5), ('s2', 'o', 'abcde-00002', 'deleted', 'rec', 6, 6), ('s3', 'o', 'abcde-00003', 'ended', 'rec', 7, 7)",
            "INSERT INTO stream_tags (stream_id, organisation_id, tag, position) VALUES ('s1', 'o', 'a', 0), ('s1', 'o', 'b', 1), ('s2', 'o', 'a', 0)",
            "INSERT INTO sessions (id, organisation_id, stream_id, mode, region, protocol, peer, started_at, ended_at, bytes_in)
             VALUES ('p1', 'o', 's1', 'rec', 'eu', 'rtmp', '', 10, 20, 100), ('p2', 'o', 's2', 'rec', 'eu', 'rtmp', '', 10, 86400001, 7), ('p3', 'o', 's1', 'rec', 'eu', 'rtmp', '', 30, 40, 23)",
            "INSERT INTO assets (id, organisation_id, stream_id, session_id, asset_index, region, file_name, state, created_at, updated_at, duration_ms, size_bytes, purged_at)
             VALUES ('a1', 'o', 's1', 'p1', 1, 'eu', 'a1', 'ready', 10, 10, 3, 30, NULL), ('a2', 'o', 's1', 'p3', 2, 'us', 'a2', 'deleted', 30, 30, 4, 40, NULL),
                    ('a3', 'o', 's2', 'p2', 1, 'eu', 'a3', 'deleted', 10, 10, 5, 50, 60)",
        ];
        match url.strip_prefix("sqlite://") {
            Some(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
                let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
                sqlx::migrate!("migrations/sqlite").run_to(BEFORE, &pool).await.unwrap();
                for statement in rows {
                    sqlx::query(statement).execute(&pool).await.unwrap();
                }
                pool.close().await;
            }
            None => {
                let pool = sqlx::PgPool::connect(&url).await.unwrap();
                sqlx::migrate!("migrations/postgres").run_to(BEFORE, &pool).await.unwrap();
                for statement in rows {
                    sqlx::query(statement).execute(&pool).await.unwrap();
                }
                pool.close().await;
            }
        }
        let db = Db::open(&url.parse::<Location>().unwrap()).await.unwrap();
        assert_kept(&db, "the migration").await;
        assert_eq!(texts(&db, KEPT[0].1).await, ["o deleted 1", "o ended 2"]);
        assert_eq!(texts(&db, KEPT[2].1).await, ["o 0 2 123"]);
        assert_eq!(texts(&db, KEPT[4].1).await.len(), 4);
        db.close().await;
    })
    .await;
}
