//! Viewers by WebSocket.

use afterlive_media::frame::{Frame, TrackKind};
use afterlive_server::hub::Message;
use serde_json::json;

use super::*;
use crate::fixture::encoder::{complaints, encode, ffprobe, send};
use crate::fixture::server::on_a_server;
use crate::fixture::studio::count;

#[tokio::test]
async fn a_viewer_gets_a_picture_at_once_and_then_every_frame_as_it_comes() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let messages = encode(3, true, true);
        let (before, after) = messages.split_at(messages.len() - 40);
        let mut publisher = scene.publish();
        send(&mut publisher, before);
        let mut socket = scene.socket().await;
        let info = socket.words().await;
        assert_eq!((&info["type"], &info["state"]), (&json!("info"), &json!("live")));
        let mime = info["mime"].as_str().unwrap();
        assert!(mime.starts_with("video/mp4; codecs=\"avc1.") && mime.ends_with(",mp4a.40.2\""), "{mime}");
        assert_eq!(info["video"], json!({ "codec": "h264", "width": 320, "height": 180 }));
        assert_eq!(info["audio"], json!({ "codec": "aac", "sample_rate": 48_000, "channels": 1 }));

        let group = last_group(before);
        let mut media = socket.media(group.len()).await;
        let (fragment, frame) = (&media[1], group[0]);
        assert!(fragment.ends_with(&frame.data), "it begins with the last keyframe");
        let clock = socket.next().await;
        let Received::Text(clock) = clock else { panic!("{clock:?}") };
        assert_eq!(clock["type"], "clock");
        assert_eq!(clock["server_ms"], NOW.0);
        assert!(clock["media_ms"].as_i64().unwrap() >= 1_000 && clock["wall_ms"].as_i64().unwrap() <= NOW.0, "{clock}");

        for message in after {
            send(&mut publisher, std::slice::from_ref(message));
            if matches!(message, Message::Frame(_)) {
                loop {
                    match socket.next().await {
                        Received::Fragment(fragment) => break media.push(fragment),
                        Received::Text(text) => assert_eq!(text["type"], "clock"),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
        drop(publisher);
        assert_eq!(socket.words().await, json!({ "type": "stopped" }));

        let path = scene.save("watched.mp4", &media);
        let sent = last_group(before).into_iter().chain(frames(after));
        let pictures = sent.clone().filter(|frame| frame.kind == TrackKind::Video).count();
        let sounds = sent.filter(|frame| frame.kind == TrackKind::Audio).count();
        assert_eq!(complaints(&path), "");
        let packets = ffprobe(&path, "packet=codec_type");
        assert_eq!(packets.iter().filter(|kind| *kind == "video").count(), pictures);
        assert_eq!(packets.iter().filter(|kind| *kind == "audio").count(), sounds);
    })
    .await;
}

#[tokio::test]
async fn two_viewers_get_the_same_bytes_and_are_counted() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let messages = encode(2, true, true);
        let mut publisher = scene.publish();
        send(&mut publisher, &messages);
        let (mut one, mut other) = (scene.socket().await, scene.socket().await);
        let group = last_group(&messages).len();
        assert_eq!(one.media(group).await, other.media(group).await);
        scene.until_viewers(2).await;
        drop(one);
        scene.until_viewers(1).await;
        assert_eq!(scene.server.feeds.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_publish_that_ends_and_comes_back_goes_on_in_the_same_socket() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut socket = scene.socket().await;
        assert_eq!(socket.words().await, json!({ "type": "status", "state": "offline" }));
        let messages = encode(1, true, false);
        for _ in 0..2 {
            let mut publisher = scene.publish();
            scene.until_viewers(1).await;
            send(&mut publisher, &messages);
            drop(publisher);
            let media = socket.media_to_the_end().await;
            assert_eq!(media.len(), 1 + count(&messages, TrackKind::Video));
            assert_eq!(&media[0][4..8], b"ftyp");
            assert_eq!(decode_time(&media[1]), 1_000, "media time begins anew");
            let path = scene.save("publish.mp4", &media);
            assert_eq!(complaints(&path), "");
        }
        let mut late = scene.socket().await;
        assert_eq!(late.words().await, json!({ "type": "status", "state": "offline" }), "nothing of what is over");
    })
    .await;
}

#[tokio::test]
async fn viewers_are_told_that_an_encoder_was_cut_off_and_for_how_long_it_is_waited_for() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut socket = scene.socket().await;
        assert_eq!(socket.words().await, json!({ "type": "status", "state": "offline" }));
        let messages = encode(1, true, false);
        let mut publisher = scene.publish();
        scene.until_viewers(1).await;
        send(&mut publisher, &messages);
        publisher.wait_for_return(Duration::from_secs(3_600));
        drop(publisher);
        let waits = |words: &serde_json::Value| words["waits_ms"].as_u64().is_some_and(|ms| ms > 3_000_000 && ms <= 3_600_000);
        assert_eq!(socket.words().await["type"], "info");
        media(&mut socket, count(&messages, TrackKind::Video)).await;
        let stopped = socket.words().await;
        assert!(stopped["type"] == "stopped" && waits(&stopped), "{stopped}");
        let mut late = scene.socket().await;
        let offline = late.words().await;
        assert!(offline["state"] == "offline" && waits(&offline), "{offline}");

        let mut publisher = scene.publish();
        scene.until_viewers(2).await;
        send(&mut publisher, &messages);
        drop(publisher);
        for socket in [&mut socket, &mut late] {
            assert_eq!(socket.words().await["type"], "info", "it is back");
            media(socket, count(&messages, TrackKind::Video)).await;
            assert_eq!(socket.words().await, json!({ "type": "stopped" }), "this time it has ended");
        }
    })
    .await;
}

/// The init segment and so many fragments, without what is said about them.
async fn media(socket: &mut Socket, fragments: usize) {
    let mut seen = 0;
    while seen < fragments + 1 {
        match socket.next().await {
            Received::Init(_) | Received::Fragment(_) => seen += 1,
            Received::Text(text) => assert_eq!(text["type"], "clock"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn sound_alone_plays_from_anywhere() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut socket = scene.socket().await;
        assert_eq!(socket.words().await["state"], "offline");
        let messages = encode(1, false, true);
        let mut publisher = scene.publish();
        // Of sound alone the hub keeps nothing for who comes later.
        scene.until_viewers(1).await;
        send(&mut publisher, &messages);
        assert_eq!(socket.words().await["video"], json!(null));
        drop(publisher);
        let media = socket.media_to_the_end().await;
        assert_eq!(media.len(), 1 + count(&messages, TrackKind::Audio));
        assert_eq!(complaints(&scene.save("sound.mp4", &media)), "");
    })
    .await;
}

#[tokio::test]
async fn other_tracks_bring_another_init_segment() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut socket = scene.socket().await;
        assert_eq!(socket.words().await["state"], "offline");
        let size = |size: &str| {
            let input = format!("testsrc2=size={size}:rate=25");
            crate::fixture::encoder::encode_as(&["-f", "lavfi", "-i", &input, "-t", "1"])
        };
        let mut publisher = scene.publish();
        for (size, width) in [(size("320x180"), 320), (size("640x360"), 640)] {
            let dts = if width == 320 { 0 } else { 1_000 };
            let later = size.iter().map(|message| match message {
                Message::Frame(frame) => Message::Frame(Frame { dts: frame.dts + dts, ..frame.clone() }),
                other => other.clone(),
            });
            send(&mut publisher, &later.collect::<Vec<_>>());
            assert_eq!(socket.words().await["video"]["width"], width);
            let media = socket.media(count(&size, TrackKind::Video)).await;
            assert_eq!(decode_time(&media[1]), 1_000 + dts as u64, "time goes on");
            let path = scene.save("size.mp4", &media);
            assert_eq!((complaints(&path), ffprobe(&path, "stream=width")), (String::new(), vec![width.to_string()]));
        }
    })
    .await;
}

/// A picture of 100 kB; each tenth is a keyframe. So that the kernel's buffers are full soon.
pub(super) fn large_picture(number: u32) -> Message {
    let data = number.to_be_bytes().repeat(25_000);
    let dts = i64::from(number) * 100;
    Message::Frame(Frame { kind: TrackKind::Video, dts, pts_offset: 0, keyframe: number.is_multiple_of(10), data: data.into() })
}

pub(super) fn number_of(fragment: &[u8]) -> u32 {
    u32::from_be_bytes(*fragment.last_chunk().unwrap())
}

#[tokio::test]
async fn a_slow_viewer_skips_to_a_keyframe_and_delays_nobody() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false)[..1]);
        send(&mut publisher, &[large_picture(0)]);
        let (mut slow, mut fast) = (scene.socket().await, scene.socket().await);
        assert_eq!(slow.media(1).await, fast.media(1).await);
        for number in 1..800 {
            send(&mut publisher, &[large_picture(number)]);
            loop {
                match fast.next().await {
                    Received::Fragment(fragment) => break assert_eq!(number_of(&fragment), number),
                    Received::Text(text) => assert_eq!(text["type"], "clock"),
                    other => panic!("{other:?}"),
                }
            }
        }
        let (mut last, mut skipped) = (0, 0);
        while last < 799 {
            match slow.next().await {
                Received::Fragment(fragment) => {
                    let number = number_of(&fragment);
                    assert!(number == last + 1 || skipped == 1 && number.is_multiple_of(10), "{number} behind {last}");
                    last = number;
                }
                Received::Text(text) if text["type"] == "status" => {
                    assert_eq!(text["state"], "skipped");
                    skipped += 1;
                }
                Received::Text(text) => assert_eq!(text["type"], "clock"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(skipped, 1);
    })
    .await;
}

#[tokio::test]
async fn a_viewer_who_talks_much_or_long_is_closed() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut talkative = scene.socket().await;
        assert_eq!(talkative.words().await["state"], "offline");
        for _ in 0..101 {
            talkative.say("hello").await;
        }
        assert_eq!(talkative.next().await, Received::Closed(1_008));
        let mut long = scene.socket().await;
        assert_eq!(long.words().await["state"], "offline");
        long.say(&"x".repeat(2_000)).await;
        assert!(matches!(long.next().await, Received::Closed(_)));
    })
    .await;
}

#[tokio::test]
async fn the_feed_ends_a_while_after_its_last_viewer_and_with_the_server() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false));
        let mut socket = scene.socket().await;
        socket.media(1).await;
        drop(socket);
        within(async {
            while scene.server.feeds.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert!(!publisher.has_viewers());
        let mut socket = scene.socket().await;
        socket.media(1).await;
        scene.server.stop.cancel();
        loop {
            if let Received::Closed(code) = socket.next().await {
                break assert_eq!(code, 1_001);
            }
        }
    })
    .await;
}
