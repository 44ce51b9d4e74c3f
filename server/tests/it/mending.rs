//! What is put right where the database and the folders do not agree: another server's folder, an older copy of the database, a disk without room.

use std::path::Path;

use afterlive_domain::{AssetId, AssetState, EventKind, StreamId};
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::RecordingWriter;
use afterlive_server::clock::Clock;
use afterlive_server::db::assets::{self, Asset};
use afterlive_server::db::sessions::{EndReason, GoLive, end_session, go_live};
use afterlive_server::db::{Db, Raw, asset_mending, region_folders, retention, streams};
use afterlive_server::finalise::{Finaliser, Known, Recovered, Stock, recover, take_stock, write_parts};
use afterlive_server::jobs::{Outcome, Task};
use afterlive_server::run::{Error, claim_folders};
use afterlive_server::storage::{Key, RegionSettings, RegionStore, Regions, SpoolNote};
use bytes::Bytes;
use uuid::Uuid;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database, on_each_database_url};
use crate::fixture::encoder::{boxes, encode};
use crate::fixture::program::{afterlive, run};
use crate::fixture::recordings::{Made, a_finished_recording, recordings};
use crate::fixture::studio::{Studio, regions};

async fn execute(db: &Db, statement: &'static str) {
    let mut tx = db.write().await.unwrap();
    match tx.raw() {
        Raw::Sqlite(c) => drop(sqlx::query(statement).execute(c).await.unwrap()),
        Raw::Postgres(c) => drop(sqlx::query(statement).execute(c).await.unwrap()),
    }
    tx.commit().await.unwrap();
}

/// How many recordings wait for room.
async fn to_be_finished(db: &Db) -> i64 {
    const COUNT: &str = "SELECT COUNT(*) FROM jobs WHERE kind = 'finish'";
    match db.write().await.unwrap().raw() {
        Raw::Sqlite(c) => sqlx::query_scalar(COUNT).fetch_one(c).await.unwrap(),
        Raw::Postgres(c) => sqlx::query_scalar(COUNT).fetch_one(c).await.unwrap(),
    }
}

async fn read(db: &Db, id: AssetId) -> Asset {
    assets::by_id(&mut db.read().await.unwrap(), id).await.unwrap().unwrap()
}

/// Sound of 100 s in the spool, behind a reserve that is too small for its index: what can only be copied.
fn spool(store: &RegionStore, asset: &Asset) {
    let key = Key::from_file_name(&asset.file_name).unwrap();
    let note = SpoolNote {
        asset: asset.id,
        stream: asset.stream,
        session: asset.session,
        streamname: key.streamname().clone(),
        index: asset.index,
        region: asset.region.clone(),
        created_at: asset.created_at,
    };
    let file = store.spool().create(&note).unwrap();
    let codec = CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 };
    let (mut writer, head) = RecordingWriter::new(&[TrackConfig { codec, timescale: 48_000 }], 8);
    write_parts(&file, 0, &[head]).unwrap();
    for n in 0..4_700_i64 {
        let data = Bytes::from(vec![0x21; 100 + usize::try_from(n % 50).unwrap()]);
        writer.push(Frame { kind: TrackKind::Audio, dts: n * 1_024, pts_offset: 0, keyframe: true, data }).unwrap();
        if n % 47 == 0
            && let Some(fragment) = writer.cut()
        {
            write_parts(&file, fragment.offset, &fragment.parts).unwrap();
        }
    }
    let last = writer.finish().0.unwrap();
    write_parts(&file, last.offset, &last.parts).unwrap();
}

/// A stream's recordings that are being recorded, each with its file in the spool.
async fn growing(db: &Db, store: &RegionStore, count: usize) -> Vec<Asset> {
    let organisation = an_organisation(db).await;
    let stream = a_stream(db, &organisation).await;
    let made = recordings(db, stream.id, vec![Made { ended_at: None, ..Made::default() }; count]).await;
    made.iter().for_each(|asset| spool(store, asset));
    made
}

fn place_of(store: &RegionStore, asset: &Asset) -> std::path::PathBuf {
    store.path(&Key::from_file_name(&asset.file_name).unwrap())
}

#[tokio::test]
async fn a_region_is_the_folders_that_has_its_recordings_and_no_other_servers() {
    on_each_database(async |db| {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [ours, theirs] = [&folders[0], &folders[1]].map(|folder| regions(folder.path()));
        let claim = async |regions: &Regions| claim_folders(&db, regions, NOW).await;
        claim(&ours).await.unwrap();
        // Moved before anything lay there.
        claim(&theirs).await.unwrap();
        for _ in 0..2 {
            claim(&ours).await.unwrap();
        }
        let refused = async || match claim(&theirs).await {
            Err(Error::OtherFolder { id, id_path, .. }) => (id, id_path),
            other => panic!("{other:?}"),
        };
        // Nothing is recorded yet, but somebody is on air.
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let session = crate::database::a_session(stream.id);
        let mut tx = db.write().await.unwrap();
        assert_eq!(go_live(&mut tx, &session, NOW).await.unwrap(), GoLive::Started);
        tx.commit().await.unwrap();
        refused().await;
        let mut tx = db.write().await.unwrap();
        end_session(&mut tx, session.id, EndReason::Unpublished, 0, NOW).await.unwrap();
        tx.commit().await.unwrap();
        a_finished_recording(&db, stream.id).await;
        let (id, id_path) = refused().await;
        claim(&ours).await.unwrap();
        // As the message says, where it takes the other's place.
        std::fs::write(id_path, format!("{id}\n")).unwrap();
        claim(&theirs).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_second_server_over_the_same_database_is_refused_and_touches_nothing_of_the_first_ones() {
    on_each_database_url(async |url: String| {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let serve = |folder: &Path| afterlive(folder, &["serve"], &[("AFTERLIVE__DATABASE__URL", url.as_str())]);
        let db = Db::open(&url.parse().unwrap()).await.unwrap();
        let ours = regions(folders[0].path());
        claim_folders(&db, &ours, NOW).await.unwrap();
        let asset = growing(&db, ours.iter().next().unwrap(), 1).await.remove(0);
        let organisation = an_organisation(&db).await;
        let on_air = crate::database::a_session(a_stream(&db, &organisation).await.id);
        let mut tx = db.write().await.unwrap();
        assert_eq!(go_live(&mut tx, &on_air, NOW).await.unwrap(), GoLive::Started);
        tx.commit().await.unwrap();

        // A folder that was a region's, as each server's is from its first start on.
        std::fs::create_dir_all(folders[1].path().join("data/vod/eu/.spool")).unwrap();
        let second = serve(folders[1].path());
        let refused = tokio::task::spawn_blocking(move || run(second, "")).await.unwrap();
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && text.contains("another server uses the database"), "{text}");
        assert_eq!(read(&db, asset.id).await.state, AssetState::Recording);
        let mut tx = db.write().await.unwrap();
        assert!(end_session(&mut tx, on_air.id, EndReason::Unpublished, 0, NOW).await.unwrap(), "it was on air still");
        tx.commit().await.unwrap();
        db.close().await;
    })
    .await;
}

/// Also while nobody is on air. And after a crash, which leaves sessions open: the lock of one folder that has its region says that no other server lives.
#[tokio::test]
async fn who_is_refused_has_taken_no_region_and_who_has_one_may_have_the_empty_ones() {
    on_each_database(async |db| {
        let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
        let of = |au: usize, eu: usize| {
            Regions::open([("au", au), ("eu", eu)].map(|(name, at)| RegionSettings {
                name: name.parse().unwrap(),
                storage: folders[at].path().to_owned(),
                vod_url: "http://localhost:3000/vod".parse().unwrap(),
            }))
            .unwrap()
        };
        let au = "au".parse().unwrap();
        let has_au = async || region_folders::of(&mut db.read().await.unwrap(), &au).await.unwrap();
        let ours = claim_folders(&db, &of(0, 1), NOW).await.unwrap();
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        a_finished_recording(&db, stream.id).await;

        let refused = claim_folders(&db, &of(2, 3), NOW).await;
        assert!(matches!(&refused, Err(Error::OtherFolder { .. })), "{refused:?}");
        assert_eq!(has_au().await, Some(ours[0].1), "nothing was taken");

        let session = crate::database::a_session(stream.id);
        let mut tx = db.write().await.unwrap();
        assert_eq!(go_live(&mut tx, &session, NOW).await.unwrap(), GoLive::Started);
        tx.commit().await.unwrap();
        let moved = claim_folders(&db, &of(2, 1), NOW).await.unwrap();
        assert_eq!((moved[1].1, has_au().await), (ours[1].1, Some(moved[0].1)));
        assert_ne!(moved[0].1, ours[0].1);
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_somebody_gave_up_or_whose_row_is_gone_is_ready_all_the_same() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        let made = growing(&db, store, 2).await;
        let mut tx = db.write().await.unwrap();
        assert!(assets::fail(&mut tx, &made[0], "another server says so", NOW).await.unwrap());
        tx.commit().await.unwrap();
        execute(&db, "DELETE FROM assets WHERE state = 'recording'").await;

        let mut events = db.subscribe();
        for asset in &made {
            finaliser.finish(asset, Known::Abandoned(None), None, NOW.plus_ms(100_000)).await.unwrap();
            let now = read(&db, asset.id).await;
            assert_eq!((now.state, &now.reason, &now.file_name), (AssetState::Ready, &None, &asset.file_name));
            assert!(now.facts.duration_ms > 100_000 && place_of(store, asset).is_file(), "{:?}", now.facts);
            let told = loop {
                let event = events.recv().await.unwrap();
                if event.kind == EventKind::AssetReady {
                    break event.asset;
                }
            };
            assert_eq!(told, Some(asset.id));
        }
        // Deleted meanwhile: the file follows.
        let deleted = growing(&db, store, 1).await.remove(0);
        execute(&db, "UPDATE assets SET state = 'deleted', deleted_at = 1 WHERE state = 'recording'").await;
        finaliser.finish(&deleted, Known::Abandoned(None), None, NOW).await.unwrap();
        assert_eq!(read(&db, deleted.id).await.state, AssetState::Deleted);
        assert_eq!(finaliser.perform(Task::Place { asset: deleted.id }).await, Outcome::Done);
        assert!(!place_of(store, &deleted).exists());
    })
    .await;
}

#[tokio::test]
async fn a_name_that_a_restored_database_gives_a_second_time_is_not_taken_from_its_file() {
    let sent = encode(2, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db.clone(), folder.path()).await;
        let [first, second] = [studio.record(&sent).await, {
            studio.clock.advance_ms(3_600_000);
            studio.record(&sent).await;
            studio.asset(2).await
        }];
        let kept = std::fs::read(studio.place(&first)).unwrap();
        // The second one lies in the bin.
        studio.store().move_to_bin(&Key::from_file_name(&second.file_name).unwrap()).await.unwrap();
        for statement in ["DELETE FROM jobs", "DELETE FROM assets", "UPDATE streams SET next_asset_index = 1"] {
            execute(&db, statement).await;
        }
        studio.clock.advance_ms(3_600_000);
        studio.record(&sent).await;
        let third = studio.asset(3).await;
        assert_eq!((third.state, &third.reason), (AssetState::Ready, &None));
        assert!(studio.place(&third).is_file());
        assert_eq!(std::fs::read(studio.place(&first)).unwrap(), kept);

        // One that began before anybody looked.
        let asset = growing(&db, studio.store(), 1).await.remove(0);
        std::fs::create_dir_all(studio.place(&asset).parent().unwrap()).unwrap();
        std::fs::write(studio.place(&asset), b"another recording").unwrap();
        studio.finaliser.finish(&asset, Known::Abandoned(None), None, NOW).await.unwrap();
        let now = read(&db, asset.id).await;
        assert_eq!((now.state, now.index), (AssetState::Ready, 2));
        assert!(studio.place(&now).is_file());
        assert_eq!(std::fs::read(studio.place(&asset)).unwrap(), b"another recording");
    })
    .await;
}

#[tokio::test]
async fn where_the_database_does_not_say_which_name_a_recording_has_no_file_is_touched() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        let made = growing(&db, store, 2).await;
        // Under the name that the first one had lies another, which grows again. An earlier try has put the first one under another name.
        let mut tx = db.write().await.unwrap();
        let renamed = asset_mending::rename(&mut tx, &made[0], 7, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let theirs = place_of(store, &made[0]);
        std::fs::create_dir_all(theirs.parent().unwrap()).unwrap();
        std::fs::rename(store.spool().recording_path(made[1].id), &theirs).unwrap();
        std::fs::rename(store.spool().recording_path(made[0].id), place_of(store, &renamed)).unwrap();
        let kept = std::fs::read(&theirs).unwrap();
        db.close().await;
        let failed = finaliser.finish(&made[0], Known::Abandoned(None), None, NOW).await;
        assert!(failed.is_err());
        assert!(std::fs::read(&theirs).unwrap() == kept, "another recording was finished in its place");
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_went_with_its_stream_is_no_damage_where_a_crash_has_left_its_note() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        let asset = growing(&db, store, 1).await.remove(0);
        let mut tx = db.write().await.unwrap();
        streams::delete(&mut tx, asset.organisation, asset.stream, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let note = store.spool().folder().join(format!("{}.json", asset.id));
        let kept = std::fs::read(&note).unwrap();
        finaliser.finish(&asset, Known::Abandoned(None), None, NOW).await.unwrap();
        assert_eq!(read(&db, asset.id).await.state, AssetState::Deleted);
        assert!(!note.exists());

        // The crash came between the commit and that.
        std::fs::write(&note, kept).unwrap();
        let locks = regions.lock_spools().unwrap();
        assert_eq!(recover(&finaliser, &locks).await.unwrap(), Recovered::default());
        assert!(store.spool().assets().unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_a_restored_database_does_not_know_has_a_row_again_after_the_start() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW.plus_ms(200_000)), regions.clone());
        let made = growing(&db, store, 2).await;
        for statement in ["DELETE FROM assets", "DELETE FROM sessions", "UPDATE streams SET next_asset_index = 1"] {
            execute(&db, statement).await;
        }
        // The first one's number was given to another since.
        let other = recordings(&db, made[0].stream, [Made::default()]).await.remove(0);
        assert_eq!(other.index, 1);
        // Of a stream that is not there.
        let stranger = Asset { id: AssetId(Uuid::new_v4()), stream: StreamId(Uuid::new_v4()), ..made[0].clone() };
        spool(store, &stranger);

        let locks = regions.lock_spools().unwrap();
        let done = recover(&finaliser, &locks).await.unwrap();
        assert_eq!(done, Recovered { sessions: 0, recordings: 2, quarantined: 1, left: 0 });
        let mut indices = Vec::new();
        for asset in &made {
            let now = read(&db, asset.id).await;
            assert_eq!((now.state, now.created_at, now.session), (AssetState::Ready, asset.created_at, asset.session));
            assert!(now.facts.duration_ms > 100_000 && place_of(store, &now).is_file());
            indices.push(now.index);
        }
        indices.sort_unstable();
        assert!(indices == [2, 3], "{indices:?}");
        assert_eq!(recordings(&db, made[0].stream, [Made::default()]).await[0].index, 4);
        assert!(folder.path().join("eu/.quarantine").join(format!("{}.mp4", stranger.id)).is_file());
        assert_eq!(recover(&finaliser, &locks).await.unwrap(), Recovered::default());
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_lies_in_another_regions_spool_is_neither_given_up_nor_set_aside() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        // In the order in which regions are gone through, the file comes first, and then the row.
        for [lies_in, belongs_to] in [["au", "eu"], ["us", "eu"]] {
            let region = |name: &str| RegionSettings {
                name: name.parse().unwrap(),
                storage: folder.path().join(lies_in).join(name),
                vod_url: format!("http://localhost:3000/vod-{name}").parse().unwrap(),
            };
            let regions = Regions::open([region(lies_in), region(belongs_to)]).unwrap();
            let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
            let [there, here] = [lies_in, belongs_to].map(|name| regions.get(&name.parse().unwrap()).unwrap());
            let asset = growing(&db, here, 1).await.remove(0);
            let exchange = |from: &RegionStore, to: &RegionStore| {
                for end in ["mp4", "json"] {
                    let name = format!("{}.{end}", asset.id);
                    std::fs::rename(from.spool().folder().join(&name), to.spool().folder().join(&name)).unwrap();
                }
            };
            exchange(here, there);
            let locks = regions.lock_spools().unwrap();
            for _ in 0..2 {
                assert_eq!(recover(&finaliser, &locks).await.unwrap(), Recovered { left: 1, ..Recovered::default() });
                assert_eq!(read(&db, asset.id).await.state, AssetState::Recording);
                assert!(there.spool().recording_path(asset.id).is_file());
            }
            exchange(there, here);
            assert_eq!(recover(&finaliser, &locks).await.unwrap(), Recovered { recordings: 1, ..Recovered::default() });
            assert_eq!(read(&db, asset.id).await.state, AssetState::Ready);
        }
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_has_no_room_to_be_finished_plays_at_its_url_says_so_and_is_finished_later() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let roomy = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        let full = roomy.clone().with_copy_margin(u64::MAX);
        let made = growing(&db, store, 2).await;
        let mut events = db.subscribe();
        for (asset, reason) in [(&made[0], None), (&made[1], Some("the disk failed"))] {
            full.finish(asset, Known::Abandoned(None), reason, NOW.plus_ms(100_000)).await.unwrap();
            let now = read(&db, asset.id).await;
            let said = now.reason.clone().unwrap();
            assert_eq!(now.state, AssetState::Incomplete);
            assert!(said.contains("no room") && said.starts_with(reason.unwrap_or("it plays")), "{said}");
            assert!(now.facts.duration_ms > 100_000 && now.facts.size_bytes > 0);
            // As it grew: fragments, which play.
            let place = place_of(store, asset);
            assert_eq!(boxes(&place)[..4], ["ftyp", "free", "moov", "moof"]);
            assert!(!store.spool().recording_path(asset.id).exists());
            let kinds = [events.recv().await.unwrap().kind, events.recv().await.unwrap().kind];
            assert_eq!(kinds, [EventKind::AssetReady, EventKind::AssetFailed]);
        }
        assert_eq!(to_be_finished(&db).await, 2);
        // A start changes nothing of it.
        let locks = regions.lock_spools().unwrap();
        assert_eq!(recover(&full, &locks).await.unwrap(), Recovered::default());
        let vain = full.perform(Task::Finish { asset: made[0].id }).await;
        assert!(matches!(vain, Outcome::Retry(_)), "{vain:?}");
        assert_eq!(read(&db, made[0].id).await.state, AssetState::Incomplete);

        for (asset, state) in [(&made[0], AssetState::Ready), (&made[1], AssetState::Incomplete)] {
            for _ in 0..2 {
                assert_eq!(roomy.perform(Task::Finish { asset: asset.id }).await, Outcome::Done);
            }
            let now = read(&db, asset.id).await;
            let reason = (state == AssetState::Incomplete).then(|| "the disk failed".to_owned());
            assert_eq!((now.state, now.reason), (state, reason));
            let place = place_of(store, asset);
            assert_eq!(boxes(&place)[..3], ["ftyp", "free", "moov"]);
            assert_eq!(now.facts.size_bytes, std::fs::metadata(&place).unwrap().len());
            assert_eq!(events.recv().await.unwrap().kind, EventKind::AssetReady);
        }
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_was_deleted_while_it_waited_for_room_is_out_of_sight_whatever_its_copy_has_put_there() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        let asset = growing(&db, store, 1).await.remove(0);
        let full = finaliser.clone().with_copy_margin(u64::MAX);
        full.finish(&asset, Known::Abandoned(None), None, NOW).await.unwrap();
        assert_eq!(read(&db, asset.id).await.state, AssetState::Incomplete);
        let mut tx = db.write().await.unwrap();
        assert!(assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(finaliser.perform(Task::Place { asset: asset.id }).await, Outcome::Done);
        let place = place_of(store, &asset);
        assert!(!place.exists());

        // As a copy that came late, and whose commit has failed.
        std::fs::write(&place, b"the copy").unwrap();
        let vain = finaliser.perform(Task::Finish { asset: asset.id }).await;
        assert!(matches!(vain, Outcome::Retry(_)), "it may come back: {vain:?}");
        assert!(!place.exists());
        let mut tx = db.write().await.unwrap();
        assert!(retention::purge(&mut tx, asset.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        std::fs::write(&place, b"the copy").unwrap();
        assert_eq!(finaliser.perform(Task::Finish { asset: asset.id }).await, Outcome::Done);
        assert!(!place.exists());
    })
    .await;
}

#[tokio::test]
async fn rows_without_files_and_files_without_rows_are_told_and_left_as_they_are() {
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        let made = growing(&db, store, 4).await;
        for asset in &made[..3] {
            finaliser.finish(asset, Known::Abandoned(None), None, NOW).await.unwrap();
        }
        assert_eq!(take_stock(&finaliser).await.unwrap(), Stock::default(), "one of them still grows");
        let gone = place_of(store, &made[0]);
        std::fs::remove_file(&gone).unwrap();
        let strangers = ["8sKpm/8sKpm-x49nB.mp4", "8sKpm/8sKpm-x49nB-2.mp4"].map(|name| folder.path().join("eu").join(name));
        let others =
            ["8sKpm/notes.txt", "8sKpm/other.mp4", "other/8sKpm-x49nB.mp4"].map(|name| folder.path().join("eu").join(name));
        for path in strangers.iter().chain(&others) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"something").unwrap();
        }
        for _ in 0..2 {
            let found = take_stock(&finaliser).await.unwrap();
            assert_eq!(found, Stock { rows_without_file: 1, files_without_row: 2 });
        }
        assert_eq!(read(&db, made[0].id).await.state, AssetState::Ready);
        assert!(strangers.iter().chain(&others).all(|path| path.exists()));
        std::fs::remove_dir_all(folder.path().join("eu/.spool")).unwrap();
        assert_eq!(take_stock(&finaliser).await.unwrap().rows_without_file, 0, "its disk is away");
    })
    .await;
}
