//! What this version cannot read, as a later one has written it perhaps: it stops nothing else, and ends.

use afterlive_domain::endpoint::MAX_ENDPOINTS;
use afterlive_domain::{DeliveryState, Error as Refusal, EventKind, Role, ToldKinds};
use afterlive_server::events::GIVE_UP_AFTER_MS;
use afterlive_server::service::Error::Refused;
use tokio::time::timeout;

use super::{Scene, an_endpoint, tamper};
use crate::accounts::{PASSWORD, a_user};
use crate::fixture::browser::Browser;
use crate::fixture::server::on_each_server;
use crate::webhook::hook::PATIENCE;

#[tokio::test]
async fn what_no_body_can_be_made_of_stops_nobody_and_is_given_up_after_a_day() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (db, later) = (&scene.server.db, scene.another_stream().await);
        // More than are made in a row, before all others.
        scene.emit(later, &vec![EventKind::StreamLive; 250]).await;
        tamper(
            db,
            "UPDATE event_deliveries SET kind = CASE WHEN id % 2 = 0 THEN 'stream.of_later' ELSE kind END,
                    asset_id = CASE WHEN id % 2 = 1 THEN 'of later' ELSE asset_id END",
        )
        .await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        assert_eq!(scene.run_due().await, 1);
        scene.emit(scene.stream, &[EventKind::StreamEnded]).await;
        assert_eq!(scene.run_due().await, 1);
        assert_eq!(scene.receiver.kinds(), ["stream.live", "stream.ended"]);

        // Whoever can read them makes them yet.
        tamper(db, "UPDATE event_deliveries SET kind = 'stream.live', asset_id = NULL WHERE id IN (SELECT MIN(id) FROM event_deliveries)").await;
        scene.server.clock.advance_ms(30_000);
        assert_eq!(scene.run_due().await, 1);
        scene.server.clock.advance_ms(GIVE_UP_AFTER_MS);
        assert_eq!(scene.run_due().await, 0);
        let given_up = &scene.log().await[2];
        assert_eq!(given_up.last_reason.as_deref(), Some("its body could not be made for a day"));
        scene.emit(later, &[EventKind::StreamEnded]).await;
        assert_eq!(scene.run_due().await, 1, "its stream goes on");
    })
    .await;
}

#[tokio::test]
async fn what_no_body_can_be_made_of_is_looked_at_no_more_than_that_at_however_many_endpoints() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        // More than have a share at once.
        for _ in 0..100 {
            an_endpoint(&scene.server, &scene.tenant, &scene.receiver.url).await;
        }
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        tamper(&scene.server.db, "UPDATE event_deliveries SET kind = 'stream.of_later'").await;
        assert_eq!(timeout(PATIENCE, scene.run_due()).await.expect("it ends"), 0);
        let other = scene.another_stream().await;
        scene.emit(other, &[EventKind::StreamEnded]).await;
        assert_eq!(scene.run_due().await, 101);
        tamper(&scene.server.db, "UPDATE event_deliveries SET kind = 'stream.live' WHERE body IS NULL").await;
        scene.server.clock.advance_ms(30_000);
        assert_eq!(scene.run_due().await, 101);
    })
    .await;
}

#[tokio::test]
async fn what_is_left_out_is_looked_at_again_in_its_time_however_much_of_the_kind_comes() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let more = async || {
            let stream = scene.another_stream().await;
            scene.emit(stream, &[EventKind::StreamLive]).await;
            tamper(&scene.server.db, "UPDATE event_deliveries SET kind = 'stream.of_later' WHERE body IS NULL").await;
        };
        more().await;
        assert_eq!(scene.run_due().await, 0);
        for _ in 0..2 {
            scene.server.clock.advance_ms(10_000);
            more().await;
            assert_eq!(scene.run_due().await, 0);
        }
        tamper(
            &scene.server.db,
            "UPDATE event_deliveries SET kind = 'stream.ended' WHERE id IN (SELECT MIN(id) FROM event_deliveries)",
        )
        .await;
        scene.server.clock.advance_ms(10_000);
        assert_eq!(scene.run_due().await, 1);
        assert_eq!(scene.receiver.kinds(), ["stream.ended"]);
        more().await;
        scene.server.clock.advance_ms(GIVE_UP_AFTER_MS);
        more().await;
        assert_eq!(scene.run_due().await, 0);
        use DeliveryState::{Delivered, Failed, Queued};
        assert_eq!(scene.states().await, [Delivered, Failed, Failed, Failed, Queued]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_read_is_tried_again_as_one_that_does_not_take() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let db = &scene.server.db;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        tamper(db, "UPDATE event_endpoints SET secret = 'of later: ' || secret").await;
        assert_eq!(scene.run_due().await, 1);
        tamper(db, "UPDATE event_endpoints SET secret = substr(secret, 11)").await;
        let log = scene.log().await;
        assert_eq!((log[0].state, log[0].attempts), (DeliveryState::Waiting, 1));
        assert_eq!(log[0].last_reason.as_deref(), Some("this version cannot read the endpoint's URL or its secret"));
        scene.server.clock.advance_ms(5_000);
        assert_eq!(scene.run_due().await, 1);
        assert_eq!(scene.states().await, [DeliveryState::Delivered]);
        assert!(scene.receiver.seen()[0].is_signed_by(&scene.endpoint.secret));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_and_a_line_that_cannot_be_read_stop_no_list_and_can_be_deleted() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        let (service, admin, id) = (&scene.server.service, &scene.tenant.admin, scene.endpoint.id);
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        let finished = "UPDATE event_deliveries SET state = 'of later', finished_at = at";
        for (tampered, shown) in
            [("UPDATE event_deliveries SET state = 'of later'", DeliveryState::Queued), (finished, DeliveryState::Failed)]
        {
            tamper(&scene.server.db, tampered).await;
            assert_eq!(scene.states().await, [shown]);
        }
        tamper(&scene.server.db, "UPDATE event_endpoints SET secret = 'of later'").await;
        assert_eq!(service.endpoints(admin).await.unwrap(), []);
        let url = || "https://example.com/events".parse().unwrap();
        for _ in 1..MAX_ENDPOINTS {
            service.create_endpoint(admin, url(), ToldKinds::all(), true).await.unwrap();
        }
        assert!(service.create_endpoint(admin, url(), ToldKinds::all(), true).await.is_err(), "it counts");
        let stranger = scene.server.an_organisation().await.admin;
        let refused = service.delete_endpoint(&stranger, id).await;
        assert!(matches!(refused, Err(Refused(Refusal::NoSuchEndpoint { .. }))), "{refused:?}");
        service.delete_endpoint(admin, id).await.unwrap();
        service.create_endpoint(admin, url(), ToldKinds::all(), true).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_pages_of_an_endpoint_that_cannot_be_read_say_so_and_let_it_be_deleted() {
    on_each_server(async |server| {
        let scene = Scene::new(server.with_dashboard()).await;
        let admin = a_user(&scene.server, &scene.tenant, Role::Admin).await;
        let readable = an_endpoint(&scene.server, &scene.tenant, "https://example.com/readable").await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        let mut browser = Browser::signed_in(&scene.server, &admin.email, PASSWORD).await;
        let page = format!("/organisation/events/{}", scene.endpoint.id);
        let spoilt = format!("WHERE id = '{}'", scene.endpoint.id);
        for (spoil, mend) in [
            ("SET secret = 'of later: ' || secret", "SET secret = substr(secret, 11)"),
            ("SET old_secret = 'of later', old_secret_until = 1", "SET old_secret = NULL, old_secret_until = NULL"),
            ("SET url = 'of later: ' || url", "SET url = substr(url, 11)"),
        ] {
            tamper(&scene.server.db, &format!("UPDATE event_endpoints {spoil} {spoilt}")).await;
            let list = browser.open("/organisation/events").await;
            assert_eq!(list.status.as_u16(), 200, "{spoil}");
            assert!(list.text.contains(&page) && list.text.contains("unreadable"), "{spoil}: {}", list.text);
            assert!(list.text.contains(&readable.id.to_string()), "{spoil}");
            let shown = browser.open(&page).await;
            assert_eq!(shown.status.as_u16(), 200, "{spoil}: {}", shown.text);
            for text in ["This endpoint cannot be read", "Delete the endpoint", "stream.live"] {
                assert!(shown.text.contains(text), "{spoil}: {text} is not in {}", shown.text);
            }
            assert!(!shown.text.contains("Show the secret") && !shown.text.contains("whsec_"), "{spoil}: {}", shown.text);
            tamper(&scene.server.db, &format!("UPDATE event_endpoints {mend} {spoilt}")).await;
            assert!(browser.open(&page).await.text.contains(scene.endpoint.secret.as_str()), "{mend}: it is as it was");
        }
        tamper(&scene.server.db, &format!("UPDATE event_endpoints SET secret = 'of later' {spoilt}")).await;
        let id = scene.endpoint.id.to_string();
        assert_eq!(browser.submit("delete_endpoint", &[("id", &id)]).await, "/organisation/events?notice=endpoint%2Ddeleted");
        assert_eq!(browser.open(&page).await.status.as_u16(), 404);

        let other = scene.server.an_organisation().await;
        let stranger = a_user(&scene.server, &other, Role::Admin).await;
        let mut stranger = Browser::signed_in(&scene.server, &stranger.email, PASSWORD).await;
        tamper(&scene.server.db, "UPDATE event_endpoints SET secret = 'of later'").await;
        let of_others = format!("/organisation/events/{}", readable.id);
        assert_eq!(stranger.open(&of_others).await.status.as_u16(), 404);
        assert!(!stranger.open("/organisation/events").await.text.contains(&of_others));
    })
    .await;
}
