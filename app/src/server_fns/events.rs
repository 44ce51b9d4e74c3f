//! Where the organisation's programs are told of events: listed, made, changed, tried out, deleted. And what each was told, and again.

#![expect(clippy::too_many_arguments, reason = "a form has as many fields as it has kinds to tick")]

use afterlive_domain::{EndpointId, MessageId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, EndpointPage, EndpointRow};

#[server(prefix = "/ui", endpoint = "endpoints", input = Json)]
pub async fn load_endpoints() -> Result<Vec<EndpointRow>, BackendError> {
    super::outcome::with_status(crate::request::backend().endpoints().await)
}

/// `after`: where the page of what it was told begins; `None` with the newest.
#[server(prefix = "/ui", endpoint = "endpoint", input = Json)]
pub async fn load_endpoint(id: EndpointId, after: Option<String>) -> Result<EndpointPage, BackendError> {
    super::outcome::with_status(crate::request::backend().endpoint(id, after).await)
}

/// The kinds are checkboxes, which a browser sends only where they are ticked.
#[server(prefix = "/ui", endpoint = "create_endpoint")]
pub async fn create_endpoint(
    #[server(default)] url: String,
    #[server(default)] stream_live: Option<String>,
    #[server(default)] stream_ended: Option<String>,
    #[server(default)] asset_stalled: Option<String>,
    #[server(default)] asset_ready: Option<String>,
    #[server(default)] asset_failed: Option<String>,
    #[server(default)] asset_deleted: Option<String>,
) -> Result<(), BackendError> {
    use super::outcome::{EVENTS, endpoint_form, endpoint_page, tell, tell_error};

    let ticked = [stream_live, stream_ended, asset_stalled, asset_ready, asset_failed, asset_deleted];
    let made = match endpoint_form(&url, ticked) {
        Ok(form) => crate::request::backend().create_endpoint(form).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(id) => {
            tell(&endpoint_page(id), "endpoint-made");
            Ok(())
        }
        Err(error) => tell_error(EVENTS, error).await,
    }
}

/// As [`create_endpoint`].
#[server(prefix = "/ui", endpoint = "change_endpoint")]
pub async fn change_endpoint(
    id: EndpointId,
    #[server(default)] url: String,
    #[server(default)] stream_live: Option<String>,
    #[server(default)] stream_ended: Option<String>,
    #[server(default)] asset_stalled: Option<String>,
    #[server(default)] asset_ready: Option<String>,
    #[server(default)] asset_failed: Option<String>,
    #[server(default)] asset_deleted: Option<String>,
) -> Result<(), BackendError> {
    let ticked = [stream_live, stream_ended, asset_stalled, asset_ready, asset_failed, asset_deleted];
    let outcome = match super::outcome::endpoint_form(&url, ticked) {
        Ok(form) => crate::request::backend().change_endpoint(id, form).await,
        Err(error) => Err(error),
    };
    super::outcome::tell_outcome(outcome, &super::outcome::endpoint_page(id), &super::outcome::endpoint_page(id), "saved").await
}

#[server(prefix = "/ui", endpoint = "switch_endpoint")]
pub async fn switch_endpoint(id: EndpointId, enabled: bool) -> Result<(), BackendError> {
    let outcome = crate::request::backend().switch_endpoint(id, enabled).await;
    let notice = if enabled { "endpoint-on" } else { "endpoint-off" };
    super::outcome::tell_outcome(outcome, &super::outcome::endpoint_page(id), &super::outcome::endpoint_page(id), notice).await
}

#[server(prefix = "/ui", endpoint = "delete_endpoint")]
pub async fn delete_endpoint(id: EndpointId) -> Result<(), BackendError> {
    use super::outcome::{EVENTS, tell_outcome};

    let outcome = crate::request::backend().delete_endpoint(id).await;
    tell_outcome(outcome, EVENTS, EVENTS, "endpoint-deleted").await
}

#[server(prefix = "/ui", endpoint = "rotate_endpoint_secret")]
pub async fn rotate_endpoint_secret(id: EndpointId) -> Result<(), BackendError> {
    let outcome = crate::request::backend().rotate_endpoint_secret(id).await;
    super::outcome::tell_outcome(
        outcome,
        &super::outcome::endpoint_page(id),
        &super::outcome::endpoint_page(id),
        "endpoint-rotated",
    )
    .await
}

#[server(prefix = "/ui", endpoint = "test_endpoint")]
pub async fn test_endpoint(id: EndpointId) -> Result<(), BackendError> {
    let outcome = crate::request::backend().test_endpoint(id).await;
    super::outcome::tell_outcome(
        outcome,
        &super::outcome::endpoint_page(id),
        &super::outcome::endpoint_page(id),
        "endpoint-tested",
    )
    .await
}

/// `endpoint` is for the page to go back to.
#[server(prefix = "/ui", endpoint = "resend_delivery")]
pub async fn resend_delivery(delivery: MessageId, endpoint: EndpointId) -> Result<(), BackendError> {
    let outcome = crate::request::backend().resend_delivery(delivery).await;
    super::outcome::tell_outcome(
        outcome,
        &super::outcome::endpoint_page(endpoint),
        &super::outcome::endpoint_page(endpoint),
        "resent",
    )
    .await
}
