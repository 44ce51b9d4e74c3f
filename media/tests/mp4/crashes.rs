//! Crashes while a recording is finalised: whatever has reached the disk, the file plays, and the next start finishes the work.

use afterlive_media::frame::{TrackConfig, TrackKind};
use afterlive_media::mp4::{FinalisePlan, PlanError, RecordingWriter, Scanned, Step, finalise, salvage, scan};
use proptest::prelude::*;

use crate::player::{Played, play, play_rejoined};
use crate::recording::{carry_out, finalised};
use crate::streams::{Event, Stream, as_stored, audio, frame, record, record_by, streams, video};

/// Every file that a crash may leave: what is before the last sync is there, of what is after it anything, and writes of more than 4 bytes may be torn.
fn left_by_crashes(file: &[u8], steps: &[Step]) -> Vec<Vec<u8>> {
    let (mut synced, mut left) = (file.to_vec(), vec![file.to_vec()]);
    for group in steps.split(|step| *step == Step::Sync) {
        for subset in 1_u32..1 << group.len() {
            let chosen = || group.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1).map(|(_, step)| step);
            let mut whole = synced.clone();
            chosen().for_each(|step| step.apply(&mut whole));
            left.push(whole);
            let mut torn = synced.clone();
            chosen().map(torn_half).for_each(|step| step.apply(&mut torn));
            left.push(torn);
        }
        group.iter().for_each(|step| step.apply(&mut synced));
    }
    left
}

fn torn_half(step: &Step) -> Step {
    match step {
        Step::Write { offset, bytes } if bytes.len() > 4 => {
            Step::Write { offset: *offset, bytes: bytes.slice(..bytes.len() / 2) }
        }
        other => other.clone(),
    }
}

/// Each track's samples: bytes and decoding time. (Presentation times are all lifted by finalising where some would be negative.)
fn media(played: &Played) -> Vec<Vec<(Vec<u8>, i64)>> {
    played.essence().into_values().map(|track| track.into_iter().map(|sample| (sample.data, sample.dts)).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn at_every_crash_the_file_plays_and_the_next_start_finishes(stream in streams(), block_bytes in prop::sample::select(vec![16_u32, 64, 512]), torn_bytes in 0_usize..50) {
        let mut recorded = record(&stream);
        if recorded.recording.index.is_empty() {
            return Ok(());
        }
        let expected = media(&play(&recorded.file));
        // A torn last fragment is of no account.
        recorded.file.extend(b"\0\0\x10\0moof".iter().chain(&[7; 50]).take(torn_bytes));
        let file_length = recorded.file.len() as u64;
        let plans = [finalise::in_place(&recorded.recording, file_length), finalise::with_insert_range(&recorded.recording, file_length, block_bytes)];
        for plan in plans {
            let steps = match plan {
                Ok(steps) => steps,
                Err(PlanError::NeedsRoom { .. }) => continue,
                Err(error) => panic!("{error}"),
            };
            for left in left_by_crashes(&recorded.file, &steps) {
                prop_assert_eq!(media(&play(&left)), expected.clone());
                match scan(&mut &left[..]).unwrap() {
                    Scanned::Finalised => prop_assert!(!play(&left).fragmented),
                    Scanned::Growing { recording, file_length } => {
                        let again = finalise::plan(&recording, file_length, Some(block_bytes)).unwrap();
                        let finished = carry_out(&again, &left);
                        let played = play(&finished);
                        prop_assert!(!played.fragmented);
                        prop_assert_eq!(media(&played), expected.clone());
                        prop_assert_eq!(scan(&mut &finished[..]).unwrap(), Scanned::Finalised);
                    }
                }
            }
            let mut finished = recorded.file.clone();
            steps.iter().for_each(|step| step.apply(&mut finished));
            prop_assert_eq!(scan(&mut &finished[..]).unwrap(), Scanned::Finalised);
        }
    }

    #[test]
    fn a_copy_plays_the_same_and_is_made_of_whole_blocks(stream in streams(), block_bytes in prop::sample::select(vec![512_u32, 4_096])) {
        let recorded = record(&stream);
        if recorded.recording.index.is_empty() {
            return Ok(());
        }
        let copy = finalise::copy(&recorded.recording, recorded.file.len() as u64, block_bytes).unwrap();
        prop_assert_eq!(copy.head.len() as u64 % u64::from(block_bytes), 0);
        prop_assert_eq!(copy.source.start % u64::from(block_bytes), 0);
        let played = play(&carry_out(&FinalisePlan::Copy(copy), &recorded.file));
        prop_assert_eq!(media(&played), media(&play(&recorded.file)));
    }
}

/// The same with all configurations left out: an encoder that comes back has those that it had.
fn without_changes(mut stream: Stream) -> Stream {
    stream.events.retain(|event| !matches!(event, Event::Configure(_)));
    stream
}

/// What of `again` an encoder with the tracks of `first` would send, in their timescales.
fn in_the_same_tracks(again: Stream, first: &Stream) -> Stream {
    let track = |tracks: &[TrackConfig], kind| {
        tracks.iter().find(|track| track.codec.kind() == kind).map(|track| i64::from(track.timescale))
    };
    let mut events = again.events;
    events.retain_mut(|event| {
        let Event::Frame(frame) = event else { return true };
        let (Some(to), Some(from)) = (track(&first.tracks, frame.kind), track(&again.tracks, frame.kind)) else { return false };
        frame.dts = frame.dts * to / from;
        true
    });
    Stream { tracks: first.tracks.clone(), events, ..again }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_finished_file_is_reopened_by_one_write_and_goes_on_and_every_crash_on_the_way_leaves_it_playing(
        stream in streams(),
        again in streams(),
        block_bytes in prop::sample::select(vec![64_u32, 512]),
    ) {
        let stream = without_changes(stream);
        let again = in_the_same_tracks(without_changes(again), &stream);
        let recorded = record(&stream);
        if recorded.recording.index.is_empty() {
            return Ok(());
        }
        let before = media(&play(&recorded.file));
        for plan in [finalise::plan(&recorded.recording, recorded.file.len() as u64, Some(block_bytes)).unwrap(), FinalisePlan::Copy(finalise::copy(&recorded.recording, recorded.file.len() as u64, block_bytes).unwrap())] {
            let mut file = carry_out(&plan, &recorded.file);
            let found = salvage(&mut &file[..]).unwrap();
            prop_assert_eq!(&found.index, &recorded.recording.index);
            for step in finalise::reopen(&found.layout) {
                step.apply(&mut file);
                prop_assert!(play(&file).fragmented);
                prop_assert_eq!(media(&play(&file)), before.clone());
            }
            let Scanned::Growing { recording, .. } = scan(&mut &file[..]).unwrap() else { panic!("it grows again") };
            prop_assert_eq!(&recording, &found);
            let writer = RecordingWriter::resume(found, &stream.tracks).unwrap();
            let (begins_ms, joined_at, begin) = (writer.begins_ms() as i64, file.len(), writer.layout().media_offset);
            let longer = record_by(writer, file, &again);
            // What was seen before stays what it was.
            let instants = recorded.instants.iter().map(|(length, index)| ((length - recorded.instants[0].0) as u64, index));
            for (media_bytes, index) in instants.chain(longer.instants.iter().map(|(length, index)| (*length as u64 - begin, index))) {
                prop_assert_eq!(index.up_to(u64::MAX), longer.recording.index.up_to(media_bytes));
            }
            let Scanned::Growing { recording, .. } = scan(&mut &longer.file[..]).unwrap() else { panic!("it grows") };
            prop_assert_eq!(&recording, &longer.recording);
            prop_assert_eq!(media(&play(&longer.file[..joined_at])), before.clone());

            // Nothing of either part is lost, and decoding goes forward; the second part begins together, where the first has ended.
            let after = play_rejoined(&longer.file);
            for (at, (track, first)) in after.tracks.iter().enumerate() {
                let config = &stream.tracks[at];
                let sent: Vec<_> = [&stream, &again].iter().flat_map(|part| part.frames(config.codec.kind())).map(|frame| as_stored(config, frame).to_vec()).collect();
                prop_assert_eq!(first.samples.iter().map(|sample| sample.data.clone()).collect::<Vec<_>>(), sent, "track {}", track);
                prop_assert!(first.samples.windows(2).all(|pair| pair[0].dts < pair[1].dts));
                let joined = stream.frames(stream.tracks[at].codec.kind()).len();
                if let Some(sample) = first.samples.get(joined) {
                    prop_assert!(sample.dts * 1_000 >= begins_ms * i64::from(first.timescale) - i64::from(first.timescale));
                }
            }

            // Finished anew: whatever a crash leaves plays, and is finished by the next start.
            let expected = media(&after);
            let steps = match finalise::plan(&longer.recording, longer.file.len() as u64, Some(block_bytes)).unwrap() {
                FinalisePlan::InPlace(steps) | FinalisePlan::InsertRange(steps) => steps,
                FinalisePlan::Copy(_) => continue,
            };
            for left in left_by_crashes(&longer.file, &steps) {
                prop_assert_eq!(media(&play_rejoined(&left)), expected.clone());
                if let Scanned::Growing { recording, file_length } = scan(&mut &left[..]).unwrap() {
                    let finished = carry_out(&finalise::plan(&recording, file_length, Some(block_bytes)).unwrap(), &left);
                    prop_assert_eq!(media(&play(&finished)), expected.clone());
                }
            }
        }
    }

    #[test]
    fn a_reserve_that_is_enlarged_while_the_file_grows_moves_the_media_and_nothing_else(stream in streams(), enlarge_at in proptest::collection::vec(0_usize..40, 1..4)) {
        let stream = Stream { reserve_bytes: 600, ..without_changes(stream) };
        let (mut writer, head) = RecordingWriter::new(&stream.tracks, stream.reserve_bytes);
        let (mut file, mut cuts) = (head.to_vec(), 0);
        for event in &stream.events {
            match event {
                Event::Frame(frame) => writer.push(frame.clone()).unwrap(),
                _ => {
                    writer.cut().iter().for_each(|fragment| crate::streams::append(&mut file, fragment));
                    cuts += 1;
                    if enlarge_at.contains(&cuts) && let Some(enlargement) = writer.enlarge_reserve(64) {
                        let before = media(&play(&file));
                        for left in left_by_crashes(&file, &enlargement.steps) {
                            prop_assert_eq!(media(&play(&left)), before.clone());
                        }
                        enlargement.steps.iter().for_each(|step| step.apply(&mut file));
                        writer.enlarged(&enlargement);
                        prop_assert_eq!(writer.length() as usize, file.len());
                    }
                }
            }
        }
        let (last, recording) = writer.finish();
        last.iter().for_each(|fragment| crate::streams::append(&mut file, fragment));
        let Scanned::Growing { recording: found, .. } = scan(&mut &file[..]).unwrap() else { panic!("it grows") };
        prop_assert_eq!(&found, &recording);
        let plain = record(&Stream { reserve_bytes: 100_000, ..stream });
        prop_assert_eq!(&recording.index, &plain.recording.index, "the index does not say where the media lie");
        if !recording.index.is_empty() {
            let finished = carry_out(&finalise::plan(&recording, file.len() as u64, Some(64)).unwrap(), &file);
            prop_assert_eq!(play(&finished).essence(), play(&finalised(&plain)).essence());
        }
    }
}

#[test]
fn sound_and_picture_that_ended_apart_begin_together_again() {
    let sent = |video_ms: &[i64], audio_ms: &[i64]| {
        let pictures = video_ms.iter().map(|ms| (*ms, frame(TrackKind::Video, *ms, 0, *ms == video_ms[0], "picture")));
        let sound = audio_ms.iter().map(|ms| (*ms, frame(TrackKind::Audio, ms * 48, 0, true, "sound")));
        let mut frames: Vec<_> = pictures.chain(sound).collect();
        frames.sort_by_key(|(ms, _)| *ms);
        let events = frames.into_iter().map(|(_, frame)| Event::Frame(frame)).collect();
        Stream { tracks: vec![video(360), audio(48_000)], events, reserve_bytes: 10_000 }
    };
    // Pictures end at 120 ms, sound at 61 ms. The encoder comes back with a clock of its own, and sound 10 ms before the pictures.
    let recorded = record(&sent(&[0, 40, 80], &[0, 20, 40]));
    let mut file = finalised(&recorded);
    let found = salvage(&mut &file[..]).unwrap();
    finalise::reopen(&found.layout).iter().for_each(|step| step.apply(&mut file));
    assert!(RecordingWriter::resume(found.clone(), &[video(180), audio(48_000)]).is_none(), "another picture size");
    assert!(RecordingWriter::resume(found.clone(), &[video(360)]).is_none(), "no sound");
    let writer = RecordingWriter::resume(found, &[video(360), audio(48_000)]).unwrap();
    assert_eq!(writer.begins_ms(), 120);
    let longer = record_by(writer, file, &sent(&[5_010, 5_050], &[5_000, 5_020]));
    for played in [play_rejoined(&longer.file), play(&finalised(&longer))] {
        let times =
            |track: u32, scale: i64| played.tracks[&track].samples.iter().map(|sample| sample.dts / scale).collect::<Vec<_>>();
        assert_eq!(times(1, 1), [0, 40, 80, 130, 170]);
        assert_eq!(times(2, 48), [0, 20, 40, 120, 140]);
        let durations = |track: u32, scale: u32| {
            played.tracks[&track].samples.iter().map(|sample| sample.duration / scale).collect::<Vec<_>>()
        };
        assert_eq!(durations(1, 1), [40, 40, 50, 40, 40]);
        assert_eq!(durations(2, 48), [20, 20, 80, 20, 21]);
    }
    assert_eq!(longer.recording.index.duration_ms(), 210);
}

#[test]
fn a_small_reserve_grows_by_doubling() {
    let events = (0..2_000).map(|at| Event::Frame(frame(TrackKind::Video, at * 40, 0, at == 0, "abcd"))).collect();
    let recorded = record(&Stream { tracks: vec![video(360)], events, reserve_bytes: 1_100 });
    let file_length = recorded.file.len() as u64;
    let steps = finalise::with_insert_range(&recorded.recording, file_length, 512).unwrap();
    let inserted: Vec<_> = steps
        .iter()
        .filter_map(|step| if let Step::InsertRange { offset, length } = step { Some((*offset, *length)) } else { None })
        .collect();
    assert_eq!(inserted, [(512, 512), (512, 1_024), (512, 2_048), (512, 4_096)]);
    let finished = play(&carry_out(&FinalisePlan::InsertRange(steps), &recorded.file));
    assert_eq!(finished.essence(), play(&recorded.file).essence());
}

#[test]
fn a_reserve_without_a_whole_block_is_refused_and_a_copy_taken() {
    let events = [0, 40].map(|dts| Event::Frame(frame(TrackKind::Video, dts, 0, true, "abcd"))).to_vec();
    let recorded = record(&Stream { tracks: vec![video(360)], events, reserve_bytes: 100 });
    let file_length = recorded.file.len() as u64;
    let refused = finalise::in_place(&recorded.recording, file_length);
    assert!(matches!(refused, Err(PlanError::NeedsRoom { reserve_bytes }) if reserve_bytes > 100));
    assert!(matches!(finalise::with_insert_range(&recorded.recording, file_length, 4_096), Err(PlanError::NeedsRoom { .. })));
    assert!(matches!(finalise::plan(&recorded.recording, file_length, Some(4_096)), Ok(FinalisePlan::Copy(_))));
}
