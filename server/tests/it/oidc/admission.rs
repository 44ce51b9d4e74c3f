//! What the provider's word does not take the place of: a second factor, an organisation's rule on one, and an organisation that is not suspended.

use afterlive_domain::Role;
use serde_json::Value;

use super::{connected, go, is_noted_as_own, sign_in, who, with_provider};
use crate::accounts::{PASSWORD, a_user};
use crate::audit::all_rows;
use crate::fixture::browser::Browser;
use crate::fixture::oidc_provider::somebody;
use crate::second_factor::{a_user_with_one, comes_in_alone, set_up};
use crate::system::a_system_administrator;

#[tokio::test]
async fn who_has_a_second_factor_gives_its_code_whichever_way_they_come() {
    with_provider(&[("OIDC__ASKS_SECOND_FACTOR", "true")], async |server, provider| {
        let tenant = server.an_organisation().await;
        let ada = || somebody("ada", "x@example.com", false);
        let (user, mut by_password) = connected(&server, &tenant, &provider, "ada").await;
        let (user, app, codes) = set_up(&server, &user).await;
        assert_eq!(who(&mut by_password).await, None, "the second factor ends what was open");

        let mut browser = Browser::new(&server);
        assert_eq!(sign_in(&mut browser, &provider, ada()).await, "/sign-in/code?next=%2Fvod");
        assert_eq!(who(&mut browser).await, None);
        assert_eq!(browser.open("/sign-in/code?next=%2Fvod").await.status.as_u16(), 200);
        let to = browser.submit("sign_in_with_code", &[("code", &app.wrong(&server)), ("next", "/vod")]).await;
        assert_eq!((to.as_str(), who(&mut browser).await), ("/sign-in/code?error=code&next=%2Fvod", None));
        let to = browser.submit("sign_in_with_code", &[("code", &app.shows(&server, 0)), ("next", "/vod")]).await;
        assert_eq!((to.as_str(), who(&mut browser).await), ("/vod", Some(user.email.clone())));
        is_noted_as_own(&server, &tenant, "session.began", &user).await;
        let rows = all_rows(&server, &tenant).await;
        let how = rows.iter().rfind(|row| row.act == "session.began").and_then(|row| row.detail.clone()).unwrap();
        assert!(how.starts_with("by ") && how.ends_with("with a code of their app"), "{how}");

        // It is a sign-in by the provider still, which ends with the connection.
        let mut other = Browser::new(&server);
        assert!(other.submit("sign_in", &[("email", &user.email), ("password", PASSWORD)]).await.starts_with("/sign-in/code"));
        assert_eq!(other.submit("sign_in_with_code", &[("code", &codes[0])]).await, "/");
        assert_eq!(other.submit("disconnect", &[("present", PASSWORD)]).await, "/account?notice=disconnected");
        assert_eq!(who(&mut browser).await, None);
        assert_eq!(who(&mut other).await, Some(user.email.clone()));

        // And one that waits for a code opens nothing once what it came by is gone.
        go(&mut other, &provider, "/oidc/connect", &[("present", PASSWORD)], ada()).await;
        sign_in(&mut browser, &provider, ada()).await;
        assert_eq!(other.submit("disconnect", &[("present", PASSWORD)]).await, "/account?notice=disconnected");
        browser.submit("sign_in_with_code", &[("code", &codes[1])]).await;
        assert_eq!(who(&mut browser).await, None);
    })
    .await;
}

#[tokio::test]
async fn who_knew_the_browser_s_session_from_before_the_provider_has_nothing_of_the_sign_in() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let thief = a_user(&server, &tenant, Role::User).await;
        let (user, _) = connected(&server, &tenant, &provider, "ada").await;
        let (_, app, _) = set_up(&server, &user).await;
        let mut browser = Browser::signed_in(&server, &thief.email, PASSWORD).await;
        let twin = browser.clone();
        let to = sign_in(&mut browser, &provider, somebody("ada", "x@example.com", false)).await;
        assert_eq!(to, "/sign-in/code?next=%2Fvod");
        comes_in_alone(&mut browser, twin, &app.shows(&server, 0)).await;
    })
    .await;
}

/// What stands before the pages of who has signed in and may do nothing else yet.
async fn must_enrol(browser: &mut Browser<'_>) -> Value {
    let access: Value = serde_json::from_str(&browser.load("access", "{}").await.text).unwrap();
    access["MustEnrol"].clone()
}

#[tokio::test]
async fn where_everybody_needs_a_second_factor_the_provider_s_counts_by_the_operator_s_word_alone() {
    for (setting, is_let_in) in [("false", false), ("true", true)] {
        with_provider(&[("OIDC__ASKS_SECOND_FACTOR", setting)], async |server, provider| {
            let tenant = server.an_organisation().await;
            let (admin, ..) = a_user_with_one(&server, &tenant, Role::Admin).await;
            let (user, mut by_password) = connected(&server, &tenant, &provider, "ada").await;
            let email = format!("dee@{}.example.com", tenant.organisation.hash).to_lowercase();
            let link = server.service.invite(&tenant.admin, &email, Role::User).await.unwrap();
            let mut joined = Browser::new(&server);
            let fields = [("secret", link.rsplit_once('/').unwrap().1)];
            go(&mut joined, &provider, "/oidc/accept", &fields, somebody("dee", &email, true)).await;
            server.service.require_second_factor(&crate::accounts::as_user(&admin), true).await.unwrap();

            let mut browser = Browser::new(&server);
            sign_in(&mut browser, &provider, somebody("ada", "x@example.com", false)).await;
            assert_eq!(who(&mut browser).await, is_let_in.then(|| user.email.clone()));
            assert_eq!(who(&mut joined).await, is_let_in.then(|| email.clone()));
            // Who gave a password is not let in by what the provider asks of others.
            assert_eq!(who(&mut by_password).await, None);
            assert_eq!(must_enrol(&mut by_password).await["has_password"], true);
            if !is_let_in {
                assert_eq!(must_enrol(&mut browser).await["has_password"], true);
                assert_eq!(browser.load("account", "{}").await.status.as_u16(), 401);
                assert_eq!(
                    browser.submit("begin_second_factor", &[("present", PASSWORD)]).await,
                    "/account/second-factor?notice=second%2Dfactor%2Dbegun"
                );
                // Who has no password is told so.
                assert_eq!(must_enrol(&mut joined).await["has_password"], false);
                assert!(
                    joined
                        .open("/auth")
                        .await
                        .text
                        .contains("An administrator of your organisation can give you a link for one.")
                );
                assert_eq!(
                    joined.submit("begin_second_factor", &[("present", ""), ("back", "/auth")]).await,
                    "/auth?notice=flash"
                );
                assert!(joined.flash().await.contains("You have no password"));
            }
        })
        .await;
    }
}

#[tokio::test]
async fn of_an_organisation_that_is_suspended_nobody_comes_in_by_the_provider() {
    with_provider(&[("OIDC__MATCH_VERIFIED_EMAIL", "true")], async |server, provider| {
        let (home, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (_, above) = a_system_administrator(&server, &home).await;
        let ada = || somebody("ada", "x@example.com", false);
        let (user, _) = connected(&server, &theirs, &provider, "ada").await;
        let bob = a_user(&server, &theirs, Role::User).await;
        let link = server.service.invite(&theirs.admin, "dee@example.com", Role::User).await.unwrap();
        let secret = link.rsplit_once('/').unwrap().1;
        let mut browser = Browser::new(&server);
        sign_in(&mut browser, &provider, ada()).await;
        assert_eq!(who(&mut browser).await, Some(user.email.clone()));

        server.service.suspend_organisation(&above, theirs.organisation.id).await.unwrap();
        assert_eq!(who(&mut browser).await, None);
        let mut again = Browser::new(&server);
        assert_eq!(sign_in(&mut again, &provider, ada()).await, "/auth?error=suspended");
        assert!(again.open("/auth?error=suspended").await.text.contains("Your organisation is suspended"));
        // Nor is anybody connected meanwhile by their address.
        assert_eq!(sign_in(&mut again, &provider, somebody("bob", &bob.email, true)).await, "/auth?error=suspended");
        let accept =
            go(&mut again, &provider, "/oidc/accept", &[("secret", secret)], somebody("dee", "dee@example.com", true)).await;
        assert_eq!(accept, format!("/invitation/{secret}"));
        assert_eq!(who(&mut again).await, None);

        server.service.resume_organisation(&above, theirs.organisation.id).await.unwrap();
        assert_eq!(who(&mut browser).await, Some(user.email.clone()));
        let rows = all_rows(&server, &theirs).await;
        let refused: Vec<_> = rows.iter().filter(|row| row.act == "session.refused").collect();
        assert!(refused.iter().any(|row| row.detail.as_deref() == Some("the organisation is suspended")), "{refused:#?}");
        assert!(!rows.iter().any(|row| row.act == "user.identity_connected" && row.who_label == bob.email), "{rows:#?}");
    })
    .await;
}
