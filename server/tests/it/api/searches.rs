//! Searches for a text, which read all rows of an organisation: one at a time, so that others find the database's connections free.

use afterlive_domain::Error as Refusal;
use afterlive_server::db::{asset_search, stream_search};
use afterlive_server::service::{AssetList, Error, StreamList};
use futures::future::join_all;
use futures::{FutureExt as _, poll};

use crate::fixture::server::on_a_server;

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
