//! Figures of a live stream, counted as its frames go by, in media time. The one that needs another clock, how unevenly they come, is in `jitter`.

use std::collections::VecDeque;
use std::time::Instant;

use afterlive_domain::UnixMillis;
use afterlive_media::codec::PictureSize;
use afterlive_media::frame::{Frame, Sound, TrackConfig, TrackKind};

use super::jitter::Jitter;

/// How far back the bitrate is kept.
pub const HISTORY_S: usize = 300;
/// Over how many whole seconds the present bitrate is taken.
const PRESENT_S: usize = 5;
/// Over how many frames the frame rate is taken.
const FRAME_RATE_FRAMES: usize = 61;
/// Timestamps in whole milliseconds differ by so much from what they should be; twice, as an offset is the difference of two.
const ROUNDING_MS: i64 = 4;

/// How a live stream does.
#[derive(Clone, PartialEq, Debug)]
pub struct LiveStats {
    /// As the one who published said.
    pub started_at: UnixMillis,
    /// Of frames; without what the protocol adds.
    pub bytes_in: u64,
    pub viewers: usize,
    pub video: Option<VideoStats>,
    pub audio: Option<AudioStats>,
    /// Of both tracks, over the last 5 whole seconds of media time; absent in the first second.
    pub bitrate_bps: Option<u32>,
    /// How much later than the earliest frame, by their timestamps, the latest came in the last 10 seconds; absent in the first second. How we read sockets
    /// makes some 50 ms of it.
    pub jitter_ms: Option<u32>,
    /// The same, as far as it has lasted over the quarter of a minute before the last seconds; absent until so long after the beginning.
    pub lasting_jitter_ms: Option<u32>,
    /// Of each whole second of media time, the oldest first; at most [`HISTORY_S`].
    pub bitrate_history_bps: Vec<u32>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct VideoStats {
    /// As the API names codecs.
    pub codec: &'static str,
    pub width: u16,
    pub height: u16,
    /// Over the last 60 frames; absent before the second.
    pub frames_per_second: Option<f32>,
    /// Between the last two keyframes.
    pub keyframe_interval_ms: Option<u32>,
    /// Frames are shown in another order than they are decoded in.
    pub is_reordered: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct AudioStats {
    /// As the API names codecs.
    pub codec: &'static str,
    /// As decoded.
    pub sample_rate: u32,
    pub channels: u8,
}

#[derive(Default)]
pub(super) struct Counters {
    bytes_in: u64,
    position_ms: i64,
    /// The second of media time that is being counted, and its bytes so far.
    second: Option<(i64, u64)>,
    history_bytes: VecDeque<u64>,
    video_dts_ms: VecDeque<i64>,
    keyframe_dts_ms: Option<i64>,
    keyframe_interval_ms: Option<u32>,
    /// The least and the most offset since the last keyframe, in ticks, and whether they differed between the two before.
    offsets: Option<(i32, i32)>,
    is_reordered: bool,
    jitter: Jitter,
}

impl Counters {
    /// `now` is when it arrived.
    pub(super) fn count(&mut self, frame: &Frame, timescale: u32, now: Instant) {
        let bytes = frame.data.len() as u64;
        let dts_ms = ticks_to_ms(frame.dts, timescale);
        self.bytes_in += bytes;
        self.position_ms = dts_ms;
        self.count_second(dts_ms.div_euclid(1000), bytes);
        self.jitter.count(dts_ms, now);
        if frame.kind == TrackKind::Video {
            self.count_picture(dts_ms, frame.keyframe);
            self.count_offset(frame, timescale);
        }
    }

    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    pub(super) fn position_ms(&self) -> i64 {
        self.position_ms
    }

    fn count_second(&mut self, second: i64, bytes: u64) {
        match &mut self.second {
            // Tracks are interleaved loosely: what is a little late counts for the second in progress.
            Some((current, so_far)) if second <= *current && *current - second < HISTORY_S as i64 => *so_far += bytes,
            Some((current, so_far)) => {
                let silent = (second - *current - 1).clamp(0, HISTORY_S as i64) as usize;
                self.history_bytes.push_back(*so_far);
                self.history_bytes.extend(std::iter::repeat_n(0, silent));
                let excess = self.history_bytes.len().saturating_sub(HISTORY_S);
                self.history_bytes.drain(..excess);
                self.second = Some((second, bytes));
            }
            None => self.second = Some((second, bytes)),
        }
    }

    fn count_picture(&mut self, dts_ms: i64, keyframe: bool) {
        if self.video_dts_ms.back().is_some_and(|last| *last > dts_ms) {
            // The encoder's clock jumped: begin anew.
            self.video_dts_ms.clear();
            self.keyframe_dts_ms = None;
        }
        if self.video_dts_ms.len() == FRAME_RATE_FRAMES {
            self.video_dts_ms.pop_front();
        }
        self.video_dts_ms.push_back(dts_ms);
        if keyframe && let Some(last) = self.keyframe_dts_ms.replace(dts_ms) {
            self.keyframe_interval_ms = u32::try_from(dts_ms - last).ok();
        }
    }

    /// Without B-frames all frames wait equally long between decoding and showing; but for the rounding of their timestamps.
    fn count_offset(&mut self, frame: &Frame, timescale: u32) {
        let is_apart = |(least, most): (i32, i32)| i64::from(most) - i64::from(least) > i64::from(timescale) * ROUNDING_MS / 1000;
        let offset = frame.pts_offset;
        match &mut self.offsets {
            Some(range) if !frame.keyframe => {
                *range = (range.0.min(offset), range.1.max(offset));
                self.is_reordered |= is_apart(*range);
            }
            offsets => {
                self.is_reordered = offsets.is_some_and(is_apart);
                *offsets = Some((offset, offset));
            }
        }
    }

    fn frames_per_second(&self) -> Option<f32> {
        let (first, last) = (self.video_dts_ms.front()?, self.video_dts_ms.back()?);
        let span_ms = last - first;
        (span_ms > 0).then(|| (self.video_dts_ms.len() - 1) as f32 * 1000.0 / span_ms as f32)
    }

    pub(super) fn read(
        &self,
        started_at: UnixMillis,
        viewers: usize,
        video: Option<&TrackConfig>,
        audio: Option<&TrackConfig>,
    ) -> LiveStats {
        let to_bps = |bytes: u64| u32::try_from(bytes * 8).unwrap_or(u32::MAX);
        let present = self.history_bytes.iter().rev().take(PRESENT_S);
        let present_s = present.len() as u64;
        LiveStats {
            started_at,
            bytes_in: self.bytes_in,
            viewers,
            video: video.and_then(|track| {
                let PictureSize { width, height } = track.codec.picture()?;
                Some(VideoStats {
                    codec: track.codec.name(),
                    width,
                    height,
                    frames_per_second: self.frames_per_second(),
                    keyframe_interval_ms: self.keyframe_interval_ms,
                    is_reordered: self.is_reordered,
                })
            }),
            audio: audio.and_then(|track| {
                let Sound { sample_rate, channels } = track.codec.sound()?;
                Some(AudioStats { codec: track.codec.name(), sample_rate, channels })
            }),
            jitter_ms: self.jitter.recent_ms(),
            lasting_jitter_ms: self.jitter.lasting_ms(),
            bitrate_bps: (present_s > 0).then(|| to_bps(present.sum::<u64>() / present_s)),
            bitrate_history_bps: self.history_bytes.iter().map(|bytes| to_bps(*bytes)).collect(),
        }
    }
}

fn ticks_to_ms(ticks: i64, timescale: u32) -> i64 {
    let ms = i128::from(ticks) * 1000 / i128::from(timescale.max(1));
    // Only a hostile clock leaves the range; it then has odd figures.
    ms.clamp(i128::from(i64::MIN / 4), i128::from(i64::MAX / 4)) as i64
}
