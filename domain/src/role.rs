//! Roles and what each may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a caller may do; each use case asks for exactly one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// See streams, recordings and the organisation.
    Read,
    /// Create streams, edit their tags, make and revoke playback tokens.
    EditStreams,
    /// Keys, webhook, users, settings; stop, lock and delete streams; delete assets.
    Administer,
}

impl Permission {
    pub const ALL: [Self; 3] = [Self::Read, Self::EditStreams, Self::Administer];

    /// The name by which the API tells of it (ours).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::EditStreams => "edit_streams",
            Self::Administer => "administer",
        }
    }
}

/// The role of a user or an API key, by the names that bintu gives them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Role {
    /// Reads.
    #[serde(rename = "nanoReadOnly")]
    ReadOnly,
    /// Also makes streams and playback tokens, and edits tags and push URLs.
    #[serde(rename = "nanoUser")]
    User,
    /// May all that an organisation can.
    #[serde(rename = "nanoAdmin")]
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Admin, Self::User, Self::ReadOnly];

    /// The least that may do it.
    #[must_use]
    pub fn least_for(permission: Permission) -> Self {
        match permission {
            Permission::Read => Self::ReadOnly,
            Permission::EditStreams => Self::User,
            Permission::Administer => Self::Admin,
        }
    }

    #[must_use]
    pub fn allows(self, permission: Permission) -> bool {
        self >= Self::least_for(permission)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "nanoAdmin",
            Self::User => "nanoUser",
            Self::ReadOnly => "nanoReadOnly",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a key is for, and so in which header it is good.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyUse {
    /// A program's: may what its role may.
    Api,
    /// Stands in pages for everybody to see: shows what players need, and nothing else.
    Player,
}

impl KeyUse {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Player => "player",
        }
    }
}

impl FromStr for KeyUse {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Api, Self::Player].into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role: nanoAdmin, nanoUser or nanoReadOnly is asked for")]
pub struct BadRole;

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, BadRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(BadRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_allows_what_the_lower_one_does_and_more() {
        let allowed = |role: Role| Permission::ALL.map(|permission| role.allows(permission));
        assert_eq!(allowed(Role::ReadOnly), [true, false, false]);
        assert_eq!(allowed(Role::User), [true, true, false]);
        assert_eq!(allowed(Role::Admin), [true, true, true]);
    }
}
