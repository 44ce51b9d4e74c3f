//! The player for other people's frames: who may frame it, who may see it, and what it shows.

use afterlive_domain::organisation::Settings;
use afterlive_domain::{EmbedDomains, StreamId};
use afterlive_server::service::playback::token::Claims;
use afterlive_server::service::playback::{Expiry, Secret, TokenOf, TokenWish};
use http::HeaderValue;
use ring::hmac;

use crate::api::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Answer, Server, Tenant, on_each_server};

async fn a_public_organisation(server: &Server) -> Tenant {
    let tenant = server.an_organisation().await;
    let settings = Settings { vod_public: true, live_public: true, ..tenant.organisation.settings };
    server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
    tenant
}

#[track_caller]
fn ancestors(answer: &Answer) -> &str {
    answer.header("content-security-policy").split("frame-ancestors ").nth(1).unwrap()
}

#[tokio::test]
async fn every_site_may_frame_the_player_until_the_organisation_names_some() {
    on_each_server(async |server| {
        let (tenant, other) = (a_public_organisation(&server).await, a_public_organisation(&server).await);
        let stream = a_stream(&server, &tenant, &["title:A <service>"]).await;
        let page = format!("GET /embed/{stream}");
        let answer = server.send(&page, None, "").await;
        assert_eq!((answer.status.as_u16(), ancestors(&answer)), (200, "*"));
        assert!(answer.text.contains("<title>A &lt;service></title>"), "{}", answer.text);
        assert!(!answer.header("content-security-policy").contains("unsafe"));

        let domains: EmbedDomains = "example.com *.example.org".parse().unwrap();
        server.service.set_embed_domains(&tenant.admin, &domains).await.unwrap();
        assert_eq!(ancestors(&server.send(&page, None, "").await), "'self' example.com *.example.org");
        let theirs = a_stream(&server, &other, &[]).await;
        assert_eq!(ancestors(&server.send(&format!("GET /embed/{theirs}"), None, "").await), "*");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_opens_the_player_binds_its_frame_and_no_other_widens_it() {
    on_each_server(async |server| {
        let tenant = a_public_organisation(&server).await;
        let stream = a_stream(&server, &tenant, &[]).await;
        let domains: EmbedDomains = "example.com *.example.org".parse().unwrap();
        server.service.set_embed_domains(&tenant.admin, &domains).await.unwrap();
        let made = async |domains: &[&str]| {
            let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
            let wish = TokenWish {
                of: TokenOf::Stream(stream),
                expiry: Expiry::In(3_600),
                not_before: None,
                ips: Vec::new(),
                domains,
                label: None,
            };
            let Secret(token) = server.service.make_playback_token(&tenant.admin, &wish).await.unwrap().token;
            token
        };
        // The status, and who may frame what is answered to a page of one of the organisation's sites.
        let policies = async |token: &str| {
            let page = format!("GET /embed/{stream}?token={token}");
            let answer = server.send_with(&page, &[("referer", "https://live.example.org/page")], "").await;
            let policies = answer.headers.get_all("content-security-policy").iter();
            let ancestors = |policy: &HeaderValue| policy.to_str().unwrap().split("frame-ancestors ").nth(1).unwrap().to_owned();
            (answer.status.as_u16(), policies.map(ancestors).collect::<Vec<_>>())
        };
        let own = "'self' example.com *.example.org";
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"none of ours");
        let claims = r#"{"jti":"5f86a12f-3801-415a-b450-6b6a46842349","exp":1,"org":"8sKpm","domains":["evil.example"]}"#;
        let made_up = Claims::from_json(claims).unwrap().sign(&key);
        let (bound, foreign, free) = (made(&["live.example.org"]).await, made(&["*.example.net"]).await, made(&[]).await);
        for token in [&made_up, &bound, &foreign] {
            assert_eq!(policies(token).await, (200, vec![own.to_owned()]), "everybody may watch: nobody asks for a token");
        }
        let settings = Settings { vod_public: true, live_public: false, ..tenant.organisation.settings };
        server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
        assert_eq!(policies(&bound).await, (200, vec![own.to_owned(), "live.example.org".to_owned()]));
        assert_eq!(policies(&free).await, (200, vec![own.to_owned()]));
        for opens_nothing in [&made_up, &foreign] {
            assert_eq!(policies(opens_nothing).await, (200, vec![own.to_owned()]), "there are recordings, which are public");
        }
    })
    .await;
}

#[tokio::test]
async fn it_shows_the_newest_recording_where_nothing_is_live_or_the_one_that_was_asked_for() {
    on_each_server(async |server| {
        let tenant = a_public_organisation(&server).await;
        let (stream, other) = (a_stream(&server, &tenant, &[]).await, a_stream(&server, &tenant, &[]).await);
        let page = format!("GET /embed/{stream}");
        assert!(server.send(&page, None, "").await.text.contains(" live=\"/live/"));
        assert_eq!(server.send(&format!("{page}/facts"), None, "").await.ok()["recording"], serde_json::Value::Null);

        let first = a_finished_recording(&server.db, stream).await;
        let second = a_finished_recording(&server.db, stream).await;
        let answer = server.send(&page, None, "").await.text;
        assert!(answer.contains(&format!("/{}\"", second.file_name)) && !answer.contains(" live="), "{answer}");
        let facts = server.send(&format!("{page}/facts"), None, "").await.ok();
        assert_eq!(facts["live"], false);
        assert_eq!(facts["recording"]["id"], second.id.to_string());

        let answer = server.send(&format!("{page}?asset={}", first.id), None, "").await.text;
        assert!(answer.contains(&format!("/{}\"", first.file_name)) && answer.contains("data-fixed"), "{answer}");
        assert_eq!(server.send(&format!("GET /embed/{other}?asset={}", first.id), None, "").await.status.as_u16(), 404);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_public_is_named_to_nobody_from_outside() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let settings = Settings { vod_public: false, live_public: false, ..tenant.organisation.settings };
        server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
        let stream = a_stream(&server, &tenant, &[]).await;
        let name = server.service.stream(&tenant.admin, stream).await.unwrap().streamname.to_string();
        let unknown: StreamId = "5f86a12f-3801-415a-b450-6b6a46842349".parse().unwrap();
        for (id, query, status) in
            [(stream, "", 401), (unknown, "", 401), (stream, "?token=made-up", 403), (unknown, "?token=made-up", 401)]
        {
            for page in ["", "/facts"] {
                let answer = server.send(&format!("GET /embed/{id}{page}{query}"), None, "").await;
                assert!(
                    answer.status.as_u16() == status || page == "/facts" && answer.status.is_client_error(),
                    "{id}{page}{query}"
                );
                assert!(!answer.text.contains(&name), "{}", answer.text);
            }
        }
        assert_eq!(server.send("GET /embed/none", None, "").await.status.as_u16(), 404);
    })
    .await;
}
