//! From the gate to a finished file: what is sent is what is stored, whatever happens in between.

mod codecs;
mod gaps;
mod going_on;
mod odd_streams;
mod overhead;

use std::time::Duration;

use afterlive_domain::organisation::RecordingSettings;
use afterlive_domain::{AssetId, AssetState, EventKind, StreamState, UnixMillis};
use afterlive_media::frame::{Frame, TrackKind};
use afterlive_media::mp4::{LARGE_RESERVE_BYTES, SMALL_RESERVE_BYTES};
use afterlive_server::clock::Clock;
use afterlive_server::config::Config;
use afterlive_server::db::assets::{self, Asset, NewAsset};
use afterlive_server::db::counts::ingested_since;
use afterlive_server::db::streams;
use afterlive_server::db::{Db, Location, organisations};
use afterlive_server::finalise::{Finaliser, Recovered, recover};
use afterlive_server::hexadecimal::hexadecimal;
use afterlive_server::hub::Message;
use afterlive_server::jobs::{self, Task};
use afterlive_server::record::Limits;
use afterlive_server::run::refuse_unmounted;
use afterlive_server::storage::Key;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::fixture::database::{NOW, on_each_database, on_each_database_url};
use crate::fixture::encoder::{boxes, complaints, encode, ffprobe, send};
use crate::fixture::studio::{Studio, count, grew, later, regions, until};

#[tokio::test]
async fn what_is_sent_becomes_a_plain_mp4_with_a_poster() {
    let sent = encode(5, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let mut news = studio.db.subscribe();
        let asset = studio.record(&sent).await;
        assert_eq!((asset.state, asset.index, &asset.reason), (AssetState::Ready, 1, &None));
        assert_eq!(asset.file_name, format!("{}.mp4", studio.stream.streamname));
        let facts = &asset.facts;
        assert_eq!((facts.width, facts.height), (Some(320), Some(180)));
        assert_eq!((facts.video_codec.as_deref(), facts.audio_codec.as_deref()), (Some("h264"), Some("aac")));
        assert!(facts.duration_ms.abs_diff(5_000) < 50, "{facts:?}");
        assert!((facts.fps.unwrap() - 25.0).abs() < 0.01, "{facts:?}");

        let path = studio.place(&asset);
        assert_eq!(facts.size_bytes, std::fs::metadata(&path).unwrap().len());
        assert_eq!(boxes(&path), ["ftyp", "free", "moov", "free", "mdat"]);
        assert_eq!(complaints(&path), "");
        let packets = |kind| count(&sent, kind).to_string();
        assert_eq!(ffprobe(&path, "stream=nb_frames"), [packets(TrackKind::Video), packets(TrackKind::Audio)]);
        let duration: f64 = ffprobe(&path, "format=duration")[0].parse().unwrap();
        assert!((duration - 5.0).abs() < 0.05, "{duration}");

        let report = assets::report(&mut studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
        for (track, kind) in report.tracks.iter().zip([TrackKind::Video, TrackKind::Audio]) {
            let sent = count(&sent, kind) as u64;
            assert_eq!((track.received_frames, track.stored_frames, track.gap_count), (Some(sent), sent, 0), "{track:?}");
            assert!(track.begins_ms < 100 && track.lasts_ms.abs_diff(5_000) < 100, "{track:?}");
        }
        let checksum = report.checksum.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let behind = &bytes[bytes.len() - checksum.last_bytes as usize..];
        assert!(checksum.last_bytes > report.tracks.iter().map(|track| track.media_bytes).sum(), "{checksum:?}");
        assert_eq!(hexadecimal(&Sha256::digest(behind)), checksum.sha256);
        assert!(studio.store().spool().assets().unwrap().is_empty());
        assert_eq!(studio.growing.facts(asset.id), None);

        assert_eq!(studio.run_jobs().await, 2);
        assert!(studio.assets().await[0].has_poster && studio.assets().await[0].has_storyboard);
        let poster = studio.store().path(&Key::from_file_name(&asset.file_name).unwrap().to_thumbnail());
        assert_eq!(ffprobe(&poster, "stream=codec_name,width,height"), ["mjpeg,320,180"]);
        assert!(std::fs::metadata(&poster).unwrap().len() > 3_000, "not a black picture");

        let mut told = Vec::new();
        while let Ok(event) = news.try_recv() {
            told.push(event.kind);
        }
        let place = |kind| told.iter().position(|told| *told == kind).unwrap();
        assert!(place(EventKind::AssetRecording) < place(EventKind::AssetReady));
        assert!(place(EventKind::AssetReady) < place(EventKind::AssetChanged));
    })
    .await;
}

#[tokio::test]
async fn sound_without_pictures_and_pictures_without_sound_are_recordings_too() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    for (video, audio) in [(true, false), (false, true)] {
        let db = Db::open(&url.parse::<Location>().unwrap()).await.unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let sent = encode(3, video, audio);
        let asset = studio.record(&sent).await;
        assert_eq!(asset.state, AssetState::Ready);
        assert_eq!((asset.facts.video_codec.is_some(), asset.facts.audio_codec.is_some()), (video, audio));
        assert!(asset.facts.duration_ms.abs_diff(3_000) < 50, "{:?}", asset.facts);
        let path = studio.place(&asset);
        assert_eq!(complaints(&path), "");
        let kind = if video { TrackKind::Video } else { TrackKind::Audio };
        assert_eq!(ffprobe(&path, "stream=nb_frames"), [count(&sent, kind).to_string()]);
        assert_eq!(studio.run_jobs().await, if video { 2 } else { 1 });
        assert_eq!(studio.assets().await[0].has_poster, video);
    }
}

#[tokio::test]
async fn a_publish_that_sends_no_frame_leaves_no_asset_and_the_next_ones_are_numbered() {
    let sent = encode(2, true, true);
    let tracks: Vec<Message> = sent.iter().filter(|message| matches!(message, Message::TrackChanged(_))).cloned().collect();
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        for messages in [&tracks, &sent, &tracks, &sent] {
            let mut grant = studio.publish().await;
            send(grant.publisher(), messages);
            drop(grant);
        }
        studio.settle().await;
        let names: Vec<String> = studio.assets().await.into_iter().map(|asset| asset.file_name).collect();
        let name = &studio.stream.streamname;
        assert_eq!(names, [format!("{name}-2.mp4"), format!("{name}.mp4")]);
    })
    .await;
}

#[tokio::test]
async fn a_recording_is_seen_to_grow_and_plays_while_it_does() {
    let sent = encode(6, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let mut grant = studio.publish().await;
        // The picture at 3 s has all before it written, and is held back itself. More could be half written when it is looked at.
        let is_picture = |message: &Message| matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video);
        let at_3_s = (0..sent.len()).filter(|at| is_picture(&sent[*at])).nth(3 * 25).unwrap();
        send(grant.publisher(), &sent[..=at_3_s]);
        let spool = studio.store().spool();
        until(|| spool.assets().unwrap().first().is_some_and(|id| grew(&studio, *id, 3_000))).await;
        let id = spool.assets().unwrap()[0];
        assert_eq!(studio.assets().await[0].state, AssetState::Recording);
        let facts = studio.growing.facts(id).unwrap();
        assert!(facts.size_bytes > 0 && facts.width == Some(320), "{facts:?}");
        assert_eq!(complaints(&spool.recording_path(id)), "");

        send(grant.publisher(), &sent[at_3_s + 1..]);
        until(|| grew(&studio, id, 5_000)).await;
        drop(grant);
        studio.settle().await;
        assert_eq!(studio.assets().await[0].state, AssetState::Ready);
    })
    .await;
}

#[test]
fn after_a_crash_the_next_start_finishes_what_is_on_disk() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let sent = encode(6, true, true);
    let cut_at = sent.len() * 3 / 4;
    runtime().block_on(on_each_database_url(async |url: String| {
        let folder = tempfile::tempdir().unwrap();
        let location: Location = url.parse().unwrap();
        let at = folder.path().to_owned();
        // A runtime that is thrown away in mid-recording, with all its tasks and connections, is what a killed process leaves.
        let first_life = runtime();
        let (opened, cut) = (location.clone(), sent[..cut_at].to_vec());
        let living = first_life.spawn(async move {
            let studio = Studio::new(Db::open(&opened).await.unwrap(), &at).await;
            let mut grant = studio.publish().await;
            send(grant.publisher(), &cut);
            let spool = studio.store().spool();
            until(|| spool.assets().unwrap().first().is_some_and(|id| grew(&studio, *id, 3_000))).await;
            // Left as a process leaves them: nothing is ended in good order.
            std::mem::forget(grant);
            (studio.stream.clone(), studio.assets().await.remove(0))
        });
        let (stream, growing) = living.await.unwrap();
        // A killed process writes nothing more: a write that has begun is waited for.
        tokio::task::spawn_blocking(move || first_life.shutdown_timeout(Duration::from_secs(60))).await.unwrap();

        let db = Db::open(&location).await.unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let finaliser = Finaliser::new(db.clone(), Clock::simulated(NOW), regions.clone());
        // Torn in the middle of a write, as a loss of power may leave it.
        let path = store.spool().recording_path(growing.id);
        let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut &file, b"\0\0\x01\0moof torn").unwrap();
        // A file that no row knows.
        let stranger = AssetId(Uuid::new_v4());
        std::fs::copy(&path, store.spool().recording_path(stranger)).unwrap();
        // A row whose file never was, and one whose file has its place already.
        let rows = begin_rows(&db, &growing, 2).await;
        // A copy of a finished recording, or of this one, in the midst of which the crash came.
        let copies = [AssetId(Uuid::new_v4()), growing.id].map(|id| store.spool().copy_path(id));
        for copy in &copies {
            std::fs::write(copy, b"the first half").unwrap();
        }

        let locks = regions.lock_spools().unwrap();
        let done = recover(&finaliser, &locks).await.unwrap();
        assert_eq!(done, Recovered { sessions: 1, recordings: 3, quarantined: 1, left: 0 });
        let read = async |id| assets::by_id(&mut db.read().await.unwrap(), id).await.unwrap().unwrap();
        let asset = read(growing.id).await;
        assert_eq!(asset.state, AssetState::Ready);
        assert!(asset.facts.duration_ms >= 3_000, "{:?}", asset.facts);
        let report = async |id| assets::report(&mut db.read().await.unwrap(), id).await.unwrap().unwrap();
        let account = report(growing.id).await;
        assert!(account.server_died);
        // What nobody counted to its end is counted by what is in the file.
        let arrived = ingested_since(&mut db.read().await.unwrap(), stream.organisation, UnixMillis(0)).await.unwrap();
        let recorded: u64 = account.tracks.iter().map(|track| track.media_bytes).sum();
        assert_eq!(arrived.iter().map(|sum| sum.bytes).sum::<u64>(), recorded);
        let place = store.path(&Key::from_file_name(&asset.file_name).unwrap());
        assert_eq!(boxes(&place), ["ftyp", "free", "moov", "free", "mdat"]);
        assert_eq!(complaints(&place), "");
        for row in &rows {
            assert_eq!(read(row.id).await.state, AssetState::Failed);
        }
        assert!(store.spool().assets().unwrap().is_empty());
        assert!(copies.iter().all(|copy| !copy.exists()));
        let stream = streams::by_id(&mut db.read().await.unwrap(), stream.id).await.unwrap().unwrap();
        assert_eq!(stream.state, StreamState::Ended);
        let quarantined = folder.path().join("eu/.quarantine").join(format!("{stranger}.mp4"));
        assert!(quarantined.is_file());

        // The crash came between the rename and the commit.
        let late = begin_rows(&db, &growing, 1).await.remove(0);
        std::fs::copy(&place, store.path(&Key::from_file_name(&late.file_name).unwrap())).unwrap();
        assert_eq!(recover(&finaliser, &locks).await.unwrap().recordings, 1);
        let late = read(late.id).await;
        assert_eq!((late.state, late.facts.width), (AssetState::Ready, Some(320)));
        assert!(late.facts.duration_ms.abs_diff(asset.facts.duration_ms) < 50);
        assert!(!report(late.id).await.server_died, "all of it was written by then");

        assert_eq!(recover(&finaliser, &locks).await.unwrap(), Recovered::default());
        db.close().await;
    }));
}

async fn begin_rows(db: &Db, like: &Asset, rows: usize) -> Vec<Asset> {
    let mut begun = Vec::new();
    for _ in 0..rows {
        let id = AssetId(Uuid::new_v4());
        let new = NewAsset { id, stream: like.stream, session: like.session, region: like.region.clone(), created_at: NOW };
        let mut tx = db.write().await.unwrap();
        begun.push(assets::begin(&mut tx, &new).await.unwrap());
        tx.commit().await.unwrap();
    }
    begun
}

#[tokio::test]
async fn a_clock_that_starts_again_neither_shortens_nor_stretches_the_recording() {
    let sent = encode(3, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let mut grant = studio.publish().await;
        // Three times the same times, then a day later.
        for messages in [&sent, &sent, &later(&sent, 86_400)] {
            send(grant.publisher(), messages);
        }
        drop(grant);
        studio.settle().await;
        let assets = studio.assets().await;
        assert_eq!((assets.len(), assets[0].state), (1, AssetState::Ready));
        // At each join what comes begins behind the longer track: up to two frames of the other one are waited for.
        assert!((9_000..9_200).contains(&assets[0].facts.duration_ms), "{:?}", assets[0].facts);
        let path = studio.place(&assets[0]);
        assert_eq!(complaints(&path), "");
        let packets = |kind| (3 * count(&sent, kind)).to_string();
        assert_eq!(ffprobe(&path, "stream=nb_frames"), [packets(TrackKind::Video), packets(TrackKind::Audio)]);
        // Sound and picture end together, as they did in each part.
        let ends: Vec<f64> = ffprobe(&path, "stream=duration").iter().map(|text| text.parse().unwrap()).collect();
        assert!((ends[0] - ends[1]).abs() < 0.1, "{ends:?}");
    })
    .await;
}

#[tokio::test]
async fn a_recorder_that_cannot_keep_up_says_so_keeps_what_it_had_and_goes_on_in_a_new_recording() {
    let sent = encode(2, true, false);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let mut grant = studio.publish().await;
        send(grant.publisher(), &sent);
        // This thread is the only one that could record, and does not: 64 MiB are waiting before the last of these.
        let flood = Bytes::from(vec![0; 1 << 20]);
        for n in 0..70 {
            let data = flood.clone();
            grant.publisher().frame(&Frame { kind: TrackKind::Video, dts: 2_000 + n, pts_offset: 0, keyframe: false, data });
        }
        studio.tasks.close();
        let mut seen = studio.assets().await;
        while seen.first().is_none_or(|asset| asset.state == AssetState::Recording) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            seen = studio.assets().await;
        }
        assert_eq!(seen[0].state, AssetState::Incomplete);
        assert!(seen[0].reason.as_deref().unwrap().contains("could not keep up"), "{:?}", seen[0].reason);
        assert!(seen[0].facts.duration_ms >= 2_000, "{:?}", seen[0].facts);
        // Live goes on.
        let stream = streams::by_id(&mut studio.db.read().await.unwrap(), studio.stream.id).await.unwrap().unwrap();
        assert_eq!(stream.state, StreamState::Live);
        // And so does recording, with what comes next.
        send(grant.publisher(), &sent);
        drop(grant);
        studio.settle().await;
        let next = studio.asset(2).await;
        assert_eq!(next.state, AssetState::Ready);
        assert!(next.facts.duration_ms.abs_diff(2_000) < 50, "{:?}", next.facts);
        // What found no room is in the account of the one that could not keep up.
        let report = assets::report(&mut studio.db.read().await.unwrap(), seen[0].id).await.unwrap().unwrap();
        let track = &report.tracks[0];
        let (came, dropped) = (count(&sent, TrackKind::Video) as u64 + 70, track.dropped_frames.unwrap());
        assert_eq!((track.received_frames, track.stored_frames + dropped), (Some(came), came));
        assert!((6..=8).contains(&dropped), "70 MiB, of which 64 found room: {track:?}");
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_fills_up_ends_the_recording_in_good_order_and_another_one_follows() {
    let sent = encode(3, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let full = Limits { go_on_free_bytes: u64::MAX, ..Limits::default() };
        let studio = Studio::with_limits(db, folder.path(), full).await;
        let mut grant = studio.publish().await;
        studio.tasks.close();
        // The disk is looked at with each sync, and syncs are a while apart.
        let (mut seen, mut sent_s) = (Vec::new(), 0);
        while !seen.iter().any(|asset: &Asset| asset.index == 2) {
            send(grant.publisher(), &later(&sent, sent_s));
            sent_s += 3;
            tokio::time::sleep(Duration::from_millis(100)).await;
            seen = studio.assets().await;
        }
        drop(grant);
        studio.settle().await;
        let first = studio.asset(1).await;
        assert_eq!((first.state, first.index), (AssetState::Incomplete, 1));
        assert!(first.reason.as_deref().unwrap().starts_with("the storage is full"), "{:?}", first.reason);
        assert_eq!(complaints(&studio.place(&first)), "");
    })
    .await;
}

#[tokio::test]
async fn an_organisations_limits_hold_from_its_next_publish_on_also_where_they_are_none() {
    let sent = encode(5, true, true);
    on_each_database(async |db| {
        let two_seconds = Limits { max_duration: Some(Duration::from_secs(2)), ..Limits::default() };
        for (server, own, files) in [(Limits::default(), 2, 3), (two_seconds, 0, 1)] {
            let folder = tempfile::tempdir().unwrap();
            let studio = Studio::with_limits(db.clone(), folder.path(), server).await;
            let settings = RecordingSettings { max_duration_s: Some(own), ..RecordingSettings::default() };
            let mut tx = db.write().await.unwrap();
            assert!(organisations::set_recording(&mut tx, studio.stream.organisation, &settings, NOW).await.unwrap());
            tx.commit().await.unwrap();
            studio.record(&sent).await;
            assert_eq!(studio.assets().await.len(), files);
        }
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_comes_to_a_limit_is_followed_by_another_and_no_frame_is_lost() {
    // A keyframe every two seconds, and a reserve in each file.
    let sent = encode(5, true, true);
    let probed = tempfile::tempdir().unwrap();
    let inserts = regions(probed.path()).iter().next().unwrap().spool().can_insert_ranges();
    let reserve_bytes = u64::from(if inserts { SMALL_RESERVE_BYTES } else { LARGE_RESERVE_BYTES });
    on_each_database(async |db| {
        for (limits, files) in [
            (Limits { max_duration: Some(Duration::from_secs(2)), ..Limits::default() }, 3),
            (Limits { max_bytes: Some(reserve_bytes + 100_000), ..Limits::default() }, 0),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let studio = Studio::with_limits(db.clone(), folder.path(), limits).await;
            studio.record(&sent).await;
            let assets = studio.assets().await;
            assert!(if files == 0 { assets.len() > 1 } else { assets.len() == files }, "{assets:?}");
            for asset in &assets {
                assert_eq!((asset.state, &asset.reason), (AssetState::Ready, &None));
                assert!(limits.max_bytes.is_none_or(|most| asset.facts.size_bytes <= most), "{:?}", asset.facts);
                assert_eq!(complaints(&studio.place(asset)), "");
            }
            let frames = |track: usize| -> usize {
                assets
                    .iter()
                    .map(|asset| ffprobe(&studio.place(asset), "stream=nb_frames")[track].parse::<usize>().unwrap())
                    .sum()
            };
            assert_eq!((frames(0), frames(1)), (count(&sent, TrackKind::Video), count(&sent, TrackKind::Audio)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_cannot_be_put_in_its_place_is_as_soon_as_it_can() {
    let sent = encode(2, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let mut grant = studio.publish().await;
        // A file where the recording's folder is to be.
        let place = studio.store().path(&Key::recording(&studio.stream.streamname, 1));
        let folder = place.parent().unwrap();
        std::fs::write(folder, b"in the way").unwrap();
        send(grant.publisher(), &sent);
        drop(grant);
        studio.tasks.close();
        // The publish may be over for the stream before its recorder has come to begin.
        let asset = loop {
            if let [asset] = studio.assets().await.as_slice() {
                break asset.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        until(|| studio.growing.file(&asset.region, &asset.file_name).is_some_and(|(_, file)| file.has_ended())).await;
        assert_eq!(studio.assets().await[0].state, AssetState::Recording);
        std::fs::remove_file(folder).unwrap();
        studio.settle().await;
        let asset = studio.assets().await.remove(0);
        assert_eq!((asset.state, &asset.reason), (AssetState::Ready, &None));
        assert_eq!(complaints(&place), "");
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_is_away_at_the_end_of_a_publish_loses_nothing() {
    let sent = encode(2, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let mut grant = studio.publish().await;
        send(grant.publisher(), &sent);
        let spool = studio.store().spool();
        // Of the recording alone: what else is in the spool comes and goes.
        let has_media = |id: &AssetId| {
            let file = std::fs::metadata(spool.recording_path(*id));
            file.is_ok_and(|file| file.len() > u64::from(SMALL_RESERVE_BYTES) + 2_000)
        };
        until(|| spool.assets().unwrap().first().is_some_and(has_media)).await;
        let (disk, away) = (folder.path().join("eu"), folder.path().join("away"));
        std::fs::rename(&disk, &away).unwrap();
        // An empty mount point.
        std::fs::create_dir(&disk).unwrap();
        drop(grant);
        studio.tasks.close();
        let environment = [("AFTERLIVE__REGIONS__EU__STORAGE".to_owned(), disk.display().to_string())];
        let config = Config::from_sources(None, environment).unwrap();
        let refused = refuse_unmounted(&config, &studio.db).await.unwrap_err().to_string();
        assert!(refused.contains("region eu") && refused.contains("Mount its disk"), "{refused}");
        assert_eq!(studio.assets().await[0].state, AssetState::Recording);

        std::fs::remove_dir(&disk).unwrap();
        std::fs::rename(&away, &disk).unwrap();
        refuse_unmounted(&config, &studio.db).await.unwrap();
        studio.settle().await;
        let asset = studio.assets().await.remove(0);
        assert_eq!((asset.state, &asset.reason), (AssetState::Ready, &None));
        assert_eq!(complaints(&studio.place(&asset)), "");
    })
    .await;
}

#[tokio::test]
async fn why_a_recording_has_ended_is_known_to_the_start_that_finishes_it() {
    let sent = encode(3, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let full = Limits { go_on_free_bytes: u64::MAX, begin_free_bytes: 0, ..Limits::default() };
        let studio = Studio::with_limits(db, folder.path(), full).await;
        let place = studio.store().path(&Key::recording(&studio.stream.streamname, 1));
        std::fs::write(place.parent().unwrap(), b"in the way").unwrap();
        let mut grant = studio.publish().await;
        let mut sent_s = 0;
        let mut seen = Vec::<Asset>::new();
        while seen.first().is_none_or(|asset| asset.reason.is_none()) {
            send(grant.publisher(), &later(&sent, sent_s));
            sent_s += 3;
            tokio::time::sleep(Duration::from_millis(20)).await;
            seen = studio.assets().await;
        }
        assert_eq!(seen[0].state, AssetState::Recording);
        studio.stop.cancel();
        drop(grant);
        studio.settle().await;

        std::fs::remove_file(place.parent().unwrap()).unwrap();
        let locks = studio.finaliser.regions().lock_spools().unwrap();
        recover(&studio.finaliser, &locks).await.unwrap();
        let first = studio.asset(1).await;
        assert_eq!((first.state, &first.reason), (AssetState::Incomplete, &seen[0].reason));
        assert_eq!(first.ended_at, seen[0].ended_at);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_recording_goes_to_the_bin_and_comes_back() {
    let sent = encode(2, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let asset = studio.record(&sent).await;
        studio.run_jobs().await;
        let place = studio.place(&asset);
        for delete in [true, false, true] {
            let mut tx = studio.db.write().await.unwrap();
            let changed = if delete {
                assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap()
            } else {
                assets::restore(&mut tx, asset.organisation, asset.id, NOW).await.unwrap()
            };
            assert!(changed);
            jobs::enqueue(&mut tx, Task::Place { asset: asset.id }, NOW).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(studio.run_jobs().await, 1);
            assert_eq!(place.is_file(), !delete);
        }
        assert!(folder.path().join("eu/.bin").join(Key::from_file_name(&asset.file_name).unwrap().to_string()).is_file());
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_deleted_while_live_takes_its_recording_with_it() {
    let sent = encode(2, true, true);
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        let mut grant = studio.publish().await;
        send(grant.publisher(), &sent);
        let mut tx = studio.db.write().await.unwrap();
        streams::delete(&mut tx, studio.stream.organisation, studio.stream.id, NOW).await.unwrap();
        tx.commit().await.unwrap();
        drop(grant);
        studio.settle().await;
        assert!(studio.assets().await.is_empty());
        assert_eq!(studio.run_jobs().await, 1);
        let key = Key::recording(&studio.stream.streamname, 1);
        assert!(!studio.store().path(&key).exists());
        assert!(folder.path().join("eu/.bin").join(key.to_string()).is_file());
    })
    .await;
}
