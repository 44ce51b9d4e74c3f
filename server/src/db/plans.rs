//! How the statements go about it that are asked for most, on either database, with rows in it: along an index each, whatever is searched for. On PostgreSQL where
//! `AFTERLIVE_TEST_POSTGRES_URL` names a server.

use afterlive_domain::{AssetState, OrganisationId, StreamId, StreamState, UnixMillis};
use sqlx::{AssertSqlSafe, Database, Execute as _, Executor as _, IntoArguments, Postgres, QueryBuilder, Row as _, Sqlite};
use uuid::Uuid;

use super::asset_search::{self, Place as AssetPlace};
use super::stream_search::{self, Order, Place, tagged};
use super::{Connection, Db, Location, Raw, asset_list, counts, retention};

/// One organisation with a third of all, and rows enough for an index to be worth it.
const ROWS: [&str; 10] = [
    "INSERT INTO organisations (id, hash, name, recording_enabled, vod_public, created_at, updated_at)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
     SELECT '00000000-0000-0000-0000-0000000000' || (10 + i), 'o' || i, 'Full', TRUE, TRUE, 0, 0 FROM n",
    "INSERT INTO streams (id, organisation_id, streamname, state, default_mode, created_at, updated_at)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
     SELECT '10000000-0000-0000-0000-00000000' || (1000 + i), '00000000-0000-0000-0000-0000000000' || (CASE WHEN i % 3 = 0 THEN 10 ELSE 11 + i % 40 END),
            's' || i, CASE WHEN i % 50 = 7 THEN 'deleted' WHEN i % 40 = 3 THEN 'locked' ELSE 'ended' END, 'rec', i * CAST(1000000 AS BIGINT), 0 FROM n",
    "INSERT INTO stream_tags (stream_id, organisation_id, tag, position) SELECT id, organisation_id, 'common', 0 FROM streams",
    "INSERT INTO stream_tags (stream_id, organisation_id, tag, position) SELECT id, organisation_id, 'title ' || streamname, 1 FROM streams",
    "INSERT INTO stream_tags (stream_id, organisation_id, tag, position)
     SELECT id, organisation_id, 'old', 2 FROM streams WHERE created_at < 300000000",
    "INSERT INTO sessions (id, organisation_id, stream_id, mode, region, protocol, peer, started_at, ended_at, bytes_in)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2)
     SELECT 'e' || n.i || s.id, organisation_id, s.id, 'rec', 'eu', 'rtmp', '', created_at + n.i, created_at + 50000 + n.i, 7 FROM streams s CROSS JOIN n",
    "INSERT INTO assets (id, organisation_id, stream_id, session_id, asset_index, region, file_name, state, created_at, updated_at, duration_ms, size_bytes)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2)
     SELECT 'a' || n.i || s.id, organisation_id, s.id, 'e' || n.i || s.id, n.i, CASE WHEN created_at % 70 = 0 THEN 'au' ELSE 'eu' END, 'a' || n.i || s.id,
            CASE WHEN created_at % 17 = 0 THEN 'failed' WHEN created_at % 19 = 0 THEN 'deleted' ELSE 'ready' END, created_at + n.i, 0, 10, 10
     FROM streams s CROSS JOIN n",
    "UPDATE assets SET held_at = 7 WHERE created_at % 500 = 0 AND state = 'ready'",
    // Counts of many others: those of the 41 alone are fewer than PostgreSQL takes an index for.
    "INSERT INTO stream_counts (organisation_id, state, streams)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) SELECT 'other ' || i, 'ended', 1 FROM n",
    "INSERT INTO asset_counts (organisation_id, region, state, recordings, size_bytes, duration_ms)
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) SELECT 'other ' || i, 'eu', 'ready', 1, 10, 10 FROM n",
];

fn full() -> OrganisationId {
    OrganisationId(Uuid::from_u128(0x10))
}

fn a_stream(number: u128) -> StreamId {
    StreamId(Uuid::from_u128((0x1000_0000_u128 << 96) + number))
}

/// On each database, filled.
async fn on_each(body: impl AsyncFn(&mut Connection)) {
    let folder = tempfile::tempdir().unwrap();
    with_rows(Location::Sqlite(folder.path().join("test.db")), &body).await;
    let Ok(server) = std::env::var("AFTERLIVE_TEST_POSTGRES_URL") else { return };
    let schema = format!("test_{}", Uuid::new_v4().simple());
    let control = sqlx::PgPool::connect(&server).await.unwrap();
    control.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
    with_rows(Location::Postgres(format!("{server}?options[search_path]={schema}")), &body).await;
    control.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
    control.close().await;
}

async fn with_rows(location: Location, body: &impl AsyncFn(&mut Connection)) {
    let db = Db::open(&location).await.unwrap();
    let mut tx = db.write().await.unwrap();
    for statement in ROWS {
        super::on!(tx, c => c.execute(statement).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
    let mut connection = db.read().await.unwrap();
    if let Raw::Postgres(c) = connection.raw() {
        c.execute("VACUUM ANALYZE").await.unwrap();
    }
    body(&mut connection).await;
    drop(connection);
    db.close().await;
}

async fn on_sqlite(connection: &mut sqlx::SqliteConnection, mut query: QueryBuilder<Sqlite>) -> Vec<String> {
    let (sql, arguments) = taken_apart(&mut query);
    let steps =
        sqlx::query_with(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")), arguments).fetch_all(connection).await.unwrap();
    steps.iter().map(|step| step.get("detail")).collect()
}

async fn on_postgres(connection: &mut sqlx::PgConnection, mut query: QueryBuilder<Postgres>) -> Vec<String> {
    let (sql, arguments) = taken_apart(&mut query);
    let steps = sqlx::query_with(AssertSqlSafe(format!("EXPLAIN {sql}")), arguments).fetch_all(connection).await.unwrap();
    steps.iter().map(|step| step.get(0)).collect()
}

fn taken_apart<D: Database>(query: &mut QueryBuilder<D>) -> (String, D::Arguments)
where
    D::Arguments: IntoArguments<D>,
{
    let mut query = query.build();
    let arguments = query.take_arguments().unwrap().unwrap_or_default();
    (query.sql().as_str().to_owned(), arguments)
}

/// The steps of a statement that is written for either database.
macro_rules! steps {
    ($connection:expr, $query:expr) => {
        match $connection.raw() {
            Raw::Sqlite(c) => on_sqlite(c, $query).await,
            Raw::Postgres(c) => on_postgres(c, $query).await,
        }
    };
}

/// Along that index, and past no row that something else leads to.
fn assert_along(what: &str, index: &str, steps: &[String]) {
    assert!(steps.iter().any(|step| step.contains(index)), "{what}: not along {index}: {steps:#?}");
    for table in ["streams", "stream_tags", "assets", "asset_tags", "sessions", "stream_counts", "asset_counts", "ingest_days"] {
        let reads_all = |step: &String| {
            let of_postgres = step.contains(&format!("Seq Scan on {table} ")) || step.ends_with(&format!("Seq Scan on {table}"));
            // What is scanned there besides are answers of the statement's own parts.
            let of_sqlite = ["s", "a", "d", "t", "n", table]
                .iter()
                .any(|name| *step == format!("SCAN {name}") || step.starts_with(&format!("SCAN {name} USING")));
            of_postgres || of_sqlite
        };
        assert!(!steps.iter().any(reads_all), "{what}: reads all of {table}: {steps:#?}");
    }
}

#[tokio::test]
async fn every_filter_of_the_library_is_a_range_of_an_index() {
    let search = asset_search::Search::default;
    let by_stream = asset_search::Search { stream: Some(a_stream(0x1300)), ..search() };
    let of_stream_in_bin = asset_search::Search { state: Some(AssetState::Deleted), ..by_stream.clone() };
    let tagged = |tag: &str| asset_search::Search { tags: vec![tag.to_owned()], ..search() };
    let in_state = |state| asset_search::Search { state: Some(state), ..search() };
    let in_region = |region: &str| asset_search::Search { region: Some(region.parse().unwrap()), ..search() };
    let cases = [
        ("nothing", search(), "assets_listed"),
        ("stream", by_stream, "assets_listed_of_stream"),
        ("stream and the bin", of_stream_in_bin, "assets_by_stream"),
        ("a tag that all have", tagged("common"), "asset_tags"),
        ("a tag that one has", tagged("title s3"), "asset_tags"),
        ("a tag that old ones have", tagged("old"), "asset_tags"),
        ("region", in_region("eu"), "assets_in_region"),
        ("a rare region", in_region("au"), "assets_in_region"),
        // As most are in it, the list of all leads there as well, which PostgreSQL knows.
        ("state", in_state(AssetState::Ready), "assets_"),
        ("a rare state", in_state(AssetState::Failed), "assets_in_state"),
        ("the bin", in_state(AssetState::Deleted), "assets_in_state"),
        ("legal hold", asset_search::Search { held: true, ..search() }, "assets_held"),
        (
            "time",
            asset_search::Search { from: Some(UnixMillis(100_000_000)), to: Some(UnixMillis(200_000_000)), ..search() },
            "assets_listed",
        ),
    ];
    on_each(async |connection| {
        let after = AssetPlace { created_at: UnixMillis(1_500_000_000), id: afterlive_domain::AssetId(Uuid::nil()) };
        for (what, search, index) in &cases {
            let walk = asset_search::walk::choose(connection, full(), search).await.unwrap();
            for after in [None, Some(&after)] {
                let steps = steps!(connection, walk.page(full(), search, after, 51));
                let is_one_stream = search.stream.is_some();
                // PostgreSQL takes the few of a stream and sorts them.
                let has_other =
                    is_one_stream && steps.iter().any(|step| step.contains("of_stream") || step.contains("by_stream"));
                assert_along(what, if has_other { "_stream" } else { index }, &steps);
                let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
                assert!(!sorts, "{what}: {steps:#?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn streams_with_a_tag_are_a_range_of_an_index() {
    on_each(async |connection| {
        let after = (Place::CreatedAt(UnixMillis(1_500_000_000)), a_stream(0x1300));
        for tag in ["common", "title s3", "old"] {
            for (state, index) in [
                (Some(StreamState::Ended), "stream_tags_by_state"),
                (Some(StreamState::Locked), "stream_tags_by_state"),
                (None, "stream_tags_listed"),
            ] {
                let search = stream_search::Search { state, tags: vec![tag.to_owned()], ..stream_search::Search::default() };
                let is_postgres = matches!(connection.raw(), Raw::Postgres(_));
                // What few have is as few rows along either index of the tag, and PostgreSQL takes the one or the other.
                let index = if is_postgres && tag != "common" { "stream_tags_" } else { index };
                for after in [None, Some(&after)] {
                    let steps = steps!(connection, tagged::page(full(), &search, tag, after, 51, 0));
                    assert_along(tag, index, &steps);
                }
                // A third of all rows is counted as well by reading all, and PostgreSQL does where other tests keep it from knowing that no row of the index is dead.
                if is_postgres && tag == "common" {
                    continue;
                }
                let steps = steps!(connection, tagged::count(full(), &search, tag));
                assert_along(tag, "stream_tags_", &steps);
            }
        }
        let steps = steps!(connection, tagged::all(full(), 200));
        assert_along("tags", "stream_tags_listed", &steps);
    })
    .await;
}

#[tokio::test]
async fn a_list_of_streams_without_a_tag_is_a_range_of_the_index_that_has_its_order() {
    let in_state = |state| stream_search::Search { state: Some(state), ..stream_search::Search::default() };
    let last_updated = stream_search::Search { order: Order::LastUpdatedFirst, ..stream_search::Search::default() };
    let by_name = stream_search::Search { order: Order::ByName, ..stream_search::Search::default() };
    let in_time = stream_search::Search {
        from: Some(UnixMillis(100_000_000)),
        to: Some(UnixMillis(2_000_000_000)),
        ..stream_search::Search::default()
    };
    let cases = [
        ("nothing", stream_search::Search::default(), "streams_by_creation"),
        ("time", in_time, "streams_by_creation"),
        ("a state", in_state(StreamState::Ended), "streams_by_state"),
        ("a rare state", in_state(StreamState::Locked), "streams_by_state"),
        ("last updated", last_updated, "streams_by_update"),
        ("by name", by_name, "streams_by_name"),
    ];
    on_each(async |connection| {
        let is_postgres = matches!(connection.raw(), Raw::Postgres(_));
        for (what, search, index) in &cases {
            let place = match search.order {
                Order::LastUpdatedFirst => Place::UpdatedAt(UnixMillis(7)),
                Order::ByName => Place::Name("m".to_owned()),
                Order::NewestFirst => Place::CreatedAt(UnixMillis(1_500_000_000)),
            };
            for after in [None, Some(&(place, a_stream(0x1300)))] {
                let steps = steps!(connection, stream_search::listed(full(), search, None, after, 51));
                // As most are in it, the list of all leads there as well, which PostgreSQL knows.
                let is_common = search.state == Some(StreamState::Ended);
                assert_along(what, if is_postgres && is_common { "streams_by_" } else { index }, &steps);
                // PostgreSQL takes the few of a rare state and sorts them.
                let may_sort = is_postgres && search.state == Some(StreamState::Locked);
                let is_sort = |step: &String| step.contains("B-TREE FOR ORDER BY") || step.contains("Sort Key");
                assert!(may_sort || !steps.iter().any(is_sort), "{what}: {steps:#?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_counted_of_an_organisation_is_a_range_of_the_counts_and_not_all_of_them() {
    let statements = [
        ("streams by state", counts::STREAMS_BY_STATE, "stream_counts"),
        ("recordings", counts::RECORDINGS, "asset_counts"),
        ("what is stored", counts::STORED_BY_REGION, "asset_counts"),
    ];
    on_each(async |connection| {
        // A bag of changes with an index on PostgreSQL, and a row a count on SQLite.
        let is_postgres = matches!(connection.raw(), Raw::Postgres(_));
        for (what, statement, table) in statements {
            let index = match is_postgres {
                true => format!("{table}_of_organisation"),
                false => format!("{table} USING PRIMARY KEY (organisation_id=?"),
            };
            for (region, state) in [("NULL", "NULL"), ("'eu'", "'ready'")] {
                let text = statement.replace("$1", &format!("'{}'", full())).replace("$2", region).replace("$3", state);
                let steps = steps!(connection, QueryBuilder::new(text.clone()));
                assert_along(what, &index, &steps);
            }
        }
        for many in [1, 50] {
            let streams: Vec<StreamId> = (0..many).map(|n| a_stream(0x1100 + n)).collect();
            let steps = steps!(connection, counts::recordings_of(&streams));
            // By whichever index begins with the stream.
            assert_along("recordings by stream", if is_postgres { "_stream" } else { "(stream_id=?)" }, &steps);
        }
    })
    .await;
}

#[tokio::test]
async fn what_retention_may_take_is_a_range_of_an_index_in_the_order_in_which_it_goes() {
    let statements =
        [("the oldest", retention::OLDEST, "assets_oldest"), ("what is in the bin", retention::BINNED, "assets_binned")];
    on_each(async |connection| {
        for (what, statement, index) in statements {
            // All but the region are numbers that could be anything.
            let text = (2..=8).fold(statement.replace("$1", "'eu'"), |text, n| text.replace(&format!("${n}"), "1000"));
            let steps = steps!(connection, QueryBuilder::new(text.clone()));
            assert_along(what, index, &steps);
            // PostgreSQL may take the few that it expects and sort them.
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{what}: {steps:#?}");
        }
    })
    .await;
}

#[tokio::test]
async fn recordings_of_many_streams_and_what_pages_count_are_looks_along_indexes() {
    on_each(async |connection| {
        let streams: Vec<String> = (0..50).map(|n| a_stream(0x1100 + n).to_string()).collect();
        let steps = match connection.raw() {
            Raw::Sqlite(c) => on_sqlite(c, asset_list::on_sqlite(&streams, 50)).await,
            Raw::Postgres(c) => on_postgres(c, asset_list::on_postgres(streams, 50)).await,
        };
        assert_along("recordings", "_stream", &steps);
        let steps = steps!(connection, asset_list::finished_of(a_stream(0x1300), 10));
        assert_along("recordings of one", "_stream", &steps);
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        let steps = steps!(connection, asset_list::growing_of(a_stream(0x1300)));
        assert_along("what grows", "assets_growing", &steps);
        for (what, statement, index) in [
            ("over midnight", counts::INGEST_OVER_MIDNIGHT, "sessions_over_midnight"),
            // `ingest_days_of_organisation` on PostgreSQL, the primary key on SQLite.
            ("by day", counts::INGEST_BY_DAY, "ingest_days"),
            // `sessions_on_air`, or `sessions_open`: nobody is on air here, and PostgreSQL finds nothing along either.
            ("on air", counts::ON_AIR, "sessions_o"),
        ] {
            // All of their parameters are numbers that could be anything, or the organisation.
            let text = statement.replace("$1", &format!("'{}'", full())).replace("$2", "1000");
            let steps = steps!(connection, QueryBuilder::new(text.clone()));
            assert_along(what, index, &steps);
        }
    })
    .await;
}
