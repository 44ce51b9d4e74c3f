//! What of a stream goes to a WebRTC viewer, and when it is to be shown. Pure: the hub's frames in, payloads and their times out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use afterlive_media::codec::annex_b::Packer;
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::rtp::{AUDIO_TICKS, VIDEO_TICKS};
use afterlive_media::time::rescale;
use bytes::Bytes;

use super::{Refused, refuse_codec};

const MICROSECONDS: u32 = 1_000_000;
/// Where each track's clock begins: high enough that it does not go below zero, whatever the stream's first times are.
const FIRST_TICK: i64 = 1 << 40;

/// Whether pictures are shown in the order in which they are sent.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Order {
    /// Of the latest picture.
    shown: Option<i64>,
}

impl Order {
    /// A picture that is shown before one that was sent before it makes the other a B-frame's anchor.
    pub(super) fn is_broken_by(&mut self, frame: &Frame) -> bool {
        if frame.kind != TrackKind::Video {
            return false;
        }
        if frame.keyframe {
            self.shown = None;
        }
        let shown = self.shown.replace(frame.pts());
        shown.is_some_and(|shown| frame.pts() < shown)
    }
}

/// A frame that is to go out. Holds the hub's own bytes, which all viewers share: what waits for many costs no more than what waits for one.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) kind: TrackKind,
    pub(super) ticks: u64,
    /// When the stream's clock said so, by ours.
    pub(super) wall: Instant,
    pub(super) data: Bytes,
    /// Of pictures; and whether it is a keyframe.
    pub(super) packer: Option<(Arc<Packer>, bool)>,
}

impl Payload {
    /// As it is sent.
    pub(super) fn pack(self) -> Vec<u8> {
        match self.packer {
            Some((packer, keyframe)) => packer.pack(&self.data, keyframe),
            None => self.data.into(),
        }
    }
}

/// The tracks of a stream as one viewer gets them.
#[derive(Default)]
pub(super) struct Outgoing {
    packer: Option<Arc<Packer>>,
    scales: [u32; 2],
    has_opus: bool,
    has_aac: bool,
    order: Order,
    /// When the stream's time 0 was, by our clock.
    origin: Option<Instant>,
    /// The latest tick of each track.
    latest: [i64; 2],
    /// Pictures are of no use before the next keyframe.
    waits_for_keyframe: bool,
}

impl Outgoing {
    pub(super) fn set_track(&mut self, track: &TrackConfig) -> Result<(), Refused> {
        refuse_codec(&track.codec)?;
        self.scales[track.codec.kind() as usize] = track.timescale;
        match &track.codec {
            CodecConfig::Opus { channels, .. } => self.has_opus = *channels <= 2,
            codec => match codec.kind() {
                TrackKind::Video => self.packer = Packer::of(codec).map(Arc::new),
                TrackKind::Audio => self.has_opus = false,
            },
        }
        if track.codec.kind() == TrackKind::Audio {
            self.has_aac = matches!(track.codec, CodecConfig::Aac { .. });
        }
        Ok(())
    }

    /// Sound is there, but in a codec that must be interpreted.
    pub(super) fn wants_interpreter(&self) -> bool {
        self.has_aac
    }

    /// The payload of a packet of Opus that was made of the stream's sound; its time is in ticks of Opus.
    pub(super) fn interpreted(&mut self, packet: &Frame, now: Instant) -> Payload {
        self.place(packet, AUDIO_TICKS, 0, now, None)
    }

    /// From now on nothing counts of what was sent before; the next picture that is of use is a keyframe.
    pub(super) fn begin_anew(&mut self) {
        self.waits_for_keyframe = true;
        self.order = Order::default();
    }

    /// The payload of a frame; `None` where it is not for this viewer. `held_back` is how many pictures of what was kept for viewers to come still follow: such
    /// a picture is only there to decode the last of them, and is to be shown no longer than it takes.
    pub(super) fn payload(&mut self, frame: &Frame, held_back: usize, now: Instant) -> Result<Option<Payload>, Refused> {
        let packer = match frame.kind {
            TrackKind::Video => {
                if self.order.is_broken_by(frame) {
                    return Err(Refused::BFrames);
                }
                let Some(packer) = &self.packer else { return Ok(None) };
                if self.waits_for_keyframe && !frame.keyframe {
                    return Ok(None);
                }
                self.waits_for_keyframe = false;
                Some((Arc::clone(packer), frame.keyframe))
            }
            TrackKind::Audio if self.has_opus => None,
            TrackKind::Audio => return Ok(None),
        };
        let scale = self.scales[frame.kind as usize].max(1);
        Ok(Some(self.place(frame, scale, held_back, now, packer)))
    }

    fn place(
        &mut self,
        frame: &Frame,
        scale: u32,
        held_back: usize,
        now: Instant,
        packer: Option<(Arc<Packer>, bool)>,
    ) -> Payload {
        let ticks_a_second = match frame.kind {
            TrackKind::Video => VIDEO_TICKS,
            TrackKind::Audio => AUDIO_TICKS,
        };
        let us = rescale(frame.pts(), scale, MICROSECONDS);
        let origin = *self.origin.get_or_insert_with(|| back(now, us));
        let due = FIRST_TICK.saturating_add(rescale(frame.pts(), scale, ticks_a_second));
        let latest = &mut self.latest[frame.kind as usize];
        let ticks = if held_back > 0 { latest.saturating_add(1) } else { due.max(latest.saturating_add(1)) };
        *latest = ticks;
        let late_us = rescale(ticks - due, ticks_a_second, MICROSECONDS);
        let wall = forward(origin, us.saturating_add(late_us));
        Payload { kind: frame.kind, ticks: u64::try_from(ticks).unwrap_or(0), wall, data: frame.data.clone(), packer }
    }

    /// Pictures that stand before the newest one get ticks of their own just before it, so that a viewer who begins sees the newest at once.
    pub(super) fn lead_in(&mut self, newest: &Frame, pictures: usize) {
        let scale = self.scales[TrackKind::Video as usize].max(1);
        let due = FIRST_TICK.saturating_add(rescale(newest.pts(), scale, VIDEO_TICKS));
        let first = due.saturating_sub(i64::try_from(pictures).unwrap_or(0));
        let latest = &mut self.latest[TrackKind::Video as usize];
        *latest = first.max(*latest);
    }
}

fn back(now: Instant, us: i64) -> Instant {
    match u64::try_from(us) {
        Ok(us) => now.checked_sub(Duration::from_micros(us)).unwrap_or(now),
        Err(_) => now + Duration::from_micros(us.unsigned_abs()),
    }
}

fn forward(origin: Instant, us: i64) -> Instant {
    match u64::try_from(us) {
        Ok(us) => origin.checked_add(Duration::from_micros(us)).unwrap_or(origin),
        Err(_) => origin.checked_sub(Duration::from_micros(us.unsigned_abs())).unwrap_or(origin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVCC: &[u8] = include_bytes!("../../../../media/tests/data/x264-640x360.avcc");

    fn picture(ms: i64, pts_offset: i32, keyframe: bool) -> Frame {
        let data = Bytes::from_static(&[0, 0, 0, 2, 0x65, 0x88]);
        Frame { kind: TrackKind::Video, dts: ms, pts_offset, keyframe, data }
    }

    fn outgoing() -> Outgoing {
        let mut outgoing = Outgoing::default();
        let codec = CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 };
        outgoing.set_track(&TrackConfig { codec, timescale: 1_000 }).unwrap();
        outgoing.begin_anew();
        outgoing
    }

    #[test]
    fn pictures_that_are_shown_out_of_order_are_refused_and_late_ones_are_not() {
        let broken = |offsets: &[i32]| {
            let mut order = Order::default();
            offsets.iter().enumerate().any(|(n, offset)| order.is_broken_by(&picture(n as i64 * 40, *offset, n == 0)))
        };
        assert!(!broken(&[0, 0, 0]));
        assert!(!broken(&[80, 80, 80]));
        assert!(broken(&[80, 160, 40, 0]));
        assert!(matches!(outgoing().payload(&picture(0, 80, true), 0, Instant::now()), Ok(Some(_))));
    }

    #[test]
    fn a_viewer_who_begins_sees_the_newest_picture_at_once() {
        let (mut outgoing, now) = (outgoing(), Instant::now());
        let kept: Vec<Frame> = (0..50).map(|n| picture(10_000 + n * 40, 0, n == 0)).collect();
        outgoing.lead_in(&kept[49], 50);
        let ticks: Vec<u64> =
            kept.iter().enumerate().map(|(n, frame)| outgoing.payload(frame, 49 - n, now).unwrap().unwrap().ticks).collect();
        assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ticks[49] - ticks[0] < 90, "within a millisecond");
        let next = outgoing.payload(&picture(12_000, 0, false), 0, now).unwrap().unwrap();
        assert_eq!(next.ticks - ticks[49], 3_600);
        // The same again, for who has lost something.
        outgoing.begin_anew();
        outgoing.lead_in(&kept[49], 50);
        let again = outgoing.payload(&kept[0], 49, now).unwrap().unwrap();
        assert!(again.ticks > next.ticks);
    }

    #[test]
    fn nothing_is_sent_before_a_keyframe_and_no_sound_but_opus() {
        let mut outgoing = outgoing();
        assert!(outgoing.payload(&picture(0, 0, false), 0, Instant::now()).unwrap().is_none());
        let sound = Frame { kind: TrackKind::Audio, ..picture(0, 0, true) };
        assert!(outgoing.payload(&sound, 0, Instant::now()).unwrap().is_none());
    }

    #[test]
    fn what_waits_is_the_hubs_own_until_it_is_sent() {
        let frame = picture(0, 0, true);
        let payload = outgoing().payload(&frame, 0, Instant::now()).unwrap().unwrap();
        assert_eq!(payload.data.as_ptr(), frame.data.as_ptr());
        let sent = payload.pack();
        // The parameter sets come with it.
        assert!(sent.len() > frame.data.len() && sent.ends_with(&[0, 0, 0, 1, 0x65, 0x88]), "{sent:?}");
    }
}
