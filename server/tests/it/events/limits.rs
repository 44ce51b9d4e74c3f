//! What waits for who does not take it is limited, and ends.

use afterlive_domain::{DeliveryState, EventKind};
use afterlive_server::db::event_outbox::{FAILING_LONG_MS, MAX_OPEN_OF_FAILING, MAX_OPEN_OF_STREAM, STUCK_AFTER_TRIES};
use afterlive_server::events::{self, GIVE_UP_AFTER_MS, GIVE_UP_UNTRIED_AFTER_MS, KEPT_FOR_MS};
use tokio::net::TcpListener;

use super::{Scene, count, tamper};
use crate::fixture::database::NOW;
use crate::fixture::server::on_each_server;

const OPEN: &str = "SELECT COUNT(*) FROM event_deliveries WHERE state = 'open'";

#[tokio::test]
async fn behind_one_that_is_not_taken_a_streams_wait_is_limited_and_the_log_is_swept() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.receiver.answers(|_| "500 Oh");
        let most = MAX_OPEN_OF_STREAM as usize;
        scene.emit(scene.stream, &vec![EventKind::StreamLive; most]).await;
        for tries in 0..STUCK_AFTER_TRIES {
            assert_eq!(scene.run_due().await, 1);
            if tries == STUCK_AFTER_TRIES - 2 {
                scene.emit(scene.stream, &[EventKind::StreamLive; 2]).await;
                assert_eq!(scene.log().await[0].state, DeliveryState::Queued, "it may be taken yet");
            }
            scene.server.clock.advance_ms(300_000);
        }
        scene.emit(scene.stream, &[EventKind::StreamEnded; 2]).await;
        let log = scene.log().await;
        use DeliveryState::{Failed, Queued};
        assert_eq!([log[0].state, log[1].state, log[2].state], [Failed, Failed, Queued]);
        let reason = "too many of this stream wait already, behind one that is not taken";
        assert_eq!((log[0].last_reason.as_deref(), log[0].attempts), (Some(reason), 0));
        let other = scene.another_stream().await;
        scene.emit(other, &[EventKind::StreamLive]).await;
        assert_eq!(scene.log().await[0].state, Queued, "another stream's wait");

        let kept_until = log[0].at.plus_ms(KEPT_FOR_MS);
        events::sweep(&scene.server.db, kept_until.plus_ms(-1)).await.unwrap();
        assert_eq!(scene.log().await[1].state, Failed);
        events::sweep(&scene.server.db, kept_until).await.unwrap();
        assert!(scene.states().await.iter().all(|state| *state == Queued), "what waits stays");
        assert_eq!(count(&scene.server.db, OPEN).await, i64::from(MAX_OPEN_OF_STREAM) + 3);
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_fails_is_limited() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let other = scene.another_stream().await;
        scene.receiver.answers(|_| "500 Oh");
        scene.emit(other, &[EventKind::StreamLive]).await;
        assert_eq!(scene.run_due().await, 1);
        scene.emit(scene.stream, &vec![EventKind::StreamLive; MAX_OPEN_OF_FAILING as usize]).await;
        scene.emit(other, &[EventKind::StreamEnded]).await;
        assert_eq!(scene.log().await[0].state, DeliveryState::Queued, "it has failed but once");
        scene.server.clock.advance_ms(FAILING_LONG_MS);
        scene.emit(other, &[EventKind::StreamLive]).await;
        let log = scene.log().await;
        assert_eq!(log[0].state, DeliveryState::Failed);
        let reason = "too many wait already for this endpoint, which does not take them";
        assert_eq!(log[0].last_reason.as_deref(), Some(reason));
    })
    .await;
}

#[tokio::test]
async fn what_is_a_day_old_is_given_up_untried_where_nothing_was_taken_for_as_long() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        scene.move_to(&format!("http://{closed}/")).await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        assert_eq!(scene.run_due().await, 1);
        assert_eq!(scene.endpoint().await.failing_since, Some(NOW));
        // More than one transaction gives up.
        let other = scene.another_stream().await;
        scene.emit(other, &vec![EventKind::StreamLive; 1_100]).await;
        scene.server.clock.advance_ms(GIVE_UP_AFTER_MS);
        scene.emit(other, &[EventKind::StreamEnded]).await;
        scene.server.clock.advance_ms(GIVE_UP_UNTRIED_AFTER_MS - GIVE_UP_AFTER_MS);
        assert_eq!(scene.run_due().await, 1, "of what is younger");
        let untried = "SELECT COUNT(*) FROM event_deliveries
                       WHERE state = 'failed' AND attempt = 0 AND last_reason = 'the endpoint has taken nothing for a day'";
        assert_eq!(count(&scene.server.db, untried).await, 1_100);
        assert_eq!(count(&scene.server.db, OPEN).await, 1);

        scene.move_to(&scene.receiver.url).await;
        scene.server.clock.advance_ms(5_000);
        assert_eq!(scene.run_due().await, 1);
        assert_eq!(scene.receiver.kinds(), ["stream.ended"], "who is back is told what is new");
    })
    .await;
}

#[tokio::test]
async fn what_was_a_day_old_already_is_told_to_who_is_well() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        // The server was off, for the weekend.
        scene.server.clock.advance_ms(3 * GIVE_UP_AFTER_MS);
        assert_eq!(scene.run_due().await, 1);
        assert_eq!(scene.receiver.kinds(), ["stream.live"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_a_day_old_already_is_told_to_who_failed_once_before_the_server_was_off() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.emit(scene.stream, &[EventKind::StreamLive; 20]).await;
        scene.receiver.answers(|_| "503 Oh");
        assert_eq!(scene.run_due().await, 1);
        scene.receiver.answers(|_| "200 OK");
        scene.server.clock.advance_ms(GIVE_UP_UNTRIED_AFTER_MS);
        let after_start = scene.deliverer();
        assert_eq!(after_start.run_due().await.unwrap(), 20);
        assert!(scene.states().await.iter().all(|state| *state == DeliveryState::Delivered));
        assert_eq!(scene.endpoint().await.failing_since, None);
    })
    .await;
}

#[tokio::test]
async fn what_was_written_while_its_endpoint_was_switched_off_is_given_up() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let late = async || {
            scene.emit(scene.stream, &[EventKind::StreamLive]).await;
            tamper(&scene.server.db, "UPDATE event_endpoints SET enabled = FALSE").await;
        };
        late().await;
        assert_eq!(scene.run_due().await, 0);
        scene.switch(true).await;
        assert_eq!((scene.run_due().await, scene.states().await), (0, vec![DeliveryState::Failed]));
        late().await;
        events::sweep(&scene.server.db, scene.server.clock.now()).await.unwrap();
        assert_eq!(scene.states().await, [DeliveryState::Failed; 2]);
    })
    .await;
}
