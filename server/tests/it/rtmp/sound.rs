//! A stream with Opus for players and servers of which most have none: flashes and beeps arrive together, as H.264 and AAC.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use afterlive_media::flv::file_tags;
use afterlive_media::frame::{CodecConfig, Frame, TrackKind};
use afterlive_server::hub::{Hub, Message, Publisher};
use afterlive_server::push::PushStatus;
use afterlive_server::sound::{AacViewer, Interpreter, Loudness, Meters, Takes, Target};
use bytes::Bytes;
use serde_json::json;
use tokio::process::{Child, Command};

use super::push::{Source, anywhere, nobodys_address};
use super::{NAME, STREAM, Scene, recorded, within};
use crate::fixture::database::NOW;
use crate::fixture::encoder::{OPUS, complaints, encode_as, enhanced_ffmpeg, ffprobe, read_tags, send, send_in_time};
use crate::fixture::program::interpreter;
use crate::fixture::server::on_a_server;
use crate::in_step::{beeps, flashes, report, sources};

/// How far a flash and its beep may be apart: a picture.
const MOST_APART_S: f64 = 0.040;

/// An encoder of H.264 and Opus, to a URL or a pipe.
fn flashes_and_beeps(seconds: u32, to: &str) -> Command {
    let [picture, sound] = sources();
    let mut encoder = enhanced_ffmpeg();
    encoder.args(["-v", "error", "-re", "-f", "lavfi", "-i", &picture, "-re", "-f", "lavfi", "-i", &sound]);
    encoder.args(["-t", &seconds.to_string(), "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p"]);
    encoder.args(OPUS).args(["-ac", "2", "-f", "flv", "-flvflags", "no_duration_filesize", to]);
    encoder.stderr(Stdio::piped()).stdout(Stdio::piped());
    encoder
}

/// The same as the hub gets it.
async fn camera(seconds: u32) -> Vec<Message> {
    let done = flashes_and_beeps(seconds, "pipe:1").output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    read_tags(file_tags(&Bytes::from(done.stdout)).collect())
}

/// Checks that a file is whole, and that each flash in the midst of it has its beep.
fn assert_in_step(path: &Path, who: &str, at_least: usize) {
    assert_eq!(ffprobe(path, "stream=codec_name"), ["h264", "aac"]);
    assert_eq!(ffprobe(path, "stream=sample_rate,channels")[1], "48000,2");
    assert_eq!(complaints(path), "");
    let (flashes, beeps) = (flashes(path), beeps(path));
    // Who comes in the midst of a flash or a beep sees its rest.
    let (from, to) = (flashes[0] + 0.5, flashes.last().unwrap() - 0.5);
    let mut offsets = Vec::new();
    for flash in flashes.iter().filter(|flash| (from..to).contains(*flash)) {
        let beep = beeps.iter().min_by(|a, b| (*a - flash).abs().total_cmp(&(*b - flash).abs())).expect("beeps");
        assert!((beep - flash).abs() < MOST_APART_S, "{who}: a flash at {flash} s, its beep at {beep} s");
        offsets.push((beep - flash) * 1_000.0);
    }
    assert!(offsets.len() >= at_least, "{who}: {flashes:?} {beeps:?}");
    let most = offsets.iter().copied().fold(0.0_f64, |most, offset| if offset.abs() > most.abs() { offset } else { most });
    report(&format!("{who}: {} flashes, their beeps at most {most:.1} ms behind them", offsets.len()));
}

/// A player that knows nothing of Enhanced RTMP, and stores what it gets.
fn player(url: &str, seconds: u32, file: &Path) -> Child {
    let mut player = Command::new("ffmpeg");
    player.args(["-v", "error", "-nostdin", "-y", "-i", url, "-t", &seconds.to_string(), "-c", "copy"]).arg(file);
    player.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("ffmpeg is installed")
}

async fn done(child: Child) {
    let output = within(child.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn frames(messages: &[Message], kind: TrackKind) -> Vec<&Frame> {
    let all = messages.iter().filter_map(|message| if let Message::Frame(frame) = message { Some(frame) } else { None });
    all.filter(|frame| frame.kind == kind).collect()
}

#[tokio::test]
async fn players_hear_opus_as_aac_and_in_step() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.flv"), folder.path().join("second.flv"));
    let mut scene = Scene::new().await;
    let mut encoder = flashes_and_beeps(60, &scene.url("rec", NAME)).spawn().unwrap();
    let mut recorder = scene.recorder().await;
    let mut keyframes = 0;
    while keyframes < 2 {
        if let Message::Frame(frame) = within(recorder.next()).await.unwrap() {
            keyframes += u32::from(frame.kind == TrackKind::Video && frame.keyframe);
        }
    }
    drop(recorder);
    // The second comes while the first one's process is there.
    let one = player(&scene.url("play", NAME), 6, &first);
    while !first.metadata().is_ok_and(|file| file.len() > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = player(&scene.url("play", NAME), 4, &second);
    done(one).await;
    done(other).await;
    assert_in_step(&first, "play, first", 3);
    assert_in_step(&second, "play, second", 2);
    // Sound begins where the pictures do.
    let starts: Vec<f64> = ffprobe(&second, "stream=start_time").iter().map(|text| text.parse().unwrap()).collect();
    assert!((starts[0] - starts[1]).abs() < 0.1, "{starts:?}");
    encoder.kill().await.unwrap();
}

#[tokio::test]
async fn a_player_that_says_so_gets_opus_as_it_is() {
    let mut scene = Scene::new().await;
    let mut encoder = flashes_and_beeps(60, &scene.url("rec", NAME)).spawn().unwrap();
    let mut recorder = scene.recorder().await;
    while !matches!(within(recorder.next()).await.unwrap(), Message::Frame(frame) if frame.kind == TrackKind::Video) {}
    drop(recorder);
    for (says, expected) in [(&["-rtmp_enhanced_codecs", "Opus"][..], "Audio: opus"), (&[], "Audio: aac")] {
        let mut viewer = enhanced_ffmpeg();
        viewer.args(["-v", "info"]).args(says).args(["-i", &scene.url("play", NAME), "-t", "1", "-f", "null", "-"]);
        let output = within(viewer.output()).await.unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && shown.contains(expected), "{says:?}: {shown}");
    }
    encoder.kill().await.unwrap();
}

#[tokio::test]
async fn servers_that_are_pushed_to_get_aac_in_step() {
    on_a_server(&[], async |server| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pushed.flv");
        let url = format!("rtmp://{}/app/key", nobodys_address(4));
        let mut receiver = Command::new("ffmpeg");
        receiver.args(["-v", "error", "-nostdin", "-listen", "1", "-i", &url, "-c", "copy"]).arg(&file);
        let receiver = receiver.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let media = camera(6).await;
        let source = Source::new(&server, anywhere()).await;
        let mut on_air = source.publish().await;
        source.set(Some(&url)).await;
        // Tries again until ffmpeg listens.
        source.status(|status| matches!(status, Some(PushStatus::Pushing { .. }))).await;
        send_in_time(&mut on_air.publisher, &media).await;
        let status = source.server.pushes.status(source.stream);
        assert!(matches!(status, Some(PushStatus::Pushing { without_sound: None, .. })), "{status:?}");
        on_air.end().await;
        done(receiver).await;
        assert_in_step(&file, "push", 4);
        source.end().await;
    })
    .await;
}

#[tokio::test]
async fn where_the_process_dies_the_push_goes_on_without_sound_and_says_why() {
    on_a_server(&[], async |server| {
        let mut target = Scene::new().await;
        let dying = Interpreter::new(server.hub.clone(), "/bin/false");
        let source = Source::with(&server, anywhere(), dying.clone()).await;
        let media = camera(1).await;
        let mut on_air = source.publish().await;
        let (first, rest) = media.split_at(12);
        send(&mut on_air.publisher, first);
        let answer = source.set(Some(&target.url("rec", NAME))).await;
        assert_eq!(answer["playout"]["web"][0]["pushState"]["withoutSound"], json!(null));
        let recorder = target.recorder().await;
        let is_silent = |status: Option<&PushStatus>| matches!(status, Some(PushStatus::Pushing { without_sound: Some(_), .. }));
        source.status(|status| matches!(status, Some(PushStatus::Pushing { .. }))).await;
        // Listens to the same process, which takes as long to die as it does.
        let heard = dying.listen(source.stream, Target::Aac);
        within(async {
            while heard.failure().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        // It is told with the picture that is sent next.
        let is_picture = |message: &Message| matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video);
        let (next, rest) = rest.split_at(rest.iter().position(is_picture).unwrap() + 1);
        send(&mut on_air.publisher, next);
        let Some(PushStatus::Pushing { without_sound: Some(why), .. }) = source.status(is_silent).await else { panic!() };
        assert!(why.contains("has died"), "{why}");
        send(&mut on_air.publisher, rest);
        on_air.end().await;
        let arrived = recorded(recorder).await;
        assert_eq!(frames(&arrived, TrackKind::Video).len(), frames(&media, TrackKind::Video).len());
        assert_eq!(frames(&arrived, TrackKind::Audio).len(), 0);
        source.end().await;
    })
    .await;
}

/// A stream of the hub's, and who listens to it.
fn listened(takes: Takes, channels: u8) -> (Publisher, AacViewer) {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, NOW).unwrap();
    let mut dops = afterlive_media::codec::opus::stereo_dops(312).to_vec();
    dops[1] = channels;
    let codec = CodecConfig::Opus { dops: dops.into(), channels, pre_skip: 312 };
    publisher.set_track(afterlive_media::frame::TrackConfig { codec, timescale: 48_000 });
    let viewer = AacViewer::new(hub.subscribe(STREAM).unwrap(), interpreter(&hub), STREAM, takes);
    (publisher, viewer)
}

fn packet(n: i64, data: &'static [u8]) -> Message {
    let data = Bytes::from_static(data);
    Message::Frame(Frame { kind: TrackKind::Audio, dts: n * 960, pts_offset: 0, keyframe: true, data })
}

/// Hands in packets of 20 ms until the viewer's failure is of this kind.
async fn failure(publisher: &mut Publisher, viewer: &mut AacViewer, data: &'static [u8], is_meant: impl Fn(&str) -> bool) {
    let failed = async {
        let mut n = 0;
        while !viewer.failure().is_some_and(|why| is_meant(&why)) {
            send(publisher, &[packet(n, data)]);
            n += 1;
            while let Some(message) = viewer.try_next() {
                assert!(!matches!(message, Message::Frame(_)), "{message:?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(failed).await;
}

#[tokio::test]
async fn sound_that_cannot_be_decoded_is_left_out_with_the_reason() {
    let (mut publisher, mut viewer) = listened(Takes::Aac, 2);
    // Code 3 with no frame: no packet at all.
    failure(&mut publisher, &mut viewer, &[0xff, 0], |why| why == "nothing of the sound can be decoded").await;
    let (mut publisher, mut viewer) = listened(Takes::Aac, 6);
    failure(&mut publisher, &mut viewer, &[0xff, 0], |why| why.contains("more than two channels")).await;
    let (mut publisher, mut viewer) = listened(Takes::Opus, 2);
    send(&mut publisher, &[packet(0, &[0xfc])]);
    assert!(matches!(viewer.next().await, Message::TrackChanged(_)));
    assert_eq!(viewer.next().await, packet(0, &[0xfc]));
    assert_eq!(viewer.failure(), None);
}

/// Hands the media in over and over, much faster than they happen, until what is measured fits.
async fn measured(sound: &str, fits: impl Fn(&Loudness) -> bool) -> Loudness {
    let hub = Hub::new();
    let meters = Meters::new(interpreter(&hub));
    let mut publisher = hub.publish(STREAM, NOW).unwrap();
    let media = encode_as(&["-f", "lavfi", "-i", sound, "-t", "4"]);
    let measuring = async {
        let mut messages = media.iter().cycle();
        let mut frames = 0;
        loop {
            match messages.next() {
                // One after the other, whatever their own times.
                Some(Message::Frame(frame)) => {
                    publisher.frame(&Frame { dts: frames * 1_024, ..frame.clone() });
                    frames += 1;
                }
                Some(message) => send(&mut publisher, std::slice::from_ref(message)),
                None => panic!("there is no sound"),
            }
            if let Some(loudness) = meters.look(STREAM).filter(&fits) {
                return loudness;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    within(measuring).await
}

#[tokio::test]
async fn a_stream_is_as_loud_as_its_encoder_made_it() {
    // FFmpeg's sine is at −18 dBFS.
    let loudness = measured("sine=frequency=440:sample_rate=48000", |loudness| loudness.channels[0].rms_dbfs < -20.0).await;
    assert!((loudness.channels[0].peak_dbfs + 18.0).abs() < 1.5, "{loudness:?}");
    assert!((loudness.channels[0].rms_dbfs + 21.0).abs() < 1.0, "{loudness:?}");
    assert_eq!((loudness.silent_s, loudness.clipped_percent), (0, 0));
    let loudness = measured("anullsrc=r=44100:cl=stereo", |loudness| loudness.silent_s >= 10).await;
    assert_eq!(loudness.channels.len(), 2);
    let clipped = "aevalsrc='max(-1,min(1,4*sin(2*PI*440*t)))':s=48000";
    let loudness = measured(clipped, |loudness| loudness.clipped_percent >= 50).await;
    assert!(loudness.channels[0].peak_dbfs > -1.0, "{loudness:?}");
}

#[tokio::test]
async fn a_real_encoder_s_sound_is_measured_while_somebody_looks() {
    let mut scene = Scene::new().await;
    let mut encoder = flashes_and_beeps(60, &scene.url("rec", NAME)).spawn().unwrap();
    drop(scene.recorder().await);
    let meters = Meters::new(interpreter(&scene.hub));
    let looking = async {
        loop {
            if let Some(loudness) = meters.look(STREAM) {
                return loudness;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let loudness = within(looking).await;
    assert_eq!(loudness.channels.len(), 2);
    assert!(loudness.channels.iter().any(|level| level.peak_dbfs > -60.0), "{loudness:?}");
    encoder.kill().await.unwrap();
}
