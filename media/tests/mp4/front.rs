//! Watched while it grows: a front before the media so far plays what the growing file has.

use afterlive_media::frame::TrackKind;
use afterlive_media::mp4::{RecordingWriter, front};
use bytes::Bytes;
use proptest::prelude::*;

use crate::player::{Played, Track, play};
use crate::streams::{Recorded, append, audio, frame, record, streams, ten_hours, video};

/// Where the fragments begin.
fn media(recorded: &Recorded) -> usize {
    recorded.instants[0].0
}

/// The first `media_bytes` behind their front; `None` where there is nothing to play.
fn snapshot(recorded: &Recorded, media_bytes: usize) -> Option<Vec<u8>> {
    let front = front(&recorded.recording.index, media_bytes as u64)?;
    Some([&front, &recorded.file[media(recorded)..][..media_bytes]].concat())
}

fn starts(played: &Played) -> Vec<i64> {
    let starts: Vec<i64> = played.tracks.values().filter(|track| !track.samples.is_empty()).map(Track::start_ms).collect();
    starts.iter().map(|start| start - starts.iter().min().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_snapshot_plays_what_the_growing_file_has_at_that_instant(stream in streams()) {
        let recorded = record(&stream);
        for (length, index) in &recorded.instants {
            let growing = play(&recorded.file[..*length]);
            let media_bytes = length - media(&recorded);
            let Some(snapshot) = snapshot(&recorded, media_bytes) else {
                prop_assert!(index.is_empty());
                continue;
            };
            let played = play(&snapshot);
            prop_assert!(!played.fragmented);
            prop_assert_eq!(starts(&played).len(), starts(&growing).len());
            prop_assert!(starts(&played).iter().zip(starts(&growing)).all(|(one, other)| (one - other).abs() <= 1));
            prop_assert_eq!(played.tracks.values().map(Track::start_ms).min(), Some(0), "the movie starts at once");
            // Where negative offsets would put a presentation before the first decoding, all are lifted alike.
            for (id, samples) in played.essence() {
                let of_growing = &growing.essence()[&id];
                let lift = samples[0].pts - of_growing[0].pts;
                let lifted: Vec<_> = of_growing.iter().cloned().map(|mut sample| { sample.pts += lift; sample }).collect();
                prop_assert_eq!(samples, lifted);
            }
        }
    }

    #[test]
    fn what_came_later_does_not_change_a_front(stream in streams()) {
        let recorded = record(&stream);
        for (length, index) in &recorded.instants {
            let media_bytes = (length - media(&recorded)) as u64;
            prop_assert_eq!(front(index, media_bytes), front(&recorded.recording.index, media_bytes));
            prop_assert_eq!(&index.up_to(u64::MAX), &recorded.recording.index.up_to(media_bytes));
        }
        let fronts: Vec<usize> = recorded.instants.iter().filter_map(|(length, index)| Some(front(index, (length - media(&recorded)) as u64)?.len())).collect();
        prop_assert!(fronts.iter().all(|length| length.is_power_of_two()) && fronts.is_sorted());
    }

    #[test]
    fn cut_anywhere_a_snapshot_has_the_beginning_of_each_track(stream in streams(), cut in any::<prop::sample::Index>()) {
        let recorded = record(&stream);
        let cut = cut.index(recorded.file.len() - media(&recorded) + 1);
        let Some(snapshot) = snapshot(&recorded, cut) else { return Ok(()) };
        let whole = play(&recorded.file).essence();
        for (id, samples) in play(&snapshot).essence() {
            prop_assert!(samples.iter().zip(&whole[&id]).all(|(one, other)| one.data == other.data && one.dts == other.dts));
            prop_assert!(samples.len() <= whole[&id].len());
        }
    }
}

#[test]
fn a_track_and_a_configuration_that_come_later_are_not_in_the_snapshots_before() {
    let (mut writer, head) = RecordingWriter::new(&[video(360)], 20_000);
    let mut file = head.to_vec();
    let mut fronts = Vec::new();
    for second in 0..3 {
        if second == 1 {
            writer.configure(&audio(48_000)).unwrap().iter().for_each(|step| step.apply(&mut file));
            writer.configure(&video(180)).unwrap().iter().for_each(|step| step.apply(&mut file));
            // Declared, and nothing of it stored yet.
            let (media_bytes, front_before): &(u64, Bytes) = &fronts[0];
            assert_eq!(front(writer.index(), *media_bytes).as_ref(), Some(front_before));
        }
        for at in 0..3 {
            writer.push(frame(TrackKind::Video, second * 120 + at * 40, 0, true, "picture")).unwrap();
        }
        if second > 0 {
            writer.push(frame(TrackKind::Audio, second * 5_760, 0, true, "sound")).unwrap();
        }
        append(&mut file, &writer.cut().unwrap());
        let media_bytes = (file.len() - head.len()) as u64;
        fronts.push((media_bytes, front(writer.index(), media_bytes).unwrap()));
    }
    let tracks = |(media_bytes, front): &(u64, Bytes)| {
        let played = play(&[front, &file[head.len()..][..*media_bytes as usize]].concat());
        played.tracks.values().map(|track| track.samples.last().unwrap().description).collect::<Vec<_>>()
    };
    assert_eq!(fronts.iter().map(tracks).collect::<Vec<_>>(), [vec![1], vec![2], vec![2, 1]]);
}

#[test]
fn media_beyond_2_gib_get_wide_chunk_offsets_and_a_front_of_ten_hours_takes_some_megabytes() {
    let index = ten_hours().index;
    let has = |front: &[u8], kind: &[u8]| front.windows(4).any(|window| window == kind);
    let early = front(&index, 1 << 30).unwrap();
    assert!(has(&early, b"stco") && !has(&early, b"co64"));
    let late = front(&index, 11 << 30).unwrap();
    assert!(has(&late, b"co64") && !has(&late, b"stco"));
    assert!(late.len() <= 32 << 20, "{} bytes", late.len());
}
