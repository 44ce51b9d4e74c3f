//! A file that was left behind: the bytes are the file.

use afterlive_media::mp4::{CopyPlan, Recording, ScanError, Scanned, Step, finalise, salvage, scan};

const BLOCK_BYTES: u32 = 64;

pub(crate) fn run(data: &[u8]) {
    if let Ok(Scanned::Growing { recording, file_length }) = scan(&mut &data[..]) {
        assert_eq!(file_length, data.len() as u64);
        lies_in(&recording, data);
        for (way, finished) in finished(&recording, data) {
            is_plain(way, &finished);
        }
    }
    if let Ok(recording) = salvage(&mut &data[..]) {
        lies_in(&recording, data);
        if let Ok(plan) = finalise::copy(&recording, recording.good_length, BLOCK_BYTES) {
            is_plain("salvaged", &copy(&plan, data));
        }
    }
}

fn lies_in(recording: &Recording, file: &[u8]) {
    let file_length = file.len() as u64;
    assert!(recording.good_length <= file_length && recording.layout.reserve_end() <= file_length, "{recording:?}");
}

pub(crate) fn is_plain(way: &str, finished: &[u8]) {
    assert!(matches!(scan(&mut &finished[..]), Ok(Scanned::Finalised)), "{way}");
}

/// What each way of finishing makes of the file, by name; none where there is nothing in it.
pub(crate) fn finished(recording: &Recording, file: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let length = file.len() as u64;
    let in_place = finalise::in_place(recording, length).ok().map(|steps| ("in place", apply(&steps, file)));
    let inserted =
        finalise::with_insert_range(recording, length, BLOCK_BYTES).ok().map(|steps| ("inserted", apply(&steps, file)));
    let copied = finalise::copy(recording, length, BLOCK_BYTES).ok().map(|plan| ("copied", copy(&plan, file)));
    [in_place, inserted, copied].into_iter().flatten().collect()
}

fn apply(steps: &[Step], file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    steps.iter().for_each(|step| step.apply(&mut file));
    file
}

fn copy(plan: &CopyPlan, file: &[u8]) -> Vec<u8> {
    [&plan.head, &file[plan.source.start as usize..plan.source.end as usize]].concat()
}

/// What the scan found in a growing file.
pub(crate) fn growing(file: &[u8]) -> Result<Recording, ScanError> {
    match scan(&mut &file[..])? {
        Scanned::Growing { recording, .. } => Ok(recording),
        Scanned::Finalised => panic!("nothing has finished it"),
    }
}
