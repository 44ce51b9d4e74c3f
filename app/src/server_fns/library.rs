//! The library of recordings, and one of them.

use afterlive_domain::AssetId;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{BackendError, LibraryFilter, LibraryPage, RecordingPage};

#[server(prefix = "/ui", endpoint = "library", input = Json)]
pub async fn load_library(filter: LibraryFilter) -> Result<LibraryPage, BackendError> {
    super::outcome::with_status(crate::request::backend().library(filter).await)
}

#[server(prefix = "/ui", endpoint = "recording", input = Json)]
pub async fn load_recording(asset: AssetId) -> Result<RecordingPage, BackendError> {
    super::outcome::with_status(crate::request::backend().recording(asset).await)
}

/// To the bin. `back` is the page with the form, which then offers to undo it.
#[server(prefix = "/ui", endpoint = "bin_recording")]
pub async fn bin_recording(asset: AssetId, #[server(default)] back: String) -> Result<(), BackendError> {
    use super::{
        Flash,
        outcome::{tell_error, tell_flash},
    };
    use crate::request::{backend, local_path};

    let back = local_path(&back);
    match backend().bin_recording(asset).await {
        Ok(file_name) => tell_flash(back, Flash::Binned { asset, file_name, back: back.to_owned() }).await,
        Err(error) => tell_error(back, error).await,
    }
}

#[server(prefix = "/ui", endpoint = "restore_recording")]
pub async fn restore_recording(asset: AssetId, #[server(default)] back: String) -> Result<(), BackendError> {
    use crate::request::{backend, local_path};

    let back = local_path(&back);
    let outcome = backend().restore_recording(asset).await;
    super::outcome::tell_outcome(outcome, back, back, "restored").await
}

#[server(prefix = "/ui", endpoint = "hold_recording")]
pub async fn hold_recording(
    asset: AssetId,
    #[server(default)] note: String,
    #[server(default)] back: String,
) -> Result<(), BackendError> {
    use crate::request::{backend, local_path};

    let (back, note) = (local_path(&back), note.trim());
    let outcome = backend().hold_recording(asset, (!note.is_empty()).then(|| note.to_owned())).await;
    super::outcome::tell_outcome(outcome, back, back, "held").await
}

#[server(prefix = "/ui", endpoint = "lift_hold")]
pub async fn lift_hold(asset: AssetId, #[server(default)] back: String) -> Result<(), BackendError> {
    use crate::request::{backend, local_path};

    let back = local_path(&back);
    let outcome = backend().lift_hold(asset).await;
    super::outcome::tell_outcome(outcome, back, back, "released").await
}
