//! `POST /stream/validate`: whether a streamname is taken, as far as the caller's organisation goes.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;
use serde_json::json;

use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required};
use crate::http::api::json::{Json, Verdict};
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Verdict>, ApiError> {
    let success = service.is_streamname_taken(&caller, fields.required_text("streamname")?).await?;
    Ok(Json(Verdict { success }))
}

pub fn doc() -> Doc {
    Doc::new("Is a streamname taken?", Access::Role(Role::ReadOnly))
        .about("As far as the caller's organisation goes: of others' streams nothing is said.")
        .body([Field::required("streamname", "A streamname, `HASH-NAME`.", json!({ "type": "string" })).example("8sKpm-x49nB")])
        .answers::<Verdict>("Whether it is.")
        .refuses([required("streamname")])
}
