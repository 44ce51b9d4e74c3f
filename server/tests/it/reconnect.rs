//! An encoder that leaves and comes back: one recording, one URL, valid at every instant.

mod cannot_go_on;
mod cold;

use std::time::{Duration, Instant};

use afterlive_domain::AssetState;
use afterlive_domain::report::{Reconnect, Report};
use afterlive_media::frame::TrackKind;
use afterlive_server::clock::Clock;
use afterlive_server::db::assets::{self, Asset};
use afterlive_server::db::{Db, Location, asset_list};
use afterlive_server::finalise::{Finaliser, Recovered, recover};
use afterlive_server::hexadecimal::hexadecimal;
use afterlive_server::record::Limits;
use afterlive_server::storage::Key;
use sha2::{Digest as _, Sha256};

use crate::fixture::database::{NOW, on_each_database, on_each_database_url};
use crate::fixture::encoder::{boxes, complaints, encode, ffprobe, send};
use crate::fixture::studio::{Studio, count, grew, later, regions, until};
use crate::webhook::hook::{Hook, point_to};

/// A window of 30 s.
fn limits() -> Limits {
    Limits { reconnect_window: Duration::from_secs(30), ..Limits::default() }
}

async fn report(studio: &Studio, asset: &Asset) -> Report {
    assets::report(&mut studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_encoder_that_is_back_in_time_goes_on_in_the_same_recording() {
    let sent = encode(3, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        let began = Instant::now();
        let first = studio.record(&sent).await;
        let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap();
        assert_eq!(first.state, AssetState::Ready);
        // Back after 20 s, with a clock that starts again; and once more at once, with one that goes on.
        studio.clock.advance_ms(20_000);
        studio.record(&sent).await;
        let asset = studio.record(&later(&sent, 100)).await;
        assert_eq!(studio.assets().await.len(), 1);
        assert_eq!(
            (asset.id, asset.state, asset.created_at, &asset.file_name),
            (first.id, AssetState::Ready, first.created_at, &first.file_name)
        );
        assert_ne!(asset.session, first.session);

        let path = studio.place(&asset);
        assert_eq!(boxes(&path), ["ftyp", "free", "moov", "free", "mdat"]);
        assert_eq!(complaints(&path), "");
        let packets = |kind| (3 * count(&sent, kind)).to_string();
        assert_eq!(ffprobe(&path, "stream=nb_frames"), [packets(TrackKind::Video), packets(TrackKind::Audio)]);
        // At each join what comes begins behind the longer track, whose last frame ends up to two frames of the other one later.
        assert!((9_000..9_250).contains(&asset.facts.duration_ms), "{:?}", asset.facts);
        assert_eq!(asset.facts.size_bytes, std::fs::metadata(&path).unwrap().len());

        let report = report(&studio, &asset).await;
        assert_eq!(report.reconnect_count, 2);
        let [one, other] = report.reconnects[..] else { panic!("{report:?}") };
        assert_eq!(one.at_ms, first.facts.duration_ms);
        // The recorder comes to the end some time after the encoder, and counts from where that left.
        let (late_ms, away_ms) = (NOW.ms_since(one.left_at), one.back_at.ms_since(one.left_at));
        assert!((0..=took_ms).contains(&late_ms) && away_ms == 20_000 + late_ms, "{one:?}, recorded in {took_ms} ms");
        assert!(other.at_ms > one.at_ms + 2_900, "{other:?}");
        for (track, kind) in report.tracks.iter().zip([TrackKind::Video, TrackKind::Audio]) {
            let sent = 3 * count(&sent, kind) as u64;
            assert_eq!((track.received_frames, track.stored_frames), (Some(sent), sent), "{track:?}");
            assert_eq!((track.left_out_frames, track.dropped_frames, track.gap_count), (Some(0), Some(0), 0), "{track:?}");
            assert!(track.received_ms.unwrap().abs_diff(9_000) < 100 && track.lasts_ms.abs_diff(9_000) < 250, "{track:?}");
        }
        assert!(report.av_begin_offset_ms.unwrap().abs() < 100 && report.av_end_offset_ms.unwrap().abs() < 100, "{report:?}");
        let checksum = report.checksum.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(hexadecimal(&Sha256::digest(&bytes[bytes.len() - checksum.last_bytes as usize..])), checksum.sha256);
        assert!(studio.store().spool().assets().unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn while_a_webhook_thinks_an_encoder_is_not_away() {
    let sent = encode(1, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        studio.record(&sent).await;
        let hook = Hook::new().await;
        point_to(&studio.db, studio.stream.organisation, &hook.url()).await;
        // Back within the window of 30 s, and allowed behind it.
        studio.clock.advance_ms(28_000);
        let thinking = async {
            let mut call = hook.call().await;
            studio.clock.advance_ms(5_000);
            call.answer("200 OK", "").await;
        };
        let (mut grant, ()) = tokio::join!(studio.publish(), thinking);
        send(grant.publisher(), &sent);
        drop(grant);
        hook.allow().await;
        studio.settle().await;
        assert_eq!(studio.assets().await.len(), 1);
        let report = report(&studio, &studio.assets().await[0]).await;
        assert_eq!(report.reconnects.len(), 1, "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn one_whose_network_went_without_a_word_left_with_its_last_frame_and_has_its_window_from_when_it_was_missed() {
    let sent = encode(3, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        let mut grant = studio.publish().await;
        let began = Instant::now();
        send(grant.publisher(), &sent);
        let fell_silent = Instant::now();
        until(|| fell_silent.elapsed() > Duration::from_millis(300)).await;
        let silent_ms = i64::try_from(fell_silent.elapsed().as_millis()).unwrap();
        drop(grant);
        studio.settle().await;
        let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap();
        let asset = studio.asset(1).await;
        let ended_ms = NOW.ms_since(asset.ended_at.unwrap());
        assert!((silent_ms..=took_ms).contains(&ended_ms), "{silent_ms} ms silent, it ended {ended_ms} ms ago of {took_ms}");

        // In the last moment of its window.
        studio.clock.advance_ms(30_000 - took_ms + silent_ms);
        studio.record(&sent).await;
        assert_eq!(studio.assets().await.len(), 1);
        let report = report(&studio, &asset).await;
        let [reconnect] = report.reconnects[..] else { panic!("{report:?}") };
        assert_eq!(NOW.ms_since(reconnect.left_at), ended_ms);
        assert_eq!(studio.clock.now().ms_since(reconnect.back_at), 0, "{reconnect:?}");
    })
    .await;
}

#[tokio::test]
async fn one_that_is_back_before_all_that_it_had_sent_is_on_disk_goes_on_too() {
    let sent = encode(3, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        for _ in 0..4 {
            let mut grant = studio.publish().await;
            send(grant.publisher(), &sent);
            drop(grant);
            // One that never sends a frame does not count.
            drop(studio.publish().await);
        }
        studio.settle().await;
        let assets = studio.assets().await;
        assert_eq!(assets.len(), 1, "{assets:?}");
        assert_eq!(complaints(&studio.place(&assets[0])), "");
        let report = report(&studio, &assets[0]).await;
        assert_eq!(report.reconnect_count, 3);
        for (track, kind) in report.tracks.iter().zip([TrackKind::Video, TrackKind::Audio]) {
            let sent = 4 * count(&sent, kind) as u64;
            assert_eq!((track.received_frames, track.stored_frames), (Some(sent), sent), "{track:?}");
        }
        assert!(report.checksum.is_some());
    })
    .await;
}

#[tokio::test]
async fn one_that_is_back_too_late_or_is_another_begins_a_new_recording() {
    let (sent, pictures) = (encode(2, true, true), encode(2, true, false));
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        studio.record(&sent).await;
        // It has been sending for two seconds when it is known what it sends.
        studio.clock.advance_ms(33_000);
        studio.record(&sent).await;
        studio.record(&pictures).await;
        let mut assets = studio.assets().await;
        assets.sort_by_key(|asset| asset.index);
        let seen: Vec<_> = assets.iter().map(|asset| (asset.index, asset.state, asset.facts.audio_codec.is_some())).collect();
        assert_eq!(seen, [(1, AssetState::Ready, true), (2, AssetState::Ready, true), (3, AssetState::Ready, false)]);
        for asset in &assets {
            assert!(asset.facts.duration_ms.abs_diff(2_000) < 100, "{:?}", asset.facts);
            assert_eq!(report(&studio, asset).await.reconnect_count, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn while_it_goes_on_the_file_plays_at_its_url_and_cannot_be_deleted() {
    let sent = encode(6, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        let asset = studio.record(&sent).await;
        let path = studio.place(&asset);
        let mut grant = studio.publish().await;
        send(grant.publisher(), &sent);
        // As far as it comes before its end: nothing is half written when it is looked at.
        until(|| grew(&studio, asset.id, 11_000)).await;
        let now = studio.assets().await.remove(0);
        assert_eq!((now.state, now.ended_at, now.facts.duration_ms), (AssetState::Recording, None, asset.facts.duration_ms));
        assert_eq!(complaints(&path), "");
        let streams = [studio.stream.id];
        let listed = asset_list::finished_of_streams(&mut studio.db.read().await.unwrap(), &streams, 5).await.unwrap();
        assert_eq!(listed.len(), 1, "its URL stays in the API's answers");
        let mut tx = studio.db.write().await.unwrap();
        assert!(!assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap());
        drop(tx);
        drop(grant);
        studio.settle().await;
        assert!((12_000..12_200).contains(&studio.assets().await[0].facts.duration_ms));
    })
    .await;
}

#[tokio::test]
async fn one_whose_recording_was_deleted_meanwhile_begins_a_new_one() {
    let sent = encode(2, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        let first = studio.record(&sent).await;
        let mut tx = studio.db.write().await.unwrap();
        assert!(assets::delete(&mut tx, first.organisation, first.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        let second = studio.record(&sent).await;
        assert_eq!((second.index, second.state), (2, AssetState::Ready));
        assert!(second.facts.duration_ms.abs_diff(2_000) < 100, "{:?}", second.facts);
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_has_come_to_its_limit_before_is_followed_by_another() {
    let sent = encode(12, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { max_duration: Some(Duration::from_secs(20)), ..limits() };
        let studio = Studio::with_limits(db, folder.path(), limits).await;
        studio.record(&sent).await;
        studio.record(&sent).await;
        let durations: Vec<u64> =
            [studio.asset(1).await, studio.asset(2).await].iter().map(|asset| asset.facts.duration_ms).collect();
        assert!((20_000..22_100).contains(&durations[0]) && durations[0] + durations[1] > 23_900, "{durations:?}");
    })
    .await;
}

/// It comes to its limit with what waits for the beginning: the next one begins with all of that.
#[tokio::test]
async fn sound_that_comes_to_the_limit_while_it_begins_again_is_in_the_next_recording() {
    let (long, short) = (encode(10, false, true), encode(5, false, true));
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { max_duration: Some(Duration::from_millis(10_100)), ..limits() };
        let studio = Studio::with_limits(db, folder.path(), limits).await;
        studio.record(&long).await;
        studio.record(&short).await;
        let reports = [report(&studio, &studio.asset(1).await).await, report(&studio, &studio.asset(2).await).await];
        let stored: u64 = reports.iter().map(|report| report.tracks[0].stored_frames).sum();
        assert_eq!(stored, (count(&long, TrackKind::Audio) + count(&short, TrackKind::Audio)) as u64);
        assert!(reports.iter().all(|report| report.tracks[0].dropped_frames == Some(0)), "{reports:?}");
    })
    .await;
}

#[test]
fn a_crash_while_it_goes_on_costs_no_more_than_the_last_fragment_and_the_recording_still_goes_on_after_it() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let sent = encode(6, true, true);
    runtime().block_on(on_each_database_url(async |url: String| {
        let folder = tempfile::tempdir().unwrap();
        let location: Location = url.parse().unwrap();
        let at = folder.path().to_owned();
        let first_life = runtime();
        let (opened, parts) = (location.clone(), sent.clone());
        let living = first_life.spawn(async move {
            let studio = Studio::with_limits(Db::open(&opened).await.unwrap(), &at, limits()).await;
            let asset = studio.record(&parts).await;
            let mut grant = studio.publish().await;
            send(grant.publisher(), &parts);
            until(|| grew(&studio, asset.id, 10_000)).await;
            std::mem::forget(grant);
            (studio.stream.clone(), asset)
        });
        let (stream, asset) = living.await.unwrap();
        // A killed process writes nothing more: a write that has begun is waited for.
        tokio::task::spawn_blocking(move || first_life.shutdown_timeout(Duration::from_secs(60))).await.unwrap();

        let db = Db::open(&location).await.unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let path = store.path(&Key::from_file_name(&asset.file_name).unwrap());
        let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut &file, b"\0\0\x01\0moof torn").unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        let locks = regions.lock_spools().unwrap();
        assert_eq!(recover(&finaliser, &locks).await.unwrap(), Recovered { sessions: 1, recordings: 1, quarantined: 0, left: 0 });
        drop(locks);
        let found = assets::by_id(&mut db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
        assert_eq!(found.state, AssetState::Ready);
        assert!(found.facts.duration_ms >= 10_000, "{:?}", found.facts);
        assert_eq!(boxes(&path), ["ftyp", "free", "moov", "free", "mdat"]);
        assert_eq!(complaints(&path), "");
        let report = assets::report(&mut db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
        let [Reconnect { at_ms, .. }] = report.reconnects[..] else { panic!("{report:?}") };
        assert_eq!((at_ms, report.checksum, report.server_died), (asset.facts.duration_ms, None, true));
        assert_eq!(stream.id, found.stream);
        db.close().await;
    }));
}
