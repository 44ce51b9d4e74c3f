//! Connecting an account: by who gave its password, in the session in which they gave it, and by nobody else.

use afterlive_domain::Role;
use afterlive_server::oidc::{Flow, Purpose};
use serde_json::Value;

use super::{come_back, connected, go, leads_to, location, noted, sign_in, who, with_provider};
use crate::accounts::{PASSWORD, a_user, as_user};
use crate::fixture::browser::Browser;
use crate::fixture::oidc_provider::somebody;

fn ada() -> Value {
    somebody("ada", "x@example.com", false)
}

#[tokio::test]
async fn connecting_asks_for_the_password_and_is_the_session_s_that_gave_it() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        assert_eq!(location(&browser.post("/oidc/connect", &[("present", "x")]).await), "/account?notice=flash");
        assert!(browser.flash().await.contains("This is not your present password."));
        assert_eq!(
            location(&Browser::new(&server).post("/oidc/connect", &[("present", PASSWORD)]).await),
            "/auth?next=%2Faccount"
        );

        // What somebody else began for themselves does not connect them with this user, whose browser got their cookie.
        let (_, mut mallory) = connected(&server, &tenant, &provider, "mallory").await;
        let url = leads_to(&mallory.post("/oidc/connect", &[("present", PASSWORD)]).await);
        let back = provider.sign_in(&url, somebody("mallory-two", "x@example.com", false));
        *browser.way() = mallory.way().clone();
        assert_eq!(come_back(&mut browser, &back).await, "/account?notice=flash");
        assert!(browser.flash().await.contains("begun in another browser"));
        // Nor is who is another's already.
        let taken = somebody("mallory", "x@example.com", false);
        assert_eq!(go(&mut browser, &provider, "/oidc/connect", &[("present", PASSWORD)], taken).await, "/account?notice=flash");
        assert!(browser.flash().await.contains("connected with another user"));
        assert!(server.service.own_connection(&as_user(&user)).await.unwrap().is_none());
        // One account at the provider, and not a second one.
        let ada = |subject: &str| somebody(subject, "x@example.com", false);
        for (subject, to) in
            [("ada", "/account?notice=connected"), ("ada", "/account?notice=connected"), ("eve", "/account?notice=flash")]
        {
            assert_eq!(go(&mut browser, &provider, "/oidc/connect", &[("present", PASSWORD)], ada(subject)).await, to);
        }
        assert!(browser.flash().await.contains("Disconnect that first"));
        let noted = noted(&server, &tenant).await;
        for act in ["user.password_refused", "user.identity_refused", "user.identity_connected"] {
            assert!(noted.iter().any(|one| one == act), "{act}: {noted:?}");
        }
    })
    .await;
}

/// A session that was stolen, or a browser that was left open, is no way in that lasts: a cookie is written by anybody, and says nothing of a password.
#[tokio::test]
async fn who_makes_a_way_of_their_own_connects_nothing() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let forged = async |browser: &mut Browser<'_>| {
            let flow = Flow::begin(Purpose::Connect, "/account", server.clock.now());
            *browser.way() = format!("afterlive_oidc={}", flow.to_cookie().unwrap());
            let url = server.service.provider().unwrap().sign_in_url(&flow).await.unwrap();
            come_back(browser, &provider.sign_in(&url, somebody("mallory", "m@example.com", false))).await
        };
        assert_eq!(forged(&mut browser).await, "/account?notice=flash");
        assert!(browser.flash().await.contains("begun in another browser"));
        // Nor while the password was given for another way.
        leads_to(&browser.post("/oidc/connect", &[("present", PASSWORD)]).await);
        assert_eq!(forged(&mut browser).await, "/account?notice=flash");
        assert!(server.service.own_connection(&as_user(&user)).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn what_ends_the_session_while_they_are_there_ends_the_way() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let own = async || server.service.own_connection(&as_user(&user)).await.unwrap().map(|own| own.at);

        // Another password, which this browser was kept for.
        let url = leads_to(&browser.post("/oidc/connect", &[("present", PASSWORD)]).await);
        let password = "wandering geese by night";
        let fields = [("present", PASSWORD), ("password", password)];
        assert_eq!(browser.submit("change_password", &fields).await, "/account?notice=flash");
        assert_eq!(come_back(&mut browser, &provider.sign_in(&url, ada())).await, "/account?notice=flash");
        assert_eq!(own().await, None);

        // All others ended, elsewhere.
        let url = leads_to(&browser.post("/oidc/connect", &[("present", password)]).await);
        let mut other = Browser::signed_in(&server, &user.email, password).await;
        other.submit("end_other_sessions", &[]).await;
        assert_eq!(come_back(&mut browser, &provider.sign_in(&url, ada())).await, "/auth?error=oidc-stale");
        assert_eq!(own().await, None);
        // Each way once, and by the session that it is.
        assert_eq!(
            go(&mut other, &provider, "/oidc/connect", &[("present", password)], ada()).await,
            "/account?notice=connected"
        );
        assert!(own().await.is_some());
    })
    .await;
}

/// Links lead anybody anywhere: one to where people come back to writes nothing, and ends no way that the browser is on.
#[tokio::test]
async fn a_link_to_where_people_come_back_to_does_nothing() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let (user, mut browser) = connected(&server, &tenant, &provider, "ada").await;
        let before = noted(&server, &tenant).await;
        let mut coming = Browser::new(&server);
        let url = leads_to(&coming.post("/oidc/sign-in", &[]).await);
        for query in ["", "code=x&state=y", "error=access_denied&state=y", "state=a&state=b"] {
            assert_eq!(come_back(&mut browser, query).await, "/account?notice=oidc-stale");
            assert_eq!(come_back(&mut coming, query).await, "/auth?error=oidc-stale");
        }
        assert_eq!(noted(&server, &tenant).await, before);
        assert_eq!(come_back(&mut coming, &provider.sign_in(&url, ada())).await, "/");
        assert_eq!(who(&mut coming).await, Some(user.email));
    })
    .await;
}

#[tokio::test]
async fn the_cookie_of_a_way_is_for_the_server_alone_and_two_of_them_are_none() {
    let attributes = "Path=/; Max-Age=600; HttpOnly; SameSite=Lax";
    for (public_url, name, secure) in
        [("http://localhost:3000", "afterlive_oidc", ""), ("https://live.example.com", "__Host-afterlive_oidc", "; Secure")]
    {
        with_provider(&[("HTTP__PUBLIC_URL", public_url)], async |server, provider| {
            let answer = Browser::new(&server).post("/oidc/sign-in", &[]).await;
            let set: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
            let cookie = set.iter().find(|line| line.starts_with(&format!("{name}="))).unwrap_or_else(|| panic!("{set:?}"));
            assert!(cookie.ends_with(&format!("; {attributes}{secure}")), "{cookie}");
            assert!(answer.header("content-security-policy").contains("form-action 'none'; frame-ancestors 'none'"));
            assert_eq!((answer.header("referrer-policy"), answer.header("cache-control")), ("no-referrer", "no-store"));
            let value = cookie.split(';').next().unwrap();
            let query = provider.sign_in(&leads_to(&answer), ada());
            let twice = format!("{value}; {value}");
            let answer = server.send_with(&format!("GET /oidc/callback?{query}"), &[("cookie", &twice)], "").await;
            assert_eq!(location(&answer), "/auth?error=oidc-stale");
        })
        .await;
    }
}

#[tokio::test]
async fn two_who_come_back_at_once_by_one_address_are_both_in() {
    with_provider(&[("OIDC__MATCH_VERIFIED_EMAIL", "true")], async |server, provider| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let ada = || somebody("ada", &user.email, true);
        let (mut first, mut second) = (Browser::new(&server), Browser::new(&server));
        let (a, b) = tokio::join!(sign_in(&mut first, &provider, ada()), sign_in(&mut second, &provider, ada()));
        assert_eq!((a.as_str(), b.as_str()), ("/vod", "/vod"));
        // One that is only equivalent is another's there.
        let alike = user.email.replacen(char::is_alphabetic, "\u{fb01}", 1);
        let mut other = Browser::new(&server);
        assert_eq!(sign_in(&mut other, &provider, somebody("eve", &alike, true)).await, "/auth?error=oidc-unknown");
    })
    .await;
}
