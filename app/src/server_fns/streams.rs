//! Streams and their recordings.

use afterlive_domain::StreamId;
use afterlive_domain::stream::MAX_TAG_CHARS;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, Home, Overview, RecordingRange, StreamFilter, StreamPage};

#[server(prefix = "/ui", endpoint = "home", input = Json)]
pub async fn load_home() -> Result<Home, BackendError> {
    super::outcome::with_status(crate::request::backend().home().await)
}

#[server(prefix = "/ui", endpoint = "streams", input = Json)]
pub async fn load_streams(filter: StreamFilter) -> Result<StreamPage, BackendError> {
    super::outcome::with_status(crate::request::backend().streams(filter).await)
}

#[server(prefix = "/ui", endpoint = "overview", input = Json)]
pub async fn load_overview(
    stream: StreamId,
    recordings: RecordingRange,
    token: Option<String>,
) -> Result<Overview, BackendError> {
    super::outcome::with_status(crate::request::backend().overview(stream, recordings, token).await)
}

/// What a name and the `title:` of its tag have room for in one.
pub const MAX_NAME_CHARS: usize = MAX_TAG_CHARS - "title:".len();

/// Goes on to the new stream's instructions, or, where `then` is `webcaster`, to its webcaster. A name becomes a tag.
#[server(prefix = "/ui", endpoint = "create_stream")]
pub async fn create_stream(
    #[server(default)] name: String,
    #[server(default)] tags: String,
    #[server(default)] mode: String,
    #[server(default)] then: String,
) -> Result<(), BackendError> {
    use super::Flash;
    use super::outcome::{named_tags, tell_error, tell_flash};
    use crate::request::{backend, redirect};
    use afterlive_domain::Mode;

    let mode = if mode == Mode::Live.as_str() { Mode::Live } else { Mode::Rec };
    let created = match named_tags(&name, &tags) {
        Ok(tags) => backend().create_stream(tags, mode).await,
        Err(error) => Err(error),
    };
    let (form, next) = if then == "webcaster" { ("/webcaster", "/webcaster") } else { ("/stream/create", "/stream/new") };
    match created {
        Ok(stream) => redirect(&format!("{next}/{stream}")),
        Err(BackendError::SignedOut) => tell_error(form, BackendError::SignedOut).await?,
        Err(error) => tell_flash(form, Flash::StreamNotCreated { name, tags, mode, problem: error.to_string() }).await?,
    }
    Ok(())
}

/// `back` is the page with the form, of those that show the overview.
#[server(prefix = "/ui", endpoint = "set_tags")]
pub async fn set_tags(
    stream: StreamId,
    #[server(default)] tags: String,
    #[server(default)] back: String,
) -> Result<(), BackendError> {
    use afterlive_domain::Tags;

    let page = super::outcome::page_of_form(stream, &back);
    let outcome = match Tags::from_comma_separated(&tags) {
        Ok(tags) => crate::request::backend().set_tags(stream, tags).await,
        Err(error) => Err(super::outcome::refused(&error)),
    };
    super::outcome::tell_in_form(outcome, &page, "tags", tags, "tags").await
}

/// `back` as in [`set_tags`].
#[server(prefix = "/ui", endpoint = "set_push_url")]
pub async fn set_push_url(
    stream: StreamId,
    #[server(default)] url: String,
    #[server(default)] back: String,
) -> Result<(), BackendError> {
    let page = super::outcome::page_of_form(stream, &back);
    let outcome = crate::request::backend().set_push_url(stream, url.trim()).await;
    super::outcome::tell_in_form(outcome, &page, "push-url", url, "push-url").await
}

#[server(prefix = "/ui", endpoint = "stop_and_lock")]
pub async fn stop_and_lock(stream: StreamId) -> Result<(), BackendError> {
    let page = format!("/stream/{stream}");
    let outcome = crate::request::backend().stop_and_lock(stream).await;
    super::outcome::tell_outcome(outcome, &page, &page, "locked").await
}

#[server(prefix = "/ui", endpoint = "unlock")]
pub async fn unlock(stream: StreamId) -> Result<(), BackendError> {
    let page = format!("/stream/{stream}");
    let outcome = crate::request::backend().unlock(stream).await;
    super::outcome::tell_outcome(outcome, &page, &page, "unlocked").await
}

#[server(prefix = "/ui", endpoint = "renew_publish_key")]
pub async fn renew_publish_key(stream: StreamId) -> Result<(), BackendError> {
    let page = format!("/stream/{stream}");
    let outcome = crate::request::backend().renew_publish_key(stream).await;
    super::outcome::tell_outcome(outcome, &page, &page, "publish-key").await
}

#[server(prefix = "/ui", endpoint = "delete_stream")]
pub async fn delete_stream(stream: StreamId) -> Result<(), BackendError> {
    let outcome = crate::request::backend().delete_stream(stream).await;
    super::outcome::tell_outcome(outcome, &format!("/stream/{stream}"), "/stream", "deleted").await
}
