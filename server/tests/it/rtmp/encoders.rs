//! Real encoders and players: FFmpeg's.

use std::process::Stdio;

use afterlive_media::frame::{Frame, TrackKind};
use afterlive_server::db::sessions::EndReason;
use afterlive_server::hub::Message;
use tokio::process::{Child, Command};

use super::{NAME, STREAM, Scene, recorded, within};
use crate::fixture::encoder::{AV1, HEVC, OPUS, enhanced_ffmpeg, pattern};

/// A test picture and a tone to `url`, for so many seconds; `at_speed`: as fast as they happen, not as fast as they can be made.
fn ffmpeg(url: &str, seconds: u32, at_speed: bool) -> Child {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin"]);
    if at_speed {
        command.arg("-re");
    }
    command
        .args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
        .args(["-t", &seconds.to_string()])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p"])
        .args(["-c:a", "aac", "-b:a", "64k", "-f", "flv", url])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("ffmpeg is installed")
}

fn frames(messages: &[Message], kind: TrackKind) -> Vec<&Frame> {
    let all = messages.iter().filter_map(|message| if let Message::Frame(frame) = message { Some(frame) } else { None });
    all.filter(|frame| frame.kind == kind).collect()
}

#[tokio::test]
async fn what_ffmpeg_sends_reaches_the_recorder_whole() {
    let mut scene = Scene::new().await;
    let encoder = ffmpeg(&scene.url("rec", NAME), 4, false);
    let messages = recorded(scene.recorder().await).await;
    let output = within(encoder.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(scene.end().await, EndReason::Unpublished);

    let tracks: Vec<_> = messages.iter().filter(|message| matches!(message, Message::TrackChanged(_))).collect();
    assert_eq!(tracks.len(), 2);
    let sizes = tracks.iter().find_map(|track| match track {
        Message::TrackChanged(track) => track.codec.picture().map(|picture| (picture.width, picture.height)),
        _ => None,
    });
    assert_eq!(sizes, Some((320, 180)));
    let video = frames(&messages, TrackKind::Video);
    assert_eq!(video.len(), 100);
    assert!(video[0].keyframe && video.iter().filter(|frame| frame.keyframe).count() == 4);
    assert!(video.windows(2).all(|pair| pair[1].dts - pair[0].dts == 40), "25 pictures a second");
    assert!(video.iter().any(|frame| frame.pts_offset > 0), "B-frames");
    let audio = frames(&messages, TrackKind::Audio);
    let end = audio.last().map(|frame| frame.dts + 1_024).unwrap() - audio[0].dts;
    assert!((end - 4 * 48_000).abs() <= 2 * 1_024, "{end} samples");
    assert!(audio.windows(2).all(|pair| pair[1].dts - pair[0].dts == 1_024), "without a gap");
}

/// To an encoder that has sent its last and closed nothing may be sent: its system would throw away what is still on its way.
#[tokio::test]
async fn a_file_that_is_pushed_as_fast_as_it_can_be_arrives_to_its_last_frame() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.flv");
    let input = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-t", "60"];
    let codec = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "8", "-g", "30", "-pix_fmt", "yuv420p"];
    let mut encoder = Command::new("ffmpeg");
    encoder.args(["-v", "error", "-nostdin"]).args(input).args(codec).arg(&file);
    assert!(encoder.status().await.unwrap().success());
    assert!(
        file.metadata().unwrap().len() > 16 << 20,
        "more than what any socket holds, many times what FFmpeg wants to hear of"
    );
    let mut scene = Scene::new().await;
    for _ in 0..3 {
        let mut encoder = Command::new("ffmpeg");
        encoder.args(["-v", "error", "-nostdin", "-i"]).arg(&file).args(["-c", "copy", "-f", "flv", &scene.url("rec", NAME)]);
        let encoder = encoder.kill_on_drop(true).spawn().unwrap();
        let messages = recorded(scene.recorder().await).await;
        assert_eq!(frames(&messages, TrackKind::Video).len(), 1_800);
        assert_eq!(scene.end().await, EndReason::Unpublished);
        assert!(within(encoder.wait_with_output()).await.unwrap().status.success());
    }
}

#[tokio::test]
async fn ffmpeg_shows_why_it_was_refused() {
    let scene = Scene::new().await;
    let _first = super::client::Client::publish(scene.address, "live", NAME).await;
    for (app, name, expected) in [
        ("rec", "8sKpm-AAAAA", "stream name unknown"),
        ("rec", NAME, "already live from another encoder"),
        ("vod", NAME, "the path in the URL must begin with /live or /rec"),
    ] {
        let output = within(ffmpeg(&scene.url(app, name), 4, true).wait_with_output()).await.unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(shown.contains(expected), "{shown}");
    }
}

#[tokio::test]
async fn ffprobe_sees_both_tracks_of_a_live_stream() {
    let mut scene = Scene::new().await;
    let mut encoder = ffmpeg(&scene.url("rec", NAME), 60, true);
    let mut recorder = scene.recorder().await;
    let mut seen = 0;
    // A viewer who comes in mid-stream: the first group of pictures is over.
    while seen < 2 {
        if let Message::Frame(frame) = within(recorder.next()).await.unwrap() {
            seen += u32::from(frame.kind == TrackKind::Video && frame.keyframe);
        }
    }
    drop(recorder);
    let entries = "stream=codec_name,width,height,sample_rate";
    let probe = Command::new("ffprobe")
        .args(["-hide_banner", "-loglevel", "error", "-show_entries", entries, "-of", "csv=p=0"])
        .arg(scene.url("play", NAME))
        .kill_on_drop(true)
        .output();
    let output = within(probe).await.unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("h264,320,180") && shown.contains("aac,48000"), "{shown}");
    let stats = scene.hub.stats(STREAM).expect("live");
    assert_eq!(stats.video.unwrap().frames_per_second, Some(25.0));
    // As unclean as it gets: SIGKILL, and the kernel closes.
    encoder.kill().await.unwrap();
    assert_eq!(scene.end().await, EndReason::Disconnected);
}

#[tokio::test]
async fn a_viewer_by_enhanced_rtmp_gets_the_codecs_that_were_sent() {
    for (video, name) in [(HEVC, "hevc"), (AV1, "av1")] {
        let mut scene = Scene::new().await;
        let mut encoder = enhanced_ffmpeg();
        encoder.args(["-v", "error", "-re"]).args(pattern(60)).args(video).args(OPUS).args([
            "-f",
            "flv",
            &scene.url("rec", NAME),
        ]);
        let mut encoder = encoder.spawn().unwrap();
        let mut recorder = scene.recorder().await;
        while !matches!(within(recorder.next()).await.unwrap(), Message::Frame(frame) if frame.kind == TrackKind::Video) {}
        drop(recorder);
        let mut viewer = enhanced_ffmpeg();
        viewer.args([
            "-v",
            "info",
            "-rtmp_enhanced_codecs",
            "Opus",
            "-i",
            &scene.url("play", NAME),
            "-t",
            "1",
            "-f",
            "null",
            "-",
        ]);
        let output = within(viewer.output()).await.unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{shown}");
        assert!(
            shown.contains(&format!("Video: {name}")) && shown.contains("320x180") && shown.contains("Audio: opus"),
            "{shown}"
        );
        let stats = scene.hub.stats(STREAM).expect("live");
        assert_eq!((stats.video.unwrap().codec, stats.audio.unwrap().codec), (name, "opus"));
        encoder.kill().await.unwrap();
        scene.end().await;
    }
}

#[tokio::test]
async fn of_two_audio_tracks_the_first_is_taken() {
    let mut scene = Scene::new().await;
    let mut encoder = enhanced_ffmpeg();
    encoder.args([
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=48000",
        "-f",
        "lavfi",
        "-i",
        "anullsrc=r=48000:cl=stereo",
    ]);
    encoder.args(["-map", "0:a", "-map", "1:a", "-t", "2"]).args(OPUS).args(["-f", "flv", &scene.url("rec", NAME)]);
    let encoder = encoder.stderr(Stdio::piped()).spawn().unwrap();
    let messages = recorded(scene.recorder().await).await;
    let output = within(encoder.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tracks: Vec<_> = messages.iter().filter(|message| matches!(message, Message::TrackChanged(_))).collect();
    let [Message::TrackChanged(track)] = tracks[..] else { panic!("{tracks:?}") };
    assert_eq!(track.codec.sound().map(|sound| sound.channels), Some(1), "the tone, not the silence");
    let audio = frames(&messages, TrackKind::Audio);
    assert!(audio.len() >= 100 && audio.windows(2).all(|pair| pair[1].dts - pair[0].dts == 960));
}

#[tokio::test]
async fn ffmpeg_shows_which_codec_is_not_taken() {
    let mut scene = Scene::new().await;
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-re"]);
    command.args([
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=25",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=44100",
        "-t",
        "60",
    ]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "libmp3lame", "-f", "flv"]);
    let encoder = command.arg(scene.url("rec", NAME)).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    assert_eq!(scene.end().await, EndReason::ProtocolError);
    let output = within(encoder.wait_with_output()).await.unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && shown.contains("audio codec MP3 is not supported; use AAC or Opus"), "{shown}");
}
