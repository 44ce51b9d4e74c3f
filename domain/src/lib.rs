//! The nouns that server and browser share: ids, names, states, roles, events and the closed list of errors.
//!
//! Nothing here does I/O, reads a clock or draws a random number; what needs one of those takes it as an argument.

pub mod asset;
pub mod audit;
mod authority;
pub mod embedding;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod id;
pub mod name;
pub mod organisation;
pub mod password;
pub mod push;
pub mod region;
pub mod report;
pub mod role;
#[cfg(feature = "schema")]
mod schema;
pub mod stream;
pub mod time;
pub mod webhook;

pub use asset::AssetState;
pub use audit::{Act, ThingKind, WhoKind};
pub use embedding::EmbedDomains;
pub use endpoint::{DeliveryState, ToldKinds};
pub use error::Error;
pub use event::{Event, EventKind};
pub use id::{AssetId, EndpointId, InvitationId, KeyId, MessageId, OrganisationId, SessionId, StreamId, TokenId, UserId};
pub use name::{OrganisationHash, Streamname};
pub use region::Region;
pub use report::Report;
pub use role::{KeyUse, Permission, Role};
pub use stream::{Mode, StreamState, Tags};
pub use time::UnixMillis;
pub use webhook::WebhookUrl;
