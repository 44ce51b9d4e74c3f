//! What is in a file that was left behind: the recovery scan.
//!
//! Reads only boxes as [`RecordingWriter`](super::RecordingWriter) writes them. Memory is bounded whatever the file holds: by [`MAX_HEAD_BYTES`],
//! [`MAX_MOOF_BYTES`] and the index of samples whose bytes are really there.

use std::io;

use super::index::{MAX_FIRST_DTS, MAX_SAMPLE_TICKS, MAX_SAMPLES_PER_TRACK, SampleIndex};
use super::read::{self, Reader};
use super::{Layout, Recording};

/// The largest head moov read: two tracks with [`MAX_DESCRIPTIONS`](super::MAX_DESCRIPTIONS) configurations fit well.
pub const MAX_HEAD_BYTES: u64 = 4 << 20;
/// The largest moof read: a million samples.
pub const MAX_MOOF_BYTES: u64 = 16 << 20;
/// How far behind a finished file's mdat header its head from when it grew is looked for: a block of any file system.
const MAX_SALVAGE_BYTES: u64 = 1 << 20;
/// The most boxes looked at before the first fragment, at each level.
const MAX_HEAD_BOXES: u32 = 1_000;

/// Bytes at any place.
pub trait Source {
    /// # Errors
    /// Those of the file.
    fn length(&mut self) -> io::Result<u64>;

    /// # Errors
    /// Those of the file; the end of it where there are not as many bytes.
    fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for &[u8] {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let bytes = start.and_then(|start| self.get(start..)?.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scanned {
    /// A growing file, whole or torn at the end: to be finalised. There may be not one sample in it.
    Growing { recording: Recording, file_length: u64 },
    /// A plain MP4: finalising had come to its last step.
    Finalised,
}

/// Why a file cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
    /// It ends before the first fragment could begin, or somebody else wrote it.
    #[error("the file has not the head of a recording")]
    NoHead,
}

/// Looks through a file. Cuts a torn tail off at the last fragment that is there as a whole.
///
/// # Errors
/// Where the file cannot be read or is none of ours.
pub fn scan<S: Source>(source: &mut S) -> Result<Scanned, ScanError> {
    let file_length = source.length()?;
    let mut file = File { source, length: file_length };
    let Some(ftyp) = file.header(0)?.filter(|header| header.kind == *b"ftyp") else { return Err(ScanError::NoHead) };

    let mut offset = ftyp.end;
    let mut reserve: Option<(u64, u64, u64)> = None; // begin, end of the first free box, end
    let mut head: Option<(SampleIndex, Layout)> = None;
    for _ in 0..MAX_HEAD_BOXES {
        let Some(header) = file.header(offset)? else { break };
        match (&header.kind, &head) {
            (b"free", None) => {
                let (begin, first_end, _) = reserve.unwrap_or((offset, header.end, header.end));
                reserve = Some((begin, first_end, header.end));
            }
            (b"moov", None) => {
                if !file.has_child(&header, b"mvex")? {
                    return file.plain(header.end);
                }
                let (begin, first_end, end) = reserve.ok_or(ScanError::NoHead)?;
                head = Some((file.head(&header)?, layout(begin, first_end, end, &header).ok_or(ScanError::NoHead)?));
            }
            // A head that was replaced, before or after it was made a free box.
            (b"free" | b"moov", Some(_)) => {}
            _ => break,
        }
        offset = header.end;
    }
    let (index, mut layout) = head.ok_or(ScanError::NoHead)?;
    layout.media_offset = offset;
    Ok(Scanned::Growing { recording: file.fragments(index, layout)?, file_length })
}

/// Looks for a recording in a finished file that is no whole MP4 any more, as one that was cut short on its way. Everything the file had while it grew
/// is still in it, behind the mdat's header, and is read as [`scan()`] would.
///
/// A new file can be made of it, by [`copy`](super::finalise::copy), and a whole one can be made to grow again, by [`reopen`](super::finalise::reopen).
/// The layout is no growing file's: what lies before the head is not one free box, and the plans that finish a file in its place would spoil it.
///
/// # Errors
/// Where the file cannot be read or was never a recording of ours.
pub fn salvage<S: Source>(source: &mut S) -> Result<Recording, ScanError> {
    let length = source.length()?;
    let mut file = File { source, length };
    let Some(ftyp) = file.header(0)?.filter(|header| header.kind == *b"ftyp") else { return Err(ScanError::NoHead) };
    let mut offset = ftyp.end;
    // The mdat itself reaches beyond the end of the file, and its length is of no use.
    while let Some(header) = file.header(offset)?.filter(|header| header.kind != *b"mdat") {
        offset = header.end;
    }
    let mut near = vec![0; length.saturating_sub(offset).min(MAX_SALVAGE_BYTES) as usize];
    file.source.read_exact_at(offset, &mut near)?;
    // Before it lies what was left of the reserve.
    for at in near.windows(4).enumerate().filter(|(at, kind)| *at >= 4 && *kind == b"moov").map(|(at, _)| offset + at as u64 - 4)
    {
        let Some(moov) = file.header(at)? else { continue };
        let Ok(reserve_bytes) = u32::try_from(at - ftyp.end) else { continue };
        if !file.has_child(&moov, b"mvex")? {
            continue;
        }
        let Ok(index) = file.head(&moov) else { continue };
        let mut layout = layout(ftyp.end, at, ftyp.end + u64::from(reserve_bytes), &moov).ok_or(ScanError::NoHead)?;
        // Heads that were replaced.
        while let Some(header) = file.header(layout.media_offset)?.filter(|header| matches!(&header.kind, b"free" | b"moov")) {
            layout.media_offset = header.end;
        }
        return file.fragments(index, layout);
    }
    Err(ScanError::NoHead)
}

fn layout(begin: u64, first_end: u64, end: u64, moov: &Header) -> Option<Layout> {
    Some(Layout {
        reserve_offset: begin,
        reserve_bytes: u32::try_from(end - begin).ok()?,
        first_free_bytes: u32::try_from(first_end - begin).ok()?,
        head_moov_bytes: u32::try_from(moov.end - moov.begin).ok()?,
        media_offset: moov.end,
    })
}

/// A box that lies in the file as a whole.
struct Header {
    kind: [u8; 4],
    begin: u64,
    body: u64,
    end: u64,
}

struct File<'a, S> {
    source: &'a mut S,
    length: u64,
}

impl<S: Source> File<'_, S> {
    /// The box at `offset`; `None` where there is none, or it ends behind the file's end.
    fn header(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let mut bytes = [0; 16];
        if self.length.saturating_sub(offset) < 8 {
            return Ok(None);
        }
        self.source.read_exact_at(offset, &mut bytes[..8])?;
        let [s0, s1, s2, s3, kind @ ..] = *bytes.first_chunk::<8>().unwrap_or(&[0; 8]);
        let (size, header_bytes) = match u32::from_be_bytes([s0, s1, s2, s3]) {
            0 if kind == *b"mdat" => (self.length - offset, 8),
            1 if self.length - offset >= 16 => {
                self.source.read_exact_at(offset + 8, &mut bytes[8..])?;
                (u64::from_be_bytes(*bytes.last_chunk::<8>().unwrap_or(&[0; 8])), 16)
            }
            size => (size.into(), 8),
        };
        let end = offset.checked_add(size).filter(|end| size >= header_bytes && *end <= self.length);
        Ok(end.map(|end| Header { kind, begin: offset, body: offset + header_bytes, end }))
    }

    /// Looks at the headers of a box's children only: a full moov can be large.
    fn has_child(&mut self, parent: &Header, kind: &[u8; 4]) -> io::Result<bool> {
        let mut offset = parent.body;
        for _ in 0..MAX_HEAD_BOXES {
            match self.header(offset)? {
                Some(child) if child.end <= parent.end && offset < parent.end => {
                    if child.kind == *kind {
                        return Ok(true);
                    }
                    offset = child.end;
                }
                _ => break,
            }
        }
        Ok(false)
    }

    fn head(&mut self, moov: &Header) -> Result<SampleIndex, ScanError> {
        if moov.end - moov.body > MAX_HEAD_BYTES {
            return Err(ScanError::NoHead);
        }
        let mut body = vec![0; (moov.end - moov.body) as usize];
        self.source.read_exact_at(moov.body, &mut body)?;
        read::head(Reader(&body)).ok_or(ScanError::NoHead)
    }

    /// A moov without mvex: finished where an mdat reaches to the end of the file.
    fn plain(&mut self, mut offset: u64) -> Result<Scanned, ScanError> {
        for _ in 0..MAX_HEAD_BOXES {
            match self.header(offset)? {
                Some(header) if header.kind == *b"mdat" && header.end == self.length => return Ok(Scanned::Finalised),
                Some(header) => offset = header.end,
                None => break,
            }
        }
        Err(ScanError::NoHead)
    }

    /// All whole fragments.
    fn fragments(&mut self, mut index: SampleIndex, layout: Layout) -> Result<Recording, ScanError> {
        let (mut offset, mut fragments) = (layout.media_offset, 0);
        while let Some(end) = self.fragment(offset, layout.media_offset, &mut index)? {
            offset = end;
            fragments += 1;
        }
        Ok(Recording { layout, index, good_length: offset, fragments })
    }

    /// Adds the fragment at `offset` to the index and returns its end; `None`, with nothing added, where there is no whole one.
    fn fragment(&mut self, offset: u64, media_offset: u64, index: &mut SampleIndex) -> io::Result<Option<u64>> {
        let Some(moof) = self.header(offset)?.filter(|moof| moof.kind == *b"moof") else { return Ok(None) };
        if moof.end - moof.body > MAX_MOOF_BYTES {
            return Ok(None);
        }
        let Some(mdat) = self.header(moof.end)?.filter(|mdat| mdat.kind == *b"mdat") else { return Ok(None) };
        let mut body = vec![0; (moof.end - moof.body) as usize];
        self.source.read_exact_at(moof.body, &mut body)?;
        let Some(runs) = read::moof(Reader(&body)) else { return Ok(None) };

        // The runs' bytes fill the mdat, one behind the other, and each continues its track: at once, or after a time in which nothing came.
        let mut next_dts: Vec<Option<u64>> = index.tracks.iter().map(super::TrackIndex::next_dts).collect();
        let mut samples: Vec<u64> = index.tracks.iter().map(|track| track.samples.into()).collect();
        let mut data = mdat.body;
        for (run, data_offset) in &runs {
            let Some(track) = index.tracks.get(run.track) else { return Ok(None) };
            let expected = next_dts[run.track].get_or_insert(run.dts);
            samples[run.track] += run.samples.len() as u64;
            if run.dts < *expected
                || run.dts - *expected > MAX_SAMPLE_TICKS
                || run.dts > MAX_FIRST_DTS && track.samples == 0
                || !(1..=track.descriptions.len()).contains(&(run.description as usize))
                || samples[run.track] > MAX_SAMPLES_PER_TRACK.into()
                || moof.begin + data_offset != data
            {
                return Ok(None);
            }
            *expected = run.dts + run.samples.iter().map(|sample| u64::from(sample.duration)).sum::<u64>();
            data += run.bytes();
        }
        if runs.is_empty() || data != mdat.end {
            return Ok(None);
        }
        for (run, data_offset) in &runs {
            let (track, samples) = (&mut index.tracks[run.track], run.samples.iter().copied());
            let dts = track.last_until(run.dts);
            track.push_chunk(moof.begin + data_offset - media_offset, run.description, dts, samples);
        }
        Ok(Some(mdat.end))
    }
}
