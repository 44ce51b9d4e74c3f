//! Searches for a text, which read all rows of an organisation, and what else takes long: one at a time, so that others find the database's connections free.

use std::net::IpAddr;
use std::time::Duration;

use afterlive_domain::{AssetState, Error as Refusal, Region, Role, StreamId, StreamState};
use afterlive_server::db::audit_log::Filter;
use afterlive_server::db::stream_search::Order;
use afterlive_server::db::{Connection, asset_search, stream_search};
use afterlive_server::service::{AssetList, Error, Holder, Player, SignIn, StreamList};
use futures::future::join_all;
use futures::{FutureExt as _, poll};
use tokio::time::timeout;
use uuid::Uuid;

use crate::fixture::database::NOW;
use crate::fixture::server::{Server, Tenant, on_a_server};

/// All connections for reading that an SQLite database has.
const SQLITE_READERS: usize = 4;

#[tokio::test]
async fn an_organisation_searches_once_at_a_time_by_whatever_way_and_what_is_no_search_does_not_wait_for_it() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let (service, caller) = (&server.service, &tenant.admin);
        let search = stream_search::Search { text: Some("a".to_owned()), ..stream_search::Search::default() };
        let streams = StreamList { search: search.clone(), after: None, limit: 10 };
        let assets = asset_search::Search { text: Some("a".to_owned()), ..asset_search::Search::default() };
        let assets = AssetList { search: assets, after: None, limit: 10 };
        // While all are taken, whoever has a turn waits for one of them.
        let mut readers = Vec::new();
        for _ in 0..SQLITE_READERS {
            readers.push(server.db.read().await.unwrap());
        }
        let mut first = Box::pin(service.streams(caller, &streams));
        assert!(poll!(&mut first).is_pending());
        let others = [
            service.streams(caller, &streams).map(Result::err).boxed_local(),
            service.shown_streams(caller, &streams, 10).map(Result::err).boxed_local(),
            service.stream_table(caller, &search, 10, 0).map(Result::err).boxed_local(),
            service.assets(caller, &assets).map(Result::err).boxed_local(),
            service.count_assets(caller, &assets.search).map(Result::err).boxed_local(),
        ];
        for turned_away in join_all(others).await {
            assert!(matches!(turned_away, Some(Error::Refused(Refusal::TooMany { .. }))), "{turned_away:?}");
        }
        let all = StreamList { search: stream_search::Search::default(), ..streams.clone() };
        let mut no_search = Box::pin(service.streams(caller, &all));
        assert!(poll!(&mut no_search).is_pending());
        readers.pop();
        readers.pop();
        assert!(first.await.is_ok() && no_search.await.is_ok());
    })
    .await;
}

/// All of them. Whoever has a turn waits for one.
async fn all_readers(server: &Server) -> Vec<Connection> {
    let mut readers = Vec::new();
    for _ in 0..SQLITE_READERS {
        readers.push(server.db.read().await.unwrap());
    }
    readers
}

fn is_turned_away<T>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Refused(Refusal::TooMany { .. })))
}

#[tokio::test]
async fn several_filters_at_once_take_the_turn_of_searches_and_one_takes_none() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let (service, caller) = (&server.service, &tenant.admin);
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let streams = |search| StreamList { search, after: None, limit: 10 };
        let assets = |search| AssetList { search, after: None, limit: 10 };
        let every = stream_search::Search::default;
        let all = asset_search::Search::default;
        let (live, ready) = (Some(StreamState::Live), Some(AssetState::Ready));
        let (now, region) = (Some(NOW), Some("us".parse::<Region>().unwrap()));

        let two_tags = stream_search::Search { tags: tags(&["a", "b"]), ..every() };
        let far_streams = [
            stream_search::Search { tags: tags(&["a"]), order: Order::LastUpdatedFirst, ..every() },
            stream_search::Search { state: live, order: Order::ByName, ..every() },
            stream_search::Search { from: now, order: Order::LastUpdatedFirst, ..every() },
        ];
        let far_assets = [
            asset_search::Search { tags: tags(&["a"]), region: region.clone(), ..all() },
            asset_search::Search { tags: tags(&["a", "b"]), ..all() },
            asset_search::Search { region: region.clone(), state: ready, ..all() },
        ];
        let near_streams = [
            stream_search::Search { tags: tags(&["a"]), state: live, from: now, to: now, ..every() },
            stream_search::Search { order: Order::LastUpdatedFirst, ..every() },
        ];
        let near_assets = [
            asset_search::Search { tags: tags(&["a"]), from: now, to: now, ..all() },
            asset_search::Search { stream: Some(StreamId(Uuid::new_v4())), ..all() },
            asset_search::Search { region, ..all() },
            asset_search::Search { state: ready, ..all() },
            asset_search::Search { held: true, ..all() },
        ];

        // While all are taken, whoever has a turn waits for one of them.
        let readers = all_readers(&server).await;
        let two_tags = streams(two_tags);
        let mut first = Box::pin(service.streams(caller, &two_tags));
        assert!(poll!(&mut first).is_pending());
        let (far_streams, far_assets) = (far_streams.map(streams), far_assets.map(assets));
        let mut others = vec![
            service.shown_streams(caller, &two_tags, 10).map(is_turned_away).boxed_local(),
            service.stream_table(caller, &two_tags.search, 10, 0).map(is_turned_away).boxed_local(),
            service.count_assets(caller, &far_assets[0].search).map(is_turned_away).boxed_local(),
        ];
        others.extend(far_streams.iter().map(|list| service.streams(caller, list).map(is_turned_away).boxed_local()));
        others.extend(far_assets.iter().map(|list| service.assets(caller, list).map(is_turned_away).boxed_local()));
        assert!(join_all(others).await.into_iter().all(|turned_away| turned_away));

        drop(readers);
        for list in near_streams.map(streams) {
            assert!(service.streams(caller, &list).await.is_ok(), "{list:?}");
        }
        for list in near_assets.map(assets) {
            assert!(service.assets(caller, &list).await.is_ok(), "{list:?}");
        }
        assert!(first.await.is_ok());
        assert!(service.streams(caller, &two_tags).await.is_ok(), "then the next");
    })
    .await;
}

#[tokio::test]
async fn long_lists_and_pages_of_the_log_leave_the_places_to_other_organisations() {
    on_a_server(&[], async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let service = &server.service;
        let list = |limit| StreamList { search: stream_search::Search::default(), after: None, limit };
        let (long, short) = (list(1_000), list(50));
        let readers = all_readers(&server).await;
        let lists = |caller| service.shown_streams(caller, &long, 50);
        let (mut list, mut list_of_theirs) = (Box::pin(lists(&ours.admin)), Box::pin(lists(&theirs.admin)));
        let filter = Filter::default();
        let pages = |caller| service.audit_page(caller, &filter, None);
        let (mut page, mut page_of_theirs) = (Box::pin(pages(&ours.admin)), Box::pin(pages(&theirs.admin)));
        assert!(poll!(&mut list).is_pending() && poll!(&mut page).is_pending());
        let export = service.export_audit(&ours.admin, 0, (None, None), 10);
        let (second_list, second_page, export) = tokio::join!(lists(&ours.admin), pages(&ours.admin), export);
        assert!(is_turned_away(second_list) && is_turned_away(second_page) && is_turned_away(export));
        // What is no longer than usual takes no place of those.
        let mut usual = Box::pin(service.shown_streams(&ours.admin, &short, 50));
        assert!(poll!(&mut usual).is_pending());
        assert!(poll!(&mut list_of_theirs).is_pending() && poll!(&mut page_of_theirs).is_pending());
        drop(readers);
        let (usual, list, theirs) = tokio::join!(usual, list, list_of_theirs);
        assert!(usual.is_ok() && list.is_ok() && theirs.is_ok());
        let (page, theirs) = tokio::join!(page, page_of_theirs);
        assert!(page.is_ok() && theirs.is_ok());
    })
    .await;
}

#[tokio::test]
async fn lists_for_one_public_page_keep_no_other_organisations_waiting() {
    on_a_server(&[], async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let holder = |tenant: &Tenant| Holder::Player(Player { organisation: tenant.organisation.id });
        let (ours, theirs) = (holder(&ours), holder(&theirs));
        let search = stream_search::Search { tags: vec!["x".to_owned()], ..stream_search::Search::default() };
        let list = StreamList { search, after: None, limit: 100 };
        // It keeps its place until it has been written out.
        let first = server.service.public_streams(&ours, &list).await.unwrap();
        let more: Vec<_> = (0..10).map(|_| server.service.public_streams(&ours, &list)).collect();
        let (more, other) = tokio::join!(join_all(more), server.service.public_streams(&theirs, &list));
        assert!(other.is_ok());
        assert!(more.into_iter().all(is_turned_away));
        drop(first);
        assert!(server.service.public_streams(&ours, &list).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn who_signs_in_or_shows_a_key_is_left_a_connection_whatever_is_read() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let password = "correct horse battery";
        server.service.add_user(&tenant.admin, "ada@example.com", password, Role::User).await.unwrap();
        let readers = all_readers(&server).await;
        let in_time = Duration::from_secs(5);
        let signing_in = server.service.sign_in("ada@example.com", password, IpAddr::from([192, 0, 2, 1]));
        assert!(matches!(timeout(in_time, signing_in).await.unwrap(), Ok(SignIn::Done(_))));
        let by_key = server.service.key_caller(&tenant.reader_key, IpAddr::from([192, 0, 2, 1]));
        assert!(timeout(in_time, by_key).await.unwrap().is_ok());
        drop(readers);
    })
    .await;
}
