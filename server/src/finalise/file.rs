//! What is done to a recording's file: fragments appended, planned steps carried out, bytes read back. All of it blocks.

use std::fs::File;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use afterlive_media::mp4::{CopyPlan, Source, Step};
use bytes::Bytes;

use crate::storage::MediaPlace;

/// Parts handed to the system in one call; it takes 1,024 at most.
const PARTS_A_WRITE: usize = 512;

/// Writes the parts one behind the other. They survive the process from here on, and a loss of power after the next sync.
///
/// # Errors
/// Those of the file; then any part of it may have been written.
pub fn write_parts(file: &File, mut offset: u64, parts: &[Bytes]) -> io::Result<()> {
    for batch in parts.chunks(PARTS_A_WRITE) {
        let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = slices.as_mut_slice();
        while rest.iter().any(|slice| !slice.is_empty()) {
            let written = write_some(file, rest, offset)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += written as u64;
            IoSlice::advance_slices(&mut rest, written);
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn write_some(file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    loop {
        match rustix::io::pwritev(file, slices, offset) {
            Err(rustix::io::Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn write_some(file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    let first = slices.iter().find(|slice| !slice.is_empty());
    first.map_or(Ok(0), |slice| file.write_at(slice, offset))
}

/// A sync has failed. What of all that was written since the last good one is on disk nobody knows from then on: the kernel takes those pages for clean, so that
/// they are read as they were written and a later sync is content.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unsynced(io::Error);

/// Has on disk what was written.
///
/// # Errors
/// Those of the file, told from others by [`is_unsynced`].
pub fn sync(file: &File) -> io::Result<()> {
    file.sync_data().map_err(|error| io::Error::new(error.kind(), Unsynced(error)))
}

/// Whether it was a sync that failed.
#[must_use]
pub fn is_unsynced(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Unsynced>)
}

/// Carries out steps that move the media, while nobody reads them: who does hears where they are now, also where a step fails behind the one that has moved
/// them.
///
/// # Errors
/// Those of [`carry_out`].
pub fn carry_out_moving(file: &File, steps: &[Step], place: &mut MediaPlace) -> io::Result<()> {
    let before = file.metadata()?.len();
    let done = carry_out(file, steps);
    place.insert(file.metadata()?.len() - before);
    done
}

/// Carries out steps in their order.
///
/// # Errors
/// At the first that fails; those before it have been done.
pub fn carry_out(file: &File, steps: &[Step]) -> io::Result<()> {
    for step in steps {
        match step {
            Step::Write { offset, bytes } => file.write_all_at(bytes, *offset)?,
            Step::Sync => sync(file)?,
            Step::InsertRange { offset, length } => insert_range(file, *offset, *length)?,
        }
    }
    Ok(())
}

/// # Errors
/// [`io::ErrorKind::Unsupported`] where the file system has no such thing.
#[cfg(target_os = "linux")]
fn insert_range(file: &File, offset: u64, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::INSERT_RANGE, offset, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Err(io::ErrorKind::Unsupported.into()),
        done => Ok(done?),
    }
}

#[cfg(not(target_os = "linux"))]
fn insert_range(_file: &File, _offset: u64, _length: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The block size that ranges can be inserted by.
#[must_use]
pub fn block_bytes(file: &File) -> Option<u32> {
    rustix::fs::fstatvfs(file).ok().and_then(|facts| u32::try_from(facts.f_bsize).ok()).filter(|bytes| *bytes > 0)
}

/// What an unprivileged writer has left on the file's disk; nothing where it does not say.
#[must_use]
pub fn free_bytes(file: &File) -> Option<u64> {
    rustix::fs::fstatvfs(file).ok().map(|facts| facts.f_bavail.saturating_mul(facts.f_frsize))
}

/// Writes the new file that a plan describes to `place`, and has it on disk on return. Where the file system can share blocks between files, it does.
///
/// # Errors
/// Those of the files.
pub fn copy(source: &mut File, plan: &CopyPlan, place: &Path) -> io::Result<File> {
    // Somebody who copies it already is not to be written over.
    let mut new = File::options().read(true).write(true).create_new(true).open(place)?;
    new.write_all(&plan.head)?;
    source.seek(SeekFrom::Start(plan.source.start))?;
    let length = plan.source.end - plan.source.start;
    let copied = io::copy(&mut io::Read::take(source, length), &mut new)?;
    if copied != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    new.sync_all()?;
    Ok(new)
}

/// A file, as the recovery scan reads it.
#[derive(Debug)]
pub struct Opened<'a>(pub &'a File);

impl Source for Opened<'_> {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}
