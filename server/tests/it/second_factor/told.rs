//! What somebody is told by mail at whose second factor others guess.

use std::net::IpAddr;
use std::time::Duration;

use afterlive_domain::Role;
use afterlive_server::service::{CodeSignIn, MAX_WRONG_CODES};

use super::{HOME, a_user_with_one, half, is_done};
use crate::fixture::mail_server::MailServer;
use crate::fixture::server::on_each_server_with;

#[tokio::test]
async fn who_is_guessed_at_is_told_once_when_it_begins_to_be_slowed_and_once_when_it_is_over() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &[Duration::from_secs(3_600)], async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let before = mails.taken().len();
        let guess = async |times: i64| {
            let mut wrong = 0;
            while wrong < times {
                let half = half(&server, &user).await;
                let from = IpAddr::from([203, 0, 113, u8::try_from(wrong).unwrap()]);
                match server.service.finish_sign_in(&half, &app.wrong(&server), from).await.unwrap() {
                    CodeSignIn::WrongCode => wrong += 1,
                    CodeSignIn::TooManyAttempts { retry_after_s } => server.clock.advance_ms(i64::from(retry_after_s) * 1_000),
                    other => panic!("{other:?}"),
                }
            }
        };
        let come_in = async |code: &str| {
            let outcome = server.service.finish_sign_in(&half(&server, &user).await, code, HOME).await;
            assert!(is_done(&outcome.unwrap(), &user));
        };
        guess(4).await;
        come_in(&app.shows(&server, 0)).await;
        guess(7).await;
        let mail = mails.nth(before + 1).await;
        assert_eq!(mail.to, vec![user.email.clone()]);
        for text in ["5 wrong codes in a row", "from 203.0.113.4.", "Set a new password at once"] {
            assert!(mail.body.contains(text), "{text:?} is not in {}", mail.body);
        }
        assert!(!mail.body.contains("not taken any more"), "{}", mail.body);
        come_in(&codes[0]).await;
        guess(MAX_WRONG_CODES).await;
        assert!(mails.nth(before + 2).await.body.contains("5 wrong codes in a row"), "it begins anew");
        let mail = mails.nth(before + 3).await;
        assert!(mail.body.contains("100 wrong codes in a row") && mail.body.contains("not taken any more"), "{}", mail.body);
        assert_eq!(mails.times_named(&user.email), 3);
    })
    .await;
}
