//! Who calls, and what that allows.

use std::fmt;
use std::net::IpAddr;

use afterlive_domain::{Error, KeyId, OrganisationId, Permission, Role, UserId};

/// By what a caller is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// Signed in to the dashboard.
    User(UserId),
    /// A program with a user's session token.
    Token(UserId),
    /// A program with an API key.
    Key(KeyId),
    /// At the server's own terminal.
    Operator,
}

/// For the log: by an id, never by a name or an address.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user {id}"),
            Self::Token(id) => write!(f, "user {id} by a session token"),
            Self::Key(id) => write!(f, "key {id}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// Someone whose credential was found to be good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    pub organisation: OrganisationId,
    pub role: Role,
    pub identity: Identity,
    /// Where they are; `None` at the server's own terminal. For the audit log alone.
    pub from: Option<IpAddr>,
    /// The SHA-256 by which the database has what let a user in: the browser session, or of a program the session token. A change looks for it once
    /// more when its turn has come. `None` where there is nothing of the kind: for a key, which is looked for by its id, for the operator, and for
    /// who has signed in with this very request.
    pub let_in_by: Option<[u8; 32]>,
}

/// Someone with a player key that was found to be good. No caller: may see what players see, and asks for no permission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Player {
    pub organisation: OrganisationId,
}

/// Whoever has any credential of an organisation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    Caller(Caller),
    Player(Player),
}

impl Holder {
    /// Whose streams are seen, as players see them.
    ///
    /// # Errors
    /// `Denied` for a caller who may not read.
    pub fn organisation(&self) -> Result<OrganisationId, Error> {
        match self {
            Self::Caller(caller) => caller.require(Permission::Read).map(|()| caller.organisation),
            Self::Player(player) => Ok(player.organisation),
        }
    }
}

impl Caller {
    /// At the server's terminal one is an admin of every organisation.
    #[must_use]
    pub fn operator(organisation: OrganisationId) -> Self {
        Self { organisation, role: Role::Admin, identity: Identity::Operator, from: None, let_in_by: None }
    }

    /// Who calls from there.
    #[must_use]
    pub fn at(self, address: IpAddr) -> Self {
        Self { from: Some(address), ..self }
    }

    /// # Errors
    /// `Denied` where the caller's role is not enough.
    pub fn require(&self, permission: Permission) -> Result<(), Error> {
        if self.role.allows(permission) { Ok(()) } else { Err(Error::Denied { needed: Role::least_for(permission) }) }
    }
}
