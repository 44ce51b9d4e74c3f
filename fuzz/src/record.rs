//! A recording from its first frame to the finished file, and after a crash: the bytes are what an encoder does.

use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::{Fragment, Recording, RecordingWriter, salvage};
use afterlive_media::timeline::Timeline;
use bytes::Bytes;

use crate::scan::{finished, growing, is_plain};
use crate::script::Script;

const AVCC: [&[u8]; 2] =
    [include_bytes!("../../media/tests/data/x264-640x360.avcc"), include_bytes!("../../media/tests/data/x264-320x180.avcc")];
const SAMPLE_RATES: [(u32, [u8; 2]); 2] = [(48_000, [0x11, 0x90]), (44_100, [0x12, 0x10])];

/// Times of encoders have 32 bits, unwrapped; the timeline's sums hold for more than any number of those can reach.
const FARTHEST: i64 = 1 << 60;

fn video(which: u8) -> TrackConfig {
    let (avcc, width, height) = if which & 1 == 0 { (AVCC[0], 640, 360) } else { (AVCC[1], 320, 180) };
    TrackConfig { codec: CodecConfig::H264 { avcc: Bytes::from_static(avcc), width, height }, timescale: 1_000 }
}

fn audio(which: u8) -> TrackConfig {
    let (sample_rate, asc) = SAMPLE_RATES[usize::from(which & 1)];
    TrackConfig { codec: CodecConfig::Aac { asc: Bytes::from_owner(asc), sample_rate, channels: 2 }, timescale: sample_rate }
}

/// A recording in the making.
struct Studio {
    writer: RecordingWriter,
    file: Vec<u8>,
    /// On the way through the hub's timeline, or as sent.
    timeline: Option<Timeline>,
    timescales: [u32; 2],
    dts: [i64; 2],
    frames: u32,
}

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let choices = script.byte();
    let tracks: Vec<TrackConfig> = [video(choices >> 2), audio(choices >> 3)]
        .into_iter()
        .enumerate()
        .filter(|(at, _)| choices >> at & 1 == 0)
        .map(|(_, track)| track)
        .collect();
    // A new head takes about a kilobyte.
    let reserve_bytes = u32::from(script.byte()) * 64;
    let cut_off = script.u16();
    let (writer, head) = RecordingWriter::new(&tracks, reserve_bytes);
    let timeline = (choices & 16 == 0).then(Timeline::default);
    let timescales = [1_000, audio(choices >> 3).timescale];
    let mut studio = Studio { writer, file: head.to_vec(), timeline, timescales, dts: [0; 2], frames: 0 };
    while !script.is_empty() {
        studio.step(&mut script);
    }
    let Studio { writer, mut file, frames, .. } = studio;
    let (last, recording) = writer.finish();
    last.iter().for_each(|fragment| append(&mut file, fragment));
    let stored: u32 = recording.index.tracks().iter().map(afterlive_media::mp4::TrackIndex::samples).sum();
    assert_eq!(stored, frames, "no frame is lost");
    is_found_again(&recording, &file, cut_off);
}

impl Studio {
    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.byte();
        match what & 7 {
            0..=4 => self.frame(what, script),
            5 => {
                if let Some(fragment) = self.writer.cut() {
                    append(&mut self.file, &fragment);
                }
            }
            6 => {
                let track = if what & 8 == 0 { video(what >> 4) } else { audio(what >> 4) };
                if let Ok(steps) = self.writer.configure(&track) {
                    steps.iter().for_each(|step| step.apply(&mut self.file));
                    let timescale = &mut self.timescales[track.codec.kind() as usize];
                    let dts = &mut self.dts[track.codec.kind() as usize];
                    *dts = afterlive_media::time::rescale(*dts, *timescale, track.timescale);
                    *timescale = track.timescale;
                }
            }
            _ => self.dts[usize::from(what >> 3 & 1)] = script.u64().cast_signed(),
        }
    }

    fn frame(&mut self, what: u8, script: &mut Script<'_>) {
        let kind = if what & 8 == 0 { TrackKind::Video } else { TrackKind::Audio };
        let dts = &mut self.dts[kind as usize];
        *dts = dts.saturating_add(if what & 16 == 0 { script.byte().into() } else { i64::from(script.u16().cast_signed()) });
        let pts_offset = if what & 32 == 0 { 0 } else { i32::from(script.u16().cast_signed()) };
        let size = if what & 64 == 0 { usize::from(what & 7) } else { usize::from(script.byte()) };
        // What lies in a file as media may look like anything.
        let data = Bytes::copy_from_slice(script.bytes(size));
        let dts = match &mut self.timeline {
            Some(timeline) => timeline.place(kind, *dts % FARTHEST, self.timescales[kind as usize]).0,
            None => *dts,
        };
        let frame = Frame { kind, dts, pts_offset, keyframe: kind == TrackKind::Audio || what & 128 != 0, data };
        if self.writer.push(frame).is_ok() {
            self.frames += 1;
        }
    }
}

fn append(file: &mut Vec<u8>, fragment: &Fragment) {
    assert_eq!(fragment.offset, file.len() as u64);
    fragment.parts.iter().for_each(|part| file.extend_from_slice(part));
    assert_eq!(fragment.offset + fragment.length, file.len() as u64);
}

/// After a crash, whole or torn, and after another in the middle of a copy of the finished file.
fn is_found_again(recording: &Recording, file: &[u8], cut_off: u16) {
    let found = growing(file).expect("a recording");
    assert_eq!(&found, recording);
    let torn = &file[..file.len() - usize::from(cut_off).min(file.len())];
    if let Ok(found) = growing(torn) {
        assert!(found.good_length <= torn.len() as u64 && found.good_length <= recording.good_length);
        let before = growing(&torn[..found.good_length as usize]).expect("it ends between two fragments");
        assert_eq!(found, before);
    }
    for (way, finished) in finished(recording, file) {
        is_plain(way, &finished);
        let salvaged = salvage(&mut &finished[..]).expect("what is behind the index is as it was");
        assert_eq!(salvaged.index.duration_ms(), recording.index.duration_ms(), "{way}");
        for (salvaged, recorded) in salvaged.index.tracks().iter().zip(recording.index.tracks()) {
            assert_eq!((salvaged.samples(), salvaged.media_bytes()), (recorded.samples(), recorded.media_bytes()), "{way}");
            assert_eq!(salvaged.descriptions(), recorded.descriptions(), "{way}");
        }
    }
}
