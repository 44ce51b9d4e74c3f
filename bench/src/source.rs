//! What is published: one FLV file, encoded once, in memory, and its tags over and over.

use std::process::{Command, Stdio};
use std::sync::Arc;

use afterlive_media::flv::{FileTag, file_tags};
use afterlive_media::frame::TrackKind;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;

/// 240 pictures at 25 a second, and 450 AAC frames at 48 kHz, last exactly as long: so the file follows itself without a seam.
const LOOP_MS: i64 = 9_600;
const PICTURES: usize = 240;
const SOUNDS: usize = 450;
/// Five to a loop.
const KEYFRAME_EVERY: &str = "48";
const AUDIO_KBIT: u32 = 128;

/// Clones share the media.
#[derive(Clone)]
pub(crate) struct Source {
    configs: Arc<[FileTag]>,
    frames: Arc<[FileTag]>,
}

impl Source {
    /// H.264 with B-frames and AAC, of a moving pattern with noise, so that the rate is really reached.
    pub(crate) fn encode(kbit: u32, size: &str) -> Result<Self> {
        let video = format!("{}k", kbit.saturating_sub(AUDIO_KBIT));
        let picture = format!("testsrc2=size={size}:rate=25,noise=alls=12:allf=t");
        let done = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-nostdin",
                "-f",
                "lavfi",
                "-i",
                &picture,
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=440:sample_rate=48000",
            ])
            .args(["-t", "9.8", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p"])
            .args(["-g", KEYFRAME_EVERY, "-keyint_min", KEYFRAME_EVERY, "-sc_threshold", "0"])
            .args([
                "-b:v",
                &video,
                "-maxrate",
                &video,
                "-bufsize",
                &video,
                "-c:a",
                "aac",
                "-b:a",
                &format!("{AUDIO_KBIT}k"),
                "-ac",
                "2",
            ])
            .args(["-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1"])
            .stdin(Stdio::null())
            .output()
            .context("ffmpeg cannot be started")?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // The second byte tells a configuration from a frame, with H.264 and AAC alike.
        let (configs, all): (Vec<_>, Vec<_>) =
            file_tags(&Bytes::from(done.stdout)).partition(|tag| tag.payload.get(1) == Some(&0));
        let mut frames = Vec::with_capacity(PICTURES + SOUNDS);
        let mut left = [PICTURES, SOUNDS];
        for tag in all {
            let left = &mut left[tag.kind as usize];
            if *left > 0 {
                *left -= 1;
                frames.push(tag);
            }
        }
        ensure!(left == [0, 0] && configs.len() == 2, "ffmpeg has encoded too little");
        Ok(Self { configs: configs.into(), frames: frames.into() })
    }

    /// The stream from its first tag on: configurations, then frames, for so long.
    pub(crate) fn tags(&self, length_ms: i64) -> impl Iterator<Item = FileTag> + use<> {
        let (configs, frames) = (Arc::clone(&self.configs), Arc::clone(&self.frames));
        let first_ms = frames.first().map_or(0, |tag| tag.timestamp_ms);
        let mut at = 0;
        std::iter::from_fn(move || {
            let tag = match configs.get(at) {
                Some(config) => config.clone(),
                None => {
                    let n = at - configs.len();
                    let frame = &frames[n % frames.len()];
                    let timestamp_ms = frame.timestamp_ms + (n / frames.len()) as i64 * LOOP_MS;
                    FileTag { timestamp_ms, ..frame.clone() }
                }
            };
            at += 1;
            (tag.timestamp_ms - first_ms < length_ms).then_some(tag)
        })
    }

    /// What it comes to, in bits a second.
    pub(crate) fn bits_per_second(&self) -> u64 {
        let bytes: u64 = self.frames.iter().map(|tag| tag.payload.len() as u64).sum();
        bytes * 8 * 1_000 / LOOP_MS as u64
    }
}

/// Frames of one publish.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Count {
    pub(crate) video: u64,
    pub(crate) audio: u64,
}

impl Count {
    pub(crate) fn add(&mut self, tag: &FileTag) {
        // A configuration is none.
        if tag.payload.get(1) == Some(&0) {
            return;
        }
        match tag.kind {
            TrackKind::Video => self.video += 1,
            TrackKind::Audio => self.audio += 1,
        }
    }
}
