//! WebRTC against the real server: a client of our own that knows what it has sent, an FFmpeg, and a network that loses packets.

pub mod client;
mod relay;
mod whep;
mod whip;

use std::process::Stdio;

use afterlive_media::flv::{Demuxer, FileTag, Packet, file_tags};
use afterlive_media::frame::TrackKind;
use afterlive_server::hub::Message;
use bytes::Bytes;

use crate::fixture::encoder::enhanced_ffmpeg;

/// What a browser would send: a moving pattern without B-frames, with a keyframe each second, and a tone in Opus.
async fn camera(seconds: u32) -> Vec<Message> {
    read(camera_tags(seconds, &["-c:a", "libopus", "-b:a", "64k"]).await)
}

/// The same as an RTMP encoder sends it, with what is added to the arguments.
async fn camera_tags(seconds: u32, more: &[&str]) -> Vec<FileTag> {
    let seconds = seconds.to_string();
    let mut command = enhanced_ffmpeg();
    command.args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"]);
    command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", &seconds]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-g", "25"]);
    command.args(["-pix_fmt", "yuv420p"]).args(more).args(["-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1"]);
    let done = command.stdout(Stdio::piped()).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    file_tags(&Bytes::from(done.stdout)).collect()
}

fn read(tags: Vec<FileTag>) -> Vec<Message> {
    let mut demuxer = Demuxer::new();
    let mut messages = Vec::new();
    for tag in tags {
        let packet = match tag.kind {
            TrackKind::Video => demuxer.video(tag.timestamp_ms, &tag.payload).unwrap(),
            TrackKind::Audio => demuxer.audio(tag.timestamp_ms, &tag.payload).unwrap(),
        };
        match packet {
            Packet::Config(track) => messages.push(Message::TrackChanged(track)),
            Packet::Frame(frame) => messages.push(Message::Frame(frame)),
            Packet::Nothing(_) => {}
        }
    }
    messages
}
