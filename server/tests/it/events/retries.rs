//! What does not arrive: tried again with growing waits, in order, given up after a day, switched off where it is gone, and sent again by hand.

use afterlive_domain::{DeliveryState, Error as Refusal, EventKind, MessageId};
use afterlive_server::db::event_deliveries;
use afterlive_server::events::GIVE_UP_AFTER_MS;
use afterlive_server::service;
use uuid::Uuid;

use super::Scene;
use crate::api::streams::a_stream;
use crate::fixture::database::NOW;
use crate::fixture::server::on_each_server;
use crate::webhook::hook::Hook;

const LIVE_AND_ENDED: [EventKind; 2] = [EventKind::StreamLive, EventKind::StreamEnded];

/// Moves the clock to the next try of the oldest that waits.
async fn wait_for_next(scene: &Scene) -> bool {
    let next = scene.log().await.iter().filter_map(|delivery| delivery.next_at).min();
    let Some(next) = next else { return false };
    scene.server.clock.advance_ms(next.ms_since(scene.server.clock.now()));
    true
}

#[tokio::test]
async fn who_was_down_is_told_later_in_order_with_the_same_id_and_body() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.receiver.answers(|_| "503 Service Unavailable");
        scene.emit(scene.stream, &LIVE_AND_ENDED).await;
        assert_eq!(scene.run_due().await, 1, "the second waits for the first");
        assert_eq!(scene.states().await, [DeliveryState::Waiting, DeliveryState::Queued]);
        let first = scene.log().await.pop().unwrap();
        assert_eq!((first.attempts, first.last_status, first.last_reason.as_deref()), (1, Some(503), Some("it answered 503")));
        assert_eq!(scene.endpoint().await.failing_since, Some(NOW));
        let mut longest_ms = 0;
        for _ in 0..4 {
            let wait_ms = scene.log().await[1].next_at.unwrap().ms_since(scene.server.clock.now());
            assert!(wait_ms > longest_ms, "{wait_ms} after {longest_ms}");
            longest_ms = wait_ms;
            scene.server.clock.advance_ms(wait_ms - 1);
            assert_eq!(scene.run_due().await, 0, "too early");
            scene.server.clock.advance_ms(1);
            assert_eq!(scene.run_due().await, 1);
        }
        scene.receiver.answers(|_| "204 No Content");
        assert!(wait_for_next(&scene).await);
        assert_eq!(scene.run_due().await, 2);
        assert_eq!(scene.states().await, [DeliveryState::Delivered; 2]);
        assert_eq!(scene.endpoint().await.failing_since, None);
        let told = scene.receiver.seen();
        let kinds = scene.receiver.kinds();
        assert_eq!(kinds, [vec!["stream.live"; 6], vec!["stream.ended"]].concat());
        assert!(told[..6].iter().all(|message| message.id() == told[0].id() && message.body == told[0].body));
        assert!(told.iter().all(|message| message.is_signed_by(&scene.endpoint.secret)));
        assert_ne!(told[0].header("webhook-timestamp"), told[5].header("webhook-timestamp"));
        assert_ne!(told[6].id(), told[0].id());
    })
    .await;
}

#[tokio::test]
async fn after_a_day_it_is_given_up_and_the_next_of_the_stream_goes() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.receiver.answers(|message| if message.kind() == "stream.live" { "500 Oh" } else { "200 OK" });
        scene.emit(scene.stream, &LIVE_AND_ENDED).await;
        scene.run_due().await;
        while wait_for_next(&scene).await {
            scene.run_due().await;
        }
        assert_eq!(scene.server.clock.now(), NOW.plus_ms(GIVE_UP_AFTER_MS), "the last try");
        assert_eq!(scene.states().await, [DeliveryState::Failed, DeliveryState::Delivered]);
        let given_up = scene.log().await.pop().unwrap();
        assert!((12..=18).contains(&given_up.attempts), "{}", given_up.attempts);
        assert_eq!(scene.receiver.kinds().last().unwrap(), "stream.ended");
    })
    .await;
}

#[tokio::test]
async fn one_stream_waits_for_its_own_and_for_nobody_elses() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (stuck, other) = (scene.stream, a_stream(&scene.server, &scene.tenant, &[]).await);
        let name = stuck.to_string();
        scene.receiver.answers(move |message| if message.body.contains(&name) { "500 Oh" } else { "200 OK" });
        scene.emit(stuck, &LIVE_AND_ENDED).await;
        scene.emit(other, &LIVE_AND_ENDED).await;
        assert_eq!(scene.run_due().await, 3);
        use DeliveryState::{Delivered, Queued, Waiting};
        assert_eq!(scene.states().await, [Waiting, Queued, Delivered, Delivered]);
    })
    .await;
}

#[tokio::test]
async fn who_answers_that_it_is_gone_is_switched_off() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        scene.receiver.answers(|_| "410 Gone");
        scene.emit(scene.stream, &LIVE_AND_ENDED).await;
        assert_eq!(scene.run_due().await, 1);
        let endpoint = scene.endpoint().await;
        assert_eq!((endpoint.enabled, endpoint.gone_at), (false, Some(NOW)));
        assert_eq!(scene.states().await, [DeliveryState::Failed; 2]);
        assert!(scene.log().await[0].last_reason.as_ref().unwrap().contains("410"));
        scene.emit(scene.stream, &LIVE_AND_ENDED).await;
        assert_eq!((scene.run_due().await, scene.log().await.len()), (0, 2));
        scene.receiver.answers(|_| "200 OK");
        scene.switch(true).await;
        assert_eq!(scene.endpoint().await.gone_at, None);
        scene.emit(scene.stream, &LIVE_AND_ENDED).await;
        assert_eq!(scene.run_due().await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_answer_speaks_for_the_url_that_gave_it_and_for_no_other() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let old = Hook::new().await;
        for status in ["410 Gone", "500 Oh"] {
            let told = scene.receiver.seen().len();
            scene.move_to(&old.url()).await;
            scene.emit(scene.stream, &LIVE_AND_ENDED).await;
            let moves = async {
                let mut call = old.call().await;
                scene.move_to(&scene.receiver.url).await;
                call.answer(status, "").await;
            };
            let (tries, ()) = tokio::join!(scene.run_due(), moves);
            assert_eq!((tries, scene.receiver.seen().len() - told), (3, 2), "the first goes to the new URL at once");
            let endpoint = scene.endpoint().await;
            assert_eq!((endpoint.enabled, endpoint.gone_at, endpoint.failing_since), (true, None, None));
        }
        assert_eq!(scene.states().await, [DeliveryState::Delivered; 4]);
    })
    .await;
}

#[tokio::test]
async fn who_has_lost_its_lease_switches_nothing_off() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (hook, other) = (Hook::new().await, scene.deliverer());
        scene.move_to(&hook.url()).await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        let late = async {
            let mut lost = hook.call().await;
            scene.server.clock.advance_ms(60_000);
            let (tries, _) = tokio::join!(other.run_due(), hook.allow());
            assert_eq!(tries.unwrap(), 1);
            lost.answer("410 Gone", "").await;
        };
        tokio::join!(scene.run_due(), late);
        assert!(scene.endpoint().await.enabled);
        assert_eq!(scene.states().await, [DeliveryState::Delivered]);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_no_try_by_a_day() {
    const DAY_MS: i64 = 86_400_000;
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let clock = &scene.server.clock;
        scene.receiver.answers(|_| "500 Oh");
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        assert_eq!(scene.run_due().await, 1);
        assert_eq!(scene.run_due().await, 0, "it waits for its next try");
        clock.set_by_ms(-DAY_MS);
        assert_eq!(scene.run_due().await, 1, "it would be due in a day");
        assert_eq!(scene.run_due().await, 0, "and waits then as ever");
        // One that another node had begun, which has died since: its lease lasts for no day either, also for who has not seen the clock set.
        let ahead = clock.now().plus_ms(DAY_MS);
        let mut tx = scene.server.db.write().await.unwrap();
        let taken = event_deliveries::claim(&mut tx, scene.endpoint.id, 1, ahead, ahead.plus_ms(60_000)).await.unwrap();
        assert_eq!(taken.len(), 1);
        tx.commit().await.unwrap();
        let other = scene.deliverer();
        assert_eq!(other.run_due().await.unwrap(), 0, "somebody may be at it");
        clock.advance_ms(60_000);
        assert_eq!(other.run_due().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_sent_again_as_it_was_and_what_waits_before_its_time() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (service, admin) = (&scene.server.service, &scene.tenant.admin);
        scene.emit(scene.stream, &LIVE_AND_ENDED).await;
        scene.run_due().await;
        let [_, first] = scene.log().await.try_into().unwrap();
        scene.server.clock.advance_ms(3_600_000);
        service.resend_delivery(admin, first.message).await.unwrap();
        assert_eq!(scene.run_due().await, 1);
        let told = scene.receiver.seen();
        assert_eq!((told[2].id(), &told[2].body), (told[0].id(), &told[0].body));
        assert_ne!(told[2].header("webhook-timestamp"), told[0].header("webhook-timestamp"));

        scene.receiver.answers(|_| "500 Oh");
        scene.emit(scene.stream, &LIVE_AND_ENDED).await;
        assert_eq!(scene.run_due().await, 1);
        let log = scene.log().await;
        let state = |refused| match refused {
            Err(service::Error::Refused(Refusal::WrongState { state })) => state,
            other => panic!("{other:?}"),
        };
        let refused = service.resend_delivery(admin, log[0].message).await;
        assert_eq!(state(refused), "it waits behind an earlier one of its stream");
        service.resend_delivery(admin, log[1].message).await.unwrap();
        assert_eq!(scene.run_due().await, 1, "the one that waits, now");
        // One that is over does not wait for its stream, nor the stream for it.
        service.resend_delivery(admin, first.message).await.unwrap();
        assert_eq!(scene.run_due().await, 1);
        use DeliveryState::{Delivered, Queued, Waiting};
        assert_eq!(scene.states().await, [Waiting, Delivered, Waiting, Queued]);

        let theirs = scene.server.an_organisation().await;
        for (caller, message) in [(&theirs.admin, first.message), (admin, MessageId(Uuid::new_v4()))] {
            let refused = service.resend_delivery(caller, message).await;
            assert!(matches!(refused, Err(service::Error::Refused(Refusal::NoSuchDelivery { .. }))), "{refused:?}");
        }
        scene.switch(false).await;
        let refused = service.resend_delivery(admin, first.message).await;
        assert_eq!(state(refused), "its endpoint is switched off");
    })
    .await;
}
