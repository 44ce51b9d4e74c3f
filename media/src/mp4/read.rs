//! Reading boxes that a [`RecordingWriter`](super::RecordingWriter) wrote, from bytes that may be anything: `None` wherever they are not that.

use bytes::Bytes;

use crate::codec::{aac::AacConfig, av1::Av1Config, avc::AvcConfig, hevc::HevcConfig, opus::OpusConfig};
use crate::frame::CodecConfig;

use super::fragment::{NON_SYNC_FLAGS, Run, SYNC_FLAGS, flags};
use super::index::{Sample, SampleIndex, TrackIndex};
use super::moov::track_id;
use super::writer::MAX_DESCRIPTIONS;

/// Bytes of a sample entry before the boxes in it.
const VISUAL_ENTRY_BYTES: usize = 78;
const AUDIO_ENTRY_BYTES: usize = 28;

/// Bytes yet to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next box: kind and body.
    fn next_box(&mut self) -> Option<([u8; 4], Reader<'a>)> {
        let size = self.u32()? as usize;
        let kind = self.array()?;
        Some((kind, Reader(self.take(size.checked_sub(8)?)?)))
    }

    /// The next box, where it is of this kind.
    fn expect(&mut self, expected: &[u8; 4]) -> Option<Reader<'a>> {
        self.next_box().filter(|(kind, _)| kind == expected).map(|(_, body)| body)
    }

    /// The body of the first child of this kind.
    fn child(mut self, wanted: &[u8; 4]) -> Option<Reader<'a>> {
        loop {
            let (kind, body) = self.next_box()?;
            if kind == *wanted {
                return Some(body);
            }
        }
    }
}

/// Reads the tracks from the body of a head's moov.
pub(super) fn head(body: Reader<'_>) -> Option<SampleIndex> {
    let mut tracks: Vec<TrackIndex> = Vec::new();
    let mut rest = body;
    while !rest.0.is_empty() {
        let (kind, trak) = rest.next_box()?;
        if kind != *b"trak" {
            continue;
        }
        let mut tkhd = trak.child(b"tkhd")?;
        tkhd.take(4 + 16)?;
        if tkhd.u32()? != track_id(tracks.len()) {
            return None;
        }
        let track = track(trak.child(b"mdia")?)?;
        if tracks.iter().any(|other| other.kind() == track.kind()) {
            return None;
        }
        tracks.push(track);
    }
    Some(SampleIndex { tracks })
}

fn track(mdia: Reader<'_>) -> Option<TrackIndex> {
    let mut mdhd = mdia.child(b"mdhd")?;
    mdhd.take(4 + 16)?;
    let timescale = mdhd.u32().filter(|timescale| *timescale > 0)?;
    let mut stsd = mdia.child(b"minf")?.child(b"stbl")?.child(b"stsd")?;
    stsd.take(4)?;
    let count = stsd.u32()? as usize;
    if !(1..=MAX_DESCRIPTIONS).contains(&count) {
        return None;
    }
    let mut track = TrackIndex::new(timescale, sample_entry(&mut stsd)?);
    for _ in 1..count {
        let description = sample_entry(&mut stsd).filter(|description| description.kind() == track.kind())?;
        track.descriptions.push(description);
    }
    Some(track)
}

fn sample_entry(stsd: &mut Reader<'_>) -> Option<CodecConfig> {
    let (kind, mut body) = stsd.next_box()?;
    match &kind {
        b"avc1" => {
            let avcc = record(body, VISUAL_ENTRY_BYTES, b"avcC")?;
            let picture = AvcConfig::parse(&avcc).ok()?.picture;
            Some(CodecConfig::H264 { avcc, width: picture.width, height: picture.height })
        }
        b"hvc1" => {
            let hvcc = record(body, VISUAL_ENTRY_BYTES, b"hvcC")?;
            let picture = HevcConfig::parse(&hvcc).ok()?.picture;
            Some(CodecConfig::Hevc { hvcc, width: picture.width, height: picture.height })
        }
        b"av01" => {
            let av1c = record(body, VISUAL_ENTRY_BYTES, b"av1C")?;
            let picture = Av1Config::parse(&av1c).ok()?.picture;
            Some(CodecConfig::Av1 { av1c, width: picture.width, height: picture.height })
        }
        b"Opus" => {
            let dops = record(body, AUDIO_ENTRY_BYTES, b"dOps")?;
            let OpusConfig { channels, pre_skip } = OpusConfig::parse(&dops).ok()?;
            Some(CodecConfig::Opus { dops, channels, pre_skip })
        }
        b"mp4a" => {
            body.take(AUDIO_ENTRY_BYTES)?;
            let mut esds = body.child(b"esds")?;
            esds.take(4)?;
            let mut stream = descriptor(&mut esds, 3)?;
            stream.take(3)?;
            let mut decoder = descriptor(&mut stream, 4)?;
            decoder.take(13)?;
            let asc = descriptor(&mut decoder, 5)?.0;
            let AacConfig { sample_rate, channels, .. } = AacConfig::parse(asc).ok()?;
            Some(CodecConfig::Aac { asc: Bytes::copy_from_slice(asc), sample_rate, channels })
        }
        _ => None,
    }
}

/// The decoder's configuration in a sample entry, behind the fields that all of its kind have.
fn record(mut entry: Reader<'_>, field_bytes: usize, kind: &[u8; 4]) -> Option<Bytes> {
    entry.take(field_bytes)?;
    entry.child(kind).map(|record| Bytes::copy_from_slice(record.0))
}

/// A descriptor's body, where the tag is this one.
fn descriptor<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<Reader<'a>> {
    if reader.u8()? != tag {
        return None;
    }
    let mut size = 0;
    for _ in 0..4 {
        let byte = reader.u8()?;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return reader.take(size).map(Reader);
        }
    }
    None
}

/// Reads the body of a moof. With each run comes where its bytes begin, from the moof on.
pub(super) fn moof(mut body: Reader<'_>) -> Option<Vec<(Run, u64)>> {
    body.expect(b"mfhd")?;
    let mut runs = Vec::new();
    while !body.0.is_empty() {
        runs.push(traf(body.expect(b"traf")?)?);
    }
    Some(runs)
}

fn traf(mut traf: Reader<'_>) -> Option<(Run, u64)> {
    let mut tfhd = traf.expect(b"tfhd")?;
    if tfhd.u32()? != flags::TFHD_DEFAULT_BASE_IS_MOOF | flags::TFHD_DESCRIPTION {
        return None;
    }
    let track = tfhd.u32()?.checked_sub(1)? as usize;
    let description = tfhd.u32()?;
    let mut tfdt = traf.expect(b"tfdt")?;
    if tfdt.u32()? != 1 << 24 {
        return None;
    }
    let dts = tfdt.u64()?;
    let mut trun = traf.expect(b"trun")?;
    let trun_flags = trun.u32()?;
    let required = flags::TRUN_DATA_OFFSET | flags::TRUN_DURATION | flags::TRUN_SIZE | flags::TRUN_FLAGS;
    if trun_flags & !flags::TRUN_PTS_OFFSET != 1 << 24 | required {
        return None;
    }
    let with_pts_offset = trun_flags & flags::TRUN_PTS_OFFSET != 0;
    let (count, data_offset) = (trun.u32()? as usize, trun.u32()?);
    // The count is believed only as far as there are bytes for it.
    let mut samples = Vec::with_capacity(count.min(trun.0.len() / 12));
    for _ in 0..count {
        let (duration, size) = (trun.u32()?, trun.u32()?);
        let sync = match trun.u32()? {
            SYNC_FLAGS => true,
            NON_SYNC_FLAGS => false,
            _ => return None,
        };
        let pts_offset = if with_pts_offset { trun.u32()? as i32 } else { 0 };
        samples.push(Sample { size, duration, pts_offset, sync });
    }
    let complete = !samples.is_empty() && trun.0.is_empty() && traf.0.is_empty();
    complete.then_some((Run { track, description, dts, samples }, data_offset.into()))
}
