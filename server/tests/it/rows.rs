//! Rows as they come back from either database: what was written, whatever is in it, and all of many that one transaction writes.

use std::collections::HashSet;

use afterlive_domain::{AssetId, EventKind, Tags};
use afterlive_server::db::asset_list::Playable;
use afterlive_server::db::assets::{self, Asset, Facts, NewAsset};
use afterlive_server::db::{Db, Raw, asset_list, asset_search, stream_search, streams};
use afterlive_server::jobs::{self, Task};
use uuid::Uuid;

use crate::assets::a_recording;
use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};

/// Nothing that a text may have is to be taken for something else on the way.
const ODD: &str = "\"quoted\", \\back\\slash\n\ttab \u{1} null [1,2] 'x' ß 😀";

#[tokio::test]
async fn what_is_read_is_what_was_written_to_the_last_digit_and_letter() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let tags = Tags::new(["z", "a \"b\" \\", "ß 😀 [null]", "a"]).unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(streams::set_tags(&mut tx, organisation.id, stream.id, &tags, NOW).await.unwrap());
        tx.commit().await.unwrap();

        let session = a_recording(&db, stream.id).await.session;
        for fps in [None, Some(25.0), Some(30_000.0 / 1_001.0), Some(24_000.0 / 1_001.0), Some(0.1 + 0.2), Some(1e-7 / 3.0)] {
            let (id, region) = (AssetId(Uuid::new_v4()), "eu".parse().unwrap());
            let new = NewAsset { id, stream: stream.id, session, region, created_at: NOW };
            let facts = Facts {
                duration_ms: 83_450,
                size_bytes: 9_007_199_254_740_993,
                width: fps.map(|_| 1_280),
                height: fps.map(|_| 720),
                fps,
                video_codec: fps.map(|_| "h264".to_owned()),
                audio_codec: None,
            };
            let mut tx = db.write().await.unwrap();
            let begun = assets::begin(&mut tx, &new).await.unwrap();
            assert!(assets::finish(&mut tx, &begun, &facts, None, Some(ODD), NOW, NOW).await.unwrap().is_some());
            tx.commit().await.unwrap();

            let mut connection = db.read().await.unwrap();
            let alone = assets::by_id(&mut connection, begun.id).await.unwrap().unwrap();
            assert_eq!((&alone.facts, alone.reason.as_deref(), alone.has_poster), (&facts, Some(ODD), false));
            let listed = asset_search::by_id(&mut connection, begun.id).await.unwrap().unwrap();
            assert_eq!((&listed.asset, &listed.tags), (&alone, &tags));
            let search = asset_search::Search::default();
            let page = asset_search::page(&mut connection, organisation.id, &search, None, 100).await.unwrap();
            assert!(page.contains(&listed));
            for streams in [&[stream.id][..], &[stream.id, a_stream(&db, &organisation).await.id]] {
                let finished = asset_list::finished_of_streams(&mut connection, streams, 100).await.unwrap();
                assert!(finished.contains(&as_shown(alone.clone())), "{} streams", streams.len());
            }
        }
        let mut connection = db.read().await.unwrap();
        let alone = streams::by_id(&mut connection, stream.id).await.unwrap().unwrap();
        assert_eq!(alone.tags, tags);
        let search = stream_search::Search { tags: vec!["a".to_owned()], ..stream_search::Search::default() };
        assert_eq!(stream_search::page(&mut connection, organisation.id, &search, 9, 0).await.unwrap(), [alone]);
    })
    .await;
}

/// What a stream shows of it.
fn as_shown(asset: Asset) -> Playable {
    Playable {
        id: asset.id,
        stream: asset.stream,
        index: asset.index,
        region: asset.region,
        file_name: asset.file_name,
        state: asset.state,
        created_at: asset.created_at,
        duration_ms: asset.facts.duration_ms,
        size_bytes: asset.facts.size_bytes,
        width: asset.facts.width,
        height: asset.facts.height,
        video_codec: asset.facts.video_codec,
        audio_codec: asset.facts.audio_codec,
        has_poster: asset.has_poster,
        has_storyboard: asset.has_storyboard,
    }
}

/// More than one statement's worth of rows.
const MANY: i64 = 250;

#[tokio::test]
async fn a_stream_with_many_recordings_is_deleted_with_an_event_and_a_job_for_each_and_few_changes_of_counts() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let session = a_recording(&db, stream.id).await.session;
        let mut tx = db.write().await.unwrap();
        for _ in 0..MANY {
            let (id, region) = (AssetId(Uuid::new_v4()), "eu".parse().unwrap());
            let new = NewAsset { id, stream: stream.id, session, region, created_at: NOW };
            let asset = assets::begin(&mut tx, &new).await.unwrap();
            let facts = Facts { duration_ms: 1, size_bytes: 1, ..Facts::default() };
            assert!(assets::finish(&mut tx, &asset, &facts, None, None, NOW, NOW).await.unwrap().is_some());
        }
        tx.commit().await.unwrap();

        let changes_before = count(&db, "SELECT COUNT(*) FROM asset_counts").await;
        let mut heard = db.subscribe();
        let mut tx = db.write().await.unwrap();
        let binned = assets::delete_of_stream(&mut tx, organisation.id, stream.id, NOW).await.unwrap();
        let tasks = binned.iter().map(|&asset| Task::Place { asset });
        jobs::enqueue_all(&mut tx, tasks.clone(), NOW).await.unwrap();
        // Again: a task that waits starts over, and is not there twice.
        jobs::enqueue_all(&mut tx, tasks, NOW).await.unwrap();
        tx.commit().await.unwrap();

        let (mut last, mut deleted) = (0, HashSet::new());
        while let Ok(event) = heard.try_recv() {
            assert!(event.id > last && event.kind == EventKind::AssetDeleted, "{event:?} after {last}");
            let asset = event.asset.unwrap();
            let stored = format!("SELECT COUNT(*) FROM events WHERE id = {} AND asset_id = '{asset}'", event.id);
            assert_eq!(count(&db, &stored).await, 1, "{event:?}");
            last = event.id;
            assert!(deleted.insert(asset), "{asset} twice");
        }
        assert_eq!((deleted.len() as i64, deleted), (MANY, binned.into_iter().collect()));
        assert_eq!(count(&db, "SELECT COUNT(*) FROM jobs WHERE kind = 'place' AND state = 'ready'").await, MANY);
        let kept = "SELECT CAST(SUM(recordings) AS BIGINT) FROM asset_counts WHERE state = 'deleted'";
        assert_eq!(count(&db, kept).await, MANY);
        let changes = count(&db, "SELECT COUNT(*) FROM asset_counts").await - changes_before;
        assert!(changes <= 2, "{changes} changes: one for each state is enough");
    })
    .await;
}

async fn count(db: &Db, statement: &str) -> i64 {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    match db.read().await.unwrap().raw() {
        Raw::Sqlite(c) => sqlx::query_scalar(statement).fetch_one(c).await.unwrap(),
        Raw::Postgres(c) => sqlx::query_scalar(statement).fetch_one(c).await.unwrap(),
    }
}
