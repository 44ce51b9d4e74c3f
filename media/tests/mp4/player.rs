//! A player's view of a file: which samples it finds, where and when. Reads moov and moof with mp4-atom, and is strict about box grammar.

use std::collections::BTreeMap;
use std::io::Cursor;

use mp4_atom::{Codec, Decode, Moof, Moov, StszSamples};

/// A top-level box.
#[derive(Clone, Copy, Debug)]
pub struct TopBox {
    pub kind: [u8; 4],
    pub begin: usize,
    pub body: usize,
    pub end: usize,
}

/// What is played.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Played {
    pub tracks: BTreeMap<u32, Track>,
    pub fragmented: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Track {
    pub timescale: u32,
    /// The empty edit.
    pub delay_ms: u64,
    /// Where the other edit begins, in ticks of the media.
    pub media_time: u64,
    /// Ticks of what is decoded first that are not to be heard.
    pub pre_skip: u16,
    pub samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    pub dts: i64,
    pub pts: i64,
    pub duration: u32,
    pub sync: bool,
    pub description: u32,
    pub data: Vec<u8>,
}

impl Track {
    /// When the track's first picture or sound is presented, in milliseconds of the movie.
    pub fn start_ms(&self) -> i64 {
        let first = self.samples.iter().map(|sample| sample.pts).min().unwrap_or(0);
        let ticks = first + i64::from(self.pre_skip) - self.media_time as i64;
        self.delay_ms as i64 + (ticks * 2_000 + i64::from(self.timescale)).div_euclid(2 * i64::from(self.timescale))
    }
}

impl Played {
    /// The samples of each track that has any, with times from its first decoding time on: what no finalising may change.
    pub fn essence(&self) -> BTreeMap<u32, Vec<Sample>> {
        let from_first = |track: &Track| {
            let first = track.samples.first().map_or(0, |sample| sample.dts);
            track
                .samples
                .iter()
                .map(|sample| Sample { dts: sample.dts - first, pts: sample.pts - first, ..sample.clone() })
                .collect()
        };
        self.tracks.iter().filter(|(_, track)| !track.samples.is_empty()).map(|(id, track)| (*id, from_first(track))).collect()
    }
}

/// The top-level boxes. One that is not there as a whole ends the list; anything else than boxes is a failure.
pub fn boxes(file: &[u8]) -> Vec<TopBox> {
    let (mut found, mut begin) = (Vec::new(), 0);
    while let Some(header) = file.get(begin..begin + 8) {
        let kind: [u8; 4] = header[4..].try_into().unwrap();
        assert!(matches!(&kind, b"ftyp" | b"free" | b"moov" | b"moof" | b"mdat"), "no box at {begin}: {header:?}");
        let (size, body) = match u32::from_be_bytes(header[..4].try_into().unwrap()) {
            1 => (u64::from_be_bytes(file[begin + 8..begin + 16].try_into().unwrap()), begin + 16),
            size => (size.into(), begin + 8),
        };
        let end = begin + size as usize;
        assert!(end >= body, "a box of {size} bytes at {begin}");
        if end > file.len() {
            break;
        }
        found.push(TopBox { kind, begin, body, end });
        begin = end;
    }
    found
}

/// Plays a file: by the first moov, and by the fragments where that has mvex. These follow each other without a gap.
pub fn play(file: &[u8]) -> Played {
    play_any(file, false)
}

/// The same for a recording that an encoder came back to: before a fragment there may be a gap, in which the sample before it lasts.
pub fn play_rejoined(file: &[u8]) -> Played {
    play_any(file, true)
}

fn play_any(file: &[u8], gaps: bool) -> Played {
    let boxes = boxes(file);
    assert_eq!(boxes[0].kind, *b"ftyp");
    let moov = boxes.iter().find(|top| top.kind == *b"moov").expect("a moov");
    let moov = Moov::decode(&mut Cursor::new(&file[moov.begin..moov.end])).expect("a readable moov");
    if moov.mvex.is_some() { play_fragments(file, &boxes, &moov, gaps) } else { play_tables(file, &boxes, &moov) }
}

fn track_of(trak: &mp4_atom::Trak) -> Track {
    let pre_skip = match trak.mdia.minf.stbl.stsd.codecs.first() {
        Some(Codec::Opus(opus)) => opus.dops.pre_skip,
        _ => 0,
    };
    let mut track = Track { timescale: trak.mdia.mdhd.timescale, pre_skip, ..Track::default() };
    let edits = trak.edts.iter().filter_map(|edts| edts.elst.as_ref()).flat_map(|elst| &elst.entries);
    for edit in edits {
        match edit.media_time {
            None => track.delay_ms = edit.segment_duration,
            Some(media_time) => track.media_time = media_time,
        }
    }
    track
}

fn play_fragments(file: &[u8], boxes: &[TopBox], moov: &Moov, gaps: bool) -> Played {
    let mut tracks: BTreeMap<u32, Track> = moov.trak.iter().map(|trak| (trak.tkhd.track_id, track_of(trak))).collect();
    for pair in boxes.windows(2).filter(|pair| pair[0].kind == *b"moof" && pair[1].kind == *b"mdat") {
        let moof = Moof::decode(&mut Cursor::new(&file[pair[0].begin..pair[0].end])).expect("a readable moof");
        for traf in &moof.traf {
            assert!(traf.tfhd.default_base_is_moof);
            let track = tracks.get_mut(&traf.tfhd.track_id).expect("a declared track");
            let mut dts = traf.tfdt.as_ref().unwrap().base_media_decode_time as i64;
            if let Some(last) = track.samples.last_mut() {
                let end = last.dts + i64::from(last.duration);
                assert!(dts >= end, "the fragments follow each other without overlap");
                assert!(dts == end || gaps, "the fragments follow each other without gap");
                last.duration = (dts - last.dts) as u32;
            }
            for trun in &traf.trun {
                let mut at = pair[0].begin + trun.data_offset.unwrap() as usize;
                for entry in &trun.samples {
                    let (size, duration) = (entry.size.unwrap() as usize, entry.duration.unwrap());
                    assert!(at >= pair[1].body && at + size <= pair[1].end, "a sample outside its mdat");
                    track.samples.push(Sample {
                        dts,
                        pts: dts + entry.cts.unwrap_or(0),
                        duration,
                        sync: entry.flags.unwrap() & 0x1_0000 == 0,
                        description: traf.tfhd.sample_description_index.unwrap(),
                        data: file[at..at + size].to_vec(),
                    });
                    at += size;
                    dts += i64::from(duration);
                }
            }
        }
    }
    Played { tracks, fragmented: true }
}

fn play_tables(file: &[u8], boxes: &[TopBox], moov: &Moov) -> Played {
    let mdat = boxes.last().unwrap();
    assert_eq!((mdat.kind, mdat.end), (*b"mdat", file.len()), "an mdat reaches to the end of the file");
    assert!(!boxes.iter().any(|top| top.kind == *b"moof"), "a finished file has no moof");
    let mut used: Vec<(usize, usize)> = Vec::new();
    let mut tracks = BTreeMap::new();
    for trak in &moov.trak {
        let (mut track, stbl) = (track_of(trak), &trak.mdia.minf.stbl);
        let StszSamples::Different { sizes } = &stbl.stsz.samples else { panic!("sizes are spelt out") };
        let offsets: Vec<u64> = match (&stbl.stco, &stbl.co64) {
            (Some(stco), None) => stco.entries.iter().map(|offset| u64::from(*offset)).collect(),
            (None, Some(co64)) => co64.entries.clone(),
            _ => panic!("one of stco and co64"),
        };
        let durations: Vec<u32> =
            stbl.stts.entries.iter().flat_map(|run| std::iter::repeat_n(run.sample_delta, run.sample_count as usize)).collect();
        let composition: Vec<i64> = stbl.ctts.as_ref().map_or(vec![0; sizes.len()], |ctts| {
            ctts.entries.iter().flat_map(|run| std::iter::repeat_n(run.sample_offset, run.sample_count as usize)).collect()
        });
        assert_eq!((durations.len(), composition.len()), (sizes.len(), sizes.len()));
        let mut dts = 0_i64;
        for (chunk, offset) in offsets.iter().enumerate() {
            let run = stbl.stsc.entries.iter().rfind(|run| run.first_chunk as usize <= chunk + 1).unwrap();
            let mut at = *offset as usize;
            for _ in 0..run.samples_per_chunk {
                let number = track.samples.len();
                let (size, duration) = (sizes[number] as usize, durations[number]);
                assert!(at >= mdat.body && at + size <= mdat.end, "a sample outside the mdat");
                used.push((at, at + size));
                track.samples.push(Sample {
                    dts,
                    pts: dts + composition[number],
                    duration,
                    sync: stbl.stss.as_ref().is_none_or(|stss| stss.entries.contains(&(number as u32 + 1))),
                    description: run.sample_description_index,
                    data: file[at..at + size].to_vec(),
                });
                at += size;
                dts += i64::from(duration);
            }
        }
        assert_eq!(track.samples.len(), sizes.len(), "the chunks have all samples");
        assert_eq!(trak.mdia.mdhd.duration, dts as u64, "the durations add up");
        if let Some(elst) = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref()) {
            let edits: u64 = elst.entries.iter().map(|edit| edit.segment_duration).sum();
            assert_eq!(trak.tkhd.duration, edits, "the edits add up");
        }
        tracks.insert(trak.tkhd.track_id, track);
    }
    assert_eq!(
        moov.mvhd.duration,
        moov.trak.iter().map(|trak| trak.tkhd.duration).max().unwrap(),
        "the movie is as long as its longest track"
    );
    used.sort_unstable();
    assert!(used.windows(2).all(|pair| pair[0].1 <= pair[1].0), "samples overlap");
    Played { tracks, fragmented: false }
}
