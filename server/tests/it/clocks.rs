//! Clocks that start over or are set while a stream is recorded: the encoder's, over a real connection, and the machine's own.

use std::time::{Duration, Instant};

use afterlive_domain::AssetState;
use afterlive_media::flv::FileTag;
use afterlive_media::frame::TrackKind;
use afterlive_server::db::assets;
use afterlive_server::record::Limits;
use serde_json::Value;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};
use crate::fixture::encoder::{complaints, encode, ffprobe, flv_tags, send};
use crate::fixture::installation::Installation;
use crate::fixture::publisher::Encoder;
use crate::fixture::studio::{Studio, count, grew, until};

/// One more than the greatest time that RTMP has.
const WRAP_MS: i64 = 1 << 32;
const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_publish_whose_times_of_32_bits_start_over_is_one_recording_without_a_seam() {
    let tags = flv_tags(6, true, true);
    let installation = Installation::new();
    let running = installation.start();
    // Starts over in the midst, between two frames of either track, and just before its end.
    for before_ms in [3_000, 2_990, 5_980] {
        let ingest = running.new_stream().await;
        let mut encoder = Encoder::publish(&ingest).await.unwrap();
        for tag in &tags {
            encoder.send(&FileTag { timestamp_ms: tag.timestamp_ms + WRAP_MS - before_ms, ..tag.clone() }).await.unwrap();
        }
        encoder.unpublish().await;
        let recording = loop {
            if let [recording] = &running.recordings(&ingest.id).await[..] {
                break recording.clone();
            }
        };
        assert_eq!((&recording["state"], &recording["index"]), (&Value::from("ready"), &Value::from(1)), "{recording}");
        let path = installation.place(&recording);
        assert_eq!(complaints(&path), "", "{before_ms}");
        assert!(recording["duration_ms"].as_u64().unwrap().abs_diff(6_000) < 60, "{before_ms}: {recording}");
        let frames = |kind| tags.iter().filter(|tag| tag.kind == kind && tag.payload[1] == 1).count().to_string();
        assert_eq!(ffprobe(&path, "stream=nb_frames"), [frames(TrackKind::Video), frames(TrackKind::Audio)], "{before_ms}");
        // As far apart as they were sent, to the tick: nothing was joined on.
        let pictures = ffprobe(&path, "packet=stream_index,dts_time");
        let times: Vec<f64> =
            pictures.iter().filter_map(|line| line.strip_prefix("0,")?.trim_matches(',').parse().ok()).collect();
        assert!(times.len() == 150 && times.windows(2).all(|pair| (pair[1] - pair[0] - 0.04).abs() < 0.001), "{times:?}");
    }
}

#[tokio::test]
async fn a_machine_whose_clock_is_set_while_it_records_stores_what_was_sent() {
    let sent = encode(6, true, true);
    on_each_database(async |db| {
        for set_by_ms in [HOUR_MS, -2 * HOUR_MS] {
            let folder = tempfile::tempdir().unwrap();
            let studio = Studio::new(db.clone(), folder.path()).await;
            let mut grant = studio.publish().await;
            send(grant.publisher(), &sent[..sent.len() / 2]);
            let spool = studio.store().spool();
            until(|| spool.assets().unwrap().first().is_some_and(|id| grew(&studio, *id, 1_000))).await;
            studio.clock.set_by_ms(set_by_ms);
            send(grant.publisher(), &sent[sent.len() / 2..]);
            drop(grant);
            studio.settle().await;
            let asset = studio.assets().await.remove(0);
            assert_eq!((asset.state, &asset.reason, asset.index), (AssetState::Ready, &None, 1));
            assert!(asset.facts.duration_ms.abs_diff(6_000) < 50, "{set_by_ms}: {:?}", asset.facts);
            let path = studio.place(&asset);
            assert_eq!(complaints(&path), "");
            let frames = |kind| count(&sent, kind).to_string();
            assert_eq!(ffprobe(&path, "stream=nb_frames"), [frames(TrackKind::Video), frames(TrackKind::Audio)]);
            // When it began and ended is what the machine's clock said then.
            assert!(NOW.ms_since(asset.created_at) < HOUR_MS / 2, "{:?}", asset.created_at);
            assert!((asset.ended_at.unwrap().ms_since(NOW) - set_by_ms).abs() < HOUR_MS / 2, "{:?}", asset.ended_at);
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_back_in_time_is_told_by_a_clock_that_nobody_sets() {
    let sent = encode(2, true, true);
    on_each_database(async |db| {
        for set_by_ms in [HOUR_MS, -2 * HOUR_MS] {
            for (away_ms, recordings) in [(20_000, 1), (31_000, 2)] {
                let folder = tempfile::tempdir().unwrap();
                let limits = Limits { reconnect_window: Duration::from_secs(30), ..Limits::default() };
                let studio = Studio::with_limits(db.clone(), folder.path(), limits).await;
                studio.record(&sent).await;
                studio.clock.advance_ms(away_ms);
                studio.clock.set_by_ms(set_by_ms);
                studio.record(&sent).await;
                let assets = studio.assets().await;
                assert_eq!(assets.len(), recordings, "{away_ms} ms away, the clock set by {set_by_ms} ms");
                if recordings > 1 {
                    continue;
                }
                assert!(assets[0].facts.duration_ms.abs_diff(4_000) < 150, "{:?}", assets[0].facts);
                let report = assets::report(&mut studio.db.read().await.unwrap(), assets[0].id).await.unwrap().unwrap();
                let [reconnect] = report.reconnects[..] else { panic!("{report:?}") };
                let told_ms = reconnect.back_at.ms_since(reconnect.left_at);
                assert!((told_ms - away_ms).abs() < 10_000, "{told_ms} ms of absence: {reconnect:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn who_comes_too_late_is_so_also_where_many_others_came_between_and_the_clock_was_set_back() {
    const AWAY_MS: i64 = 1_200_000;
    let sent = encode(1, true, true);
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let mut others = Vec::new();
        for _ in 0..65 {
            others.push(a_stream(&db, &organisation).await);
        }
        // To when it left, or long before.
        for set_by_ms in [-AWAY_MS, -HOUR_MS] {
            let folder = tempfile::tempdir().unwrap();
            let window = Duration::from_millis(300);
            let limits = Limits { reconnect_window: window, ..Limits::default() };
            let studio = Studio::with_limits(db.clone(), folder.path(), limits).await;
            studio.record(&sent).await;
            let left = Instant::now();
            // So many that those whose window is over are forgotten.
            let (last, others) = others.split_last().unwrap();
            for other in others {
                drop(studio.try_publish_to(other).await.unwrap());
            }
            until(|| left.elapsed() > window).await;
            drop(studio.try_publish_to(last).await.unwrap());
            studio.clock.advance_ms(AWAY_MS);
            studio.clock.set_by_ms(set_by_ms);
            studio.record(&sent).await;
            assert_eq!(studio.assets().await.len(), 2, "the clock set by {set_by_ms} ms");
        }
    })
    .await;
}

#[tokio::test]
async fn after_a_restart_who_is_back_goes_on_unless_the_clock_was_set_back_by_more_than_the_window() {
    let sent = encode(1, true, true);
    on_each_database(async |db| {
        for (set_back_ms, recordings) in [(0, 1), (5_000, 1), (HOUR_MS, 2)] {
            let folder = tempfile::tempdir().unwrap();
            let limits = Limits { reconnect_window: Duration::from_secs(30), ..Limits::default() };
            let before = Studio::with_limits(db.clone(), folder.path(), limits).await;
            before.clock.set_by_ms(set_back_ms);
            before.record(&sent).await;
            let stream = before.stream.clone();
            let after = Studio { stream, ..Studio::with_limits(db.clone(), folder.path(), limits).await };
            after.record(&sent).await;
            assert_eq!(after.assets().await.len(), recordings, "the clock set back by {set_back_ms} ms");
        }
    })
    .await;
}
