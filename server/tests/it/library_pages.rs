//! What the library's pages ask for beyond what programs do: a stream by what people call it, all that is held, a report as a file.

use afterlive_domain::report::{Checksum, Report};
use afterlive_domain::{AssetId, Role};
use afterlive_server::db::asset_search::Search;
use afterlive_server::service::AssetList;

use crate::api::streams::a_stream;
use crate::fixture::recordings::{a_finished_recording, an_accounted_recording};
use crate::fixture::server::{Server, Tenant, on_each_server};

/// The cookie of a browser in which a user of the organisation has signed in.
async fn a_browser(server: &Server, tenant: &Tenant) -> String {
    let email = format!("{}@example.com", tenant.organisation.hash.as_str().to_lowercase());
    let user = server.service.add_user(&tenant.admin, &email, "correct horse battery", Role::ReadOnly).await.unwrap();
    let answer = server.send(&format!("GET /sign-in/{}", user.id), None, "").await;
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_report_is_a_file_for_who_is_signed_in_and_nobody_else_s() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server, &ours, &[]).await;
        let checksum = Checksum { last_bytes: 26_000_000, sha256: "ab".repeat(32) };
        let report = Report { checksum: Some(checksum), ..Report::default() };
        let asset = an_accounted_recording(&server.db, stream, Some(&report)).await;
        let call = format!("GET /vod/{}/report", asset.id);
        let (insider, outsider) = (a_browser(&server, &ours).await, a_browser(&server, &theirs).await);

        let file = server.send_with(&call, &[("cookie", &insider), ("accept", "text/html")], "").await;
        let by_key = server.send(&format!("GET /asset/{}/report", asset.id), Some(&ours.reader_key), "").await;
        assert_eq!(file.ok(), by_key.ok());
        let name = asset.file_name.replace(".mp4", "-report.json");
        assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{name}\""));
        assert_eq!(file.header("cache-control"), "no-store");

        assert_eq!(server.send_with(&call, &[("cookie", &outsider)], "").await.error(), (404, 3004));
        assert_eq!(server.send(&call, None, "").await.error(), (401, 4002));
        // A key opens the API, not the pages.
        assert_eq!(server.send(&call, Some(&ours.admin_key), "").await.error(), (401, 4002));
        assert_eq!(server.send_with("GET /vod/x/report", &[("cookie", &insider)], "").await.error(), (400, 1004));
    })
    .await;
}

#[tokio::test]
async fn a_stream_is_found_by_its_name_and_its_id_within_its_organisation() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let id = a_stream(&server, &ours, &[]).await;
        let name = server.service.stream(&ours.admin, id).await.unwrap().streamname.to_string();
        for text in [name.as_str(), &id.to_string()] {
            assert_eq!(server.service.stream_called(&ours.admin, text).await.unwrap(), Some(id), "{text}");
            assert_eq!(server.service.stream_called(&theirs.admin, text).await.unwrap(), None, "{text}");
        }
        for text in ["", "x", &name.to_lowercase()[..4], "8sKpm-xxxxx", "\0"] {
            assert_eq!(server.service.stream_called(&ours.admin, text).await.unwrap(), None, "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn all_that_is_held_is_listed_together_also_from_the_bin() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &[]).await;
        let mut held: Vec<AssetId> = Vec::new();
        for _ in 0..2 {
            held.push(a_finished_recording(&server.db, stream).await.id);
        }
        a_finished_recording(&server.db, stream).await;
        server.service.delete_asset(&tenant.admin, held[0]).await.unwrap();
        for id in &held {
            server.service.hold_asset(&tenant.admin, *id, None).await.unwrap();
        }
        let list = AssetList { search: Search { held: true, ..Search::default() }, after: None, limit: 10 };
        let page = server.service.assets(&tenant.admin, &list).await.unwrap();
        let mut listed: Vec<AssetId> = page.assets.iter().map(|listed| listed.asset.id).collect();
        listed.sort();
        held.sort();
        assert_eq!(listed, held);

        server.service.lift_hold(&tenant.admin, held[0]).await.unwrap();
        let page = server.service.assets(&tenant.admin, &list).await.unwrap();
        assert_eq!(page.assets.len(), 1);
    })
    .await;
}
