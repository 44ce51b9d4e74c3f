//! Very much at once: a healthy endpoint is told all of it, and nobody else waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterlive_domain::{DeliveryState, EventKind, ToldKinds};
use afterlive_server::db::event_outbox::MAX_OPEN_OF_STREAM;
use afterlive_server::db::{Raw, event_endpoints};
use afterlive_server::events::Deliverer;
use afterlive_server::service::EndpointChange;
use futures::FutureExt as _;
use tokio::time::timeout;

use super::receiver::Receiver;
use super::{Scene, an_endpoint, count, emit, settings};
use crate::api::streams::a_stream;
use crate::fixture::recordings::{Made, recordings};
use crate::fixture::server::on_each_server;
use crate::webhook::hook::PATIENCE;

const WITHOUT_BODY: &str = "SELECT COUNT(*) FROM event_deliveries WHERE body IS NULL";

#[tokio::test]
async fn a_stream_that_is_deleted_with_very_many_recordings_is_told_in_full() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let many = MAX_OPEN_OF_STREAM as usize + 1;
        let (service, admin) = (&scene.server.service, &scene.tenant.admin);
        let kinds = Some(ToldKinds::new(["asset.deleted"]).unwrap());
        service.change_endpoint(admin, scene.endpoint.id, EndpointChange { kinds, ..EndpointChange::default() }).await.unwrap();
        let made = recordings(&scene.server.db, scene.stream, vec![Made::default(); many]).await;
        service.delete_stream(admin, scene.stream).await.unwrap();
        assert_eq!(scene.run_due().await, many);
        let told = scene.receiver.seen();
        let told: BTreeSet<String> =
            told.iter().map(|message| message.json()["data"]["asset"]["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, made.iter().map(|asset| asset.id.to_string()).collect::<BTreeSet<_>>());
        assert_eq!(count(&scene.server.db, "SELECT COUNT(*) FROM event_deliveries WHERE state <> 'delivered'").await, 0);
    })
    .await;
}

#[tokio::test]
async fn others_are_told_at_once_while_very_much_is_new_and_a_stop_waits_for_none_of_it() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (theirs, stranger) = (scene.server.an_organisation().await, Receiver::new().await);
        an_endpoint(&scene.server, &theirs, &stranger.url).await;
        let stream = a_stream(&scene.server, &theirs, &[]).await;
        scene.emit(scene.stream, &vec![EventKind::StreamLive; 3_000]).await;
        emit(&scene.server, &theirs, stream, &[EventKind::StreamLive]).await;
        let (deliverer, stop) = (scene.deliverer(), scene.server.stop.child_token());
        let stopped = stop.clone();
        let running = tokio::spawn(async move { deliverer.run(stopped).await });
        stranger.until(1).await;
        stop.cancel();
        timeout(PATIENCE, running).await.expect("it stops").unwrap();
        let left = count(&scene.server.db, WITHOUT_BODY).await;
        assert!(left > 1_000, "only {left} are not made yet");
    })
    .await;
}

#[tokio::test]
async fn what_several_endpoints_are_told_of_the_same_is_made_once() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let other = Receiver::new().await;
        an_endpoint(&scene.server, &scene.tenant, &other.url).await;
        let made = Arc::new(AtomicUsize::new(0));
        let (db, clock, bell) = (scene.server.db.clone(), scene.server.clock.clone(), scene.server.bell.clone());
        let counted = Arc::clone(&made);
        let deliverer = Deliverer::new(settings(), db, clock, bell, move |happening| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move { Ok(format!(r#"{{"type":"{}","number":{number}}}"#, happening.kind.as_str())) }.boxed()
        });
        scene.emit(scene.stream, &[EventKind::StreamLive, EventKind::StreamEnded]).await;
        assert_eq!(deliverer.run_due().await.unwrap(), 4);
        assert_eq!(made.load(Ordering::Relaxed), 2);
        let bodies = |receiver: &Receiver| receiver.seen().into_iter().map(|message| message.body).collect::<Vec<_>>();
        assert_eq!(bodies(&scene.receiver), bodies(&other));
    })
    .await;
}

#[tokio::test]
async fn what_happens_waits_for_no_endpoint_of_another_organisation() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let mut deleting = scene.server.db.write().await.unwrap();
        if let Raw::Sqlite(_) = deleting.raw() {
            // There is one who writes, whatever it is.
            return;
        }
        event_endpoints::delete(&mut deleting, scene.endpoint.id).await.unwrap();
        let theirs = scene.server.an_organisation().await;
        let stream = a_stream(&scene.server, &theirs, &[]).await;
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FOR KEY SHARE%'";
        let passes = async {
            while count(&scene.server.db, waiting).await == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            emit(&scene.server, &theirs, stream, &[EventKind::StreamLive]).await;
            deleting.commit().await.unwrap();
        };
        let waits = scene.emit(scene.stream, &[EventKind::StreamLive]);
        timeout(PATIENCE, async { tokio::join!(waits, passes) }).await.expect("neither waits for the other");
        assert_eq!(scene.run_due().await, 0);
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_an_endpoint_that_a_node_which_stalls_holds() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (theirs, stranger) = (scene.server.an_organisation().await, Receiver::new().await);
        an_endpoint(&scene.server, &theirs, &stranger.url).await;
        let stream = a_stream(&scene.server, &theirs, &[]).await;
        let mut stalled = scene.server.db.write().await.unwrap();
        if let Raw::Sqlite(_) = stalled.raw() {
            // There is one who writes, whatever it is.
            return;
        }
        event_endpoints::hold(&mut stalled, scene.endpoint.id).await.unwrap();
        // As much as there may be in a batch.
        scene.emit(scene.stream, &[EventKind::StreamLive; 150]).await;
        emit(&scene.server, &theirs, stream, &[EventKind::StreamLive]).await;
        assert_eq!((scene.run_due().await, stranger.seen().len()), (1, 1));
        assert_eq!(count(&scene.server.db, WITHOUT_BODY).await, 150, "none of them is left out");
        let running = scene.run();
        stalled.commit().await.unwrap();
        scene.receiver.until(150).await;
        running.end().await;
    })
    .await;
}

#[tokio::test]
async fn much_that_waits_is_given_up_and_deleted_in_parts() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.emit(scene.stream, &vec![EventKind::StreamLive; 2_001]).await;
        scene.switch(false).await;
        let left = "SELECT COUNT(*) FROM event_deliveries WHERE state = 'open'";
        assert_eq!(count(&scene.server.db, left).await, 0);
        assert!(scene.states().await.iter().all(|state| *state == DeliveryState::Failed));
        scene.server.service.delete_endpoint(&scene.tenant.admin, scene.endpoint.id).await.unwrap();
        assert_eq!(count(&scene.server.db, "SELECT COUNT(*) FROM event_deliveries").await, 0);
        assert!(scene.server.service.endpoints(&scene.tenant.admin).await.unwrap().is_empty());
    })
    .await;
}
