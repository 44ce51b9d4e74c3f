//! The server functions: how pages, rendered on the server or running in the browser, reach [`crate::backend::Backend`]. One file a domain.
//!
//! Functions that read answer data, and are called by pages. Functions that change something are called by HTML forms, with or without
//! JavaScript: each ends in a redirect to a page that shows the outcome, and none of them fails by an HTTP status.

use afterlive_domain::{AssetId, Mode};
use leptos::server_fn::{codec::JsonEncoding, error::FromServerFnError, error::ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::backend::{BackendError, PlayoutUrls};

pub mod access;
pub mod account;
pub mod accounts;
pub mod audit;
pub mod events;
pub mod library;
pub mod organisation;
#[cfg(feature = "ssr")]
mod outcome;
pub mod playback;
pub mod provider;
pub mod second_factor;
pub mod streams;
pub mod system;

impl FromServerFnError for BackendError {
    type Encoder = JsonEncoding;

    /// Whatever failed between browser and server is one thing to the reader.
    fn from_server_fn_error(_: ServerFnErrorErr) -> Self {
        Self::Unreachable
    }
}

/// The outcome of a form, where it is too long or too secret for a URL: kept in the browser session until the next page shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Flash {
    /// A sentence that says what to mend.
    Problem(String),
    /// The same of a form that stands far down on its page; `card` is the id of the heading above it, or of what it stands in. `of_value`: what was
    /// typed cannot be, rather than that the server could not take it. `typed`: what the form is to have again.
    ProblemInCard { card: String, problem: String, of_value: bool, typed: Option<String> },
    /// An API key, to be seen this once.
    NewKey { label: String, key: String },
    /// A playback token, to be seen this once, and the URLs to put it behind.
    NewPlaybackToken { label: String, token: String, playout: PlayoutUrls },
    /// The link of an invitation, to be seen this once.
    Invitation { email: String, link: String },
    /// What was typed into the form for an invitation, and how to mend it.
    NotInvited { email: String, problem: String },
    /// The link by which a user sets a new password, to be seen this once.
    PasswordLink { email: String, link: String },
    /// The link by which somebody comes to administer an organisation that is mostly another one than the reader's, to be seen this once.
    AdministratorInvited { email: String, link: String },
    /// What was typed into the form for an organisation, and how to mend it.
    NotCreated { name: String, email: String, problem: String },
    /// What was typed and chosen in the form for a stream, and how to mend it.
    StreamNotCreated { name: String, tags: String, mode: Mode, problem: String },
    /// Recovery codes of a second factor, to be seen this once.
    RecoveryCodes { codes: Vec<String> },
    /// The own password was changed.
    PasswordChanged,
    /// A recording went to the bin; `back` is the page to undo it on.
    Binned { asset: AssetId, file_name: String, back: String },
    /// What was typed into the set-up form, the field that is wrong and how to mend it.
    SetUp { organisation_name: String, email: String, field: String, problem: String },
}
