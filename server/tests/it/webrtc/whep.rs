//! Watching by WHEP: what is sent is what is seen, at once; and what cannot be shown is refused in words.

use std::time::{Duration, Instant};

use afterlive_media::flv::FileTag;
use afterlive_media::frame::TrackKind;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use str0m::media::Direction;
use tokio::task::JoinHandle;

use super::camera_tags;
use super::client::Client;
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;

async fn ask(server: &Running, name: &str, offer: &str, with_key: bool) -> reqwest::Response {
    let request = server.http.post(format!("{}/live/{name}/whep", server.dashboard));
    let request = request.header(CONTENT_TYPE, "application/sdp").body(offer.to_owned());
    let request = if with_key { request.header("X-BINTU-APIKEY", server.api_key()) } else { request };
    request.send().await.unwrap()
}

/// Sends in real time, over and over.
async fn send(ingest: &Ingest, tags: Vec<FileTag>) -> JoinHandle<()> {
    let mut encoder = Encoder::publish(ingest).await.unwrap();
    tokio::spawn(async move {
        let start = Instant::now();
        for tag in &tags {
            let due = start + Duration::from_millis(u64::try_from(tag.timestamp_ms).unwrap());
            tokio::time::sleep_until(due.into()).await;
            encoder.send(tag).await.unwrap();
        }
        encoder.unpublish().await;
    })
}

async fn watch(server: &Running, ingest: &Ingest) -> Client {
    let mut viewer = Client::new(Direction::RecvOnly).await;
    // Until there is something to be seen.
    let answer = loop {
        let answer = ask(server, &ingest.destination.name, &viewer.offer, true).await;
        if answer.status() == StatusCode::CREATED {
            break answer.text().await.unwrap();
        }
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["error"]["userinfo"]["state"], "offline", "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    viewer.connect(&answer, None).await;
    viewer
}

#[tokio::test]
async fn an_rtmp_stream_with_aac_is_seen_and_heard() {
    let tags = camera_tags(6, &["-c:a", "aac", "-ar", "44100"]).await;
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let sender = send(&ingest, tags).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut viewer = watch(&server, &ingest).await;
    let connected = Instant::now();
    while viewer.received(TrackKind::Video).next().is_none() {
        assert!(connected.elapsed() < Duration::from_secs(5), "nothing comes");
        viewer.drive(Duration::from_millis(5)).await;
    }
    let first_ms = connected.elapsed().as_millis();
    // Some 100 ms where nothing else runs; other tests do.
    assert!(first_ms < 2_000, "the first picture took {first_ms} ms");
    viewer.drive(Duration::from_millis(2_500)).await;
    let pictures: Vec<_> = viewer.received(TrackKind::Video).collect();
    assert!(pictures[0].is_keyframe());
    assert!(pictures.iter().all(|picture| picture.contiguous) && pictures.len() >= 60, "{} pictures", pictures.len());
    let sound: Vec<_> = viewer.received(TrackKind::Audio).collect();
    assert!(sound.len() >= 80, "{} packets of 20 ms in 2.5 s", sound.len());
    let steps: Vec<u64> = sound.windows(2).map(|pair| pair[1].time.numer() - pair[0].time.numer()).collect();
    assert!(steps.iter().all(|step| *step == 960), "{steps:?}");
    // What is lost is sent again from the keyframe on.
    let before = viewer.received(TrackKind::Video).count();
    viewer.ask_for_keyframe();
    viewer.drive(Duration::from_millis(300)).await;
    let again: Vec<_> = viewer.received(TrackKind::Video).skip(before).collect();
    assert!(again.iter().any(|picture| picture.is_keyframe()), "{} pictures, and no keyframe", again.len());
    assert!(again.windows(2).all(|pair| pair[0].time < pair[1].time));
    sender.await.unwrap();
    let over = Instant::now();
    while !viewer.closed {
        assert!(over.elapsed() < Duration::from_secs(30), "the end is not told");
        viewer.drive(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_in_words() {
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let name = ingest.destination.name.clone();
    let offer = Client::new(Direction::RecvOnly).await.offer;
    let refusal = async |with_key| {
        let answer = ask(&server, &name, &offer, with_key).await;
        let status = answer.status().as_u16();
        if status == 201 {
            return (status, String::new());
        }
        let error: Value = answer.json().await.unwrap();
        (status, error["error"]["userinfo"]["state"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refusal(true).await, (409, "offline".to_owned()));
    assert_eq!(ask(&server, "8sKpm-x49nB", &offer, true).await.status(), StatusCode::NOT_FOUND);
    let tags = camera_tags(3, &["-tune", "film", "-profile:v", "main", "-bf", "2", "-c:a", "aac"]).await;
    let sender = send(&ingest, tags).await;
    let state = loop {
        match refusal(true).await {
            (_, state) if state == "offline" || state.is_empty() => tokio::time::sleep(Duration::from_millis(50)).await,
            refused => break refused,
        }
    };
    assert_eq!(state, (409, "b-frames".to_owned()));
    sender.await.unwrap();
}
