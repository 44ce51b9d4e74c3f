//! One's own account: what is open of it, and the password.

use std::time::Duration;

use afterlive_app::backend::Account;
use afterlive_domain::Role;
use axum::body::Body;
use http::Request;
use tower::ServiceExt as _;

use super::{PASSWORD, a_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::on_each_server;

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
