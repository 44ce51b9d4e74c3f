//! One's own account: what is open of it, and the password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use afterlive_app::backend::Account;
use afterlive_domain::{Role, UserId};
use afterlive_server::service::SignIn;
use afterlive_server::service::account::MAX_SESSIONS;
use axum::body::Body;
use http::Request;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use super::{PASSWORD, a_user, as_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::{on_a_server, on_each_server};

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
            tokens.push(server.service.make_session_token(&user.email, PASSWORD, None, [192, 0, 2, 1].into()).await.unwrap());
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
        let token = server.service.make_session_token(&user.email, PASSWORD, None, [192, 0, 2, 1].into()).await.unwrap();
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
        // And does not lock its owner out.
        let signed_in = server.service.sign_in(&user.email, new, IpAddr::from([192, 0, 2, 1])).await.unwrap();
        assert!(matches!(signed_in, SignIn::Done(_)), "{signed_in:?}");
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
        // At once, and not with the next look, which comes within ten seconds.
        tokio::time::timeout(Duration::from_secs(5), to_its_end).await.expect("it ends").unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn who_signs_in_once_more_signs_out_where_it_was_longest_ago() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, other) = (a_user(&server, &tenant, Role::ReadOnly).await, a_user(&server, &tenant, Role::User).await);
        let sign_in = async |user: UserId| {
            server.clock.advance_ms(1);
            let answer = server.send_with(&format!("GET /sign-in/{user}"), &[("accept", "text/html")], "").await;
            answer.header("set-cookie").split_once(';').unwrap().0.to_owned()
        };
        let is_known = async |cookie: &str| {
            server.send_with("GET /whoami", &[("accept", "text/html"), ("cookie", cookie)], "").await.text != "nobody"
        };
        let of_other = sign_in(other.id).await;
        let mut cookies = Vec::new();
        for _ in 0..MAX_SESSIONS {
            cookies.push(sign_in(user.id).await);
        }
        // The first is used once more, after ten minutes.
        server.clock.advance_ms(10 * 60_000);
        assert!(is_known(&cookies[0]).await && is_known(&cookies[1]).await);
        let open = async || server.service.open_account(&as_user(&user)).await.unwrap().sessions.len();
        assert_eq!(open().await, MAX_SESSIONS as usize);
        for _ in 0..2 {
            cookies.push(sign_in(user.id).await);
        }
        assert_eq!(open().await, MAX_SESSIONS as usize);
        let mut known = Vec::new();
        for cookie in [&cookies[0], &cookies[1], &cookies[2], &cookies[3], &cookies[4], cookies.last().unwrap(), &of_other] {
            known.push(is_known(cookie).await);
        }
        assert_eq!(known, [true, true, false, false, true, true, true]);
        // What signs in each time and never comes back signs nobody out who does.
        for _ in 0..MAX_SESSIONS {
            sign_in(user.id).await;
        }
        assert!(is_known(&cookies[0]).await && is_known(&cookies[1]).await && !is_known(cookies.last().unwrap()).await);
    })
    .await;
}

#[tokio::test]
async fn only_what_ended_has_viewers_asked_again() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::ReadOnly).await;
        let caller = as_user(&user);
        let heard = Arc::new(Notify::new());
        let watching = {
            let (service, hash) = (Arc::clone(&server.service), tenant.organisation.hash.clone());
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let ask = || {
                    heard.notify_one();
                    async { Ok(None) }
                };
                service.until_refused(&hash, ask).await
            })
        };
        heard.notified().await;
        server.service.end_session(&caller, "x").await.unwrap();
        server.service.end_session_token(&caller, "x").await.unwrap();
        server.service.end_other_sessions(&caller, None, None).await.unwrap();
        let again = tokio::time::timeout(Duration::from_millis(500), heard.notified()).await;
        assert!(again.is_err(), "nothing ended, and viewers were asked");
        server.service.make_session_token(&user.email, PASSWORD, None, [192, 0, 2, 1].into()).await.unwrap();
        server.service.end_other_sessions(&caller, None, None).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), heard.notified()).await.expect("they are asked");
        watching.abort();
    })
    .await;
}

#[tokio::test]
async fn the_address_that_was_typed_is_sent_over_tls_alone_where_people_come_by_that() {
    for (url, is_secure) in [("https://live.example.com", true), ("http://localhost:3000", false)] {
        on_a_server(&[("HTTP__PUBLIC_URL", url)], async |server| {
            let server = server.with_dashboard();
            let referer = format!("{url}/auth");
            let headers =
                [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("referer", referer.as_str())];
            let body = "email=ada%40example.com&password=x";
            let answer = server.send_with("POST /ui/sign_in", &headers, body).await;
            let set = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned());
            let [cookie] = set.collect::<Vec<_>>().try_into().unwrap();
            assert!(cookie.starts_with("typed_email=ada%40example%2Ecom; ") && cookie.contains("; HttpOnly"), "{cookie}");
            assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
        })
        .await;
    }
}
