//! Who has forgotten the password asks at the sign-in, and nobody learns by that who is a user.

use afterlive_domain::Role;
use afterlive_server::service::{Asked, Chosen};

use super::{NEVER, secret};
use crate::accounts::{PASSWORD, a_user, as_user};
use crate::fixture::browser::Browser;
use crate::fixture::mail_server::MailServer;
use crate::fixture::server::{on_each_server, on_each_server_with};

const ASK: &str = "ask_for_password_link";
const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_user_is_mailed_a_link_that_is_good_once_for_an_hour_and_ends_no_administrators_link() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &NEVER, async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let service = &server.service;
        let before = mails.taken().len();
        let made = service.make_password_link(&tenant.admin, user.id).await.unwrap();
        assert_eq!(mails.nth(before + 1).await.link(), made);
        let mut browser = Browser::new(&server);
        assert!(browser.open("/auth").await.text.contains("href=\"/forgotten\""));
        assert!(browser.open("/forgotten").await.text.contains("Send me a link"));

        // The newest one counts.
        let typed = format!(" {} ", user.email.to_uppercase());
        assert_eq!(browser.submit(ASK, &[("email", &typed)]).await, "/forgotten?asked=1");
        let first = mails.nth(before + 2).await;
        assert_eq!(browser.submit(ASK, &[("email", &user.email)]).await, "/forgotten?asked=1");
        let mail = mails.nth(before + 3).await;
        assert_eq!(mail.to, std::slice::from_ref(&user.email));
        assert!(mail.body.contains("It was not you? Then do nothing") && mail.body.contains("\"Chapel\""), "{}", mail.body);
        let opens = async |link: &str| service.password_link(secret(link)).await.unwrap().is_some();
        assert_eq!((opens(first.link()).await, opens(mail.link()).await, opens(&made).await), (false, true, true));
        // The present password goes on.
        Browser::signed_in(&server, &user.email, PASSWORD).await;

        let fields = [("secret", secret(mail.link())), ("password", "wandering geese by night")];
        assert_eq!(browser.submit("choose_password", &fields).await, "/?notice=password");
        // All others for this password end with it.
        assert_eq!((opens(mail.link()).await, opens(&made).await), (false, false));

        server.clock.advance_ms(HOUR_MS);
        browser.submit(ASK, &[("email", &user.email)]).await;
        let late = mails.nth(before + 4).await;
        server.clock.advance_ms(HOUR_MS - 1);
        assert!(opens(late.link()).await);
        server.clock.advance_ms(1);
        let chosen = service.set_password_by_link(secret(late.link()), PASSWORD, None).await.unwrap();
        assert_eq!(chosen, Chosen::WrongLink);

        // Who is made an administrator has no link left that was made for less.
        browser.submit(ASK, &[("email", &user.email)]).await;
        let last = mails.nth(before + 5).await;
        assert!(opens(last.link()).await);
        service.change_role(&tenant.admin, user.id, Role::Admin).await.unwrap();
        assert!(!opens(last.link()).await);
    })
    .await;
}

#[tokio::test]
async fn a_user_and_nobody_are_answered_alike_and_nothing_is_looked_up_before() {
    let mails = MailServer::start().await;
    on_each_server_with(&mails.settings(), &NEVER, async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let before = mails.taken().len();
        let answered = async |email: &str| {
            let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("email", email).finish();
            let headers = [
                ("content-type", "application/x-www-form-urlencoded"),
                ("accept", "text/html"),
                ("referer", "http://localhost:3000/forgotten"),
            ];
            let answer = server.send_with(&format!("POST /ui/{ASK}"), &headers, &body).await;
            let mut headers: Vec<String> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            headers.retain(|line| !line.starts_with("x-request-id"));
            (answer.status.as_u16(), headers, answer.text)
        };
        let nobody = format!("nobody-{}", user.email);
        // While nobody can write, so that no link can be made: the answer waits for none.
        let tx = server.db.write().await.unwrap();
        let of_nobody = answered(&nobody).await;
        let of_user = answered(&user.email).await;
        assert_eq!(of_user, of_nobody);
        assert!(of_user.1.iter().any(|line| line.contains("/forgotten?asked=1")), "{of_user:?}");
        drop(tx);
        assert_eq!(mails.nth(before + 1).await.to, std::slice::from_ref(&user.email));

        // Both are slowed alike, by what was typed and by the address.
        for email in [&nobody, &user.email] {
            let told: Vec<String> = [answered(email).await, answered(email).await, answered(email).await]
                .into_iter()
                .map(|(_, headers, _)| headers.into_iter().find(|line| line.starts_with("location")).unwrap())
                .collect();
            assert!(told[..2].iter().all(|to| to.contains("asked=1")), "{told:?}");
            assert!(told[2].contains("/forgotten?error=wait&seconds=601"), "{told:?}");
        }
        let service = &server.service;
        let other = |n: u32| service.ask_for_password_link(&format!("{n}@example.com"), [192, 0, 2, 7].into());
        for n in 0..10 {
            assert_eq!(other(n), Asked::Taken);
        }
        assert_eq!(other(10), Asked::TooManyAttempts { retry_after_s: 61 });
        // What is no address costs nothing, and says no more.
        for (n, typed) in ["", "x", "a\u{0}@example.com", &"x".repeat(100_000)].into_iter().enumerate() {
            let address = [192, 0, 2, 100 + u8::try_from(n).unwrap()];
            let asked = service.ask_for_password_link(typed, address.into());
            assert!(matches!((n, asked), (0..3, Asked::Taken) | (3, Asked::TooManyAttempts { .. })), "{typed:.9}: {asked:?}");
        }
        // All that was asked for a user went to that user.
        mails.nth(before + 3).await;
        assert!(mails.taken()[before..].iter().all(|mail| mail.to == std::slice::from_ref(&user.email)));
    })
    .await;
}

#[tokio::test]
async fn where_no_mail_is_sent_it_is_said_whom_to_ask_and_links_are_as_they_were() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let admin = a_user(&server, &tenant, Role::Admin).await;
        let mut browser = Browser::new(&server);
        let page = browser.open("/auth").await.text;
        assert!(page.contains("An administrator of your organisation can give you a link") && !page.contains("/forgotten"));
        assert!(browser.open("/forgotten").await.text.contains("An administrator of your organisation can give you a link"));
        assert_eq!(browser.submit(ASK, &[("email", &admin.email)]).await, "/forgotten");
        assert_eq!(server.service.ask_for_password_link(&admin.email, [192, 0, 2, 1].into()), Asked::NoMail);

        let link = server.service.invite(&as_user(&admin), "ada@example.com", Role::User).await.unwrap();
        assert_eq!(server.service.mail_fate(&tenant.admin, secret(&link)).await.unwrap(), None);
        assert!(server.service.invitation_mails(&tenant.admin).await.unwrap().is_empty());
    })
    .await;
}
