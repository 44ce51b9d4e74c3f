//! The people of an organisation, and what each sees of their own account.

use afterlive_domain::password::Weakness;
use afterlive_domain::{InvitationId, Role, UnixMillis, UserId};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct UserRow {
    pub id: UserId,
    pub email: String,
    pub role: Role,
    pub created_at: UnixMillis,
    pub last_sign_in_at: Option<UnixMillis>,
    pub has_second_factor: bool,
    /// Whether there is a password that lets them in; who joined by the provider has none.
    pub has_password: bool,
    /// What their account at the provider was called when it was connected; `None` where they have not connected one.
    pub provider_account: Option<String>,
    /// Whether it is who looks at the page.
    pub is_self: bool,
}

/// Who may sign in to the organisation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct People {
    /// By their addresses.
    pub users: Vec<UserRow>,
    /// Who may become one, newest first.
    pub invitations: Vec<InvitationRow>,
    /// Whether links are mailed too.
    pub sends_mail: bool,
    /// The provider by which people may sign in, as people call it.
    pub provider: Option<String>,
}

/// What became of the mail with a link. A problem is a clause that begins with a small letter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum MailFate {
    /// It is on its way; `problem` is why the last try failed, where one did.
    Waiting { problem: Option<String> },
    /// The mail server has taken it.
    Sent,
    /// It is not tried any more.
    Failed { problem: String },
}

/// What came of asking for a link at the sign-in. Not an error: each is an answer that the page shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Asked {
    /// Where there is such a user, a mail is on its way.
    Taken,
    TooManyAttempts {
        retry_after_s: u32,
    },
    NoMail,
}

/// An invitation that can still be used: what it says, never its link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InvitationRow {
    pub id: InvitationId,
    pub email: String,
    pub role: Role,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
    /// `None` where it was not mailed.
    pub mail: Option<MailFate>,
}

/// What an invitation says to who has its link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Invited {
    pub email: String,
    pub role: Role,
    pub organisation_name: String,
}

/// What came of choosing a password by a link. Not an error: each is an answer that the page shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Chosen {
    /// Set, and signed in.
    Done,
    /// Set, and a code is asked for.
    NeedsCode,
    /// Set, and the link is used up; signing in failed.
    NotSignedIn,
    /// It never was a link, was revoked or used, or has expired.
    WrongLink,
    Weak(Weakness),
    /// There is a user with that address by now.
    Taken,
}

/// A user's own account: what is open of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Account {
    pub email: String,
    pub role: Role,
    pub organisation_name: String,
    /// Who came in by the provider may have none.
    pub has_password: bool,
    /// Last used first.
    pub sessions: Vec<SessionRow>,
    /// Newest first.
    pub tokens: Vec<SessionTokenRow>,
}

/// A browser in which the user has signed in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SessionRow {
    pub id: String,
    /// In words for people.
    pub browser: String,
    /// From which it signed in.
    pub address: String,
    pub began_at: UnixMillis,
    /// To within ten minutes.
    pub used_at: UnixMillis,
    /// Whether it is the one that looks at the page.
    pub is_this: bool,
}

/// What a program got for the user's password.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SessionTokenRow {
    pub id: String,
    pub role: Role,
    pub created_at: UnixMillis,
    pub expires_at: UnixMillis,
}

/// What came of changing one's own password. Not an error: each is an answer that the form shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum PasswordChange {
    /// Set, and signed in anew.
    Done,
    /// Set; this browser could not be signed in anew.
    NotSignedIn,
    /// The present password is another.
    WrongPassword,
    Weak(Weakness),
    TooManyAttempts {
        retry_after_s: u32,
    },
}
