//! One recording, as programs ask for it.

use afterlive_domain::UnixMillis;
use afterlive_domain::report::{Checksum, Gap, Reconnect, Report, TrackReport};
use serde_json::json;
use uuid::Uuid;

use super::streams::a_stream;
use crate::fixture::recordings::{a_finished_recording, an_accounted_recording};
use crate::fixture::server::on_each_server;

#[tokio::test]
async fn a_report_says_what_came_and_what_is_stored_to_those_whose_recording_it_is() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server, &ours, &[]).await;
        let pictures = TrackReport {
            kind: "video".to_owned(),
            configurations: 1,
            received_frames: Some(2_503),
            stored_frames: 2_500,
            left_out_frames: Some(3),
            dropped_frames: Some(0),
            received_ms: Some(83_450),
            begins_ms: 0,
            lasts_ms: 83_450,
            media_bytes: 25_000_000,
            gaps: vec![Gap { from_ms: 10_000, to_ms: 12_500 }],
            gap_count: 1,
        };
        let checksum = Checksum { last_bytes: 26_000_000, sha256: "ab".repeat(32) };
        let mut report = Report { tracks: vec![pictures], checksum: Some(checksum), ..Report::default() };
        report.add_reconnect(Reconnect { at_ms: 40_000, left_at: UnixMillis(1_000), back_at: UnixMillis(9_000) });
        let asset = an_accounted_recording(server.service.db(), stream, Some(&report)).await;
        let call = format!("GET /asset/{}/report", asset.id);
        let answer = server.send(&call, Some(&ours.reader_key), "").await.ok();
        assert_eq!((&answer["state"], &answer["duration_ms"]), (&json!("ready"), &json!(83_450)));
        assert_eq!(answer["report"], serde_json::to_value(&report).unwrap());
        assert_eq!(answer["report"]["tracks"][0]["gaps"], json!([{ "from_ms": 10_000, "to_ms": 12_500 }]));

        assert_eq!(server.send(&call, Some(&theirs.admin_key), "").await.error(), (404, 3004));
        assert_eq!(server.send(&call, None, "").await.error(), (401, 4002));
        let none = format!("GET /asset/{}/report", Uuid::new_v4());
        assert_eq!(server.send(&none, Some(&ours.reader_key), "").await.error(), (404, 3004));
        assert_eq!(server.send("GET /asset/x/report", Some(&ours.reader_key), "").await.error(), (400, 1004));

        let unaccounted = a_finished_recording(server.service.db(), stream).await;
        let answer = server.send(&format!("GET /asset/{}/report", unaccounted.id), Some(&ours.reader_key), "").await.ok();
        assert_eq!(answer["report"], json!(null));
    })
    .await;
}
