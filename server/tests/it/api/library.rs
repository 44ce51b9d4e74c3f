//! The library, as programs use it: recordings listed, deleted, restored and held.

use std::fs;

use afterlive_domain::{AssetId, AssetState, EventKind, Role, StreamId};
use afterlive_server::db::assets::{self, Asset};
use afterlive_server::finalise::Finaliser;
use afterlive_server::jobs::Worker;
use afterlive_server::storage::{Key, RegionStore};
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::streams::a_stream;
use crate::fixture::database::NOW;
use crate::fixture::recordings::{Made, a_finished_recording, recordings};
use crate::fixture::server::{Answer, Server, Tenant, on_each_server};

/// Every call on one recording, with the least role that may make it.
const CALLS: &[(&str, Role, &str)] = &[
    ("GET /asset/ID", Role::ReadOnly, ""),
    ("GET /asset/ID/report", Role::ReadOnly, ""),
    ("PUT /asset/ID/hold", Role::Admin, r#"{"hold":true}"#),
    ("PUT /asset/ID/hold", Role::Admin, r#"{"hold":false}"#),
    ("DELETE /asset/ID", Role::Admin, ""),
    ("POST /asset/ID/restore", Role::Admin, ""),
];

const DAY_MS: i64 = 86_400_000;

/// The ids of a page, and the call for the next one.
async fn page(server: &Server, tenant: &Tenant, query: &str) -> (Vec<AssetId>, Option<String>) {
    let answer = server.send(&format!("GET /asset?{query}"), Some(&tenant.reader_key), "").await;
    let ids = answer.ok().as_array().unwrap().iter().map(|asset| asset["id"].as_str().unwrap().parse().unwrap()).collect();
    let next = answer.headers.get("link").map(|link| {
        let url = link.to_str().unwrap().strip_prefix("<http://localhost:3000/asset?").unwrap();
        url.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
    });
    (ids, next)
}

async fn call(server: &Server, tenant: &Tenant, call: &str, asset: AssetId, body: &str) -> Answer {
    server.send(&call.replace("ID", &asset.to_string()), Some(&tenant.admin_key), body).await
}

async fn state(server: &Server, asset: AssetId) -> AssetState {
    assets::by_id(&mut server.db.read().await.unwrap(), asset).await.unwrap().unwrap().state
}

/// Does what the calls have left to be done.
async fn run_jobs(server: &Server) {
    let finaliser = Finaliser::new(server.db.clone(), server.clock.clone(), server.service.regions().clone());
    let worker = Worker::new(server.db.clone(), server.clock.clone(), move |task| {
        let finaliser = finaliser.clone();
        Box::pin(async move { finaliser.perform(task).await })
    });
    worker.run_due().await.unwrap();
}

/// Gives the recording a file and a poster.
fn put_files(store: &RegionStore, asset: &Asset) -> Vec<std::path::PathBuf> {
    let key = Key::from_file_name(&asset.file_name).unwrap();
    let paths: Vec<_> = key.all_of_recording().into_iter().map(|key| store.path(&key)).collect();
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, path.to_str().unwrap()).unwrap();
    }
    paths
}

/// What each of the recording's URLs answers, where there is something.
async fn watched(server: &Server, tenant: &Tenant, asset: &Asset) -> Vec<Option<String>> {
    let mut answers = Vec::new();
    for key in Key::from_file_name(&asset.file_name).unwrap().all_of_recording() {
        let answer = server.send(&format!("GET /vod-{}/{key}", asset.region), Some(&tenant.admin_key), "").await;
        answers.push((answer.status != StatusCode::NOT_FOUND).then(|| answer.text.clone()));
    }
    answers
}

#[tokio::test]
async fn each_role_may_do_with_a_recording_what_it_may_and_another_organisations_does_not_exist() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server, &ours, &["secret"]).await;
        let asset = a_finished_recording(&server.db, stream).await;
        let before = call(&server, &ours, "GET /asset/ID", asset.id, "").await.ok();
        for (call, least, body) in CALLS {
            let call = call.replace("ID", &asset.id.to_string());
            assert_eq!(server.send(&call, None, body).await.error(), (401, 4002), "{call}");
            let foreign = server.send(&call, Some(&theirs.admin_key), body).await;
            assert_eq!(foreign.error(), (404, 3004), "{call}");
            assert_eq!(foreign.json()["error"]["userinfo"], json!({ "asset": asset.id }));
            for role in [Role::ReadOnly, Role::User] {
                if role < *least {
                    assert_eq!(server.send(&call, Some(ours.key(role)), body).await.error(), (403, 2001), "{call} as {role}");
                } else {
                    server.send(&call, Some(ours.key(role)), body).await.ok();
                }
            }
        }
        assert_eq!(call(&server, &ours, "GET /asset/ID", asset.id, "").await.ok(), before, "untouched");
        for query in ["", "q=secret", "tags[]=secret", &format!("stream={stream}"), "state=deleted"] {
            assert_eq!(page(&server, &theirs, query).await, (vec![], None), "{query}");
        }
        for (path, _, body) in CALLS {
            call(&server, &ours, path, asset.id, body).await.ok();
        }
    })
    .await;
}

#[tokio::test]
async fn a_recording_is_shown_with_all_that_is_known_of_it() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &["title:Sunday service", "b"]).await;
        let asset = a_finished_recording(&server.db, stream).await;
        let name = asset.file_name.strip_suffix(".mp4").unwrap();
        let shown = json!({
            "id": asset.id,
            "stream": stream,
            "streamname": name,
            "tags": ["title:Sunday service", "b"],
            "index": 1,
            "file_name": asset.file_name,
            "region": "eu",
            "state": "ready",
            "reason": null,
            "url": format!("http://localhost:3000/vod-eu/{}/{}", tenant.organisation.hash, asset.file_name),
            "thumbnail": null,
            "created_at": "2026-11-04T17:09:19.899Z",
            "ended_at": "2026-11-04T17:09:19.899Z",
            "updated_at": "2026-11-04T17:09:19.899Z",
            "duration_ms": 83_450,
            "size_bytes": 26_411_008,
            "width": 1280,
            "height": 720,
            "fps": 30.0,
            "video_codec": "h264",
            "audio_codec": "aac",
            "hold": null,
            "deleted_at": null,
            "restorable_until": null,
            "purged_at": null,
        });
        assert_eq!(call(&server, &tenant, "GET /asset/ID", asset.id, "").await.ok(), shown);
        assert_eq!(server.send("GET /asset", Some(&tenant.reader_key), "").await.ok(), json!([shown]));
    })
    .await;
}

#[tokio::test]
async fn the_library_is_filtered_and_searched() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (one, other) = (a_stream(&server, &tenant, &["a", "50%"]).await, a_stream(&server, &tenant, &["a", "b"]).await);
        let at = |s: i64| NOW.plus_ms(s * 1_000);
        let made = |s, region, done: bool| Made { region, created_at: at(s), ended_at: done.then(|| at(s)), ..Made::default() };
        let first = recordings(&server.db, one, [made(0, "eu", true), made(1, "us", true), made(2, "eu", false)]).await;
        let second = recordings(&server.db, other, [made(3, "eu", true)]).await;
        let [old, american, growing] = [&first[0], &first[1], &first[2]].map(|asset| asset.id);
        let foreign = second[0].id;
        call(&server, &tenant, "DELETE /asset/ID", old, "").await.ok();
        let name = first[1].file_name.strip_suffix("-2.mp4").unwrap();

        for (query, expected) in [
            ("", vec![foreign, growing, american]),
            ("state=all&unknown=1", vec![foreign, growing, american]),
            ("state=ready", vec![foreign, american]),
            ("state=recording", vec![growing]),
            ("state=failed", vec![]),
            ("state=deleted", vec![old]),
            ("region=us", vec![american]),
            ("region=eu&state=ready", vec![foreign]),
            ("region=mars", vec![]),
            (&format!("stream={one}"), vec![growing, american]),
            (&format!("stream={}", Uuid::new_v4()), vec![]),
            ("tags[]=a", vec![foreign, growing, american]),
            ("tags[]=a&tags[]=b", vec![foreign]),
            ("tags[0]=50%25", vec![growing, american]),
            ("tags[]=A", vec![]),
            ("q=50%25", vec![growing, american]),
            ("q=50_", vec![]),
            (&format!("q={}", name.to_uppercase()), vec![growing, american]),
            (&format!("q={}", &american.to_string()[4..20]), vec![american]),
            (&format!("q={}", other.to_string().to_uppercase()), vec![foreign]),
            ("q=%00", vec![]),
            ("from=2026-11-04T17:09:22Z", vec![foreign]),
            ("to=2026-11-04T17:09:21.000Z", vec![american]),
            ("from=2026-11-04T17:09:20Z&to=2026-11-04T17:09:22Z", vec![growing, american]),
            ("from=2026-11-05", vec![]),
            ("quantity=1", vec![foreign]),
            ("quantity=0", vec![]),
            ("quantity=99999999999", vec![foreign, growing, american]),
        ] {
            assert_eq!(page(&server, &tenant, query).await.0, expected, "{query}");
        }
        let search = afterlive_server::db::asset_search::Search { stream: Some(one), ..Default::default() };
        assert_eq!(server.service.count_assets(&tenant.admin, &search).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_named() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let asset = a_finished_recording(&server.db, a_stream(&server, &tenant, &[]).await).await;
        let many_tags = "tags[]=a&".repeat(11);
        for (query, parameter) in [
            ("stream=x", "stream"),
            ("stream={5f86a12f-3801-415a-b450-6b6a46842349}", "stream"),
            ("state=gone", "state"),
            ("state=Deleted", "state"),
            ("region=EU", "region"),
            ("region=../../etc", "region"),
            ("from=yesterday", "from"),
            ("to=2026-13-01", "to"),
            ("quantity=-1", "quantity"),
            ("quantity=ten", "quantity"),
            ("cursor=x", "cursor"),
            ("cursor=1.x", "cursor"),
            ("cursor=' OR 1=1 --", "cursor"),
            (&many_tags, "tags"),
        ] {
            let answer = server.send(&format!("GET /asset?{}", query.replace(' ', "%20")), Some(&tenant.reader_key), "").await;
            assert_eq!(answer.error(), (400, 1004), "{query}");
            assert_eq!(answer.json()["error"]["userinfo"]["parameter"], parameter, "{query}");
        }
        for id in ["x", "%00", "%ff", "..%2f..%2fetc%2fpasswd", "5f86a12f3801415ab4506b6a46842349", "'%20OR%201=1"] {
            for (call, _, body) in CALLS {
                let answer = server.send(&call.replace("ID", id), Some(&tenant.admin_key), body).await;
                assert_eq!(answer.error(), (400, 1004), "{call} {id}");
            }
        }
        for (body, status, code) in [
            ("", 400, 1002),
            ("{}", 400, 1002),
            (r#"{"hold":null}"#, 400, 1002),
            (r#"{"hold":"yes"}"#, 400, 1004),
            (r#"{"hold":1}"#, 400, 1004),
            (r#"{"hold":true,"note":7}"#, 400, 1004),
            (r#"{"hold":true,"note":"a\u0000b"}"#, 400, 1004),
            (&format!(r#"{{"hold":true,"note":"{}"}}"#, "x".repeat(501)), 400, 1004),
            ("[true]", 400, 1004),
        ] {
            assert_eq!(call(&server, &tenant, "PUT /asset/ID/hold", asset.id, body).await.error(), (status, code), "{body}");
        }
        assert_eq!(call(&server, &tenant, "GET /asset/ID", asset.id, "").await.ok()["hold"], json!(null));
        for (call, _, body) in CALLS {
            let answer = server.send(&call.replace("ID", &Uuid::new_v4().to_string()), Some(&tenant.admin_key), body).await;
            assert_eq!(answer.error(), (404, 3004), "{call}");
        }
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_recordings_page_each_once_while_others_come_and_go() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &[]).await;
        // Many of one instant: the id decides among them.
        let made = (0..10_000).map(|n| Made { created_at: NOW.plus_ms(n / 7), ended_at: None, ..Made::default() });
        let made = recordings(&server.db, stream, made).await;
        let other = a_stream(&server, &tenant, &[]).await;
        let doomed =
            recordings(&server.db, other, (0..10).map(|n| Made { created_at: NOW.plus_ms(n * 150), ..Made::default() })).await;
        let (mut seen, mut query) = (Vec::new(), "quantity=997".to_owned());
        for turn in 0.. {
            let (ids, next) = page(&server, &tenant, &query).await;
            seen.extend(ids);
            let Some(next) = next else { break };
            query = next;
            // One that comes, at the top, and one that goes, somewhere.
            let newest = Made { created_at: NOW.plus_ms(1_000_000 + turn), ended_at: None, ..Made::default() };
            recordings(&server.db, other, [newest]).await;
            call(&server, &tenant, "DELETE /asset/ID", doomed[turn as usize % 10].id, "").await.ok();
        }
        seen.retain(|id| doomed.iter().all(|asset| asset.id != *id));
        let mut expected: Vec<_> = made.iter().map(|asset| (asset.created_at, asset.id)).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let expected: Vec<AssetId> = expected.into_iter().map(|(_, id)| id).collect();
        assert!(seen == expected, "{} of {}", seen.len(), expected.len());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_recording_lies_in_the_bin_and_comes_back_as_it_was() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let asset = a_finished_recording(&server.db, a_stream(&server, &tenant, &[]).await).await;
        let store = server.service.regions().get(&asset.region).unwrap();
        let files = put_files(store, &asset);
        let before = call(&server, &tenant, "GET /asset/ID", asset.id, "").await.ok();
        let mut news = server.db.subscribe();
        server.clock.advance_ms(1_000);
        for _ in 0..2 {
            let gone = call(&server, &tenant, "DELETE /asset/ID", asset.id, "").await.ok();
            assert_eq!((&gone["state"], &gone["url"]), (&json!("deleted"), &json!(null)));
            assert_eq!(
                (&gone["deleted_at"], &gone["restorable_until"]),
                (&json!("2026-11-04T17:09:20.899Z"), &json!("2026-11-11T17:09:20.899Z"))
            );
            run_jobs(&server).await;
            assert!(files.iter().all(|file| !file.exists()));
            assert_eq!(watched(&server, &tenant, &asset).await, [None, None, None, None]);
            server.clock.advance_ms(1_000);
        }
        assert_eq!(page(&server, &tenant, "").await.0, []);
        assert_eq!(page(&server, &tenant, "state=deleted").await.0, [asset.id]);
        for _ in 0..2 {
            let mut back = call(&server, &tenant, "POST /asset/ID/restore", asset.id, "").await.ok();
            back["updated_at"] = before["updated_at"].clone();
            assert_eq!(back, before);
            let there: Vec<_> = files.iter().map(|file| Some(file.to_str().unwrap().to_owned())).collect();
            let (answers, ()) = tokio::join!(watched(&server, &tenant, &asset), run_jobs(&server));
            assert_eq!(answers, there, "for who asks before the job has been done");
            assert!(files.iter().all(|file| fs::read_to_string(file).unwrap() == file.to_str().unwrap()));
        }
        assert_eq!(page(&server, &tenant, "state=deleted").await.0, []);
        let mut kinds = Vec::new();
        while let Ok(event) = news.try_recv() {
            assert_eq!((event.organisation, event.asset), (tenant.organisation.id, Some(asset.id)));
            kinds.push(event.kind);
        }
        assert_eq!(kinds, [EventKind::AssetDeleted, EventKind::AssetChanged], "what changes nothing is no news");
    })
    .await;
}

#[tokio::test]
async fn what_is_being_recorded_cannot_be_deleted_but_held() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &[]).await;
        let growing = recordings(&server.db, stream, [Made { ended_at: None, ..Made::default() }]).await.remove(0);
        let refused = call(&server, &tenant, "DELETE /asset/ID", growing.id, "").await;
        assert_eq!(refused.error(), (409, 3003));
        assert_eq!(refused.json()["error"]["userinfo"], json!({ "state": "recording" }));
        call(&server, &tenant, "POST /asset/ID/restore", growing.id, "").await.ok();
        let held = call(&server, &tenant, "PUT /asset/ID/hold", growing.id, r#"{"hold":true}"#).await.ok();
        assert_eq!((&held["state"], &held["hold"]["note"]), (&json!("recording"), &json!(null)));
    })
    .await;
}

#[tokio::test]
async fn a_held_recording_is_deleted_by_nobody_and_not_with_its_stream() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &[]).await;
        let made = recordings(&server.db, stream, [Made::default(), Made::default()]).await;
        let (held, free) = (made[0].id, made[1].id);
        let set =
            async |body: Value| call(&server, &tenant, "PUT /asset/ID/hold", held, &body.to_string()).await.ok()["hold"].clone();
        let first = json!({ "at": "2026-11-04T17:09:19.899Z", "by": "API key test", "note": "Case 7" });
        assert_eq!(set(json!({ "hold": true, "note": " Case 7 " })).await, first);
        server.clock.advance_ms(5_000);
        assert_eq!(set(json!({ "hold": true })).await, first, "a second time changes nothing");
        assert_eq!(set(json!({ "hold": true, "note": "Case 7 and 8" })).await["note"], "Case 7 and 8");

        let refused = call(&server, &tenant, "DELETE /asset/ID", held, "").await;
        assert_eq!(refused.error(), (409, 3003));
        assert_eq!(refused.json()["error"]["userinfo"]["state"], "held");
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains("under legal hold"));
        server.send(&format!("DELETE /stream/{stream}"), Some(&tenant.admin_key), "").await.ok();
        assert_eq!((state(&server, held).await, state(&server, free).await), (AssetState::Ready, AssetState::Deleted));
        assert_eq!(page(&server, &tenant, "").await.0, [held]);

        for _ in 0..2 {
            assert_eq!(set(json!({ "hold": false, "note": "unread" })).await, json!(null));
        }
        call(&server, &tenant, "DELETE /asset/ID", held, "").await.ok();
        assert_eq!(state(&server, held).await, AssetState::Deleted);
    })
    .await;
}

#[tokio::test]
async fn a_hold_on_what_is_in_the_bin_keeps_it_there_and_restorable() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream = a_stream(&server, &tenant, &[]).await;
        let asset = a_finished_recording(&server.db, stream).await;
        call(&server, &tenant, "DELETE /asset/ID", asset.id, "").await.ok();
        let held = call(&server, &tenant, "PUT /asset/ID/hold", asset.id, r#"{"hold":true}"#).await.ok();
        assert_eq!((&held["state"], &held["restorable_until"]), (&json!("deleted"), &json!(null)));
        server.clock.advance_ms(8 * DAY_MS);
        let mut tx = server.db.write().await.unwrap();
        assert!(!afterlive_server::db::retention::purge(&mut tx, asset.id, server.clock.now()).await.unwrap());
        drop(tx);
        assert_eq!(call(&server, &tenant, "POST /asset/ID/restore", asset.id, "").await.ok()["state"], "ready");
    })
    .await;
}

#[tokio::test]
async fn what_is_removed_for_good_is_said_so_and_its_name_is_never_given_again() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let stream: StreamId = a_stream(&server, &tenant, &[]).await;
        let asset = a_finished_recording(&server.db, stream).await;
        call(&server, &tenant, "DELETE /asset/ID", asset.id, "").await.ok();
        let mut tx = server.db.write().await.unwrap();
        assert!(afterlive_server::db::retention::purge(&mut tx, asset.id, NOW).await.unwrap());
        assert!(!afterlive_server::db::retention::purge(&mut tx, asset.id, NOW).await.unwrap());
        tx.commit().await.unwrap();

        let shown = call(&server, &tenant, "DELETE /asset/ID", asset.id, "").await.ok();
        assert_eq!((&shown["state"], &shown["purged_at"]), (&json!("deleted"), &json!("2026-11-04T17:09:19.899Z")));
        assert_eq!(shown["restorable_until"], json!(null));
        for (path, body) in [("POST /asset/ID/restore", ""), ("PUT /asset/ID/hold", r#"{"hold":true}"#)] {
            let refused = call(&server, &tenant, path, asset.id, body).await;
            assert_eq!(refused.error(), (409, 3003), "{path}");
            assert_eq!(refused.json()["error"]["userinfo"]["state"], "purged");
            assert!(refused.json()["error"]["message"].as_str().unwrap().contains("removed for good"));
        }
        for query in ["", "state=deleted", "state=all"] {
            assert_eq!(page(&server, &tenant, query).await.0, [], "{query}");
        }
        let next = a_finished_recording(&server.db, stream).await;
        assert_eq!(next.index, asset.index + 1);
    })
    .await;
}
