//! A publish goes on where its file cannot, or has no keyframes: another file takes it up, and what is lost is counted.

use afterlive_media::frame::CodecConfig;

use super::*;
use crate::fixture::encoder::encode_as;

const PATTERN: &str = "testsrc2=size=320x180:rate=25";

/// The pattern and a tone, encoded with parameters of x264's.
fn encoded(seconds: &str, keyframe_every: &str, x264: &str) -> Vec<Message> {
    let tone = "sine=sample_rate=48000";
    encode_as(&[
        "-f",
        "lavfi",
        "-i",
        PATTERN,
        "-f",
        "lavfi",
        "-i",
        tone,
        "-t",
        seconds,
        "-g",
        keyframe_every,
        "-x264-params",
        x264,
    ])
}

fn is_picture(message: &Message) -> bool {
    matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video)
}

/// As an encoder sends it that was there before: without its first picture.
fn joined_late(messages: &[Message]) -> Vec<Message> {
    let first = messages.iter().position(is_picture).unwrap();
    messages.iter().enumerate().filter(|(at, _)| *at != first).map(|(_, message)| message.clone()).collect()
}

/// Stored, left out and dropped frames of pictures and sound, of all the stream's recordings together.
async fn accounts(studio: &Studio) -> [[u64; 3]; 2] {
    let mut sums = [[0; 3]; 2];
    for asset in studio.assets().await {
        let report = assets::report(&mut studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
        for track in &report.tracks {
            let sums = &mut sums[usize::from(track.kind == "audio")];
            sums[0] += track.stored_frames;
            sums[1] += track.left_out_frames.unwrap();
            sums[2] += track.dropped_frames.unwrap();
        }
    }
    sums
}

async fn studio(folder: &std::path::Path, limits: Limits) -> Studio {
    let url = format!("sqlite://{}", folder.join("test.db").display());
    Studio::with_limits(Db::open(&url.parse::<Location>().unwrap()).await.unwrap(), folder, limits).await
}

#[tokio::test]
async fn more_configurations_than_a_file_takes_cost_no_frame_of_either_track() {
    let sent = encoded("4", "1", "keyint=1");
    // Before each picture another configuration: the level is a byte that no decoder minds.
    let mut level = 0;
    let mut messages = Vec::new();
    let mut current = None;
    for message in &sent {
        if let Message::TrackChanged(track) = message
            && track.codec.kind() == TrackKind::Video
        {
            current = Some(track.clone());
        }
        if let Some(track) = current.as_mut().filter(|_| is_picture(message)) {
            level += 1;
            let CodecConfig::H264 { avcc, .. } = &mut track.codec else { panic!() };
            let mut changed = avcc.to_vec();
            changed[3] = level;
            *avcc = Bytes::from(changed);
            messages.push(Message::TrackChanged(track.clone()));
        }
        messages.push(message.clone());
    }
    assert_eq!(level, 100, "more than a track may go through in one file");
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db, folder.path()).await;
        studio.record(&messages).await;
        let assets = studio.assets().await;
        assert!(assets.len() > 1, "{assets:?}");
        assert_eq!(studio.asset(assets.len() as u32).await.state, AssetState::Ready, "the last one");
        let all = |kind| [count(&sent, kind) as u64, 0, 0];
        assert_eq!(accounts(&studio).await, [all(TrackKind::Video), all(TrackKind::Audio)]);
        for asset in &assets {
            assert_eq!(complaints(&studio.place(asset)), "");
        }
    })
    .await;
}

#[tokio::test]
async fn an_open_group_of_pictures_is_a_beginning_and_a_place_to_cut() {
    let sent = encoded("8", "50", "open-gop=1:scenecut=0");
    let keyframes =
        |message: &&Message| matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video && frame.keyframe);
    assert_eq!(sent.iter().filter(keyframes).count(), 1, "an IDR picture at the beginning and no other");
    let folder = tempfile::tempdir().unwrap();
    let studio = studio(folder.path(), Limits { max_duration: Some(Duration::from_secs(2)), ..Limits::default() }).await;
    let late = joined_late(&sent);
    studio.record(&late).await;
    let assets = studio.assets().await;
    assert_eq!(assets.len(), 3, "from 2, 4 and 6 s on");
    let [pictures, sound] = accounts(&studio).await;
    assert_eq!((pictures[0] + pictures[1], pictures[2]), (199, 0));
    assert_eq!((sound[0] + sound[1], sound[2]), (count(&sent, TrackKind::Audio) as u64, 0));
    assert!((45..50).contains(&pictures[1]), "those before the first beginning: {pictures:?}");
    for asset in &assets {
        assert_eq!(asset.state, AssetState::Ready);
        let packets = ffprobe(&studio.place(asset), "packet=stream_index,flags");
        let first = packets.iter().find_map(|line| line.strip_prefix("0,")).unwrap();
        assert!(first.starts_with('K'), "a player can begin with it: {first}");
    }
}

#[tokio::test]
async fn a_refresh_that_moves_over_the_picture_is_recorded_from_its_next_beginning_and_cut_there() {
    let sent = encoded("8", "50", "intra-refresh=1:bframes=0");
    let folder = tempfile::tempdir().unwrap();
    let studio = studio(folder.path(), Limits { max_duration: Some(Duration::from_secs(2)), ..Limits::default() }).await;
    studio.record(&joined_late(&sent)).await;
    let assets = studio.assets().await;
    assert_eq!(assets.len(), 3, "from 2, 4 and 6 s on");
    let [pictures, sound] = accounts(&studio).await;
    assert_eq!((pictures[0] + pictures[1], pictures[2]), (199, 0));
    assert_eq!((sound[0] + sound[1], sound[2]), (count(&sent, TrackKind::Audio) as u64, 0));
    assert!((45..50).contains(&pictures[1]), "those before the first beginning: {pictures:?}");
    for asset in &assets {
        assert_eq!((asset.state, asset.facts.width), (AssetState::Ready, Some(320)));
        let frames = ffprobe(&studio.place(asset), "stream=nb_frames");
        assert!(frames.iter().all(|frames| frames.parse::<u64>().unwrap() >= 50), "{frames:?}");
    }
}

#[tokio::test]
async fn pictures_without_any_keyframe_are_recorded_after_ten_seconds() {
    let sent = joined_late(&encoded("14", "1000", "keyint=1000:scenecut=0"));
    let pictures: Vec<Message> = sent
        .iter()
        .filter(|message| {
            is_picture(message) || matches!(message, Message::TrackChanged(track) if track.codec.kind() == TrackKind::Video)
        })
        .cloned()
        .collect();
    for (messages, all_sound) in [(&sent, count(&sent, TrackKind::Audio) as u64), (&pictures, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let studio = studio(folder.path(), Limits::default()).await;
        let asset = studio.record(messages).await;
        assert_eq!((asset.state, asset.facts.width), (AssetState::Ready, Some(320)));
        let [pictures, sound] = accounts(&studio).await;
        assert_eq!(pictures, [99, 250, 0]);
        assert_eq!(sound, [all_sound, 0, 0], "none is left out for them");
    }
}

#[tokio::test]
async fn where_keyframes_cease_a_limit_holds_a_minute_later() {
    let sent = encoded("14", "1000", "keyint=1000:scenecut=0");
    // A picture each 280 ms: 98 s of them.
    let slow: Vec<Message> = sent
        .iter()
        .filter(|message| !matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Audio))
        .filter(|message| !matches!(message, Message::TrackChanged(track) if track.codec.kind() == TrackKind::Audio))
        .map(|message| match message {
            Message::Frame(frame) => {
                Message::Frame(Frame { dts: frame.dts * 7, pts_offset: frame.pts_offset * 7, ..frame.clone() })
            }
            other => other.clone(),
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let studio = studio(folder.path(), Limits { max_duration: Some(Duration::from_secs(10)), ..Limits::default() }).await;
    studio.record(&slow).await;
    assert_eq!(studio.assets().await.len(), 2);
    let first = studio.asset(1).await;
    assert!(first.facts.duration_ms.abs_diff(70_000) < 1_000, "{:?}", first.facts);
    assert_eq!(accounts(&studio).await[0], [350, 0, 0]);
}

#[tokio::test]
async fn an_encoder_that_is_back_while_there_is_no_room_is_live_and_recorded_once_there_is() {
    let sent = encoded("3", "25", "keyint=25");
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { reconnect_window: Duration::from_secs(30), ..Limits::default() };
        let studio = Studio::with_limits(db, folder.path(), limits).await;
        let mut news = studio.db.subscribe();
        let (disk, away) = (folder.path().join("eu"), folder.path().join("away"));
        let take_away = || {
            std::fs::rename(&disk, &away).unwrap();
            std::fs::write(&disk, b"not mounted").unwrap();
        };
        let bring_back = || {
            std::fs::remove_file(&disk).unwrap();
            std::fs::rename(&away, &disk).unwrap();
        };
        take_away();
        assert!(studio.try_publish().await.is_err(), "who comes anew hears that it cannot be recorded");
        bring_back();
        let mut grant = studio.publish().await;
        send(grant.publisher(), &sent);
        // It has begun, and is finished once its disk is back.
        let spool = studio.store().spool();
        until(|| spool.assets().unwrap().first().is_some_and(|id| grew(&studio, *id, 1_000))).await;
        take_away();
        drop(grant);
        // The stream is free for the next once its end is written.
        let mut grant = studio.publish().await;
        loop {
            let event = news.recv().await.unwrap();
            if event.kind == EventKind::AssetStalled && event.asset.is_none() {
                break;
            }
        }
        send(grant.publisher(), &sent);
        bring_back();
        // In the recording that was left, or in another where that is not finished yet.
        let is_growing =
            |asset: &Asset| studio.growing.file(&asset.region, &asset.file_name).is_some_and(|(_, file)| !file.has_ended());
        let mut sent_s = 3;
        while !studio.assets().await.iter().any(is_growing) {
            send(grant.publisher(), &later(&sent, sent_s));
            sent_s += 3;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(grant);
        studio.settle().await;
        for asset in studio.assets().await {
            assert_eq!((asset.state, &asset.reason), (AssetState::Ready, &None));
        }
        assert!(
            accounts(&studio).await[0][2] >= count(&sent, TrackKind::Video) as u64,
            "what came while there was no room is counted"
        );
    })
    .await;
}

#[tokio::test]
async fn the_gap_of_an_encoder_that_waited_for_room_lasts_until_it_is_recorded() {
    let sent = encoded("3", "25", "keyint=25");
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { reconnect_window: Duration::from_secs(30), ..Limits::default() };
        let studio = Studio::with_limits(db, folder.path(), limits).await;
        let first = studio.record(&sent).await;
        let (disk, away) = (folder.path().join("eu"), folder.path().join("away"));
        std::fs::rename(&disk, &away).unwrap();
        std::fs::write(&disk, b"not mounted").unwrap();
        let mut grant = studio.publish().await;
        until(|| studio.growing.unrecorded() > 0).await;
        send(grant.publisher(), &sent);
        // The encoder has been back for long, and within the window, when there is room.
        studio.clock.advance_ms(20_000);
        std::fs::remove_file(&disk).unwrap();
        std::fs::rename(&away, &disk).unwrap();
        let mut sent_s = 3;
        while studio.growing.file(&first.region, &first.file_name).is_none_or(|(_, file)| file.has_ended()) {
            send(grant.publisher(), &later(&sent, sent_s));
            sent_s += 3;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(grant);
        studio.settle().await;
        assert_eq!(studio.assets().await.len(), 1);
        let report = assets::report(&mut studio.db.read().await.unwrap(), first.id).await.unwrap().unwrap();
        let [reconnect] = report.reconnects[..] else { panic!("{report:?}") };
        assert_eq!((reconnect.left_at, reconnect.back_at), (first.ended_at.unwrap(), NOW.plus_ms(20_000)));
    })
    .await;
}
