//! How playback tokens are made, verified, listed, revoked and swept.

use super::*;
use crate::fixture::recordings::a_finished_recording;

#[tokio::test]
async fn tokens_are_made_verified_listed_and_revoked_by_calls() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server.db, &ours.organisation).await;
        let post =
            async |call: &str, key: &str, body: Value| server.send(&format!("POST {call}"), Some(key), &body.to_string()).await;
        let user = ours.user_key.as_str();
        let body = json!({ "stream": stream.id, "expires_in_s": 3600, "ips": ["203.0.113.0/24"], "domains": ["Example.com"],
            "label": "Website", "unknown": 1 });
        let made = post("/token/playback", user, body).await.ok();
        assert_eq!((&made["ips"], &made["domains"]), (&json!(["203.0.113.0/24"]), &json!(["example.com"])));
        assert_eq!((&made["expires_at"], &made["exp"]), (&json!("2026-11-04T18:09:19.000Z"), &json!(1_793_815_759)));
        assert_eq!(made["streamname"], json!(stream.streamname));
        let token = made["token"].as_str().unwrap();

        let verify = async |more: Value| {
            let mut body = json!({ "token": token });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            post("/token/verify", &ours.reader_key, body).await.ok()
        };
        let good = verify(json!({ "stream": stream.streamname, "ip": "203.0.113.9", "domain": "example.com" })).await;
        assert_eq!((&good["valid"], &good["reason"], &good["id"]), (&json!(true), &Value::Null, &made["id"]));
        assert_eq!(verify(json!({})).await["valid"], true);
        let other = a_stream(&server.db, &ours.organisation).await;
        for (more, why_not) in [
            (json!({ "ip": "192.0.2.1" }), "for other addresses than 192.0.2.1"),
            (json!({ "domain": "evil.test" }), "on other sites than evil.test"),
            (json!({ "stream": other.id }), "for another stream"),
        ] {
            let bad = verify(more).await;
            assert_eq!(bad["valid"], false);
            assert!(bad["reason"].as_str().unwrap().contains(why_not), "{bad}");
        }
        let foreign = post("/token/verify", &theirs.admin_key, json!({ "token": token })).await.ok();
        assert_eq!((&foreign["valid"], foreign.get("id")), (&json!(false), None));

        let listed = server.send(&format!("GET /token/playback?stream={}", stream.id), Some(user), "").await;
        assert_eq!((&listed.ok()[0]["label"], &listed.json()[0]["id"]), (&json!("Website"), &made["id"]));
        assert!(!listed.text.contains(token));
        assert_eq!(server.send("GET /token/playback", Some(&theirs.user_key), "").await.ok(), json!([]));
        // Another organisation revokes what is its own only.
        assert_eq!(post("/token/revoke", &theirs.admin_key, json!({ "token": token })).await.error(), (400, 1004));
        post("/token/revoke", &theirs.admin_key, json!({ "id": made["id"] })).await.ok();
        assert_eq!(verify(json!({})).await["valid"], true);
        let revoked = post("/token/revoke", user, json!({ "id": made["id"] })).await.ok();
        assert_eq!(revoked, json!({ "id": made["id"], "revoked": true }));
        assert_eq!(verify(json!({})).await["reason"], "the token was revoked");
        assert_eq!(server.send("GET /token/playback", Some(user), "").await.ok(), json!([]));
        post("/token/revoke", user, json!({ "token": token })).await.ok();
    })
    .await;
}

#[tokio::test]
async fn a_token_that_cannot_be_is_refused_by_the_field() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let foreign = a_stream(&server.db, &theirs.organisation).await;
        let post = async |call: &str, key: &str, body: Value| server.send(&format!("POST {call}"), Some(key), &body.to_string()).await;
        for (body, status, code) in [
            (json!({}), 400, 1002),
            (json!({ "expires_in_s": 0 }), 400, 1004),
            (json!({ "expires_in_s": 40_000_000 }), 400, 1004),
            (json!({ "expires_in_s": 60, "exp": 1_793_815_759 }), 400, 1003),
            (json!({ "exp": "yesterday" }), 400, 1004),
            (json!({ "exp": "2026-11-04T17:00:00Z" }), 400, 1004),
            (json!({ "expires_in_s": 60, "nbf": 1_793_815_759 }), 400, 1004),
            (json!({ "expires_in_s": 60, "ips": ["nowhere"] }), 400, 1004),
            (json!({ "expires_in_s": 60, "ips": "203.0.113.7" }), 400, 1004),
            (json!({ "expires_in_s": 60, "domains": ["exa mple"] }), 400, 1004),
            (json!({ "expires_in_s": 60, "tags": [] }), 400, 1004),
            (json!({ "expires_in_s": 60, "tags": ["a"], "stream": foreign.id }), 400, 1004),
            (json!({ "expires_in_s": 60, "tags": vec!["a".repeat(150); 1].into_iter().chain((0..40).map(|n| format!("{n:0150}"))).collect::<Vec<_>>() }), 400, 1004),
            (json!({ "expires_in_s": 60, "stream": foreign.id }), 404, 3001),
            (json!({ "expires_in_s": 60, "stream": "x" }), 404, 3001),
        ] {
            assert_eq!(post("/token/playback", &ours.user_key, body.clone()).await.error(), (status, code), "{body}");
        }
        for call in ["/token/playback", "/token/revoke"] {
            let body = json!({ "expires_in_s": 60, "token": "x" });
            assert_eq!(post(call, &ours.reader_key, body).await.error(), (403, 2001), "{call}");
        }
        assert_eq!(post("/token/verify", "wrong", json!({ "token": "x" })).await.error(), (401, 4002));
        assert_eq!(post("/token/verify", &ours.reader_key, json!({})).await.error(), (400, 1002));
    })
    .await;
}

#[tokio::test]
async fn what_has_expired_is_swept() {
    on_each_server(async |server| {
        let ours = server.an_organisation().await;
        let labelled = TokenWish { label: Some("Website".to_owned()), ..wish() };
        let made = server.service.make_playback_token(&ours.admin, &labelled).await.unwrap();
        let Secret(token) = made.token;
        server.send("POST /token/revoke", Some(&ours.user_key), &json!({ "token": token }).to_string()).await.ok();
        let sweep = async |ms| {
            let mut tx = server.db.write().await.unwrap();
            let swept = afterlive_server::db::playback::delete_expired(&mut tx, NOW.plus_ms(ms)).await.unwrap();
            tx.commit().await.unwrap();
            swept
        };
        assert_eq!((sweep(3_590_000).await, sweep(3_700_000).await, sweep(3_700_000).await), (0, 2, 0));
    })
    .await;
}

#[tokio::test]
async fn beside_a_player_key_a_token_shows_what_it_opens() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        a_finished_recording(&scene.server.db, scene.stream.id).await;
        let key = scene.server.service.create_api_key(&scene.ours.admin, "Website", Opens::Playout, None).await.unwrap().secret;
        let ask = async |call: &str| scene.server.send_with(call, &[("x-bintu-playerkey", &key)], "").await;
        let has_still = |playout: &Value| playout["thumbnails"].to_string().contains("/live/");
        let shown = async |token: Option<String>| {
            let query = token.map_or_else(String::new, |token| format!("?token={token}"));
            let playout = ask(&format!("GET /stream/{}{query}", scene.stream.id)).await.ok()["playout"].clone();
            (playout["web"].as_array().unwrap().len(), has_still(&playout))
        };
        for opens_nothing in ["none", "nonsense", "other stream", "other organisation", "revoked"] {
            assert_eq!(shown(scene.token(opens_nothing).await).await, (1, false), "{opens_nothing}");
        }
        for opens in ["stream", "organisation"] {
            assert_eq!(shown(scene.token(opens).await).await, (2, true), "{opens}");
        }
        let listed = async || {
            let list = ask("GET /stream?tags[]=b").await.ok();
            list.as_array().unwrap().iter().find(|stream| stream["id"] == json!(scene.stream.id)).unwrap()["playout"].clone()
        };
        assert_eq!((listed().await["web"].as_array().unwrap().len(), has_still(&listed().await)), (1, false));
        let public = Settings { recording_enabled: true, vod_public: true, live_public: true };
        scene.server.service.save_organisation(&scene.ours.admin, "Chapel", public).await.unwrap();
        assert_eq!((listed().await["web"].as_array().unwrap().len(), has_still(&listed().await)), (2, true));
        assert_eq!(shown(None).await, (2, true));
    })
    .await;
}
