//! The work on the file itself: made a plain MP4 by the cheapest way that its file system has, and put in its place. All of it blocks.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use afterlive_domain::Report;
use afterlive_media::mp4::finalise::{self as plans, FinalisePlan};
use afterlive_media::mp4::{PlanError, Recording, ScanError, Scanned, salvage, scan};

use super::file::{self, carry_out, carry_out_moving};
use super::report::{Account, facts_of, report_of};
use super::waiting::lacks_room;
use super::{FinaliseError, Known};
use crate::db::assets::{Asset, Facts};
use crate::pictures;
use crate::storage::{Key, RegionStore};

/// What came of a file.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) facts: Facts,
    pub(super) report: Option<Report>,
    /// It stands in its place as it grew, and plays; to put its index in front there was no room.
    pub(super) waits_for_room: bool,
}

impl Placed {
    fn of(file: &File, recording: &Recording, account: Option<Account>) -> Result<Self, FinaliseError> {
        let facts = Facts { size_bytes: file.metadata()?.len(), ..facts_of(&recording.index) };
        Ok(Self { facts, report: Some(report_of(&recording.index, account)), waits_for_room: false })
    }
}

/// Finalises the file and gives it its place. Where there is no room to finalise it, it gets its place as it is. A copy leaves `copy_margin_bytes` of the disk's room, at
/// least. Blocks. Doing it again after a crash at any point does no harm.
pub(super) fn place(store: &RegionStore, asset: &Asset, known: Known, copy_margin_bytes: u64) -> Result<Placed, FinaliseError> {
    let key = Key::from_file_name(&asset.file_name).ok_or_else(|| FinaliseError::BadFileName(asset.file_name.clone()))?;
    let spooled = store.spool().recording_path(asset.id);
    let path = find(store, &spooled, &key)?;
    let mut file = File::options().read(true).write(true).open(&path)?;
    let (recording, account) = match known {
        Known::Closed(recording, account) => (recording, Some(account)),
        Known::Abandoned(account) => match scan(&mut file::Opened(&file)).map_err(scan_error)? {
            Scanned::Growing { recording, .. } => (recording, account),
            // A crash, or what the database had, came before the commit. By then all of it was written; where it was the very last sync that failed, the disk may
            // have the file still as it was before, which plays as well.
            Scanned::Finalised => {
                let account = account.map(|account| Account { server_died: false, ..account });
                return read_finished(&file, &store.adopt(&spooled, &key)?, account);
            }
        },
    };
    let waits_for_room = match finalise(store, asset, &recording, &path, &mut file, copy_margin_bytes) {
        // However far it came: each step leaves a file that plays.
        Err(error) if lacks_room(&error) => true,
        done => done.map(|()| false)?,
    };
    if waits_for_room {
        file.sync_data()?;
    }
    store.adopt(&spooled, &key)?;
    Ok(Placed { waits_for_room, ..Placed::of(&file, &recording, account)? })
}

/// Where the recording is: in the spool, or in its place already, where a crash came before the commit or an encoder came back.
fn find(store: &RegionStore, spooled: &Path, key: &Key) -> Result<PathBuf, FinaliseError> {
    for path in [spooled.to_owned(), store.path(key)] {
        if path.try_exists()? {
            return Ok(path);
        }
    }
    store.require()?;
    Err(FinaliseError::Empty)
}

/// Makes the growing file a plain MP4, by the cheapest way that its file system has.
fn finalise(
    store: &RegionStore,
    asset: &Asset,
    recording: &Recording,
    path: &Path,
    file: &mut File,
    copy_margin_bytes: u64,
) -> Result<(), FinaliseError> {
    let before = file.metadata()?;
    let (media, media_offset) = (store.media().of(&before), recording.layout.media_offset);
    match plans::plan(recording, before.len(), file::block_bytes(file)).map_err(plan_error)? {
        FinalisePlan::InPlace(steps) => {
            media.write().change(media_offset);
            Ok(carry_out(file, &steps)?)
        }
        FinalisePlan::InsertRange(steps) => {
            // Who watches it meanwhile waits.
            let mut place = media.write();
            place.change(media_offset);
            let done = carry_out_moving(file, &steps, &mut place);
            drop(place);
            match done {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    let now = as_it_is(file, before.len(), recording)?;
                    rewrite(store, asset, &now, path, file, copy_margin_bytes)
                }
                done => Ok(done?),
            }
        }
        FinalisePlan::Copy(_) => rewrite(store, asset, recording, path, file, copy_margin_bytes),
    }
}

/// Where everything lies in a file into which no more ranges can be inserted: as before, or, where some have been, as the file says. A copy by the layout of before would
/// begin somewhere else.
fn as_it_is<'a>(file: &File, length_before: u64, recording: &'a Recording) -> Result<Cow<'a, Recording>, FinaliseError> {
    if file.metadata()?.len() == length_before {
        return Ok(Cow::Borrowed(recording));
    }
    match scan(&mut file::Opened(file)).map_err(scan_error)? {
        Scanned::Growing { recording, .. } => Ok(Cow::Owned(recording)),
        Scanned::Finalised => Err(FinaliseError::Io(io::Error::other("the file was finished by somebody else"))),
    }
}

/// Writes the finished file anew, beside the old one at `path`, and puts it in its place.
fn rewrite(
    store: &RegionStore,
    asset: &Asset,
    recording: &Recording,
    path: &Path,
    file: &mut File,
    margin_bytes: u64,
) -> Result<(), FinaliseError> {
    let block_bytes = file::block_bytes(file).unwrap_or(4_096);
    let plan = plans::copy(recording, file.metadata()?.len(), block_bytes).map_err(plan_error)?;
    let needed_bytes = plan.head.len() as u64 + (plan.source.end - plan.source.start);
    // The other recordings need what room there is.
    if file::free_bytes(file).is_some_and(|free| free < needed_bytes.saturating_add(margin_bytes)) {
        return Err(FinaliseError::Io(io::ErrorKind::StorageFull.into()));
    }
    let place = store.spool().copy_path(asset.id);
    let copied = file::copy(file, &plan, &place).and_then(|copy| fs::rename(&place, path).map(|()| copy));
    *file = copied.inspect_err(|error| {
        // That one is another's. What a crash leaves the next start removes.
        if error.kind() != io::ErrorKind::AlreadyExists {
            drop(fs::remove_file(&place));
        }
    })?;
    Ok(())
}

fn plan_error(error: PlanError) -> FinaliseError {
    match error {
        PlanError::Empty => FinaliseError::Empty,
        // Only the plans that were not chosen say so.
        PlanError::NeedsRoom { .. } => FinaliseError::Io(io::Error::other(error)),
    }
}

fn scan_error(error: ScanError) -> FinaliseError {
    match error {
        ScanError::Io(error) => FinaliseError::Io(error),
        ScanError::NoHead => FinaliseError::Scan(error),
    }
}

/// What a finished file says of itself: by the fragments that are still in it, else as a demuxer sees it.
fn read_finished(file: &File, path: &Path, account: Option<Account>) -> Result<Placed, FinaliseError> {
    if let Ok(recording) = salvage(&mut file::Opened(file)) {
        return Placed::of(file, &recording, account);
    }
    let facts = pictures::facts(path).map_err(|error| match error {
        error if error.is_of_the_file() => FinaliseError::Unplayable(error.to_string()),
        error => FinaliseError::Io(io::Error::other(error)),
    })?;
    Ok(Placed { facts, report: None, waits_for_room: false })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::super::by_hand::{Outcome as RecoveredFile, RecoverError, recover_file};
    use super::super::{Account, Received, write_parts};
    use super::*;
    use crate::storage::{RegionSettings, Regions, SpoolNote};
    use afterlive_domain::{AssetId, AssetState, OrganisationId, SessionId, StreamId, UnixMillis};
    use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
    use afterlive_media::mp4::RecordingWriter;
    use afterlive_media::mp4::finalise::Step;
    use bytes::Bytes;
    use uuid::Uuid;

    fn regions(folder: &std::path::Path) -> Regions {
        let settings = RegionSettings {
            name: "eu".parse().unwrap(),
            storage: folder.join("eu"),
            vod_url: "http://localhost:3000/vod-eu".parse().unwrap(),
        };
        Regions::open([settings]).unwrap()
    }

    /// Audio of 5,000 frames behind a reserve of so many bytes, in the spool.
    fn a_recording(store: &RegionStore, reserve_bytes: u32) -> (Asset, Recording) {
        let id = AssetId(Uuid::new_v4());
        let note = SpoolNote {
            asset: id,
            stream: StreamId(Uuid::new_v4()),
            session: SessionId(Uuid::new_v4()),
            streamname: "8sKpm-x49nB".parse().unwrap(),
            index: 1,
            region: store.name().clone(),
            created_at: UnixMillis(1),
        };
        let file = store.spool().create(&note).unwrap();
        let asc = Bytes::from_static(&[0x11, 0x90]);
        let codec = CodecConfig::Aac { asc, sample_rate: 48_000, channels: 2 };
        let (mut writer, head) = RecordingWriter::new(&[TrackConfig { codec, timescale: 48_000 }], reserve_bytes);
        write_parts(&file, 0, &[head]).unwrap();
        for n in 0..5_000_u16 {
            // Sizes that differ, so that the index needs room for each.
            let data = Bytes::from(vec![0x21; 100 + usize::from(n % 50)]);
            let frame = Frame { kind: TrackKind::Audio, dts: i64::from(n) * 1_024, pts_offset: 0, keyframe: true, data };
            writer.push(frame).unwrap();
            if n % 47 == 0
                && let Some(fragment) = writer.cut()
            {
                write_parts(&file, fragment.offset, &fragment.parts).unwrap();
            }
        }
        let (last, recording) = writer.finish();
        let last = last.unwrap();
        write_parts(&file, last.offset, &last.parts).unwrap();
        let asset = Asset {
            id,
            organisation: OrganisationId(Uuid::new_v4()),
            stream: note.stream,
            session: note.session,
            index: 1,
            region: note.region,
            file_name: "8sKpm-x49nB.mp4".to_owned(),
            state: AssetState::Recording,
            reason: None,
            created_at: note.created_at,
            ended_at: None,
            updated_at: note.created_at,
            facts: Facts::default(),
            has_poster: false,
            hold: None,
            has_storyboard: false,
            deleted_at: None,
            purged_at: None,
        };
        (asset, recording)
    }

    fn an_account() -> Account {
        let received = Received { frames: 5_000, ..Received::default() };
        Account { received: Some([Received::default(), received]), ..Account::default() }
    }

    /// By which way a file became a plain MP4, as one sees it from outside.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Way {
        /// Nothing of it has moved.
        InPlace,
        /// It is the same file, whose media lie further back by what was inserted.
        Inserted { bytes: u64 },
        /// It is another file.
        Copied,
    }

    /// A growing file, to be held against the finished one.
    struct Grown {
        facts: fs::Metadata,
        bytes: Vec<u8>,
        media_offset: u64,
    }

    impl Grown {
        fn read(path: &Path, recording: &Recording) -> Self {
            let (facts, bytes) = (fs::metadata(path).unwrap(), fs::read(path).unwrap());
            Self { facts, bytes, media_offset: recording.layout.media_offset }
        }

        /// How the file at the path came of it. Not one byte of the media is another.
        fn way_to(&self, path: &Path) -> Way {
            let (facts, bytes) = (fs::metadata(path).unwrap(), fs::read(path).unwrap());
            let media_offset = salvage(&mut file::Opened(&File::open(path).unwrap())).unwrap().layout.media_offset;
            let behind = |offset: u64| usize::try_from(offset).unwrap()..;
            assert!(bytes[behind(media_offset)] == self.bytes[behind(self.media_offset)], "the media are others");
            if (facts.dev(), facts.ino()) != (self.facts.dev(), self.facts.ino()) {
                return Way::Copied;
            }
            let moved_bytes = media_offset - self.media_offset;
            assert_eq!(facts.len(), self.facts.len() + moved_bytes);
            if moved_bytes == 0 { Way::InPlace } else { Way::Inserted { bytes: moved_bytes } }
        }

        /// What the plan for it inserts.
        fn to_be_inserted(&self, recording: &Recording, block_bytes: u32) -> u64 {
            let steps = plans::with_insert_range(recording, self.facts.len(), block_bytes).unwrap();
            let lengths = steps.iter().map(|step| if let Step::InsertRange { length, .. } = step { *length } else { 0 });
            lengths.sum()
        }
    }

    fn block_bytes(path: &Path) -> u32 {
        file::block_bytes(&File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn a_file_is_finished_whatever_room_it_has_and_whatever_is_known_of_it() {
        // Room enough; room for one block, which is inserted where the file system can; no room, which means a copy.
        for reserve_bytes in [1 << 20, 9_000, 8] {
            for known in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let regions = regions(folder.path());
                let store = regions.iter().next().unwrap();
                let (asset, recording) = a_recording(store, reserve_bytes);
                let spooled = store.spool().recording_path(asset.id);
                let grown = Grown::read(&spooled, &recording);
                let way = match reserve_bytes {
                    9_000 if store.spool().can_insert_ranges() => {
                        Way::Inserted { bytes: grown.to_be_inserted(&recording, block_bytes(&spooled)) }
                    }
                    9_000 | 8 => Way::Copied,
                    _ => Way::InPlace,
                };
                let known = if known { Known::Closed(recording, an_account()) } else { Known::Abandoned(None) };
                let Placed { facts, report, waits_for_room } = place(store, &asset, known, 0).unwrap();
                assert!(!waits_for_room);
                let report = report.unwrap();
                assert_eq!((report.tracks[0].stored_frames, report.tracks[0].gap_count), (5_000, 0));
                let path = store.path(&Key::from_file_name(&asset.file_name).unwrap());
                assert_eq!(grown.way_to(&path), way, "{reserve_bytes}");
                let file = File::open(&path).unwrap();
                assert_eq!(scan(&mut file::Opened(&file)).unwrap(), Scanned::Finalised, "{reserve_bytes}");
                let seen = pictures::facts(&path).unwrap();
                assert_eq!((facts.size_bytes, facts.audio_codec.as_deref()), (seen.size_bytes, Some("aac")));
                assert!(facts.duration_ms.abs_diff(seen.duration_ms) <= 1, "{facts:?} {seen:?}");
                assert!(!spooled.exists() && !store.spool().copy_path(asset.id).exists());
                // As after a crash before the commit.
                let again = place(store, &asset, Known::Abandoned(None), 0).unwrap().facts;
                assert_eq!((again.size_bytes, again.audio_codec), (facts.size_bytes, facts.audio_codec));
            }
        }
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "what a run could not try")]
    fn where_ranges_can_be_inserted_no_second_file_is_made_and_who_reads_the_media_finds_them_further_back() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        if !store.spool().can_insert_ranges() {
            eprintln!("not tested: no range can be inserted into a file in {}", folder.path().display());
            return;
        }
        let (asset, recording) = a_recording(store, 9_000);
        let spooled = store.spool().recording_path(asset.id);
        let grown = Grown::read(&spooled, &recording);
        let block_bytes = block_bytes(&spooled);
        let inserted = grown.to_be_inserted(&recording, block_bytes);
        assert!(inserted > 0 && inserted.is_multiple_of(block_bytes.into()), "{inserted} bytes in blocks of {block_bytes}");
        // With its name taken no copy can be made.
        let in_the_way = store.spool().copy_path(asset.id);
        fs::write(&in_the_way, b"in the way").unwrap();
        let reader = store.media().of(&grown.facts);
        let then = *reader.read();
        place(store, &asset, Known::Closed(recording, an_account()), 0).unwrap();
        let path = store.path(&Key::from_file_name(&asset.file_name).unwrap());
        assert_eq!(grown.way_to(&path), Way::Inserted { bytes: inserted });
        let found = reader.read().find(grown.media_offset, &then);
        assert_eq!(found, Some(grown.media_offset + inserted));
        assert_eq!(fs::read(&in_the_way).unwrap(), b"in the way");
        assert!(!spooled.exists());
    }

    #[test]
    fn a_file_into_which_only_the_first_range_can_be_inserted_is_copied_by_what_it_is_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let (asset, recording) = a_recording(store, 9_000);
        let path = store.spool().recording_path(asset.id);
        let mut bytes = fs::read(&path).unwrap();
        let length_before = bytes.len() as u64;
        let steps = plans::with_insert_range(&recording, length_before, 4_096).unwrap();
        let inserts = |step: &Step| matches!(step, Step::InsertRange { .. });
        assert!(steps.iter().filter(|step| inserts(step)).count() > 1, "{steps:?}");
        let second = steps.iter().enumerate().filter(|(_, step)| inserts(step)).nth(1).unwrap().0;
        steps[..second].iter().for_each(|step| step.apply(&mut bytes));
        fs::write(&path, &bytes).unwrap();

        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        let now = as_it_is(&file, length_before, &recording).unwrap();
        let index = now.index.clone();
        assert_eq!(now.layout.media_offset, recording.layout.media_offset + (bytes.len() as u64 - length_before));
        rewrite(store, &asset, &now, &path, &mut file, 0).unwrap();
        assert_eq!(scan(&mut file::Opened(&file)).unwrap(), Scanned::Finalised);
        let (seen, said) = (pictures::facts(&path).unwrap(), facts_of(&recording.index));
        assert!(seen.duration_ms.abs_diff(said.duration_ms) <= 1, "{seen:?} {said:?}");
        // The first sample of all lies where the index says.
        let found = salvage(&mut file::Opened(&file)).unwrap();
        assert!(found.index == index && found.good_length == fs::metadata(&path).unwrap().len());
    }

    /// What a recording's folders have, and what is under each name: the spool's file, its copy, and the file in its place.
    type Left = [Option<Vec<u8>>; 3];

    #[test]
    fn a_crash_anywhere_in_a_copy_leaves_a_file_that_plays_and_the_next_start_finishes_it() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let (asset, recording) = a_recording(store, 8);
        let (spooled, copy) = (store.spool().recording_path(asset.id), store.spool().copy_path(asset.id));
        let target = store.path(&Key::from_file_name(&asset.file_name).unwrap());
        let before = fs::read(&spooled).unwrap();
        assert!(matches!(plans::plan(&recording, before.len() as u64, Some(4_096)), Ok(FinalisePlan::Copy(_))));
        let reference = |path: &Path| match scan(&mut file::Opened(&File::open(path).unwrap())).unwrap() {
            Scanned::Growing { recording, .. } => Some(recording.index),
            Scanned::Finalised => None,
        };
        let index = reference(&spooled).unwrap();
        let block_bytes = file::block_bytes(&File::open(&spooled).unwrap()).unwrap();
        let plan = plans::copy(&recording, before.len() as u64, block_bytes).unwrap();
        let mut whole = plan.head.to_vec();
        whole.extend_from_slice(&before[usize::try_from(plan.source.start).unwrap()..]);

        // Until the copy is synced it may have any part of what was written to it, in whatever order; its name, and the one that it takes over, are as before.
        let head = plan.head.len();
        let part = |kept: std::ops::Range<usize>, length: usize| {
            let mut bytes = vec![0; length];
            bytes[kept.clone()].copy_from_slice(&whole[kept]);
            bytes
        };
        let lengths = [0, 1, head / 2, head, head + 1, (head + whole.len()) / 2, whole.len() - 1, whole.len()];
        let torn = lengths.into_iter().flat_map(|length| [part(0..length, length), part(length..whole.len(), whole.len())]);
        let mut left: Vec<Left> = torn.map(|copy| [Some(before.clone()), Some(copy), None]).collect();
        // Then it is whole under one of the names in turn: each rename has happened or not.
        left.push([Some(before.clone()), None, None]);
        left.push([Some(whole.clone()), None, None]);
        left.push([None, None, Some(whole.clone())]);
        // The same where an encoder had come back to a recording that stands in its place.
        left.extend([None, Some(part(0..head, whole.len()))].map(|copy| [None, copy, Some(before.clone())]));

        fs::create_dir_all(target.parent().unwrap()).unwrap();
        for state in left {
            for (path, bytes) in [&spooled, &copy, &target].into_iter().zip(&state) {
                match bytes {
                    Some(bytes) => fs::write(path, bytes).unwrap(),
                    None => drop(fs::remove_file(path)),
                }
            }
            let lengths = state.each_ref().map(|bytes| bytes.as_ref().map(Vec::len));
            let found = if spooled.exists() { &spooled } else { &target };
            match reference(found) {
                Some(found) => assert!(found == index, "{lengths:?}"),
                None => assert!(fs::read(found).unwrap() == whole, "{lengths:?}"),
            }
            // The next start.
            store.spool().remove_copies().unwrap();
            place(store, &asset, Known::Abandoned(None), 0).unwrap();
            assert!(fs::read(&target).unwrap() == whole, "{lengths:?}");
            assert!(!copy.exists() && !spooled.exists());
        }
    }

    #[test]
    fn a_file_that_was_cut_short_growing_or_finished_is_recovered_beside_it_up_to_its_last_fragment() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        for (number, reserve_bytes) in [None, Some(1 << 20), Some(9_000), Some(8)].into_iter().enumerate() {
            let (mut asset, recording) = a_recording(store, reserve_bytes.unwrap_or(1 << 20));
            let mut path = store.spool().recording_path(asset.id);
            let whole_ms = facts_of(&recording.index).duration_ms;
            if reserve_bytes.is_some() {
                asset.file_name = format!("8sKpm-x49nB-{}.mp4", number + 1);
                place(store, &asset, Known::Closed(recording, an_account()), 0).unwrap();
                path = store.path(&Key::from_file_name(&asset.file_name).unwrap());
                assert_eq!(recover_file(&path, None).unwrap(), RecoveredFile::WasFinished);
            }
            let length = fs::metadata(&path).unwrap().len();
            File::options().write(true).open(&path).unwrap().set_len(length - length / 4).unwrap();
            let before = fs::read(&path).unwrap();
            let RecoveredFile::Recovered { place, duration_ms, lost_bytes } = recover_file(&path, None).unwrap() else {
                panic!("{reserve_bytes:?} was cut short")
            };
            let seen = pictures::facts(&place).unwrap();
            assert!(seen.duration_ms.abs_diff(duration_ms) <= 1 && duration_ms > whole_ms / 4, "{seen:?} of {whole_ms} ms");
            assert!(lost_bytes < 10_000, "{lost_bytes}");
            assert_eq!(fs::read(&path).unwrap(), before);
            assert!(matches!(recover_file(&path, None), Err(RecoverError::Taken(_))));
        }
        let other = folder.path().join("other.mp4");
        fs::write(&other, b"not an MP4").unwrap();
        assert!(matches!(recover_file(&other, None), Err(RecoverError::NotOurs(_))));
    }

    #[test]
    fn what_holds_no_fragment_is_empty_and_what_is_no_recording_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let (asset, _) = a_recording(store, 1_000);
        let path = store.spool().recording_path(asset.id);
        File::options().write(true).open(&path).unwrap().set_len(1_700).unwrap();
        let error = place(store, &asset, Known::Abandoned(None), 0).unwrap_err();
        assert!(matches!(error, FinaliseError::Empty) && error.is_final(), "{error}");
        fs::write(&path, b"not an MP4").unwrap();
        let error = place(store, &asset, Known::Abandoned(None), 0).unwrap_err();
        assert!(matches!(error, FinaliseError::Scan(_)) && error.is_final(), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(matches!(place(store, &asset, Known::Abandoned(None), 0), Err(FinaliseError::Empty)));
    }
}
