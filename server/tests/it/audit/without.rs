//! Without the table: what the server does by itself goes on, what is denied is denied, and what callers change is not changed.

use std::pin::pin;

use afterlive_domain::{AssetState, Mode, StreamState, Tags};
use afterlive_server::audit::Audit;
use afterlive_server::clock::Clock;
use afterlive_server::db::{Db, Raw, assets, streams};
use afterlive_server::finalise::{Finaliser, Retention};
use afterlive_server::jobs::{self, Task, Worker};
use afterlive_server::service::{NewStream, SignIn};
use futures::FutureExt;

use super::{HOME, all_rows, execute, rows};
use crate::fixture::database::{NOW, on_each_database};
use crate::fixture::encoder::{encode, send};
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::on_each_server;
use crate::fixture::studio::Studio;

const AWAY: &str = "ALTER TABLE audit RENAME TO audit_away";
const BACK: &str = "ALTER TABLE audit_away RENAME TO audit";
const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn a_publish_goes_live_ends_and_is_finalised() {
    on_each_database(async |db| {
        execute(&db, AWAY).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(db.clone(), folder.path()).await;
        let mut grant = studio.publish().await;
        let state = async || streams::by_id(&mut db.read().await.unwrap(), studio.stream.id).await.unwrap().unwrap().state;
        assert_eq!(state().await, StreamState::Live);
        send(grant.publisher(), &encode(2, true, true));
        drop(grant);
        studio.settle().await;
        assert_eq!(state().await, StreamState::Ended);
        assert_eq!(studio.assets().await[0].state, AssetState::Ready);
    })
    .await;
}

/// On PostgreSQL lines get their numbers one transaction after the other, and whoever has the lock for that may be slow.
#[tokio::test]
async fn a_publish_waits_for_nobody_who_writes_the_log() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let mut slow = server.db.write().await.unwrap();
        let Raw::Postgres(raw) = slow.raw() else { return };
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(0x4146_5445_0000_0002_i64).execute(raw).await.unwrap();
        let new = NewStream { tags: Tags::default(), default_mode: Mode::Rec };
        let mut change = pin!(server.service.create_stream(&tenant.admin, new));
        // Who changes something does wait for it.
        while !is_waited_for(&server.db).await {
            assert!((&mut change).now_or_never().is_none(), "a change got past the lock");
        }

        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::new(server.db.clone(), folder.path()).await;
        let mut grant = studio.publish().await;
        send(grant.publisher(), &encode(2, true, true));
        drop(grant);
        studio.settle().await;
        assert_eq!(studio.assets().await[0].state, AssetState::Ready);
        assert!((&mut change).now_or_never().is_none(), "the lock was not held all the while");
        drop(slow);
        change.await.unwrap();
    })
    .await;
}

/// Whether somebody waits for an advisory lock.
async fn is_waited_for(db: &Db) -> bool {
    let mut connection = db.read().await.unwrap();
    let Raw::Postgres(raw) = connection.raw() else { return false };
    let statement = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)";
    sqlx::query_scalar(statement).fetch_one(raw).await.unwrap()
}

#[tokio::test]
async fn retention_takes_what_is_old_and_what_it_did_is_noted_once_it_can_be() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let new = NewStream { tags: Tags::default(), default_mode: Mode::Rec };
        let stream = server.service.create_stream(&tenant.admin, new).await.unwrap();
        let asset = a_finished_recording(&server.db, stream.id).await;
        let since = all_rows(&server, &tenant).await.last().unwrap().id;
        execute(&server.db, AWAY).await.unwrap();

        let mut tx = server.db.write().await.unwrap();
        jobs::ensure(&mut tx, Task::Retain, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let (audit, clock) = (Audit::default(), Clock::simulated(NOW));
        let rules = afterlive_domain::organisation::RecordingRules { retention_days: 30, ..Default::default() };
        let retention = Retention { rules, ..Retention::default() };
        let finaliser = Finaliser::new(server.db.clone(), clock.clone(), server.service.regions().clone())
            .with_retention(retention)
            .with_audit(audit.clone());
        let worker = Worker::new(server.db.clone(), clock.clone(), move |task| {
            let finaliser = finaliser.clone();
            Box::pin(async move { finaliser.perform(task).await })
        });
        let read = async || assets::by_id(&mut server.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
        clock.advance_ms(31 * DAY_MS);
        worker.run_due().await.unwrap();
        assert_eq!(read().await.state, AssetState::Deleted);
        assert!(audit.write(&server.db).await.is_err());
        clock.advance_ms(8 * DAY_MS);
        worker.run_due().await.unwrap();
        assert!(read().await.purged_at.is_some());

        execute(&server.db, BACK).await.unwrap();
        let rows = rows(&server.db, &audit, tenant.organisation.id, since).await;
        let told: Vec<(&str, &str, &str, Option<&str>)> = rows
            .iter()
            .map(|row| (row.act.as_str(), row.who_kind.as_str(), row.on_label.as_str(), row.detail.as_deref()))
            .collect();
        let file = asset.file_name.as_str();
        assert_eq!(
            told,
            [
                ("recording.binned", "server", file, Some("its time is over")),
                ("recording.purged", "server", file, Some("its time in the bin is over")),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_denied_is_denied_and_what_callers_change_is_refused_and_not_changed() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let email = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();
        let password = "die Kirchturmuhr schlaegt dreizehn";
        server.service.add_user(&tenant.admin, &email, password, afterlive_domain::Role::Admin).await.unwrap();
        let made = server.send("POST /stream", Some(&tenant.user_key), "{}").await.ok();
        let id = made["id"].as_str().unwrap().to_owned();
        let before = all_rows(&server, &tenant).await;
        execute(&server.db, AWAY).await.unwrap();

        assert_eq!(server.send("POST /stream", Some(&tenant.reader_key), "{}").await.error(), (403, 2001));
        assert_eq!(server.send("GET /stream", Some("no-such-key"), "").await.error(), (401, 4002));
        assert_eq!(server.service.sign_in(&email, "wr0ng", HOME).await.unwrap(), SignIn::WrongCredentials);
        assert!(matches!(server.service.sign_in(&email, password, HOME).await.unwrap(), SignIn::Done(_)));
        let lock = format!("PUT /stream/{id}/lock");
        let tag = format!("PUT /stream/{id}/tag");
        for (call, body) in [
            ("POST /stream", "{}"),
            (lock.as_str(), ""),
            (tag.as_str(), r#"{"tags":["changed"]}"#),
            ("POST /organisation/apikey", r#"{"label":"x","role":"nanoUser"}"#),
            ("PUT /organisation/recording", r#"{"retention_days":7}"#),
        ] {
            assert_eq!(server.send(call, Some(&tenant.admin_key), body).await.error(), (500, 9000), "{call}");
        }
        let streams = server.send("GET /stream", Some(&tenant.admin_key), "").await.ok();
        assert_eq!(streams.as_array().unwrap().len(), 1);
        assert_eq!(streams[0], server.send(&format!("GET /stream/{id}"), Some(&tenant.admin_key), "").await.ok());
        assert_eq!((&streams[0]["state"], &streams[0]["tags"]), (&made["state"], &made["tags"]));
        let keys = server.service.api_keys(&tenant.admin).await.unwrap();
        assert_eq!(keys.len(), 3);
        assert_eq!(server.service.organisation(&tenant.admin).await.unwrap().recording.retention_days, None);
        // The log itself says so as any failure does.
        assert_eq!(server.send("GET /audit", Some(&tenant.admin_key), "").await.error(), (500, 9000));

        execute(&server.db, BACK).await.unwrap();
        let after = all_rows(&server, &tenant).await;
        assert_eq!(after[..before.len()], before[..]);
        let new: Vec<&str> = after[before.len()..].iter().map(|row| row.act.as_str()).collect();
        assert_eq!(
            new,
            ["session.began", "session.refused", "request.denied"],
            "what is no change of a caller's, and nothing else"
        );
    })
    .await;
}
