//! The pages, one a file: what is on each, and which data it asks for.

pub mod account;
pub mod audit;
pub mod auth;
pub mod endpoint;
pub mod events;
pub mod forgotten;
pub mod home;
pub mod invitation;
pub mod library;
pub mod new_password;
pub mod organisation;
pub mod playout;
pub mod recording;
pub mod second_factor;
pub mod setup;
pub mod sign_in_code;
pub mod stream;
pub mod stream_create;
pub mod stream_new;
pub mod streams;
pub mod system;
pub mod tenant;
pub mod webcaster;
pub mod webcaster_start;

use leptos::prelude::*;

/// Stands where the content will, in about its shape.
#[must_use]
pub fn skeleton() -> AnyView {
    view! {
        <div class="skeleton" role="status" aria-label="Loading">
            <div class="bone title"></div>
            <div class="bone"></div>
            <div class="bone tall"></div>
            <div class="bone"></div>
        </div>
    }
    .into_any()
}
