//! The fake's people.

use afterlive_domain::{Role, UserId};
use uuid::Uuid;

use super::{DAY_MS, NOW, State};
use crate::backend::{People, SessionRow, SessionTokenRow, UserRow};

/// Ada is who is signed in.
pub const ADA: UserId = UserId(Uuid::from_u128(0xada));
pub const BOB: UserId = UserId(Uuid::from_u128(0xb0b));

pub(super) fn users() -> Vec<UserRow> {
    let user = |id, name: &str, role, last_sign_in_at| UserRow {
        id,
        email: format!("{name}@northlight.example"),
        role,
        created_at: NOW.plus_ms(-90 * DAY_MS),
        last_sign_in_at,
        has_second_factor: id == BOB,
        has_password: true,
        provider_account: (id == BOB).then(|| "bob@login.example".to_owned()),
        is_self: id == ADA,
    };
    vec![
        user(ADA, "ada", Role::Admin, Some(NOW)),
        user(BOB, "bob.the.builder.of.very.long.addresses", Role::User, Some(NOW.plus_ms(-9 * DAY_MS))),
        user(UserId(Uuid::from_u128(0xc)), "cy", Role::ReadOnly, None),
    ]
}

pub(super) fn sessions() -> Vec<SessionRow> {
    let session = |id: &str, browser: &str, address: &str, days_ago: i64| SessionRow {
        id: id.into(),
        browser: browser.into(),
        address: address.into(),
        began_at: NOW.plus_ms(-(days_ago + 1) * DAY_MS),
        used_at: NOW.plus_ms(-days_ago * DAY_MS),
        is_this: id == "a",
    };
    vec![session("a", "Firefox on Linux", "192.0.2.7", 0), session("b", "Safari on iPhone", "2001:db8:1:2:3:4:5:6", 3)]
}

pub(super) fn tokens() -> Vec<SessionTokenRow> {
    vec![SessionTokenRow { id: "t".into(), role: Role::Admin, created_at: NOW, expires_at: NOW.plus_ms(DAY_MS / 2) }]
}

impl State {
    pub(super) fn people(&self) -> People {
        let provider = self.connection.as_ref().map(|connection| connection.provider.clone());
        let mut users = self.users.clone();
        if provider.is_none() {
            users.iter_mut().for_each(|user| user.provider_account = None);
        }
        People { users, invitations: self.invitations.clone(), sends_mail: self.mail.is_some(), provider }
    }

    pub(super) fn disconnect(&mut self, user: UserId) {
        self.users.iter_mut().filter(|row| row.id == user).for_each(|row| row.provider_account = None);
    }
}
