//! The fake's installation: some organisations, of which the first is the signed-in user's own.

use afterlive_domain::{OrganisationId, UserId};
use async_trait::async_trait;
use uuid::Uuid;

use super::{ADA, BOB, DAY_MS, Fake, NOW, ORIGIN, SECRET};
use crate::backend::{
    Access, Answer, BackendError, MailFate, System as Port, SystemAdministratorRow, SystemPage, TenantAdministratorRow,
    TenantInvitationRow, TenantPage, TenantRow, Viewer,
};

/// That of who is signed in.
pub const OWN: OrganisationId = OrganisationId(Uuid::from_u128(0x8000));
/// Has no administrator yet.
pub const TENANT: OrganisationId = OrganisationId(Uuid::from_u128(0x8001));
const A_PAGE: usize = 50;

pub(super) struct System {
    organisations: Vec<TenantRow>,
    administrators: Vec<UserId>,
    invited: Vec<(OrganisationId, String)>,
}

impl Default for System {
    fn default() -> Self {
        let row = |n: u64, name: &str| TenantRow {
            id: OrganisationId(Uuid::from_u128(0x8000 + u128::from(n))),
            name: name.to_owned(),
            hash: format!("aa{n:03}").parse().expect("a hash"),
            created_at: NOW.plus_ms(-DAY_MS * n.cast_signed()),
            suspended_at: (n % 7 == 3).then_some(NOW),
            users: n % 5,
            streams: n * 37,
            recordings: n * 1_234,
            size_bytes: n * 123_456_789_012,
            is_own: n == 0,
        };
        let names = ["Northlight Events", "Harbour Choir", "An association with a name that is as long as names can get to be"];
        let named = (0..).zip(names).map(|(n, name)| row(n, name));
        let organisations = named.chain((3..120).map(|n| row(n, &format!("Organisation {n}")))).collect();
        Self { organisations, administrators: vec![ADA, BOB], invited: Vec::new() }
    }
}

impl System {
    fn tenant(&mut self, id: OrganisationId) -> Answer<&mut TenantRow> {
        self.organisations.iter_mut().find(|row| row.id == id).ok_or(BackendError::NotFound)
    }
}

fn email(user: UserId) -> &'static str {
    if user == ADA { "ada@northlight.example" } else { "bob@harbour.example" }
}

impl Fake {
    fn above<T>(&self, act: impl FnOnce(&mut System) -> Answer<T>) -> Answer<T> {
        let mut state = self.signed_in_state()?;
        let is_above = matches!(&state.access, Access::SignedIn(Viewer { system_administrator: true, .. }));
        let answer = if is_above { act(&mut state.system) } else { Err(BackendError::Denied) };
        drop(state);
        answer
    }

    fn change_above<T>(&self, act: impl FnOnce(&mut System) -> Answer<T>) -> Answer<T> {
        let done = self.above(act)?;
        self.changed.send_modify(|count| *count += 1);
        Ok(done)
    }
}

#[async_trait]
impl Port for Fake {
    async fn system(&self, page: u32) -> Answer<SystemPage> {
        let sends_mail = self.state().mail.is_some();
        self.above(|system| {
            let administrator = |id: &UserId| SystemAdministratorRow {
                id: *id,
                email: email(*id).to_owned(),
                organisation_name: if *id == ADA { "Northlight Events" } else { "Harbour Choir" }.to_owned(),
                is_suspended: false,
                is_self: *id == ADA,
            };
            let skipped = A_PAGE * (page as usize - 1);
            Ok(SystemPage {
                organisations: system.organisations.iter().skip(skipped).take(A_PAGE).cloned().collect(),
                total: system.organisations.len() as u64,
                page,
                pages: u32::try_from(system.organisations.len().div_ceil(A_PAGE)).unwrap_or(1),
                administrators: system.administrators.iter().map(administrator).collect(),
                sends_mail,
            })
        })
    }

    async fn tenant(&self, id: OrganisationId) -> Answer<TenantPage> {
        let sends_mail = self.state().mail.is_some();
        self.above(|system| {
            let tenant = system.tenant(id)?.clone();
            let ada = TenantAdministratorRow {
                id: ADA,
                email: email(ADA).to_owned(),
                last_sign_in_at: Some(NOW),
                is_system: system.administrators.contains(&ADA),
            };
            let invited = system.invited.iter().filter(|(of, _)| *of == id);
            let invitation = |(_, email): &(OrganisationId, String)| TenantInvitationRow {
                email: email.clone(),
                expires_at: NOW.plus_ms(7 * DAY_MS),
            };
            Ok(TenantPage {
                tenant,
                administrators: if id == TENANT { Vec::new() } else { vec![ada] },
                invitations: invited.map(invitation).collect(),
                sends_mail,
            })
        })
    }

    async fn create_organisation(&self, name: &str, email: &str) -> Answer<String> {
        if email == "ada@northlight.example" {
            return Err(BackendError::Refused("This email is taken.".into()));
        }
        self.change_above(|system| {
            let id = OrganisationId(Uuid::from_u128(0x9000 + system.organisations.len() as u128));
            let row = TenantRow { id, name: name.to_owned(), is_own: false, ..system.tenant(OWN)?.clone() };
            system.organisations.insert(0, row);
            system.invited.push((id, email.to_owned()));
            Ok(format!("{ORIGIN}/invitation/{SECRET}"))
        })
    }

    async fn rename_organisation(&self, id: OrganisationId, name: &str) -> Answer<()> {
        self.change_above(|system| {
            name.clone_into(&mut system.tenant(id)?.name);
            Ok(())
        })
    }

    async fn suspend_organisation(&self, id: OrganisationId) -> Answer<()> {
        self.change_above(|system| {
            system.tenant(id)?.suspended_at = Some(NOW);
            Ok(())
        })
    }

    async fn resume_organisation(&self, id: OrganisationId) -> Answer<()> {
        self.change_above(|system| {
            system.tenant(id)?.suspended_at = None;
            Ok(())
        })
    }

    async fn invite_administrator(&self, id: OrganisationId, email: &str) -> Answer<String> {
        self.change_above(|system| {
            system.invited.push((id, email.to_owned()));
            Ok(format!("{ORIGIN}/invitation/{SECRET}"))
        })
    }

    async fn give_system_role(&self, email: &str) -> Answer<()> {
        self.change_above(|system| match email {
            "bob@harbour.example" => {
                system.administrators.push(BOB);
                Ok(())
            }
            _ => Err(BackendError::Refused("Please give the e-mail address of somebody who is a user already.".into())),
        })
    }

    async fn take_system_role(&self, user: UserId) -> Answer<()> {
        self.change_above(|system| {
            if system.administrators == [user] {
                return Err(BackendError::Refused("It would leave no system administrator who can sign in.".into()));
            }
            system.administrators.retain(|other| *other != user);
            Ok(())
        })
    }

    async fn system_mail_fate(&self, secret: &str) -> Answer<Option<MailFate>> {
        Ok(self.signed_in_state()?.mail.clone().filter(|_| secret == SECRET))
    }
}
