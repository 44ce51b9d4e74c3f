//! The dashboard's list of streams, on SQLite and PostgreSQL alike.

use afterlive_domain::{StreamId, StreamState, Tags};
use afterlive_server::db::organisations::Organisation;
use afterlive_server::db::stream_search::{Order, Search, count, page, page_after, page_among, tags};
use afterlive_server::db::{Db, streams};
use uuid::Uuid;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};

/// The number-th stream: made so many seconds after [`NOW`], and with the tag.
async fn a_tagged_stream(db: &Db, organisation: &Organisation, number: i64, tag: &str) -> StreamId {
    let mut stream = a_stream(db, &an_organisation(db).await).await;
    stream.id = StreamId(Uuid::new_v4());
    stream.organisation = organisation.id;
    stream.streamname = format!("{}-name{number}", organisation.hash).parse().unwrap();
    stream.created_at = NOW.plus_ms(number * 1_000);
    stream.updated_at = NOW.plus_ms(-number * 1_000);
    stream.tags = Tags::new([tag, "all"]).unwrap();
    let mut tx = db.write().await.unwrap();
    streams::insert(&mut tx, &stream).await.unwrap();
    tx.commit().await.unwrap();
    stream.id
}

async fn found(db: &Db, organisation: &Organisation, search: &Search) -> Vec<StreamId> {
    let mut connection = db.read().await.unwrap();
    let streams = page(&mut connection, organisation.id, search, 25, 0).await.unwrap();
    assert_eq!(count(&mut connection, organisation.id, search).await.unwrap(), streams.len() as u64);
    streams.into_iter().map(|stream| stream.id).collect()
}

#[tokio::test]
async fn every_filter_narrows_and_none_reaches_into_another_organisation() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        a_stream(&db, &an_organisation(&db).await).await;
        let one = a_tagged_stream(&db, &organisation, 1, "title:Sunday service").await;
        let two = a_tagged_stream(&db, &organisation, 2, "50% Off_er").await;
        let three = a_tagged_stream(&db, &organisation, 3, "500 Offers").await;
        let of = async |search: Search| found(&db, &organisation, &search).await;
        let text = |text: &str| Search { text: Some(text.to_owned()), ..Search::default() };

        assert_eq!(of(Search::default()).await, [three, two, one]);
        assert_eq!(of(Search { order: Order::LastUpdatedFirst, ..Search::default() }).await, [one, two, three]);
        assert_eq!(of(Search { order: Order::ByName, ..Search::default() }).await, [one, two, three]);
        assert_eq!(of(Search { from: Some(NOW.plus_ms(2_000)), ..Search::default() }).await, [three, two]);
        assert_eq!(of(Search { to: Some(NOW.plus_ms(2_000)), ..Search::default() }).await, [one]);
        assert_eq!(of(Search { tags: vec!["50% Off_er".to_owned(), "all".to_owned()], ..Search::default() }).await, [two]);
        assert_eq!(of(Search { tags: vec!["50%".to_owned()], ..Search::default() }).await, []);
        assert_eq!(of(text("50%")).await, [two]);
        assert_eq!(of(text("f_e")).await, [two]);
        assert_eq!(of(text("sunday SERVICE")).await, [one]);
        assert_eq!(of(text("-NAME3")).await, [three]);
        assert_eq!(of(text(&two.to_string()[3..20].to_uppercase())).await, [two]);
        assert_eq!(of(Search { state: Some(StreamState::Live), ..Search::default() }).await, []);
    })
    .await;
}

#[tokio::test]
async fn the_deleted_are_listed_only_by_name_of_their_state() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let gone = a_tagged_stream(&db, &organisation, 1, "a").await;
        let mut tx = db.write().await.unwrap();
        streams::delete(&mut tx, organisation.id, gone, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&db, &organisation, &Search::default()).await, []);
        let deleted = Search { state: Some(StreamState::Deleted), ..Search::default() };
        assert_eq!(found(&db, &organisation, &deleted).await, [gone]);
    })
    .await;
}

#[tokio::test]
async fn a_page_begins_where_the_one_before_ended() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        let mut newest_first = Vec::new();
        for number in 1..=5 {
            newest_first.insert(0, a_tagged_stream(&db, &organisation, number, "a").await);
        }
        let mut connection = db.read().await.unwrap();
        let mut seen = Vec::new();
        for offset in [0, 2, 4, 6] {
            let rows = page(&mut connection, organisation.id, &Search::default(), 2, offset).await.unwrap();
            assert!(rows.iter().all(|stream| stream.tags.as_slice() == ["a", "all"]));
            seen.extend(rows.into_iter().map(|stream| stream.id));
        }
        assert_eq!(seen, newest_first);
        for order in [Order::NewestFirst, Order::LastUpdatedFirst, Order::ByName] {
            let search = Search { order, ..Search::default() };
            let all = page(&mut connection, organisation.id, &search, 10, 0).await.unwrap();
            let mut seen = page(&mut connection, organisation.id, &search, 2, 0).await.unwrap();
            while let Some(last) = seen.last() {
                let behind = (order.place(last), last.id);
                let next = page_after(&mut connection, organisation.id, &search, &behind, 2).await.unwrap();
                if next.is_empty() {
                    break;
                }
                seen.extend(next);
            }
            assert_eq!(seen, all, "{order:?}");
        }
        assert_eq!(tags(&mut connection, organisation.id, 10).await.unwrap(), ["a", "all"]);
    })
    .await;
}

#[tokio::test]
async fn a_tag_that_many_have_finds_what_one_that_few_have_does() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        a_tagged_stream(&db, &an_organisation(&db).await, 0, "few").await;
        let few = a_tagged_stream(&db, &organisation, 0, "few").await;
        let mut tx = db.write().await.unwrap();
        for number in 1..=1_001 {
            let mut stream = streams::by_id(&mut tx, few).await.unwrap().unwrap();
            stream.id = StreamId(Uuid::new_v4());
            stream.streamname = format!("{}-{number:05}", organisation.hash).parse().unwrap();
            stream.created_at = NOW.plus_ms(-number);
            stream.tags = Tags::new(["all"]).unwrap();
            streams::insert(&mut tx, &stream).await.unwrap();
        }
        tx.commit().await.unwrap();
        let tagged = |tags: &[&str]| Search { tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..Search::default() };
        assert_eq!(found(&db, &organisation, &tagged(&["all", "few"])).await, [few]);
        assert_eq!(found(&db, &organisation, &tagged(&["few", "few"])).await, [few]);
        let mut connection = db.read().await.unwrap();
        assert_eq!(count(&mut connection, organisation.id, &tagged(&["all"])).await.unwrap(), 1_002);
        let all = page(&mut connection, organisation.id, &tagged(&["all"]), 2, 0).await.unwrap();
        let next = (Order::NewestFirst.place(&all[0]), few);
        let behind = page_after(&mut connection, organisation.id, &tagged(&["all"]), &next, 1).await.unwrap();
        assert_eq!((all[0].id, behind[0].id), (few, all[1].id));
        assert!(page_after(&mut connection, organisation.id, &tagged(&["few"]), &next, 1).await.unwrap().is_empty());
    })
    .await;
}

/// So many streams, each an older one than the one before; the number-th has the tags that it is given.
async fn many_streams(db: &Db, organisation: &Organisation, streams: i64, tags: impl Fn(i64) -> Tags) -> Vec<StreamId> {
    let newest = a_tagged_stream(db, organisation, 0, "newest").await;
    let mut ids = vec![newest];
    let mut tx = db.write().await.unwrap();
    let mut stream = streams::by_id(&mut tx, newest).await.unwrap().unwrap();
    for number in 1..streams {
        stream.id = StreamId(Uuid::new_v4());
        stream.streamname = format!("{}-{number:05}", organisation.hash).parse().unwrap();
        // Two have the same instant each, so that the id decides between them.
        stream.created_at = NOW.plus_ms(-(number / 2) - 1);
        stream.tags = tags(number);
        streams::insert(&mut tx, &stream).await.unwrap();
        ids.push(stream.id);
    }
    tx.commit().await.unwrap();
    ids
}

#[tokio::test]
async fn a_look_at_so_many_rows_ends_there_and_the_next_goes_on_behind_them() {
    on_each_database(async |db| {
        let organisation = an_organisation(&db).await;
        // Common tags: even and odd, which no stream shares, and one that only the oldest have.
        let ids = many_streams(&db, &organisation, 2_500, |number| {
            let parity = if number % 2 == 0 { "even" } else { "odd" };
            if number < 1_400 { Tags::new([parity]).unwrap() } else { Tags::new([parity, "old"]).unwrap() }
        });
        let ids = ids.await;
        let mut connection = db.read().await.unwrap();
        let search = |tags: &[&str]| Search { tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..Search::default() };
        for (tags, state, expected, looks) in [
            (&["even", "odd"][..], None, 0, 7),
            (&["even", "odd"][..], Some(StreamState::Created), 0, 7),
            (&["odd", "even"][..], Some(StreamState::Live), 0, 1),
            (&["old"][..], None, 1_100, 3 + 11),
            (&["newest"][..], None, 1, 1),
        ] {
            let search = Search { state, ..search(tags) };
            let (mut seen, mut after, mut looked) = (Vec::new(), None, 0);
            loop {
                let found = page_among(&mut connection, organisation.id, &search, after.as_ref(), 100, 400).await.unwrap();
                looked += 1;
                seen.extend(found.streams.iter().map(|stream| stream.id));
                if let (true, Some((_, id))) = (found.streams.is_empty(), &found.next) {
                    assert!(!ids.contains(id), "{tags:?}: of what is not shown the id is not told");
                }
                after = found.next;
                if after.is_none() || looked > 100 {
                    break;
                }
            }
            let all = page(&mut connection, organisation.id, &search, 3_000, 0).await.unwrap();
            assert_eq!(seen, all.iter().map(|stream| stream.id).collect::<Vec<_>>(), "{tags:?}: each once, none left out");
            assert_eq!(seen.len(), expected, "{tags:?}");
            assert_eq!(looked, looks, "{tags:?} {state:?}");
        }
    })
    .await;
}
