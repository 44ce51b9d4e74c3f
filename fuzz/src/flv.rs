//! Audio and video messages. Each is a byte of choices, a time, a length and a payload.

use afterlive_media::flv::{Demuxer, FlvError, Packet, Tag, config_tag, frame_tag};
use afterlive_media::frame::{TrackConfig, TrackKind};
use afterlive_media::rtmp::TimestampUnwrapper;
use bytes::Bytes;

use crate::script::Script;

const AUDIO: u8 = 1;
/// The time is a new one, and not some milliseconds after the one before.
const FAR: u8 = 2;
const LONG: u8 = 4;

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let mut clock = TimestampUnwrapper::new();
    let mut timestamp = 0_u32;
    let (mut demuxer, mut again) = (Demuxer::new(), Demuxer::new());
    let mut tracks: [Option<TrackConfig>; 2] = [None, None];
    while !script.is_empty() {
        let choices = script.byte();
        let kind = if choices & AUDIO == 0 { TrackKind::Video } else { TrackKind::Audio };
        timestamp = if choices & FAR == 0 { timestamp.wrapping_add(script.byte().into()) } else { script.u32() };
        let length = if choices & LONG == 0 { script.byte().into() } else { usize::from(script.u16()) };
        let payload = Bytes::copy_from_slice(script.bytes(length));
        let timestamp_ms = clock.unwrap(timestamp);
        match read(&mut demuxer, kind, timestamp_ms, &payload) {
            Ok(Packet::Config(track)) => {
                assert!(track.codec.kind() == kind && track.timescale > 0, "{track:?}");
                tracks[kind as usize] = Some(track.clone());
                // Written for a player it says the same.
                assert_eq!(read_tag(&mut again, &config_tag(&track)), Ok(Packet::Config(track)));
            }
            Ok(Packet::Frame(frame)) => {
                let track = tracks[kind as usize].as_ref().expect("a configuration comes first");
                assert!(frame.kind == kind && !frame.data.is_empty(), "{frame:?}");
                let tag = frame_tag(&frame, track);
                let Ok(Packet::Frame(read)) = read_tag(&mut again, &tag) else { panic!("{frame:?} became {tag:?}") };
                assert_eq!((read.keyframe, &read.data), (frame.keyframe, &frame.data));
                if kind == TrackKind::Video {
                    assert_eq!((read.dts, read.pts_offset), (frame.dts, frame.pts_offset));
                }
            }
            Ok(Packet::Nothing(_)) => {}
            // The text is for the encoder's operator: it must be one.
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn read(demuxer: &mut Demuxer, kind: TrackKind, timestamp_ms: i64, payload: &Bytes) -> Result<Packet, FlvError> {
    match kind {
        TrackKind::Video => demuxer.video(timestamp_ms, payload),
        TrackKind::Audio => demuxer.audio(timestamp_ms, payload),
    }
}

fn read_tag(demuxer: &mut Demuxer, tag: &Tag) -> Result<Packet, FlvError> {
    let payload = Bytes::from([tag.header.as_slice(), &tag.body].concat());
    read(demuxer, tag.kind, tag.timestamp_ms, &payload)
}
