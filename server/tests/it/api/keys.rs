//! Keys made, listed, expiring and revoked by the API.

use afterlive_domain::{KeyId, KeyUse, Role};
use afterlive_server::db::api_keys::{self, ApiKey};
use afterlive_server::hexadecimal::hexadecimal;
use afterlive_server::service::Opens;
use http::HeaderValue;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::streams::a_stream;
use crate::fixture::database::NOW;
use crate::fixture::server::{Server, Tenant, on_each_server};

async fn a_key(server: &Server, tenant: &Tenant, body: &str) -> Value {
    server.send("POST /organisation/apikey", Some(&tenant.admin_key), body).await.ok()
}

/// As the list has it. Keys that were made in the same millisecond stand in any order.
async fn listed(server: &Server, tenant: &Tenant, id: &str) -> Value {
    let keys = server.send("GET /organisation/apikey", Some(&tenant.admin_key), "").await.ok();
    keys.as_array().unwrap().iter().find(|key| key["id"] == id).unwrap().clone()
}

fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json[field].as_str().unwrap()
}

#[tokio::test]
async fn a_key_is_shown_once_opens_what_its_role_may_and_is_revoked_at_once() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for (role, may_create, may_lock) in [("nanoReadOnly", 403, 403), ("nanoUser", 200, 403), ("nanoAdmin", 200, 200)] {
            let made = a_key(&server, &tenant, &json!({ "label": " Website ", "role": role }).to_string()).await;
            let (id, key) = (text(&made, "id"), text(&made, "key"));
            assert_eq!(key.len(), 64);
            let all = server.send("GET /organisation/apikey", Some(&tenant.admin_key), "").await;
            assert!(!all.text.contains(key), "it is shown once");
            assert_eq!(
                listed(&server, &tenant, id).await,
                json!({
                    "id": id, "label": "Website", "kind": "api", "role": role, "hint": &key[..6], "created_at": NOW, "last_used_at": null,
                    "expires_at": null, "expired": false,
                })
            );
            assert_eq!(server.send("GET /stream", Some(key), "").await.status.as_u16(), 200);
            let created = server.send("POST /stream", Some(key), "").await;
            assert_eq!(created.status.as_u16(), may_create, "{role}");
            let stream = server.send("POST /stream", Some(&tenant.admin_key), "").await.ok();
            let lock = format!("PUT /stream/{}/lock", text(&stream, "id"));
            assert_eq!(server.send(&lock, Some(key), "").await.status.as_u16(), may_lock, "{role}");
            assert_eq!(listed(&server, &tenant, id).await["last_used_at"], json!(NOW));

            let revoke = format!("DELETE /organisation/apikey/{id}");
            let revoked = server.send(&revoke, Some(&tenant.admin_key), "").await.ok();
            assert_eq!(revoked, json!({ "id": id, "revoked": true, "own": false }));
            assert_eq!(server.send("GET /stream", Some(key), "").await.error(), (401, 4002));
            let again = server.send(&revoke, Some(&tenant.admin_key), "").await;
            assert_eq!((again.error(), &again.json()["error"]["userinfo"]), ((404, 3006), &json!({ "key": id })));
            let left = server.send("GET /apikey", Some(&tenant.admin_key), "").await;
            assert!(!left.text.contains(id));
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_good_until_it_expires_and_is_listed_then_as_expired() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for how in ["expires_in_s", "exp"] {
            let end = if how == "exp" { json!(server.clock.now().plus_ms(60_000)) } else { json!(60) };
            let body = json!({ "label": "short", "role": "nanoUser", how: end });
            let made = a_key(&server, &tenant, &body.to_string()).await;
            assert_eq!(made["expires_at"], json!(server.clock.now().plus_ms(60_000)));
            let call = async || server.send("GET /tag", Some(text(&made, "key")), "").await;
            server.clock.advance_ms(59_999);
            call().await.ok();
            server.clock.advance_ms(1);
            assert_eq!(call().await.error(), (401, 4002));
            assert_eq!(listed(&server, &tenant, text(&made, "id")).await["expired"], json!(true));
        }
    })
    .await;
}

#[tokio::test]
async fn keys_that_have_expired_keep_no_new_one_from_being_made_and_are_deleted_in_the_end() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let mut tx = server.db.write().await.unwrap();
        for n in 0..997 {
            let key = ApiKey {
                id: KeyId(Uuid::new_v4()),
                organisation: tenant.organisation.id,
                label: "short".to_owned(),
                kind: KeyUse::Api,
                role: Role::ReadOnly,
                hint: "012345".to_owned(),
                created_at: NOW,
                last_used_at: None,
                expires_at: Some(NOW.plus_ms(60_000)),
            };
            api_keys::insert(&mut tx, &key, &format!("{n} of {}", tenant.organisation.hash)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let make = async || {
            let body = r#"{"label":"one more","role":"nanoUser"}"#;
            server.send("POST /organisation/apikey", Some(&tenant.admin_key), body).await
        };
        let count = async || server.send("GET /apikey", Some(&tenant.admin_key), "").await.ok().as_array().unwrap().len();
        assert_eq!((make().await.error(), count().await), ((409, 3003), 1_000), "no more than a thousand");
        server.clock.advance_ms(60_000);
        make().await.ok();
        assert_eq!(count().await, 3 + 100 + 1, "of those that have expired a hundred are shown");
        server.clock.advance_ms(30 * 86_400_000);
        make().await.ok();
        assert_eq!(count().await, 3 + 2);
    })
    .await;
}

#[tokio::test]
async fn of_keys_that_are_revoked_nothing_stays_after_a_month() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let body = r#"{"label":"old","role":"nanoUser"}"#;
        let mut gone = Vec::new();
        for tenant in [&ours, &theirs] {
            let id = text(&a_key(&server, tenant, body).await, "id").parse::<KeyId>().unwrap();
            server.service.revoke_api_key(&tenant.admin, id).await.unwrap().unwrap();
            gone.push((tenant.organisation.id, id));
        }
        let left = async || {
            let mut connection = server.db.read().await.unwrap();
            let [ours, theirs] = [gone[0], gone[1]];
            let of_ours = api_keys::by_id(&mut connection, ours.0, ours.1).await.unwrap();
            (of_ours.is_some(), api_keys::by_id(&mut connection, theirs.0, theirs.1).await.unwrap().is_some())
        };
        server.clock.advance_ms(30 * 86_400_000 - 1);
        a_key(&server, &ours, body).await;
        assert_eq!(left().await, (true, true));
        server.clock.advance_ms(1);
        a_key(&server, &ours, body).await;
        assert_eq!(left().await, (false, true));
        let good = server.send("GET /apikey", Some(&ours.admin_key), "").await.ok();
        assert_eq!(good.as_array().unwrap().len(), 3 + 2);
    })
    .await;
}

#[tokio::test]
async fn what_no_key_can_be_is_refused_by_the_field() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for (body, code, field) in [
            (json!({ "role": "nanoUser" }), 1002, "label"),
            (json!({ "label": "  ", "role": "nanoUser" }), 1002, "label"),
            (json!({ "label": "x" }), 1002, "role"),
            (json!({ "label": "x", "role": "root" }), 1004, "role"),
            (json!({ "label": "x", "kind": "master" }), 1004, "kind"),
            (json!({ "label": "x", "kind": "player", "role": "nanoAdmin" }), 1004, "role"),
            (json!({ "label": "x".repeat(101), "role": "nanoUser" }), 1004, "label"),
            (json!({ "label": "x", "role": "nanoUser", "expires_in_s": 0 }), 1004, "expires_in_s"),
            (json!({ "label": "x", "role": "nanoUser", "expires_in_s": u64::MAX }), 1004, "expires_in_s"),
            (json!({ "label": "x", "role": "nanoUser", "exp": NOW }), 1004, "exp"),
            (json!({ "label": "x", "role": "nanoUser", "exp": "2026-12-01", "expires_in_s": 60 }), 1003, "exp"),
        ] {
            let answer = server.send("POST /organisation/apikey", Some(&tenant.admin_key), &body.to_string()).await;
            assert_eq!(answer.error(), (400, code), "{body}");
            assert!(answer.json()["error"]["userinfo"].to_string().contains(field), "{body}: {}", answer.text);
        }
        let answer = server.send("DELETE /organisation/apikey/x", Some(&tenant.admin_key), "").await;
        assert_eq!(answer.error(), (400, 1004));
        let listed = server.send("GET /apikey", Some(&tenant.admin_key), "").await.ok();
        assert_eq!(listed.as_array().unwrap().len(), 3, "nothing was made");
    })
    .await;
}

#[tokio::test]
async fn the_key_in_use_and_the_last_one_can_be_revoked() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let keys = server.send("GET /apikey", Some(&tenant.admin_key), "").await.ok();
        let own = keys.as_array().unwrap().iter().find(|key| key["role"] == "nanoAdmin").unwrap();
        let revoke = format!("DELETE /organisation/apikey/{}", text(own, "id"));
        assert_eq!(server.send(&revoke, Some(&tenant.admin_key), "").await.ok()["own"], json!(true));
        assert_eq!(server.send("GET /apikey", Some(&tenant.admin_key), "").await.error(), (401, 4002));
        // Who signs in to the dashboard makes another.
        let key = server.service.create_api_key(&tenant.admin, "anew", Opens::Role(Role::Admin), None).await.unwrap();
        server.send("GET /apikey", Some(&key.secret), "").await.ok();
    })
    .await;
}

#[tokio::test]
async fn another_organisations_keys_do_not_exist() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let made = a_key(&server, &ours, r#"{"label":"ours alone","role":"nanoUser"}"#).await;
        let revoke = format!("DELETE /organisation/apikey/{}", text(&made, "id"));
        assert_eq!(server.send(&revoke, Some(&theirs.admin_key), "").await.error(), (404, 3006));
        let listed = server.send("GET /apikey", Some(&theirs.admin_key), "").await;
        assert!(!listed.text.contains("ours alone") && listed.ok().as_array().unwrap().len() == 3);
        for key in [&ours.user_key, &ours.reader_key] {
            assert_eq!(server.send(&revoke, Some(key), "").await.error(), (403, 2001));
        }
        server.send("GET /tag", Some(text(&made, "key")), "").await.ok();
    })
    .await;
}

#[tokio::test]
async fn who_shows_a_key_is_told_whether_it_is_good() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let made = a_key(&server, &tenant, r#"{"label":"x","role":"nanoReadOnly","expires_in_s":60}"#).await;
        let key = text(&made, "key");
        let validate = async |key: &str| server.send("POST /apikey", None, &json!({ "apikey": key }).to_string()).await;
        let check = async |key: &str| server.send(&format!("POST /apikey/{key}"), None, "").await.ok();
        assert_eq!(validate(key).await.ok(), json!({ "key": key, "created_at": NOW }));
        assert_eq!(check(key).await, json!({ "success": true }));
        let row = listed(&server, &tenant, text(&made, "id")).await;
        assert_eq!(row["last_used_at"], json!(null), "to be asked about is no use");
        for bad in ["x", &key[..63], &key.to_uppercase(), &"a".repeat(2_000), "%00", "%ff"] {
            assert_eq!(validate(bad).await.error(), (401, 4002), "{bad}");
            assert_eq!(check(bad).await, json!({ "success": false }), "{bad}");
        }
        server.clock.advance_ms(60_000);
        assert_eq!(validate(key).await.error(), (401, 4002));
        assert_eq!(check(key).await, json!({ "success": false }));
        assert_eq!(server.send("POST /apikey", None, "").await.error(), (400, 1002));
        assert_eq!(server.send("POST /apikey", None, r#"{"apikey":7}"#).await.error(), (400, 1004));
    })
    .await;
}

#[tokio::test]
async fn keys_are_not_tried_by_the_thousand_and_who_signs_in_is_not_slowed_by_it() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let validate = async |key: &str| server.send("POST /apikey", None, &json!({ "apikey": key }).to_string()).await;
        for n in 0..30 {
            assert_eq!(validate(&format!("{n:064}")).await.error(), (401, 4002), "{n}");
        }
        let refused = validate(&tenant.admin_key).await;
        assert_eq!(refused.error(), (429, 1006));
        let check = server.send(&format!("POST /apikey/{}", tenant.admin_key), None, "").await;
        assert_eq!(check.error(), (429, 1006), "one limit for both");
        server.send("GET /tag", Some(&tenant.admin_key), "").await.ok();
        // Only what is no key is counted: who asks about their own may ask as often as they like.
        let wait_s: i64 = refused.header("retry-after").parse().unwrap();
        server.clock.advance_ms(wait_s * 1_000);
        for _ in 0..40 {
            validate(&tenant.admin_key).await.ok();
        }
        let check = server.send(&format!("POST /apikey/{}", tenant.admin_key), None, "").await;
        assert_eq!(check.ok(), json!({ "success": true }));
        // What is longer than any key is none, and no guess.
        for _ in 0..40 {
            let check = server.send(&format!("POST /apikey/{}", "a".repeat(513)), None, "").await;
            assert_eq!(check.ok(), json!({ "success": false }));
        }
        assert_eq!(validate("wrong").await.error(), (401, 4002));
        assert_eq!(validate(&tenant.admin_key).await.error(), (429, 1006));
    })
    .await;
}

#[tokio::test]
async fn a_player_key_shows_what_players_see_of_its_organisation_and_opens_nothing_else() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let made = a_key(&server, &ours, r#"{"label":"Website","kind":"player"}"#).await;
        assert_eq!((&made["kind"], &made["role"]), (&json!("player"), &json!(null)));
        let key = text(&made, "key");
        let a = a_stream(&server, &ours, &["a", "all"]).await;
        let b = a_stream(&server, &ours, &["b", "all"]).await;
        let gone = a_stream(&server, &ours, &["a", "all"]).await;
        server.send(&format!("DELETE /stream/{gone}"), Some(&ours.admin_key), "").await.ok();
        let foreign = a_stream(&server, &theirs, &["a", "all"]).await;
        let ask = async |call: &str| server.send_with(call, &[("X-BINTU-PLAYERKEY", key)], "").await;
        // As the original's SDK asks, and as its documents say; live and recordings are not public here.
        for path in ["/stream", "/stream/public"] {
            let found = async |query: &str| {
                let list = ask(&format!("GET {path}{query}")).await.ok();
                list.as_array().unwrap().iter().map(|stream| stream["id"].clone()).collect::<Vec<_>>()
            };
            assert_eq!(found("?tags[]=a").await, [json!(a)], "{path}");
            assert_eq!(found("?tags[]=b&state=created").await, [json!(b)], "{path}");
            assert_eq!(found("?tags[]=all&state=live").await.len(), 0, "{path}");
            assert_eq!(found("?tags[]=all").await.len(), 2, "{path}");
            assert_eq!(found("?tags[0]=all&quantity=0").await.len(), 0, "{path}");
            // It opens no list of everything, and nothing that costs much.
            for none in ["", "?state=live", "?tags[]="] {
                let refused = ask(&format!("GET {path}{none}")).await;
                assert_eq!(refused.error(), (400, 1002), "{none}");
                assert_eq!(refused.json()["error"]["userinfo"], json!({ "required_parameter": "tags" }));
            }
            for more in ["q=a", "sort=name", "sort=updated", "from=2026-01-01", "to=2027-01-01", "state=deleted"] {
                assert_eq!(ask(&format!("GET {path}?tags[]=all&{more}")).await.error(), (400, 1004), "{more}");
            }
            let page = ask(&format!("GET {path}?tags[]=all&quantity=1")).await;
            let (link, _) = page.header("link").strip_prefix("<http://localhost:3000").unwrap().split_once('>').unwrap();
            assert!(link.starts_with(&format!("{path}?")), "{link}");
            assert_ne!(ask(&format!("GET {link}")).await.ok()[0]["id"], page.ok()[0]["id"]);
        }
        for call in [
            "GET /stream?tags[]=a",
            "GET /stream/public?tags[]=a",
            &format!("GET /stream/{a}"),
            &format!("GET /stream/{a}/group"),
        ] {
            let answer = ask(call).await;
            answer.ok();
            assert!(!answer.text.contains("ingest") && !answer.text.contains("push"), "{call}: {}", answer.text);
        }
        for id in [foreign, gone] {
            assert_eq!(ask(&format!("GET /stream/{id}")).await.error(), (404, 3001));
        }
        for call in [
            "GET /tag",
            "GET /organisation",
            "GET /asset",
            "GET /apikey",
            "GET /user",
            "POST /stream",
            "POST /token/playback",
            "POST /stream/validate",
            &format!("PUT /stream/{a}/tag"),
            &format!("DELETE /stream/{a}"),
        ] {
            assert_eq!(ask(call).await.error(), (401, 4002), "{call}");
        }
        // A node of a version that knows no kinds looks for the hash of what is sent as an API key, and finds none, whatever a header can carry.
        let mut connection = server.db.read().await.unwrap();
        let between = (1..=u8::MAX).filter(|byte| HeaderValue::from_bytes(&[*byte]).is_ok());
        let sent = between.map(|byte| [b"player", &[byte][..], key.as_bytes()].concat());
        for sent in sent.chain([key.as_bytes().to_vec(), format!("player{key}").into_bytes()]) {
            let hash = hexadecimal(&Sha256::digest(&sent));
            for kind in [KeyUse::Api, KeyUse::Player] {
                assert_eq!(api_keys::by_secret_hash(&mut connection, kind, &hash, NOW).await.unwrap(), None);
            }
        }
        drop(connection);
        // Each kind is good in its own header alone.
        assert_eq!(server.send("GET /stream", Some(key), "").await.error(), (401, 4002));
        assert_eq!(server.send("POST /apikey", None, &json!({ "apikey": key }).to_string()).await.error(), (401, 4002));
        let as_player = server.send_with("GET /stream/public", &[("X-BINTU-PLAYERKEY", &ours.admin_key)], "").await;
        assert_eq!(as_player.error(), (401, 4002));
        let both = [("X-BINTU-PLAYERKEY", key), ("X-BINTU-APIKEY", ours.reader_key.as_str())];
        assert!(server.send_with("GET /stream?q=a", &both, "").await.text.contains("ingest"));
        // What a proxy asked for, or a playback token, which opens what it opens.
        let playback = server.send("POST /token/playback", Some(&ours.admin_key), r#"{"expires_in_s":600}"#).await.ok();
        for authorization in ["Basic dXNlcjpwYXNzd29yZA==".to_owned(), format!("Bearer {}", text(&playback, "token"))] {
            let both = [("X-BINTU-PLAYERKEY", key), ("Authorization", authorization.as_str())];
            for call in ["GET /stream?tags[]=a".to_owned(), format!("GET /stream/{a}")] {
                let seen = server.send_with(&call, &both, "").await;
                seen.ok();
                assert!(!seen.text.contains("ingest"), "{call}");
            }
            assert_eq!(server.send_with("GET /tag", &both, "").await.error(), (401, 4002));
        }

        let revoke = format!("DELETE /organisation/apikey/{}", text(&made, "id"));
        server.send(&revoke, Some(&ours.admin_key), "").await.ok();
        for call in ["GET /stream/public?tags[]=a", "GET /stream?tags[]=a", &format!("GET /stream/{a}")] {
            assert_eq!(ask(call).await.error(), (401, 4002), "{call}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_public_list_is_what_players_see_whoever_asks() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        a_stream(&server, &tenant, &[]).await;
        for key in [&tenant.admin_key, &tenant.reader_key] {
            let answer = server.send("GET /stream/public", Some(key), "").await;
            assert_eq!(answer.ok().as_array().unwrap().len(), 1);
            assert!(!answer.text.contains("ingest") && !answer.text.contains("push"), "{}", answer.text);
        }
        assert_eq!(server.send("GET /stream/public", None, "").await.error(), (401, 4002));
    })
    .await;
}
