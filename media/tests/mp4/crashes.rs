//! Crashes while a recording is finalised: whatever has reached the disk, the file plays, and the next start finishes the work.

use afterlive_media::frame::TrackKind;
use afterlive_media::mp4::{FinalisePlan, PlanError, Scanned, Step, finalise, scan};
use proptest::prelude::*;

use crate::player::{Played, play};
use crate::recording::carry_out;
use crate::streams::{Event, Stream, frame, record, streams, video};

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
