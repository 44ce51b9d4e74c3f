//! Signing in, set-up, and the browser sessions that follow, on each database.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::Role;
use afterlive_server::service::{SetUp, SetUpForm, SignIn};

use crate::fixture::server::{Server, on_a_server, on_each_server};

const PASSWORD: &str = "correct horse battery";

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

async fn a_user(server: &Server) -> (String, afterlive_domain::UserId) {
    let tenant = server.an_organisation().await;
    let email = format!("{}@example.com", tenant.organisation.hash.as_str().to_lowercase());
    let user = server.service.add_user(&tenant.admin, &email, PASSWORD, Role::User).await.unwrap();
    (email, user.id)
}

#[tokio::test]
async fn the_right_password_signs_in_and_a_wrong_one_looks_like_an_unknown_address() {
    on_each_server(async |server| {
        let (email, id) = a_user(&server).await;
        let shouted = format!(" {} ", email.to_uppercase());
        for typed in [&email, &shouted] {
            let SignIn::Done(user) = server.service.sign_in(typed, PASSWORD, address(1)).await.unwrap() else {
                panic!("{typed}")
            };
            assert_eq!((user.id, user.role), (id, Role::User));
        }
        for (email, password) in
            [(email.as_str(), "wrong horse"), ("nobody@example.com", PASSWORD), ("", ""), ("\u{0}", PASSWORD)]
        {
            let outcome = server.service.sign_in(email, password, address(1)).await.unwrap();
            assert_eq!(outcome, SignIn::WrongCredentials, "{email}");
        }
    })
    .await;
}

#[tokio::test]
async fn guessing_is_slowed_by_account_and_by_address_and_forgiven_with_time() {
    on_each_server(async |server| {
        let (email, _) = a_user(&server).await;
        let attempt =
            async |email: &str, password: &str, last: u8| server.service.sign_in(email, password, address(last)).await.unwrap();
        // One account from many addresses.
        for last in 0..10 {
            assert_eq!(attempt(&email, "wrong", last).await, SignIn::WrongCredentials);
        }
        let SignIn::TooManyAttempts { retry_after_s } = attempt(&email, PASSWORD, 100).await else { panic!("not limited") };
        server.clock.advance_ms(i64::from(retry_after_s) * 1_000);
        assert!(matches!(attempt(&email, PASSWORD, 100).await, SignIn::Done(_)));
        // Having signed in clears the account.
        assert_eq!(attempt(&email, "wrong", 101).await, SignIn::WrongCredentials);
        // Many accounts from one address.
        for account in 0..30 {
            assert_eq!(attempt(&format!("a{account}@example.com"), "wrong", 200).await, SignIn::WrongCredentials);
        }
        assert!(matches!(attempt(&email, PASSWORD, 200).await, SignIn::TooManyAttempts { .. }));
        assert!(matches!(attempt(&email, PASSWORD, 201).await, SignIn::Done(_)));
    })
    .await;
}

#[tokio::test]
async fn who_knows_the_password_is_not_slowed_for_signing_in_often() {
    on_each_server(async |server| {
        let (email, _) = a_user(&server).await;
        for _ in 0..31 {
            let outcome = server.service.sign_in(&email, PASSWORD, address(1)).await.unwrap();
            assert!(matches!(outcome, SignIn::Done(_)), "{outcome:?}");
        }
        for account in 0..30 {
            let guess = server.service.sign_in(&format!("a{account}@example.com"), "wrong", address(1)).await.unwrap();
            assert_eq!(guess, SignIn::WrongCredentials);
        }
        let outcome = server.service.sign_in(&email, PASSWORD, address(1)).await.unwrap();
        assert!(matches!(outcome, SignIn::TooManyAttempts { .. }), "{outcome:?}");
    })
    .await;
}

#[tokio::test]
async fn who_signs_in_all_the_time_leaves_the_places_to_others() {
    on_each_server(async |server| {
        let ((email, _), (other, _)) = (a_user(&server).await, a_user(&server).await);
        let sign_in =
            async |email: &str, password: &str, last: u8| server.service.sign_in(email, password, address(last)).await.unwrap();
        for n in 0..60 {
            let outcome = sign_in(&email, PASSWORD, n).await;
            assert!(matches!(outcome, SignIn::Done(_)), "{n}: {outcome:?}");
            // What is guessed at is not counted here.
            if n % 10 == 0 {
                assert_eq!(sign_in(&email, "wrong", n).await, SignIn::WrongCredentials);
            }
        }
        let refused = sign_in(&email, PASSWORD, 100).await;
        assert!(matches!(refused, SignIn::TooManyAttempts { retry_after_s: 1..=2 }), "from any address: {refused:?}");
        assert!(matches!(sign_in(&other, PASSWORD, 100).await, SignIn::Done(_)));
        server.clock.advance_ms(1_000);
        assert!(matches!(sign_in(&email, PASSWORD, 101).await, SignIn::Done(_)), "one a second");
        assert!(matches!(sign_in(&email, PASSWORD, 101).await, SignIn::TooManyAttempts { .. }));
    })
    .await;
}

#[tokio::test]
async fn of_two_that_set_up_at_once_exactly_one_succeeds_and_the_link_works_once() {
    on_each_server(async |server| {
        assert!(server.service.needs_set_up().await.unwrap());
        let link = server.service.set_up_link().await.unwrap().unwrap();
        let token = link.strip_prefix("http://localhost:3000/setup?token=").unwrap().to_owned();
        let form = |email| SetUpForm { organisation_name: "Chapel", email, password: PASSWORD };
        for wrong in ["", "x", &token[1..], &format!("{token}0")] {
            assert_eq!(server.service.set_up_with_link(wrong, form("a@example.com"), None).await.unwrap(), SetUp::WrongLink);
        }
        assert!(
            server
                .service
                .set_up_with_link(&token, SetUpForm { password: "short", ..form("a@example.com") }, None)
                .await
                .is_err()
        );

        let racers = ["a@example.com", "b@example.com", "c@example.com"].map(|email| {
            let (service, token) = (Arc::clone(&server.service), token.clone());
            tokio::spawn(async move { service.set_up_with_link(&token, form(email), None).await.unwrap() })
        });
        let mut done = 0;
        for racer in racers {
            done += usize::from(matches!(racer.await.unwrap(), SetUp::Done(_)));
        }
        assert_eq!(done, 1);
        assert_eq!(server.service.set_up_with_link(&token, form("d@example.com"), None).await.unwrap(), SetUp::WrongLink);
        assert_eq!(server.service.set_up_link().await.unwrap(), None);
    })
    .await;
}

/// The value of the cookie that an answer sets.
fn cookie(answer: &crate::fixture::server::Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_used_and_ends_two_weeks_later() {
    on_each_server(async |server| {
        let (_, user) = a_user(&server).await;
        let signed_in = cookie(&server.send(&format!("GET /sign-in/{user}"), None, "").await);
        let who = async || server.send_with("GET /whoami", &[("Cookie", &signed_in)], "").await;
        const DAY_MS: i64 = 86_400_000;
        // Not so long that it is over by its age.
        for _ in 0..3 {
            server.clock.advance_ms(4 * DAY_MS);
            assert_eq!(who().await.text, user.to_string());
        }
        assert!(who().await.headers.get("set-cookie").is_none(), "not renewed with every request");
        server.clock.advance_ms(15 * DAY_MS);
        assert_eq!(who().await.text, "nobody");
    })
    .await;
}

#[tokio::test]
async fn who_is_nobody_gets_no_session() {
    on_each_server(async |server| {
        let answer = server.send_with("GET /whoami", &[("Cookie", "afterlive_session=made-up")], "").await;
        assert_eq!(answer.text, "nobody");
        let first_visit = server.send_with("GET /", &[("Accept", "text/html")], "").await;
        assert!(first_visit.headers.get("set-cookie").is_none());
    })
    .await;
}

/// Nobody else below the same domain, and nobody on the network, can put one of theirs in its place.
#[tokio::test]
async fn where_people_come_by_tls_the_session_is_this_hosts_alone() {
    on_a_server(&[("HTTP__PUBLIC_URL", "https://live.example.com")], async |server| {
        let ours = server.an_organisation().await;
        let user = server.service.add_user(&ours.admin, "a@example.com", PASSWORD, Role::User).await.unwrap();
        let signed_in = server.send(&format!("GET /sign-in/{}", user.id), None, "").await;
        let cookie = signed_in.header("set-cookie");
        assert!(cookie.starts_with("__Host-afterlive_session=") && cookie.contains("; Secure"), "{cookie}");
        assert!(cookie.contains("; Path=/") && !cookie.contains("Domain"), "{cookie}");

        let pair = cookie.split(';').next().unwrap();
        let who = async |cookie: &str| server.send_with("GET /whoami", &[("Cookie", cookie)], "").await.text;
        assert_eq!(who(pair).await, user.id.to_string());
        assert_eq!(who(pair.trim_start_matches("__Host-")).await, "nobody");
    })
    .await;
}
