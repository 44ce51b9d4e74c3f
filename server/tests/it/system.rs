//! Above the organisations: who administers the installation, what they do to organisations, and what they see nothing of.

mod program;
mod suspended;
mod ways_in;

use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role};
use afterlive_server::db::audit_log::{self, Entry};
use afterlive_server::db::users::{self, User};
use afterlive_server::db::{Raw, system};
use afterlive_server::service::{Caller, Chosen, Error, Identity, SignIn};

use crate::accounts::{PASSWORD, a_user, as_user};
use crate::fixture::server::{Server, Tenant, on_each_server};

const HOME: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

#[track_caller]
fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// An administrator of an organisation who administers the installation too.
pub async fn a_system_administrator(server: &Server, tenant: &Tenant) -> (User, Caller) {
    let user = a_user(server, tenant, Role::Admin).await;
    server.service.give_system_role(None, &user.email).await.unwrap();
    let caller = as_user(&user).at(HOME);
    (user, caller)
}

async fn log(server: &Server, tenant: &Tenant) -> Vec<Entry> {
    let mut connection = server.db.read().await.unwrap();
    audit_log::following(&mut connection, tenant.organisation.id, 0, (None, None), 10_000).await.unwrap().entries
}

async fn is_system_administrator(server: &Server, user: &User) -> bool {
    users::by_id(&mut server.db.read().await.unwrap(), user.id).await.unwrap().unwrap().system_administrator
}

fn secret(link: &str) -> &str {
    link.rsplit_once('/').unwrap().1
}

#[tokio::test]
async fn an_organisation_is_made_with_a_link_by_which_its_first_administrator_comes_in() {
    on_each_server(async |server| {
        let home = server.an_organisation().await;
        let (_, above) = a_system_administrator(&server, &home).await;
        let service = &server.service;
        let made = service.create_organisation(Some(&above), " Harbour Choir ", "Dee@Example.com").await.unwrap();
        let id = made.organisation.id;
        let seen = service.tenant(&above, id).await.unwrap();
        assert_eq!((seen.listed.organisation.name.as_str(), seen.administrators.len()), ("Harbour Choir", 0));
        assert_eq!(seen.invited.iter().map(|invited| invited.email.as_str()).collect::<Vec<_>>(), ["dee@example.com"]);
        // As long as nobody has come in, another one is made for whoever is there.
        let other = service.invite_administrator(&above, id, "dee@example.com").await.unwrap();
        assert_eq!(
            service.accept_invitation(secret(&made.link), "wandering geese by night", None).await.unwrap(),
            Chosen::WrongLink
        );
        let chosen = service.accept_invitation(secret(&other), "wandering geese by night", None).await.unwrap();
        let Chosen::Done(dee) = chosen else { panic!("{chosen:?}") };
        assert_eq!((dee.organisation, dee.role, dee.system_administrator), (id, Role::Admin, false));
        let seen = service.tenant(&above, id).await.unwrap();
        assert_eq!((seen.listed.figures.users, seen.administrators.len(), seen.invited.len()), (1, 1, 0));
        // From then on they invite for themselves.
        let refused = refusal(service.invite_administrator(&above, id, "eve@example.com").await);
        assert!(matches!(refused, Refusal::WrongState { .. }), "{refused:?}");
        // An address is one user, wherever.
        let email = || Refusal::NotUnique { parameter: "email".to_owned() };
        assert_eq!(refusal(service.create_organisation(Some(&above), "Third", "dee@example.com").await), email());
        let made = |row: &Entry| (row.act.as_str(), row.on_id.as_deref()) == ("organisation.created", Some(&*id.to_string()));
        assert_eq!(log(&server, &home).await.iter().filter(|row| made(row)).count(), 1);
        let theirs = {
            let mut connection = server.db.read().await.unwrap();
            audit_log::following(&mut connection, id, 0, (None, None), 10).await.unwrap().entries
        };
        assert_eq!((theirs[0].act.as_str(), theirs[1].act.as_str()), ("organisation.created", "user.invited"));
        let names = service.installation(&above, 1).await.unwrap();
        assert_eq!((names.total, names.organisations.len()), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn what_is_done_above_stands_in_both_logs_and_tells_an_organisation_no_address() {
    on_each_server(async |server| {
        let (home, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (ada, above) = a_system_administrator(&server, &home).await;
        let (service, id) = (&server.service, theirs.organisation.id);
        let before = (log(&server, &home).await.len(), log(&server, &theirs).await.len());
        service.rename_organisation(&above, id, "Renamed").await.unwrap();
        for _ in 0..2 {
            service.suspend_organisation(&above, id).await.unwrap();
        }
        for _ in 0..2 {
            service.resume_organisation(&above, id).await.unwrap();
        }
        let bob = a_user(&server, &theirs, Role::User).await;
        service.give_system_role(Some(&above), &bob.email).await.unwrap();
        service.take_system_role(&above, bob.id).await.unwrap();

        let acts = |rows: &[Entry]| rows.iter().map(|row| row.act.clone()).collect::<Vec<_>>();
        let (ours, of_them) = (log(&server, &home).await.split_off(before.0), log(&server, &theirs).await.split_off(before.1));
        let of_organisation = ["organisation.changed", "organisation.suspended", "organisation.resumed"];
        let of_role = ["user.system_role_given", "user.system_role_taken"];
        assert_eq!(acts(&ours), [&of_organisation[..], &of_role].concat());
        assert_eq!(acts(&of_them), [&of_organisation[..], &["user.added"], &of_role].concat());
        for row in &ours {
            assert_eq!((row.who_label.as_str(), row.address.as_deref()), (ada.email.as_str(), Some("203.0.113.9")), "{row:?}");
            assert_eq!(row.on_id, Some(id.to_string()), "{row:?}");
            assert!(!format!("{row:?}").contains(&bob.email), "{row:?}");
        }
        for row in of_them.iter().filter(|row| row.act != "user.added") {
            assert_eq!(
                (row.who_kind.as_str(), row.who_id.clone()),
                ("system_administrator", Some(ada.id.to_string())),
                "{row:?}"
            );
            assert!(row.address.is_none() && !format!("{row:?}").contains(&ada.email), "{row:?}");
        }
        assert_eq!(of_them[0].detail.as_deref(), Some("name: Chapel → Renamed"));
        // In their own organisation they are who they are.
        service.rename_organisation(&above, home.organisation.id, "Own").await.unwrap();
        let [own] = log(&server, &home).await.split_off(before.0 + ours.len()).try_into().unwrap();
        assert_eq!((own.who_kind.as_str(), own.who_label), ("user", ada.email));
    })
    .await;
}

#[tokio::test]
async fn nothing_that_a_program_holds_and_no_role_is_enough() {
    on_each_server(async |server| {
        let (home, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (ada, above) = a_system_administrator(&server, &home).await;
        let (service, id) = (&server.service, theirs.organisation.id);
        let key = service.key_caller(&home.admin_key, HOME).await.unwrap();
        let token = Caller { identity: Identity::Token(ada.id), ..above };
        let admin = as_user(&a_user(&server, &theirs, Role::Admin).await);
        for caller in [key, token, admin] {
            assert_eq!(refusal(service.installation(&caller, 1).await), Refusal::NotSystemAdministrator);
            assert_eq!(refusal(service.tenant(&caller, id).await), Refusal::NotSystemAdministrator);
            assert_eq!(refusal(service.suspend_organisation(&caller, id).await), Refusal::NotSystemAdministrator);
            let made = service.create_organisation(Some(&caller), "New", "new@example.com").await;
            assert_eq!(refusal(made), Refusal::NotSystemAdministrator);
            assert_eq!(refusal(service.take_system_role(&caller, ada.id).await), Refusal::NotSystemAdministrator);
            assert_eq!(refusal(service.give_system_role(Some(&caller), &ada.email).await), Refusal::NotSystemAdministrator);
        }
        // Their own organisation's administrators make nobody's password theirs who is more than they are.
        let admin = as_user(&a_user(&server, &home, Role::Admin).await);
        assert_eq!(refusal(service.make_password_link(&admin, ada.id).await), Refusal::NotSystemAdministrator);
        service.make_password_link(&above, ada.id).await.unwrap();
        let none = Refusal::NoSuchOrganisation { organisation: afterlive_domain::OrganisationId(uuid::Uuid::nil()) };
        let Refusal::NoSuchOrganisation { organisation } = none.clone() else { unreachable!() };
        assert_eq!(refusal(service.suspend_organisation(&above, organisation).await), none);
        assert_eq!(refusal(service.tenant(&above, organisation).await), none);
    })
    .await;
}

#[tokio::test]
async fn the_last_system_administrator_who_can_sign_in_stays() {
    on_each_server(async |server| {
        let (home, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (ada, above) = a_system_administrator(&server, &home).await;
        a_user(&server, &home, Role::Admin).await;
        let service = &server.service;
        assert_eq!(refusal(service.take_system_role(&above, ada.id).await), Refusal::LastSystemAdministrator);
        assert_eq!(refusal(service.operator_takes_system_role(&ada.email).await), Refusal::LastSystemAdministrator);
        assert_eq!(refusal(service.remove_user(&home.admin, ada.id).await), Refusal::LastSystemAdministrator);
        assert!(matches!(refusal(service.suspend_organisation(&above, home.organisation.id).await), Refusal::WrongState { .. }));
        let operator = Caller::operator(home.organisation.id);
        assert_eq!(
            refusal(service.suspend_organisation(&operator, home.organisation.id).await),
            Refusal::LastSystemAdministrator
        );

        // Who cannot sign in is no help.
        let (bob, by_bob) = a_system_administrator(&server, &theirs).await;
        service.suspend_organisation(&above, theirs.organisation.id).await.unwrap();
        assert_eq!(refusal(service.installation(&by_bob, 1).await), Refusal::BadCredentials);
        assert_eq!(refusal(service.take_system_role(&above, ada.id).await), Refusal::LastSystemAdministrator);
        service.resume_organisation(&above, theirs.organisation.id).await.unwrap();
        service.take_system_role(&above, ada.id).await.unwrap();
        assert!(!is_system_administrator(&server, &ada).await && is_system_administrator(&server, &bob).await);
        assert_eq!(refusal(service.installation(&above, 1).await), Refusal::NotSystemAdministrator);
        service.remove_user(&home.admin, ada.id).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_system_administrators_who_go_all_at_once_one_stays() {
    on_each_server(async |server| {
        for round in 0..3 {
            let mut people = Vec::new();
            for _ in 0..4 {
                let tenant = server.an_organisation().await;
                // Who administers the organisation when the other is gone.
                a_user(&server, &tenant, Role::Admin).await;
                people.push((a_system_administrator(&server, &tenant).await, tenant));
            }
            // Each takes the role from the next, suspends the next one's organisation, or is removed.
            let racers = (0..4).map(|n| {
                let ((_, caller), _) = people[n];
                let ((next, _), tenant) = &people[(n + 1) % 4];
                let (service, next, organisation, admin) =
                    (Arc::clone(&server.service), next.id, tenant.organisation.id, tenant.admin);
                tokio::spawn(async move {
                    match round {
                        0 => service.take_system_role(&caller, next).await,
                        1 => service.suspend_organisation(&caller, organisation).await,
                        _ => service.remove_user(&admin, next).await,
                    }
                })
            });
            for racer in racers.collect::<Vec<_>>() {
                match racer.await.unwrap() {
                    Ok(()) | Err(Error::Refused(_)) => {}
                    failed => panic!("{round}: {failed:?}"),
                }
            }
            let left = system::count_others(&mut server.db.read().await.unwrap(), None, None).await.unwrap();
            assert!(left >= 1, "{round}: nobody is left");
            // For the next round nobody is left of this one.
            let statement = "UPDATE users SET system_administrator = FALSE";
            let mut tx = server.db.write().await.unwrap();
            match tx.raw() {
                Raw::Sqlite(c) => sqlx::query(statement).execute(c).await.map(drop).unwrap(),
                Raw::Postgres(c) => sqlx::query(statement).execute(c).await.map(drop).unwrap(),
            }
            tx.commit().await.unwrap();
        }
    })
    .await;
}

/// In which the role was not known yet: what the migration does to it is its last statement.
#[tokio::test]
async fn on_an_installation_from_before_the_oldest_administrator_of_the_oldest_organisation_is_one() {
    on_each_server(async |server| {
        let (newer, older) = (server.an_organisation().await, server.an_organisation().await);
        for (organisation, at) in [(&newer, 20), (&older, 10)] {
            execute(
                &server,
                &format!("UPDATE organisations SET created_at = {at} WHERE id = '{}'", organisation.organisation.id),
            )
            .await;
        }
        a_user(&server, &newer, Role::Admin).await;
        a_user(&server, &older, Role::User).await;
        server.clock.advance_ms(1_000);
        let first = a_user(&server, &older, Role::Admin).await;
        server.clock.advance_ms(1_000);
        a_user(&server, &older, Role::Admin).await;
        let migration = include_str!("../../migrations/postgres/0017_system.sql");
        // But for the lock in front of it.
        assert!(migration.ends_with(include_str!("../../migrations/sqlite/0017_system.sql")));
        let last = migration.rfind("UPDATE users").unwrap();
        execute(&server, migration[last..].trim().trim_end_matches(';')).await;
        let found = system::administrators(&mut server.db.read().await.unwrap()).await.unwrap();
        assert_eq!(found.iter().map(|found| found.user.id).collect::<Vec<_>>(), [first.id]);
        let signed_in = server.service.sign_in(&first.email, PASSWORD, HOME).await.unwrap();
        assert!(matches!(signed_in, SignIn::Done(user) if user.system_administrator));
    })
    .await;
}

async fn execute(server: &Server, statement: &str) {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    let mut tx = server.db.write().await.unwrap();
    match tx.raw() {
        Raw::Sqlite(c) => sqlx::query(statement).execute(c).await.map(drop).unwrap(),
        Raw::Postgres(c) => sqlx::query(statement).execute(c).await.map(drop).unwrap(),
    }
    tx.commit().await.unwrap();
}
