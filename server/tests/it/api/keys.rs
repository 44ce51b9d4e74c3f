//! Keys made, listed, expiring and revoked by the API.

use afterlive_domain::Role;
use serde_json::{Value, json};

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
                    "id": id, "label": "Website", "role": role, "hint": &key[..6], "created_at": NOW, "last_used_at": null,
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
async fn what_no_key_can_be_is_refused_by_the_field() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for (body, code, field) in [
            (json!({ "role": "nanoUser" }), 1002, "label"),
            (json!({ "label": "  ", "role": "nanoUser" }), 1002, "label"),
            (json!({ "label": "x" }), 1002, "role"),
            (json!({ "label": "x", "role": "root" }), 1004, "role"),
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
        let key = server.service.create_api_key(&tenant.admin, "anew", Role::Admin, None).await.unwrap();
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
