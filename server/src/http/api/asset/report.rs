//! `GET /asset/{id}/report`: the account of one recording, for audits.

use std::sync::Arc;

use afterlive_domain::{AssetId, AssetState, Region, Report, Role, StreamId, UnixMillis};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::path::AssetPath;
use crate::http::api::doc::{Access, Doc, EXAMPLE_ASSET, EXAMPLE_STREAM};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{Accounted, Service};

/// The account of a recording.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "RecordingReport", example = example())]
pub struct ReportJson {
    id: AssetId,
    stream: StreamId,
    file_name: String,
    region: Region,
    state: AssetState,
    /// Why it is incomplete or failed; null where neither.
    reason: Option<String>,
    created_at: UnixMillis,
    /// Null while it is being recorded.
    ended_at: Option<UnixMillis>,
    /// In milliseconds.
    duration_ms: u64,
    /// In bytes.
    size_bytes: u64,
    /// Null while it is being recorded, and after a crash that left only the finished file.
    #[schemars(with = "Option<Report>")]
    report: Option<Value>,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Json<ReportJson>, ApiError> {
    Ok(Json(ReportJson::new(&service, service.asset_report(&caller, id).await?)))
}

pub fn doc() -> Doc {
    let doc = Doc::new("The account of a recording", Access::Role(Role::ReadOnly))
        .about("What came from the encoder and what of it is in the file, for audits.")
        .answers::<ReportJson>("The account.");
    AssetPath::of(doc)
}

impl ReportJson {
    #[must_use]
    pub fn new(service: &Service, account: Accounted) -> Self {
        let Accounted { asset, report } = account;
        let facts = service.growing().facts_of(&asset);
        Self {
            id: asset.id,
            stream: asset.stream,
            file_name: asset.file_name,
            region: asset.region,
            state: asset.state,
            reason: asset.reason,
            created_at: asset.created_at,
            ended_at: asset.ended_at,
            duration_ms: facts.duration_ms,
            size_bytes: facts.size_bytes,
            report: report.and_then(told),
        }
    }
}

/// As it is kept, but that no 0 is told of what nobody has counted: that is kept as one.
fn told(report: Report) -> Option<Value> {
    let is_known = report.lost_frames > 0 || report.tracks.iter().all(|track| track.received_frames.is_some());
    // Numbers and plain texts always have a JSON form.
    let mut told = serde_json::to_value(report).ok()?;
    if !is_known {
        told["lost_frames"] = Value::Null;
    }
    Some(told)
}

/// The example in the document.
fn example() -> Value {
    json!({
        "id": EXAMPLE_ASSET,
        "stream": EXAMPLE_STREAM,
        "file_name": "8sKpm-x49nB.mp4",
        "region": "eu",
        "state": "ready",
        "reason": null,
        "created_at": "2026-11-04T17:10:49.413Z",
        "ended_at": "2026-11-04T17:12:12.863Z",
        "duration_ms": 83_450,
        "size_bytes": 26_411_008,
        "report": {
            "tracks": [{
                "kind": "video",
                "configurations": 1,
                "received_frames": 2_503,
                "stored_frames": 2_503,
                "left_out_frames": 0,
                "dropped_frames": 0,
                "received_ms": 83_450,
                "begins_ms": 0,
                "lasts_ms": 83_450,
                "media_bytes": 25_000_000,
                "gaps": [{ "from_ms": 10_000, "to_ms": 12_500 }],
                "gap_count": 1,
            }],
            "checksum": {
                "last_bytes": 26_000_000,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            },
            "reconnects": [{ "at_ms": 40_000, "left_at": "2026-11-04T17:11:29.413Z", "back_at": "2026-11-04T17:11:37.020Z" }],
            "reconnect_count": 1,
            "lost_frames": 0,
            "server_died": false,
            "av_begin_offset_ms": null,
            "av_end_offset_ms": null,
        },
    })
}

#[cfg(test)]
mod tests {
    use afterlive_domain::report::TrackReport;

    use super::*;

    #[test]
    fn lost_frames_that_nobody_counted_are_not_told_to_be_none() {
        let lost = |received_frames, lost_frames| {
            let track = TrackReport {
                kind: "video".to_owned(),
                configurations: 1,
                received_frames,
                stored_frames: 7,
                left_out_frames: None,
                dropped_frames: None,
                received_ms: None,
                begins_ms: 0,
                lasts_ms: 280,
                media_bytes: 7_000,
                gaps: Vec::new(),
                gap_count: 0,
            };
            let told = told(Report { tracks: vec![track], lost_frames, server_died: true, ..Report::default() }).unwrap();
            assert_eq!(told["tracks"][0]["received_frames"], json!(received_frames));
            told["lost_frames"].clone()
        };
        assert_eq!([lost(None, 0), lost(None, 3), lost(Some(7), 0)], [Value::Null, json!(3), json!(0)]);
    }
}
