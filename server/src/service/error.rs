//! What can come of a use case besides success: an answer from the closed list, or a failure of ours that no client hears of.

use crate::db;
use crate::second_factor::KeyError;
use crate::storage::StorageError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// For the caller, who can do something about it.
    #[error(transparent)]
    Refused(#[from] afterlive_domain::Error),
    /// For the operator: logged where it is handled, and told to nobody else.
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a password cannot be hashed: {0}")]
    Hashing(String),
    #[error(transparent)]
    SecondFactorKey(#[from] KeyError),
    #[error(
        "secrets of second factors were sealed with another key than this server's: give every node the same second_factor.key, or reset the second factors that were sealed with a lost one"
    )]
    OtherSecondFactorKey,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
