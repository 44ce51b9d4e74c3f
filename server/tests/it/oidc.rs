//! Signing in by an OpenID provider: who is let in, connected and disconnected, and what ends it. The provider stands in for one; a real one is asked by the browser tests.

mod admission;
mod connecting;
mod disconnecting;
mod hostile;
mod program;

use std::collections::BTreeMap;

use afterlive_domain::Role;
use afterlive_server::db::users::User;
use afterlive_server::service::account::SIGNED_IN;
use serde_json::{Value, json};
use url::Url;

use crate::accounts::{PASSWORD, a_user, as_user};
use crate::audit::all_rows;
use crate::fixture::browser::Browser;
use crate::fixture::oidc_provider::{OidcProvider, somebody};
use crate::fixture::server::{Answer, Server, Tenant, on_each_server_with};

/// Runs a test body on each database, with a provider.
async fn with_provider(settings: &[(&'static str, &str)], body: impl AsyncFn(Server, OidcProvider)) {
    let provider = OidcProvider::start().await;
    let mut all = provider.settings();
    all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    on_each_server_with(&all, &[], async |server| body(server.with_dashboard(), provider.clone()).await).await;
}

/// A hyphen written as one is what it is escaped (RFC 3986 §6.2.2.2).
fn unescaped(location: &str) -> String {
    location.replace("%2D", "-")
}

/// Where it leads.
fn location(answer: &Answer) -> String {
    assert_eq!(answer.status.as_u16(), 303, "{}", answer.text);
    unescaped(answer.header("location"))
}

/// Where the page leads that is between us and the provider.
fn leads_to(page: &Answer) -> String {
    assert_eq!(page.status.as_u16(), 200, "{:?}", page.headers);
    let url = page.text.split_once("content=\"0;url=").unwrap().1.split_once('"').unwrap().0;
    url.replace("&amp;", "&")
}

async fn come_back(browser: &mut Browser<'_>, query: &str) -> String {
    let answer = browser.open(&format!("/oidc/callback?{query}")).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    location(&answer)
}

/// There and back, as who `claims` say; gives where that led.
async fn go(browser: &mut Browser<'_>, provider: &OidcProvider, form: &str, fields: &[(&str, &str)], claims: Value) -> String {
    let url = leads_to(&browser.post(form, fields).await);
    come_back(browser, &provider.sign_in(&url, claims)).await
}

async fn sign_in(browser: &mut Browser<'_>, provider: &OidcProvider, claims: Value) -> String {
    go(browser, provider, "/oidc/sign-in", &[("next", "/vod")], claims).await
}

/// Who is signed in, by their address.
async fn who(browser: &mut Browser<'_>) -> Option<String> {
    let access: Value = serde_json::from_str(&browser.load("access", "{}").await.text).unwrap();
    access["SignedIn"]["email"].as_str().map(str::to_owned)
}

/// Somebody who has connected their account, in the browser where they did.
async fn connected<'a>(server: &'a Server, tenant: &Tenant, provider: &OidcProvider, subject: &str) -> (User, Browser<'a>) {
    let user = a_user(server, tenant, Role::User).await;
    let mut browser = Browser::signed_in(server, &user.email, PASSWORD).await;
    let to =
        go(&mut browser, provider, "/oidc/connect", &[("present", PASSWORD)], somebody(subject, "x@example.com", false)).await;
    assert_eq!(to, "/account?notice=connected");
    (user, browser)
}

/// That the last of these in the audit log is the user's own doing, from where their browser is, on themselves.
async fn is_noted_as_own(server: &Server, tenant: &Tenant, act: &str, user: &User) {
    let rows = all_rows(server, tenant).await;
    let row = rows.iter().rfind(|row| row.act == act).unwrap_or_else(|| panic!("{act}: {rows:#?}"));
    assert_eq!((row.who_kind.as_str(), row.who_label.as_str()), ("user", user.email.as_str()), "{row:#?}");
    assert_eq!((row.on_id.as_deref(), row.address.is_some()), (Some(user.id.to_string().as_str()), true), "{row:#?}");
}

/// What the audit log has.
async fn noted(server: &Server, tenant: &Tenant) -> Vec<String> {
    all_rows(server, tenant).await.into_iter().map(|entry| entry.act).collect()
}

#[tokio::test]
async fn who_has_connected_their_account_signs_in_by_the_provider_and_nobody_else_does() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let (user, _) = connected(&server, &tenant, &provider, "ada").await;
        let mut browser = Browser::new(&server);
        assert_eq!(sign_in(&mut browser, &provider, somebody("ada", "changed@example.com", false)).await, "/vod");
        assert_eq!(who(&mut browser).await, Some(user.email.clone()));
        // Somebody else there, also one with the user's own verified address.
        for (subject, email) in [("bob", user.email.as_str()), ("ADA", "x@example.com"), ("ada ", "x@example.com")] {
            let mut browser = Browser::new(&server);
            assert_eq!(sign_in(&mut browser, &provider, somebody(subject, email, true)).await, "/auth?error=oidc-unknown");
            assert_eq!(who(&mut browser).await, None);
        }
        let page = browser.open("/auth?error=oidc-unknown").await;
        assert_eq!(page.status.as_u16(), 200);
        let noted = noted(&server, &tenant).await;
        for act in ["user.identity_connected", "session.began", "session.refused"] {
            assert!(noted.iter().any(|one| one == act), "{act}: {noted:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_leads_on_only_to_our_own_and_back_only_the_browser_that_left() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let (user, _) = connected(&server, &tenant, &provider, "ada").await;
        let ada = || somebody("ada", "x@example.com", false);
        let mut browser = Browser::new(&server);
        for outside in ["https://evil.example", "//evil.example", "/\\evil.example"] {
            assert_eq!(go(&mut browser, &provider, "/oidc/sign-in", &[("next", outside)], ada()).await, "/");
        }
        // What another browser began, of which only the address is known here.
        let (mut theirs, mut ours) = (Browser::new(&server), Browser::new(&server));
        let url = leads_to(&theirs.post("/oidc/sign-in", &[]).await);
        let back = provider.sign_in(&url, ada());
        assert_eq!(come_back(&mut ours, &back).await, "/auth?error=oidc-stale");
        // And with a way of its own.
        leads_to(&ours.post("/oidc/sign-in", &[]).await);
        assert_eq!(come_back(&mut ours, &back).await, "/auth?error=oidc-stale");
        assert_eq!(who(&mut ours).await, None);
        // Each way once, also where the browser kept its cookie.
        let kept = theirs.way().clone();
        assert_eq!(come_back(&mut theirs, &back).await, "/");
        assert_eq!(who(&mut theirs).await, Some(user.email.clone()));
        assert!(theirs.way().is_empty());
        *ours.way() = kept;
        assert_eq!(come_back(&mut ours, &back).await, "/auth?error=oidc-stale");
        // Not after ten minutes.
        let url = leads_to(&ours.post("/oidc/sign-in", &[]).await);
        let back = provider.sign_in(&url, ada());
        server.clock.advance_ms(10 * 60_000);
        assert_eq!(come_back(&mut ours, &back).await, "/auth?error=oidc-stale");
        // Who left without signing in, and who answers nonsense.
        for (error, code) in [("access_denied", "oidc-cancelled"), ("server_error", "oidc-failed")] {
            let url = leads_to(&ours.post("/oidc/sign-in", &[]).await);
            let state = url.split_once("state=").unwrap().1.split_once('&').unwrap().0.to_owned();
            let iss = provider.issuer();
            assert_eq!(
                come_back(&mut ours, &format!("error={error}&state={state}&iss={iss}")).await,
                format!("/auth?error={code}")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_provider_is_asked_for_an_address_and_for_nothing_more() {
    with_provider(&[], async |server, _| {
        let url: Url = leads_to(&Browser::new(&server).post("/oidc/sign-in", &[]).await).parse().unwrap();
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["scope"], "openid email");
        let names: Vec<&str> = asked.keys().map(String::as_str).collect();
        // Sorted, and with what the provider has in its address itself.
        let of_code = ["client_id", "code_challenge", "code_challenge_method"];
        assert_eq!(names, [&of_code[..], &["kept", "nonce", "redirect_uri", "response_type", "scope", "state"]].concat());
    })
    .await;
}

#[tokio::test]
async fn a_form_of_another_site_begins_nothing() {
    with_provider(&[], async |server, _| {
        for path in ["/oidc/sign-in", "/oidc/connect", "/oidc/accept"] {
            let headers = [
                ("content-type", "application/x-www-form-urlencoded"),
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://evil.example"),
            ];
            let answer = server.send_with(&format!("POST {path}"), &headers, "").await;
            assert_eq!(answer.status.as_u16(), 403, "{path}: {}", answer.text);
            assert!(!answer.headers.contains_key("set-cookie"));
            assert_eq!(server.send(&format!("GET {path}"), None, "").await.status.as_u16(), 405);
        }
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_by_the_provider_ends_with_the_connection_the_password_and_the_user() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let ada = || somebody("ada", "x@example.com", false);
        let (user, mut by_password) = connected(&server, &tenant, &provider, "ada").await;
        let mut browser = Browser::new(&server);
        sign_in(&mut browser, &provider, ada()).await;

        assert_eq!(by_password.submit("disconnect", &[("present", "x")]).await, "/account?notice=flash");
        assert!(who(&mut browser).await.is_some());
        assert_eq!(by_password.submit("disconnect", &[("present", PASSWORD)]).await, "/account?notice=disconnected");
        assert_eq!(who(&mut browser).await, None);
        assert!(who(&mut by_password).await.is_some());
        assert_eq!(sign_in(&mut browser, &provider, ada()).await, "/auth?error=oidc-unknown");
        for act in ["user.identity_connected", "session.began", "user.identity_disconnected"] {
            is_noted_as_own(&server, &tenant, act, &user).await;
        }

        // Connected anew it is another connection: what came by the one before does not live again.
        go(&mut by_password, &provider, "/oidc/connect", &[("present", PASSWORD)], ada()).await;
        assert_eq!(who(&mut browser).await, None);
        sign_in(&mut browser, &provider, ada()).await;
        assert!(who(&mut browser).await.is_some());
        let link = server.service.make_password_link(&tenant.admin, user.id).await.unwrap();
        let secret = link.rsplit_once('/').unwrap().1;
        server.service.set_password_by_link(secret, "wandering geese by night", None).await.unwrap();
        assert_eq!(who(&mut browser).await, None);

        // Whoever knew the password before could have connected themselves with it: a new one ends that too.
        assert_eq!(sign_in(&mut browser, &provider, ada()).await, "/auth?error=oidc-unknown");
        let password = "wandering geese by night";
        let mut anew = Browser::signed_in(&server, &user.email, password).await;
        go(&mut anew, &provider, "/oidc/connect", &[("present", password)], ada()).await;
        sign_in(&mut browser, &provider, ada()).await;
        assert!(who(&mut browser).await.is_some());
        server.service.remove_user(&tenant.admin, user.id).await.unwrap();
        assert_eq!(who(&mut browser).await, None);
        assert_eq!(sign_in(&mut browser, &provider, ada()).await, "/auth?error=oidc-unknown");
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_accepted_by_who_the_provider_says_has_its_address() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let email = format!("dee@{}.example.com", tenant.organisation.hash).to_lowercase();
        let link = server.service.invite(&tenant.admin, &email, Role::User).await.unwrap();
        let secret = link.rsplit_once('/').unwrap().1;
        let mut browser = Browser::new(&server);
        let fields = [("secret", secret)];
        for (email, is_verified) in [(email.as_str(), false), ("other@example.com", true), ("", true)] {
            let to = go(&mut browser, &provider, "/oidc/accept", &fields, somebody("dee", email, is_verified)).await;
            assert_eq!(to, format!("/invitation/{secret}?error=oidc-address"));
        }
        let shouted = email.to_uppercase();
        assert_eq!(
            go(&mut browser, &provider, "/oidc/accept", &fields, somebody("dee", &shouted, true)).await,
            "/?notice=joined"
        );
        assert_eq!(who(&mut browser).await, Some(email.clone()));
        // Once.
        let mut again = Browser::new(&server);
        let to = go(&mut again, &provider, "/oidc/accept", &fields, somebody("two", &email, true)).await;
        assert_eq!((to, who(&mut again).await), (format!("/invitation/{secret}"), None));
        assert_eq!(sign_in(&mut again, &provider, somebody("dee", "x@example.com", false)).await, "/vod");

        // Without a password none is right, and there is nothing to disconnect from.
        let mut guessing = Browser::new(&server);
        for password in ["", "none:", PASSWORD] {
            assert!(guessing.submit("sign_in", &[("email", &email), ("password", password)]).await.starts_with("/auth?error="));
        }
        browser.submit("disconnect", &[("present", "")]).await;
        assert!(browser.flash().await.contains("You have no password"));
        // With one that an administrator's link sets there is, and what came by the provider has ended.
        let user = server.service.users(&tenant.admin).await.unwrap().into_iter().find(|user| user.email == email).unwrap();
        assert!(!user.has_password());
        let link = server.service.make_password_link(&tenant.admin, user.id).await.unwrap();
        let set = server.service.set_password_by_link(link.rsplit_once('/').unwrap().1, "wandering geese by night", None).await;
        assert!(matches!(set, Ok(afterlive_server::service::Chosen::Done(user)) if user.has_password()));
        assert_eq!(who(&mut browser).await, None);
        // What the invitation connected no password did.
        assert_eq!(sign_in(&mut browser, &provider, somebody("dee", "x@example.com", false)).await, "/vod");

        // Who is a user already becomes no second one.
        let second = server.service.invite(&tenant.admin, "second@example.com", Role::User).await.unwrap();
        let secret = second.rsplit_once('/').unwrap().1;
        let to =
            go(&mut again, &provider, "/oidc/accept", &[("secret", secret)], somebody("dee", "second@example.com", true)).await;
        assert_eq!(to, format!("/invitation/{secret}?error=taken"));
        assert!(server.service.invitation(secret).await.unwrap().is_some(), "it is not used up");
        let noted = noted(&server, &tenant).await;
        for act in ["user.invitation_accepted", "user.identity_connected", "user.identity_refused"] {
            assert!(noted.iter().any(|one| one == act), "{act}: {noted:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_verified_address_connects_where_the_operator_says_so_and_only_then() {
    with_provider(&[("OIDC__MATCH_VERIFIED_EMAIL", "true")], async |server, provider| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browser = Browser::new(&server);
        assert_eq!(sign_in(&mut browser, &provider, somebody("ada", &user.email, false)).await, "/auth?error=oidc-unknown");
        assert_eq!(
            sign_in(&mut browser, &provider, somebody("ada", "nobody@example.com", true)).await,
            "/auth?error=oidc-unknown"
        );
        assert_eq!(sign_in(&mut browser, &provider, somebody("ada", &user.email, true)).await, "/vod");
        assert_eq!(who(&mut browser).await, Some(user.email.clone()));
        // From then on it is who they are there, and the address is nobody's way in.
        let mut other = Browser::new(&server);
        assert_eq!(sign_in(&mut other, &provider, somebody("eve", &user.email, true)).await, "/auth?error=oidc-unknown");
        assert_eq!(sign_in(&mut other, &provider, somebody("ada", "else@example.com", true)).await, "/vod");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_the_token_does_not_say_is_asked_for_and_believed_of_the_same_person_alone() {
    with_provider(&[("OIDC__MATCH_VERIFIED_EMAIL", "true")], async |server, provider| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browser = Browser::new(&server);
        provider.tells(somebody("eve", &user.email, true));
        assert_eq!(sign_in(&mut browser, &provider, json!({ "sub": "ada" })).await, "/auth?error=oidc-unknown");
        provider.tells(somebody("ada", &user.email, true));
        assert_eq!(sign_in(&mut browser, &provider, json!({ "sub": "ada" })).await, "/vod");
    })
    .await;
}

#[tokio::test]
async fn a_session_of_before_reads_as_one_by_a_password() {
    with_provider(&[], async |server, _| {
        let tenant = server.an_organisation().await;
        let user = a_user(&server, &tenant, Role::User).await;
        let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
        let [open] = server.service.open_account(&as_user(&user)).await.unwrap().sessions.try_into().unwrap();
        let data = json!({ SIGNED_IN: serde_json::to_value(&open.signed_in).unwrap() });
        assert!(data[SIGNED_IN].get("identity").is_none(), "{data}");
        assert_eq!(who(&mut browser).await, Some(user.email));
    })
    .await;
}
