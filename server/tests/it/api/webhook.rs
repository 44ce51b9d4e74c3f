//! The setting of the webhook. What is asked there, and what becomes of the answer, is tested with the gate.

use afterlive_domain::Role;
use serde_json::json;

use crate::fixture::server::{Server, Tenant, on_a_server, on_each_server};

const CALL: &str = "PUT /organisation/webhook";
const URL: &str = "https://hooks.example.com/publish?secret=1";

async fn shown(server: &Server, tenant: &Tenant, role: Role) -> serde_json::Value {
    server.send("GET /organisation", Some(tenant.key(role)), "").await.ok()["webhook"].clone()
}

#[tokio::test]
async fn it_is_set_and_taken_away_and_only_admins_see_its_secret() {
    on_each_server(async |server| {
        let (tenant, other) = (server.an_organisation().await, server.an_organisation().await);
        let set = async |url: serde_json::Value| {
            server.send(CALL, Some(&tenant.admin_key), &json!({ "webhook": url }).to_string()).await.ok()["webhook"].clone()
        };
        assert_eq!(set(URL.into()).await, URL);
        assert_eq!(shown(&server, &tenant, Role::Admin).await, URL);
        for role in [Role::User, Role::ReadOnly] {
            assert_eq!(shown(&server, &tenant, role).await, "https://hooks.example.com/…");
        }
        assert_eq!(shown(&server, &other, Role::Admin).await, json!(null), "another organisation's stays as it is");
        assert_eq!(set(json!(null)).await, json!(null));
        assert_eq!(shown(&server, &tenant, Role::Admin).await, json!(null));
        set(URL.into()).await;
        assert_eq!(set("".into()).await, json!(null));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_and_named() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let answer = server.send(CALL, Some(&tenant.admin_key), "{}").await;
        assert_eq!(answer.error(), (400, 1002));
        assert_eq!(answer.json()["error"]["userinfo"]["required_parameter"], "webhook");
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        for bad in
            [json!(7), json!("example.com"), json!("gopher://example.com/"), json!("https://a:b@example.com/"), json!(long)]
        {
            let answer = server.send(CALL, Some(&tenant.admin_key), &json!({ "webhook": bad }).to_string()).await;
            assert_eq!(answer.error(), (400, 1004), "{bad}");
            assert_eq!(answer.json()["error"]["userinfo"]["parameter"], "webhook");
        }
        assert_eq!(shown(&server, &tenant, Role::Admin).await, json!(null));
    })
    .await;
}

#[tokio::test]
async fn what_could_never_be_asked_is_refused_when_it_is_set() {
    let urls =
        ["http://127.0.0.1:9000/", "https://[::1]/", "http://10.0.0.7/publish", "http://169.254.169.254/", "http://localhost/"];
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for url in urls {
            let answer = server.send(CALL, Some(&tenant.admin_key), &json!({ "webhook": url }).to_string()).await;
            assert_eq!(answer.error(), (400, 1004), "{url}");
            assert_eq!(
                answer.json()["error"]["userinfo"]["type"],
                "a URL on a public address: addresses of this machine and of private networks are not allowed here; \
                 the operator may allow them with webhook.allow_private = true",
                "{url}"
            );
        }
        assert_eq!(shown(&server, &tenant, Role::Admin).await, json!(null));
    })
    .await;
    on_a_server(&[("WEBHOOK__ALLOW_PRIVATE", "true")], async |server| {
        let tenant = server.an_organisation().await;
        for url in urls {
            let answer = server.send(CALL, Some(&tenant.admin_key), &json!({ "webhook": url }).to_string()).await;
            assert_eq!(answer.ok()["webhook"], url);
        }
    })
    .await;
}
