//! Streams as encoders send them when all is not well, or merely unusual: from the gate to a file that plays.

use afterlive_domain::report::Report;
use afterlive_media::flv::{Demuxer, Packet};
use afterlive_media::time::rescale;

use super::*;
use crate::fixture::encoder::encode_as;

/// The frames as they would have been sent otherwise: each with its decoding time in milliseconds and its number within its track; in the order of time.
fn resent(messages: &[Message], change: impl Fn(Frame, i64, usize) -> Option<Frame>) -> Vec<Message> {
    let timescale = |kind| if kind == TrackKind::Video { 1_000 } else { 48_000 };
    let (mut tracks, mut frames, mut numbers) = (Vec::new(), Vec::new(), [0; 2]);
    for message in messages {
        let Message::Frame(frame) = message else {
            tracks.push(message.clone());
            continue;
        };
        let number = &mut numbers[frame.kind as usize];
        frames.extend(change(frame.clone(), rescale(frame.dts, timescale(frame.kind), 1_000), *number));
        *number += 1;
    }
    // Stable: frames of a track whose times step back stay in their order.
    let mut latest_ms = [i64::MIN; 2];
    let mut timed: Vec<(i64, Frame)> = Vec::new();
    for frame in frames {
        let latest_ms = &mut latest_ms[frame.kind as usize];
        *latest_ms = (*latest_ms).max(rescale(frame.dts, timescale(frame.kind), 1_000));
        timed.push((*latest_ms, frame));
    }
    timed.sort_by_key(|(ms, _)| *ms);
    tracks.into_iter().chain(timed.into_iter().map(|(_, frame)| Message::Frame(frame))).collect()
}

/// Moves a frame in time, by milliseconds.
fn moved(frame: Frame, ms: i64) -> Frame {
    let per_ms = if frame.kind == TrackKind::Video { 1 } else { 48 };
    Frame { dts: frame.dts + ms * per_ms, ..frame }
}

/// Moves a picture's decoding time alone.
fn decoded_earlier(frame: Frame, ms: i64) -> Frame {
    Frame { dts: frame.dts - ms, pts_offset: frame.pts_offset + ms as i32, ..frame }
}

/// What the file has of a track: frames, when it begins and how long it lasts.
type Stored = (u64, u64, u64);

/// Records it and looks at the finished file.
async fn stored(case: &str, messages: &[Message]) -> (Vec<Stored>, Report) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let db = Db::open(&url.parse::<Location>().unwrap()).await.unwrap();
    let studio = Studio::new(db, folder.path()).await;
    let asset = studio.record(messages).await;
    assert_eq!((asset.state, &asset.reason), (AssetState::Ready, &None), "{case}");
    let path = studio.place(&asset);
    assert_eq!(complaints(&path), "", "{case}");
    let report = assets::report(&mut studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
    let stored: Vec<Stored> = report.tracks.iter().map(|track| (track.stored_frames, track.begins_ms, track.lasts_ms)).collect();
    let frames: Vec<String> = stored.iter().map(|(frames, ..)| frames.to_string()).collect();
    assert_eq!(ffprobe(&path, "stream=nb_frames"), frames, "{case}");
    let decoding = ffprobe(&path, "packet=stream_index,dts");
    for stream in 0..frames.len() {
        let times = decoding.iter().filter_map(|line| line.strip_prefix(&format!("{stream},"))?.parse::<i64>().ok());
        let times: Vec<i64> = times.collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{case}: decoding goes forward");
    }
    (stored, report)
}

/// Of both tracks all frames are there, and times are as expected, to 60 ms.
async fn assert_stored(case: &str, messages: &[Message], expected: [Stored; 2]) {
    let (stored, report) = stored(case, messages).await;
    for ((stored, expected), track) in stored.iter().zip(expected).zip(&report.tracks) {
        assert_eq!(stored.0, expected.0, "{case}: {track:?}");
        assert!(stored.1.abs_diff(expected.1) <= 60 && stored.2.abs_diff(expected.2) <= 60, "{case}: {track:?}");
    }
    assert_eq!(stored.len(), 2, "{case}");
}

/// How many frames of sound are sent at or after a time and before another.
fn sound(messages: &[Message], from_ms: i64, to_ms: i64) -> u64 {
    let within = |frame: &Frame| frame.kind == TrackKind::Audio && (from_ms..to_ms).contains(&rescale(frame.dts, 48_000, 1_000));
    messages.iter().filter(|message| matches!(message, Message::Frame(frame) if within(frame))).count() as u64
}

#[tokio::test]
async fn first_times_far_from_zero_and_below_change_nothing() {
    let sent = encode(6, true, true);
    let all = count(&sent, TrackKind::Audio) as u64;
    // 2^33 of 90 kHz and 2^32 of 1 kHz, where clocks of transport streams and of RTMP start over.
    for start_ms in [1, 95_443_717, 4_294_967_290, -3_000] {
        let case = format!("from {start_ms} ms");
        let late = resent(&sent, |frame, _, _| Some(moved(frame, start_ms)));
        assert_stored(&case, &late, [(150, 0, 6_000), (all, 0, 6_000)]).await;
    }
    let wraps = resent(&sent, |frame, ms, _| Some(moved(frame, if ms < 3_000 { 95_440_717 } else { -3_000 })));
    assert_stored("a clock of 33 bits that starts over", &wraps, [(150, 0, 6_000), (all, 0, 6_000)]).await;
}

#[tokio::test]
async fn decoding_times_that_stand_still_or_step_back_cost_no_frame() {
    let sent = encode(6, true, true);
    let all = count(&sent, TrackKind::Audio) as u64;
    for (case, back_ms) in [("stands still", 40), ("steps back by 5 ms", 45), ("steps back by 40 ms", 80)] {
        let odd = resent(&sent, |frame, _, n| {
            let is_odd = frame.kind == TrackKind::Video && n % 10 == 5;
            Some(if is_odd { decoded_earlier(frame, back_ms) } else { frame })
        });
        assert_stored(case, &odd, [(150, 0, 6_000), (all, 0, 6_000)]).await;
    }
}

#[tokio::test]
async fn negative_composition_offsets_move_pictures_as_a_whole() {
    let sent = encode(6, true, true);
    let all = count(&sent, TrackKind::Audio) as u64;
    let early = resent(&sent, |frame, _, _| {
        let less = if frame.kind == TrackKind::Video { 120 } else { 0 };
        Some(Frame { pts_offset: frame.pts_offset - less, ..frame })
    });
    let (stored, _) = stored("negative offsets", &early).await;
    let [pictures, sound] = stored.try_into().unwrap();
    assert_eq!((pictures.0, sound.0), (150, all));
    // Encoded, pictures and sound begin together; the pictures now come 120 ms before it.
    assert!(pictures.1 == 0 && sound.1.abs_diff(120) <= 25, "{pictures:?} {sound:?}");
    assert!(pictures.2.abs_diff(6_000) <= 60 && sound.2.abs_diff(6_000) <= 60);
}

#[tokio::test]
async fn a_track_may_begin_late_and_end_early() {
    let sent = encode(6, true, true);
    let of = |kind: TrackKind, from_ms: i64, to_ms: i64| {
        resent(&sent, move |frame, ms, _| Some(frame).filter(|frame| frame.kind != kind || (from_ms..to_ms).contains(&ms)))
    };
    let all = count(&sent, TrackKind::Audio) as u64;
    let late = of(TrackKind::Audio, 3_000, i64::MAX);
    assert_stored("sound 3 s late", &late, [(150, 0, 6_000), (sound(&late, 0, i64::MAX), 2_920, 3_080)]).await;
    let early = of(TrackKind::Audio, 0, 3_000);
    assert_stored("sound ends early", &early, [(150, 0, 6_000), (sound(&early, 0, i64::MAX), 0, 2_950)]).await;
    let early = of(TrackKind::Video, 0, 4_000);
    assert_stored("pictures end early", &early, [(100, 0, 4_000), (all, 0, 6_000)]).await;
    // Sound that nobody could see a picture to is left out, but for the last 100 ms before the first.
    let late = of(TrackKind::Video, 4_000, i64::MAX);
    let heard = sound(&late, 3_980, i64::MAX);
    assert_stored("pictures 4 s late", &late, [(50, 100, 2_000), (heard, 0, 2_080)]).await;
}

#[tokio::test]
async fn a_track_that_is_announced_late_is_stored_from_there_on() {
    let sent = encode(6, true, true);
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let is_of = |message: &Message| match message {
            Message::TrackChanged(track) => track.codec.kind() == kind,
            Message::Frame(frame) => frame.kind == kind,
            Message::Ended => false,
        };
        let announcement = sent.iter().find(|message| is_of(message)).unwrap();
        let is_late = |message: &&Message| match message {
            Message::Frame(frame) => frame.kind != kind || frame.dts >= 4 * if kind == TrackKind::Video { 1_000 } else { 48_000 },
            other => !is_of(other),
        };
        let mut late: Vec<Message> = sent.iter().filter(is_late).cloned().collect();
        let first = late.iter().position(is_of).unwrap();
        late.insert(first, announcement.clone());
        let (stored, _) = stored("announced late", &late).await;
        let mut frames: Vec<u64> = stored.iter().map(|(frames, ..)| *frames).collect();
        let mut expected = [count(&late, TrackKind::Video) as u64, count(&late, TrackKind::Audio) as u64];
        frames.sort_unstable();
        expected.sort_unstable();
        assert_eq!(frames, expected, "{kind:?}");
        let begins: Vec<u64> = stored.iter().map(|(_, begins_ms, _)| *begins_ms).collect();
        assert!(begins.contains(&0) && begins.iter().any(|ms| ms.abs_diff(4_000) <= 120), "{kind:?}: {begins:?}");
    }
}

#[tokio::test]
async fn a_missing_first_keyframe_is_waited_for() {
    let sent = encode(6, true, true);
    let headless = resent(&sent, |frame, _, n| Some(frame).filter(|frame| frame.kind == TrackKind::Audio || n > 0));
    let (stored, report) = stored("no keyframe at first", &headless).await;
    assert_eq!(stored[0].0, 100, "from the second group of pictures on");
    assert_eq!(report.tracks[0].received_frames, Some(149), "what was left out is counted");
}

#[tokio::test]
async fn keyframes_ten_seconds_apart_lose_nothing() {
    let pattern = "testsrc2=size=320x180:rate=25";
    let sent = encode_as(&["-f", "lavfi", "-i", pattern, "-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "22", "-g", "250"]);
    let keyframes =
        |message: &&Message| matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video && frame.keyframe);
    assert_eq!(sent.iter().filter(keyframes).count(), 3);
    let all = count(&sent, TrackKind::Audio) as u64;
    assert_stored("keyframes each 10 s", &sent, [(550, 0, 22_000), (all, 0, 22_000)]).await;
}

#[tokio::test]
async fn a_frame_rate_that_varies_is_kept_in_each_picture_s_time() {
    let sent = encode(6, true, false);
    // Three seconds at 25 pictures a second, then as many pictures at a third of that.
    let slowed = |ms: i64| if ms <= 3_000 { ms } else { 3_000 + 3 * (ms - 3_000) };
    let varied = resent(&sent, |frame, ms, _| {
        let (dts, pts) = (slowed(ms), slowed(frame.pts()));
        Some(Frame { dts, pts_offset: (pts - dts) as i32, ..frame })
    });
    let (stored, _) = stored("a frame rate that varies", &varied).await;
    let [(frames, _, lasts_ms)] = stored[..] else { panic!("{stored:?}") };
    assert_eq!(frames, 150);
    assert!(lasts_ms.abs_diff(3_000 + 9_000) <= 120, "{lasts_ms}");
}

#[tokio::test]
async fn parameter_sets_and_resolution_may_change_in_mid_stream() {
    let small = encode(4, true, true);
    let large = encode_as(&[
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=640x360:rate=25",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=48000",
        "-t",
        "4",
    ]);
    let sent = [&small[..], &later(&large, 4), &later(&small, 8)].concat();
    let (stored, report) = stored("a resolution that changes", &sent).await;
    assert_eq!((stored[0].0, report.tracks[0].configurations), (300, 2));
    assert!(stored[0].2.abs_diff(12_000) <= 60, "{stored:?}");
}

/// The configurations of HE-AAC: SBR told in front of the core, behind it, and not at all; and with parametric stereo.
const HE_AAC: [&[u8]; 4] = [&[0x2b, 0x92, 0x08, 0x00], &[0x13, 0x90, 0x56, 0xe5, 0xa0], &[0x13, 0x90], &[0xeb, 0x8a, 0x08, 0x00]];

#[tokio::test]
async fn he_aac_lasts_as_long_as_its_core_coder_says() {
    for asc in HE_AAC {
        let mut demuxer = Demuxer::new();
        let payload = |packet_type: u8, body: &[u8]| Bytes::from([&[0xaf, packet_type], body].concat());
        let Ok(Packet::Config(track)) = demuxer.audio(0, &payload(0, asc)) else { panic!() };
        let mut messages = vec![Message::TrackChanged(track)];
        // An encoder's times: whole milliseconds of frames of 1024 samples at 22.05 kHz, or 2048 at 44.1 kHz.
        for n in 0..100 {
            let Ok(Packet::Frame(frame)) = demuxer.audio(n * 1_024 * 1_000 / 22_050, &payload(1, b"\x21\x10\x04")) else {
                panic!()
            };
            messages.push(Message::Frame(frame));
        }
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let studio = Studio::new(Db::open(&url.parse::<Location>().unwrap()).await.unwrap(), folder.path()).await;
        let asset = studio.record(&messages).await;
        assert_eq!(asset.facts.duration_ms, 4_644, "{asc:x?}");
        let packets = ffprobe(&studio.place(&asset), "packet=pts_time");
        assert_eq!((packets.len(), packets[99].parse::<f64>().unwrap()), (100, 4.597551), "{asc:x?}");
        assert_eq!(ffprobe(&studio.place(&asset), "stream=codec_name"), ["aac"]);
    }
}
