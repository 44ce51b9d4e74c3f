//! Stretches without a frame, as an encoder sends them over a socket, and as the report tells them that programs get.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use afterlive_domain::Report;
use afterlive_domain::report::GAP_MS;
use afterlive_media::flv::FileTag;
use afterlive_media::frame::TrackKind;
use afterlive_media::timeline::LONGEST_GAP_MS;
use serde_json::Value;

use crate::fixture::encoder::{complaints, ffprobe, flv_tags};
use crate::fixture::installation::Installation;
use crate::fixture::publisher::Encoder;

/// From this time of the encoder's on all of it comes so much later: both tracks pause.
const PAUSE_AT_MS: i64 = 2_000;
const PAUSE_MS: i64 = 3_000;
/// Sound that is never sent: once so much that it is told, and once less.
const SILENT_MS: [Range<i64>; 2] = [4_000..5_500, 6_000..6_800];
/// Then the encoder's clock is set, by more than may be a pause.
const SET_AT_MS: i64 = 7_000;
const SET_BY_MS: i64 = LONGEST_GAP_MS + 10_000;
const STREAM_SECONDS: u32 = 8;
/// By so much a time may differ that was rounded on its way.
const ROUNDED_MS: u64 = 2;

/// In milliseconds: of the last frame before it, and of the first behind it.
type Hole = (i64, i64);

fn holes(times_ms: &[i64]) -> Vec<Hole> {
    let steps = times_ms.windows(2).map(|pair| (pair[0], pair[1]));
    steps.filter(|(from_ms, to_ms)| to_ms.abs_diff(*from_ms) >= GAP_MS).collect()
}

/// When each frame of the file is shown or heard, pictures first, in milliseconds.
fn presented_ms(file: &Path) -> [Vec<i64>; 2] {
    let mut times_ms = [Vec::new(), Vec::new()];
    for line in ffprobe(file, "packet=stream_index,pts_time") {
        let mut fields = line.split(',');
        let (track, seconds) = (fields.next().unwrap(), fields.next().unwrap());
        let (track, seconds): (usize, f64) = (track.parse().unwrap(), seconds.parse().unwrap());
        times_ms[track].push((seconds * 1_000.0).round() as i64);
    }
    times_ms.iter_mut().for_each(|times_ms| times_ms.sort_unstable());
    times_ms
}

fn assert_alike(told: &[Hole], others: &[Hole], whose: &str) {
    let are_near =
        |(told, other): (&Hole, &Hole)| told.0.abs_diff(other.0) <= ROUNDED_MS && told.1.abs_diff(other.1) <= ROUNDED_MS;
    assert!(told.len() == others.len() && told.iter().zip(others).all(are_near), "told {told:?}, {whose} {others:?}");
}

#[tokio::test]
async fn each_pause_of_each_track_is_told_where_it_is_and_a_clock_that_was_set_is_none() {
    let is_silent = |tag: &FileTag| tag.kind == TrackKind::Audio && SILENT_MS.iter().any(|ms| ms.contains(&tag.timestamp_ms));
    let mut tags = flv_tags(STREAM_SECONDS, true, true);
    tags.retain(|tag| !is_silent(tag));
    // Where a frame belongs on the recording's timeline.
    let meant_ms = |tag: &FileTag| tag.timestamp_ms + if tag.timestamp_ms < PAUSE_AT_MS { 0 } else { PAUSE_MS };
    let meant = [TrackKind::Video, TrackKind::Audio].map(|kind| {
        let frames = tags.iter().filter(|tag| tag.kind == kind && tag.payload[1] == 1);
        frames.map(meant_ms).collect::<Vec<i64>>()
    });
    assert_eq!(meant.each_ref().map(|times_ms| holes(times_ms).len()), [1, 2], "{meant:?}");

    let installation = Installation::new();
    let running = installation.start();
    let ingest = running.new_stream().await;
    let mut encoder = Encoder::publish(&ingest).await.unwrap();
    for tag in &tags {
        let timestamp_ms = meant_ms(tag) + if tag.timestamp_ms < SET_AT_MS { 0 } else { SET_BY_MS };
        encoder.send(&FileTag { timestamp_ms, ..tag.clone() }).await.unwrap();
    }
    encoder.unpublish().await;
    let recording = loop {
        let all = running.all_recordings(&ingest.id).await;
        if let Some(recording) = all.into_iter().find(|recording| recording["state"] != "recording") {
            break recording;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&recording["state"], &recording["reason"]), (&Value::from("ready"), &Value::Null), "{recording}");
    let file = installation.place(&recording);
    assert_eq!(complaints(&file), "");

    let account = format!("{}/asset/{}/report", running.dashboard, recording["id"].as_str().unwrap());
    let account = running.call(running.http.get(account)).await;
    let report: Report = serde_json::from_value(account["report"].clone()).unwrap();
    let kinds: Vec<&str> = report.tracks.iter().map(|track| track.kind.as_str()).collect();
    assert_eq!(kinds, ["video", "audio"]);
    for ((track, meant_ms), presented_ms) in report.tracks.iter().zip(&meant).zip(presented_ms(&file)) {
        let frames = meant_ms.len() as u64;
        assert_eq!((track.received_frames, track.stored_frames, track.dropped_frames), (Some(frames), frames, Some(0)));
        let told: Vec<Hole> = track.gaps.iter().map(|gap| (gap.from_ms as i64, gap.to_ms as i64)).collect();
        assert_eq!(track.gap_count, told.len() as u64, "{track:?}");
        let since_the_beginning = |ms: &i64| ms - meant_ms[0] + track.begins_ms as i64;
        let meant_ms: Vec<i64> = meant_ms.iter().map(since_the_beginning).collect();
        assert_alike(&told, &holes(&meant_ms), "sent");
        assert_alike(&told, &holes(&presented_ms), "played");
        // The pauses are in it, and what the clock was set by is not.
        let expected_ms = u64::from(STREAM_SECONDS) * 1_000 + PAUSE_MS.unsigned_abs();
        assert!(track.lasts_ms.abs_diff(expected_ms) <= 100, "{track:?}");
    }
}
