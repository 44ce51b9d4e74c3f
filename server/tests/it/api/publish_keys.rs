//! The switch for publish keys, and who sees a key. What an encoder with or without one gets is tested with the ingest.

use afterlive_domain::organisation::Settings;
use afterlive_domain::{Role, StreamId};
use afterlive_server::service::Opens;
use serde_json::json;

use super::streams::a_stream;
use crate::fixture::server::{Server, Tenant, on_each_server};

async fn require(server: &Server, tenant: &Tenant, required: bool) {
    let body = json!({ "required": required }).to_string();
    let organisation = server.send("PUT /organisation/publish_key", Some(&tenant.admin_key), &body).await.ok();
    assert_eq!(organisation["publish_key"], json!({ "required": required }));
}

/// As the role is shown it.
async fn name(server: &Server, tenant: &Tenant, role: Role, stream: StreamId) -> String {
    let stream = server.send(&format!("GET /stream/{stream}"), Some(tenant.key(role)), "").await.ok();
    stream["ingest"]["rtmp"]["streamname"].as_str().unwrap().to_owned()
}

fn key(name: &str) -> &str {
    let (_, key) = name.split_once("?key=").unwrap_or_else(|| panic!("a key in {name}"));
    assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    key
}

#[tokio::test]
async fn where_keys_are_required_the_streamname_to_copy_has_one_for_who_may_publish() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (old, other) = (a_stream(&server, &ours, &["a"]).await, a_stream(&server, &theirs, &["a"]).await);
        let bare = name(&server, &ours, Role::Admin, old).await;
        assert_eq!(bare.len(), 11);
        require(&server, &ours, true).await;

        let with_key = name(&server, &ours, Role::Admin, old).await;
        assert!(with_key.starts_with(&format!("{bare}?key=")), "a stream that was there before has one too");
        assert_eq!(name(&server, &ours, Role::User, old).await, with_key);
        assert_eq!(name(&server, &ours, Role::ReadOnly, old).await, bare, "who may only read is not to publish");
        assert_eq!(name(&server, &theirs, Role::Admin, other).await.len(), 11, "another organisation is asked for none");

        let made = server.send("POST /stream", Some(&ours.user_key), "{}").await.ok();
        let new = made["ingest"]["rtmp"]["streamname"].as_str().unwrap();
        assert_ne!(key(new), key(&with_key));
        let list = server.send("GET /stream", Some(&ours.user_key), "").await;
        assert!(list.text.contains(key(new)) && list.text.contains(key(&with_key)), "{}", list.text);
        assert_eq!(list.text.matches("?key=").count(), 2, "nowhere but in the ingest");
        assert!(!server.send("GET /stream", Some(&ours.reader_key), "").await.text.contains("key"));

        // The keys are those of before when the switch is set again.
        require(&server, &ours, false).await;
        assert_eq!(name(&server, &ours, Role::Admin, old).await, bare);
        require(&server, &ours, true).await;
        require(&server, &ours, true).await;
        assert_eq!(name(&server, &ours, Role::Admin, old).await, with_key);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_renewed_for_one_stream() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (one, other) = (a_stream(&server, &tenant, &[]).await, a_stream(&server, &tenant, &[]).await);
        let renew = async || server.send(&format!("POST /stream/{one}/publish_key"), Some(&tenant.admin_key), "").await.ok();
        require(&server, &tenant, true).await;
        let before = [name(&server, &tenant, Role::User, one).await, name(&server, &tenant, Role::User, other).await];
        let mut events = server.db.subscribe();
        let renewed = renew().await["ingest"]["rtmp"]["streamname"].as_str().unwrap().to_owned();
        assert_ne!(key(&renewed), key(&before[0]));
        assert_eq!(name(&server, &tenant, Role::User, one).await, renewed);
        assert_eq!(name(&server, &tenant, Role::User, other).await, before[1]);
        assert_eq!(events.recv().await.unwrap().stream, Some(one), "pages that show the key hear of it");

        // A key that became known while none was required.
        require(&server, &tenant, false).await;
        assert_eq!(renew().await["ingest"]["rtmp"]["streamname"].as_str().unwrap().len(), 11);
        require(&server, &tenant, true).await;
        assert_ne!(name(&server, &tenant, Role::User, one).await, renewed);

        let now = [name(&server, &tenant, Role::User, one).await, name(&server, &tenant, Role::User, other).await];
        let all = r#"{"required":true,"renew_all":true}"#;
        server.send("PUT /organisation/publish_key", Some(&tenant.admin_key), all).await.ok();
        for (stream, before) in [one, other].into_iter().zip(&now) {
            assert_ne!(key(&name(&server, &tenant, Role::User, stream).await), key(before));
        }

        server.send(&format!("DELETE /stream/{one}"), Some(&tenant.admin_key), "").await.ok();
        let answer = server.send(&format!("POST /stream/{one}/publish_key"), Some(&tenant.admin_key), "").await;
        assert_eq!(answer.error(), (409, 3003));
    })
    .await;
}

#[tokio::test]
async fn no_viewer_is_shown_a_key() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let public = Settings { recording_enabled: true, vod_public: true, live_public: true };
        server.service.save_organisation(&tenant.admin, "Chapel", public).await.unwrap();
        let id = a_stream(&server, &tenant, &["a"]).await;
        require(&server, &tenant, true).await;
        let named = name(&server, &tenant, Role::User, id).await;
        let (key, bare) = (key(&named).to_owned(), name(&server, &tenant, Role::ReadOnly, id).await);
        let player = server.service.create_api_key(&tenant.admin, "Website", Opens::Playout, None).await.unwrap().secret;
        let player = [("X-BINTU-PLAYERKEY", player.as_str())];
        // Lists are for keys alone.
        for (path, to_guests) in [
            (format!("/stream/{id}").as_str(), 200),
            (&format!("/stream/{id}/group"), 200),
            ("/stream/public?tags[]=a", 401),
            ("/stream?tags[]=a", 401),
        ] {
            for (credential, status) in [(&player[..], 200), (&[], to_guests)] {
                let answer = server.send_with(&format!("GET {path}"), credential, "").await;
                assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
                assert_eq!(answer.text.contains(&bare), status == 200, "{path}: {}", answer.text);
                assert!(!answer.text.contains("ingest") && !answer.text.contains(&key), "{path}: {}", answer.text);
            }
        }
        for page in [format!("GET /embed/{id}"), format!("GET /embed/{id}/facts")] {
            let answer = server.send(&page, None, "").await;
            assert_eq!(answer.status.as_u16(), 200, "{page}: {}", answer.text);
            assert!(!answer.text.contains(&key), "{page}: {}", answer.text);
        }
        let organisation = server.send("GET /organisation", Some(&tenant.admin_key), "").await;
        organisation.ok();
        assert!(!organisation.text.contains(&key));
        // Who may publish has the bare name where it is not for encoders.
        let ours = server.send(&format!("GET /stream/{id}"), Some(&tenant.user_key), "").await.ok();
        assert_eq!(ours["playout"]["rtmp"][0]["streamname"], json!(bare));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_switch_is_refused_and_named() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for (body, code, parameter) in [
            ("{}", 1002, "required"),
            (r#"{"required":null}"#, 1002, "required"),
            (r#"{"required":"yes"}"#, 1004, "required"),
            (r#"{"required":1}"#, 1004, "required"),
            (r#"{"required":true,"renew_all":1}"#, 1004, "renew_all"),
        ] {
            let answer = server.send("PUT /organisation/publish_key", Some(&tenant.admin_key), body).await;
            assert_eq!(answer.error(), (400, code), "{body}");
            assert!(answer.text.contains(&format!("\"{parameter}\"")), "{}", answer.text);
        }
    })
    .await;
}
