//! A provider that is away, slow, or up to something: nobody comes in by it, nothing of it hangs the server, and nothing internal is said.

use serde_json::json;

use super::{come_back, connected, leads_to, location, sign_in, who, with_provider};
use crate::fixture::browser::Browser;
use crate::fixture::oidc_provider::{Answers, OidcProvider, somebody};
use crate::fixture::server::on_a_server;

/// It is not asked again before.
const AGAIN_MS: i64 = 5_000;
const KEYS_AGAIN_MS: i64 = 30_000;
const HOUR_MS: i64 = 60 * 60_000;

#[tokio::test]
async fn while_the_provider_is_away_the_page_says_so_and_it_is_not_asked_at_each_click() {
    with_provider(&[], async |server, provider| {
        let before = provider.asked("about");
        let mut browser = Browser::new(&server);
        assert_eq!(browser.open("/auth").await.status.as_u16(), 200);
        assert_eq!(provider.asked("about"), before, "nobody has clicked");
        let hostile = [
            Answers::Status(500),
            Answers::Status(404),
            Answers::Leads("http://169.254.169.254/latest/meta-data"),
            Answers::Leads("/realms/x/elsewhere"),
            Answers::Text("<html>".to_owned()),
            Answers::Text(json!({ "issuer": "https://evil.example" }).to_string()),
            Answers::Endless,
        ];
        for answers in hostile {
            provider.answers("about", Some(answers.clone()));
            let asked = provider.asked("about");
            for _ in 0..5 {
                let to = location(&browser.post("/oidc/sign-in", &[("next", "/vod")]).await);
                assert_eq!(to, "/auth?error=oidc-away&next=%2Fvod", "{answers:?}");
            }
            assert_eq!(provider.asked("about"), asked + 1, "{answers:?}");
            server.clock.advance_ms(AGAIN_MS);
        }
        provider.answers("about", None);
        leads_to(&browser.post("/oidc/sign-in", &[]).await);
        // What it has said once is good for a while without it, and asked for anew after that.
        provider.answers("about", Some(Answers::Status(503)));
        server.clock.advance_ms(HOUR_MS);
        leads_to(&browser.post("/oidc/sign-in", &[]).await);
        server.clock.advance_ms(24 * HOUR_MS);
        assert_eq!(location(&browser.post("/oidc/sign-in", &[]).await), "/auth?error=oidc-away&next=%2F");
        provider.answers("about", None);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_names_places_without_tls_elsewhere_is_not_asked_there() {
    with_provider(&[], async |server, provider| {
        for name in ["token_endpoint", "jwks_uri", "userinfo_endpoint", "authorization_endpoint"] {
            provider.says(json!({ name: "http://169.254.169.254/latest" }));
            let to = location(&Browser::new(&server).post("/oidc/sign-in", &[]).await);
            assert_eq!(to, "/auth?error=oidc-away&next=%2F", "{name}");
            server.clock.advance_ms(AGAIN_MS);
        }
        provider.says(json!({}));
    })
    .await;
}

#[tokio::test]
async fn what_the_token_endpoint_answers_is_bounded_and_lets_nobody_in() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        connected(&server, &tenant, &provider, "ada").await;
        let hostile = [
            (Answers::Status(500), "oidc-away"),
            (Answers::Status(400), "oidc-failed"),
            (Answers::Leads("http://127.0.0.1:1/"), "oidc-away"),
            (Answers::Endless, "oidc-away"),
            (Answers::Text("{}".to_owned()), "oidc-away"),
            (Answers::Text(json!({ "id_token": "a.b.c" }).to_string()), "oidc-failed"),
            (Answers::Text(json!({ "id_token": "e30.e30.e30" }).to_string()), "oidc-failed"),
        ];
        let mut browser = Browser::new(&server);
        for (answers, code) in hostile {
            provider.answers("token", Some(answers.clone()));
            let to = sign_in(&mut browser, &provider, somebody("ada", "x@example.com", false)).await;
            assert_eq!(to, format!("/auth?error={code}"), "{answers:?}");
            assert_eq!(who(&mut browser).await, None);
        }
        provider.answers("token", None);
    })
    .await;
}

#[tokio::test]
async fn tokens_for_others_of_others_and_of_another_time_let_nobody_in() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        connected(&server, &tenant, &provider, "ada").await;
        let mut browser = Browser::new(&server);
        for wrong in [
            json!({ "sub": "ada", "aud": "another" }),
            json!({ "sub": "ada", "iss": "https://evil.example" }),
            json!({ "sub": "ada", "nonce": "another" }),
            json!({ "sub": "ada", "exp": 1 }),
            json!({ "sub": "ada", "iat": 1 }),
            json!({ "sub": "" }),
        ] {
            assert_eq!(sign_in(&mut browser, &provider, wrong.clone()).await, "/auth?error=oidc-failed", "{wrong}");
            assert_eq!(who(&mut browser).await, None);
        }
        // And who names another sender, or none where one is to be named.
        for sender in ["&iss=https%3A%2F%2Fevil.example", ""] {
            let url = leads_to(&browser.post("/oidc/sign-in", &[]).await);
            let back = provider.sign_in(&url, somebody("ada", "x@example.com", false));
            let back = format!("{}{sender}", back.split_once("&iss=").unwrap().0);
            assert_eq!(come_back(&mut browser, &back).await, "/auth?error=oidc-failed");
        }
        assert_eq!(sign_in(&mut browser, &provider, somebody("ada", "x@example.com", false)).await, "/vod");
    })
    .await;
}

#[tokio::test]
async fn a_new_key_is_asked_for_once_and_one_that_is_not_listed_not_at_each_token() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let ada = || somebody("ada", "x@example.com", false);
        connected(&server, &tenant, &provider, "ada").await;
        let mut browser = Browser::new(&server);
        let asked = provider.asked("keys");
        let third = format!("third of {}", tenant.organisation.hash);
        assert_eq!(sign_in(&mut browser, &provider, ada()).await, "/vod");
        assert_eq!(provider.asked("keys"), asked, "it is known");
        server.clock.advance_ms(KEYS_AGAIN_MS);
        // Another name on each database, which ask one provider: a name stays its key's.
        provider.rotate(&format!("second of {}", tenant.organisation.hash), true);
        let later = |claims: serde_json::Value| {
            let now_s = server.clock.now().0 / 1_000;
            let mut claims = claims;
            claims["iat"] = json!(now_s);
            claims["exp"] = json!(now_s + 300);
            claims
        };
        assert_eq!(sign_in(&mut browser, &provider, later(ada())).await, "/vod");
        assert_eq!(provider.asked("keys"), asked + 1);
        server.clock.advance_ms(KEYS_AGAIN_MS);
        provider.rotate("made up", false);
        for _ in 0..4 {
            assert_eq!(sign_in(&mut Browser::new(&server), &provider, later(ada())).await, "/auth?error=oidc-failed");
        }
        assert_eq!(provider.asked("keys"), asked + 2);
        // Where they cannot be had those of before are good for a while, and who signs by another one has to come later: that is nobody's fault but the provider's.
        server.clock.advance_ms(HOUR_MS);
        provider.answers("keys", Some(Answers::Status(500)));
        assert_eq!(sign_in(&mut Browser::new(&server), &provider, later(ada())).await, "/auth?error=oidc-away");
        provider.rotate(&third, true);
        assert_eq!(sign_in(&mut Browser::new(&server), &provider, later(ada())).await, "/auth?error=oidc-away");
        provider.answers("keys", None);
        server.clock.advance_ms(AGAIN_MS);
        assert_eq!(sign_in(&mut Browser::new(&server), &provider, later(ada())).await, "/vod");
        provider.answers("keys", Some(Answers::Status(500)));
        server.clock.advance_ms(2 * HOUR_MS);
        assert_eq!(sign_in(&mut Browser::new(&server), &provider, later(ada())).await, "/vod", "its key is known");
        provider.answers("keys", None);
    })
    .await;
}

#[tokio::test]
async fn who_goes_there_and_back_without_an_end_is_asked_to_wait() {
    with_provider(&[], async |server, provider| {
        let mut browser = Browser::new(&server);
        let mut asked = 0;
        loop {
            let answer = browser.post("/oidc/sign-in", &[]).await;
            if answer.status.as_u16() == 303 {
                assert_eq!(location(&answer), "/auth?error=oidc-wait&next=%2F");
                break;
            }
            asked += 1;
            assert!(asked <= 30);
        }
        assert_eq!(provider.asked("token"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_not_waited_for() {
    let provider = OidcProvider::start().await;
    let settings = provider.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    on_a_server(&settings, async |server| {
        let server = server.with_dashboard();
        provider.answers("about", Some(Answers::Silent));
        // All who come meanwhile wait for the one question.
        let waiting = (0..5).map(|_| async { location(&Browser::new(&server).post("/oidc/sign-in", &[]).await) });
        for to in futures::future::join_all(waiting).await {
            assert_eq!(to, "/auth?error=oidc-away&next=%2F");
        }
        assert_eq!(provider.asked("about"), 1);
    })
    .await;
}
