//! What the audit log is told of an encoder that was not let in. Who is let in is the gate's to say.

use afterlive_domain::{Act, Streamname, ThingKind, UnixMillis, WhoKind};

use super::gate::{PublishRequest, Refusal};
use super::key_check::BadKey;
use super::webhook::Denied;
use crate::audit::{Seen, Whose};
use crate::db::audit::{Thing, Who};
use crate::db::streams::PublishTarget;

/// `None` where it is not the encoder's doing. Without a target it is a name that nobody has; whose it would be, its first letters say.
pub(super) fn seen(
    request: &PublishRequest,
    streamname: &Streamname,
    target: Option<&PublishTarget>,
    refusal: &Refusal,
    at: UnixMillis,
) -> Option<Seen> {
    let why = match refusal {
        Refusal::UnknownStream => "unknown stream name",
        Refusal::PublishKey(BadKey::Missing) => "no publish key",
        Refusal::PublishKey(BadKey::Wrong) => "wrong publish key",
        Refusal::PublishKey(BadKey::TooMany { .. }) => "too many wrong publish keys",
        Refusal::Suspended => "the organisation is suspended",
        Refusal::Locked => "locked",
        Refusal::Webhook(Denied::Refused { .. }) => "refused by the webhook",
        Refusal::Webhook(_) => "not allowed by the webhook",
        Refusal::PublishKey(BadKey::Lost) | Refusal::AlreadyLive | Refusal::CannotRecord(_) | Refusal::Unavailable => {
            return None;
        }
    };
    let (whose, on) = match target {
        Some(PublishTarget { organisation, stream, .. }) => {
            (Whose::Organisation(*organisation), Thing::new(ThingKind::Stream, stream, streamname.as_str()))
        }
        None => (Whose::Hash(streamname.organisation_hash()), Thing::called(ThingKind::Stream, streamname.as_str())),
    };
    let (who, from) = (Who::nobody(WhoKind::Encoder), Some(request.peer.ip()));
    let detail = Some(format!("{why}, by {}", request.protocol));
    Some(Seen { whose, at, act: Act::PublishRefused, who, from, on: Some(on), detail })
}
