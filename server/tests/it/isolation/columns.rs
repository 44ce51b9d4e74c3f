//! The table's columns: everybody who might ask. Each sends what they have with every request, also where nobody looks at it.

use afterlive_domain::Role;

/// By what a caller shows who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    Nothing,
    Key,
    SessionToken,
    /// A session token in `Authorization`, where media have a playback token.
    Bearer,
    PlayerKey,
    /// A browser's cookie.
    Session,
}

/// Whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    Ours(Role),
    /// An administrator's of the other organisation.
    Theirs,
    /// A system administrator's, who administers a third organisation.
    System,
    /// An administrator's of an organisation that is suspended.
    Suspended,
    /// It was good once, or never was.
    Nobodys,
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub means: Means,
    pub whose: Whose,
}

pub const NO_CREDENTIAL: &str = "no credential";
pub const NONSENSE: &str = "a key that is none";
pub const REVOKED_KEY: &str = "a revoked key";
pub const EXPIRED_KEY: &str = "an expired key";
pub const EXPIRED_TOKEN: &str = "an expired session token";
pub const ENDED_TOKEN: &str = "a session token that its user ended";
pub const REMOVED_TOKEN: &str = "a removed user's session token";
pub const PLAYER_KEY: &str = "a player key";
pub const THEIR_PLAYER_KEY: &str = "another organisation's player key";
pub const REVOKED_PLAYER_KEY: &str = "a revoked player key";
pub const EXPIRED_PLAYER_KEY: &str = "an expired player key";
pub const NONSENSE_TOKEN: &str = "a session token that is none";
pub const NONSENSE_BEARER: &str = "a bearer that is none";
pub const NONSENSE_PLAYER_KEY: &str = "a player key that is none";
pub const NONSENSE_SESSION: &str = "a cookie that is none";
pub const SUSPENDED_PLAYER_KEY: &str = "a suspended organisation's player key";
pub const EXPIRED_SESSION: &str = "an expired browser session";
pub const SIGNED_OUT: &str = "a browser session that was signed out";
pub const HALF_SIGN_IN: &str = "a browser that gave the password, and no code yet";
pub const REMOVED_SESSION: &str = "a removed user's browser session";

pub const COLUMNS: &[Column] = &[
    Column { name: NO_CREDENTIAL, means: Means::Nothing, whose: Whose::Nobodys },
    Column { name: NONSENSE, means: Means::Key, whose: Whose::Nobodys },
    Column { name: REVOKED_KEY, means: Means::Key, whose: Whose::Nobodys },
    Column { name: EXPIRED_KEY, means: Means::Key, whose: Whose::Nobodys },
    Column { name: "another organisation's key", means: Means::Key, whose: Whose::Theirs },
    Column { name: "a reader's key", means: Means::Key, whose: Whose::Ours(Role::ReadOnly) },
    Column { name: "a user's key", means: Means::Key, whose: Whose::Ours(Role::User) },
    Column { name: "an administrator's key", means: Means::Key, whose: Whose::Ours(Role::Admin) },
    Column { name: EXPIRED_TOKEN, means: Means::SessionToken, whose: Whose::Nobodys },
    Column { name: ENDED_TOKEN, means: Means::SessionToken, whose: Whose::Nobodys },
    Column { name: REMOVED_TOKEN, means: Means::SessionToken, whose: Whose::Nobodys },
    Column { name: "another organisation's session token", means: Means::SessionToken, whose: Whose::Theirs },
    Column { name: "a reader's session token", means: Means::SessionToken, whose: Whose::Ours(Role::ReadOnly) },
    Column { name: "a user's session token", means: Means::SessionToken, whose: Whose::Ours(Role::User) },
    Column { name: "an administrator's session token", means: Means::SessionToken, whose: Whose::Ours(Role::Admin) },
    Column { name: "a system administrator's session token", means: Means::SessionToken, whose: Whose::System },
    Column { name: NONSENSE_TOKEN, means: Means::SessionToken, whose: Whose::Nobodys },
    Column { name: NONSENSE_BEARER, means: Means::Bearer, whose: Whose::Nobodys },
    Column { name: "another organisation's session token as a bearer", means: Means::Bearer, whose: Whose::Theirs },
    Column { name: "a reader's session token as a bearer", means: Means::Bearer, whose: Whose::Ours(Role::ReadOnly) },
    Column { name: "an administrator's session token as a bearer", means: Means::Bearer, whose: Whose::Ours(Role::Admin) },
    Column { name: "a suspended organisation's key", means: Means::Key, whose: Whose::Suspended },
    Column { name: "a suspended organisation's session token", means: Means::SessionToken, whose: Whose::Suspended },
    Column { name: "a suspended organisation's browser session", means: Means::Session, whose: Whose::Suspended },
    Column { name: SUSPENDED_PLAYER_KEY, means: Means::PlayerKey, whose: Whose::Suspended },
    Column { name: NONSENSE_PLAYER_KEY, means: Means::PlayerKey, whose: Whose::Nobodys },
    Column { name: EXPIRED_PLAYER_KEY, means: Means::PlayerKey, whose: Whose::Nobodys },
    Column { name: REVOKED_PLAYER_KEY, means: Means::PlayerKey, whose: Whose::Nobodys },
    Column { name: THEIR_PLAYER_KEY, means: Means::PlayerKey, whose: Whose::Theirs },
    // It has no role; those who hold it may read less than a reader.
    Column { name: PLAYER_KEY, means: Means::PlayerKey, whose: Whose::Ours(Role::ReadOnly) },
    Column { name: NONSENSE_SESSION, means: Means::Session, whose: Whose::Nobodys },
    Column { name: EXPIRED_SESSION, means: Means::Session, whose: Whose::Nobodys },
    Column { name: SIGNED_OUT, means: Means::Session, whose: Whose::Nobodys },
    Column { name: HALF_SIGN_IN, means: Means::Session, whose: Whose::Nobodys },
    Column { name: REMOVED_SESSION, means: Means::Session, whose: Whose::Nobodys },
    Column { name: "another organisation's browser session", means: Means::Session, whose: Whose::Theirs },
    Column { name: "a system administrator's browser session", means: Means::Session, whose: Whose::System },
    Column { name: "a reader's browser session", means: Means::Session, whose: Whose::Ours(Role::ReadOnly) },
    Column { name: "a user's browser session", means: Means::Session, whose: Whose::Ours(Role::User) },
    Column { name: "an administrator's browser session", means: Means::Session, whose: Whose::Ours(Role::Admin) },
];

impl Means {
    pub fn header(self) -> &'static str {
        match self {
            // Sent empty it would be one.
            Self::Nothing => "x-nothing",
            Self::Key => "x-bintu-apikey",
            Self::SessionToken => "x-bintu-token",
            Self::Bearer => "authorization",
            Self::PlayerKey => "x-bintu-playerkey",
            Self::Session => "cookie",
        }
    }
}
