//! Where a recording is written: a new file in the spool, or a finished one that is made to grow again. All of it blocks.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use afterlive_media::frame::TrackConfig;
use afterlive_media::mp4::{LARGE_RESERVE_BYTES, RecordingWriter, SMALL_RESERVE_BYTES, ScanError, Source, finalise, salvage};

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
    /// Reads what the file has, and whether these tracks can go on in it. Blocks, for as long as it takes to read each fragment's header, but begins no read after
    /// `until`.
    pub(super) fn open(
        store: &RegionStore,
        path: &Path,
        tracks: &[TrackConfig],
        until: Instant,
    ) -> io::Result<Result<Self, CannotGoOn>> {
        let file = File::options().read(true).write(true).open(path)?;
        let recording = match salvage(&mut Hurried { file: Opened(&file), until }) {
            Ok(recording) => recording,
            Err(ScanError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => return Ok(Err(CannotGoOn::TakesLong)),
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

/// A file that is read until it takes too long.
struct Hurried<'a> {
    file: Opened<'a>,
    until: Instant,
}

impl Source for Hurried<'_> {
    fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if Instant::now() > self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.file.read_exact_at(offset, buffer)
    }
}

fn insertable_block_bytes(store: &RegionStore, file: &File) -> Option<u32> {
    block_bytes(file).filter(|_| store.spool().can_insert_ranges())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use afterlive_domain::{AssetId, SessionId, StreamId, UnixMillis};
    use afterlive_media::frame::CodecConfig;
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::storage::{RegionSettings, Regions};

    #[test]
    fn no_read_begins_after_the_time_that_there_is_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let settings = RegionSettings {
            name: "eu".parse().unwrap(),
            storage: folder.path().join("eu"),
            vod_url: "http://localhost:3000/vod-eu".parse().unwrap(),
        };
        let regions = Regions::open([settings]).unwrap();
        let store = regions.iter().next().unwrap();
        let note = SpoolNote {
            asset: AssetId(Uuid::new_v4()),
            stream: StreamId(Uuid::new_v4()),
            session: SessionId(Uuid::new_v4()),
            streamname: "8sKpm-x49nB".parse().unwrap(),
            index: 1,
            region: store.name().clone(),
            created_at: UnixMillis(1),
        };
        let codec = CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 };
        let tracks = [TrackConfig { codec, timescale: 48_000 }];
        Room::create(store, &note, &tracks).unwrap();
        let path = store.spool().recording_path(note.asset);
        let open = |until| Finished::open(store, &path, &tracks, until).unwrap().map(drop);
        let now = Instant::now();
        assert_eq!(open(now.checked_sub(Duration::from_secs(1)).unwrap()), Err(CannotGoOn::TakesLong));
        // With time enough it is read, and nothing has been recorded yet.
        assert_eq!(open(now + Duration::from_secs(3_600)), Err(CannotGoOn::NoHead));
    }
}
