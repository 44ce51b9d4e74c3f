//! The port to who knows whether a request may have a file: recordings themselves lie where no database is asked.

use std::fmt;

use afterlive_domain::{OrganisationHash, Streamname};
use axum::response::Response;
use futures::future::BoxFuture;
use http::request::Parts;

use crate::service::playback::Admitted;

/// Decides about the files of recordings.
pub trait Guard: fmt::Debug + Send + Sync {
    /// Whether everybody may watch the organisation's recordings, where that is known without waiting: it is asked with every range.
    fn is_public(&self, organisation: &OrganisationHash) -> Option<bool>;

    /// Whether this request may have the files of a stream's recordings; else what it is answered, or `None` where there is no such recording.
    fn admit<'a>(&'a self, streamname: &'a Streamname, request: &'a Parts) -> BoxFuture<'a, Result<Admitted, Option<Response>>>;
}
