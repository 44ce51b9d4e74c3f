//! Browsers in which somebody has signed in before: strangers who guess do not keep them out, and who has stolen what they are known by gets no further for it.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::Role;
use afterlive_server::db::known_browsers;
use afterlive_server::db::users::User;
use afterlive_server::service::{Asker, CodeSignIn, KNOWN_FOR_MS, SignIn};

use super::{PASSWORD, a_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::{Server, on_a_server, on_each_server};
use crate::second_factor::{a_user_with_one, is_done};

const WRONG: &str = "wrong horse battery";

/// Somebody at another address each time.
fn at(last: u8, browser: Option<&str>) -> Asker<'_> {
    Asker { address: IpAddr::from([203, 0, 113, last]), browser }
}

async fn sign_in(server: &Server, user: &User, password: &str, asker: Asker<'_>) -> SignIn {
    server.service.sign_in(&user.email, password, asker).await.unwrap()
}

/// Strangers guess until they have to wait.
async fn guess(server: &Server, user: &User) {
    for last in 0..10 {
        assert_eq!(sign_in(server, user, WRONG, at(last, None)).await, SignIn::WrongCredentials);
    }
    assert!(matches!(sign_in(server, user, PASSWORD, at(10, None)).await, SignIn::TooManyAttempts { .. }));
}

async fn remembered(server: &Server, user: &User, before: Option<&str>) -> String {
    server.service.remember_browser(user, before).await.unwrap().unwrap()
}

#[tokio::test]
async fn guesses_of_strangers_keep_nobody_out_whose_browser_is_known() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, other) = (a_user(&server, &tenant, Role::User).await, a_user(&server, &tenant, Role::User).await);
        let (known, of_other) = (remembered(&server, &user, None).await, remembered(&server, &other, None).await);
        guess(&server, &user).await;
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(11, Some(&known))).await, SignIn::Done(_)));
        // Which forgives strangers nothing.
        for stranger in [None, Some(of_other.as_str()), Some("0f".repeat(32).as_str()), Some("")] {
            let outcome = sign_in(&server, &user, PASSWORD, at(12, stranger)).await;
            assert!(matches!(outcome, SignIn::TooManyAttempts { .. }), "{stranger:?}: {outcome:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_browser_that_is_known_has_no_more_than_a_count_of_its_own_from_wherever_and_on_every_node() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let (stolen, other) = (remembered(&server, &user, None).await, remembered(&server, &user, None).await);
        // Another node, in that it shares nothing but the database.
        let node = server.with_another_second_factor_key();
        // Right ones take nothing, however many.
        for _ in 0..12 {
            assert!(matches!(sign_in(&server, &user, PASSWORD, at(1, Some(&stolen))).await, SignIn::Done(_)));
        }
        for last in 0..10 {
            let at_node = if last % 2 == 0 { &server } else { &node };
            assert_eq!(sign_in(at_node, &user, WRONG, at(last, Some(&stolen))).await, SignIn::WrongCredentials);
        }
        for at_node in [&server, &node] {
            let refused = sign_in(at_node, &user, PASSWORD, at(20, Some(&stolen))).await;
            assert!(matches!(refused, SignIn::TooManyAttempts { retry_after_s: 1..=16 }), "{refused:?}");
        }
        // It has kept out nobody else.
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(21, Some(&other))).await, SignIn::Done(_)));
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(22, None)).await, SignIn::Done(_)));
        server.clock.advance_ms(15_000);
        assert_eq!(sign_in(&server, &user, WRONG, at(23, Some(&stolen))).await, SignIn::WrongCredentials);
        assert!(matches!(sign_in(&server, &user, WRONG, at(24, Some(&stolen))).await, SignIn::TooManyAttempts { .. }));
        server.clock.advance_ms(15_000);
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(25, Some(&stolen))).await, SignIn::Done(_)));
        // Who has signed in begins anew.
        let anew = remembered(&server, &user, Some(&stolen)).await;
        for last in 0..10 {
            assert_eq!(sign_in(&server, &user, WRONG, at(last, Some(&anew))).await, SignIn::WrongCredentials);
        }
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_a_known_browser_waiting_for_no_longer() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let known = remembered(&server, &user, None).await;
        for last in 0..10 {
            assert_eq!(sign_in(&server, &user, WRONG, at(last, Some(&known))).await, SignIn::WrongCredentials);
        }
        server.clock.set_by_ms(-86_400_000);
        // The account's count, which is in memory, and then the browser's.
        for last in [19, 20] {
            let refused = sign_in(&server, &user, PASSWORD, at(last, Some(&known))).await;
            assert!(matches!(refused, SignIn::TooManyAttempts { retry_after_s: 1..=16 }), "{refused:?}");
            server.clock.advance_ms(15_000);
        }
        assert_eq!(sign_in(&server, &user, WRONG, at(21, Some(&known))).await, SignIn::WrongCredentials);
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(22, Some(&known))).await, SignIn::TooManyAttempts { .. }));
        server.clock.advance_ms(15_000);
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(23, Some(&known))).await, SignIn::Done(_)));
    })
    .await;
}

#[tokio::test]
async fn of_many_guesses_at_once_by_one_known_browser_no_more_are_looked_at() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let known: Arc<str> = remembered(&server, &user, None).await.into();
        let tries = (0..20).map(|last| {
            let (service, email, known) = (Arc::clone(&server.service), user.email.clone(), Arc::clone(&known));
            tokio::spawn(async move { service.sign_in(&email, WRONG, at(last, Some(&known))).await.unwrap() })
        });
        let mut looked_at = 0;
        for tried in tries.collect::<Vec<_>>() {
            looked_at += usize::from(tried.await.unwrap() == SignIn::WrongCredentials);
        }
        assert_eq!(looked_at, 10);
    })
    .await;
}

#[tokio::test]
async fn one_address_gets_no_more_for_a_browser_that_is_known() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let known = remembered(&server, &user, None).await;
        for account in 0..30 {
            let guess = server.service.sign_in(&format!("a{account}@example.com"), WRONG, at(1, Some(&known))).await.unwrap();
            assert_eq!(guess, SignIn::WrongCredentials);
        }
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(1, Some(&known))).await, SignIn::TooManyAttempts { .. }));
        assert!(matches!(sign_in(&server, &user, PASSWORD, at(2, Some(&known))).await, SignIn::Done(_)));
    })
    .await;
}

#[tokio::test]
async fn one_browser_is_known_of_several_users_and_by_another_secret_after_each_sign_in() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (ada, bob) = (a_user(&server, &tenant, Role::User).await, a_user(&server, &tenant, Role::User).await);
        let first = remembered(&server, &ada, None).await;
        // One that somebody put there: it is theirs no more once Bob has signed in.
        let second = remembered(&server, &bob, Some(&first)).await;
        assert_ne!(first, second);
        for user in [&ada, &bob] {
            guess(&server, user).await;
            assert!(matches!(sign_in(&server, user, PASSWORD, at(30, Some(&second))).await, SignIn::Done(_)));
            assert!(matches!(sign_in(&server, user, PASSWORD, at(31, Some(&first))).await, SignIn::TooManyAttempts { .. }));
        }
    })
    .await;
}

/// Whether it is known.
async fn is_known(server: &Server, user: &User, browser: &str) -> bool {
    !matches!(sign_in(server, user, PASSWORD, at(40, Some(browser))).await, SignIn::TooManyAttempts { .. })
}

#[tokio::test]
async fn so_many_browsers_are_known_of_a_user_and_for_so_long() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browsers = Vec::new();
        for _ in 0..21 {
            browsers.push(remembered(&server, &user, None).await);
            server.clock.advance_ms(1);
        }
        guess(&server, &user).await;
        for (browser, is_theirs) in [(0, false), (1, true), (20, true)] {
            assert_eq!(is_known(&server, &user, &browsers[browser]).await, is_theirs, "{browser}");
        }

        server.clock.advance_ms(KNOWN_FOR_MS);
        guess(&server, &user).await;
        assert!(!is_known(&server, &user, &browsers[20]).await);
        let mut tx = server.db.write().await.unwrap();
        known_browsers::delete_expired(&mut tx, server.clock.now()).await.unwrap();
        assert_eq!(known_browsers::delete_others(&mut tx, user.id, None).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn another_password_and_ending_all_other_sessions_make_browsers_strangers() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut here = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let mut lost = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let secret = |browser: &mut Browser<'_>| browser.known().split_once('=').unwrap().1.to_owned();
        let (first, of_lost) = (secret(&mut here), secret(&mut lost));
        guess(&server, &user).await;
        assert!(is_known(&server, &user, &first).await && is_known(&server, &user, &of_lost).await);
        assert_eq!(here.submit("end_other_sessions", &[]).await, "/account?notice=sessions%2Dended");
        assert!(is_known(&server, &user, &first).await && !is_known(&server, &user, &of_lost).await);

        let new = "die Kirchturmuhr schlägt dreizehn";
        let of_another = remembered(&server, &user, None).await;
        let to = here.submit("change_password", &[("present", PASSWORD), ("password", new)]).await;
        assert_eq!(to, "/account?notice=flash");
        let second = secret(&mut here);
        assert_ne!(first, second);
        let by_new = async |browser: &str| sign_in(&server, &user, new, at(41, Some(browser))).await;
        for stranger in [&first, &of_another] {
            assert!(matches!(by_new(stranger).await, SignIn::TooManyAttempts { .. }));
        }
        assert!(matches!(by_new(&second).await, SignIn::Done(_)), "the browser where it was done is known anew");
        // Who gave the password before, and is slow, is not remembered by it.
        assert_eq!(server.service.remember_browser(&user, None).await.unwrap(), None);

        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        assert!(matches!(by_new(&second).await, SignIn::TooManyAttempts { .. }));
    })
    .await;
}

#[tokio::test]
async fn the_cookie_comes_with_signing_in_alone_stays_after_it_and_is_this_hosts() {
    for (url, name, is_secure) in
        [("https://live.example.com", "__Host-afterlive_browser", true), ("http://localhost:3000", "afterlive_browser", false)]
    {
        on_a_server(&[("HTTP__PUBLIC_URL", url)], async |server| {
            let server = server.with_dashboard();
            let tenant = server.an_organisation().await;
            let user = a_user(&server, &tenant, Role::User).await;
            let referer = format!("{url}/auth");
            let give = async |password: &str| {
                let headers = [
                    ("content-type", "application/x-www-form-urlencoded"),
                    ("accept", "text/html"),
                    ("referer", referer.as_str()),
                ];
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs([("email", user.email.as_str()), ("password", password)])
                    .finish();
                let answer = server.send_with("POST /ui/sign_in", &headers, &form).await;
                let cookies = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned());
                cookies.filter(|cookie| cookie.starts_with(name)).collect::<Vec<_>>()
            };
            assert_eq!(give(WRONG).await, [""; 0]);
            let [cookie] = give(PASSWORD).await.try_into().unwrap();
            let (pair, rest) = cookie.split_once("; ").unwrap();
            let secret = pair.strip_prefix(name).unwrap().strip_prefix('=').unwrap();
            assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
            let wanted = format!("Path=/; Max-Age={}; HttpOnly; SameSite=Lax", KNOWN_FOR_MS / 1_000);
            assert_eq!(rest, if is_secure { format!("{wanted}; Secure") } else { wanted });
        })
        .await;
    }
}

#[tokio::test]
async fn codes_of_strangers_with_the_password_do_not_keep_a_known_browser_waiting_and_all_count_together() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let known = remembered(&server, &user, None).await;
        let give = async |code: &str, asker: Asker<'_>| {
            let SignIn::NeedsCode(half) = sign_in(&server, &user, PASSWORD, asker).await else { panic!() };
            server.service.finish_sign_in(&half, code, asker).await.unwrap()
        };
        let mut wrong = 0;
        while give(&app.wrong(&server), at(wrong, None)).await == CodeSignIn::WrongCode {
            wrong += 1;
        }
        assert_eq!(wrong, 5);
        assert_eq!(give(&app.wrong(&server), at(50, Some(&known))).await, CodeSignIn::WrongCode);
        assert!(matches!(give(&app.shows(&server, 0), at(51, None)).await, CodeSignIn::TooManyAttempts { .. }));
        assert!(is_done(&give(&app.shows(&server, 0), at(52, Some(&known))).await, &user));

        // What the browser has of its own is no second hundred.
        for last in 0..100 {
            server.clock.advance_ms(15_000);
            assert_eq!(give(&app.wrong(&server), at(last, Some(&known))).await, CodeSignIn::WrongCode, "{last}");
        }
        for asker in [at(100, None), at(101, Some(&known))] {
            assert_eq!(give(&app.shows(&server, 0), asker).await, CodeSignIn::Exhausted);
        }
        assert!(is_done(&give(&codes[0], at(102, Some(&known))).await, &user));
    })
    .await;
}

#[tokio::test]
async fn who_comes_in_with_a_code_is_known_then_and_not_before() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let (user, app, _) = a_user_with_one(&server, &tenant, Role::User).await;
        let mut browser = Browser::new(&server);
        let to = browser.submit("sign_in", &[("email", &user.email), ("password", PASSWORD)]).await;
        assert_ne!(to, "/");
        assert_eq!(browser.known(), "");
        let to = browser.submit("sign_in_with_code", &[("code", &app.shows(&server, 0))]).await;
        assert_eq!(to, "/");
        assert!(browser.known().starts_with("afterlive_browser="));
    })
    .await;
}
