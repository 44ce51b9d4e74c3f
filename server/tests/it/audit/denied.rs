//! Attempts that were denied: who, what and from where, counted together; bounded whatever comes, and never a caller's loss of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use afterlive_domain::{Mode, Role};
use afterlive_server::audit::{Audit, MAX_OF_ORGANISATION};
use afterlive_server::db::audit_log::Entry;
use afterlive_server::hub::{CannotRecord, Recorder, RecorderSubscription, Recording};
use afterlive_server::ingest::gate::{Gate, Gatekeeper, IngestRegions, PublishRequest};
use afterlive_server::ingest::webhook;
use afterlive_server::service::{Caller, Identity, Opens, PasswordChange, SignIn};
use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use super::{HOME, all_rows, rows};
use crate::fixture::browser::Browser;
use crate::fixture::database::a_stream;
use crate::fixture::server::{Server, Tenant, on_each_server};

const PASSWORD: &str = "die Kirchturmuhr schlaegt dreizehn";

/// Those that were denied, of which there must be one.
async fn denied(server: &Server, tenant: &Tenant) -> Vec<Entry> {
    all_rows(server, tenant).await.into_iter().filter(|row| row.denied).collect()
}

#[tokio::test]
async fn who_asks_for_what_their_role_does_not_allow_is_noted_once_a_minute_with_how_often() {
    on_each_server(async |server| {
        let (tenant, other) = (server.an_organisation().await, server.an_organisation().await);
        let made = all_rows(&server, &tenant).await.len();
        for n in 0..20 {
            server.clock.advance_ms(1_000);
            let call = if n == 0 { "POST /stream" } else { "GET /organisation/apikey" };
            assert_eq!(server.send(call, Some(&tenant.reader_key), "{}").await.error(), (403, 2001));
        }
        let connection = afterlive_server::db::audit_log::following;
        let stored =
            connection(&mut server.db.read().await.unwrap(), tenant.organisation.id, 0, (None, None), 100).await.unwrap();
        assert_eq!(stored.entries.len(), made, "nobody waits for it to be written");
        let [row] = denied(&server, &tenant).await.try_into().unwrap();
        assert_eq!((row.act.as_str(), row.who_kind.as_str(), row.who_label.as_str()), ("request.denied", "key", "test"));
        assert_eq!((row.times, row.at.ms_since(row.first_at)), (20, 19_000));
        assert_eq!((row.detail.as_deref(), row.on_kind), (Some("POST /stream"), None));
        assert_eq!(denied(&server, &other).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_path_with_a_key_in_it_is_noted_without() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let path = format!("DELETE /organisation/apikey/{}", tenant.user_key);
        server.send(&path, Some(&tenant.reader_key), "").await;
        server.send("DELETE /organisation/apikey/3a0f9c9e-6f0e-4f53-8d5b-5a2e4f1f6c11", Some(&tenant.reader_key), "").await;
        let rows = format!("{:?}", all_rows(&server, &tenant).await);
        assert!(rows.contains("/organisation/apikey/…") && !rows.contains(&tenant.user_key), "{rows}");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_over_is_noted_and_one_that_never_was_is_not() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let revoked = server.service.create_api_key(&tenant.admin, "Old encoder", Opens::Role(Role::Admin), None).await.unwrap();
        server.service.revoke_api_key(&tenant.admin, revoked.row.id).await.unwrap();
        for key in [revoked.secret.as_str(), "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"] {
            for _ in 0..3 {
                assert_eq!(server.send("GET /stream", Some(key), "").await.error(), (401, 4002));
            }
        }
        let [row] = denied(&server, &tenant).await.try_into().unwrap();
        assert_eq!((row.act.as_str(), row.times, row.who_label.as_str()), ("key.refused", 3, "Old encoder"));
        assert_eq!(row.who_id, Some(revoked.row.id.to_string()));
        assert_eq!(row.address.as_deref(), Some("0.0.0.0"));
    })
    .await;
}

#[tokio::test]
async fn a_session_token_that_has_expired_is_noted() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let email = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();
        let user = server.service.add_user(&tenant.admin, &email, PASSWORD, Role::User).await.unwrap();
        let token = server.service.make_session_token(&email, PASSWORD, None, HOME).await.unwrap();
        server.service.token_caller(&token, HOME).await.unwrap();
        server.clock.advance_ms(13 * 3_600_000);
        assert!(server.service.token_caller(&token, HOME).await.is_err());
        assert!(server.service.token_caller("eyJ.never.was", HOME).await.is_err());
        let [row] = denied(&server, &tenant).await.try_into().unwrap();
        assert_eq!((row.act.as_str(), row.who_id), ("session_token.refused", Some(user.id.to_string())));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_noted_on_the_account_and_what_was_typed_is_nowhere() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let email = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();
        let user = server.service.add_user(&tenant.admin, &email, PASSWORD, Role::User).await.unwrap();
        for (email, password) in
            [(email.as_str(), "wr0ng-passw0rd"), (email.as_str(), "an0ther"), ("nobody@example.com", "wr0ng-passw0rd")]
        {
            assert_eq!(server.service.sign_in(email, password, HOME).await.unwrap(), SignIn::WrongCredentials);
        }
        let (organisation, identity) = (tenant.organisation.id, Identity::User(user.id));
        let own = Caller { organisation, role: Role::User, identity, from: Some(HOME), let_in_by: None };
        let changed = server.service.change_password(&own, "wr0ng-passw0rd", "wandering geese by night", None).await.unwrap();
        assert_eq!(changed, PasswordChange::WrongPassword);
        let rows = denied(&server, &tenant).await;
        let told: Vec<(&str, &str, i64)> = rows.iter().map(|row| (row.act.as_str(), row.who_kind.as_str(), row.times)).collect();
        assert_eq!(told.len(), 2, "{rows:#?}");
        assert!(
            told.contains(&("session.refused", "stranger", 2)) && told.contains(&("user.password_refused", "user", 1)),
            "{told:?}"
        );
        assert!(rows.iter().all(|row| row.on_label == email && row.address.as_deref() == Some("203.0.113.9")), "{rows:#?}");
        let text = format!("{rows:?}");
        assert!(!text.contains("wr0ng") && !text.contains("an0ther"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn who_looks_around_in_the_dashboard_is_denied_nothing_until_they_ask_for_more() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server.db, &tenant.organisation).await;
        let email = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();
        server.service.add_user(&tenant.admin, &email, PASSWORD, Role::ReadOnly).await.unwrap();
        let mut browser = Browser::signed_in(&server, &email, PASSWORD).await;
        let id = stream.id;
        for path in ["/", "/stream", "/vod", "/organisation", "/account", &format!("/stream/{id}"), &format!("/playout/{id}")] {
            assert_eq!(browser.open(path).await.status.as_u16(), 200, "{path}");
        }
        assert_eq!(denied(&server, &tenant).await, []);
        assert_eq!(browser.open("/organisation/audit").await.status.as_u16(), 403);
        browser.submit("stop_and_lock", &[("stream", &id.to_string())]).await;
        let rows = denied(&server, &tenant).await;
        let [row] = rows.as_slice() else { panic!("{rows:#?}") };
        assert_eq!((row.act.as_str(), row.who_label.as_str()), ("request.denied", email.as_str()));
        assert_eq!((row.times, row.detail.as_deref()), (2, Some("GET /organisation/audit")));
    })
    .await;
}

#[tokio::test]
async fn a_flood_is_a_bounded_number_of_rows_and_hides_no_other_organisation() {
    on_each_server(async |server| {
        let (tenant, other) = (server.an_organisation().await, server.an_organisation().await);
        let reader = server.service.key_caller(&tenant.reader_key, HOME).await.unwrap();
        for n in 0..20_000_u32 {
            server.service.note_denied(&reader.at(std::net::Ipv4Addr::from(n).into()), &format!("GET /{n}"));
        }
        server.service.note_denied(&Caller { organisation: other.organisation.id, ..reader }, "GET /quiet");
        let rows = denied(&server, &tenant).await;
        assert_eq!(rows.len(), MAX_OF_ORGANISATION + 1);
        assert_eq!(rows.iter().map(|row| row.times).sum::<i64>(), 20_000);
        let [row] = denied(&server, &other).await.try_into().unwrap();
        assert_eq!(row.detail.as_deref(), Some("GET /quiet"));
    })
    .await;
}

/// Records nothing.
struct NoRecorder;

#[async_trait]
impl Recorder for NoRecorder {
    async fn start(&self, _: Recording, _: RecorderSubscription) -> Result<(), CannotRecord> {
        Ok(())
    }
}

#[tokio::test]
async fn an_encoder_that_is_not_let_in_is_noted_on_the_stream_or_on_the_name_that_nobody_has() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (open, locked) = (a_stream(&server.db, &tenant.organisation).await, a_stream(&server.db, &tenant.organisation).await);
        server.service.lock_stream(&tenant.admin, locked.id).await.unwrap();
        let audit = Audit::default();
        let gate = Gate::new(
            server.hub.clone(),
            server.db.clone(),
            server.clock.clone(),
            IngestRegions { node: "eu".parse().unwrap(), by_host: BTreeMap::new() },
            Arc::new(NoRecorder),
            TaskTracker::new(),
            webhook::Settings::default(),
        )
        .with_audit(audit.clone());
        let publish = async |name: &str, query: Option<&str>| {
            let request = PublishRequest {
                mode: Mode::Live,
                streamname: name.to_owned(),
                query: query.map(str::to_owned),
                host: None,
                peer: "203.0.113.9:50000".parse().unwrap(),
                protocol: "rtmp",
            };
            gate.admit(request).await.map(drop)
        };
        let since = all_rows(&server, &tenant).await.last().unwrap().id;
        let nobodys = format!("{}-zzzzz", tenant.organisation.hash);
        publish(open.streamname.as_str(), None).await.unwrap();
        for name in [locked.streamname.as_str(), &nobodys, "zzzzz-zzzzz", "no name at all"] {
            publish(name, None).await.unwrap_err();
        }
        server.service.require_publish_key(&tenant.admin, true, false).await.unwrap();
        for query in [None, Some("key=f4lse"), Some("key=f4lse")] {
            publish(open.streamname.as_str(), query).await.unwrap_err();
        }
        let rows = rows(&server.db, &audit, tenant.organisation.id, since).await;
        let rows: Vec<&Entry> = rows.iter().filter(|row| row.denied).collect();
        let mut told: Vec<(&str, &str, i64)> =
            rows.iter().map(|row| (row.on_label.as_str(), row.detail.as_deref().unwrap(), row.times)).collect();
        told.sort_by_key(|(_, why, _)| *why);
        let (open, locked) = (open.streamname.as_str(), locked.streamname.as_str());
        assert_eq!(
            told,
            [
                (locked, "locked, by rtmp", 1),
                (open, "no publish key, by rtmp", 1),
                (nobodys.as_str(), "unknown stream name, by rtmp", 1),
                (open, "wrong publish key, by rtmp", 2),
            ]
        );
        assert!(rows.iter().all(|row| row.who_kind == "encoder" && row.address.as_deref() == Some("203.0.113.9")), "{rows:#?}");
        assert!(!format!("{rows:?}").contains("f4lse"));
    })
    .await;
}
