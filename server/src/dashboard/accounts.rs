//! From the services' terms to the pages': an organisation's people, and a user's own account. Decides nothing and reads nothing.

use std::collections::HashMap;

use afterlive_app::backend::{Account, InvitationRow, Invited, MailFate, People, SessionRow, SessionTokenRow, UserRow};
use afterlive_domain::{InvitationId, UserId};

use super::user_agent;
use crate::db::invitations::Invitation;
use crate::db::link_mails::Fate;
use crate::db::session_tokens::SessionToken;
use crate::db::users::User;
use crate::service::{Caller, Identity, OpenAccount, OpenSession};

/// What is known of an organisation's people beside their rows.
pub(super) struct About {
    /// Those with the invitations.
    pub(super) mails: HashMap<InvitationId, Fate>,
    pub(super) sends_mail: bool,
    pub(super) provider: Option<String>,
    /// What the accounts there are called of those who have one.
    pub(super) accounts: HashMap<UserId, String>,
}

pub(super) fn people(caller: &Caller, users: Vec<User>, invitations: Vec<Invitation>, about: About) -> People {
    let About { mut mails, sends_mail, provider, mut accounts } = about;
    let row = |user: User| UserRow {
        is_self: caller.identity == Identity::User(user.id),
        has_password: user.has_password(),
        provider_account: accounts.remove(&user.id),
        id: user.id,
        email: user.email,
        role: user.role,
        created_at: user.created_at,
        last_sign_in_at: user.last_sign_in_at,
        has_second_factor: user.second_factor.is_some(),
    };
    let invitation = |invitation: Invitation| InvitationRow {
        mail: mails.remove(&invitation.id).map(mail_fate),
        id: invitation.id,
        email: invitation.email,
        role: invitation.role,
        created_at: invitation.created_at,
        expires_at: invitation.expires_at,
    };
    let invitations = invitations.into_iter().map(invitation).collect();
    People { users: users.into_iter().map(row).collect(), invitations, sends_mail, provider }
}

pub(super) fn mail_fate(fate: Fate) -> MailFate {
    match fate {
        Fate::Waiting { problem } => MailFate::Waiting { problem },
        Fate::Sent => MailFate::Sent,
        Fate::Failed { problem } => MailFate::Failed { problem },
    }
}

pub(super) fn invited(invitation: Invitation, organisation_name: String) -> Invited {
    Invited { email: invitation.email, role: invitation.role, organisation_name }
}

/// `this` is the browser session that asks.
pub(super) fn account(open: OpenAccount, organisation_name: String, this: Option<&str>) -> Account {
    let session = |OpenSession { id, signed_in, used_at }: OpenSession| SessionRow {
        is_this: this == Some(id.as_str()),
        id,
        browser: user_agent::in_words(&signed_in.browser),
        address: signed_in.address.to_canonical().to_string(),
        began_at: signed_in.began_at,
        used_at,
    };
    let token = |(id, token): (String, SessionToken)| SessionTokenRow {
        id,
        role: token.role,
        created_at: token.created_at,
        expires_at: token.expires_at,
    };
    Account {
        has_password: open.user.has_password(),
        email: open.user.email,
        role: open.user.role,
        organisation_name,
        sessions: open.sessions.into_iter().map(session).collect(),
        tokens: open.tokens.into_iter().map(token).collect(),
    }
}
