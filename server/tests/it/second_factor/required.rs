//! Where an organisation asks everybody for a second factor.

use afterlive_domain::{Error as Refusal, Role};
use afterlive_server::service::{Error, SignIn};

use super::{HOME, a_user_with_one, set_up};
use crate::accounts::{PASSWORD, a_user, as_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::on_each_server;

#[tokio::test]
async fn only_an_administrator_who_has_one_asks_it_of_others() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (admin, user) = (a_user(&server, &tenant, Role::Admin).await, a_user(&server, &tenant, Role::User).await);
        let service = &server.service;
        for caller in [tenant.admin, as_user(&admin)] {
            let refused = service.require_second_factor(&caller, true).await;
            assert!(matches!(refused, Err(Error::Refused(Refusal::WrongState { .. }))), "{refused:?}");
        }
        let (user, _, _) = set_up(&server, &user).await;
        let refused = service.require_second_factor(&as_user(&user), true).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::Denied { .. }))), "{refused:?}");
        assert!(!service.requires_second_factor(&tenant.admin).await.unwrap());
        let (admin, _, _) = set_up(&server, &admin).await;
        service.require_second_factor(&as_user(&admin), true).await.unwrap();
        assert!(service.requires_second_factor(&tenant.admin).await.unwrap());
        // Off whoever administers switches it, or nobody could who has lost theirs.
        service.require_second_factor(&tenant.admin, false).await.unwrap();
        assert!(!service.requires_second_factor(&tenant.admin).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn who_has_none_is_led_to_set_one_up_and_can_do_nothing_else() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let (admin, _, _) = a_user_with_one(&server, &tenant, Role::Admin).await;
        let user = a_user(&server, &tenant, Role::User).await;
        let elsewhere = server.an_organisation().await;
        let other = a_user(&server, &elsewhere, Role::User).await;
        let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let mut of_other = Browser::signed_in(&server, &other.email, PASSWORD).await;
        let token = server.service.make_session_token(&user.email, PASSWORD, None, HOME).await.unwrap();
        server.service.require_second_factor(&as_user(&admin), true).await.unwrap();

        // From the next request on.
        for question in ["home", "account", "second_factor", "organisation"] {
            assert_eq!(browser.load(question, "{}").await.status.as_u16(), 401, "{question}");
        }
        for page in ["/", "/account", "/organisation", "/vod"] {
            assert!(browser.open(page).await.header("location").starts_with("/auth?next="), "{page}");
        }
        assert_eq!(browser.open("/events").await.status.as_u16(), 401);
        assert!(browser.submit("end_other_sessions", &[]).await.starts_with("/auth?"));
        assert!(server.service.token_caller(&token, HOME).await.is_err());
        let refused = server.service.make_session_token(&user.email, PASSWORD, None, HOME).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::WrongState { .. }))), "{refused:?}");
        assert_eq!(of_other.load("home", "{}").await.status.as_u16(), 200, "another organisation's");

        // Signing in anew leads to the same.
        assert!(matches!(server.service.sign_in(&user.email, PASSWORD, HOME).await.unwrap(), SignIn::Done(_)));
        let page = browser.open("/auth").await;
        assert!(page.text.contains("Your organisation asks everybody for a second factor"), "{}", page.text);
        super::pages::set_up_in(&server, &mut browser, "/auth").await;
        assert_eq!(browser.load("home", "{}").await.status.as_u16(), 200);
    })
    .await;
}
