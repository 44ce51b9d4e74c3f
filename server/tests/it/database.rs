//! What the rest of the server takes for granted of the database, on SQLite and PostgreSQL alike.

use std::sync::Arc;

use afterlive_domain::{EventKind, Mode, Role, SessionId, StreamId, StreamState, Tags, UnixMillis, UserId};
use afterlive_server::db::organisations;
use afterlive_server::db::session_tokens::{self, SessionToken};
use afterlive_server::db::sessions::{EndReason, GoLive, NewSession, end_orphaned_live, end_session, go_live};
use afterlive_server::db::streams::{self, Transition};
use afterlive_server::db::users::{self, User};
use afterlive_server::db::{Db, Raw};
use futures::poll;
use tokio::time::timeout;
use uuid::Uuid;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};
use crate::webhook::hook::PATIENCE;

pub fn a_session(stream: StreamId) -> NewSession {
    NewSession {
        id: SessionId(Uuid::new_v4()),
        stream,
        mode: Mode::Rec,
        region: "eu".parse().unwrap(),
        protocol: "rtmp",
        peer: "127.0.0.1:50000".to_owned(),
    }
}

async fn start(db: &Db, session: &NewSession) -> GoLive {
    let mut tx = db.write().await.unwrap();
    let outcome = go_live(&mut tx, session, NOW.plus_ms(1)).await.unwrap();
    tx.commit().await.unwrap();
    outcome
}

async fn end(db: &Db, session: SessionId) -> bool {
    let mut tx = db.write().await.unwrap();
    let ended = end_session(&mut tx, session, EndReason::Unpublished, 1_000, NOW.plus_ms(2)).await.unwrap();
    tx.commit().await.unwrap();
    ended
}

async fn state(db: &Db, stream: StreamId) -> StreamState {
    streams::by_id(&mut db.read().await.unwrap(), stream).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_stream_is_read_back_as_it_was_written() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let mut connection = db.read().await.unwrap();
        assert_eq!(streams::by_id(&mut connection, stream.id).await.unwrap(), Some(stream.clone()));
        assert_eq!(streams::by_streamname(&mut connection, &stream.streamname).await.unwrap(), Some(stream.clone()));
        let target = streams::publish_target(&mut connection, &stream.streamname).await.unwrap().unwrap();
        assert_eq!((target.stream, target.organisation), (stream.id, organisation.id));
        assert!(target.settings.recording_enabled);
    })
    .await;
}

#[tokio::test]
async fn a_streamname_is_case_sensitive_and_never_given_twice() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let mut other = stream.clone();
        other.id = StreamId(Uuid::new_v4());
        let mut tx = db.write().await.unwrap();
        let refused = streams::insert(&mut tx, &other).await.unwrap_err();
        assert!(refused.is_unique_violation(), "{refused}");
        drop(tx);
        let swapped: String = stream
            .streamname
            .as_str()
            .chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();
        if let Ok(name) = swapped.parse()
            && swapped != stream.streamname.as_str()
        {
            let mut connection = db.read().await.unwrap();
            assert_eq!(streams::by_streamname(&mut connection, &name).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn tags_are_replaced_as_a_whole_and_keep_their_order() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let tags = Tags::new(["z", "title:Sunday service", "a"]).unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(streams::set_tags(&mut tx, organisation.id, stream.id, &tags, NOW.plus_ms(5)).await.unwrap());
        tx.commit().await.unwrap();
        let found = streams::by_id(&mut db.read().await.unwrap(), stream.id).await.unwrap().unwrap();
        assert_eq!((found.tags, found.updated_at), (tags, NOW.plus_ms(5)));
    })
    .await;
}

#[tokio::test]
async fn the_state_goes_created_live_ended_with_each_publish() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        for _ in 0..2 {
            let session = a_session(stream.id);
            assert_eq!(start(&db, &session).await, GoLive::Started);
            assert_eq!(state(&db, stream.id).await, StreamState::Live);
            assert!(end(&db, session.id).await);
            assert!(!end(&db, session.id).await, "a session ends once");
            assert_eq!(state(&db, stream.id).await, StreamState::Ended);
        }
        let missing = a_session(StreamId(Uuid::new_v4()));
        assert_eq!(start(&db, &missing).await, GoLive::NoSuchStream);
    })
    .await;
}

#[tokio::test]
async fn a_second_publisher_is_refused_and_cannot_end_the_first() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let (first, second) = (a_session(stream.id), a_session(stream.id));
        assert_eq!(start(&db, &first).await, GoLive::Started);
        assert_eq!(start(&db, &second).await, GoLive::Refused(StreamState::Live));
        assert!(!end(&db, second.id).await);
        assert_eq!(state(&db, stream.id).await, StreamState::Live);
    })
    .await;
}

#[tokio::test]
async fn of_many_publishers_that_race_exactly_one_goes_live() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let gate = Arc::new(tokio::sync::Barrier::new(8));
        let racers: Vec<_> = (0..8)
            .map(|_| {
                let (db, gate) = (db.clone(), Arc::clone(&gate));
                tokio::spawn(async move {
                    gate.wait().await;
                    start(&db, &a_session(stream.id)).await
                })
            })
            .collect();
        let mut started = 0;
        for racer in racers {
            started += usize::from(racer.await.unwrap() == GoLive::Started);
        }
        assert_eq!(started, 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_locked_or_deleted_while_live_stays_so_when_the_publish_ends() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        for (to, lock) in [(StreamState::Locked, true), (StreamState::Deleted, false)] {
            let stream = a_stream(&db, &organisation).await;
            let session = a_session(stream.id);
            start(&db, &session).await;
            let mut tx = db.write().await.unwrap();
            let done = if lock {
                streams::lock(&mut tx, organisation.id, stream.id, NOW).await.unwrap()
            } else {
                streams::delete(&mut tx, organisation.id, stream.id, NOW).await.unwrap()
            };
            assert_eq!(done, Transition::Done { live_session: Some(session.id) });
            tx.commit().await.unwrap();
            assert!(end(&db, session.id).await);
            assert_eq!(state(&db, stream.id).await, to);
            assert_eq!(start(&db, &a_session(stream.id)).await, GoLive::Refused(to));
        }
    })
    .await;
}

#[tokio::test]
async fn a_start_ends_what_a_server_that_died_left_on_air() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        start(&db, &a_session(stream.id)).await;
        let mut tx = db.write().await.unwrap();
        assert_eq!(end_orphaned_live(&mut tx, NOW).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(state(&db, stream.id).await, StreamState::Ended);
        let mut tx = db.write().await.unwrap();
        assert_eq!(end_orphaned_live(&mut tx, NOW).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn events_are_told_in_order_after_the_commit_and_not_after_a_rollback() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let mut events = db.subscribe();
        let stream = a_stream(&db, &organisation).await;

        let mut tx = db.write().await.unwrap();
        go_live(&mut tx, &a_session(stream.id), NOW).await.unwrap();
        drop(tx);

        let session = a_session(stream.id);
        start(&db, &session).await;
        end(&db, session.id).await;
        let mut heard = Vec::new();
        while let Ok(event) = events.try_recv() {
            heard.push((event.id, event.kind));
        }
        let kinds: Vec<_> = heard.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, [EventKind::StreamCreated, EventKind::StreamLive, EventKind::StreamEnded]);
        assert!(heard.is_sorted_by(|a, b| a.0 < b.0), "{heard:?}");
    })
    .await;
}

/// As where a client hangs up: nobody asks any more what came of the commit, which the database finishes all the same.
#[tokio::test]
async fn what_is_committed_is_told_also_where_who_asked_for_it_is_gone() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let mut events = db.subscribe();
        let tags = Tags::new(["told"]).unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(streams::set_tags(&mut tx, organisation.id, stream.id, &tags, NOW.plus_ms(5)).await.unwrap());
        let mut committing = Box::pin(tx.commit());
        assert!(poll!(&mut committing).is_pending());
        drop(committing);
        let event = timeout(PATIENCE, events.recv()).await.expect("it is told").unwrap();
        assert_eq!((event.kind, event.stream), (EventKind::StreamChanged, Some(stream.id)));
        let found = streams::by_id(&mut db.read().await.unwrap(), stream.id).await.unwrap().unwrap();
        assert_eq!(found.tags, tags);
    })
    .await;
}

#[tokio::test]
async fn another_organisation_changes_nothing() {
    on_each_database(async |db| {
        let (ours, theirs) = (an_organisation(&db).await, an_organisation(&db).await);
        let stream = a_stream(&db, &ours).await;
        let mut tx = db.write().await.unwrap();
        assert!(!streams::set_tags(&mut tx, theirs.id, stream.id, &Tags::default(), NOW).await.unwrap());
        for outcome in [
            streams::lock(&mut tx, theirs.id, stream.id, NOW).await.unwrap(),
            streams::unlock(&mut tx, theirs.id, stream.id, NOW).await.unwrap(),
            streams::delete(&mut tx, theirs.id, stream.id, NOW).await.unwrap(),
        ] {
            assert_eq!(outcome, Transition::NoSuchStream);
        }
    })
    .await;
}

#[tokio::test]
async fn unlocking_leads_back_to_created_or_ended() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        for was_live in [false, true] {
            let stream = a_stream(&db, &organisation).await;
            if was_live {
                let session = a_session(stream.id);
                start(&db, &session).await;
                end(&db, session.id).await;
            }
            let mut tx = db.write().await.unwrap();
            let id = stream.id;
            assert_eq!(streams::lock(&mut tx, organisation.id, id, NOW).await.unwrap(), Transition::Done { live_session: None });
            assert_eq!(streams::lock(&mut tx, organisation.id, id, NOW).await.unwrap(), Transition::Already);
            assert_eq!(
                streams::unlock(&mut tx, organisation.id, id, NOW).await.unwrap(),
                Transition::Done { live_session: None }
            );
            assert_eq!(streams::unlock(&mut tx, organisation.id, id, NOW).await.unwrap(), Transition::Already);
            tx.commit().await.unwrap();
            assert_eq!(state(&db, id).await, if was_live { StreamState::Ended } else { StreamState::Created });
        }
    })
    .await;
}

#[tokio::test]
async fn of_a_users_session_tokens_the_newest_stay_and_none_without_its_user() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let user = |email: &str| User {
            id: UserId(Uuid::new_v4()),
            organisation: organisation.id,
            email: email.to_owned(),
            password_hash: "$argon2id$x".to_owned(),
            role: Role::User,
            created_at: NOW,
            last_sign_in_at: None,
            system_administrator: false,
            second_factor: None,
        };
        let (one, other) = (user("a@example.com"), user("b@example.com"));
        let token = |user: &User, n: i64| SessionToken {
            user: user.id,
            role: Role::ReadOnly,
            password_digest: "x".to_owned(),
            created_at: NOW.plus_ms(n),
            expires_at: NOW.plus_ms(100 + n),
        };
        let mut tx = db.write().await.unwrap();
        for (user, name) in [(&one, "a"), (&other, "b")] {
            users::insert(&mut tx, user).await.unwrap();
            for n in 0..4 {
                let most = if name == "a" { 2 } else { 4 };
                assert!(session_tokens::add(&mut tx, &token(user, n), &format!("{name}{n}"), most).await.unwrap());
            }
        }
        tx.commit().await.unwrap();
        let found = async |now: UnixMillis| {
            let mut connection = db.read().await.unwrap();
            let mut found = Vec::new();
            for hash in ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"] {
                if session_tokens::by_hash(&mut connection, hash, now).await.unwrap().is_some() {
                    found.push(hash);
                }
            }
            found
        };
        assert_eq!(found(NOW).await, ["a2", "a3", "b0", "b1", "b2", "b3"]);
        assert_eq!(
            session_tokens::by_hash(&mut db.read().await.unwrap(), "a3", NOW.plus_ms(102)).await.unwrap(),
            Some(token(&one, 3))
        );
        assert_eq!(found(NOW.plus_ms(102)).await, ["a3", "b3"], "what has expired is none");
        let mut tx = db.write().await.unwrap();
        assert_eq!(session_tokens::delete_expired(&mut tx, NOW.plus_ms(101)).await.unwrap(), 2);
        let id = one.id.to_string();
        match tx.raw() {
            Raw::Sqlite(c) => sqlx::query("DELETE FROM users WHERE id = $1").bind(id).execute(c).await.map(drop).unwrap(),
            Raw::Postgres(c) => sqlx::query("DELETE FROM users WHERE id = $1").bind(id).execute(c).await.map(drop).unwrap(),
        }
        tx.commit().await.unwrap();
        assert_eq!(found(NOW).await, ["b2", "b3"]);
        let mut tx = db.write().await.unwrap();
        assert!(!session_tokens::add(&mut tx, &token(&one, 5), "a5", 2).await.unwrap(), "the user is gone");
    })
    .await;
}

#[tokio::test]
async fn of_many_tokens_that_a_user_gets_at_once_no_more_stay_than_may() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let user = User {
            id: UserId(Uuid::new_v4()),
            organisation: organisation.id,
            email: "a@example.com".to_owned(),
            password_hash: "$argon2id$x".to_owned(),
            role: Role::User,
            created_at: NOW,
            last_sign_in_at: None,
            system_administrator: false,
            second_factor: None,
        };
        let mut tx = db.write().await.unwrap();
        users::insert(&mut tx, &user).await.unwrap();
        tx.commit().await.unwrap();
        let gate = Arc::new(tokio::sync::Barrier::new(8));
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let (db, gate, user) = (db.clone(), Arc::clone(&gate), user.id);
                tokio::spawn(async move {
                    for n in 0..5 {
                        gate.wait().await;
                        let mut tx = db.write().await.unwrap();
                        let (created_at, expires_at) = (NOW.plus_ms(n), NOW.plus_ms(1_000));
                        let password_digest = "x".to_owned();
                        let token = SessionToken { user, role: Role::User, password_digest, created_at, expires_at };
                        assert!(session_tokens::add(&mut tx, &token, &format!("{racer} {n}"), 10).await.unwrap());
                        tx.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for racer in racers {
            racer.await.unwrap();
        }
        let mut tx = db.write().await.unwrap();
        assert_eq!(session_tokens::delete_expired(&mut tx, NOW.plus_ms(1_000)).await.unwrap(), 10);
    })
    .await;
}

/// SQLite has one that writes at a time, and its readers wait for nobody.
#[tokio::test]
async fn who_waits_for_a_row_is_let_go_before_everybody_waits_for_a_connection() {
    on_each_database(async |db| {
        let (ours, theirs) = (an_organisation(&db).await, an_organisation(&db).await);
        // As a node that stops in the middle: it neither ends its transaction nor its connection.
        let mut stopped = db.write().await.unwrap();
        organisations::hold(&mut stopped, ours.id).await.unwrap();
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let (db, id) = (db.clone(), ours.id);
                tokio::spawn(async move {
                    let mut tx = db.write().await?;
                    organisations::hold(&mut tx, id).await
                })
            })
            .collect();
        for waiting in waiting {
            assert!(waiting.await.unwrap().is_err(), "nobody gets the row");
        }
        assert!(organisations::by_id(&mut db.read().await.unwrap(), theirs.id).await.unwrap().is_some());
        stopped.commit().await.unwrap();
    })
    .await;
}
