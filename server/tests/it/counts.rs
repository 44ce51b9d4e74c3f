//! The sums behind the start page, on SQLite and PostgreSQL alike.

use afterlive_domain::{Mode, SessionId, StreamId, StreamState, UnixMillis};
use afterlive_server::db::counts::{Arrived, DAY_MS, ingested_since, on_air, streams_by_state};
use afterlive_server::db::sessions::{EndReason, NewSession, brought_at_least, end_orphaned_live, end_session, go_live};
use afterlive_server::db::{Db, streams};
use uuid::Uuid;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};

async fn publish_begins(db: &Db, stream: StreamId, from: UnixMillis) -> SessionId {
    let id = SessionId(Uuid::new_v4());
    let region = "eu".parse().unwrap();
    let session = NewSession { id, stream, mode: Mode::Rec, region, protocol: "rtmp", peer: "127.0.0.1:50000".to_owned() };
    let mut tx = db.write().await.unwrap();
    go_live(&mut tx, &session, from).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn publish(db: &Db, stream: StreamId, from: UnixMillis, to: UnixMillis, bytes: u64) {
    let id = publish_begins(db, stream, from).await;
    let mut tx = db.write().await.unwrap();
    end_session(&mut tx, id, EndReason::Unpublished, bytes, to).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_arrived_comes_as_a_sum_a_day_and_a_publish_over_midnight_by_itself() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let elsewhere = a_stream(&db, &an_organisation(&db).await).await.id;
        let midnight = UnixMillis(NOW.0 - NOW.0 % DAY_MS);
        let at = |ms: i64| midnight.plus_ms(ms);
        publish(&db, stream, at(-DAY_MS - 2), at(-DAY_MS - 1), 1).await;
        publish(&db, stream, at(10), at(20), 100).await;
        publish(&db, stream, at(30), at(40), 23).await;
        publish(&db, stream, at(-50), at(60), 7_000_000_000).await;
        publish(&db, elsewhere, at(10), at(20), 5).await;

        let mut arrived = ingested_since(&mut db.read().await.unwrap(), organisation.id, at(-DAY_MS)).await.unwrap();
        arrived.sort_by_key(|sum| sum.bytes);
        assert_eq!(
            arrived,
            [Arrived { from: at(10), to: at(40), bytes: 123 }, Arrived { from: at(-50), to: at(60), bytes: 7_000_000_000 }]
        );
    })
    .await;
}

#[tokio::test]
async fn a_publish_that_the_server_did_not_survive_counts_for_what_of_it_was_recorded_and_no_other_is_changed() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let (lost, counted) = (a_stream(&db, &organisation).await.id, a_stream(&db, &organisation).await.id);
        let from = UnixMillis(NOW.0 - NOW.0 % DAY_MS);
        let sessions = [publish_begins(&db, lost, from).await, publish_begins(&db, counted, from).await];
        let to = from.plus_ms(10);
        let mut tx = db.write().await.unwrap();
        end_session(&mut tx, sessions[1], EndReason::Disconnected, 7, to).await.unwrap();
        assert_eq!(end_orphaned_live(&mut tx, to).await.unwrap(), 1);
        tx.commit().await.unwrap();
        // As often as its recordings are finished.
        for bytes in [300, 1_000, 200] {
            let mut tx = db.write().await.unwrap();
            for session in sessions {
                brought_at_least(&mut tx, session, bytes).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        let arrived = ingested_since(&mut db.read().await.unwrap(), organisation.id, from).await.unwrap();
        assert_eq!(arrived, [Arrived { from, to, bytes: 1_007 }]);
    })
    .await;
}

#[tokio::test]
async fn streams_are_counted_by_state_and_those_on_air_are_named() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let live = a_stream(&db, &organisation).await.id;
        a_stream(&db, &organisation).await;
        let locked = a_stream(&db, &organisation).await.id;
        publish_begins(&db, live, NOW.plus_ms(5)).await;
        let mut tx = db.write().await.unwrap();
        streams::lock(&mut tx, organisation.id, locked, NOW).await.unwrap();
        tx.commit().await.unwrap();

        let mut connection = db.read().await.unwrap();
        let mut counts = streams_by_state(&mut connection, organisation.id).await.unwrap();
        counts.sort();
        assert_eq!(counts, [(StreamState::Created, 1), (StreamState::Live, 1), (StreamState::Locked, 1)]);
        assert_eq!(on_air(&mut connection, organisation.id).await.unwrap(), [(live, NOW.plus_ms(5))]);
        let nobody = an_organisation(&db).await.id;
        assert_eq!(streams_by_state(&mut connection, nobody).await.unwrap(), []);
    })
    .await;
}
