//! Recordings as rows, on each database: how they begin, end, go and come back.

use afterlive_domain::asset::Hold;
use afterlive_domain::{AssetId, AssetState, EventKind, Mode, Report, SessionId, StreamId};
use afterlive_server::db::assets::{self, Asset, Facts, NewAsset};
use afterlive_server::db::sessions::{GoLive, NewSession, go_live};
use afterlive_server::db::streams::{self, Transition};
use afterlive_server::db::{Db, asset_list, retention};
use uuid::Uuid;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};

/// A recording that has begun, of a stream that has gone live for it.
pub async fn a_recording(db: &Db, stream: StreamId) -> Asset {
    let session = NewSession {
        id: SessionId(Uuid::new_v4()),
        stream,
        mode: Mode::Rec,
        region: "eu".parse().unwrap(),
        protocol: "rtmp",
        peer: "127.0.0.1:50000".to_owned(),
    };
    let mut tx = db.write().await.unwrap();
    assert!(matches!(go_live(&mut tx, &session, NOW).await.unwrap(), GoLive::Started | GoLive::Refused(_)));
    tx.commit().await.unwrap();
    begin(db, stream, session.id).await
}

async fn begin(db: &Db, stream: StreamId, session: SessionId) -> Asset {
    let new =
        NewAsset { id: AssetId(Uuid::new_v4()), stream, session, region: "eu".parse().unwrap(), created_at: NOW.plus_ms(5) };
    let mut tx = db.write().await.unwrap();
    let asset = assets::begin(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    asset
}

fn facts() -> Facts {
    Facts {
        duration_ms: 83_450,
        size_bytes: 26_411_008,
        width: Some(1280),
        height: Some(720),
        fps: Some(29.97),
        video_codec: Some("h264".into()),
        audio_codec: Some("aac".into()),
    }
}

async fn finish(db: &Db, asset: &Asset, reason: Option<&str>) -> bool {
    let mut tx = db.write().await.unwrap();
    let finished =
        assets::finish(&mut tx, asset, &facts(), None, reason, NOW.plus_ms(90_000), NOW.plus_ms(90_001)).await.unwrap();
    tx.commit().await.unwrap();
    finished.is_some()
}

async fn read(db: &Db, id: AssetId) -> Asset {
    assets::by_id(&mut db.read().await.unwrap(), id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_recording_draws_names_that_only_count_up() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let first = a_recording(&db, stream.id).await;
        assert_eq!((first.index, &first.file_name), (1, &stream.streamname.recording_file_name(1)));
        assert_eq!(read(&db, first.id).await, first);
        let growing = assets::in_recording(&mut db.read().await.unwrap()).await.unwrap();
        assert_eq!(growing, std::slice::from_ref(&first));

        // A transaction that is rolled back gives its number back with it; a deletion does not.
        let mut tx = db.write().await.unwrap();
        let new = NewAsset {
            id: AssetId(Uuid::new_v4()),
            stream: stream.id,
            session: first.session,
            region: first.region.clone(),
            created_at: NOW,
        };
        assets::begin(&mut tx, &new).await.unwrap();
        drop(tx);
        assert!(finish(&db, &first, None).await);
        let mut tx = db.write().await.unwrap();
        assert!(assets::delete(&mut tx, organisation.id, first.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        let second = begin(&db, stream.id, first.session).await;
        assert_eq!((second.index, &second.file_name), (2, &stream.streamname.recording_file_name(2)));
    })
    .await;
}

#[tokio::test]
async fn what_goes_with_its_stream_is_never_told_to_be_ready_and_what_is_held_is() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let gone = a_recording(&db, stream.id).await;
        let held = begin(&db, stream.id, gone.session).await;
        let mut tx = db.write().await.unwrap();
        let hold = Hold { at: NOW, by: "ada@example.com".to_owned(), note: None };
        assert!(retention::hold(&mut tx, organisation.id, held.id, &hold).await.unwrap());
        assert!(matches!(streams::delete(&mut tx, organisation.id, stream.id, NOW).await.unwrap(), Transition::Done { .. }));
        tx.commit().await.unwrap();
        let mut news = db.subscribe();
        for asset in [&gone, &held] {
            let mut tx = db.write().await.unwrap();
            streams::hold(&mut tx, stream.id).await.unwrap();
            assert!(assets::finish(&mut tx, asset, &facts(), None, None, NOW, NOW).await.unwrap().is_some());
            assert_eq!(assets::delete(&mut tx, organisation.id, asset.id, NOW).await.unwrap(), asset.id == gone.id);
            tx.commit().await.unwrap();
        }
        let heard: Vec<_> = std::iter::from_fn(|| news.try_recv().ok()).map(|event| (event.kind, event.asset)).collect();
        assert_eq!(heard, [(EventKind::AssetDeleted, Some(gone.id)), (EventKind::AssetReady, Some(held.id))]);
    })
    .await;
}

#[tokio::test]
async fn a_recording_ends_once_and_tells_how() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let mut news = db.subscribe();
        let whole = a_recording(&db, stream.id).await;
        let cut_short = begin(&db, stream.id, whole.session).await;
        let lost = begin(&db, stream.id, whole.session).await;

        assert!(finish(&db, &whole, None).await);
        assert!(!finish(&db, &whole, Some("twice")).await);
        assert!(finish(&db, &cut_short, Some("the disk was too slow")).await);
        let mut tx = db.write().await.unwrap();
        assert!(assets::fail(&mut tx, &lost, "no file", NOW).await.unwrap());
        assert!(!assets::fail(&mut tx, &whole, "no file", NOW).await.unwrap());
        assert!(assets::set_poster(&mut tx, &whole, NOW.plus_ms(90_500)).await.unwrap());
        tx.commit().await.unwrap();

        let ready = read(&db, whole.id).await;
        assert_eq!((ready.state, ready.facts, ready.has_poster), (AssetState::Ready, facts(), true));
        assert_eq!(ready.ended_at, Some(NOW.plus_ms(90_000)));
        let incomplete = read(&db, cut_short.id).await;
        assert_eq!((incomplete.state, incomplete.reason.as_deref()), (AssetState::Incomplete, Some("the disk was too slow")));
        assert_eq!(read(&db, lost.id).await.state, AssetState::Failed);

        let mut told = Vec::new();
        while let Ok(event) = news.try_recv() {
            if let Some(asset) = event.asset {
                told.push((event.kind, asset));
            }
        }
        use EventKind::{AssetChanged, AssetFailed, AssetReady, AssetRecording};
        assert_eq!(
            told,
            [
                (AssetRecording, whole.id),
                (AssetRecording, cut_short.id),
                (AssetRecording, lost.id),
                (AssetReady, whole.id),
                (AssetReady, cut_short.id),
                (AssetFailed, cut_short.id),
                (AssetFailed, lost.id),
                (AssetChanged, whole.id)
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_deletion_is_undone_into_what_was_before_it() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let growing = a_recording(&db, stream.id).await;
        let ready = begin(&db, stream.id, growing.session).await;
        let incomplete = begin(&db, stream.id, growing.session).await;
        let failed = begin(&db, stream.id, growing.session).await;
        assert!(finish(&db, &ready, None).await);
        assert!(finish(&db, &incomplete, Some("reason")).await);
        // One that was finished, went on, and then came to nothing.
        let failed_later = begin(&db, stream.id, growing.session).await;
        assert!(finish(&db, &failed_later, None).await);
        let mut tx = db.write().await.unwrap();
        assert!(assets::reopen(&mut tx, &failed_later, growing.session, &Report::default(), NOW).await.unwrap());
        for failed in [&failed, &failed_later] {
            assert!(assets::fail(&mut tx, failed, "no file", NOW).await.unwrap());
        }
        let another = afterlive_domain::OrganisationId(Uuid::new_v4());
        assert!(!assets::delete(&mut tx, another, ready.id, NOW).await.unwrap());
        assert!(!assets::delete(&mut tx, organisation.id, growing.id, NOW).await.unwrap());
        let mut deleted = assets::delete_of_stream(&mut tx, organisation.id, stream.id, NOW).await.unwrap();
        deleted.sort_unstable();
        let mut finished = [ready.id, incomplete.id, failed.id, failed_later.id];
        finished.sort_unstable();
        assert_eq!(deleted, finished);
        assert!(!assets::restore(&mut tx, another, ready.id, NOW).await.unwrap());
        for id in finished {
            assert!(assets::restore(&mut tx, organisation.id, id, NOW).await.unwrap());
            assert!(!assets::restore(&mut tx, organisation.id, id, NOW).await.unwrap());
        }
        tx.commit().await.unwrap();
        assert_eq!(read(&db, ready.id).await.state, AssetState::Ready);
        assert_eq!(read(&db, incomplete.id).await.state, AssetState::Incomplete);
        for failed in [failed.id, failed_later.id] {
            let failed = read(&db, failed).await;
            assert_eq!((failed.state, failed.facts), (AssetState::Failed, Facts::default()));
        }
        assert_eq!(read(&db, growing.id).await.state, AssetState::Recording);
    })
    .await;
}

#[tokio::test]
async fn lists_are_newest_first_without_the_deleted() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let (one, other) = (a_stream(&db, &organisation).await, a_stream(&db, &organisation).await);
        let first = a_recording(&db, one.id).await;
        let mut rest = Vec::new();
        for _ in 0..3 {
            rest.push(begin(&db, one.id, first.session).await);
        }
        let foreign = a_recording(&db, other.id).await;
        assert!(finish(&db, &rest[1], None).await);
        let mut tx = db.write().await.unwrap();
        assert!(assets::delete(&mut tx, organisation.id, rest[1].id, NOW).await.unwrap());
        tx.commit().await.unwrap();

        let mut connection = db.read().await.unwrap();
        let all = asset_list::of_stream(&mut connection, one.id, 10, 0).await.unwrap();
        assert_eq!(all, [rest[2].clone(), rest[0].clone(), first.clone()]);
        assert_eq!(asset_list::of_stream(&mut connection, one.id, 1, 1).await.unwrap(), [rest[0].clone()]);
        for asset in [&first, &rest[0], &rest[2], &foreign] {
            assert!(
                asset_list::finished_of_streams(&mut connection, &[asset.stream], 9)
                    .await
                    .unwrap()
                    .iter()
                    .all(|a| a.id != asset.id)
            );
            assert!(finish(&db, asset, None).await);
        }
        let newest = asset_list::finished_of_streams(&mut connection, &[one.id, other.id], 2).await.unwrap();
        let of = |stream| newest.iter().filter(|asset| asset.stream == stream).map(|asset| asset.id).collect::<Vec<_>>();
        assert_eq!((of(one.id), of(other.id)), (vec![rest[2].id, rest[0].id], vec![foreign.id]));
        assert!(asset_list::finished_of_streams(&mut connection, &[one.id], 0).await.unwrap().is_empty());
        assert_eq!(asset_list::latest(&mut connection, organisation.id, 10).await.unwrap().len(), 4);
    })
    .await;
}
