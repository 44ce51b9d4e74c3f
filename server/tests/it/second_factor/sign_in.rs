//! A code at the sign-in: which are good, how often, and how many may be tried.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_domain::{Error as Refusal, Role};
use afterlive_server::service::{CodeSignIn, Error, MAX_WRONG_CODES, SignIn};

use super::{HOME, STEP_MS, a_user_with_one, half, is_done, set_up};
use crate::accounts::{PASSWORD, a_user};
use crate::fixture::server::on_each_server;

#[tokio::test]
async fn after_the_password_a_code_is_asked_for_and_each_is_good_once_around_its_time() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, _) = a_user_with_one(&server, &tenant, Role::User).await;
        let give = async |code: String| {
            let half = half(&server, &user).await;
            server.service.finish_sign_in(&half, &code, HOME).await.unwrap()
        };
        assert_eq!(server.service.sign_in(&user.email, "wrong", HOME).await.unwrap(), SignIn::WrongCredentials);
        assert_eq!(give(app.shows(&server, -2)).await, CodeSignIn::WrongCode);
        assert_eq!(give(app.shows(&server, 2)).await, CodeSignIn::WrongCode);
        let before = app.shows(&server, -1);
        assert!(is_done(&give(before.clone()).await, &user));
        assert_eq!(give(before).await, CodeSignIn::WrongCode, "a second time");
        let after = app.shows(&server, 1);
        let spaced = format!(" {} {} ", &after[..3], &after[3..]);
        assert!(is_done(&give(spaced).await, &user));
        assert_eq!(give(app.shows(&server, 0)).await, CodeSignIn::WrongCode, "one before what was used");
        server.clock.advance_ms(2 * STEP_MS);
        assert!(is_done(&give(app.shows(&server, 0)).await, &user));
        // The code by which it was set up is used up as well.
        let other = a_user(&server, &tenant, Role::User).await;
        let (other, app, _) = set_up(&server, &other).await;
        let half = half(&server, &other).await;
        let used = app.shows(&server, -2);
        server.clock.advance_ms(-STEP_MS);
        assert_eq!(server.service.finish_sign_in(&half, &used, HOME).await.unwrap(), CodeSignIn::WrongCode);
    })
    .await;
}

#[tokio::test]
async fn of_many_that_give_one_code_at_once_one_comes_in() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        for code in [app.shows(&server, 0), codes[0].clone()] {
            let half = half(&server, &user).await;
            let racers = (0..4).map(|_| {
                let (service, half, code) = (Arc::clone(&server.service), half.clone(), code.clone());
                tokio::spawn(async move { service.finish_sign_in(&half, &code, HOME).await.unwrap() })
            });
            let mut done = 0;
            for racer in racers.collect::<Vec<_>>() {
                match racer.await.unwrap() {
                    CodeSignIn::Done(_) => done += 1,
                    other => assert_eq!(other, CodeSignIn::WrongCode),
                }
            }
            assert_eq!(done, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn each_recovery_code_signs_in_once() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, _, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let (other, _, of_other) = a_user_with_one(&server, &tenant, Role::User).await;
        assert_eq!(codes.len(), 10);
        let give = async |code: &str| {
            let half = half(&server, &user).await;
            server.service.finish_sign_in(&half, code, HOME).await.unwrap()
        };
        assert_eq!(give(&of_other[0]).await, CodeSignIn::WrongCode, "{}", other.id);
        assert!(is_done(&give(&codes[3].to_uppercase().replace('-', " ")).await, &user));
        assert_eq!(give(&codes[3]).await, CodeSignIn::WrongCode);
        let own = server.service.own_second_factor(&crate::accounts::as_user(&user)).await.unwrap().unwrap();
        assert_eq!(own.codes_left, 9);
        for code in codes.iter().filter(|code| **code != codes[3]) {
            assert!(is_done(&give(code).await, &user));
        }
    })
    .await;
}

#[tokio::test]
async fn guessing_codes_is_slowed_by_account_from_wherever_and_ends_and_the_right_user_has_a_way_in() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let (mut tried, mut waited_s) = (0, 0);
        let give = async |code: &str, from: u8| {
            let half = half(&server, &user).await;
            server.service.finish_sign_in(&half, code, IpAddr::from([203, 0, 113, from])).await.unwrap()
        };
        loop {
            match give(&app.wrong(&server), u8::try_from(tried % 250).unwrap()).await {
                CodeSignIn::WrongCode => tried += 1,
                CodeSignIn::TooManyAttempts { retry_after_s } => {
                    assert!(tried >= 5 && retry_after_s <= 901, "{retry_after_s} s after {tried}");
                    // Also the right one is not looked at meanwhile.
                    assert!(matches!(give(&app.shows(&server, 0), 251).await, CodeSignIn::TooManyAttempts { .. }));
                    waited_s += retry_after_s;
                    server.clock.advance_ms(i64::from(retry_after_s) * 1_000);
                }
                CodeSignIn::Exhausted => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(tried, MAX_WRONG_CODES);
        assert!(waited_s > 20 * 3_600, "{waited_s} s");
        assert_eq!(give(&app.shows(&server, 0), 252).await, CodeSignIn::Exhausted);
        assert!(is_done(&give(&codes[0], 252).await, &user));
        assert!(is_done(&give(&app.shows(&server, 0), 252).await, &user), "and the app's are looked at again");
    })
    .await;
}

#[tokio::test]
async fn a_right_code_begins_the_count_anew_and_one_address_does_not_try_many_accounts() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, _) = a_user_with_one(&server, &tenant, Role::User).await;
        for _ in 0..10 {
            for _ in 0..4 {
                let half = half(&server, &user).await;
                let outcome = server.service.finish_sign_in(&half, &app.wrong(&server), HOME).await.unwrap();
                assert_eq!(outcome, CodeSignIn::WrongCode);
            }
            let half = half(&server, &user).await;
            assert!(is_done(&server.service.finish_sign_in(&half, &app.shows(&server, 0), HOME).await.unwrap(), &user));
            server.clock.advance_ms(2 * STEP_MS);
        }
        let mut refused = 0;
        for _ in 0..10 {
            let (user, app, _) = a_user_with_one(&server, &tenant, Role::User).await;
            server.clock.advance_ms(-2 * STEP_MS);
            for _ in 0..4 {
                let half = half(&server, &user).await;
                let outcome =
                    server.service.finish_sign_in(&half, &app.wrong(&server), IpAddr::from([198, 51, 100, 7])).await.unwrap();
                refused += usize::from(matches!(outcome, CodeSignIn::TooManyAttempts { .. }));
            }
        }
        assert_eq!(refused, 10, "of forty");
    })
    .await;
}

#[tokio::test]
async fn a_half_sign_in_ends_with_time_and_with_another_password_or_second_factor() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let late = half(&server, &user).await;
        server.clock.advance_ms(10 * 60_000);
        assert_eq!(server.service.finish_sign_in(&late, &app.shows(&server, 0), HOME).await.unwrap(), CodeSignIn::Over);

        let before = half(&server, &user).await;
        let own = crate::accounts::as_user(&user);
        server.service.change_password(&own, PASSWORD, "wandering geese by night", None).await.unwrap();
        let outcome = server.service.finish_sign_in(&before, &app.shows(&server, 0), HOME).await.unwrap();
        assert_eq!(outcome, CodeSignIn::Over);
        server.service.change_password(&own, "wandering geese by night", PASSWORD, None).await.unwrap();

        let before = half(&server, &user).await;
        server.service.reset_second_factor(&tenant.admin, user.id).await.unwrap();
        assert_eq!(server.service.finish_sign_in(&before, &codes[0], HOME).await.unwrap(), CodeSignIn::Over);
        assert!(matches!(server.service.sign_in(&user.email, PASSWORD, HOME).await.unwrap(), SignIn::Done(_)));
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        assert_eq!(server.service.finish_sign_in(&before, &codes[1], HOME).await.unwrap(), CodeSignIn::Over);
    })
    .await;
}

#[tokio::test]
async fn a_session_token_takes_a_code_too() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let ask = async |code: Option<&str>| server.service.make_session_token(&user.email, PASSWORD, code, HOME).await;
        let refusal = |outcome: Result<String, Error>| match outcome {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(ask(None).await), Refusal::ParameterRequired { parameter: "code".into() });
        assert_eq!(refusal(ask(Some(&app.wrong(&server))).await), Refusal::BadCredentials);
        let code = app.shows(&server, 0);
        let token = ask(Some(&code)).await.unwrap();
        server.service.token_caller(&token, HOME).await.unwrap();
        assert_eq!(refusal(ask(Some(&code)).await), Refusal::BadCredentials, "a second time");
        // Over HTTP, with a recovery code.
        let body = |code: &str| format!(r#"{{"email":"{}","password":"{PASSWORD}"{code}}}"#, user.email);
        assert_eq!(server.send("POST /user/validate", None, &body("")).await.error(), (400, 1002));
        let answer = server.send("POST /user/validate", None, &body(&format!(r#","code":"{}""#, codes[0]))).await;
        assert!(answer.ok()["token"].is_string());
        // Who does not know the password hears nothing of a second factor.
        let wrong = format!(r#"{{"email":"{}","password":"wrong"}}"#, user.email);
        assert_eq!(server.send("POST /user/validate", None, &wrong).await.error(), (401, 4002));
    })
    .await;
}
