//! `POST /token/revoke`: a token is good for nothing any more, named by itself or by its id.

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, TokenId};
use axum::extract::State;
use serde::Serialize;

use crate::http::api::body::Fields;
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;
use crate::service::playback::RevokedToken;

#[derive(Serialize)]
pub struct Revoked {
    id: TokenId,
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
        (None, None) => return Err(Refusal::ParameterRequired { parameter: "token".to_owned() }.into()),
    };
    let id = service.revoke_playback_token(&caller, which).await?;
    Ok(Json(Revoked { id, revoked: true }))
}
