//! `afterlive recover FILE`, in a folder without settings, database or server.

use std::fs;
use std::path::Path;

use afterlive_media::frame::{TrackConfig, TrackKind};
use afterlive_media::mp4::finalise::in_place;
use afterlive_media::mp4::{Fragment, RecordingWriter, SMALL_RESERVE_BYTES, SampleIndex, TrackIndex};
use afterlive_server::hub::Message;

use super::text;
use crate::fixture::encoder::{boxes, complaints, encode, ffprobe};
use crate::fixture::program::{afterlive, run};

/// Of pictures and of sound together.
const FRAMES_A_FRAGMENT: usize = 70;

/// A recording, byte by byte.
struct Recorded {
    /// As it lies in the spool, and as it lies in its place.
    growing: Vec<u8>,
    finished: Vec<u8>,
    head_bytes: usize,
    /// Where each fragment ends, in both, and how many frames of pictures and of sound there are up to there.
    fragments: Vec<(usize, [u32; 2])>,
}

fn append(file: &mut Vec<u8>, fragment: &Fragment) {
    assert_eq!(fragment.offset, file.len() as u64);
    fragment.parts.iter().for_each(|part| file.extend_from_slice(part));
}

fn recorded() -> Recorded {
    let (mut tracks, mut frames) = (Vec::<TrackConfig>::new(), Vec::new());
    for message in encode(4, true, true) {
        match message {
            Message::TrackChanged(track) => tracks.push(track),
            Message::Frame(frame) => frames.push(frame),
            Message::Ended => {}
        }
    }
    let frames_in =
        |index: &SampleIndex| [TrackKind::Video, TrackKind::Audio].map(|kind| index.track(kind).map_or(0, TrackIndex::samples));
    let (mut writer, head) = RecordingWriter::new(&tracks, SMALL_RESERVE_BYTES);
    let (mut growing, mut fragments) = (head.to_vec(), Vec::new());
    for (number, frame) in (1..).zip(frames) {
        writer.push(frame).unwrap();
        if number % FRAMES_A_FRAGMENT == 0 {
            append(&mut growing, &writer.cut().unwrap());
            fragments.push((growing.len(), frames_in(writer.index())));
        }
    }
    let (last, recording) = writer.finish();
    append(&mut growing, &last.unwrap());
    fragments.push((growing.len(), frames_in(&recording.index)));
    let mut finished = growing.clone();
    in_place(&recording, growing.len() as u64).unwrap().iter().for_each(|step| step.apply(&mut finished));
    Recorded { growing, finished, head_bytes: head.len(), fragments }
}

/// Exit code, standard output and standard error.
fn recover(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(afterlive(folder, &[&["recover"], arguments].concat(), &[]), "");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn files_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn what_was_cut_short_is_made_a_file_that_plays_beside_it_or_where_one_says() {
    let folder = tempfile::tempdir().unwrap();
    let Recorded { growing, finished, fragments, .. } = recorded();
    let [.., (good_bytes, frames), (next_bytes, _), _] = fragments[..] else { panic!("{fragments:?}") };
    // In the midst of a fragment.
    let cut = (good_bytes + next_bytes) / 2;
    let cases = [
        ("growing.mp4", &growing, vec!["growing.mp4"], "growing.recovered.mp4"),
        ("finished.mp4", &finished, vec!["finished.mp4", "--output", "again.mp4"], "again.mp4"),
    ];
    for (name, whole, arguments, place) in cases {
        let left = &whole[..cut];
        let (path, made) = (folder.path().join(name), folder.path().join(place));
        fs::write(&path, left).unwrap();
        let (code, printed, told) = recover(folder.path(), &arguments);
        assert_eq!((code, printed), (Some(0), format!("{place}\n")), "{told}");
        let lost = format!(" s; {} bytes at the end were no whole fragment\n", cut - good_bytes);
        let seconds = told.strip_prefix("recovered ").and_then(|told| told.strip_suffix(&lost));
        let seconds: f64 = seconds.unwrap_or_else(|| panic!("{told}")).parse().unwrap();
        assert_eq!(boxes(&made).last().map(String::as_str), Some("mdat"));
        assert_eq!(complaints(&made), "");
        assert_eq!(ffprobe(&made, "stream=nb_frames"), frames.map(|frames| frames.to_string()));
        let lasts: f64 = ffprobe(&made, "format=duration")[0].parse().unwrap();
        assert!(lasts > 2.0 && (lasts - seconds).abs() < 0.002, "{lasts} s: {told}");
        assert!(fs::read(&path).unwrap() == left, "it is only read");

        // What somebody has by that name is not written over.
        fs::write(&made, b"mine").unwrap();
        let taken = format!("afterlive: {place} is there already; name another file with --output\n");
        assert_eq!(recover(folder.path(), &arguments), (Some(1), String::new(), taken));
        assert_eq!(fs::read(&made).unwrap(), b"mine");
    }
    assert_eq!(files_in(folder.path()), ["again.mp4", "finished.mp4", "growing.mp4", "growing.recovered.mp4"]);
}

#[test]
fn what_is_whole_is_left_and_of_what_is_no_recording_it_is_said_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let Recorded { growing, finished, head_bytes, .. } = recorded();
    let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // The first box is whole, and nothing behind it.
    let first_bytes = u32::from_be_bytes(growing[..4].try_into().unwrap()) as usize;
    let beginning = [&growing[..first_bytes], &noise].concat();
    let files: [(&str, &[u8]); 6] = [
        ("whole.mp4", &finished),
        ("growing.mp4", &growing),
        ("noise.mp4", &noise),
        ("beginning.mp4", &beginning),
        ("empty.mp4", &[]),
        ("head.mp4", &growing[..head_bytes]),
    ];
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }

    let whole = "whole.mp4 is a finished recording: there is nothing to recover\n";
    assert_eq!(recover(folder.path(), &["whole.mp4"]), (Some(0), "whole.mp4\n".to_owned(), whole.to_owned()));
    let not_ours = "is no recording of Afterlive, or nothing of its beginning is left";
    let refusals = [
        (vec!["noise.mp4"], format!("noise.mp4 {not_ours}")),
        (vec!["noise.mp4", "--output", "again.mp4"], format!("noise.mp4 {not_ours}")),
        (vec!["beginning.mp4"], format!("beginning.mp4 {not_ours}")),
        (vec!["empty.mp4"], format!("empty.mp4 {not_ours}")),
        (vec!["head.mp4"], "there is nothing to play in head.mp4".to_owned()),
        (vec!["none.mp4"], "none.mp4 cannot be read: No such file or directory".to_owned()),
        (vec!["growing.mp4", "--output", "none/a.mp4"], "none/a.mp4 cannot be written: No such file or directory".to_owned()),
    ];
    for (arguments, refusal) in refusals {
        let (code, printed, told) = recover(folder.path(), &arguments);
        assert_eq!((code, printed), (Some(1), String::new()), "{told}");
        assert!(told.starts_with(&format!("afterlive: {refusal}")) && told.lines().count() == 1, "{told}");
    }
    assert_eq!(recover(folder.path(), &[]).0, Some(2));

    let mut names = files.map(|(name, _)| name.to_owned());
    names.sort_unstable();
    assert_eq!(files_in(folder.path()), names, "nothing was made");
    for (name, bytes) in files {
        assert!(fs::read(folder.path().join(name)).unwrap() == bytes, "{name} is only read");
    }
}
