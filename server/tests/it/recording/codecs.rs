//! What real encoders send by RTMP, in every codec that is taken: from their socket to a file that other people's players decode.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use afterlive_server::hub::Hub;
use afterlive_server::ingest::rtmp::{Server, Settings};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fixture::encoder::{AV1, HEVC, OPUS, enhanced_ffmpeg, pattern};
use crate::fixture::guard::Everybody;
use crate::fixture::program::interpreter;

/// A studio that can be reached by RTMP.
struct Reachable {
    studio: Studio,
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Reachable {
    async fn new(folder: &Path) -> Self {
        let url = format!("sqlite://{}", folder.join("test.db").display());
        let db = Db::open(&url.parse::<Location>().unwrap()).await.unwrap();
        let studio = Studio::new(db, folder).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let patience = Duration::from_secs(60);
        let settings = Settings {
            limits: afterlive_media::rtmp::Limits::default(),
            handshake_timeout: patience,
            idle_timeout: patience,
            gives_way_after: patience,
            max_connections: 10,
            max_connections_per_address: 10,
        };
        let stop = CancellationToken::new();
        let hub = Hub::new();
        let interpreter = interpreter(&hub);
        let server = Server::new(settings, hub, Arc::new(studio.gate.clone()), Arc::new(Everybody), interpreter);
        let server = tokio::spawn(server.serve(listener, stop.clone()));
        Self { studio, address, stop, server }
    }

    fn url(&self) -> String {
        format!("rtmp://{}/rec/{}", self.address, self.studio.stream.streamname)
    }

    /// Once what was published is finished, and the server gone.
    async fn recorded(self) -> (Studio, Asset) {
        while self.studio.assets().await.first().is_none_or(|asset| asset.state == AssetState::Recording) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.stop.cancel();
        self.server.await.unwrap();
        self.studio.settle().await;
        let asset = self.studio.assets().await.remove(0);
        (self.studio, asset)
    }
}

/// Publishes with FFmpeg 9 and gives back the finished recording.
async fn publish(folder: &Path, seconds: u32, codecs: &[&str]) -> (Studio, Asset) {
    let reachable = Reachable::new(folder).await;
    let mut command = enhanced_ffmpeg();
    command.args(["-v", "error"]).args(pattern(seconds)).args(codecs).args(["-f", "flv", &reachable.url()]);
    let done = command.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    reachable.recorded().await
}

/// A recording of three seconds is what it should be, for our facts, for ffprobe and for two versions of FFmpeg's decoders.
async fn assert_plays(folder: &Path, codecs: &[&str], video: &str, audio: &str) {
    let (studio, asset) = publish(folder, 3, codecs).await;
    assert_eq!((asset.state, &asset.reason), (AssetState::Ready, &None));
    let facts = &asset.facts;
    assert_eq!((facts.video_codec.as_deref(), facts.audio_codec.as_deref()), (Some(video), Some(audio)));
    assert_eq!((facts.width, facts.height), (Some(320), Some(180)));
    assert!(facts.duration_ms.abs_diff(3_000) < 50, "{facts:?}");

    let path = studio.place(&asset);
    assert_eq!(boxes(&path), ["ftyp", "free", "moov", "free", "mdat"]);
    assert_eq!(ffprobe(&path, "stream=codec_name"), [video, audio]);
    assert_eq!(complaints(&path), "");
    let newest = enhanced_ffmpeg().args(["-v", "warning", "-i"]).arg(&path).args(["-f", "null", "-"]).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&newest.stderr), "");

    let report = assets::report(&mut studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
    assert_eq!(report.tracks[0].stored_frames, 75, "{:?}", report.tracks[0]);
    for track in &report.tracks {
        assert_eq!((track.received_frames, track.gap_count), (Some(track.stored_frames), 0), "{track:?}");
        assert!(track.begins_ms <= 25 && track.lasts_ms.abs_diff(3_000) < 60, "{track:?}");
    }
    let starts: Vec<f64> = ffprobe(&path, "stream=start_time").iter().map(|start| start.parse().unwrap()).collect();
    assert!((starts[0] - starts[1]).abs() < 0.025, "{starts:?}");

    assert_eq!(studio.run_jobs().await, 2, "the probe with the poster, and the storyboard");
    let asset = studio.assets().await.remove(0);
    assert!(asset.has_poster);
    assert_eq!(asset.facts.video_codec.as_deref(), Some(video), "the probe says the same");
}

#[tokio::test]
async fn hevc_and_opus_by_enhanced_rtmp_are_recorded_and_play() {
    let folder = tempfile::tempdir().unwrap();
    assert_plays(folder.path(), &[&HEVC[..], &OPUS].concat(), "hevc", "opus").await;
}

#[tokio::test]
async fn av1_and_opus_by_enhanced_rtmp_are_recorded_and_play() {
    let folder = tempfile::tempdir().unwrap();
    assert_plays(folder.path(), &[&AV1[..], &OPUS].concat(), "av1", "opus").await;
}

#[tokio::test]
async fn h264_and_aac_of_the_newest_ffmpeg_are_recorded_and_play() {
    let folder = tempfile::tempdir().unwrap();
    assert_plays(folder.path(), &["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac"], "h264", "aac").await;
}

#[tokio::test]
async fn opus_alone_is_a_recording_of_the_length_of_its_packets() {
    let folder = tempfile::tempdir().unwrap();
    for frame_ms in ["2.5", "20", "60"] {
        let folder = folder.path().join(frame_ms);
        std::fs::create_dir(&folder).unwrap();
        let (studio, asset) = publish(&folder, 3, &[&["-vn"], &OPUS[..], &["-frame_duration", frame_ms]].concat()).await;
        assert_eq!((asset.state, asset.facts.video_codec.as_deref()), (AssetState::Ready, None));
        assert!(asset.facts.duration_ms.abs_diff(3_000) <= 60, "{frame_ms}: {:?}", asset.facts);
        let path = studio.place(&asset);
        assert_eq!(complaints(&path), "", "{frame_ms}");
        let ms: f64 = frame_ms.parse().unwrap();
        // Behind a comma stands what is skipped of a packet; lines that have nothing else are empty.
        let packets = ffprobe(&path, "packet=duration_time");
        let durations_ms = packets.iter().filter_map(|line| line.split(',').next()?.parse::<f64>().ok()).map(|s| s * 1_000.0);
        let mut durations_ms: Vec<f64> = durations_ms.collect();
        // The last one lasts to the end of the edit list for ffprobe, which counts whole milliseconds.
        let last_ms = durations_ms.pop().unwrap();
        assert!((-0.001..1.0).contains(&(last_ms - ms)), "{frame_ms}: {last_ms}");
        assert!(durations_ms.len() >= 49 && durations_ms.iter().all(|lasts_ms| (lasts_ms - ms).abs() < 0.001), "{frame_ms}");
    }
}

#[tokio::test]
async fn a_recording_in_hevc_that_was_left_behind_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let reachable = Reachable::new(folder.path()).await;
    let mut command = enhanced_ffmpeg();
    command.args(["-v", "error", "-re"]).args(pattern(60)).args(HEVC).args(OPUS).args(["-f", "flv", &reachable.url()]);
    let mut encoder = command.spawn().unwrap();
    let spool = reachable.studio.store().spool();
    until(|| spool.assets().unwrap().first().is_some_and(|id| grew(&reachable.studio, *id, 2_000))).await;
    let growing = spool.recording_path(spool.assets().unwrap()[0]);
    let left_behind = folder.path().join("left-behind.mp4");
    std::fs::copy(&growing, &left_behind).unwrap();
    encoder.kill().await.unwrap();

    let media = std::fs::read(&left_behind).unwrap();
    let afterlive_media::mp4::Scanned::Growing { recording, .. } = afterlive_media::mp4::scan(&mut &media[..]).unwrap() else {
        panic!("it is not finished")
    };
    let names: Vec<_> = recording.index.tracks().iter().map(|track| track.descriptions()[0].name()).collect();
    assert_eq!(names, ["hevc", "opus"]);
    assert!(recording.index.duration_ms() >= 2_000);
    // The copy may have been made in the middle of a write.
    std::fs::OpenOptions::new().write(true).open(&left_behind).unwrap().set_len(recording.good_length).unwrap();
    assert_eq!(complaints(&left_behind), "", "it plays as it is");
    let (_, asset) = reachable.recorded().await;
    assert_eq!(asset.state, AssetState::Ready);
}
