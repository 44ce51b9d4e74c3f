//! The operator's OpenID provider: what it says of itself, its keys, and a code turned into who somebody is. Knows no user, no session and no page; whose account
//! somebody's is stands in `service/identities`.

mod discovery;
mod flow;
mod id_token;
mod keys;
mod provider;
mod wire;

pub use self::flow::{Flow, MAX_FLOW_MS, Purpose};
pub use self::id_token::Unfit;
pub use self::provider::{Error, Person, Provider, word};
