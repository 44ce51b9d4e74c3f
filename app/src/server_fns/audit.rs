//! The audit log.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::backend::{AuditFilter, AuditPage, BackendError};

#[server(prefix = "/ui", endpoint = "audit", input = Json)]
pub async fn load_audit(filter: AuditFilter) -> Result<AuditPage, BackendError> {
    super::outcome::with_status(crate::request::backend().audit(filter).await)
}
