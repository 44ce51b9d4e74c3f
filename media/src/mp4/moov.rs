//! The two kinds of moov: the head of a growing file, which declares tracks for the fragments to come, and the full index.

use crate::codec::opus;
use crate::frame::{CodecConfig, TrackKind};

use super::MOVIE_TIMESCALE;
use super::boxes::BoxWriter;
use super::index::{SampleIndex, TrackIndex};

/// The unity transformation, as 16.16 and 2.30 fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
/// "und" in three times five bits.
const LANGUAGE_UNDETERMINED: u16 = 0x55c4;

/// The moov of a growing file: all tables empty, with mvex.
pub(super) fn head(index: &SampleIndex) -> Vec<u8> {
    let mut w = BoxWriter::default();
    w.boxed(b"moov", |w| {
        mvhd(w, 0, index.tracks.len());
        for (at, track) in index.tracks.iter().enumerate() {
            trak(w, at, track, None);
        }
        w.boxed(b"mvex", |w| {
            for at in 0..index.tracks.len() {
                w.full(b"trex", 0, 0, |w| {
                    w.u32(track_id(at));
                    w.u32(1); // default_sample_description_index
                    w.zeroes(12); // default duration, size and flags: every fragment brings its own
                });
            }
        });
    });
    w.into_vec()
}

/// Where a finished file has the media.
#[derive(Clone, Copy)]
pub(super) struct Placement {
    /// Where the fragments begin in it.
    pub(super) media_offset: u64,
    /// Chunk offsets take 64 bits.
    pub(super) wide: bool,
}

/// The moov of a finished file. Tracks without samples are left out.
pub(super) fn full(index: &SampleIndex, placement: Placement) -> Vec<u8> {
    let base_ms = index.base_ms();
    let mut w = BoxWriter::default();
    w.boxed(b"moov", |w| {
        mvhd(w, index.duration_ms(), index.tracks.len());
        for (at, track) in index.tracks.iter().enumerate().filter(|(_, track)| track.samples > 0) {
            trak(w, at, track, Some(Full { base_ms, placement }));
        }
    });
    w.into_vec()
}

#[derive(Clone, Copy)]
struct Full {
    base_ms: i64,
    placement: Placement,
}

pub(super) fn track_id(at: usize) -> u32 {
    at as u32 + 1
}

fn mvhd(w: &mut BoxWriter, duration_ms: u64, tracks: usize) {
    w.full(b"mvhd", 1, 0, |w| {
        w.zeroes(16); // creation and modification time: unknown
        w.u32(MOVIE_TIMESCALE);
        w.u64(duration_ms);
        w.u32(0x1_0000); // rate 1.0
        w.u16(0x100); // volume 1.0
        w.zeroes(10);
        MATRIX.iter().for_each(|value| w.u32(*value));
        w.zeroes(24);
        w.u32(track_id(tracks)); // next_track_ID
    });
}

fn trak(w: &mut BoxWriter, at: usize, track: &TrackIndex, full: Option<Full>) {
    w.boxed(b"trak", |w| {
        tkhd(w, at, track, full);
        if let Some(full) = full {
            edts(w, track, full.base_ms);
        }
        w.boxed(b"mdia", |w| {
            w.full(b"mdhd", 1, 0, |w| {
                w.zeroes(16);
                w.u32(track.timescale);
                w.u64(if full.is_some() { track.duration } else { 0 });
                w.u16(LANGUAGE_UNDETERMINED);
                w.u16(0);
            });
            let (handler, name): (&[u8; 4], &[u8]) = match track.kind() {
                TrackKind::Video => (b"vide", b"Video\0"),
                TrackKind::Audio => (b"soun", b"Audio\0"),
            };
            w.full(b"hdlr", 0, 0, |w| {
                w.u32(0);
                w.bytes(handler);
                w.zeroes(12);
                w.bytes(name);
            });
            w.boxed(b"minf", |w| {
                match track.kind() {
                    TrackKind::Video => w.full(b"vmhd", 0, 1, |w| w.zeroes(8)),
                    TrackKind::Audio => w.full(b"smhd", 0, 0, |w| w.zeroes(4)),
                }
                w.boxed(b"dinf", |w| w.full(b"dref", 0, 0, self_reference));
                w.boxed(b"stbl", |w| stbl(w, track, full));
            });
        });
    });
}

/// One data reference: the media are in this file.
fn self_reference(w: &mut BoxWriter) {
    w.u32(1);
    w.full(b"url ", 0, 1, |_| {});
}

fn tkhd(w: &mut BoxWriter, at: usize, track: &TrackIndex, full: Option<Full>) {
    let duration_ms = full.map_or(0, |full| track.delay_ms(full.base_ms) + track.presented_ms());
    let (width, height) = track.descriptions[0].picture().map_or((0, 0), |picture| (picture.width, picture.height));
    let volume = if track.kind() == TrackKind::Audio { 0x100 } else { 0 };
    let flags = 3; // enabled, in the movie
    w.full(b"tkhd", 1, flags, |w| {
        w.zeroes(16);
        w.u32(track_id(at));
        w.u32(0);
        w.u64(duration_ms);
        w.zeroes(12); // reserved, layer, alternate group
        w.u16(volume);
        w.u16(0);
        MATRIX.iter().for_each(|value| w.u32(*value));
        w.u32(u32::from(width) << 16);
        w.u32(u32::from(height) << 16);
    });
}

/// The edit list: silence before a track that starts later than the first, and a start at the first presented sample where B-frames
/// put that after decoding time 0. Left out where it would say nothing.
fn edts(w: &mut BoxWriter, track: &TrackIndex, base_ms: i64) {
    let delay_ms = track.delay_ms(base_ms);
    if delay_ms == 0 && track.media_start() == 0 {
        return;
    }
    w.boxed(b"edts", |w| {
        w.table(b"elst", 1, |w| {
            if delay_ms > 0 {
                edit(w, delay_ms, -1);
            }
            edit(w, track.presented_ms(), track.media_start());
            if delay_ms > 0 { 2 } else { 1 }
        });
    });
}

fn edit(w: &mut BoxWriter, duration_ms: u64, media_time: i64) {
    w.u64(duration_ms);
    w.i64(media_time);
    w.u32(0x1_0000); // rate 1.0
}

fn stbl(w: &mut BoxWriter, track: &TrackIndex, full: Option<Full>) {
    w.table(b"stsd", 0, |w| {
        track.descriptions.iter().for_each(|description| sample_entry(w, description));
        track.descriptions.len() as u32
    });
    let Some(full) = full else {
        for kind in [b"stts", b"stsc", b"stco"] {
            w.table(kind, 0, |_| 0);
        }
        w.full(b"stsz", 0, 0, |w| w.zeroes(8));
        return;
    };
    w.table(b"stts", 0, |w| run_lengths(w, track.durations.iter()));
    if let Some((version, runs)) = track.composition_runs() {
        w.table(b"ctts", version, |w| run_lengths(w, runs));
    }
    if let Some(numbers) = track.sync_samples() {
        w.table(b"stss", 0, |w| numbers.map(|number| w.u32(number)).count() as u32);
    }
    if let CodecConfig::Opus { .. } = track.descriptions[0] {
        pre_roll(w, track);
    }
    w.table(b"stsc", 0, |w| stsc(w, track));
    w.full(b"stsz", 0, 0, |w| {
        w.u32(0);
        w.u32(track.samples);
        track.sizes.iter().for_each(|size| w.u32(size as u32));
    });
    let Placement { media_offset, wide } = full.placement;
    w.table(if wide { b"co64" } else { b"stco" }, 0, |w| {
        let offsets = track.chunks().map(|chunk| media_offset + chunk.offset);
        offsets.map(|offset| if wide { w.u64(offset) } else { w.u32(offset as u32) }).count() as u32
    });
}

/// Runs as stts and ctts have them. Values fit 32 bits, with or without sign.
fn run_lengths(w: &mut BoxWriter, runs: impl Iterator<Item = (u32, i64)>) -> u32 {
    runs.map(|(count, value)| {
        w.u32(count);
        w.u32(value as u32);
    })
    .count() as u32
}

/// How many packets before the one to be heard a decoder of Opus must be given: §4.3.6.2 of its binding, for all samples alike.
fn pre_roll(w: &mut BoxWriter, track: &TrackIndex) {
    let packet_samples = track.durations.iter().map(|(_, ticks)| ticks).find(|ticks| *ticks > 0).unwrap_or(1);
    let packets = (i64::from(opus::PRE_ROLL_SAMPLES) + packet_samples - 1).div_euclid(packet_samples).clamp(1, 32);
    w.full(b"sgpd", 1, 0, |w| {
        w.bytes(b"roll");
        w.u32(2); // default_length
        w.u32(1);
        w.u16((-packets as i16).cast_unsigned());
    });
    w.full(b"sbgp", 0, 0, |w| {
        w.bytes(b"roll");
        w.u32(1);
        w.u32(track.samples);
        w.u32(1);
    });
}

/// Chunks in a row with as many samples of the same description take one entry.
fn stsc(w: &mut BoxWriter, track: &TrackIndex) -> u32 {
    let (mut entries, mut previous) = (0, None);
    for (number, chunk) in (1_u32..).zip(track.chunks()) {
        let now = (chunk.samples, chunk.description);
        if previous != Some(now) {
            w.u32(number);
            w.u32(chunk.samples);
            w.u32(chunk.description);
            entries += 1;
        }
        previous = Some(now);
    }
    entries
}

fn sample_entry(w: &mut BoxWriter, codec: &CodecConfig) {
    match codec {
        CodecConfig::H264 { avcc, width, height } => visual_entry(w, b"avc1", (*width, *height), b"avcC", avcc),
        CodecConfig::Hevc { hvcc, width, height } => visual_entry(w, b"hvc1", (*width, *height), b"hvcC", hvcc),
        CodecConfig::Av1 { av1c, width, height } => visual_entry(w, b"av01", (*width, *height), b"av1C", av1c),
        CodecConfig::Aac { asc, sample_rate, channels } => audio_entry(w, b"mp4a", *sample_rate, *channels, |w| {
            w.full(b"esds", 0, 0, |w| elementary_stream(w, asc));
        }),
        CodecConfig::Opus { dops, channels, .. } => audio_entry(w, b"Opus", opus::SAMPLE_RATE, *channels, |w| {
            w.boxed(b"dOps", |w| w.bytes(dops));
        }),
    }
}

/// A `VisualSampleEntry`, §12.1.3, with the decoder's configuration in it.
fn visual_entry(w: &mut BoxWriter, kind: &[u8; 4], (width, height): (u16, u16), record_kind: &[u8; 4], record: &[u8]) {
    w.boxed(kind, |w| {
        w.zeroes(6);
        w.u16(1); // data_reference_index
        w.zeroes(16);
        w.u16(width);
        w.u16(height);
        w.u32(0x48_0000); // 72 dpi
        w.u32(0x48_0000);
        w.u32(0);
        w.u16(1); // frames in a sample
        w.zeroes(32); // compressorname
        w.u16(0x18); // depth: colour without alpha
        w.u16(0xffff); // pre_defined
        w.boxed(record_kind, |w| w.bytes(record));
    });
}

/// An `AudioSampleEntry`, §12.2.3, with what the codec has to say.
fn audio_entry(w: &mut BoxWriter, kind: &[u8; 4], sample_rate: u32, channels: u8, specific: impl FnOnce(&mut BoxWriter)) {
    w.boxed(kind, |w| {
        w.zeroes(6);
        w.u16(1);
        w.zeroes(8);
        w.u16(channels.into());
        w.u16(16); // samplesize
        w.zeroes(4);
        // 16.16 fixed point; rates that do not fit are told by the configuration alone.
        w.u32(u16::try_from(sample_rate).map_or(0, |rate| u32::from(rate) << 16));
        specific(w);
    });
}

/// An `ES_Descriptor`, ISO/IEC 14496-1 §7.2.6.5, with the `AudioSpecificConfig` in it.
fn elementary_stream(w: &mut BoxWriter, asc: &[u8]) {
    let specific = descriptor(5, asc);
    // Object type MPEG-4 audio; stream type audio; buffer size and bit rates unknown.
    let decoder = descriptor(4, &[&[0x40, 0x15], &[0; 11][..], &specific].concat());
    let stream = descriptor(3, &[&[0, 0, 0][..], &decoder, &descriptor(6, &[2])].concat());
    w.bytes(&stream);
}

/// Tag, size in four times seven bits, body.
fn descriptor(tag: u8, body: &[u8]) -> Vec<u8> {
    let size = body.len();
    let size = [21, 14, 7, 0].map(|shift| (size >> shift) as u8 & 0x7f | if shift == 0 { 0 } else { 0x80 });
    [&[tag], &size[..], body].concat()
}
