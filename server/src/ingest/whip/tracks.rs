//! The tracks of one peer: depacketized media in, frames into the hub. What depends on a lost picture is left out, and the loss counted.

use std::time::{Duration, Instant, UNIX_EPOCH};

use afterlive_media::codec::annex_b::Unpacker;
use afterlive_media::codec::opus;
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::rtp::{AUDIO_TICKS, Clocks, VIDEO_TICKS};
use bytes::Bytes;
use str0m::media::{MediaData, MediaKind, Mid};
use str0m::rtp::rtcp::SenderInfo;
use tracing::{debug, warn};

use crate::hub::Publisher;

/// WebRTC's Opus is always described as two channels, whatever a packet has, and has no header. What libopus, which all browsers have, puts out before the
/// first sample: 6.5 ms.
const OPUS_CHANNELS: u8 = 2;
const OPUS_PRE_SKIP: u16 = 312;

/// What never came, or came in vain.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Lost {
    /// How often pictures were missing that could not be had by asking again.
    pub(super) interruptions: u64,
    /// Pictures that came and depend on one that did not.
    pub(super) pictures: u64,
}

impl Lost {
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }
}

/// At most one of each kind: a further one that is offered goes nowhere.
pub(super) struct Tracks {
    began: Instant,
    clocks: Clocks,
    video: Option<Mid>,
    audio: Option<Mid>,
    unpacker: Unpacker,
    config: Option<CodecConfig>,
    last_keyframe: Option<Instant>,
    waits_for_keyframe: bool,
    has_sound: bool,
    /// The log has the first of them: there may be some with each picture.
    has_told_bad_sets: bool,
    lost: Lost,
}

impl Tracks {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            clocks: Clocks::default(),
            video: None,
            audio: None,
            unpacker: Unpacker::default(),
            config: None,
            last_keyframe: None,
            waits_for_keyframe: true,
            has_sound: false,
            has_told_bad_sets: false,
            lost: Lost::default(),
        }
    }

    pub(super) fn add(&mut self, mid: Mid, kind: MediaKind) {
        match kind {
            MediaKind::Video => self.video.get_or_insert(mid),
            MediaKind::Audio => self.audio.get_or_insert(mid),
        };
    }

    pub(super) fn video(&self) -> Option<Mid> {
        self.video
    }

    pub(super) fn lost(&self) -> Lost {
        self.lost
    }

    /// Nothing can be shown before the next keyframe.
    pub(super) fn waits_for_keyframe(&self) -> bool {
        self.waits_for_keyframe
    }

    /// The same, or the last one is older than `every`.
    pub(super) fn wants_keyframe(&self, every: Duration) -> bool {
        self.waits_for_keyframe || self.last_keyframe.is_none_or(|last| last.elapsed() >= every)
    }

    fn kind_of(&self, mid: Mid) -> Option<TrackKind> {
        match Some(mid) {
            mid if mid == self.video => Some(TrackKind::Video),
            mid if mid == self.audio => Some(TrackKind::Audio),
            _ => None,
        }
    }

    /// What the sender says about its clocks.
    pub(super) fn report(&mut self, mid: Mid, info: &SenderInfo) {
        let Some(kind) = self.kind_of(mid) else { return };
        let Ok(since_1970) = info.ntp_time.duration_since(UNIX_EPOCH) else { return };
        let wall_us = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
        // The lowest 32 bits are what was sent.
        self.clocks.report(kind, info.rtp_time.numer() as u32, wall_us);
    }

    pub(super) fn take(&mut self, data: &MediaData, publisher: &mut Publisher) {
        match self.kind_of(data.mid) {
            Some(TrackKind::Video) => self.take_picture(data, publisher),
            Some(TrackKind::Audio) => self.take_sound(data, publisher),
            None => {}
        }
    }

    fn take_picture(&mut self, data: &MediaData, publisher: &mut Publisher) {
        if !data.contiguous {
            self.lost.interruptions += 1;
            publisher.count_lost(1);
            self.waits_for_keyframe = true;
        }
        let unpacked = self.unpacker.unpack(&data.data);
        if unpacked.new_sets {
            match self.unpacker.config() {
                Ok(Some(config)) if self.config.as_ref() != Some(&config) => {
                    publisher.set_track(TrackConfig { codec: config.clone(), timescale: VIDEO_TICKS });
                    self.config = Some(config);
                }
                Ok(_) => {}
                Err(cause) if self.has_told_bad_sets => debug!(%cause, "parameter sets are passed over"),
                Err(cause) => {
                    self.has_told_bad_sets = true;
                    warn!(stream = %publisher.stream(), %cause, "parameter sets are passed over");
                }
            }
        }
        if !unpacked.contents.picture {
            return;
        }
        let keyframe = unpacked.contents.keyframe;
        if self.config.is_none() || self.waits_for_keyframe && !keyframe {
            if self.last_keyframe.is_some() {
                self.lost.pictures += 1;
                publisher.count_lost(1);
            }
            debug!(stream = %publisher.stream(), "a picture is passed over: what it depends on is missing");
            return;
        }
        if keyframe {
            self.waits_for_keyframe = false;
            self.last_keyframe = Some(Instant::now());
        }
        let dts = self.place(TrackKind::Video, data);
        publisher.frame(&Frame { kind: TrackKind::Video, dts, pts_offset: 0, keyframe, data: unpacked.data });
    }

    fn take_sound(&mut self, data: &MediaData, publisher: &mut Publisher) {
        if opus::packet_samples(&data.data).is_none() {
            return;
        }
        if !self.has_sound {
            self.has_sound = true;
            let codec =
                CodecConfig::Opus { dops: opus::stereo_dops(OPUS_PRE_SKIP), channels: OPUS_CHANNELS, pre_skip: OPUS_PRE_SKIP };
            publisher.set_track(TrackConfig { codec, timescale: AUDIO_TICKS });
        }
        let dts = self.place(TrackKind::Audio, data);
        let data = Bytes::copy_from_slice(&data.data);
        publisher.frame(&Frame { kind: TrackKind::Audio, dts, pts_offset: 0, keyframe: true, data });
    }

    fn place(&mut self, kind: TrackKind, data: &MediaData) -> i64 {
        let ticks = i64::try_from(data.time.numer()).unwrap_or(i64::MAX);
        let arrived = data.network_time.saturating_duration_since(self.began);
        self.clocks.place(kind, ticks, i64::try_from(arrived.as_micros()).unwrap_or(i64::MAX))
    }
}
