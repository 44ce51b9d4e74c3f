//! One file by hand: `afterlive recover FILE`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use afterlive_media::mp4::finalise as plans;
use afterlive_media::mp4::{PlanError, ScanError, Scanned, salvage, scan};

use super::{facts_of, file};

/// What came of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is a finished recording already.
    WasFinished,
    /// All whole fragments of it are in a new file beside it.
    Recovered { place: PathBuf, duration_ms: u64, lost_bytes: u64 },
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("{path} cannot be read: {cause}")]
    Read { path: PathBuf, cause: io::Error },
    #[error("{0} is no recording of Afterlive, or nothing of its beginning is left")]
    NotOurs(PathBuf),
    #[error("there is nothing to play in {0}")]
    Empty(PathBuf),
    #[error("{0} is there already; name another file with --output")]
    Taken(PathBuf),
    #[error("{path} cannot be written: {cause}")]
    Write { path: PathBuf, cause: io::Error },
}

/// Makes a plain MP4 of a recording that was left behind growing, or that was finished and then cut short. The file itself is only read. Blocks.
///
/// `output` is `NAME.recovered.mp4` where none is given.
///
/// # Errors
/// Where the file is none of ours or has nothing to play, where `output` exists, and those of the disk.
pub fn recover_file(path: &Path, output: Option<PathBuf>) -> Result<Outcome, RecoverError> {
    let unread = |cause| RecoverError::Read { path: path.to_owned(), cause };
    let mut source = File::open(path).map_err(unread)?;
    let recording = match scan(&mut file::Opened(&source)) {
        Ok(Scanned::Finalised) => return Ok(Outcome::WasFinished),
        Ok(Scanned::Growing { recording, .. }) => recording,
        Err(ScanError::Io(cause)) => return Err(unread(cause)),
        Err(ScanError::NoHead) => match salvage(&mut file::Opened(&source)) {
            Ok(recording) => recording,
            Err(ScanError::Io(cause)) => return Err(unread(cause)),
            Err(ScanError::NoHead) => return Err(RecoverError::NotOurs(path.to_owned())),
        },
    };
    let length = source.metadata().map_err(unread)?.len();
    let block_bytes = file::block_bytes(&source).unwrap_or(4_096);
    let plan = plans::copy(&recording, recording.good_length, block_bytes).map_err(|error| match error {
        PlanError::Empty | PlanError::NeedsRoom { .. } => RecoverError::Empty(path.to_owned()),
    })?;
    let place = output.unwrap_or_else(|| path.with_extension("recovered.mp4"));
    let unwritten = |cause| RecoverError::Write { path: place.clone(), cause };
    if place.exists() {
        return Err(RecoverError::Taken(place));
    }
    // Under its name once it is whole.
    let mut part = OsString::from(&place);
    part.push(".part");
    let written = file::copy(&mut source, &plan, Path::new(&part)).and_then(|_| fs::rename(&part, &place));
    written.map_err(|cause| match cause.kind() {
        // Of another who is at it, or what a crash has left.
        io::ErrorKind::AlreadyExists => RecoverError::Taken(part.into()),
        _ => {
            drop(fs::remove_file(&part));
            unwritten(cause)
        }
    })?;
    let duration_ms = facts_of(&recording.index).duration_ms;
    Ok(Outcome::Recovered { place, duration_ms, lost_bytes: length - recording.good_length })
}
