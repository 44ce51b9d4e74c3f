//! Streams: their JSON, lists, changes, and what cuts an encoder.

use afterlive_domain::{EventKind, Mode, SessionId, StreamId};
use afterlive_server::db::sessions::{EndReason, NewSession, end_session, go_live};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::database::NOW;
use crate::fixture::server::{Server, Tenant, on_each_server};

pub async fn a_stream(server: &Server, tenant: &Tenant, tags: &[&str]) -> StreamId {
    let made = server.send("POST /stream", Some(&tenant.admin_key), &json!({ "tags": tags }).to_string()).await.ok();
    made["id"].as_str().unwrap().parse().unwrap()
}

/// Puts the stream on air, with an encoder that goes when it is told to.
pub async fn an_encoder(server: &Server, stream: StreamId) -> tokio::task::JoinHandle<()> {
    let session = NewSession {
        id: SessionId(Uuid::new_v4()),
        stream,
        mode: Mode::Rec,
        region: "eu".parse().unwrap(),
        protocol: "rtmp",
        peer: "127.0.0.1:50000".to_owned(),
    };
    let publisher = server.hub.publish(stream, NOW).unwrap();
    let mut tx = server.db.write().await.unwrap();
    go_live(&mut tx, &session, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let db = server.db.clone();
    tokio::spawn(async move {
        publisher.stop_requested().await;
        drop(publisher);
        let mut tx = db.write().await.unwrap();
        end_session(&mut tx, session.id, EndReason::Stopped, 0, NOW).await.unwrap();
        tx.commit().await.unwrap();
    })
}

#[tokio::test]
async fn a_new_stream_has_the_shape_that_clients_read() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let body = r#"{"tags":[" title:Sunday service ","b","b"],"transcodes":[],"webrtc":false,"whatever":{"a":1}}"#;
        let stream = server.send("POST /stream", Some(&tenant.admin_key), body).await.ok();
        let (id, name) = (stream["id"].as_str().unwrap(), stream["ingest"]["rtmp"]["streamname"].as_str().unwrap());
        assert!(name.starts_with(&format!("{}-", tenant.organisation.hash)) && name.len() == 11, "{name}");
        assert_eq!(
            stream,
            json!({
                "id": id,
                "streamgroup": id,
                "state": "created",
                "type": "low-latency",
                "created_at": "2026-11-04T17:09:19.899Z",
                "updated_at": "2026-11-04T17:09:19.899Z",
                "webrtc": false,
                "transcoding": false,
                "tags": ["title:Sunday service", "b"],
                "ingest": { "rtmp": { "url": "rtmp://localhost:1935/rec", "streamname": name } },
                "playout": {
                    "h5live": [{
                        "id": id,
                        "type": "live",
                        "index": 0,
                        "label": "Passthrough",
                        "tags": ["Passthrough"],
                        "processing": [{ "id": "rec", "duration": null }],
                        "server": {
                            "websocket": format!("ws://localhost:3000/live/{name}/ws"),
                            "hls": format!("http://localhost:3000/live/{name}/index.m3u8"),
                            "progressive": format!("http://localhost:3000/live/{name}/progressive.mp4"),
                        },
                        "rtmp": { "url": "rtmp://localhost:1935/play", "streamname": name },
                        "info": {},
                    }],
                    "hls": [{ "url": format!("http://localhost:3000/live/{name}/index.m3u8"), "type": "live" }],
                    "rtmp": [{ "url": "rtmp://localhost:1935/play", "streamname": name, "type": "live" }],
                    "web": [{
                        "url": format!("http://localhost:3000/playout/{id}"),
                        "type": "live",
                        "createdAt": "2026-11-04T17:09:19.899Z",
                        "streamId": id,
                        "id": id,
                        "pushUrl": null,
                        "opcode": null,
                        "processing": [],
                        "tags": [],
                    }],
                    "thumbnails": [],
                },
            })
        );
        for path in [format!("/stream/{id}"), format!("/stream/{id}/group"), format!("/stream/{id}?profile=player")] {
            assert_eq!(server.send(&format!("GET {path}"), Some(&tenant.reader_key), "").await.ok(), stream, "{path}");
        }
        assert_eq!(server.send("GET /stream", Some(&tenant.reader_key), "").await.ok(), json!([stream]));
    })
    .await;
}

#[tokio::test]
async fn the_ingest_url_ends_in_live_where_recording_is_off() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &[]).await;
        let mut settings = tenant.organisation.settings;
        let processing = async |key: Option<&str>| {
            let stream = server.send(&format!("GET /stream/{id}"), key, "").await.ok();
            (stream["ingest"]["rtmp"]["url"].clone(), stream["playout"]["h5live"][0]["processing"].clone())
        };
        let rec = json!([{ "id": "rec", "duration": null }]);
        assert_eq!(processing(Some(&tenant.reader_key)).await, (json!("rtmp://localhost:1935/rec"), rec.clone()));
        // That it is recorded players hear where they may watch recordings.
        for (vod_public, told) in [(true, rec), (false, json!([]))] {
            (settings.live_public, settings.vod_public) = (true, vod_public);
            server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
            assert_eq!(processing(None).await, (Value::Null, told), "{vod_public}");
        }
        settings.recording_enabled = false;
        server.service.save_organisation(&tenant.admin, "Chapel", settings).await.unwrap();
        let off = (json!("rtmp://localhost:1935/live"), json!([]));
        assert_eq!(processing(Some(&tenant.reader_key)).await, off);
    })
    .await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged_by_links() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let mut ids = Vec::new();
        for tags in [&["a", "b"][..], &["a"], &["b"], &["a", "b", "50%"], &[]] {
            ids.insert(0, a_stream(&server, &tenant, tags).await.to_string());
            server.clock.advance_ms(1_000);
        }
        let list = async |query: &str| {
            let answer = server.send(&format!("GET /stream?{query}"), Some(&tenant.reader_key), "").await;
            let found: Vec<String> =
                answer.ok().as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
            (found, answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned()))
        };
        assert_eq!(list("").await.0, ids);
        assert_eq!(list("state=all&unknown=1").await.0, ids);
        for query in ["tags[]=a&tags[]=b", "tags[0]=a&tags[1]=b", "tags%5B%5D=a&tags%5B%5D=b"] {
            assert_eq!(list(query).await.0, [ids[1].clone(), ids[4].clone()], "{query}");
        }
        assert_eq!(list("q=50%25").await.0, [ids[1].clone()]);
        assert_eq!(list("state=live").await.0, [""; 0]);
        assert_eq!(list("from=2026-11-04T17:09:23Z").await.0, [ids[0].clone()]);
        assert_eq!(list("to=2026-11-04T17:09:20Z").await.0, [ids[4].clone()]);
        assert_eq!(list("quantity=0").await, (vec![], None));
        for sort in ["created", "updated", "name"] {
            let mut seen = Vec::new();
            let mut query = format!("quantity=2&sort={sort}");
            loop {
                let (page, link) = list(&query).await;
                seen.extend(page);
                let Some(link) = link else { break };
                let url = link.strip_prefix("<http://localhost:3000/stream?").unwrap();
                query = url.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
            }
            assert_eq!(seen, list(&format!("sort={sort}")).await.0, "{sort}");
            assert_eq!(seen.len(), 5);
        }
        let tags = server.send("GET /tag", Some(&tenant.reader_key), "").await.ok();
        assert_eq!(tags, json!([{ "tag": "50%" }, { "tag": "a" }, { "tag": "b" }]));
    })
    .await;
}

#[tokio::test]
async fn tags_are_replaced() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &["a"]).await;
        server.clock.advance_ms(1_000);
        let call = format!("PUT /stream/{id}/tag");
        let stream = server.send(&call, Some(&tenant.user_key), r#"{"tags":["z","a"]}"#).await.ok();
        assert_eq!((&stream["tags"], &stream["updated_at"]), (&json!(["z", "a"]), &json!("2026-11-04T17:09:20.899Z")));
        assert_eq!(server.send(&call, Some(&tenant.user_key), r#"{"tags":[]}"#).await.ok()["tags"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn stop_lock_and_delete_cut_the_encoder_and_answer_when_it_is_gone() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let key = Some(tenant.admin_key.as_str());
        let id = a_stream(&server, &tenant, &[]).await;

        for method in ["PUT", "POST"] {
            let encoder = an_encoder(&server, id).await;
            assert_eq!(server.send(&format!("{method} /stream/{id}/stop"), key, "").await.ok()["state"], "ended");
            encoder.await.unwrap();
            assert_eq!(server.send(&format!("{method} /stream/{id}/stop"), key, "").await.ok()["state"], "ended");
        }

        let encoder = an_encoder(&server, id).await;
        assert_eq!(server.send(&format!("PUT /stream/{id}/lock"), key, "").await.ok()["state"], "locked");
        encoder.await.unwrap();
        assert_eq!(server.send(&format!("PUT /stream/{id}/lock"), key, "").await.ok()["state"], "locked");
        assert_eq!(server.send(&format!("PUT /stream/{id}/unlock"), key, "").await.ok()["state"], "ended");

        let encoder = an_encoder(&server, id).await;
        let gone = json!({ "id": id.to_string(), "state": "deleted" });
        assert_eq!(server.send(&format!("DELETE /stream/{id}"), key, "").await.ok(), gone);
        encoder.await.unwrap();
        assert_eq!(server.send(&format!("DELETE /stream/{id}"), key, "").await.ok(), gone);
        assert_eq!(server.send("GET /stream", key, "").await.ok(), json!([]));
        assert_eq!(server.send("GET /stream?state=deleted", key, "").await.ok()[0]["state"], "deleted");
        for call in [format!("PUT /stream/{id}/tag"), format!("PUT /stream/{id}/stop"), format!("PUT /stream/{id}/unlock")] {
            assert_eq!(server.send(&call, key, r#"{"tags":[]}"#).await.error(), (409, 3003), "{call}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_change_is_an_event() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let mut events = server.db.subscribe();
        let id = a_stream(&server, &tenant, &[]).await;
        for call in ["PUT /stream/ID/tag", "PUT /stream/ID/lock", "PUT /stream/ID/unlock", "DELETE /stream/ID"] {
            server.send(&call.replace("ID", &id.to_string()), Some(&tenant.admin_key), r#"{"tags":["a"]}"#).await.ok();
        }
        let mut kinds = Vec::new();
        while let Ok(event) = events.try_recv() {
            assert_eq!((event.organisation, event.stream), (tenant.organisation.id, Some(id)));
            kinds.push(event.kind);
        }
        use EventKind::{StreamChanged, StreamCreated, StreamDeleted};
        assert_eq!(kinds, [StreamCreated, StreamChanged, StreamChanged, StreamChanged, StreamDeleted]);
    })
    .await;
}

#[tokio::test]
async fn a_streamname_is_taken_within_the_organisation_for_ever() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let id = a_stream(&server, &ours, &[]).await;
        let stream = server.send(&format!("GET /stream/{id}"), Some(&ours.reader_key), "").await.ok();
        let name = stream["ingest"]["rtmp"]["streamname"].as_str().unwrap();
        let taken = async |key: &str, name: &str| {
            let body = json!({ "streamname": name }).to_string();
            server.send("POST /stream/validate", Some(key), &body).await.ok()["success"].clone()
        };
        assert_eq!(taken(&ours.reader_key, name).await, json!(true));
        assert_eq!(taken(&ours.reader_key, &format!("{name}?key=0f3c")).await, json!(true), "as it is copied into encoders");
        assert_eq!(taken(&theirs.admin_key, name).await, json!(false), "what is another's does not exist");
        for none in ["", "x", &id.to_string(), &format!("{name}x"), &name.to_lowercase()] {
            assert_eq!(taken(&ours.reader_key, none).await, json!(none == name), "{none}");
        }
        server.send(&format!("DELETE /stream/{id}"), Some(&ours.admin_key), "").await.ok();
        assert_eq!(taken(&ours.reader_key, name).await, json!(true));
        assert_eq!(server.send("POST /stream/validate", Some(&ours.reader_key), "").await.error(), (400, 1002));
    })
    .await;
}

#[tokio::test]
async fn processing_is_read_and_changes_nothing() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let id = a_stream(&server, &tenant, &["a"]).await;
        let before = server.send(&format!("GET /stream/{id}"), Some(&tenant.user_key), "").await.ok();
        let set = async |body: &str| server.send(&format!("POST /stream/{id}/processing"), Some(&tenant.user_key), body).await;
        for fine in [r#"{"processing":[]}"#, r#"{"processing":[["a",{"b":1}],[]]}"#] {
            assert_eq!(set(fine).await.ok(), before, "{fine}");
        }
        for (bad, code) in
            [("", 1002), (r#"{"processing":null}"#, 1002), (r#"{"processing":{}}"#, 1004), (r#"{"processing":["a"]}"#, 1004)]
        {
            assert_eq!(set(bad).await.error(), (400, code), "{bad}");
        }
        server.send(&format!("DELETE /stream/{id}"), Some(&tenant.admin_key), "").await.ok();
        assert_eq!(set(r#"{"processing":[]}"#).await.error(), (409, 3003));
    })
    .await;
}
