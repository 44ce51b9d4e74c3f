//! The people of an organisation: their roles, their going, and what that ends.

mod age;
mod known_browsers;
mod links;
mod own;

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::{Error as Refusal, InvitationId, Role, Tags, UserId};
use afterlive_server::db::playback::delete_expired;
use afterlive_server::db::users::{self, User};
use afterlive_server::hexadecimal::hexadecimal;
use afterlive_server::http::browser_session;
use afterlive_server::service::playback::{Expiry, RevokedToken, TokenOf, TokenWish};
use afterlive_server::service::{Caller, Chosen, Error, Identity, MAX_PEOPLE, NewStream, Opens, PasswordChange, SignIn};
use http::HeaderMap;
use http::header::COOKIE;
use uuid::Uuid;

use crate::fixture::browser::Browser;
use crate::fixture::database::a_stream;
use crate::fixture::server::{Server, Tenant, on_each_server};

pub const PASSWORD: &str = "correct horse battery";

pub async fn a_user(server: &Server, tenant: &Tenant, role: Role) -> User {
    let email = format!("{}@{}.example.com", uuid::Uuid::new_v4(), tenant.organisation.hash).to_lowercase();
    server.service.add_user(&tenant.admin, &email, PASSWORD, role).await.unwrap()
}

/// The user, let in by nothing that could end.
pub fn as_user(user: &User) -> Caller {
    let identity = Identity::User(user.id);
    Caller { organisation: user.organisation, role: user.role, identity, from: None, let_in_by: None }
}

/// Who has signed in with a browser.
async fn by_browser(server: &Server, user: &User) -> Caller {
    let answer = server.send_with(&format!("GET /sign-in/{}", user.id), &[("accept", "text/html")], "").await;
    let cookie = answer.header("set-cookie").split_once(';').unwrap().0.parse().unwrap();
    let headers = HeaderMap::from_iter([(COOKIE, cookie)]);
    browser_session::caller_by_cookie(&server.service, &headers).await.unwrap().expect("they have signed in")
}

/// By what the database has the session that the caller came by.
fn session_of(caller: &Caller) -> String {
    hexadecimal(&caller.let_in_by.expect("they came by a session"))
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
        for (is_removed, is_themselves) in [(true, true), (false, true), (true, false), (false, false)] {
            let tenant = server.an_organisation().await;
            let mut admins = Vec::new();
            for _ in 0..4 {
                admins.push(a_user(&server, &tenant, Role::Admin).await);
            }
            // Each takes away themselves, or the next.
            let racers = (0..4).map(|n| {
                let taken = if is_themselves { n } else { (n + 1) % 4 };
                let (service, caller, next) = (Arc::clone(&server.service), as_user(&admins[n]), admins[taken].id);
                tokio::spawn(async move {
                    if is_removed {
                        service.remove_user(&caller, next).await
                    } else {
                        service.change_role(&caller, next, Role::User).await
                    }
                })
            });
            let mut gone = 0;
            for racer in racers.collect::<Vec<_>>() {
                match racer.await.unwrap() {
                    Ok(()) => gone += 1,
                    // Or the racer's turn came when it was gone itself.
                    Err(Error::Refused(Refusal::LastAdmin { .. } | Refusal::Denied { .. } | Refusal::BadCredentials)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            let left = roles(&server, &tenant).await.into_iter().filter(|(_, role)| *role == Role::Admin).count();
            assert!(left == 1 || (left >= 1 && !is_themselves));
            assert!(left + gone == 4, "{left} are left, {gone} are gone");
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
        let token = server.service.make_session_token(&user.email, PASSWORD, None, [192, 0, 2, 1].into()).await.unwrap();
        let with_token = async || server.send_with("GET /user", &[("X-BINTU-TOKEN", &token)], "").await.status.as_u16();
        for browser in &mut browsers {
            assert_eq!(browser.load("home", "{}").await.status.as_u16(), 200);
            assert_eq!(browser.open("/organisation").await.status.as_u16(), 200);
        }
        assert_eq!(with_token().await, 200);
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        for browser in &mut browsers {
            // The answer to the first takes the cookie away: who comes after it has no session that could have ended.
            assert_eq!(browser.open("/organisation").await.header("location"), "/auth?next=%2Forganisation&error=ended");
            assert_eq!(browser.open("/organisation").await.header("location"), "/auth?next=%2Forganisation");
            assert_eq!(browser.load("home", "{}").await.status.as_u16(), 401);
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
async fn the_addresses_in_a_users_pages_open_nothing_once_the_user_is_removed() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, other) = (a_user(&server, &tenant, Role::ReadOnly).await, a_user(&server, &tenant, Role::ReadOnly).await);
        let stream = a_stream(server.service.db(), &tenant.organisation).await;
        // Not live, so that who may watch is answered 404.
        let opens = async |token: &str| {
            let call = format!("GET /live/{}/thumbnail.jpg?token={token}", stream.streamname);
            server.send_with(&call, &[], "").await.status.as_u16()
        };
        let mut tokens = Vec::new();
        for user in [&user, &other] {
            let pass = server.service.pass(&as_user(user), &tenant.organisation).await.unwrap().expect("it is not public");
            tokens.push(pass.token(stream.id, &stream.streamname));
        }
        assert_eq!((opens(&tokens[0]).await, opens(&tokens[1]).await), (404, 404));
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        assert_eq!((opens(&tokens[0]).await, opens(&tokens[1]).await), (403, 404));
    })
    .await;
}

/// A pass has one id for all of a user's, and another end each six hours.
#[tokio::test]
async fn who_revokes_their_own_pass_keeps_no_later_one_from_ending_with_them() {
    const PERIOD_MS: i64 = 6 * 3_600_000;
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(server.service.db(), &tenant.organisation).await;
        // Not live, so that who may watch is answered 404.
        let opens = async |token: &str| {
            let call = format!("GET /live/{}/thumbnail.jpg?token={token}", stream.streamname);
            server.send_with(&call, &[], "").await.status.as_u16()
        };
        let pass_of = async |user: &User| {
            let pass = server.service.pass(&as_user(user), &tenant.organisation).await.unwrap().expect("it is not public");
            pass.token(stream.id, &stream.streamname)
        };
        let (user, other) = (a_user(&server, &tenant, Role::User).await, a_user(&server, &tenant, Role::User).await);
        let mut later = Vec::new();
        for user in [&user, &other] {
            let pass = pass_of(user).await;
            server.service.revoke_playback_token(&as_user(user), RevokedToken::Token(&pass)).await.unwrap();
            assert_eq!(opens(&pass).await, 403);
        }
        server.clock.advance_ms(PERIOD_MS);
        for user in [&user, &other] {
            later.push(pass_of(user).await);
        }
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        server.service.revoke_playback_token(&tenant.admin, RevokedToken::Token(&later[1])).await.unwrap();
        // What was revoked first has expired, and those that came later have not.
        server.clock.advance_ms(PERIOD_MS);
        let mut tx = server.db.write().await.unwrap();
        delete_expired(&mut tx, server.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((opens(&later[0]).await, opens(&later[1]).await), (403, 403));
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
        server.service.sign_in(&user.email, "wrong", IpAddr::from([192, 0, 2, 1])).await.unwrap();
        assert_eq!(last().await, None);
        server.service.sign_in(&user.email, PASSWORD, IpAddr::from([192, 0, 2, 1])).await.unwrap();
        assert_eq!(last().await, Some(server.clock.now()));
    })
    .await;
}

#[tokio::test]
async fn an_address_from_before_it_had_the_form_of_now_still_signs_in() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        // An ü of two code points, and one that nobody sees: taken in earlier versions, and typed so now too.
        for before in ["ju\u{308}rgen@example.com", "ad\u{200b}a@example.com"] {
            let user = User { id: UserId(Uuid::new_v4()), email: before.to_owned(), ..user.clone() };
            let mut tx = server.service.db().write().await.unwrap();
            users::insert(&mut tx, &user).await.unwrap();
            tx.commit().await.unwrap();
            let typed = format!(" {} ", before.to_uppercase());
            let signed_in = server.service.sign_in(&typed, PASSWORD, IpAddr::from([192, 0, 2, 1])).await.unwrap();
            assert!(matches!(signed_in, SignIn::Done(found) if found.id == user.id), "{before:?}");
            assert!(server.service.operators_password_link(before).await.unwrap().is_some());
        }
    })
    .await;
}

/// What an administrator might do to keep a way in, or to keep others out, and what a user might: each by a caller who was found good before.
async fn changes(server: &Server, caller: &Caller, other: UserId) -> Vec<(&'static str, Result<(), Error>)> {
    let service = &server.service;
    let new_stream = NewStream { tags: Tags::default(), default_mode: afterlive_domain::Mode::Rec };
    let wish = TokenWish {
        of: TokenOf::Organisation,
        expiry: Expiry::In(600),
        not_before: None,
        ips: Vec::new(),
        domains: Vec::new(),
        label: Some("x".into()),
    };
    let email = format!("{}@example.com", Uuid::new_v4());
    vec![
        ("change_role", service.change_role(caller, other, Role::ReadOnly).await),
        ("remove_user", service.remove_user(caller, other).await),
        ("add_user", service.add_user(caller, &email, PASSWORD, Role::Admin).await.map(drop)),
        ("invite", service.invite(caller, &email, Role::Admin).await.map(drop)),
        ("revoke_invitation", service.revoke_invitation(caller, InvitationId(Uuid::new_v4())).await),
        ("make_password_link", service.make_password_link(caller, other).await.map(drop)),
        ("create_api_key", service.create_api_key(caller, "x", Opens::Role(Role::Admin), None).await.map(drop)),
        ("set_webhook", service.set_webhook(caller, None).await.map(drop)),
        ("require_publish_key", service.require_publish_key(caller, true, true).await.map(drop)),
        ("create_stream", service.create_stream(caller, new_stream).await.map(drop)),
        ("make_playback_token", service.make_playback_token(caller, &wish).await.map(drop)),
    ]
}

#[tokio::test]
async fn who_was_let_go_while_waiting_for_their_turn_changes_nothing() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (service, admin) = (&server.service, &tenant.admin);
        let other = a_user(&server, &tenant, Role::Admin).await;
        let user = a_user(&server, &tenant, Role::Admin).await;
        // As their requests were let in, which then wait.
        let callers = [as_user(&user), Caller { identity: Identity::Token(user.id), ..as_user(&user) }];

        service.change_role(admin, user.id, Role::ReadOnly).await.unwrap();
        for caller in &callers {
            for (what, outcome) in changes(&server, caller, other.id).await {
                assert!(matches!(refusal(outcome), Refusal::Denied { .. }), "{what}");
            }
            let denied = Refusal::Denied { needed: Role::Admin };
            assert_eq!(refusal(service.change_role(caller, user.id, Role::Admin).await), denied, "back to where they were");
        }
        service.remove_user(admin, user.id).await.unwrap();
        for caller in &callers {
            for (what, outcome) in changes(&server, caller, other.id).await {
                assert_eq!(refusal(outcome), Refusal::BadCredentials, "{what}");
            }
        }
        let key = service.create_api_key(admin, "x", Opens::Role(Role::Admin), Some(Expiry::In(60))).await.unwrap();
        let by_key = service.key_caller(&key.secret, [192, 0, 2, 1].into()).await.unwrap();
        service.set_webhook(&by_key, None).await.unwrap();
        server.clock.advance_ms(60_000);
        for (what, outcome) in changes(&server, &by_key, other.id).await {
            assert_eq!(refusal(outcome), Refusal::BadCredentials, "{what}");
        }
        let key = service.create_api_key(admin, "x", Opens::Role(Role::Admin), None).await.unwrap();
        let by_key = service.key_caller(&key.secret, [192, 0, 2, 1].into()).await.unwrap();
        service.revoke_api_key(admin, key.row.id).await.unwrap();
        for (what, outcome) in changes(&server, &by_key, other.id).await {
            assert_eq!(refusal(outcome), Refusal::BadCredentials, "{what}");
        }
        assert_eq!(roles(&server, &tenant).await, [(other.id, Role::Admin)]);
        assert!(service.invitations(admin).await.unwrap().is_empty());
    })
    .await;
}

/// What somebody does who finds out that their browser's cookie, or a program's token, was stolen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    OwnPassword,
    PasswordByLink,
    OneByOne,
    AllOthers,
}

impl Ending {
    const ALL: [Self; 4] = [Self::OwnPassword, Self::PasswordByLink, Self::OneByOne, Self::AllOthers];

    fn is_password(self) -> bool {
        matches!(self, Self::OwnPassword | Self::PasswordByLink)
    }

    async fn happens(self, server: &Server, tenant: &Tenant, own: &Caller, stolen: &Caller, user: UserId) {
        let (service, new, kept) = (&server.service, "wandering geese by night", session_of(own));
        match self {
            Self::OwnPassword => {
                let changed = service.change_password(own, PASSWORD, new, Some(&kept)).await.unwrap();
                assert!(matches!(changed, PasswordChange::Done(_)), "{changed:?}");
            }
            Self::PasswordByLink => {
                let link = service.make_password_link(&tenant.admin, user).await.unwrap();
                let chosen = service.set_password_by_link(link.rsplit('/').next().unwrap(), new, None).await.unwrap();
                assert!(matches!(chosen, Chosen::Done(_)), "{chosen:?}");
            }
            Self::OneByOne => {
                let [(token, _)] = service.open_account(own).await.unwrap().tokens.try_into().unwrap();
                service.end_session_token(own, &token).await.unwrap();
                service.end_session(own, &session_of(stolen)).await.unwrap();
            }
            Self::AllOthers => service.end_other_sessions(own, Some(&kept), None).await.unwrap(),
        }
    }
}

#[tokio::test]
async fn who_came_by_what_ended_while_they_waited_for_their_turn_changes_nothing() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (service, admin) = (&server.service, &tenant.admin);
        let other = a_user(&server, &tenant, Role::Admin).await;
        for ending in Ending::ALL {
            let user = a_user(&server, &tenant, Role::Admin).await;
            service.give_system_role(None, &user.email).await.unwrap();
            let (own, stolen) = (by_browser(&server, &user).await, by_browser(&server, &user).await);
            let token = service.make_session_token(&user.email, PASSWORD, None, [192, 0, 2, 1].into()).await.unwrap();
            let program = service.token_caller(&token, [192, 0, 2, 1].into()).await.unwrap();
            // As their requests were let in, of which one has its turn before, and the others wait.
            for caller in [&own, &stolen, &program] {
                service.invite(caller, &format!("{}@example.com", Uuid::new_v4()), Role::Admin).await.unwrap();
            }
            let keys = service.api_keys(admin).await.unwrap().len();
            ending.happens(&server, &tenant, &own, &stolen, user.id).await;

            // With another password also who has the cookie of the very browser in which it was set.
            let ended = if ending.is_password() { vec![stolen, program, own] } else { vec![stolen, program] };
            for caller in &ended {
                for (what, outcome) in changes(&server, caller, other.id).await {
                    assert_eq!(refusal(outcome), Refusal::BadCredentials, "{ending:?}, by {}: {what}", caller.identity);
                }
            }
            assert_eq!(refusal(service.end_other_sessions(&stolen, None, None).await), Refusal::BadCredentials, "{ending:?}");
            assert_eq!(refusal(service.end_session(&stolen, &session_of(&own)).await), Refusal::BadCredentials, "{ending:?}");
            let made = service.create_organisation(Some(&stolen), "Harbour Choir", "dee@example.com").await;
            assert_eq!(refusal(made), Refusal::BadCredentials, "{ending:?}");

            let left = service.invitations(admin).await.unwrap();
            let left = left.iter().filter(|invitation| invitation.invited_by == Some(user.id)).count();
            assert_eq!(left, if ending.is_password() { 0 } else { 3 }, "{ending:?}");
            assert_eq!(service.api_keys(admin).await.unwrap().len(), keys, "{ending:?}");
            // Nobody else has ended.
            if !ending.is_password() {
                service.set_webhook(&own, None).await.unwrap();
                service.end_other_sessions(&own, Some(&session_of(&own)), None).await.unwrap();
            }
            service.set_webhook(&by_browser(&server, &user).await, None).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn an_organisation_has_so_many_people_and_no_more_however_they_come() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (service, admin) = (&server.service, &tenant.admin);
        let model = a_user(&server, &tenant, Role::User).await;
        let mut tx = server.db.write().await.unwrap();
        for n in 3..=MAX_PEOPLE {
            let user =
                User { id: UserId(Uuid::new_v4()), email: format!("{n}@{}.example", tenant.organisation.hash), ..model.clone() };
            afterlive_server::db::users::insert(&mut tx, &user).await.unwrap();
        }
        tx.commit().await.unwrap();
        let full = Refusal::WrongState { state: "1000 users, which is the most".into() };
        service.invite(admin, "last@example.com", Role::User).await.unwrap();
        assert_eq!(refusal(service.invite(admin, "more@example.com", Role::User).await), full);
        assert_eq!(refusal(service.add_user(admin, "more@example.com", PASSWORD, Role::User).await), full);
        // Another link for who has the last place already, who may also come in another way; and a place that is free again.
        service.invite(admin, "last@example.com", Role::ReadOnly).await.unwrap();
        service.remove_user(admin, model.id).await.unwrap();
        service.add_user(admin, "more@example.com", PASSWORD, Role::User).await.unwrap();
        service.add_user(admin, "last@example.com", PASSWORD, Role::User).await.unwrap();
        assert_eq!(refusal(service.invite(admin, "x@example.com", Role::User).await), full);
        // Those of another organisation take no place here.
        let theirs = server.an_organisation().await;
        service.invite(&theirs.admin, "x@example.com", Role::User).await.unwrap();
    })
    .await;
}
