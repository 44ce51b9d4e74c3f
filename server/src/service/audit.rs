//! The audit log as administrators see it, and as their programs carry it off. What is written into it is each use case's own, and `audit/`'s.

use std::time::Duration;

use afterlive_domain::{Act, Permission, UnixMillis};

use super::write::who;
use super::{Caller, Result, Service};
use crate::audit::{Seen, Whose};
use crate::db::audit_log::{self, Filter, Place, Slice};

/// The most rows that people see at once.
pub const MAX_SHOWN: u32 = 50;
/// The most rows of an answer to a program.
pub const MAX_EXPORT: u32 = 10_000;
/// Who has waited so long for a place is told to come back later.
const PAGE_WAIT: Duration = Duration::from_secs(3);

/// Some rows, newest first, and where the next ones begin.
pub type AuditPage = Slice<Place>;
/// Some rows in the order in which they were committed, and after which the next ones stand.
pub type AuditExport = Slice<i64>;

impl Service {
    /// A page of the organisation's audit log, newest first. With a filter that few rows match it may be short, or empty, with more behind it.
    ///
    /// # Errors
    /// `Denied` for all but admins; `TooMany` where too many pages of it are read at once.
    pub async fn audit_page(&self, caller: &Caller, filter: &Filter, after: Option<Place>) -> Result<AuditPage> {
        caller.require(Permission::Administer)?;
        let _place = self.audit_pages.take(caller.organisation, PAGE_WAIT).await?;
        let mut connection = self.db.read().await?;
        Ok(audit_log::newest(&mut connection, caller.organisation, filter, after, MAX_SHOWN).await?)
    }

    /// The rows that were committed after that one, at most `limit`, of those from one instant on and before another. Who asks again after the last row that
    /// they have misses none, however late one was committed.
    ///
    /// # Errors
    /// As [`Service::audit_page`].
    pub async fn export_audit(
        &self,
        caller: &Caller,
        after: i64,
        between: (Option<UnixMillis>, Option<UnixMillis>),
        limit: u32,
    ) -> Result<AuditExport> {
        caller.require(Permission::Administer)?;
        let _place = self.audit_pages.take(caller.organisation, PAGE_WAIT).await?;
        let mut connection = self.db.read().await?;
        Ok(audit_log::following(&mut connection, caller.organisation, after, between, limit.min(MAX_EXPORT)).await?)
    }

    /// Notes that a caller asked for what their role does not allow. `what` is for people, and has no secret in it.
    pub fn note_denied(&self, caller: &Caller, what: &str) {
        self.note_request(caller, Act::RequestDenied, what);
    }

    /// Notes that a caller asked for what there is not, or not for them; the log of their own organisation does not tell which of the two.
    pub fn note_missing(&self, caller: &Caller, what: &str) {
        self.note_request(caller, Act::MissingDenied, what);
    }

    fn note_request(&self, caller: &Caller, act: Act, what: &str) {
        let (whose, at) = (Whose::Organisation(caller.organisation), self.clock.now());
        let (who, from) = (who(caller.identity), caller.from);
        self.audit.note(Seen { whose, at, act, who, from, on: None, detail: Some(what.to_owned()) });
    }
}
