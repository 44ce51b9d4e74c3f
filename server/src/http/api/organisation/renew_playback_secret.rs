//! `POST /organisation/playback_secret`: another secret signs the organisation's playback tokens, so that all that there are end.

use std::sync::Arc;

use afterlive_domain::Role;
use axum::extract::State;

use super::json::OrganisationJson;
use crate::http::api::doc::{Access, Doc};
use crate::http::api::json::Json;
use crate::http::credentials::Authenticated;
use crate::http::error::ApiError;
use crate::service::Service;

pub async fn handle(
    State(service): State<Arc<Service>>,
    Authenticated(caller): Authenticated,
) -> Result<Json<OrganisationJson>, ApiError> {
    service.renew_playback_secret(&caller).await?;
    let organisation = service.organisation(&caller).await?;
    Ok(Json(OrganisationJson::new(&service, &caller, organisation)))
}

pub fn doc() -> Doc {
    Doc::new("Ends all playback tokens at once", Access::Role(Role::Admin))
        .about(
            "Another secret signs them from then on: every token that was made is good for nothing, with a label or without, and who watches with one is cut. Pages of the \
             dashboard that are open need to be loaded again to play what is not public. The list of revoked tokens is empty then.",
        )
        .answers::<OrganisationJson>("The organisation.")
}
