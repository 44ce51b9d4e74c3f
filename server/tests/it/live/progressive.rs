//! Viewers by one HTTP answer that goes on.

use afterlive_media::frame::TrackKind;

use super::*;
use crate::fixture::encoder::{complaints, encode, ffprobe, send};
use crate::fixture::server::on_a_server;

const FILE: &str = "progressive.mp4";

/// What has come of it, until it is so much or has ended.
async fn read(response: &mut Response, bytes: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < bytes {
        let Some(chunk) = within(response.chunk()).await.unwrap() else { break };
        read.extend(chunk);
    }
    read
}

#[tokio::test]
async fn the_url_that_a_stream_tells_is_one_mp4_from_the_last_keyframe_to_the_end_of_the_publish() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let shown = scene.server.send(&format!("GET /stream/{}", scene.stream.id), None, "").await.ok();
        let url = shown["playout"]["h5live"][0]["server"]["progressive"].as_str().unwrap().to_owned();
        let path = url.strip_prefix("http://localhost:3000").unwrap();
        let messages = encode(3, true, true);
        let (before, after) = messages.split_at(messages.len() - 40);
        let mut publisher = scene.publish();
        send(&mut publisher, before);
        let mut response = within(scene.http.get(format!("http://{}{path}", scene.address)).send()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((header("content-type"), header("cache-control")), ("video/mp4".to_owned(), "no-store".to_owned()));
        assert_eq!(header("access-control-allow-origin"), "*");
        let mut media = read(&mut response, 8).await;
        assert_eq!(&media[4..8], b"ftyp");
        scene.until_viewers(1).await;
        send(&mut publisher, after);
        drop(publisher);
        media.extend(read(&mut response, usize::MAX).await);

        let path = scene.save("watched.mp4", &[media.into()]);
        assert_eq!(complaints(&path), "");
        let sent = last_group(before).into_iter().chain(frames(after));
        let of = |kind: TrackKind| sent.clone().filter(|frame| frame.kind == kind).count();
        let packets = ffprobe(&path, "packet=codec_type");
        let got = |kind: &str| packets.iter().filter(|packet| *packet == kind).count();
        assert_eq!((got("video"), got("audio")), (of(TrackKind::Video), of(TrackKind::Audio)));
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_not_live_is_404_and_worth_asking_again() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let answer = scene.get(FILE).await;
        assert_eq!((answer.status(), &answer.headers()["retry-after"]), (StatusCode::NOT_FOUND, &"2".parse().unwrap()));
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false));
        let head = within(scene.http.head(scene.url(FILE)).send()).await.unwrap();
        assert_eq!((head.status(), within(head.bytes()).await.unwrap().len()), (StatusCode::OK, 0));
        drop(publisher);
    })
    .await;
}

#[tokio::test]
async fn it_ends_for_who_loses_the_right_and_where_other_tracks_begin() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false));
        let (mut cut, own) = (scene.get(FILE).await, scene.tenant.reader_key.clone());
        let mut stays = within(scene.http.get(scene.url(FILE)).header("x-bintu-apikey", own).send()).await.unwrap();
        for viewer in [&mut cut, &mut stays] {
            assert!(read(viewer, 8).await.len() >= 8);
        }
        scene.set_public(false).await;
        read(&mut cut, usize::MAX).await;
        scene.until_viewers(1).await;
        assert_eq!(scene.get(FILE).await.status(), StatusCode::FORBIDDEN);
        // With sound from now on: no MP4 that has begun without it can go on.
        send(&mut publisher, &encode(1, true, true));
        read(&mut stays, usize::MAX).await;
        scene.until_viewers(0).await;
        drop(publisher);
    })
    .await;
}

#[tokio::test]
async fn who_opens_many_leaves_connections_to_others() {
    on_a_server(&[("HTTP__MAX_CONNECTIONS", "80")], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false));
        let mut viewers = Vec::new();
        for _ in 0..16 {
            let viewer = scene.get(FILE).await;
            assert_eq!(viewer.status(), StatusCode::OK);
            viewers.push(viewer);
        }
        let full = scene.get(FILE).await;
        assert_eq!((full.status(), &full.headers()["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"10".parse().unwrap()));
        viewers.pop();
        scene.until_viewers(15).await;
        assert_eq!(scene.get(FILE).await.status(), StatusCode::OK);
        drop(publisher);
    })
    .await;
}
