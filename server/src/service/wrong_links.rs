//! Who comes with a link that is worth nothing, to use it. Where it is known whose it was, their organisation's audit log has it; what never was one, was used up or revoked is
//! nobody's, and in the server's log alone. Who only looks at a link is noted nowhere: whatever reads people's mail does.

use std::net::IpAddr;

use afterlive_domain::{Act, OrganisationId, UnixMillis, WhoKind};

use super::account_links::thing;
use super::session_tokens::digest;
use super::write::Note;
use super::{Result, Service};
use crate::address::subscriber;
use crate::db;
use crate::db::audit::{Thing, Who};
use crate::hush::Hush;

/// What the server's log says of them: a line in a while for each address.
pub(super) type Unknown = Hush<Option<IpAddr>>;

/// Then all that there is is good still.
const ANY_TIME: UnixMillis = UnixMillis(i64::MIN);

const EXPIRED: &str = "it had expired";
const SUSPENDED: &str = "the organisation is suspended";
/// Of two that use one at once one comes too late.
pub(super) const TOO_LATE: &str = "it was used or revoked meanwhile, or the organisation suspended";

impl Service {
    /// Of an invitation that lets nobody in.
    pub(super) async fn note_wrong_invitation(&self, secret: &str, from: Option<IpAddr>) -> Result<()> {
        let found = db::invitations::by_secret_hash(&mut self.db.read().await?, &digest(secret), ANY_TIME).await?;
        match found {
            Some(invitation) => {
                let why = if invitation.expires_at <= self.clock.now() { EXPIRED } else { SUSPENDED };
                self.note_wrong_link(invitation.organisation, thing(&invitation), from, why);
            }
            None => self.log_unknown_link("an invitation", from),
        }
        Ok(())
    }

    /// Of a link that sets no password.
    pub(super) async fn note_wrong_password_link(&self, secret: &str, from: Option<IpAddr>) -> Result<()> {
        let (mut connection, hash) = (self.db.read().await?, digest(secret));
        let is_good = db::password_links::user(&mut connection, &hash, self.clock.now()).await?.is_some();
        let user = match db::password_links::user(&mut connection, &hash, ANY_TIME).await? {
            Some(user) => db::users::by_id(&mut connection, user).await?,
            None => None,
        };
        match user {
            Some(user) => {
                self.note_wrong_link(user.organisation, user.id.into(), from, if is_good { SUSPENDED } else { EXPIRED });
            }
            None => self.log_unknown_link("a link for a new password", from),
        }
        Ok(())
    }

    /// `on` is the invitation, or whose password the link was for.
    pub(super) fn note_wrong_link(&self, organisation: OrganisationId, on: Thing, from: Option<IpAddr>, why: &str) {
        self.note(organisation, (Who::nobody(WhoKind::Stranger), from), Note::of(Act::LinkRefused, on).saying(why));
    }

    /// Nothing of the link itself: it may be one of another installation.
    pub(super) fn log_unknown_link(&self, what: &str, from: Option<IpAddr>) {
        let address = from.map(subscriber);
        if let Some(unsaid) = self.unknown_links.says(address) {
            tracing::info!(
                address = address.map(tracing::field::display),
                what,
                unsaid,
                "came with a link that is worth nothing"
            );
        }
    }
}
