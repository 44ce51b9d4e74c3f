//! What real encoders send by RTMP, in every codec that is taken, as viewers get it.

use std::sync::Arc;

use afterlive_domain::{Mode, StreamId};
use afterlive_server::hub::Hub;
use afterlive_server::ingest::gate::{Gatekeeper, Grant, Permit, Refusal};
use afterlive_server::ingest::rtmp;
use async_trait::async_trait;

use super::*;
use crate::fixture::encoder::{AV1, HEVC, OPUS, enhanced_ffmpeg, ffprobe, pattern};
use crate::fixture::program::interpreter;
use crate::fixture::server::on_a_server;

/// Lets everybody publish the one stream.
struct OpenGate {
    hub: Hub,
    stream: StreamId,
}

#[async_trait]
impl Gatekeeper for OpenGate {
    async fn let_in(&self, _: Permit) -> Result<Grant, Refusal> {
        let publisher = self.hub.publish(self.stream, NOW).map_err(|_| Refusal::AlreadyLive)?;
        Ok(Grant::new(publisher, Mode::Live, "eu".parse().unwrap(), |_, _| {}))
    }
}

/// Publishes with FFmpeg 9 as fast as it encodes, and checks what a viewer who was there before has got.
async fn assert_watched(codecs: &[&str], mime: &str, names: [&str; 2]) {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtmp://{}/live/{}", listener.local_addr().unwrap(), scene.stream.streamname);
        let settings = rtmp::Settings {
            limits: afterlive_media::rtmp::Limits::default(),
            handshake_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            gives_way_after: PATIENCE,
            max_connections: 10,
            max_connections_per_address: 10,
        };
        let gate = OpenGate { hub: scene.server.hub.clone(), stream: scene.stream.id };
        let (hub, usher) = (scene.server.hub.clone(), scene.server.service.clone());
        let interpreter = interpreter(&hub);
        let ingest = rtmp::Server::new(settings, hub, Arc::new(gate), usher, interpreter);
        tokio::spawn(ingest.serve(listener, scene.server.stop.clone()));

        let mut socket = scene.socket().await;
        assert_eq!(socket.words().await["state"], "offline");
        let mut command = enhanced_ffmpeg();
        command.args(["-v", "error"]).args(pattern(3)).args(codecs).args(["-f", "flv", &url]);
        let publishing = command.output();
        let watching = async {
            let info = socket.words().await;
            (info, socket.media_to_the_end().await)
        };
        let (done, (info, media)) = tokio::join!(publishing, watching);
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(info["mime"].as_str().unwrap().contains(mime), "{info}");
        assert_eq!([&info["video"]["codec"], &info["audio"]["codec"]], names);

        let path = scene.save("watched.mp4", &media);
        assert_eq!(ffprobe(&path, "stream=codec_name"), names);
        let packets = ffprobe(&path, "packet=codec_type");
        assert_eq!(packets.iter().filter(|line| line.starts_with("video")).count(), 75);
        let newest = enhanced_ffmpeg().args(["-v", "warning", "-i"]).arg(&path).args(["-f", "null", "-"]).output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&newest.stderr), "");
    })
    .await;
}

#[tokio::test]
async fn h264_and_aac_with_b_frames_are_watched() {
    let codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac"];
    assert_watched(&codecs, "avc1.", ["h264", "aac"]).await;
}

#[tokio::test]
async fn hevc_and_opus_are_watched() {
    assert_watched(&[&HEVC[..], &OPUS].concat(), "hvc1.1.6.L", ["hevc", "opus"]).await;
}

#[tokio::test]
async fn av1_and_opus_are_watched() {
    assert_watched(&[&AV1[..], &OPUS].concat(), "av01.0.", ["av1", "opus"]).await;
}
