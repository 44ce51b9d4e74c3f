//! A second factor that is switched on, off, reset, or whose key is lost: what ends by it, and what does not.

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Error as Refusal, Role};
use afterlive_server::db::Raw;
use afterlive_server::service::{Chosen, CodeSignIn, Enrolled, Error, FactorChange, Offered, SignIn, SignedIn};

use super::{HOME, STEP_MS, a_user_with_one, an_offer, by_id, half, is_done, set_up};
use crate::accounts::{PASSWORD, a_user, as_user};
use crate::fixture::mail_server::MailServer;
use crate::fixture::server::{on_a_server, on_each_server, on_each_server_with};

#[tokio::test]
async fn setting_one_up_ends_what_the_password_alone_had_opened_also_what_is_on_its_way() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let before = a_user(&server, &tenant, Role::User).await;
        let service = &server.service;
        let session = |user| SignedIn::new(user, server.clock.now(), HOME, "Browser");
        let token = service.make_session_token(&before.email, PASSWORD, None, HOME).await.unwrap();
        let (after, _, _) = set_up(&server, &before).await;
        assert_eq!(after, by_id(&server, &before).await);
        // A sign-in that found the password right just before writes its session now.
        assert!(service.session_caller(&session(&before), None).await.unwrap().is_none());
        assert!(service.token_caller(&token, HOME).await.is_err());
        assert!(service.session_caller(&session(&after), None).await.unwrap().is_some());
        service.reset_second_factor(&tenant.admin, after.id).await.unwrap();
        assert!(service.session_caller(&session(&after), None).await.unwrap().is_none());
        // Another one is another one, also with the same password.
        let (again, _, _) = set_up(&server, &by_id(&server, &before).await).await;
        assert!(service.session_caller(&session(&after), None).await.unwrap().is_none());
        assert!(service.session_caller(&session(&again), None).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn an_offer_takes_the_password_and_a_code_of_it_and_counts_once() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let (service, own) = (&server.service, as_user(&user));
        assert!(matches!(service.offer_second_factor(&own, "wrong").await.unwrap(), Offered::WrongPassword));
        let (offer, app) = an_offer(&server, &user).await;
        let (late, of_late) = an_offer(&server, &user).await;
        assert!(matches!(service.enrol(&own, &offer, &app.wrong(&server), None).await.unwrap(), Enrolled::WrongCode));
        assert!(by_id(&server, &user).await.second_factor.is_none());
        let racers = [(&offer, &app), (&late, &of_late)].map(|(offer, app)| {
            let (service, offer, code) = (Arc::clone(service), offer.clone(), app.shows(&server, 0));
            tokio::spawn(async move { matches!(service.enrol(&own, &offer, &code, None).await.unwrap(), Enrolled::Done(..)) })
        });
        let mut done = 0;
        for racer in racers {
            done += usize::from(racer.await.unwrap());
        }
        assert_eq!(done, 1, "of two browsers");
        assert!(service.show_offer(&own, &offer).await.unwrap().is_none());
        let again = service.offer_second_factor(&own, PASSWORD).await;
        assert!(matches!(again, Err(Error::Refused(Refusal::WrongState { .. }))), "{again:?}");

        let slow = a_user(&server, &tenant, Role::User).await;
        let (offer, app) = an_offer(&server, &slow).await;
        server.clock.advance_ms(15 * 60_000);
        let outcome = service.enrol(&as_user(&slow), &offer, &app.shows(&server, 0), None).await.unwrap();
        assert!(matches!(outcome, Enrolled::Over));
    })
    .await;
}

#[tokio::test]
async fn new_recovery_codes_and_switching_off_take_the_password_and_a_code() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let (service, own) = (&server.service, as_user(&user));
        for (password, code) in [("wrong", app.shows(&server, 0)), (PASSWORD, app.wrong(&server))] {
            let renewed = service.renew_recovery_codes(&own, password, &code).await.unwrap();
            let removed = service.remove_second_factor(&own, password, &code, None).await.unwrap();
            for change in [renewed, removed] {
                let is_refused = matches!(change, FactorChange::WrongPassword | FactorChange::WrongCode);
                assert!(is_refused, "{password} {code}");
            }
        }
        // The code was not used up by a wrong password.
        let renewed = service.renew_recovery_codes(&own, PASSWORD, &app.shows(&server, 0)).await.unwrap();
        let FactorChange::Codes(new) = renewed else { panic!() };
        let before = half(&server, &user).await;
        assert_eq!(service.finish_sign_in(&before, &codes[0], HOME).await.unwrap(), CodeSignIn::WrongCode);
        assert!(is_done(&service.finish_sign_in(&before, new.0[0].as_str(), HOME).await.unwrap(), &user));
        let removed = service.remove_second_factor(&own, PASSWORD, new.0[1].as_str(), None).await.unwrap();
        assert!(matches!(removed, FactorChange::Off(_)));
        assert!(matches!(service.sign_in(&user.email, PASSWORD, HOME).await.unwrap(), SignIn::Done(_)));
        let again = service.remove_second_factor(&own, PASSWORD, new.0[2].as_str(), None).await.unwrap();
        assert!(matches!(again, FactorChange::Over));
    })
    .await;
}

#[tokio::test]
async fn a_link_for_a_new_password_does_not_take_its_place() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (user, app, _) = a_user_with_one(&server, &tenant, Role::User).await;
        let link = server.service.make_password_link(&tenant.admin, user.id).await.unwrap();
        let secret = link.rsplit_once('/').unwrap().1;
        let chosen = server.service.set_password_by_link(secret, "wandering geese by night", Some(HOME)).await.unwrap();
        let Chosen::NeedsCode(half) = chosen else { panic!("{chosen:?}") };
        assert_eq!(by_id(&server, &user).await.last_sign_in_at, None, "nobody has signed in yet");
        let outcome = server.service.finish_sign_in(&half, &app.shows(&server, 0), HOME).await.unwrap();
        assert!(is_done(&outcome, &user));
        assert!(by_id(&server, &user).await.last_sign_in_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn an_administrator_resets_that_of_a_user_of_theirs_who_is_told_by_mail() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &[Duration::from_secs(3_600)], async |server| {
        let tenant = server.an_organisation().await;
        let (user, _, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        let theirs = server.an_organisation().await;
        let service = &server.service;
        let refused = service.reset_second_factor(&theirs.admin, user.id).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::NoSuchUser { .. }))), "{refused:?}");
        let colleague = a_user(&server, &tenant, Role::User).await;
        let refused = service.reset_second_factor(&as_user(&colleague), user.id).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::Denied { .. }))), "{refused:?}");
        // Nor an administrator their own: who found their browser open has no code.
        let (admin, _, _) = a_user_with_one(&server, &tenant, Role::Admin).await;
        let refused = service.reset_second_factor(&as_user(&admin), admin.id).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::WrongState { .. }))), "{refused:?}");

        let before = mails.taken().len();
        service.reset_second_factor(&as_user(&admin), user.id).await.unwrap();
        let mail = mails.nth(before + 1).await;
        assert_eq!(mail.to, vec![user.email.clone()]);
        assert!(mail.body.contains("has reset the second factor of your account"), "{}", mail.body);
        // A second click changes nothing, and tells nobody.
        service.reset_second_factor(&as_user(&admin), user.id).await.unwrap();
        assert!(matches!(service.sign_in(&user.email, PASSWORD, HOME).await.unwrap(), SignIn::Done(_)));
        assert!(by_id(&server, &admin).await.second_factor.is_some());
        // The operator too; and the old recovery codes belong to nothing.
        let (user, _, _) = set_up(&server, &by_id(&server, &user).await).await;
        let half = half(&server, &user).await;
        assert_eq!(service.finish_sign_in(&half, &codes[0], HOME).await.unwrap(), CodeSignIn::WrongCode);
        assert!(service.operators_second_factor_reset(&user.email.to_uppercase()).await.unwrap());
        assert!(!service.operators_second_factor_reset("nobody@example.com").await.unwrap());
        assert!(matches!(service.sign_in(&user.email, PASSWORD, HOME).await.unwrap(), SignIn::Done(_)));
    })
    .await;
}

#[tokio::test]
async fn the_database_alone_has_no_secret_and_without_the_key_recovery_codes_open() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let (offer, app) = an_offer(&server, &user).await;
        let shown = server.service.show_offer(&as_user(&user), &offer).await.unwrap().unwrap();
        let enrolled = server.service.enrol(&as_user(&user), &offer, &app.shows(&server, 0), None).await.unwrap();
        let Enrolled::Done(user, codes) = enrolled else { panic!() };
        server.clock.advance_ms(2 * STEP_MS);
        let mut connection = server.db.read().await.unwrap();
        let Raw::Sqlite(sqlite) = connection.raw() else { unreachable!("it was opened as SQLite") };
        let rows = "SELECT sealed || sealed_by FROM second_factors UNION ALL SELECT hash FROM recovery_codes";
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(sqlite).await.unwrap();
        drop(connection);
        assert_eq!(rows.len(), 11);
        let all = rows.join("\n");
        assert!(!all.contains(&shown.secret) && !codes.0.iter().any(|code| all.contains(&code.as_str()[..9])), "{all}");
        let hexadecimal = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert!(!all.contains(&hexadecimal(&shown.secret)));
        // Another node, to which nobody has given the key: it names the cause in its log, and lets nobody in by the app.
        let other = server.with_another_second_factor_key();
        let half = half(&other, &user).await;
        let outcome = other.service.finish_sign_in(&half, &app.shows(&other, 0), HOME).await;
        assert!(matches!(outcome, Err(Error::OtherSecondFactorKey)), "{outcome:?}");
        let newcomer = a_user(&other, &tenant, Role::User).await;
        let (offer, app) = an_offer(&other, &newcomer).await;
        let refused = other.service.enrol(&as_user(&newcomer), &offer, &app.shows(&other, 0), None).await;
        assert!(matches!(refused, Err(Error::OtherSecondFactorKey)), "nobody is locked out of the other nodes");
        assert!(is_done(&other.service.finish_sign_in(&half, codes.0[0].as_str(), HOME).await.unwrap(), &user));
    })
    .await;
}
