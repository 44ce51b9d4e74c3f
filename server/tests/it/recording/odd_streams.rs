//! Streams as encoders send them when all is not well, or merely unusual: from the gate to a file that plays.

use std::path::Path;

use afterlive_domain::report::Report;
use afterlive_media::flv::{Demuxer, Packet};
use afterlive_media::time::rescale;

use super::*;
use crate::fixture::encoder::encode_as;

/// The frames as they would have been sent otherwise, in the order in which they were: each with its decoding time in milliseconds and its number within
/// its track.
fn resent(messages: &[Message], change: impl Fn(Frame, i64, usize) -> Option<Frame>) -> Vec<Message> {
    let mut numbers = [0; 2];
    let again = |message: &Message| {
        let Message::Frame(frame) = message else { return Some(message.clone()) };
        let ms = rescale(frame.dts, if frame.kind == TrackKind::Video { 1_000 } else { 48_000 }, 1_000);
        let number = numbers[frame.kind as usize];
        numbers[frame.kind as usize] += 1;
        change(frame.clone(), ms, number).map(Message::Frame)
    };
    messages.iter().filter_map(again).collect()
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
    let (stored, report, ()) = seen(case, messages, |_, _| ()).await;
    (stored, report)
}

/// The same, with another look at the row and at the file, while they are there.
async fn seen<T>(case: &str, messages: &[Message], look: impl FnOnce(&Asset, &Path) -> T) -> (Vec<Stored>, Report, T) {
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
    let seen = look(&asset, &path);
    (stored, report, seen)
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

/// Between two pictures: from a hundred a second to five.
const INTERVALS_MS: [i64; 7] = [10, 200, 33, 125, 40, 17, 99];

#[tokio::test]
async fn a_frame_rate_that_varies_is_kept_in_each_picture_s_time() {
    let encoded = encode(6, true, false);
    // When each is due that was encoded as if all were 40 ms apart. The last are shown after the last is decoded.
    let mut due_ms = vec![0];
    for interval_ms in INTERVALS_MS.into_iter().cycle().take(160) {
        due_ms.push(due_ms[due_ms.len() - 1] + interval_ms);
    }
    let due_ms = |ms: i64| due_ms[usize::try_from(ms / 40).unwrap()];
    let varied = resent(&encoded, |frame, ms, _| {
        let (dts, pts) = (due_ms(ms), due_ms(frame.pts()));
        Some(Frame { dts, pts_offset: (pts - dts) as i32, ..frame })
    });
    let sent = varied.iter().filter_map(|message| match message {
        Message::Frame(frame) => Some((frame.pts(), frame.dts)),
        _ => None,
    });
    let sent: Vec<(i64, i64)> = sent.collect();
    assert_eq!(sent.len(), 150);
    assert!(sent.windows(2).any(|pair| pair[1].0 < pair[0].0), "B-frames");

    let (_, _, kept) = seen("a frame rate that varies", &varied, |_, path| ffprobe(path, "packet=pts_time,dts_time")).await;
    let ms = |seconds: &str| (seconds.parse::<f64>().unwrap() * 1_000.0).round() as i64;
    let kept = kept.iter().map(|packet| {
        let (pts, dts) = packet.split_once(',').unwrap();
        (ms(pts), ms(dts))
    });
    let kept: Vec<(i64, i64)> = kept.collect();
    let since_first = |times: &[(i64, i64)]| -> Vec<(i64, i64)> {
        times.iter().map(|(pts, dts)| (pts - times[0].1, dts - times[0].1)).collect()
    };
    assert_eq!(since_first(&kept), since_first(&sent), "when each is shown and decoded, after the first is decoded");
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

/// HE-AAC, in each way to say so: its `AudioSpecificConfig`, of a core of 24 kHz; the core's channels; and the rate at which it is decoded where the
/// configuration alone is looked at.
const HE_AAC: [(&[u8], &str, u64); 5] = [
    // SBR in front of the core: 00101 0110 0010 0011 00010 000, and the same of one channel.
    (&[0x2b, 0x11, 0x88, 0x00], "2", 48_000),
    (&[0x2b, 0x09, 0x88, 0x00], "1", 48_000),
    // SBR behind the core: 00010 0110 0010 000, then 01010110111 00101 1 0011.
    (&[0x13, 0x10, 0x56, 0xe5, 0x98], "2", 48_000),
    // Not at all: it would show in the frames.
    (&[0x13, 0x10], "2", 24_000),
    // Parametric stereo in front of a core of one channel: 11101 0110 0001 0011 00010 000.
    (&[0xeb, 0x09, 0x88, 0x00], "1", 48_000),
];

#[tokio::test]
async fn he_aac_lasts_as_long_as_its_core_coder_says() {
    for (asc, channels, decoded_hz) in HE_AAC {
        let case = format!("{asc:x?}");
        // The FFmpeg of the tests encodes no SBR. A frame need not have any: then what its core says is all, in twice as many samples.
        let tone = "sine=frequency=440:sample_rate=24000";
        let core = encode_as(&["-f", "lavfi", "-i", tone, "-ac", channels, "-t", "7"]);
        let core = core.iter().filter_map(|message| match message {
            Message::Frame(frame) => Some(&frame.data),
            _ => None,
        });
        let mut demuxer = Demuxer::new();
        let payload = |packet_type: u8, body: &[u8]| Bytes::from([&[0xaf, packet_type], body].concat());
        let Ok(Packet::Config(track)) = demuxer.audio(0, &payload(0, asc)) else { panic!("{case}") };
        let mut messages = vec![Message::TrackChanged(track)];
        // An encoder's times: whole milliseconds of frames of 1024 samples at 24 kHz, or 2048 at 48 kHz.
        for (n, access_unit) in (0..150).zip(core) {
            let Ok(Packet::Frame(frame)) = demuxer.audio(n * 1_024 * 1_000 / 24_000, &payload(1, access_unit)) else {
                panic!("{case}")
            };
            messages.push(Message::Frame(frame));
        }
        let look = |asset: &Asset, path: &Path| {
            assert_eq!(asset.facts.duration_ms, 6_400, "{case}");
            assert_eq!(ffprobe(path, "stream=codec_name,sample_rate"), [format!("aac,{decoded_hz}")], "{case}");
            let packets = ffprobe(path, "packet=pts_time");
            assert_eq!((packets.len(), packets[149].parse::<f64>().unwrap()), (150, 6.357333), "{case}");
            // Decoded: that FFmpeg complains of nothing has been looked at already.
            let samples: u64 = ffprobe(path, "frame=nb_samples").iter().map(|samples| samples.parse::<u64>().unwrap()).sum();
            assert_eq!(samples * 1_000 / decoded_hz, 6_400, "{case}");
        };
        seen(&case, &messages, look).await;
    }
}
