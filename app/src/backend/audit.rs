//! The audit log, as administrators look into it.

use afterlive_domain::UnixMillis;
use serde::{Deserialize, Serialize};

/// Which rows are shown.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct AuditFilter {
    /// What stands before the dot of an act: `stream`, `user`, …
    pub about: Option<String>,
    /// The id of a user or a key.
    pub who: Option<String>,
    /// Only attempts that came to nothing.
    pub denied: bool,
    /// Where the page begins; `None` with the newest.
    pub after: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuditPage {
    /// Newest first.
    pub rows: Vec<AuditRow>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
    /// So long a row is kept; 0: for ever.
    pub keep_days: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuditRow {
    pub id: i64,
    /// Of attempts that are counted together the last.
    pub at: UnixMillis,
    pub count: u64,
    /// In words.
    pub act: String,
    pub denied: bool,
    pub who: Named,
    /// The address; `None` at the server itself.
    pub from: Option<String>,
    pub on: Option<Named>,
    pub detail: Option<String>,
}

/// Somebody or something, as it was called then.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Named {
    /// Of which kind, in words.
    pub kind: String,
    pub id: Option<String>,
    /// Empty where it was called nothing.
    pub label: String,
    /// Where a page shows it.
    pub path: Option<String>,
}
