//! Other tags for a stream with many recordings, on SQLite: nobody else writes while one does, and so they are changed some at a time.

use std::cell::Cell;
use std::time::Duration;

use afterlive_domain::stream::MAX_TAGS;
use afterlive_domain::{Act, EventKind, Mode, StreamId, Tags};
use afterlive_server::db::streams::TAG_ROWS_AT_A_TIME;
use afterlive_server::service::NewStream;

use crate::audit::all_rows;
use crate::fixture::database::NOW;
use crate::fixture::recordings::{Made, recordings};
use crate::fixture::server::{Server, Tenant, on_a_server};
use crate::kept_counts::assert_kept;

/// So many that 20 tags may be changed at a time.
const RECORDINGS: i64 = 500;

/// As many as a stream may have, none of them another letter's.
fn tags(letter: char) -> Tags {
    Tags::new((0..MAX_TAGS).map(|number| format!("{letter}{number}"))).unwrap()
}

fn without_tags() -> NewStream {
    NewStream { tags: Tags::default(), default_mode: Mode::Rec }
}

async fn a_stream_with_many_recordings(server: &Server, tenant: &Tenant) -> StreamId {
    let stream = server.service.create_stream(&tenant.admin, without_tags()).await.unwrap();
    let made = (0..RECORDINGS).map(|number| Made { created_at: NOW.plus_ms(number), ..Made::default() });
    recordings(&server.db, stream.id, made).await;
    server.service.set_tags(&tenant.admin, stream.id, &tags('a')).await.unwrap();
    stream.id
}

/// What the audit log says of the organisation's one tagged stream: all tags that it has had, one change after the other.
async fn noted(server: &Server, tenant: &Tenant) -> Vec<Tags> {
    let rows = all_rows(server, tenant).await;
    let tagged = rows.into_iter().filter(|row| row.act == Act::StreamTagged.as_str());
    tagged.map(|row| Tags::from_comma_separated(&row.detail.unwrap_or_default()).unwrap()).collect()
}

/// Between two changes no more rows were written than may be at a time.
fn assert_some_at_a_time(noted: &[Tags]) {
    let without = |some: &Tags, others: &Tags| some.as_slice().iter().filter(|tag| !others.as_slice().contains(tag)).count();
    for (before, after) in [Tags::default()].iter().chain(noted).zip(noted) {
        let changed = without(before, after) + without(after, before);
        let rows = changed as i64 * RECORDINGS;
        assert!((1..=TAG_ROWS_AT_A_TIME).contains(&rows), "{rows} rows at a time: {before:?} → {after:?}");
    }
}

#[tokio::test]
async fn others_write_in_between_while_a_stream_with_many_recordings_gets_other_tags() {
    on_a_server(&[], async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream_with_many_recordings(&server, &ours).await;
        let noted_before = noted(&server, &ours).await.len();
        let mut heard = server.db.subscribe();
        let is_done = Cell::new(false);
        let tagging = async {
            let tagged = server.service.set_tags(&ours.admin, stream, &tags('b')).await.unwrap();
            is_done.set(true);
            tagged
        };
        let others = async {
            while !is_done.get() {
                server.service.create_stream(&theirs.admin, without_tags()).await.unwrap();
            }
        };
        let (tagged, ()) = tokio::join!(tagging, others);
        assert_eq!(tagged.tags, tags('b'));

        let mut committed = Vec::new();
        while let Ok(event) = heard.try_recv() {
            committed.push(event.kind);
        }
        let first = committed.iter().position(|kind| *kind == EventKind::StreamChanged).unwrap();
        let last = committed.iter().rposition(|kind| *kind == EventKind::StreamChanged).unwrap();
        assert!(committed[first..=last].contains(&EventKind::StreamCreated), "nobody else wrote in between: {committed:?}");

        let noted = noted(&server, &ours).await;
        assert_some_at_a_time(&noted);
        assert_eq!(noted.last(), Some(&tags('b')));
        let changes = committed.iter().filter(|kind| **kind == EventKind::StreamChanged).count();
        assert_eq!(noted.len() - noted_before, changes, "a line and an event for each change");
        assert_kept(&server.db, "other tags").await;
    })
    .await;
}

#[tokio::test]
async fn who_goes_before_all_tags_are_changed_leaves_what_is_noted_and_the_same_again_does_the_rest() {
    on_a_server(&[], async |server| {
        let ours = server.an_organisation().await;
        let stream = a_stream_with_many_recordings(&server, &ours).await;
        let (before, after) = (tags('a'), tags('b'));
        let mut heard = server.db.subscribe();
        tokio::select! {
            biased;
            event = heard.recv() => assert_eq!(event.unwrap().kind, EventKind::StreamChanged),
            all = server.service.set_tags(&ours.admin, stream, &after) => panic!("all at once: {all:?}"),
        }
        let left = server.service.stream(&ours.admin, stream).await.unwrap().tags;
        let is_some_of_before = left.as_slice().iter().all(|tag| before.as_slice().contains(tag));
        assert!(left != before && is_some_of_before && !left.as_slice().is_empty(), "{left:?}");
        assert_eq!(noted(&server, &ours).await.last(), Some(&left));
        assert_kept(&server.db, "some of the tags").await;

        let tagged = server.service.set_tags(&ours.admin, stream, &after).await.unwrap();
        assert_eq!(tagged.tags, after);
        let noted = noted(&server, &ours).await;
        assert_some_at_a_time(&noted);
        assert_eq!(noted.last(), Some(&after));
        assert_kept(&server.db, "the rest of them").await;
    })
    .await;
}

/// Each would take for ever what the other gives, if both went on.
#[tokio::test]
async fn of_two_who_change_the_same_many_tags_at_once_one_has_it_as_they_want() {
    on_a_server(&[], async |server| {
        let ours = server.an_organisation().await;
        let stream = a_stream_with_many_recordings(&server, &ours).await;
        let (ones, others) = (tags('b'), tags('c'));
        let set = |tags| server.service.set_tags(&ours.admin, stream, tags);
        let both = async { tokio::join!(set(&ones), set(&others)) };
        let (one, other) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("both come to an end");
        one.unwrap();
        other.unwrap();
        let left = server.service.stream(&ours.admin, stream).await.unwrap().tags;
        assert!(left == ones || left == others, "{left:?}");
        assert_kept(&server.db, "two who changed the tags").await;
    })
    .await;
}
