//! `POST /token/revoke`: a token is good for nothing any more, named by itself or by its id.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role, TokenId};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::http::api::body::Fields;
use crate::http::api::doc::{Access, Doc, Field, required, schema_of, wrong_state};
use crate::http::api::json::Json;
use crate::http::api::query::wrong;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;
use crate::service::playback::{MAX_REVOKED, RevokedToken, too_many};

#[derive(JsonSchema, Serialize)]
#[schemars(rename = "RevokedPlaybackToken", example = json!({ "id": "0b0d9e0e-6a0c-4cf8-9d3e-2f6a3c1b7d11", "revoked": true }))]
pub struct Revoked {
    id: TokenId,
    /// Always true.
    revoked: bool,
}

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
    fields: Fields,
) -> Result<Json<Revoked>, ApiError> {
    let which = match (fields.text("token")?, fields.text("id")?) {
        (Some(token), _) => RevokedToken::Token(token),
        (None, Some(id)) => {
            let expected = "the id of a token".to_owned();
            RevokedToken::Id(id.parse().map_err(|_| Refusal::WrongType { parameter: "id".to_owned(), expected })?)
        }
        (None, None) => return Err(required("token").into()),
    };
    let id = service.revoke_playback_token(&caller, which).await?;
    Ok(Json(Revoked { id, revoked: true }))
}

pub fn doc() -> Doc {
    Doc::new("Revokes a playback token", Access::Role(Role::User))
        .about(
            "Named by itself or by its id. Who watches with it is cut. Tokens without a label are on no list: by its id alone one of them is revoked by administrators only, and \
             takes a place among the revoked ones for 366 days; whoever has the token itself revokes it by that, and the place is free again when it would have expired. Of the \
             10,000 places the last 1,000 are administrators'.",
        )
        .body([
            Field::optional("token", "The token. This or `id` is asked for.", json!({ "type": "string" })),
            Field::optional("id", "The token's id.", schema_of::<TokenId>())
                .example("0b0d9e0e-6a0c-4cf8-9d3e-2f6a3c1b7d11")
                .variable("TOKEN_ID"),
        ])
        .answers::<Revoked>("That it is revoked.")
        .refuses([
            required("token"),
            wrong("id", "the id of a token"),
            wrong_state(&too_many(MAX_REVOKED)),
        ])
}
