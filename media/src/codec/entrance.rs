//! Where decoding can begin beside the keyframes: at the recovery points of H.264 and HEVC.
//!
//! ITU-T H.264 §7.3.2.3 and §D.1.8, HEVC §7.3.2.4 and §D.2.8. Encoders with open groups of pictures put one at each group's first picture, those with
//! a refresh that moves over the picture (`intra-refresh`) at each of its beginnings; both may send a keyframe once and never again.

use super::CodecError;
use super::avc::{AvcConfig, NalKind};
use super::bits::BitReader;
use super::hevc::{self, HevcConfig};
use super::nal::{nal_units, without_emulation_prevention};
use crate::frame::CodecConfig;

/// `recovery_point`, of both codecs.
const RECOVERY_POINT: u32 = 6;
/// What is read of a slice: the macroblock that it begins with, and its type. Two codes of at most 32 bits in reasonable pictures.
const SLICE_HEAD_BYTES: usize = 12;

/// How decoding begins with a picture that is no keyframe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entrance {
    /// It needs no other picture, and nothing that is shown after it needs an earlier one: the beginning of an open group of pictures. What follows
    /// it and is shown before it may need earlier ones.
    AtOnce,
    /// The picture comes together over some of those that follow.
    Gradual,
}

/// Finds the entrances of a video track.
#[derive(Clone, Copy, Default, Debug)]
pub struct Entrances(Framing);

#[derive(Clone, Copy, Default, Debug)]
enum Framing {
    Avc {
        nal_length_bytes: usize,
    },
    Hevc {
        nal_length_bytes: usize,
    },
    /// A codec without any, or a configuration that cannot be read.
    #[default]
    None,
}

impl Entrances {
    #[must_use]
    pub fn of(config: &CodecConfig) -> Self {
        let framing = match config {
            CodecConfig::H264 { avcc, .. } => {
                AvcConfig::parse(avcc).map(|avc| Framing::Avc { nal_length_bytes: avc.nal_length_bytes })
            }
            CodecConfig::Hevc { hvcc, .. } => {
                HevcConfig::parse(hvcc).map(|hevc| Framing::Hevc { nal_length_bytes: hevc.nal_length_bytes })
            }
            CodecConfig::Av1 { .. } | CodecConfig::Aac { .. } | CodecConfig::Opus { .. } => Ok(Framing::None),
        };
        Self(framing.unwrap_or_default())
    }

    /// Whether decoding can begin with this access unit, which is no keyframe. Looks no further than to its first slice where there is no recovery point.
    #[must_use]
    pub fn at(&self, access_unit: &[u8]) -> Option<Entrance> {
        match self.0 {
            Framing::Avc { nal_length_bytes } => avc_entrance(access_unit, nal_length_bytes),
            Framing::Hevc { nal_length_bytes } => hevc_entrance(access_unit, nal_length_bytes),
            Framing::None => None,
        }
    }
}

fn avc_entrance(access_unit: &[u8], nal_length_bytes: usize) -> Option<Entrance> {
    let (mut frames_to_recover, mut is_intra) = (None, true);
    for nal in nal_units(access_unit, nal_length_bytes) {
        let nal = nal.ok()?;
        match NalKind::of(nal[0]) {
            NalKind::Sei => {
                let message = recovery_point(&nal[1..]);
                frames_to_recover = frames_to_recover.or_else(|| BitReader::new(&message?).exp_golomb().ok());
            }
            NalKind::Slice => {
                frames_to_recover?;
                // Partitions B and C have no slice header of their own.
                is_intra &= !matches!(nal[0] & 0x1f, 1 | 2) || is_intra_slice(&nal[1..]).unwrap_or(false);
            }
            _ => {}
        }
    }
    match frames_to_recover? {
        0 if is_intra => Some(Entrance::AtOnce),
        _ => Some(Entrance::Gradual),
    }
}

/// H.264 §7.3.3: the slice's type, by table 7-6, is I or SI.
fn is_intra_slice(slice: &[u8]) -> Result<bool, CodecError> {
    let head = without_emulation_prevention(&slice[..slice.len().min(SLICE_HEAD_BYTES)]);
    let mut bits = BitReader::new(&head);
    bits.exp_golomb()?; // first_mb_in_slice
    Ok(matches!(bits.exp_golomb()?, 2 | 4 | 7 | 9))
}

/// Pictures of random access are keyframes already: what is left begins gradually, or is taken to.
fn hevc_entrance(access_unit: &[u8], nal_length_bytes: usize) -> Option<Entrance> {
    for nal in nal_units(access_unit, nal_length_bytes) {
        let nal = nal.ok()?;
        let kind = hevc::kind_of(nal[0]);
        if hevc::is_slice(kind) {
            return None;
        }
        if hevc::is_prefix_message(kind) && nal.get(2..).and_then(recovery_point).is_some() {
            return Some(Entrance::Gradual);
        }
    }
    None
}

/// The payload of the recovery point among a NAL unit's messages: `sei_message` of both codecs.
fn recovery_point(messages: &[u8]) -> Option<Vec<u8>> {
    let messages = without_emulation_prevention(messages);
    let mut rest = &messages[..];
    // The last byte is the trailing bits'.
    while rest.len() > 2 {
        let (kind, size);
        (kind, rest) = message_number(rest)?;
        (size, rest) = message_number(rest)?;
        let (payload, after) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        if kind == RECOVERY_POINT {
            return Some(payload.to_vec());
        }
        rest = after;
    }
    None
}

/// A number in bytes of which all but the last are 255.
fn message_number(data: &[u8]) -> Option<(u32, &[u8])> {
    let full = data.iter().take_while(|byte| **byte == 0xff).count();
    let last = data.get(full)?;
    Some((u32::try_from(full).ok()?.checked_mul(255)?.checked_add((*last).into())?, &data[full + 1..]))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::bits::BitWriter;
    use super::*;

    const AVCC: &[u8] = include_bytes!("../../tests/data/x264-640x360.avcc");
    const HVCC: &[u8] = include_bytes!("../../tests/data/x265-320x180.hvcc");

    fn entrances() -> [Entrances; 2] {
        [
            Entrances::of(&CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 }),
            Entrances::of(&CodecConfig::Hevc { hvcc: Bytes::from_static(HVCC), width: 320, height: 180 }),
        ]
    }

    fn unit(nals: &[Vec<u8>]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&u32::try_from(nal.len()).unwrap().to_be_bytes()[..], nal].concat()).collect()
    }

    /// Messages of other kinds, of which one is longer than a byte says, and a recovery point behind them.
    fn messages(header: &[u8], frames: u32) -> Vec<u8> {
        let payload = BitWriter::default().ue(frames).bits(1, 1).bits(3, 0).bits(1, 1).bytes();
        let mut sei = BitWriter::default();
        sei.bits(8, 5).bits(8, 255).bits(8, 1);
        for _ in 0..256 {
            sei.bits(8, 0);
        }
        sei.bits(8, 6).bits(8, u32::try_from(payload.len()).unwrap());
        for byte in payload {
            sei.bits(8, byte.into());
        }
        sei.bits(8, 0x80).nal(header)
    }

    fn slice(first_block: u32, kind: u32) -> Vec<u8> {
        BitWriter::default().ue(first_block).ue(kind).bits(32, 0x1234_5678).nal(&[0x41])
    }

    #[test]
    fn a_recovery_point_before_intra_slices_is_an_entrance_at_once_and_any_other_a_gradual_one() {
        let [avc, _] = entrances();
        let delimiter = vec![9, 0xf0];
        let at = |nals: &[Vec<u8>]| avc.at(&unit(nals));
        assert_eq!(at(&[delimiter.clone(), messages(&[6], 0), slice(0, 7), slice(1_200, 2)]), Some(Entrance::AtOnce));
        assert_eq!(at(&[messages(&[6], 0), slice(0, 7), slice(1_200, 5)]), Some(Entrance::Gradual), "one that needs others");
        assert_eq!(at(&[messages(&[6], 44), slice(0, 5)]), Some(Entrance::Gradual));
        assert_eq!(at(&[messages(&[6], 44), slice(0, 7)]), Some(Entrance::Gradual));
        assert_eq!(at(&[delimiter, slice(0, 7)]), None, "it does not say so");
        assert_eq!(at(&[slice(0, 5), messages(&[6], 0)]), None, "of the next picture, if of any");
        assert_eq!(at(&[vec![6, 1, 1, 0, 0x80], slice(0, 7)]), None, "another message");
    }

    #[test]
    fn hevc_begins_gradually_at_a_recovery_point() {
        let [_, hevc] = entrances();
        let slice = vec![1 << 1, 1, 0xd0];
        assert_eq!(hevc.at(&unit(&[messages(&[39 << 1, 1], 3), slice.clone()])), Some(Entrance::Gradual));
        assert_eq!(hevc.at(&unit(&[slice.clone(), messages(&[40 << 1, 1], 3)])), None);
        assert_eq!(hevc.at(&unit(&[slice])), None);
    }

    #[test]
    fn other_codecs_have_none() {
        let av1 = Entrances::of(&CodecConfig::Av1 { av1c: Bytes::new(), width: 1, height: 1 });
        assert_eq!(av1.at(&unit(&[messages(&[6], 0), slice(0, 7)])), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in proptest::collection::vec(any::<u8>(), 0..300), sei: bool) {
            for entrances in entrances() {
                let _ = entrances.at(&data);
                let header: &[u8] = if sei { &[6] } else { &[39 << 1, 1] };
                let _ = entrances.at(&unit(&[[header, &data].concat(), [&[0x41], &data[..]].concat()]));
            }
        }
    }
}
