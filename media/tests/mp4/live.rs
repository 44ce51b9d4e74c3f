//! What live viewers get: every frame once, at its exact time, whatever the stream.

use std::collections::BTreeMap;

use afterlive_media::frame::{Frame, TrackKind};
use afterlive_media::mp4::LiveWriter;
use afterlive_media::mp4::live::{LEAD_MS, origin_ms};
use mp4_atom::{Decode, Ftyp, Moof, Moov};
use proptest::prelude::*;

use super::player::boxes;
use super::streams::{Event, Stream, audio, av1, frame, hevc, opus, streams, video};

/// A sample as a player finds it: decoding and presentation time, whether it can begin there, and its bytes.
type Found = (i64, i64, bool, Vec<u8>);

/// Reads an init segment and fragments, one sample each.
fn found(stream: &[u8]) -> BTreeMap<u32, Vec<Found>> {
    let all = boxes(stream);
    assert_eq!(all.last().map(|last| last.end), Some(stream.len()), "whole boxes");
    assert_eq!([all[0].kind, all[1].kind], [*b"ftyp", *b"moov"]);
    Ftyp::decode(&mut &stream[..all[0].end]).unwrap();
    let moov = Moov::decode(&mut &stream[all[1].begin..all[1].end]).unwrap();
    assert!(moov.mvex.is_some());
    let mut tracks: BTreeMap<u32, Vec<Found>> = moov.trak.iter().map(|trak| (trak.tkhd.track_id, Vec::new())).collect();
    for pair in all[2..].chunks(2) {
        assert_eq!([pair[0].kind, pair[1].kind], [*b"moof", *b"mdat"]);
        let moof = Moof::decode(&mut &stream[pair[0].begin..pair[0].end]).unwrap();
        let [traf] = &moof.traf[..] else { panic!("one track") };
        let [trun] = &traf.trun[..] else { panic!("one run") };
        assert_eq!(trun.samples.len(), 1, "one frame");
        let entry = trun.samples.iter().next().unwrap();
        assert!(traf.tfhd.default_base_is_moof);
        let begin = pair[0].begin + trun.data_offset.unwrap() as usize;
        let data = &stream[begin..begin + entry.size.unwrap() as usize];
        assert_eq!((begin, begin + data.len()), (pair[1].body, pair[1].end), "the mdat has the frame and nothing else");
        assert!(entry.duration.unwrap() > 0);
        let dts = traf.tfdt.as_ref().unwrap().base_media_decode_time as i64;
        let sync = entry.flags.unwrap() & 0x1_0000 == 0;
        tracks.get_mut(&traf.tfhd.track_id).unwrap().push((dts, dts + entry.cts.unwrap_or(0), sync, data.to_vec()));
    }
    tracks
}

/// What a stream's frames become.
fn watched(stream: &Stream) -> Vec<u8> {
    let frames: Vec<&Frame> =
        stream.events.iter().filter_map(|event| if let Event::Frame(frame) = event { Some(frame) } else { None }).collect();
    let timescale = |kind| stream.tracks.iter().find(|track| track.codec.kind() == kind).unwrap().timescale;
    let origin = frames.first().map_or(0, |first| origin_ms(first, timescale(first.kind)));
    let (mut writer, init) = LiveWriter::new(&stream.tracks, origin);
    let mut bytes = init.to_vec();
    for frame in frames {
        bytes.extend_from_slice(&writer.push(frame).expect("every frame can be shown").bytes);
    }
    bytes
}

fn check(stream: &Stream) {
    let found = found(&watched(stream));
    let first = stream.events.iter().find_map(|event| if let Event::Frame(frame) = event { Some(frame) } else { None });
    for (track, (_, samples)) in stream.tracks.iter().zip(found) {
        let frames = stream.frames(track.codec.kind());
        assert_eq!(samples.len(), frames.len(), "no frame is lost");
        let (Some(first), Some(own)) = (first, frames.first()) else { continue };
        let shift = samples[0].0 - own.dts;
        if first.kind == track.codec.kind() {
            let (begin, ms) = (LEAD_MS * i64::from(track.timescale) / 1_000, i64::from(track.timescale) / 1_000);
            assert!((samples[0].0 - begin).abs() <= ms, "media time begins a second before it");
        }
        for ((dts, pts, sync, data), frame) in samples.into_iter().zip(frames) {
            assert!(dts >= 0);
            assert_eq!(pts - shift, frame.pts(), "when it is shown is exact");
            assert!(dts - shift <= frame.dts, "a decoding time may be told early");
            assert_eq!((sync, &data[..]), (frame.keyframe, &frame.data[..]));
        }
    }
}

#[test]
fn every_codec_has_an_init_segment_that_others_read() {
    for (tracks, kind) in [
        (vec![video(360), audio(48_000)], TrackKind::Video),
        (vec![hevc(), opus()], TrackKind::Video),
        (vec![av1()], TrackKind::Video),
        (vec![audio(44_100)], TrackKind::Audio),
    ] {
        let events =
            (0..5).map(|at| Event::Frame(frame(kind, 90 * at, 0, at == 0 || kind == TrackKind::Audio, vec![at as u8 + 1; 9])));
        check(&Stream { tracks, events: events.collect(), reserve_bytes: 8 });
    }
}

proptest! {
    #[test]
    fn every_frame_of_any_stream_is_found_at_its_time(stream in streams()) {
        // Video keeps its step of at least a millisecond, and no frame is more than the lead before the first.
        check(&stream);
    }
}
