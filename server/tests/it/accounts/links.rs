//! Links that are good once: invitations, and new passwords.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::password::Weakness;
use afterlive_domain::{Error as Refusal, Role};
use afterlive_server::db::Raw;
use afterlive_server::service::{Chosen, SignIn};

use super::{PASSWORD, a_user, as_user, refusal};
use crate::fixture::browser::Browser;
use crate::fixture::server::{on_a_server, on_each_server};

/// What a link has in it.
fn secret(link: &str) -> String {
    let secret = link.rsplit_once('/').unwrap().1;
    assert_eq!(secret.len(), 64, "{link}");
    secret.to_owned()
}

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn an_invitation_makes_one_user_once_within_seven_days() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (service, admin) = (&server.service, &tenant.admin);
        let link = service.invite(admin, " Ada@Example.com ", Role::ReadOnly).await.unwrap();
        assert!(link.starts_with("http://localhost:3000/invitation/"), "{link}");
        let of_ada = secret(&link);
        // Looking at it uses nothing up.
        for _ in 0..3 {
            let (invitation, name) = service.invitation(&of_ada).await.unwrap().unwrap();
            assert_eq!(
                (invitation.email.as_str(), invitation.role, name.as_str()),
                ("ada@example.com", Role::ReadOnly, "Chapel")
            );
        }
        for wrong in ["", "x", &of_ada[1..], &format!("{of_ada}0"), &of_ada.to_uppercase()] {
            assert_eq!(service.invitation(wrong).await.unwrap(), None);
            assert_eq!(service.accept_invitation(wrong, PASSWORD, None).await.unwrap(), Chosen::WrongLink);
        }
        assert_eq!(service.accept_invitation(&of_ada, "short", None).await.unwrap(), Chosen::Weak(Weakness::Short));
        server.clock.advance_ms(7 * DAY_MS - 1);
        let racers = (0..3).map(|_| {
            let (service, secret) = (Arc::clone(service), of_ada.clone());
            tokio::spawn(async move { service.accept_invitation(&secret, PASSWORD, None).await.unwrap() })
        });
        let mut users = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                Chosen::Done(user) => users.push(user),
                other => assert_eq!(other, Chosen::WrongLink),
            }
        }
        assert_eq!(users.len(), 1);
        assert_eq!((users[0].role, users[0].organisation), (Role::ReadOnly, tenant.organisation.id));
        assert_eq!(service.users(admin).await.unwrap(), users);
        assert_eq!(service.invitation(&of_ada).await.unwrap(), None);
        assert!(service.invitations(admin).await.unwrap().is_empty());
        let signed_in = service.sign_in("ada@example.com", PASSWORD, IpAddr::from([192, 0, 2, 1])).await.unwrap();
        assert!(matches!(signed_in, SignIn::Done(user) if user.id == users[0].id));
        let taken = Refusal::NotUnique { parameter: "email".into() };
        assert_eq!(refusal(service.invite(admin, "ada@example.com", Role::Admin).await), taken);

        let late = secret(&service.invite(admin, "bob@example.com", Role::User).await.unwrap());
        server.clock.advance_ms(7 * DAY_MS);
        assert_eq!(service.accept_invitation(&late, PASSWORD, None).await.unwrap(), Chosen::WrongLink);
        assert!(service.invitations(admin).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_invitation_ends_by_being_revoked_replaced_or_its_makers_going() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let maker = a_user(&server, &tenant, Role::Admin).await;
        let (service, admin, by_maker) = (&server.service, &tenant.admin, as_user(&maker));
        let opens = async |link: &str| service.invitation(&secret(link)).await.unwrap().is_some();
        let first = service.invite(admin, "ada@example.com", Role::User).await.unwrap();
        let second = service.invite(admin, "ada@example.com", Role::ReadOnly).await.unwrap();
        assert_eq!((opens(&first).await, opens(&second).await), (false, true));
        let [invitation] = service.invitations(admin).await.unwrap().try_into().unwrap();

        let theirs = server.an_organisation().await;
        let none = Refusal::NoSuchInvitation { invitation: invitation.id };
        assert_eq!(refusal(service.revoke_invitation(&theirs.admin, invitation.id).await), none);
        service.revoke_invitation(admin, invitation.id).await.unwrap();
        assert_eq!((opens(&second).await, refusal(service.revoke_invitation(admin, invitation.id).await)), (false, none));

        // By somebody who is an administrator no more: neither a way in nor a way to another's account is left.
        let other = a_user(&server, &tenant, Role::Admin).await;
        for is_removed in [false, true] {
            service.change_role(admin, maker.id, Role::Admin).await.unwrap();
            let link = service.invite(&by_maker, "bob@example.com", Role::Admin).await.unwrap();
            let password = service.make_password_link(&by_maker, other.id).await.unwrap();
            assert!(opens(&link).await && service.password_link(&secret(&password)).await.unwrap().is_some());
            if is_removed {
                service.remove_user(admin, maker.id).await.unwrap();
            } else {
                service.change_role(admin, maker.id, Role::User).await.unwrap();
            }
            assert!(!opens(&link).await && service.password_link(&secret(&password)).await.unwrap().is_none());
        }

        // Who came in without it would else come back by it once they are removed.
        let link = service.invite(admin, "eve@example.com", Role::Admin).await.unwrap();
        service.add_user(admin, "eve@example.com", PASSWORD, Role::ReadOnly).await.unwrap();
        assert!(!opens(&link).await && service.invitations(admin).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_new_password_by_a_link_ends_all_that_the_one_before_opened() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let service = &server.service;
        let mut old = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let token = service.make_session_token(&user.email, PASSWORD, None, [192, 0, 2, 1].into()).await.unwrap();
        let unused = secret(&service.make_password_link(&tenant.admin, user.id).await.unwrap());
        let link = service.make_password_link(&tenant.admin, user.id).await.unwrap();
        let path = link.strip_prefix("http://localhost:3000").unwrap();

        // What looks at links uses nothing up, and the password goes on until then.
        let mut browser = Browser::new(&server);
        for _ in 0..2 {
            let page = browser.open(path).await;
            assert!(page.status.is_success() && page.text.contains(&user.email), "{}", page.text);
            assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("strict-origin", "no-store"));
            assert!(page.headers.get("set-cookie").is_none());
        }
        assert_eq!(old.load("home", "{}").await.status.as_u16(), 200);
        let choose = |secret: &str, password: &str| [("secret", secret.to_owned()), ("password", password.to_owned())];
        let mut submit = async |secret: &str, password: &str| {
            let fields = choose(secret, password);
            browser.submit("choose_password", &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await
        };
        assert_eq!(submit(&unused, "another horse battery").await, format!("/password/{unused}"), "the newest one counts");
        assert_eq!(submit(&secret(&link), "passwordpassword").await, format!("{path}?error=guessable"));
        assert_eq!(submit(&secret(&link), "another horse battery").await, "/?notice=password");
        assert_eq!(browser.load("home", "{}").await.status.as_u16(), 200);
        assert_eq!(old.load("home", "{}").await.status.as_u16(), 401);
        assert_eq!(server.send_with("GET /user", &[("X-BINTU-TOKEN", &token)], "").await.status.as_u16(), 401);
        let sign_in = async |password: &str| service.sign_in(&user.email, password, IpAddr::from([192, 0, 2, 1])).await.unwrap();
        assert_eq!(sign_in(PASSWORD).await, SignIn::WrongCredentials);
        assert!(matches!(sign_in("another horse battery").await, SignIn::Done(_)));
        let dead = browser.open(path).await;
        assert!(dead.text.contains("This link opens nothing"), "{}", dead.text);
    })
    .await;
}

#[tokio::test]
async fn a_link_for_a_password_is_good_once_for_a_day_and_for_the_own_organisation() {
    on_each_server(async |server| {
        let (tenant, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let user = a_user(&server, &tenant, Role::User).await;
        let service = &server.service;
        let none = Refusal::NoSuchUser { user: user.id };
        assert_eq!(refusal(service.make_password_link(&theirs.admin, user.id).await), none);
        let denied = Refusal::Denied { needed: Role::Admin };
        assert_eq!(refusal(service.make_password_link(&as_user(&user), user.id).await), denied);
        let late = secret(&service.make_password_link(&tenant.admin, user.id).await.unwrap());
        server.clock.advance_ms(DAY_MS);
        assert_eq!(service.set_password_by_link(&late, PASSWORD, None).await.unwrap(), Chosen::WrongLink);

        let link = service.operators_password_link(&user.email.to_uppercase()).await.unwrap().unwrap();
        assert_eq!(service.operators_password_link("nobody@example.com").await.unwrap(), None);
        let racers = (0..3).map(|n| {
            let (service, secret) = (Arc::clone(service), secret(&link));
            tokio::spawn(async move {
                service.set_password_by_link(&secret, &format!("{n} lanterns by the quay"), None).await.unwrap()
            })
        });
        let mut done = 0;
        for racer in racers.collect::<Vec<_>>() {
            done += usize::from(matches!(racer.await.unwrap(), Chosen::Done(_)));
        }
        assert_eq!(done, 1);
    })
    .await;
}

#[tokio::test]
async fn using_a_link_gives_the_browser_a_new_session() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let mut twin = browser.clone();
        let link = server.service.invite(&tenant.admin, "ada@example.com", Role::ReadOnly).await.unwrap();
        let (invited, password) = (secret(&link), "wandering geese by night");
        let to = browser.submit("accept_invitation", &[("secret", &invited), ("password", password)]).await;
        assert_eq!(to, "/?notice=joined");
        assert!(browser.load("access", "{}").await.text.contains("ada@example.com"));
        assert_eq!(twin.load("home", "{}").await.status.as_u16(), 401, "who knew the old session has nothing of the new one");
    })
    .await;
}

#[tokio::test]
async fn what_was_made_with_a_password_ends_with_it() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (admin, other) = (a_user(&server, &tenant, Role::Admin).await, a_user(&server, &tenant, Role::User).await);
        let service = &server.service;
        // By whoever found the browser open.
        let invitation = secret(&service.invite(&as_user(&admin), "thief@example.com", Role::Admin).await.unwrap());
        let of_other = secret(&service.make_password_link(&as_user(&admin), other.id).await.unwrap());
        let own = secret(&service.make_password_link(&tenant.admin, admin.id).await.unwrap());
        assert!(matches!(service.set_password_by_link(&own, "wandering geese by night", None).await.unwrap(), Chosen::Done(_)));
        assert_eq!(service.invitation(&invitation).await.unwrap(), None);
        assert_eq!(service.password_link(&of_other).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_link_that_was_made_for_less_opens_no_administrator() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::ReadOnly).await;
        let link = secret(&server.service.make_password_link(&tenant.admin, user.id).await.unwrap());
        server.service.change_role(&tenant.admin, user.id, Role::User).await.unwrap();
        assert!(server.service.password_link(&link).await.unwrap().is_some());
        server.service.change_role(&tenant.admin, user.id, Role::Admin).await.unwrap();
        assert_eq!(server.service.password_link(&link).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_database_has_no_link_and_no_key_that_is_good() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let admin = a_user(&server, &tenant, Role::Admin).await;
        let mut browser = Browser::signed_in(&server, &admin.email, PASSWORD).await;
        let user = admin.id.to_string();
        for (form, fields, begin) in [
            ("invite", vec![("email", "bob@example.com"), ("role", "nanoUser")], "/invitation/"),
            ("make_password_link", vec![("user", user.as_str())], "/password/"),
            ("create_api_key", vec![("label", "x"), ("role", "nanoUser")], "\"key\":\""),
        ] {
            assert!(browser.submit(form, &fields).await.contains("notice=flash"));
            let mut connection = server.db.read().await.unwrap();
            let all = "SELECT data || COALESCE(flash, '') FROM browser_sessions";
            let rows: Vec<String> = match connection.raw() {
                Raw::Sqlite(sqlite) => sqlx::query_scalar(all).fetch_all(sqlite).await.unwrap(),
                Raw::Postgres(postgres) => sqlx::query_scalar(all).fetch_all(postgres).await.unwrap(),
            };
            drop(connection);
            let mut twin = browser.clone();
            let flash = browser.flash().await;
            let secret = &flash.split_once(begin).unwrap_or_else(|| panic!("{flash}")).1[..64];
            assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{flash}");
            for row in rows {
                assert!(!row.contains(secret) && !row.contains(begin), "{row}");
            }
            assert_eq!((browser.flash().await, twin.flash().await), ("null".to_owned(), "null".to_owned()), "once");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_chosen_stands_where_signing_in_with_it_fails() {
    on_a_server(&[], async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let link = secret(&server.service.invite(&tenant.admin, "ada@example.com", Role::User).await.unwrap());
        let rename = async |statement: &'static str| {
            let mut tx = server.db.write().await.unwrap();
            let Raw::Sqlite(connection) = tx.raw() else { unreachable!("it runs on SQLite") };
            sqlx::query(statement).execute(connection).await.unwrap();
            tx.commit().await.unwrap();
        };
        rename("ALTER TABLE browser_sessions RENAME TO away").await;
        let fields = [("secret", link.as_str()), ("password", PASSWORD)];
        let to = Browser::new(&server).submit("accept_invitation", &fields).await;
        rename("ALTER TABLE away RENAME TO browser_sessions").await;
        assert_eq!(to, "/auth?notice=password-set");
        Browser::signed_in(&server, "ada@example.com", PASSWORD).await;
    })
    .await;
}
