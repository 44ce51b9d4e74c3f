//! The closed list of what can be wrong with a request. One place in the server maps it to HTTP; nothing internal is ever in it.

use crate::{AssetId, EndpointId, InvitationId, KeyId, MessageId, OrganisationId, Role, StreamId, UserId};

/// Why a use case did not happen. The numbers are bintu's where bintu has one, else ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// 400 / 1002.
    #[error("Parameter required")]
    ParameterRequired { parameter: String },
    /// 400 / 1003.
    #[error("Parameter not unique")]
    NotUnique { parameter: String },
    /// 400 / 1004. `expected` completes "… is asked for".
    #[error("Wrong Data Type")]
    WrongType { parameter: String, expected: String },
    /// 400 / 3002.
    #[error("Stream Type is not available")]
    StreamTypeUnavailable { stream_type: String },
    /// 401 / 4002: no credential where one is needed, or one that is wrong, revoked or expired.
    #[error("User Credentials are not valid")]
    BadCredentials,
    /// 403 / 2001: the caller's role is less than this.
    #[error("Access denied")]
    Denied { needed: Role },
    /// 403 / 2001: it is for who administers the installation, which no role in an organisation is.
    #[error("Access denied")]
    NotSystemAdministrator,
    /// 403 / 2002 (ours): the credential is good, and nobody of its organisation is let in.
    #[error("The organisation is suspended")]
    Suspended,
    /// 403 / 2001: not for this viewer. The reason is about the viewer's own token, and tells nothing of what there is.
    #[error("Access denied: {reason}")]
    PlaybackDenied { reason: String },
    /// 404 / 3001. Also where it is another organisation's.
    #[error("Stream not found")]
    NoSuchStream { stream: String },
    /// 404 / 3004 (ours).
    #[error("Asset not found")]
    NoSuchAsset { asset: AssetId },
    /// 404 / 3006 (ours). Also where it is another organisation's, or revoked.
    #[error("API key not found")]
    NoSuchKey { key: KeyId },
    /// 404 / 3008 (ours). Also where it is another organisation's, or removed.
    #[error("User not found")]
    NoSuchUser { user: UserId },
    /// 404 / 3009 (ours). Also where it is another organisation's, revoked, or has been used.
    #[error("Invitation not found")]
    NoSuchInvitation { invitation: InvitationId },
    /// 404 / 3010 (ours). Also where it is another organisation's.
    #[error("Endpoint not found")]
    NoSuchEndpoint { endpoint: EndpointId },
    /// 404 / 3011 (ours). Also where it is another organisation's.
    #[error("Delivery not found")]
    NoSuchDelivery { delivery: MessageId },
    /// 404 / 3012 (ours). For system administrators alone: to all others there is one organisation, their own.
    #[error("Organisation not found")]
    NoSuchOrganisation { organisation: OrganisationId },
    /// 409 / 3003.
    #[error("State does not allow this")]
    WrongState { state: String },
    /// 409 / 3003: nobody deletes it before the hold is lifted.
    #[error("State does not allow this: the recording is under legal hold")]
    Held { asset: AssetId },
    /// 409 / 3003: without them nobody could administer the organisation.
    #[error("State does not allow this: it is the organisation's last administrator")]
    LastAdmin { user: UserId },
    /// 409 / 3003: without them nobody who can sign in would administer the installation.
    #[error("State does not allow this: it would leave no system administrator who can sign in")]
    LastSystemAdministrator,
    /// 409 / 3003: its files are gone for good.
    #[error("State does not allow this: the recording was removed for good")]
    Purged { asset: AssetId },
    /// 413 / 1005.
    #[error("Body too large")]
    BodyTooLarge { limit_bytes: u64 },
    /// 429 / 1006.
    #[error("Too many requests")]
    TooMany { retry_after_s: u32 },
    /// 503 / 3005 (ours): not now, for want of memory that others have.
    #[error("No room at the moment")]
    NoRoom { retry_after_s: u32 },
    /// 500 / 9000. The cause is in the log under the same request id, and nowhere else.
    #[error("Internal error")]
    Internal,
}

impl Error {
    #[must_use]
    pub fn no_such_stream(stream: StreamId) -> Self {
        Self::NoSuchStream { stream: stream.to_string() }
    }

    /// Whether what was asked for is not there, or another organisation's, of which nobody is told which.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        matches!(
            self,
            Self::NoSuchStream { .. }
                | Self::NoSuchAsset { .. }
                | Self::NoSuchKey { .. }
                | Self::NoSuchUser { .. }
                | Self::NoSuchInvitation { .. }
                | Self::NoSuchEndpoint { .. }
                | Self::NoSuchDelivery { .. }
                | Self::NoSuchOrganisation { .. }
        )
    }
}
