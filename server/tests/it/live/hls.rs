//! Players of HLS, with low latency and without.

use std::collections::BTreeMap;
use std::path::Path;

use afterlive_media::frame::TrackKind;
use afterlive_server::hub::Message;
use afterlive_server::service::playback::token::MAX_TOKEN_BYTES;
use afterlive_server::service::playback::{Expiry, Secret, TokenOf, TokenWish};

use super::*;
use crate::fixture::encoder::{complaints, encode_as, ffprobe, send};
use crate::fixture::server::on_a_server;
use crate::fixture::studio::count;

/// So many seconds with B-frames and a keyframe each second.
fn seconds(seconds: u32, video: bool, audio: bool) -> Vec<Message> {
    let mut arguments = Vec::new();
    if video {
        arguments.extend(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]);
    }
    if audio {
        arguments.extend(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
    }
    let seconds = seconds.to_string();
    arguments.extend(["-t", &seconds, "-g", "25"]);
    encode_as(&arguments)
}

/// The lines of a playlist that begin so, without it.
fn tags<'a>(playlist: &'a str, tag: &str) -> Vec<&'a str> {
    playlist.lines().filter_map(|line| line.strip_prefix(tag)).collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let value = tag.split(name).nth(1).unwrap().strip_prefix('=').unwrap();
    value.strip_prefix('"').map_or_else(|| value.split(',').next().unwrap(), |quoted| quoted.split('"').next().unwrap())
}

fn segments(playlist: &str) -> Vec<&str> {
    playlist.lines().filter(|line| line.starts_with("seg-")).collect()
}

fn parts(playlist: &str) -> Vec<&str> {
    tags(playlist, "#EXT-X-PART:").into_iter().map(|tag| attribute(tag, "URI")).collect()
}

fn hint(playlist: &str) -> &str {
    attribute(tags(playlist, "#EXT-X-PRELOAD-HINT:")[0], "URI")
}

/// Cut before each keyframe, and the rest behind it: what belongs together is sent together.
fn groups(messages: &[Message]) -> Vec<&[Message]> {
    let is_keyframe =
        |message: &Message| matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video && frame.keyframe);
    let first = messages.iter().position(is_keyframe).unwrap();
    let mut cuts: Vec<usize> = (first + 1..messages.len()).filter(|at| is_keyframe(&messages[*at])).collect();
    cuts.insert(0, 0);
    cuts.push(messages.len());
    cuts.windows(2).map(|pair| &messages[pair[0]..pair[1]]).collect()
}

impl Scene {
    /// Publishes the first groups, so that the stream is watched by HLS, then the others.
    async fn broadcast(&self, messages: &[Message]) -> Publisher {
        let groups = groups(messages);
        // From the first frame on, not from the last keyframe before the first player.
        let _feed = self.server.feeds.open(self.stream.id);
        let mut publisher = self.publish();
        while !publisher.has_viewers() {
            tokio::task::yield_now().await;
        }
        send(&mut publisher, groups[..2].concat().as_slice());
        self.text("media.m3u8").await;
        for group in &groups[2..] {
            let before = self.text("media.m3u8").await;
            send(&mut publisher, group);
            // A segment more is complete.
            let next = segments(&before).last().unwrap().trim_matches(|c: char| !c.is_ascii_digit() && c != '.').to_owned();
            let next: u64 = next.split('.').next().unwrap().parse::<u64>().unwrap() + 1;
            self.text(&format!("media.m3u8?_HLS_msn={next}")).await;
        }
        publisher
    }

    async fn ended(&self) -> String {
        within(async {
            loop {
                let playlist = self.text("media.m3u8").await;
                if playlist.ends_with("#EXT-X-ENDLIST\n") {
                    return playlist;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

#[tokio::test]
async fn parts_make_segments_and_segments_the_stream() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let messages = seconds(7, true, true);
        let publisher = scene.broadcast(&messages).await;
        drop(publisher);
        let ended = scene.ended().await;
        let index = scene.text("index.m3u8").await;
        assert!(
            index.contains("RESOLUTION=320x180") && index.contains("CODECS=\"avc1.") && index.ends_with("\nmedia.m3u8\n"),
            "{index}"
        );

        assert_eq!(segments(&ended).len(), 7);
        assert_eq!(tags(&ended, "#EXT-X-MAP:").len(), 1);
        let mut media = vec![scene.bytes(attribute(tags(&ended, "#EXT-X-MAP:")[0], "URI")).await];
        for segment in segments(&ended) {
            let whole = scene.bytes(segment).await;
            let mut joined = Vec::new();
            for part in 0.. {
                let name = segment.replace("seg-", "part-").replace(".m4s", &format!("-{part}.m4s"));
                let response = scene.get(&name).await;
                if response.status() == StatusCode::NOT_FOUND {
                    break;
                }
                assert_eq!(response.headers()["cache-control"], "public, max-age=3600, immutable");
                joined.extend_from_slice(&response.bytes().await.unwrap());
            }
            assert!(joined == whole, "{segment}: the parts are the segment");
            media.push(whole);
        }
        let path = scene.save("segments.mp4", &media);
        assert_eq!(complaints(&path), "");
        let packets = ffprobe(&path, "packet=codec_type");
        for (kind, name) in [(TrackKind::Video, "video"), (TrackKind::Audio, "audio")] {
            assert_eq!(packets.iter().filter(|found| *found == name).count(), count(&messages, kind), "{name}");
        }
        let told: f64 = tags(&ended, "#EXTINF:").iter().map(|tag| tag.trim_end_matches(',').parse::<f64>().unwrap()).sum();
        // The sound ends a little later than the picture.
        assert!((6.95..7.15).contains(&told), "{told}");
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_plays_it_as_plain_hls() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        for (video, audio) in [(true, true), (true, false)] {
            let messages = seconds(5, video, audio);
            drop(scene.broadcast(&messages).await);
            scene.ended().await;
            let url = scene.url("index.m3u8");
            let (complaints, packets) =
                tokio::task::spawn_blocking(move || (complaints(Path::new(&url)), ffprobe(Path::new(&url), "packet=codec_type")))
                    .await
                    .unwrap();
            assert_eq!(complaints, "");
            let pictures = packets.iter().filter(|kind| *kind == "video").count();
            assert!(pictures >= count(&messages, TrackKind::Video), "{pictures}");
        }
    })
    .await;
}

#[tokio::test]
async fn sound_alone_has_segments_too() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        let messages = seconds(5, false, true);
        let _feed = scene.server.feeds.open(scene.stream.id);
        while !publisher.has_viewers() {
            tokio::task::yield_now().await;
        }
        send(&mut publisher, &messages);
        let index = scene.text("index.m3u8").await;
        assert!(index.contains("CODECS=\"mp4a.40.2\"\n"), "{index}");
        drop(publisher);
        let ended = scene.ended().await;
        let mut media = vec![scene.bytes(attribute(tags(&ended, "#EXT-X-MAP:")[0], "URI")).await];
        for segment in segments(&ended) {
            media.push(scene.bytes(segment).await);
        }
        let path = scene.save("sound.mp4", &media);
        assert_eq!(complaints(&path), "");
        assert_eq!(
            ffprobe(&path, "packet=codec_type").iter().filter(|kind| *kind == "audio").count(),
            count(&messages, TrackKind::Audio)
        );
    })
    .await;
}

#[tokio::test]
async fn who_names_what_comes_next_is_answered_when_it_is_there() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let messages = seconds(4, true, false);
        let groups = groups(&messages);
        let mut publisher = scene.publish();
        send(&mut publisher, groups[..2].concat().as_slice());
        let playlist = scene.text("media.m3u8").await;
        assert_eq!(tags(&playlist, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES").len(), 1);
        let next = hint(&playlist).to_owned();
        let (number, part) = next.strip_prefix("part-").unwrap().strip_suffix(".m4s").unwrap().split_once('-').unwrap();
        let reload = format!("media.m3u8?_HLS_msn={number}&_HLS_part={part}");
        let (mut reloading, mut loading) = (Box::pin(scene.text(&reload)), Box::pin(scene.bytes(&next)));
        let early = tokio::time::timeout(Duration::from_millis(100), futures::future::select(&mut reloading, &mut loading)).await;
        assert!(early.is_err(), "nothing is there yet");
        send(&mut publisher, &groups[2][..6]);
        let (reloaded, bytes) = tokio::join!(reloading, loading);
        assert!(parts(&reloaded).contains(&next.as_str()), "{reloaded}");
        assert_ne!(hint(&reloaded), next);
        assert_eq!(&bytes[4..8], b"moof");
        assert_eq!(scene.bytes(&next).await, bytes);

        // What does not come is not waited for without end.
        let next: u64 = number.parse::<u64>().unwrap() + 1;
        let late = scene.get(&format!("media.m3u8?_HLS_msn={next}")).await;
        assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(late.headers()["cache-control"], "no-store");
        for (asked, status) in [
            (format!("media.m3u8?_HLS_msn={}", next + 3), StatusCode::BAD_REQUEST),
            (format!("media.m3u8?_HLS_msn={number}&_HLS_part=99"), StatusCode::BAD_REQUEST),
            ("media.m3u8?_HLS_part=1".to_owned(), StatusCode::BAD_REQUEST),
            ("media.m3u8?_HLS_msn=x".to_owned(), StatusCode::BAD_REQUEST),
            ("seg-1.m4s".to_owned(), StatusCode::NOT_FOUND),
            ("part-1-0.m4s".to_owned(), StatusCode::NOT_FOUND),
            (format!("part-{number}-9.m4s"), StatusCode::NOT_FOUND),
            ("init-1.mp4".to_owned(), StatusCode::NOT_FOUND),
            ("other.mp4".to_owned(), StatusCode::NOT_FOUND),
        ] {
            assert_eq!(scene.get(&asked).await.status(), status, "{asked}");
        }
    })
    .await;
}

/// Applies an update to the playlist before it, as a player does: what is skipped is taken from that.
fn applied(before: &str, update: &str) -> String {
    let by_segment = |playlist: &str| {
        let (mut lines, mut found) = (Vec::new(), BTreeMap::new());
        for line in playlist.lines().skip_while(|line| !line.starts_with("#EXT-X-MAP") && !line.starts_with("#EXT-X-PROGRAM")) {
            // Only parts near the end are told, so they are no part of the comparison.
            if !line.starts_with("#EXT-X-PART:") && !line.starts_with("#EXT-X-MAP:") {
                lines.push(line.to_owned());
            }
            if line.starts_with("seg-") {
                found.insert(line.to_owned(), std::mem::take(&mut lines));
            }
        }
        found
    };
    let skipped: usize = tags(update, "#EXT-X-SKIP:SKIPPED-SEGMENTS=")[0].parse().unwrap();
    let first: u64 = tags(update, "#EXT-X-MEDIA-SEQUENCE:")[0].parse().unwrap();
    let (mut before, after) = (by_segment(before), by_segment(update));
    before.retain(|name, _| (first..first + skipped as u64).any(|number| *name == format!("seg-{number}.m4s")));
    assert_eq!(before.len(), skipped);
    before.into_values().chain(after.into_values()).flatten().collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_update_says_the_same_as_the_whole_playlist() {
    on_a_server(&[("LIVE__DVR_WINDOW_S", "60")], async |server| {
        let scene = Scene::new(server).await;
        let messages = seconds(14, true, true);
        let groups = groups(&messages);
        let mut publisher = scene.broadcast(&groups[..12].concat()).await;
        let before = scene.text("media.m3u8").await;
        send(&mut publisher, groups[12]);
        let next = segments(&before).last().unwrap()[4..].trim_end_matches(".m4s").parse::<u64>().unwrap() + 1;
        let update = scene.text(&format!("media.m3u8?_HLS_msn={next}&_HLS_skip=YES")).await;
        let whole = scene.text("media.m3u8").await;
        assert!(update.len() < whole.len());
        let told: Vec<_> = whole.lines().skip_while(|line| !line.starts_with("#EXT-X-PROGRAM")).collect();
        let told: Vec<_> = told.into_iter().filter(|line| !line.starts_with("#EXT-X-PART:")).collect();
        let last = told.iter().rposition(|line| line.starts_with("seg-")).unwrap();
        assert_eq!(applied(&before, &update), told[..=last].join("\n"));
    })
    .await;
}

#[tokio::test]
async fn other_tracks_and_another_publish_are_discontinuities_and_numbers_go_on() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let first = seconds(3, true, true);
        drop(scene.broadcast(&first).await);
        let pause = loop {
            let pause = scene.text("media.m3u8").await;
            if tags(&pause, "#EXT-X-PRELOAD-HINT:").is_empty() {
                break pause;
            }
        };
        assert!(!pause.contains("ENDLIST"), "the encoder may come back: {pause}");
        let mut publisher = scene.publish();
        scene.until_viewers(1).await;
        send(&mut publisher, &seconds(3, true, false));
        let next = segments(&pause).last().unwrap()[4..].trim_end_matches(".m4s").parse::<u64>().unwrap() + 1;
        let playlist = scene.text(&format!("media.m3u8?_HLS_msn={}", next + 1)).await;
        assert_eq!(segments(&playlist).len(), 5);
        assert_eq!(tags(&playlist, "#EXT-X-DISCONTINUITY").iter().filter(|rest| rest.is_empty()).count(), 1);
        let maps = tags(&playlist, "#EXT-X-MAP:");
        assert_eq!(maps.len(), 2);
        assert_eq!(attribute(maps[1], "URI"), format!("init-{next}.mp4"));
        let media = [scene.bytes(attribute(maps[1], "URI")).await, scene.bytes(&format!("seg-{next}.m4s")).await];
        let path = scene.save("second.mp4", &media);
        assert_eq!((complaints(&path), ffprobe(&path, "stream=codec_type")), (String::new(), vec!["video".to_owned()]));
        drop(publisher);
        scene.ended().await;
    })
    .await;
}

#[tokio::test]
async fn who_comes_when_a_stream_is_live_again_is_told_of_the_new_publish_alone() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        drop(scene.broadcast(&seconds(3, true, true)).await);
        let old = scene.ended().await;
        let mut publisher = scene.publish();
        for file in ["index.m3u8", "media.m3u8"] {
            let early = tokio::time::timeout(Duration::from_millis(100), scene.text(file)).await;
            assert!(early.is_err(), "what is over is not the answer: {early:?}");
        }
        scene.until_viewers(1).await;
        send(&mut publisher, &seconds(3, true, false));
        let index = scene.text("index.m3u8").await;
        assert!(index.contains("CODECS=\"avc1.") && !index.contains("mp4a"), "{index}");
        let new = scene.text("media.m3u8").await;
        assert!(!new.contains("ENDLIST"), "{new}");
        assert_eq!(tags(&new, "#EXT-X-MAP:").len(), 1);
        assert!(segments(&new)[0] > *segments(&old).last().unwrap(), "{new}");
        scene.bytes(segments(&old)[2]).await;
        scene.bytes(attribute(tags(&old, "#EXT-X-MAP:")[0], "URI")).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_not_live_is_not_there_for_now() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        for file in ["index.m3u8", "media.m3u8", "seg-1.m4s"] {
            let response = scene.get(file).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert_eq!(
                (&response.headers()["retry-after"], &response.headers()["cache-control"]),
                (&"2".parse().unwrap(), &"no-store".parse().unwrap())
            );
        }
        // Encoded before: it is not to take of the time for which the player is let wait.
        let messages = seconds(2, true, true);
        let mut publisher = scene.publish();
        let mut early = Box::pin(scene.text("index.m3u8"));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut early).await.is_err(), "it waits for a keyframe");
        send(&mut publisher, &messages);
        assert!(early.await.contains("media.m3u8"));
    })
    .await;
}

#[tokio::test]
async fn a_token_that_opens_the_stream_is_carried_on() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        scene.set_public(false).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &seconds(2, true, true));
        let wish = TokenWish {
            of: TokenOf::Stream(scene.stream.id),
            expiry: Expiry::In(3_600),
            not_before: None,
            ips: Vec::new(),
            domains: Vec::new(),
            label: None,
        };
        let Secret(token) = scene.server.service.make_playback_token(&scene.tenant.admin, &wish).await.unwrap().token;
        let query = format!("?token={token}");
        let index = scene.text(&format!("index.m3u8{query}")).await;
        assert!(index.ends_with(&format!("\nmedia.m3u8{query}\n")), "{index}");
        let media = scene.text(&format!("media.m3u8{query}")).await;
        let uris = media.lines().filter(|line| line.contains("URI=") || line.starts_with("seg-"));
        assert!(uris.clone().count() > 5 && uris.clone().all(|line| line.contains(&query)), "{media}");
        let init = scene.get(attribute(tags(&media, "#EXT-X-MAP:")[0], "URI")).await;
        assert_eq!(init.headers()["cache-control"], "private, max-age=3600, immutable");
        scene.until_viewers(1).await;
    })
    .await;
}

#[tokio::test]
async fn any_page_may_play_and_what_opens_nothing_is_not_carried_on() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &seconds(2, true, true));
        let made_up = "~".repeat(MAX_TOKEN_BYTES);
        for file in ["index.m3u8", "media.m3u8"] {
            let playlist = scene.text(&format!("{file}?token={made_up}")).await;
            assert!(playlist.len() < 4_096 && !playlist.contains("token"), "{playlist}");
            let refused = scene.get(&format!("{file}?token={made_up}~")).await;
            assert_eq!(refused.status(), StatusCode::FORBIDDEN);
            assert!(refused.text().await.unwrap().contains("longer than a playback token can be"));
        }
        let origin =
            scene.http.get(scene.url("media.m3u8")).header("Origin", "https://elsewhere.example.com").send().await.unwrap();
        assert_eq!(origin.headers()["access-control-allow-origin"], "*");
        assert_eq!(origin.headers()["content-type"], "application/vnd.apple.mpegurl");
    })
    .await;
}
