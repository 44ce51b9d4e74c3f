//! The second factor in a browser without scripts.

use afterlive_domain::Role;

use super::{App, STEP_MS, a_user_with_one, comes_in_alone};
use crate::accounts::{PASSWORD, a_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::{Server, on_each_server};

/// Sets one up by the pages, and gives the app and the recovery codes. `back` is the page with the form.
pub async fn set_up_in(server: &Server, browser: &mut Browser<'_>, back: &str) -> (App, Vec<String>) {
    let to = browser.submit("begin_second_factor", &[("present", "wrong"), ("back", back)]).await;
    assert_eq!(to, format!("{back}?notice=flash"));
    assert!(browser.flash().await.contains("This is not your password"));
    let to = browser.submit("begin_second_factor", &[("present", PASSWORD), ("back", back)]).await;
    assert_eq!(to, "/account/second-factor?notice=second%2Dfactor%2Dbegun");
    let page = browser.open("/account/second-factor").await.text;
    assert!(page.contains("<svg") && page.contains("fill=\"#fff\""), "{page}");
    let offer: serde_json::Value = serde_json::from_str(&browser.load("second_factor_offer", "{}").await.text).unwrap();
    let secret = offer["secret"].as_str().unwrap();
    assert!(page.contains(secret));
    let app = App::with(secret);
    let to = browser.submit("confirm_second_factor", &[("code", &app.wrong(server))]).await;
    assert_eq!(to, "/account/second-factor?notice=flash");
    assert!(browser.flash().await.contains("This code is wrong"));
    assert!(browser.open("/account/second-factor").await.text.contains(secret), "the same, after a wrong code");
    let to = browser.submit("confirm_second_factor", &[("code", &app.shows(server, 0))]).await;
    assert_eq!(to, "/account?notice=flash");
    let flash: serde_json::Value = serde_json::from_str(&browser.flash().await).unwrap();
    let codes = flash["RecoveryCodes"]["codes"].as_array().unwrap();
    let codes: Vec<String> = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!((codes.len(), browser.flash().await.as_str()), (10, "null"), "they are shown once");
    server.clock.advance_ms(2 * STEP_MS);
    (app, codes)
}

#[tokio::test]
async fn it_is_set_up_asked_for_and_switched_off_without_scripts() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut mine = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let mut other = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let mut twin = mine.clone();
        // Begun in one browser it is in no other, nor in one that has the same sign-in.
        mine.submit("begin_second_factor", &[("present", PASSWORD), ("back", "/account")]).await;
        assert_eq!(other.load("second_factor_offer", "{}").await.text, "null");
        let (app, codes) = set_up_in(&server, &mut mine, "/account").await;
        assert_eq!(mine.load("home", "{}").await.status.as_u16(), 200);
        for gone in [&mut other, &mut twin] {
            assert_eq!(gone.load("home", "{}").await.status.as_u16(), 401, "signed in by the password alone");
        }
        assert!(mine.open("/account").await.text.contains("10 recovery codes are left."));

        // The password alone is no sign-in, and its session no other's.
        let before = other.cookie().to_owned();
        let to = other.submit("sign_in", &[("email", &user.email), ("password", PASSWORD), ("next", "/vod")]).await;
        assert_eq!(to, "/sign-in/code?next=%2Fvod");
        let half = other.clone();
        assert_ne!(half.cookie(), before);
        assert_eq!(other.load("home", "{}").await.status.as_u16(), 401);
        assert_eq!(other.load("access", "{}").await.text, "\"SignedOut\"");
        let page = other.open("/sign-in/code?next=%2Fvod").await.text;
        assert!(page.contains("autocomplete=\"one-time-code\"") && page.contains("inputmode=\"numeric\""), "{page}");
        assert!(!page.contains(&user.email));
        let to = other.submit("sign_in_with_code", &[("code", &app.wrong(&server)), ("next", "/vod")]).await;
        assert_eq!(to, "/sign-in/code?error=code&next=%2Fvod");
        let stranger = Browser::new(&server).submit("sign_in_with_code", &[("code", &app.shows(&server, 0))]).await;
        assert_eq!(stranger, "/auth?error=again&next=%2F", "a code without the password");
        let to = other.submit("sign_in_with_code", &[("code", &app.shows(&server, 0)), ("next", "/vod")]).await;
        assert_eq!(to, "/vod");
        assert_ne!(other.cookie(), half.cookie(), "under a new id");
        assert_eq!(other.load("home", "{}").await.status.as_u16(), 200);
        let mut half = half;
        assert_eq!(half.load("home", "{}").await.status.as_u16(), 401, "who knew the one before is not signed in");
        assert_eq!(half.submit("sign_in_with_code", &[("code", &codes[0])]).await, "/auth?error=again&next=%2F");

        // Off by a recovery code.
        let to = mine.submit("remove_second_factor", &[("present", PASSWORD), ("code", "x")]).await;
        assert_eq!(to, "/account?notice=flash");
        assert!(mine.flash().await.contains("This code is wrong"));
        let to = mine.submit("remove_second_factor", &[("present", PASSWORD), ("code", &codes[0])]).await;
        assert_eq!(to, "/account?notice=second%2Dfactor%2Doff");
        assert_eq!(mine.load("home", "{}").await.status.as_u16(), 200);
        assert_eq!(other.load("home", "{}").await.status.as_u16(), 401);
        Browser::signed_in(&server, &user.email, PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn who_knew_the_browser_s_session_from_before_the_password_has_nothing_of_the_sign_in() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let thief = a_user(&server, &tenant, Role::User).await;
        let (user, app, codes) = a_user_with_one(&server, &tenant, Role::User).await;
        // Their own sign-in, left in another's browser, is still alive when the password is given there.
        let mut browser = Browser::signed_in(&server, &thief.email, PASSWORD).await;
        let twin = browser.clone();
        let to = browser.submit("sign_in", &[("email", &user.email), ("password", PASSWORD)]).await;
        assert_eq!(to, "/sign-in/code?next=%2F");
        comes_in_alone(&mut browser, twin, &app.shows(&server, 0)).await;

        let mut browser = Browser::signed_in(&server, &thief.email, PASSWORD).await;
        let twin = browser.clone();
        let link = server.service.make_password_link(&tenant.admin, user.id).await.unwrap();
        let secret = link.rsplit_once('/').unwrap().1;
        let to = browser.submit("choose_password", &[("secret", secret), ("password", "wandering geese by night")]).await;
        assert!(to.starts_with("/sign-in/code?next="), "{to}");
        comes_in_alone(&mut browser, twin, &codes[0]).await;
    })
    .await;
}
