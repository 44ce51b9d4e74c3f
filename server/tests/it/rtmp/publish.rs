//! How a publish begins, and the many ways in which it ends.

use std::time::Duration;

use afterlive_domain::Mode;
use afterlive_media::rtmp::amf0::Value;
use afterlive_media::rtmp::kind;
use afterlive_server::db::sessions::EndReason;
use afterlive_server::hub::Message;

use super::client::Client;
use super::{LOCKED, NAME, SLOWLY, STREAM, Scene, Settings, recorded, settings, within};

#[tokio::test]
async fn the_gate_hears_name_query_mode_and_host() {
    let mut scene = Scene::new().await;
    let (client, code, _) = Client::publish(scene.address, "rec", &format!("{NAME}?key=secret")).await;
    assert_eq!(code, "NetStream.Publish.Start");
    {
        let requests = scene.gate.requests.lock().unwrap();
        let [request] = &requests[..] else { panic!("one request") };
        assert_eq!((request.streamname.as_str(), request.query.as_deref()), (NAME, Some("key=secret")));
        assert_eq!((request.mode, request.host.as_deref()), (Mode::Rec, Some("ingest-us.example.com")));
        assert_eq!((request.protocol, request.peer.ip().is_loopback()), ("rtmp", true));
    }
    drop(client);
    assert_eq!(scene.end().await, EndReason::Disconnected);
}

#[tokio::test]
async fn refusals_are_said_and_the_connection_is_closed() {
    let scene = Scene::new().await;
    for (app, name, expected) in [
        ("rec", "nonsense", "stream name unknown"),
        ("live", LOCKED, "stream is locked"),
        ("play", NAME, "publish to /live or /rec"),
    ] {
        let (mut client, code, description) = Client::publish(scene.address, app, name).await;
        assert_eq!((code.as_str(), description.as_str()), ("NetStream.Publish.BadName", expected));
        client.closed().await;
    }
    let mut client = Client::connect(scene.address, "other").await;
    let (code, description) = client.status().await.unwrap();
    assert_eq!(code, "NetConnection.Connect.InvalidApp");
    assert!(description.contains("/live or /rec"), "{description}");
    client.closed().await;
}

/// As an encoder does that sends a file as fast as it can, while the database is slow.
#[tokio::test]
async fn what_one_has_sent_that_left_while_the_gate_works_is_taken_to_the_end() {
    let mut scene = Scene::new().await;
    let mut client = Client::connect(scene.address, "rec").await;
    let name = format!("{NAME}?{SLOWLY}");
    client.command(1, &["publish".into(), 2.0.into(), Value::Null, name.as_str().into(), "live".into()]).await;
    client.video_config().await;
    for n in 0..100 {
        client.keyframe(n * 40).await;
    }
    client.end_of_sending().await;
    assert!(tokio::time::timeout(Duration::from_millis(1_500), client.status()).await.is_err(), "it is still let in");
    scene.gate.opened.notify_one();
    let recorded = recorded(scene.recorder().await).await;
    assert_eq!(recorded.iter().filter(|message| matches!(message, Message::Frame(_))).count(), 100);
    assert_eq!(scene.end().await, EndReason::Disconnected);
}

#[tokio::test]
async fn a_second_encoder_is_refused_and_the_first_goes_on() {
    let mut scene = Scene::new().await;
    let (mut first, ..) = Client::publish(scene.address, "rec", NAME).await;
    let recorder = scene.recorder().await;
    first.video_config().await;
    first.keyframe(0).await;
    let (mut second, code, description) = Client::publish(scene.address, "rec", NAME).await;
    let expected = ("NetStream.Publish.BadName", "already live from another encoder");
    assert_eq!((code.as_str(), description.as_str()), expected);
    second.closed().await;
    first.keyframe(40).await;
    first.command(0, &["deleteStream".into(), 3.0.into(), Value::Null, 1.0.into()]).await;
    assert_eq!(scene.end().await, EndReason::Unpublished);
    let messages = recorded(recorder).await;
    assert!(matches!(&messages[0], Message::TrackChanged(_)));
    assert_eq!(messages.len(), 3, "both frames and nothing else: {messages:?}");
    assert!(scene.ends.try_recv().is_err(), "a refused publish has no end, and the other's is one");
}

#[tokio::test]
async fn one_that_has_fallen_silent_makes_way_for_who_is_there() {
    let mut scene = Scene::with(Settings { gives_way_after: Duration::from_millis(300), ..settings() }).await;
    let (mut first, ..) = Client::publish(scene.address, "live", NAME).await;
    first.video_config().await;
    first.keyframe(0).await;
    // Its network has gone without a word. Whoever comes too soon is refused, and comes again.
    let (second, code) = loop {
        let (second, code, _) = Client::publish(scene.address, "live", NAME).await;
        if code != "NetStream.Publish.BadName" {
            break (second, code);
        }
    };
    assert_eq!(code, "NetStream.Publish.Start");
    assert_eq!(scene.end().await, EndReason::Disconnected);
    assert_eq!(first.status().await.unwrap().1, "nothing was heard, and another encoder has the stream");
    drop(second);
    assert_eq!(scene.end().await, EndReason::Disconnected);
}

#[tokio::test]
async fn the_connection_of_an_ended_publish_may_publish_again() {
    let mut scene = Scene::new().await;
    let (mut client, ..) = Client::publish(scene.address, "live", NAME).await;
    for _ in 0..2 {
        client.command(1, &["closeStream".into(), 3.0.into(), Value::Null]).await;
        assert_eq!(client.status().await.unwrap().0, "NetStream.Unpublish.Success");
        assert_eq!(scene.end().await, EndReason::Unpublished);
        client.command(1, &["publish".into(), 4.0.into(), Value::Null, NAME.into()]).await;
        assert_eq!(client.status().await.unwrap().0, "NetStream.Publish.Start");
    }
}

#[tokio::test]
async fn an_idle_publisher_is_cut_though_it_pings() {
    let mut scene = Scene::with(Settings { idle_timeout: Duration::from_millis(300), ..settings() }).await;
    let (mut client, ..) = Client::publish(scene.address, "live", NAME).await;
    client.video_config().await;
    let end = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        loop {
            tokio::select! {
                _ = ticks.tick() => client.send(2, kind::USER_CONTROL, 0, 0, &[0, 6, 0, 0, 0, 0]).await,
                end = scene.ends.recv() => return end,
            }
        }
    };
    assert_eq!(within(end).await.unwrap().0, EndReason::Idle);
    assert_eq!(client.status().await.unwrap().1, "nothing was sent for too long");
    client.closed().await;
}

#[tokio::test]
async fn an_operator_s_stop_ends_the_publish_and_is_said() {
    let mut scene = Scene::new().await;
    let (mut client, ..) = Client::publish(scene.address, "live", NAME).await;
    assert!(scene.hub.stop(STREAM));
    assert_eq!(scene.end().await, EndReason::Stopped);
    assert_eq!(client.status().await.unwrap().1, "the stream was stopped by an operator");
    client.closed().await;
    assert!(scene.hub.live_streams().is_empty());
}

#[tokio::test]
async fn a_codec_that_cannot_be_taken_is_refused_by_name() {
    let mut scene = Scene::new().await;
    let (mut client, ..) = Client::publish(scene.address, "live", NAME).await;
    client.send(6, kind::VIDEO, 1, 0, b"\x90vp09\x01").await;
    assert_eq!(scene.end().await, EndReason::ProtocolError);
    assert!(client.status().await.unwrap().1.contains("VP9"));
}

#[tokio::test]
async fn a_server_that_stops_ends_its_publishes_and_returns() {
    let mut scene = Scene::new().await;
    let (client, ..) = Client::publish(scene.address, "live", NAME).await;
    let stranger = tokio::net::TcpStream::connect(scene.address).await.unwrap();
    scene.stop.cancel();
    assert_eq!(scene.end().await, EndReason::ServerStopped);
    within(&mut scene.server).await.unwrap();
    assert!(tokio::net::TcpStream::connect(scene.address).await.is_err());
    drop((client, stranger));
}

#[tokio::test]
async fn time_goes_on_for_days() {
    let mut scene = Scene::new().await;
    let (mut client, ..) = Client::publish(scene.address, "rec", NAME).await;
    let recorder = scene.recorder().await;
    client.video_config().await;
    client.keyframe(u32::MAX - 19).await;
    client.keyframe(20).await;
    drop(client);
    let frames = recorded(recorder).await;
    let dts: Vec<i64> =
        frames.iter().filter_map(|message| if let Message::Frame(frame) = message { Some(frame.dts) } else { None }).collect();
    assert_eq!(dts, [-20, 20], "nearest to the sequence header's 0, and 40 ms apart");
}

#[tokio::test]
async fn a_viewer_starts_with_the_track_and_a_keyframe_and_hears_the_end() {
    let mut scene = Scene::new().await;
    let mut none = Client::connect(scene.address, "play").await;
    none.command(1, &["play".into(), 2.0.into(), Value::Null, NAME.into()]).await;
    assert_eq!(none.status().await.unwrap().1, "the stream is not live");

    let (mut publisher, ..) = Client::publish(scene.address, "rec", NAME).await;
    let mut recorder = scene.recorder().await;
    publisher.video_config().await;
    publisher.keyframe(1_000).await;
    while !matches!(within(recorder.next()).await, Ok(Message::Frame(_))) {}
    let mut viewer = Client::connect(scene.address, "play").await;
    viewer.command(1, &["play".into(), 2.0.into(), Value::Null, NAME.into()]).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let message = viewer.message().await.expect("more to see");
        if message.kind == kind::VIDEO {
            seen.push((message.timestamp, message.payload[1]));
        }
    }
    assert_eq!(seen, [(1_000, 0), (1_000, 1)], "the sequence header, then the keyframe");
    assert_eq!(scene.hub.stats(STREAM).unwrap().viewers, 1);
    drop(publisher);
    while viewer.status().await.expect("word of the end").0 != "NetStream.Play.UnpublishNotify" {}
    viewer.closed().await;
}

#[tokio::test]
async fn what_was_sent_before_the_connection_broke_reaches_the_hub_however_it_was_sent() {
    let mut scene = Scene::new().await;
    // Slower than the server looks, faster than it looks, and far more at once than a buffer holds; then gone in the same breath.
    for (pause, keyframes) in [(Duration::from_millis(60), 5), (Duration::from_millis(5), 50), (Duration::ZERO, 40_000)] {
        let (mut client, ..) = Client::publish(scene.address, "rec", NAME).await;
        let recorder = scene.recorder().await;
        let heard = tokio::spawn(recorded(recorder));
        client.video_config().await;
        for n in 0..keyframes {
            client.keyframe(n * 40).await;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        drop(client);
        assert_eq!(scene.end().await, EndReason::Disconnected);
        let messages = within(heard).await.unwrap();
        assert_eq!(messages.len(), 1 + keyframes as usize);
    }
}
