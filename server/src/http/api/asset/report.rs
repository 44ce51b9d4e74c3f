//! `GET /asset/{id}/report`: the account of one recording, for audits.

use std::sync::Arc;

use afterlive_domain::{AssetId, AssetState, Region, Report, StreamId};
use axum::extract::State;
use serde::Serialize;

use super::path::AssetPath;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::{Accounted, Service};

/// Wall times are as the API writes them; `ended_at` is absent while it is being recorded, `report` also after a crash that left only the finished file.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub struct ReportJson {
    id: AssetId,
    stream: StreamId,
    file_name: String,
    region: Region,
    state: AssetState,
    reason: Option<String>,
    created_at: String,
    ended_at: Option<String>,
    duration_ms: u64,
    size_bytes: u64,
    report: Option<Report>,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    AssetPath(id): AssetPath,
) -> Result<Json<ReportJson>, ApiError> {
    Ok(Json(ReportJson::new(&service, service.asset_report(&caller, id).await?)))
}

impl ReportJson {
    #[must_use]
    pub fn new(service: &Service, account: Accounted) -> Self {
        let Accounted { asset, report } = account;
        let facts = service.growing().facts(asset.id).unwrap_or(asset.facts);
        Self {
            id: asset.id,
            stream: asset.stream,
            file_name: asset.file_name,
            region: asset.region,
            state: asset.state,
            reason: asset.reason,
            created_at: asset.created_at.to_string(),
            ended_at: asset.ended_at.map(|at| at.to_string()),
            duration_ms: facts.duration_ms,
            size_bytes: facts.size_bytes,
            report,
        }
    }
}
