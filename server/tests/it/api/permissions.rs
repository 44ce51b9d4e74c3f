//! Who may call what, and that nobody sees another organisation's.

use afterlive_domain::organisation::Settings;
use afterlive_domain::{AssetId, EndpointId, KeyId, MessageId, Role, StreamId, TokenId};
use afterlive_server::http::api::openapi::DOCUMENT;
use afterlive_server::service::Opens;
use afterlive_server::service::playback::{Expiry, TokenOf, TokenWish};
use serde_json::{Value, json};

use super::endpoints::an_endpoint;
use super::sessions::{a_token, a_user};
use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{Answer, Server, Tenant, on_each_server};

/// Every call, with the least role that may make it. `ID` stands for a stream, `ASSET` for a recording, `KEY` for a key,
/// `ENDPOINT` for an endpoint for events, `DELIVERY` for what it is to be told. What is behind a `#` is for [`body`].
const CALLS: &[(&str, Role)] = &[
    ("GET /stream?tags[]=a", Role::ReadOnly),
    ("GET /stream/ID", Role::ReadOnly),
    ("GET /stream/ID/group", Role::ReadOnly),
    ("GET /stream/public?tags[]=a", Role::ReadOnly),
    ("GET /tag", Role::ReadOnly),
    ("GET /organisation", Role::ReadOnly),
    ("GET /asset", Role::ReadOnly),
    ("GET /asset/ASSET", Role::ReadOnly),
    ("GET /asset/ASSET/report", Role::ReadOnly),
    ("GET /user", Role::ReadOnly),
    ("GET /permission", Role::ReadOnly),
    ("POST /stream/validate", Role::ReadOnly),
    ("POST /token/verify", Role::ReadOnly),
    ("POST /stream", Role::User),
    ("PUT /stream/ID/tag", Role::User),
    ("PUT /stream/ID/push_url", Role::User),
    ("PUT /stream/ID/push_url#null", Role::User),
    ("POST /stream/ID/processing", Role::User),
    ("GET /token/playback", Role::User),
    ("POST /token/playback", Role::User),
    ("POST /token/revoke", Role::User),
    ("PUT /stream/ID/stop", Role::Admin),
    ("POST /stream/ID/stop", Role::Admin),
    ("PUT /stream/ID/lock", Role::Admin),
    ("PUT /stream/ID/unlock", Role::Admin),
    ("POST /stream/ID/publish_key", Role::Admin),
    ("DELETE /stream/ID", Role::Admin),
    ("DELETE /asset/ASSET", Role::Admin),
    ("POST /asset/ASSET/restore", Role::Admin),
    ("PUT /asset/ASSET/hold", Role::Admin),
    ("PUT /organisation/recording", Role::Admin),
    ("PUT /organisation/webhook", Role::Admin),
    ("PUT /organisation/publish_key", Role::Admin),
    ("POST /organisation/playback_secret", Role::Admin),
    ("GET /organisation/endpoint", Role::Admin),
    ("POST /organisation/endpoint", Role::Admin),
    ("PUT /organisation/endpoint/ENDPOINT", Role::Admin),
    ("DELETE /organisation/endpoint/ENDPOINT", Role::Admin),
    ("GET /organisation/endpoint/ENDPOINT/secret", Role::Admin),
    ("POST /organisation/endpoint/ENDPOINT/secret", Role::Admin),
    ("POST /organisation/endpoint/ENDPOINT/test", Role::Admin),
    ("GET /organisation/endpoint/ENDPOINT/delivery", Role::Admin),
    ("POST /organisation/delivery/DELIVERY/resend", Role::Admin),
    ("GET /apikey", Role::Admin),
    ("GET /organisation/apikey", Role::Admin),
    ("POST /organisation/apikey", Role::Admin),
    ("DELETE /organisation/apikey/KEY", Role::Admin),
];

/// Calls that players make without a key.
fn is_for_anybody(call: &str) -> bool {
    call.starts_with("GET /stream/ID")
}

/// And those that they make with a player key.
fn is_for_players(call: &str) -> bool {
    is_for_anybody(call) || call.starts_with("GET /stream?") || call.starts_with("GET /stream/public?")
}

/// In which ways a caller of that role can show who it is.
async fn credentials(server: &Server, tenant: &Tenant, role: Role) -> [(&'static str, String); 3] {
    let (_, email) = a_user(server, tenant, role).await;
    let token = a_token(server, &email).await;
    let key = tenant.key(role).to_owned();
    [("X-BINTU-APIKEY", key), ("X-BINTU-TOKEN", token.clone()), ("Authorization", format!("Bearer {token}"))]
}

/// What all calls take; for `POST /token/revoke` one that is on the list, by its id.
fn body(call: &str, token: TokenId) -> String {
    let mut body = json!({
        "tags": ["a"], "url": "rtmp://live.example.com/app/key", "webhook": null, "label": "a", "role": "nanoReadOnly",
        "streamname": "a", "processing": [["a"]], "expires_in_s": 600, "hold": true, "required": false,
    });
    if call.ends_with("#null") {
        body["url"] = json!(null);
    }
    if call.contains("/organisation/endpoint") {
        body["url"] = json!("https://example.com/events");
    }
    if call.ends_with("/token/revoke") {
        body["id"] = json!(token);
    } else {
        body["token"] = json!("a");
    }
    body.to_string()
}

/// What calls name. All of it is the organisation's.
struct Named {
    stream: StreamId,
    asset: AssetId,
    key: KeyId,
    endpoint: EndpointId,
    delivery: MessageId,
    token: TokenId,
}

impl Named {
    async fn of(server: &Server, tenant: &Tenant, tags: &[&str]) -> Self {
        let stream = a_stream(server, tenant, tags).await;
        let recorded = a_stream(server, tenant, tags).await;
        let asset = a_finished_recording(&server.db, recorded).await.id;
        let key = server.service.create_api_key(&tenant.admin, "named", Opens::Role(Role::ReadOnly), None).await.unwrap();
        let (endpoint, delivery) = an_endpoint(server, tenant).await;
        let (of, expiry, label) = (TokenOf::Organisation, Expiry::In(3_600), Some("named".to_owned()));
        let wish = TokenWish { of, expiry, not_before: None, ips: Vec::new(), domains: Vec::new(), label };
        let token = server.service.make_playback_token(&tenant.admin, &wish).await.unwrap().claims.id;
        Self { stream, asset, key: key.row.id, endpoint, delivery, token }
    }

    async fn send(&self, server: &Server, call: &str, headers: &[(&str, &str)]) -> Answer {
        let (path, _) = call.split_once('#').unwrap_or((call, ""));
        let path = path.replace("KEY", &self.key.to_string()).replace("ASSET", &self.asset.to_string());
        let path = path.replace("ENDPOINT", &self.endpoint.to_string()).replace("DELIVERY", &self.delivery.to_string());
        server.send_with(&path.replace("ID", &self.stream.to_string()), headers, &body(call, self.token)).await
    }

    /// What is not there for another organisation: the refusal's code, and what it names.
    fn missing(&self, call: &str) -> Option<(u64, Value)> {
        let missing = [
            ("ASSET", 3004, json!({ "asset": self.asset })),
            ("KEY", 3006, json!({ "key": self.key })),
            ("ENDPOINT", 3010, json!({ "endpoint": self.endpoint })),
            ("DELIVERY", 3011, json!({ "delivery": self.delivery })),
            ("ID", 3001, json!({ "stream": self.stream })),
        ];
        missing.into_iter().find(|(part, ..)| call.contains(part)).map(|(_, code, userinfo)| (code, userinfo))
    }
}

#[test]
fn the_document_asks_for_the_same_roles() {
    for (call, least) in CALLS {
        let (method, path) = call.split_once(' ').unwrap();
        let path = path.split(['?', '#']).next().unwrap();
        let path = ["ID", "ASSET", "KEY", "ENDPOINT", "DELIVERY"]
            .into_iter()
            .fold(path.to_owned(), |path, name| path.replace(name, "{id}"));
        let operation = &DOCUMENT["paths"][&path][method.to_lowercase()];
        assert!(operation.is_object(), "{call}");
        let asked = operation["security"][0]["apiKey"][0].as_str();
        assert_eq!(asked, Some(least.as_str()), "{call}");
        let schemes: Vec<&String> =
            operation["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
        assert_eq!(schemes.contains(&&"playerKey".to_owned()), is_for_players(call), "{call}");
        let without_any = operation["security"].as_array().unwrap().contains(&json!({}));
        assert_eq!(without_any, is_for_anybody(call), "{call}");
    }
}

#[tokio::test]
async fn each_role_may_call_what_it_may_and_nothing_more() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        for role in Role::ALL {
            for (name, value) in credentials(&server, &tenant, role).await {
                for (call, least) in CALLS {
                    let named = Named::of(&server, &tenant, &[]).await;
                    let answer = named.send(&server, call, &[(name, &value)]).await;
                    if role >= *least {
                        answer.ok();
                    } else {
                        assert_eq!(answer.error(), (403, 2001), "{call} as {role} by {name}");
                        assert_eq!(answer.json()["error"]["userinfo"], json!({ "required_role": least.as_str() }), "{call}");
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_player_key_opens_what_players_need_and_a_browser_session_no_call_at_all() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let named = Named::of(&server, &tenant, &[]).await;
        let player = server.service.create_api_key(&tenant.admin, "Website", Opens::Playout, None).await.unwrap().secret;
        let (user, _) = a_user(&server, &tenant, Role::Admin).await;
        let signed_in = server.send(&format!("GET /sign-in/{user}"), None, "").await;
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
        for (call, _) in CALLS {
            let send = async |name, value: &str| named.send(&server, call, &[(name, value)]).await;
            let answer = send("X-BINTU-PLAYERKEY", &player).await;
            if is_for_players(call) {
                answer.ok();
                assert!(!answer.text.contains("ingest"), "{call}");
            } else {
                assert_eq!(answer.error(), (401, 4002), "{call} by a player key");
            }
            for elsewhere in ["X-BINTU-APIKEY", "X-BINTU-TOKEN"] {
                assert_eq!(send(elsewhere, &player).await.error(), (401, 4002), "{call}: a player key as {elsewhere}");
            }
            // Another site's form would send it along. To these calls it is nobody's; live is not public here.
            let refused = if is_for_anybody(call) { (403, 2001) } else { (401, 4002) };
            assert_eq!(send("Cookie", &cookie).await.error(), refused, "{call} by a browser session");
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_good_credential_nothing_is_open_but_what_players_need() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let named = Named::of(&server, &tenant, &[]).await;
        let live = Settings { live_public: true, ..tenant.organisation.settings };
        server.service.save_organisation(&tenant.admin, "Chapel", live).await.unwrap();
        let revoked = server.service.create_api_key(&tenant.admin, "old", Opens::Role(Role::Admin), None).await.unwrap();
        server.service.revoke_api_key(&tenant.admin, revoked.row.id).await.unwrap();
        let soon = Some(Expiry::In(1));
        let expired = server.service.create_api_key(&tenant.admin, "short", Opens::Role(Role::Admin), soon).await.unwrap();
        let ended = server.service.create_api_key(&tenant.admin, "site", Opens::Playout, soon).await.unwrap();
        server.clock.advance_ms(1_000);
        let (_, email) = a_user(&server, &tenant, Role::Admin).await;
        let token = a_token(&server, &email).await;
        let (halved, unsigned) = (&tenant.admin_key[..32], token.rsplit_once('.').unwrap().0);
        let basic = format!("Basic {token}");
        let long = "a".repeat(2_000);
        let bad = [
            ("X-BINTU-APIKEY", revoked.secret.as_str()),
            ("X-BINTU-APIKEY", &expired.secret),
            ("X-BINTU-APIKEY", halved),
            ("X-BINTU-APIKEY", ""),
            ("X-BINTU-APIKEY", &long),
            ("X-BINTU-TOKEN", &tenant.admin_key),
            ("X-BINTU-TOKEN", unsigned),
            ("X-BINTU-PLAYERKEY", &tenant.admin_key),
            ("X-BINTU-PLAYERKEY", &ended.secret),
            ("X-BINTU-PLAYERKEY", &token),
            ("Authorization", "Bearer x"),
            ("Authorization", &basic),
        ];
        for (call, _) in CALLS {
            let answer = named.send(&server, call, &[]).await;
            if is_for_anybody(call) {
                answer.ok();
            } else {
                assert_eq!(answer.error(), (401, 4002), "{call}");
            }
            for header in bad {
                let answer = named.send(&server, call, &[header]).await;
                assert_eq!(answer.error(), (401, 4002), "{call} with {header:?}");
                assert!(header.1.is_empty() || !answer.text.contains(header.1), "a credential is never repeated");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_another_organisation_has_does_not_exist() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let named = Named::of(&server, &ours, &["secret"]).await;
        let id = named.stream;
        let mut means = credentials(&server, &theirs, Role::Admin).await.to_vec();
        let player = server.service.create_api_key(&theirs.admin, "Website", Opens::Playout, None).await.unwrap().secret;
        means.push(("X-BINTU-PLAYERKEY", player));
        for (name, value) in &means {
            for (call, _) in CALLS {
                let Some((code, userinfo)) = named.missing(call) else { continue };
                let answer = named.send(&server, call, &[(name, value)]).await;
                if *name == "X-BINTU-PLAYERKEY" && !is_for_players(call) {
                    assert_eq!(answer.error(), (401, 4002), "{call}");
                    continue;
                }
                assert_eq!(answer.error(), (404, code), "{call} by {name}");
                assert_eq!(answer.json()["error"]["userinfo"], userinfo, "{call}");
            }
            let list = server.send_with("GET /stream?tags[]=secret", &[(name, value)], "").await;
            assert_eq!(list.ok(), json!([]), "by {name}");
        }
        assert_eq!(server.send("GET /stream?q=secret", Some(&theirs.admin_key), "").await.ok(), json!([]));
        assert_eq!(server.send("GET /tag", Some(&theirs.admin_key), "").await.ok(), json!([]));
        let stream = server.send(&format!("GET /stream/{id}"), Some(&ours.admin_key), "").await.ok();
        assert_eq!((&stream["tags"], &stream["state"]), (&json!(["secret"]), &json!("created")), "untouched");
        let asset = server.send(&format!("GET /asset/{}", named.asset), Some(&ours.reader_key), "").await.ok();
        assert_eq!((&asset["state"], &asset["hold"]), (&json!("ready"), &json!(null)), "untouched");
        let keys = server.send("GET /apikey", Some(&ours.admin_key), "").await;
        assert!(keys.text.contains(&named.key.to_string()), "not revoked");
    })
    .await;
}

#[tokio::test]
async fn an_organisation_describes_itself() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        assert_eq!(
            server.send("GET /organisation", Some(&tenant.reader_key), "").await.ok(),
            json!({
                "id": tenant.organisation.id,
                "name": "Chapel",
                "hash": tenant.organisation.hash,
                "webhook": null,
                "publish_key": { "required": false },
                "vod": { "enabled": true, "public": false },
                "live": { "public": false },
                "recording": {
                    "max_duration_s": null,
                    "max_bytes": null,
                    "reconnect_window_s": null,
                    "retention_days": null,
                    "effective": { "max_duration_s": 0, "max_bytes": 0, "reconnect_window_s": 30, "retention_days": 0 },
                    "bin_days": 7,
                },
                "region": "eu",
                "created_at": "2026-11-04T17:09:19.899Z",
                "updated_at": "2026-11-04T17:09:19.899Z",
            })
        );
    })
    .await;
}

#[tokio::test]
async fn an_organisation_sets_what_holds_for_its_recordings_field_by_field() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let set = async |body: &str| server.send("PUT /organisation/recording", Some(&ours.admin_key), body).await;
        let recording = set(r#"{"max_duration_s":3600,"retention_days":0,"unknown":1}"#).await.ok()["recording"].clone();
        assert_eq!((&recording["max_duration_s"], &recording["retention_days"]), (&json!(3_600), &json!(0)));
        assert_eq!((&recording["max_bytes"], &recording["effective"]["max_duration_s"]), (&json!(null), &json!(3_600)));
        let recording =
            set(r#"{"max_duration_s":null,"max_bytes":1048576,"reconnect_window_s":0}"#).await.ok()["recording"].clone();
        let effective = json!({ "max_duration_s": 0, "max_bytes": 1_048_576, "reconnect_window_s": 0, "retention_days": 0 });
        assert_eq!((&recording["max_duration_s"], &recording["effective"]), (&json!(null), &effective));

        for (bad, field) in [
            (r#"{"max_duration_s":9}"#, "max_duration_s"),
            (r#"{"max_duration_s":9223372036854775808}"#, "max_duration_s"),
            (r#"{"max_bytes":-1}"#, "max_bytes"),
            (r#"{"max_bytes":1048575,"retention_days":3}"#, "max_bytes"),
            (r#"{"reconnect_window_s":3601}"#, "reconnect_window_s"),
            (r#"{"reconnect_window_s":"30"}"#, "reconnect_window_s"),
            (r#"{"retention_days":1.5}"#, "retention_days"),
            (r#"{"retention_days":36501}"#, "retention_days"),
        ] {
            let answer = set(bad).await;
            assert_eq!(answer.error(), (400, 1004), "{bad}");
            assert_eq!(answer.json()["error"]["userinfo"]["parameter"], field, "{bad}");
        }
        let read = async |key: &str| server.send("GET /organisation", Some(key), "").await.ok()["recording"].clone();
        assert_eq!(read(&ours.reader_key).await, recording, "what is refused changes nothing");
        assert_eq!(read(&theirs.reader_key).await["max_bytes"], json!(null));
    })
    .await;
}

#[tokio::test]
async fn a_keys_last_use_is_written_down_once_a_minute() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let mut seen = Vec::new();
        for wait_ms in [0, 59_999, 1, 60_000] {
            server.clock.advance_ms(wait_ms);
            server.send("GET /tag", Some(&tenant.reader_key), "").await.ok();
            let keys = server.service.api_keys(&tenant.admin).await.unwrap();
            let used = keys.iter().find(|key| tenant.reader_key.starts_with(&key.hint)).unwrap().last_used_at.unwrap();
            seen.push(used.ms_since(crate::fixture::database::NOW));
        }
        assert_eq!(seen, [0, 0, 60_000, 120_000]);
    })
    .await;
}
