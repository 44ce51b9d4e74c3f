//! Decoder configurations: one byte says of what, the rest is the record as an encoder sends it.

use afterlive_media::codec::avc;
use afterlive_media::flv::{Demuxer, Packet};
use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::{RecordingWriter, Scanned, scan};
use bytes::Bytes;

/// Headers of sequence starts, by FLV and by Enhanced RTMP. Those of codecs that are not taken cost nothing, and are there on the day they are.
const SEQUENCE_STARTS: [(TrackKind, &[u8]); 12] = [
    (TrackKind::Video, &[0x17, 0, 0, 0, 0]),
    (TrackKind::Audio, &[0xaf, 0]),
    (TrackKind::Video, b"\x90avc1"),
    (TrackKind::Video, b"\x90hvc1"),
    (TrackKind::Video, b"\x90av01"),
    (TrackKind::Video, b"\x90vp09"),
    (TrackKind::Video, b"\x90vvc1"),
    (TrackKind::Audio, b"\x90mp4a"),
    (TrackKind::Audio, b"\x90Opus"),
    (TrackKind::Audio, b"\x90fLaC"),
    (TrackKind::Audio, b"\x90.mp3"),
    (TrackKind::Audio, b"\x90ac-3"),
];

pub(crate) fn run(data: &[u8]) {
    let Some((which, record)) = data.split_first() else { return };
    for length_bytes in [1, 2, 4] {
        let found = avc::contents(record, length_bytes);
        assert!(!found.is_ok_and(|contents| contents.keyframe && !contents.picture));
    }
    if let Ok(size) = avc::picture_size(record) {
        assert!(size.width > 0 && size.height > 0, "{size:?}");
    }
    let (kind, header) = SEQUENCE_STARTS[usize::from(*which) % SEQUENCE_STARTS.len()];
    let payload = Bytes::from([header, record].concat());
    let mut demuxer = Demuxer::new();
    let packet = match kind {
        TrackKind::Video => demuxer.video(0, &payload),
        TrackKind::Audio => demuxer.audio(0, &payload),
    };
    if let Ok(Packet::Config(track)) = packet {
        assert_eq!(track.codec.kind(), kind);
        is_found_again(&track);
    }
}

/// A recording that begins with any configuration that is taken can be recovered.
fn is_found_again(track: &TrackConfig) {
    let (mut writer, head) = RecordingWriter::new(std::slice::from_ref(track), 8);
    let mut file = head.to_vec();
    for dts in [0, 1_000] {
        let data = Bytes::from_static(b"media");
        writer.push(Frame { kind: track.codec.kind(), dts, pts_offset: 0, keyframe: true, data }).expect("its track is declared");
    }
    let (fragment, recording) = writer.finish();
    fragment.expect("there are frames").parts.iter().for_each(|part| file.extend_from_slice(part));
    match scan(&mut &file[..]) {
        Ok(Scanned::Growing { recording: found, .. }) => assert_eq!(found, recording),
        other => panic!("{other:?} for {track:?}"),
    }
}
