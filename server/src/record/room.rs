//! Where a recording is written: a new file in the spool, or a finished one that is made to grow again. All of it blocks.

use std::fs::File;
use std::io;
use std::path::Path;

use afterlive_media::frame::TrackConfig;
use afterlive_media::mp4::{LARGE_RESERVE_BYTES, RecordingWriter, SMALL_RESERVE_BYTES, ScanError, finalise, salvage};

use super::cannot_go_on::CannotGoOn;
use super::growing::GrowingFile;
use crate::finalise::{Opened, block_bytes, carry_out, write_parts};
use crate::storage::{RegionStore, SharedPlace, SpoolNote};

/// A file with room for a recording.
pub(super) struct Room {
    pub(super) file: GrowingFile,
    /// By blocks of so many bytes its reserve can be enlarged.
    pub(super) block_bytes: Option<u32>,
}

impl Room {
    /// Makes a file, with its head on disk. Blocks.
    pub(super) fn create(store: &RegionStore, note: &SpoolNote, tracks: &[TrackConfig]) -> io::Result<Self> {
        let file = store.spool().create(note)?;
        let block_bytes = insertable_block_bytes(store, &file);
        let reserve_bytes = if block_bytes.is_some() { SMALL_RESERVE_BYTES } else { LARGE_RESERVE_BYTES };
        let (writer, head) = RecordingWriter::new(tracks, reserve_bytes);
        write_parts(&file, 0, &[head])?;
        file.sync_data()?;
        let media = store.media().of(&file.metadata()?);
        Ok(Self { file: GrowingFile::new(file, writer, media), block_bytes })
    }
}

/// A finished file that a recording could go on in. Nothing has been done to it.
pub(super) struct Finished {
    file: File,
    writer: RecordingWriter,
    block_bytes: Option<u32>,
    media: SharedPlace,
}

impl Finished {
    /// Reads what the file has, and whether these tracks can go on in it. Blocks, for as long as it takes to read each fragment's header.
    pub(super) fn open(store: &RegionStore, path: &Path, tracks: &[TrackConfig]) -> io::Result<Result<Self, CannotGoOn>> {
        let file = File::options().read(true).write(true).open(path)?;
        let recording = match salvage(&mut Opened(&file)) {
            Ok(recording) => recording,
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::NoHead) => return Ok(Err(CannotGoOn::NoHead)),
        };
        let bytes = file.metadata()?.len().abs_diff(recording.good_length);
        if bytes != 0 {
            return Ok(Err(CannotGoOn::Torn { bytes }));
        }
        let otherwise = CannotGoOn::other_tracks(&recording.index, tracks);
        let block_bytes = insertable_block_bytes(store, &file);
        let media = store.media().of(&file.metadata()?);
        let writer = RecordingWriter::resume(recording, tracks);
        Ok(writer.map(|writer| Self { file, writer, block_bytes, media }).ok_or(otherwise))
    }

    /// Where in the recording it goes on.
    pub(super) fn at_ms(&self) -> u64 {
        self.writer.presented_before_ms()
    }

    /// Makes the file grow again. Blocks.
    pub(super) fn reopen(self) -> io::Result<Room> {
        let Self { file, writer, block_bytes, media } = self;
        // First, who reads the front as it was hears that it is another.
        let steps = finalise::reopen(&writer.layout());
        let room = Room { file: GrowingFile::new(file, writer, media), block_bytes };
        carry_out(room.file.file(), &steps)?;
        Ok(room)
    }
}

fn insertable_block_bytes(store: &RegionStore, file: &File) -> Option<u32> {
    block_bytes(file).filter(|_| store.spool().can_insert_ranges())
}
