//! The people of an organisation: their coming, their roles, their passwords, their going, and what that ends.

use std::sync::Arc;
use std::time::Duration;

use afterlive_app::backend::Account;
use afterlive_domain::password::Weakness;
use afterlive_domain::{Error as Refusal, Role, UserId};
use afterlive_server::db::users::User;
use afterlive_server::service::{Caller, Chosen, Error, Identity, SignIn};
use axum::body::Body;
use http::Request;
use tower::ServiceExt as _;

use crate::fixture::browser::Browser;
use crate::fixture::server::{Server, Tenant, on_each_server};

const PASSWORD: &str = "correct horse battery";

async fn a_user(server: &Server, tenant: &Tenant, role: Role) -> User {
    let email = format!("{}@{}.example.com", uuid::Uuid::new_v4(), tenant.organisation.hash).to_lowercase();
    server.service.add_user(&tenant.admin, &email, PASSWORD, role).await.unwrap()
}

fn as_user(user: &User) -> Caller {
    Caller { organisation: user.organisation, role: user.role, identity: Identity::User(user.id) }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn roles(server: &Server, tenant: &Tenant) -> Vec<(UserId, Role)> {
    server.service.users(&tenant.admin).await.unwrap().into_iter().map(|user| (user.id, user.role)).collect()
}

#[tokio::test]
async fn the_last_administrator_can_neither_go_nor_be_made_less() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (one, other) = (a_user(&server, &tenant, Role::Admin).await, a_user(&server, &tenant, Role::User).await);
        // Those of another organisation do not count.
        let theirs = server.an_organisation().await;
        a_user(&server, &theirs, Role::Admin).await;
        let (service, admin) = (&server.service, as_user(&one));
        for role in [Role::User, Role::ReadOnly] {
            assert_eq!(refusal(service.change_role(&admin, one.id, role).await), Refusal::LastAdmin { user: one.id });
        }
        assert_eq!(refusal(service.remove_user(&admin, one.id).await), Refusal::LastAdmin { user: one.id });
        service.change_role(&admin, one.id, Role::Admin).await.unwrap();
        service.change_role(&admin, other.id, Role::Admin).await.unwrap();
        service.change_role(&admin, one.id, Role::ReadOnly).await.unwrap();
        assert_eq!(refusal(service.remove_user(&tenant.admin, other.id).await), Refusal::LastAdmin { user: other.id });
        service.change_role(&tenant.admin, one.id, Role::Admin).await.unwrap();
        service.remove_user(&admin, one.id).await.unwrap();
        assert_eq!(roles(&server, &tenant).await, [(other.id, Role::Admin)]);
    })
    .await;
}

#[tokio::test]
async fn of_administrators_who_go_all_at_once_one_stays() {
    on_each_server(async |server| {
        for is_removed in [true, false] {
            let tenant = server.an_organisation().await;
            let mut admins = Vec::new();
            for _ in 0..4 {
                admins.push(a_user(&server, &tenant, Role::Admin).await);
            }
            // Each takes away the next.
            let racers = (0..4).map(|n| {
                let (service, caller, next) = (Arc::clone(&server.service), as_user(&admins[n]), admins[(n + 1) % 4].id);
                tokio::spawn(async move {
                    if is_removed {
                        service.remove_user(&caller, next).await
                    } else {
                        service.change_role(&caller, next, Role::User).await
                    }
                })
            });
            let mut refused = 0;
            for racer in racers.collect::<Vec<_>>() {
                if let Err(error) = racer.await.unwrap() {
                    assert!(matches!(error, Error::Refused(Refusal::LastAdmin { .. })), "{error}");
                    refused += 1;
                }
            }
            let left = roles(&server, &tenant).await.into_iter().filter(|(_, role)| *role == Role::Admin).count();
            assert_eq!((refused, left), (1, 1));
        }
    })
    .await;
}

#[tokio::test]
async fn what_belongs_to_another_organisation_does_not_exist() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let user = a_user(&server, &theirs, Role::User).await;
        let none = Refusal::NoSuchUser { user: user.id };
        assert_eq!(refusal(server.service.change_role(&ours.admin, user.id, Role::Admin).await), none);
        assert_eq!(refusal(server.service.remove_user(&ours.admin, user.id).await), none);
        assert_eq!(roles(&server, &theirs).await, [(user.id, Role::User)]);
        assert_eq!(roles(&server, &ours).await, []);
    })
    .await;
}

#[tokio::test]
async fn who_is_removed_is_signed_out_everywhere_with_the_next_request() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browsers =
            [Browser::signed_in(&server, &user.email, PASSWORD).await, Browser::signed_in(&server, &user.email, PASSWORD).await];
        let token = server.service.make_session_token(&user.email, PASSWORD, [192, 0, 2, 1].into()).await.unwrap();
        let with_token = async || server.send_with("GET /user", &[("X-BINTU-TOKEN", &token)], "").await.status.as_u16();
        for browser in &mut browsers {
            assert_eq!(browser.load("home", "{}").await.status.as_u16(), 200);
            assert_eq!(browser.open("/organisation").await.status.as_u16(), 200);
        }
        assert_eq!(with_token().await, 200);
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        for browser in &mut browsers {
            assert_eq!(browser.load("home", "{}").await.status.as_u16(), 401);
            assert_eq!(browser.open("/organisation").await.header("location"), "/auth?next=%2Forganisation");
            assert_eq!(browser.open("/events").await.status.as_u16(), 401);
        }
        assert_eq!(with_token().await, 401);
        // Whoever comes next under that address has nothing of it.
        server.service.add_user(&tenant.admin, &user.email, PASSWORD, Role::Admin).await.unwrap();
        assert_eq!((browsers[0].load("home", "{}").await.status.as_u16(), with_token().await), (401, 401));
    })
    .await;
}

#[tokio::test]
async fn the_list_says_when_each_last_signed_in() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let last = async || server.service.users(&tenant.admin).await.unwrap()[0].last_sign_in_at;
        assert_eq!(last().await, None);
        server.service.sign_in(&user.email, "wrong", [192, 0, 2, 1].into()).await.unwrap();
        assert_eq!(last().await, None);
        server.service.sign_in(&user.email, PASSWORD, [192, 0, 2, 1].into()).await.unwrap();
        assert_eq!(last().await, Some(server.clock.now()));
    })
    .await;
}

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
            assert_eq!(service.accept_invitation(wrong, PASSWORD).await.unwrap(), Chosen::WrongLink);
        }
        assert_eq!(service.accept_invitation(&of_ada, "short").await.unwrap(), Chosen::Weak(Weakness::Short));
        server.clock.advance_ms(7 * DAY_MS - 1);
        let racers = (0..3).map(|_| {
            let (service, secret) = (Arc::clone(service), of_ada.clone());
            tokio::spawn(async move { service.accept_invitation(&secret, PASSWORD).await.unwrap() })
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
        let signed_in = service.sign_in("ada@example.com", PASSWORD, [192, 0, 2, 1].into()).await.unwrap();
        assert!(matches!(signed_in, SignIn::Done(user) if user.id == users[0].id));
        let taken = Refusal::NotUnique { parameter: "email".into() };
        assert_eq!(refusal(service.invite(admin, "ada@example.com", Role::Admin).await), taken);

        let late = secret(&service.invite(admin, "bob@example.com", Role::User).await.unwrap());
        server.clock.advance_ms(7 * DAY_MS);
        assert_eq!(service.accept_invitation(&late, PASSWORD).await.unwrap(), Chosen::WrongLink);
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
        let token = service.make_session_token(&user.email, PASSWORD, [192, 0, 2, 1].into()).await.unwrap();
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
        let sign_in = async |password: &str| service.sign_in(&user.email, password, [192, 0, 2, 1].into()).await.unwrap();
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
        assert_eq!(service.set_password_by_link(&late, PASSWORD).await.unwrap(), Chosen::WrongLink);

        let link = service.operators_password_link(&user.email.to_uppercase()).await.unwrap().unwrap();
        assert_eq!(service.operators_password_link("nobody@example.com").await.unwrap(), None);
        let racers = (0..3).map(|n| {
            let (service, secret) = (Arc::clone(service), secret(&link));
            tokio::spawn(
                async move { service.set_password_by_link(&secret, &format!("{n} lanterns by the quay")).await.unwrap() },
            )
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

/// The ids of what is open, and which of them is the browser's own.
async fn account(browser: &mut Browser<'_>) -> (Vec<String>, Option<String>, Vec<String>) {
    let answer = browser.load("account", "{}").await;
    let account: Account = serde_json::from_str(&answer.text).unwrap_or_else(|_| panic!("{}", answer.text));
    let this = account.sessions.iter().find(|session| session.is_this).map(|session| session.id.clone());
    let sessions = account.sessions.iter().map(|session| session.id.clone()).collect();
    assert!(account.sessions.iter().all(|session| session.browser == "Firefox on Linux" && session.address == "0.0.0.0"));
    (sessions, this, account.tokens.into_iter().map(|token| token.id).collect())
}

#[tokio::test]
async fn what_is_open_of_ones_own_is_listed_and_ended_one_by_one_or_all_but_this() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let (user, stranger) = (a_user(&server, &tenant, Role::ReadOnly).await, a_user(&server, &tenant, Role::Admin).await);
        let mut browsers = Vec::new();
        for _ in 0..4 {
            server.clock.advance_ms(1_000);
            browsers.push(Browser::signed_in(&server, &user.email, PASSWORD).await);
        }
        let mut tokens = Vec::new();
        for _ in 0..2 {
            tokens.push(server.service.make_session_token(&user.email, PASSWORD, [192, 0, 2, 1].into()).await.unwrap());
        }
        let works =
            async |token: &str| server.send_with("GET /user", &[("X-BINTU-TOKEN", token)], "").await.status.as_u16() == 200;
        let [mine, second, third, fourth] = &mut browsers[..] else { unreachable!() };
        let (sessions, this, open) = account(mine).await;
        assert_eq!((sessions.len(), open.len()), (4, 2));
        assert_eq!(this.as_ref(), sessions.last(), "last used first");
        let (_, of_second, _) = account(second).await;
        assert_ne!(this, of_second);

        // Nobody ends another's, an administrator neither.
        let of_second = of_second.unwrap();
        let mut other = Browser::signed_in(&server, &stranger.email, PASSWORD).await;
        other.submit("end_session", &[("id", &of_second)]).await;
        other.submit("end_session_token", &[("id", &open[0])]).await;
        assert_eq!((account(mine).await.0.len(), account(mine).await.2.len()), (4, 2));

        assert_eq!(mine.submit("end_session", &[("id", &of_second)]).await, "/account?notice=session%2Dended");
        assert_eq!(second.load("home", "{}").await.status.as_u16(), 401);
        mine.submit("end_session_token", &[("id", &open[0])]).await;
        let left = [works(&tokens[0]).await, works(&tokens[1]).await];
        assert_eq!(left.iter().filter(|works| **works).count(), 1);
        mine.submit("end_other_sessions", &[]).await;
        let (sessions, this, open) = account(mine).await;
        assert_eq!((sessions, open), (vec![this.unwrap()], vec![]));
        for gone in [third, fourth] {
            assert_eq!(gone.load("home", "{}").await.status.as_u16(), 401);
        }
        assert_eq!(other.load("home", "{}").await.status.as_u16(), 200);
    })
    .await;
}

#[tokio::test]
async fn the_own_password_is_changed_by_who_knows_it_and_leaves_this_browser_alone() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut mine = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let mut other = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let token = server.service.make_session_token(&user.email, PASSWORD, [192, 0, 2, 1].into()).await.unwrap();
        let new = "wandering geese by night";
        for (present, password, told) in [
            ("not the present one", new, "not your present password"),
            (PASSWORD, "short", "at least 15 characters"),
            (PASSWORD, &user.email, "harder to guess"),
        ] {
            mine.submit("change_password", &[("present", present), ("password", password)]).await;
            let flash = mine.flash().await;
            assert!(flash.contains(told), "{flash}");
        }
        assert_eq!(other.load("home", "{}").await.status.as_u16(), 200);
        let mut twin = mine.clone();
        mine.submit("change_password", &[("present", PASSWORD), ("password", new)]).await;
        assert!(mine.flash().await.contains("PasswordChanged"));
        assert_eq!(account(&mut mine).await.0.len(), 1);
        for gone in [&mut other, &mut twin] {
            assert_eq!(gone.load("home", "{}").await.status.as_u16(), 401);
        }
        assert_eq!(server.send_with("GET /user", &[("X-BINTU-TOKEN", &token)], "").await.status.as_u16(), 401);
        Browser::signed_in(&server, &user.email, new).await;

        // Who found the browser open guesses no faster than at the sign-in.
        for _ in 0..10 {
            mine.submit("change_password", &[("present", "a guess"), ("password", new)]).await;
            assert!(mine.flash().await.contains("not your present password"));
        }
        mine.submit("change_password", &[("present", new), ("password", PASSWORD)]).await;
        assert!(mine.flash().await.contains("too many attempts"));
    })
    .await;
}

#[tokio::test]
async fn the_events_of_an_open_page_end_with_the_sign_in() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let request = Request::get("/events").header("cookie", browser.cookie()).body(Body::empty()).unwrap();
        let answer = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let to_its_end = tokio::spawn(axum::body::to_bytes(answer.into_body(), 1 << 20));
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), to_its_end).await.expect("it ends").unwrap().unwrap();
    })
    .await;
}
