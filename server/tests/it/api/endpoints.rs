//! Endpoints for events by the API: made, changed, with their secrets and what they were told.

use afterlive_domain::endpoint::{MAX_ENDPOINTS, TOLD};
use afterlive_domain::{EndpointId, MessageId, ToldKinds};
use afterlive_server::service::EndpointChange;
use serde_json::{Value, json};

use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Server, Tenant, on_a_server, on_each_server};

const URL: &str = "https://hooks.example.com/events?secret=1";
const LIST: &str = "GET /organisation/endpoint";
const MAKE: &str = "POST /organisation/endpoint";

/// An endpoint, and what it was to be told, which is given up. Those before are gone: there may be a few only.
pub async fn an_endpoint(server: &Server, tenant: &Tenant) -> (EndpointId, MessageId) {
    for old in server.service.endpoints(&tenant.admin).await.unwrap() {
        server.service.delete_endpoint(&tenant.admin, old.id).await.unwrap();
    }
    let url = "https://example.com/events".parse().unwrap();
    let endpoint = server.service.create_endpoint(&tenant.admin, url, ToldKinds::all(), true).await.unwrap().id;
    let delivery = server.service.test_endpoint(&tenant.admin, endpoint).await.unwrap();
    for enabled in [Some(false), Some(true)] {
        let change = EndpointChange { enabled, ..EndpointChange::default() };
        server.service.change_endpoint(&tenant.admin, endpoint, change).await.unwrap();
    }
    (endpoint, delivery)
}

async fn make(server: &Server, tenant: &Tenant, body: Value) -> Value {
    server.send(MAKE, Some(&tenant.admin_key), &body.to_string()).await.ok()
}

#[tokio::test]
async fn an_endpoint_is_made_changed_and_deleted() {
    on_each_server(async |server| {
        let (tenant, other) = (server.an_organisation().await, server.an_organisation().await);
        let send = async |call: &str, body: Value| server.send(call, Some(&tenant.admin_key), &body.to_string()).await;
        assert_eq!(send(LIST, json!({})).await.ok(), json!([]));
        let mut made = make(&server, &tenant, json!({ "url": URL })).await;
        let secret = made.as_object_mut().unwrap().remove("secret").unwrap();
        assert!(secret.as_str().unwrap().starts_with("whsec_"));
        let id = made["id"].as_str().unwrap().to_owned();
        assert_eq!(
            made,
            json!({
                "id": id, "url": URL, "kinds": TOLD, "enabled": true, "gone_at": null, "failing_since": null,
                "created_at": "2026-11-04T17:09:19.899Z", "updated_at": "2026-11-04T17:09:19.899Z",
            })
        );
        let list = send(LIST, json!({})).await;
        assert_eq!(list.ok(), json!([made]));
        assert!(!list.text.contains(secret.as_str().unwrap()));
        assert_eq!(server.send(LIST, Some(&other.admin_key), "").await.ok(), json!([]));

        let of_secret = format!("/organisation/endpoint/{id}/secret");
        let shown = send(&format!("GET {of_secret}"), json!({})).await.ok();
        assert_eq!(shown, json!({ "id": id, "secret": secret, "old_secret_until": null }));
        let rotated = send(&format!("POST {of_secret}"), json!({})).await.ok();
        assert_ne!(rotated["secret"], secret);
        assert_eq!(rotated["old_secret_until"], "2026-11-05T17:09:19.899Z");
        assert_eq!(send(&format!("GET {of_secret}"), json!({})).await.ok(), rotated);

        let change = format!("PUT /organisation/endpoint/{id}");
        let changed = send(&change, json!({ "kinds": ["asset.failed", "asset.ready"] })).await.ok();
        assert_eq!((&changed["kinds"], &changed["url"]), (&json!(["asset.ready", "asset.failed"]), &json!(URL)));
        let changed = send(&change, json!({ "url": "http://example.com", "enabled": false })).await.ok();
        assert_eq!((&changed["url"], &changed["enabled"]), (&json!("http://example.com"), &json!(false)));
        assert_eq!(send(&change, json!({})).await.ok(), changed, "what is left out stays");
        let delete = format!("DELETE /organisation/endpoint/{id}");
        assert_eq!(send(&delete, json!({})).await.ok(), json!({ "id": id, "deleted": true }));
        assert_eq!(send(&delete, json!({})).await.error(), (404, 3010));
        assert_eq!(send(LIST, json!({})).await.ok(), json!([]));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_named_and_there_are_not_many() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        assert_eq!(server.send(MAKE, Some(&tenant.admin_key), "{}").await.error(), (400, 1002));
        for (body, parameter) in [
            (json!({ "url": "example.com" }), "url"),
            (json!({ "url": "http://127.0.0.1:9000/" }), "url"),
            (json!({ "url": "https://user:secret@example.com/" }), "url"),
            (json!({ "url": URL, "kinds": [] }), "kinds"),
            (json!({ "url": URL, "kinds": ["stream.created"] }), "kinds"),
            (json!({ "url": URL, "kinds": "asset.ready" }), "kinds"),
            (json!({ "url": URL, "enabled": 1 }), "enabled"),
        ] {
            let answer = server.send(MAKE, Some(&tenant.admin_key), &body.to_string()).await;
            assert_eq!(answer.error(), (400, 1004), "{body}");
            assert_eq!(answer.json()["error"]["userinfo"]["parameter"], parameter);
        }
        for _ in 0..MAX_ENDPOINTS {
            make(&server, &tenant, json!({ "url": URL })).await;
        }
        let refused = server.send(MAKE, Some(&tenant.admin_key), &json!({ "url": URL }).to_string()).await;
        assert_eq!(refused.error(), (409, 3003));
    })
    .await;
    on_a_server(&[("WEBHOOK__ALLOW_PRIVATE", "true")], async |server| {
        let tenant = server.an_organisation().await;
        make(&server, &tenant, json!({ "url": "http://127.0.0.1:9000/" })).await;
    })
    .await;
}

#[tokio::test]
async fn what_an_endpoint_was_told_is_listed_page_by_page_and_sent_again() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = make(&server, &tenant, json!({ "url": URL })).await["id"].as_str().unwrap().to_owned();
        let stream = a_stream(&server, &tenant, &[]).await;
        let asset = a_finished_recording(&server.db, stream).await;
        let page = server.send(&format!("GET /organisation/endpoint/{id}/delivery?quantity=2"), Some(&tenant.admin_key), "").await;
        let first = page.ok();
        assert_eq!((&first[0]["type"], &first[1]["type"]), (&json!("asset.ready"), &json!("stream.ended")));
        assert_eq!(
            first[0],
            json!({
                "id": first[0]["id"], "type": "asset.ready", "stream": stream, "asset": asset.id, "at": "2026-11-04T17:09:19.899Z",
                "state": "queued", "attempts": 0, "last_status": null, "last_reason": null, "last_attempt_at": null,
                "next_attempt_at": null, "finished_at": null,
            })
        );
        let next = page.header("link").split(['<', '>']).nth(1).unwrap();
        let path = &next[next.find("/organisation").unwrap()..];
        let last = server.send(&format!("GET {path}"), Some(&tenant.admin_key), "").await;
        assert_eq!(last.ok().as_array().unwrap().len(), 1);
        assert!(last.headers.get("link").is_none());
        for cursor in ["x", "-1", "0"] {
            let path = format!("GET /organisation/endpoint/{id}/delivery?cursor={cursor}");
            assert_eq!(server.send(&path, Some(&tenant.admin_key), "").await.error(), (400, 1004), "{cursor}");
        }

        let tried = server.send(&format!("POST /organisation/endpoint/{id}/test"), Some(&tenant.admin_key), "").await.ok();
        let delivery = tried["delivery"].as_str().unwrap();
        let another = server.send(&format!("POST /organisation/endpoint/{id}/test"), Some(&tenant.admin_key), "").await;
        assert_eq!(another.error(), (409, 3003), "one at a time");
        let again = server.send(&format!("POST /organisation/delivery/{delivery}/resend"), Some(&tenant.admin_key), "").await;
        assert_eq!(again.ok(), tried);
        let queued = first[0]["id"].as_str().unwrap();
        let refused = server.send(&format!("POST /organisation/delivery/{queued}/resend"), Some(&tenant.admin_key), "").await;
        assert_eq!(refused.error(), (409, 3003));
    })
    .await;
}
