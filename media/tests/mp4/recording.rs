//! What is recorded is what was sent: bytes, times, order, alignment.

use afterlive_media::codec::in_band::ParameterSets;
use afterlive_media::frame::{CodecConfig, Frame, TrackKind};
use afterlive_media::mp4::{FinalisePlan, PlanError, RecordingWriter, Scanned, Step, WriterError, finalise, scan};
use proptest::prelude::*;

use crate::player::{Played, Track, boxes, play};
use crate::streams::{
    Event, PRE_SKIP, Recorded, Stream, as_stored, audio, av1, frame, hevc, opus, record, streams, ten_hours, video,
};

pub fn carry_out(plan: &FinalisePlan, file: &[u8]) -> Vec<u8> {
    match plan {
        FinalisePlan::InPlace(steps) | FinalisePlan::InsertRange(steps) => {
            let mut file = file.to_vec();
            steps.iter().for_each(|step| step.apply(&mut file));
            file
        }
        FinalisePlan::Copy(copy) => [&copy.head, &file[copy.source.start as usize..copy.source.end as usize]].concat(),
    }
}

pub fn finalised(recorded: &Recorded) -> Vec<u8> {
    let plan = finalise::plan(&recorded.recording, recorded.file.len() as u64, Some(512)).unwrap();
    carry_out(&plan, &recorded.file)
}

fn ticks(frame: &Frame, other: &Frame) -> (i64, i64) {
    (frame.dts - other.dts, frame.pts() - other.dts)
}

fn assert_is_what_was_sent(stream: &Stream, played: &Played) {
    let configured =
        stream.events.iter().filter_map(|event| if let Event::Configure(config) = event { Some(config) } else { None });
    let changes = stream.events.iter().any(|event| matches!(event, Event::Configure(_)));
    let sets: Vec<_> = stream.tracks.iter().chain(configured).filter_map(|track| ParameterSets::of(&track.codec)).collect();
    for (track, (id, samples)) in
        stream.tracks.iter().filter(|track| !stream.frames(track.codec.kind()).is_empty()).zip(played.essence())
    {
        let sent = stream.frames(track.codec.kind());
        assert_eq!(samples.len(), sent.len(), "track {id}");
        // Where negative offsets would put a presentation before the first decoding, all are lifted alike.
        let lift = samples[0].pts - ticks(sent[0], sent[0]).1;
        for (sample, frame) in samples.iter().zip(&sent) {
            // A keyframe brings the parameter sets of its configuration, where that is not the only one or the codec is H.264.
            let with_sets = || sets.iter().any(|sets| sets.put_into(&frame.data) == sample.data);
            let is_kept = match changes {
                true => sample.data == frame.data || frame.keyframe && with_sets(),
                false => sample.data == as_stored(track, frame),
            };
            assert!(is_kept, "{:?} for {:?}", sample.data, frame.data);
            assert_eq!((sample.dts, sample.pts - lift), ticks(frame, sent[0]));
            assert_eq!(sample.sync, frame.keyframe);
        }
    }
}

/// Presentation starts in milliseconds after the earliest, as sent.
fn starts_as_sent(stream: &Stream) -> Vec<i64> {
    let starts: Vec<i64> = stream
        .tracks
        .iter()
        .filter_map(|track| {
            let pre_skip = if let CodecConfig::Opus { pre_skip, .. } = track.codec { pre_skip } else { 0 };
            let first = stream.frames(track.codec.kind()).into_iter().map(Frame::pts).min()? + i64::from(pre_skip);
            let timescale = i64::from(track.timescale);
            Some((first * 2_000 + timescale).div_euclid(2 * timescale))
        })
        .collect();
    starts.iter().map(|start| start - starts.iter().min().unwrap()).collect()
}

fn starts_as_played(played: &Played) -> Vec<i64> {
    let starts: Vec<i64> = played.tracks.values().filter(|track| !track.samples.is_empty()).map(Track::start_ms).collect();
    starts.iter().map(|start| start - starts.iter().min().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn growing_and_finished_files_play_what_was_sent_when_it_was_sent(stream in streams()) {
        let recorded = record(&stream);
        let growing = play(&recorded.file);
        prop_assert!(growing.fragmented);
        prop_assert_eq!(boxes(&recorded.file).last().unwrap().end, recorded.file.len());
        assert_is_what_was_sent(&stream, &growing);
        if recorded.recording.index.is_empty() {
            prop_assert!(finalise::plan(&recorded.recording, recorded.file.len() as u64, None).is_err());
            return Ok(());
        }
        // Players that take a growing file's time as it stands skip those samples by themselves.
        prop_assert!(starts_as_played(&growing).iter().zip(starts_as_sent(&stream)).all(|(played, sent)| (played - sent).abs() <= 1));
        let finished = play(&finalised(&recorded));
        prop_assert!(!finished.fragmented);
        assert_is_what_was_sent(&stream, &finished);
        prop_assert_eq!(starts_as_played(&finished), starts_as_sent(&stream));
        prop_assert_eq!(finished.tracks.values().map(Track::start_ms).min(), Some(0), "the movie starts at once");
        let descriptions = |played: &Played| played.tracks.values().flat_map(|track| track.samples.iter().map(|sample| sample.description).collect::<Vec<_>>()).collect::<Vec<_>>();
        prop_assert_eq!(descriptions(&growing), descriptions(&finished));
    }

    #[test]
    fn every_prefix_of_fragments_plays_and_is_found_again(mut stream in streams(), cut in any::<prop::sample::Index>()) {
        // New heads change what all prefixes declare; they have a test of their own.
        stream.events.retain(|event| !matches!(event, Event::Configure(_)));
        let recorded = record(&stream);
        let cut = cut.index(recorded.file.len() + 1);
        let Some((good_length, index)) = recorded.instants.iter().rfind(|(length, _)| *length <= cut) else {
            let mut torn = &recorded.file[..cut];
            prop_assert!(scan(&mut torn).is_err(), "torn within its head");
            return Ok(());
        };
        let torn = &recorded.file[..cut];
        let Scanned::Growing { recording, file_length } = scan(&mut &*torn).unwrap() else { panic!("it is not finished") };
        prop_assert_eq!(&recording.index, index);
        prop_assert_eq!(recording.layout, recorded.recording.layout);
        prop_assert_eq!((recording.good_length as usize, file_length as usize), (*good_length, cut));
        let samples = play(torn).essence();
        prop_assert_eq!(&samples, &play(&recorded.file[..*good_length]).essence());
        if !index.is_empty() {
            let finished = play(&carry_out(&finalise::plan(&recording, file_length, Some(64)).unwrap(), torn));
            prop_assert_eq!(finished.essence().values().map(Vec::len).collect::<Vec<_>>(), samples.values().map(Vec::len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn whatever_the_times_no_frame_is_lost_and_decoding_goes_forward(
        frames in proptest::collection::vec((prop::bool::ANY, prop_oneof![any::<i64>(), 0_i64..100, -5_000_000_i64..5_000_000], any::<i32>()), 1..60),
        cut_every in 1_usize..10,
    ) {
        let mut events = Vec::new();
        for (at, (is_video, dts, pts_offset)) in frames.iter().enumerate() {
            let kind = if *is_video { TrackKind::Video } else { TrackKind::Audio };
            events.push(Event::Frame(frame(kind, *dts, *pts_offset, true, vec![at as u8; 3])));
            if at % cut_every == 0 {
                events.push(Event::Cut);
            }
        }
        let stream = Stream { tracks: vec![video(360), audio(44_100)], events, reserve_bytes: 10_000 };
        let recorded = record(&stream);
        for played in [play(&recorded.file), play(&finalised(&recorded))] {
            for (kind, track) in [TrackKind::Video, TrackKind::Audio].into_iter().zip(1..) {
                let samples = played.tracks.get(&track).map_or(&[][..], |track| &track.samples);
                prop_assert!(samples.windows(2).all(|pair| pair[0].dts < pair[1].dts));
                let data: Vec<&[u8]> = samples.iter().map(|sample| &sample.data[..]).collect();
                let config = &stream.tracks[kind as usize];
                prop_assert_eq!(data, stream.frames(kind).iter().map(|frame| as_stored(config, frame)).collect::<Vec<_>>());
            }
        }
        let Ok(Scanned::Growing { recording, .. }) = scan(&mut &recorded.file[..]) else { panic!() };
        prop_assert_eq!(recording, recorded.recording);
    }

    #[test]
    fn damaged_files_never_panic_the_scan(stream in streams(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), late in any::<bool>()) {
        let mut file = record(&stream).file;
        // The reserve is as good as never hit by chance, nor should it be.
        let from = if late { file.len() - file.len().min(2_000) } else { 0 };
        for (place, byte) in damage {
            let at = from + place.index(file.len() - from);
            file[at] = byte;
        }
        if let Ok(Scanned::Growing { recording, file_length }) = scan(&mut &file[..]) {
            let _ = finalise::plan(&recording, file_length, Some(512));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_scan(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(scan(&mut &bytes[..]).is_err());
    }
}

#[test]
fn a_frame_between_others_gets_the_time_until_the_next_and_the_last_that_of_the_one_before() {
    let frames = [0, 40, 73].map(|dts| Event::Frame(frame(TrackKind::Video, dts, 0, dts == 0, "abcd")));
    let lone_audio = Event::Frame(frame(TrackKind::Audio, 0, 0, true, "xyz"));
    let events = frames.into_iter().chain([lone_audio]).collect();
    let recorded = record(&Stream { tracks: vec![video(360), audio(48_000)], events, reserve_bytes: 10_000 });
    let played = play(&finalised(&recorded));
    let durations = |track: u32| played.tracks[&track].samples.iter().map(|sample| sample.duration).collect::<Vec<_>>();
    assert_eq!(durations(1), [40, 33, 33]);
    assert_eq!(durations(2), [1_024]);
    assert_eq!(recorded.recording.index.duration_ms(), 106);
}

#[test]
fn a_track_that_joins_late_and_new_parameter_sets_keep_the_file_playing_at_every_step() {
    let (mut writer, head) = RecordingWriter::new(&[video(360)], 20_000);
    let mut file = head.to_vec();
    let push = |writer: &mut RecordingWriter, kind, dts| writer.push(frame(kind, dts, 0, true, vec![dts as u8; 9])).unwrap();
    let cut = |writer: &mut RecordingWriter, file: &mut Vec<u8>| crate::streams::append(file, &writer.cut().unwrap());
    for dts in [0, 40, 80] {
        push(&mut writer, TrackKind::Video, dts);
    }
    cut(&mut writer, &mut file);
    assert_eq!(writer.push(frame(TrackKind::Audio, 0, 0, true, "x")), Err(WriterError::UnknownTrack));
    let before = play(&file).essence();
    for config in [audio(48_000), video(180), video(360)] {
        for step in writer.configure(&config).unwrap() {
            step.apply(&mut file);
            assert_eq!(play(&file).essence(), before, "after {step:?}");
            assert!(matches!(scan(&mut &file[..]), Ok(Scanned::Growing { .. })));
        }
    }
    assert!(writer.configure(&video(180)).unwrap().is_empty(), "a configuration that the file knows takes no new head");
    push(&mut writer, TrackKind::Video, 120);
    push(&mut writer, TrackKind::Audio, 48_000 / 10);
    push(&mut writer, TrackKind::Video, 160);
    cut(&mut writer, &mut file);
    let (last, recording) = writer.finish();
    crate::streams::append(&mut file, &last.unwrap());
    let Ok(Scanned::Growing { recording: found, .. }) = scan(&mut &file[..]) else { panic!() };
    assert_eq!(found, recording);
    let finished = carry_out(&finalise::plan(&recording, file.len() as u64, None).unwrap(), &file);
    for played in [play(&file), play(&finished)] {
        let descriptions = |track: u32| played.tracks[&track].samples.iter().map(|sample| sample.description).collect::<Vec<_>>();
        assert_eq!(descriptions(1), [1, 1, 1, 2, 2]);
        assert_eq!(descriptions(2), [1]);
        assert_eq!(played.tracks[&2].start_ms() - played.tracks[&1].start_ms(), 100);
    }
}

#[test]
fn opus_is_heard_from_where_its_decoder_has_settled_and_lasts_as_its_packets_say() {
    // 20 ms each, then a last one of 10 ms; the pictures begin with the first.
    let sound =
        (0..5).map(|at| Event::Frame(frame(TrackKind::Audio, at * 960, 0, true, if at < 4 { "\u{78}abc" } else { "\u{60}" })));
    let pictures = (0..3).map(|at| Event::Frame(frame(TrackKind::Video, at * 40, 0, at == 0, "abcd")));
    let recorded =
        record(&Stream { tracks: vec![av1(), opus()], events: sound.chain(pictures).collect(), reserve_bytes: 10_000 });
    let file = finalised(&recorded);
    let track = &play(&file).tracks[&2];
    assert_eq!(track.samples.iter().map(|sample| sample.duration).collect::<Vec<_>>(), [960, 960, 960, 960, 480]);
    assert_eq!((track.media_time, track.delay_ms), (u64::from(PRE_SKIP), 7), "6.5 ms are skipped, and nothing moves by that");
    let spans: Vec<_> = recorded.recording.index.spans_ms().collect();
    assert_eq!(spans, [(0, 120), (7, 84)], "4320 samples less 312");
    let pre_roll = file.windows(22).find(|window| window.starts_with(b"sgpd")).unwrap();
    assert_eq!(pre_roll[20..], (-4_i16).to_be_bytes(), "four packets of 20 ms");
}

#[test]
fn pictures_are_counted_by_their_own_time_however_much_longer_the_sound_lasts() {
    for rate in [24_i64, 25, 30, 50, 60] {
        // Two seconds by the milliseconds of an encoder's clock.
        let pictures = (0..2 * rate).map(|n| Event::Frame(frame(TrackKind::Video, n * 1_000 / rate, 0, n == 0, "abcd")));
        let sound = (0..120).map(|n| Event::Frame(frame(TrackKind::Audio, n * 1_024, 0, true, "a")));
        let events: Vec<Event> = pictures.chain(sound).collect();
        let recorded = record(&Stream { tracks: vec![video(360), audio(48_000)], events, reserve_bytes: 10_000 });
        let index = &recorded.recording.index;
        let counted = index.track(TrackKind::Video).unwrap().samples_a_second().unwrap();
        assert!(index.duration_ms() > 2_500 && (counted / rate as f64 - 1.0).abs() < 0.001, "{rate}: {counted}");
        let sound = index.track(TrackKind::Audio).unwrap().samples_a_second().unwrap();
        assert!((sound - 48_000.0 / 1_024.0).abs() < 0.001, "{sound}");
    }
}

#[test]
fn the_brand_is_that_of_the_picture_s_codec() {
    for (track, brand) in [(video(360), b"avc1"), (hevc(), b"hvc1"), (av1(), b"av01")] {
        let event = Event::Frame(frame(TrackKind::Video, 0, 0, true, "abcd"));
        let recorded = record(&Stream { tracks: vec![track], events: vec![event], reserve_bytes: 10_000 });
        assert!(finalised(&recorded)[..36].windows(4).any(|window| window == brand), "{brand:?}");
    }
}

#[test]
fn a_new_sampling_frequency_keeps_the_times() {
    let mut events: Vec<Event> = (0..3).map(|at| Event::Frame(frame(TrackKind::Audio, at * 1_024, 0, true, "a"))).collect();
    events.push(Event::Configure(audio(44_100)));
    events.extend((0..3).map(|at| Event::Frame(frame(TrackKind::Audio, 44_100 + at * 1_024, 0, true, "b"))));
    let played = play(&finalised(&record(&Stream { tracks: vec![audio(48_000)], events, reserve_bytes: 10_000 })));
    let times: Vec<_> = played.tracks[&1].samples.iter().map(|sample| (sample.dts, sample.description)).collect();
    assert_eq!(times, [(0, 1), (1_024, 1), (2_048, 1), (48_000, 2), (49_115, 2), (50_229, 2)]);
}

#[test]
fn files_beyond_4_gib_get_wide_chunk_offsets() {
    let events = [0, 40, 80].map(|dts| Event::Frame(frame(TrackKind::Video, dts, 0, true, "abcd"))).to_vec();
    let recorded = record(&Stream { tracks: vec![video(360)], events, reserve_bytes: 10_000 });
    let moov_has = |file_length: u64, kind: &[u8]| {
        let steps = finalise::in_place(&recorded.recording, file_length).unwrap();
        steps.iter().any(|step| matches!(step, Step::Write { bytes, .. } if bytes.windows(4).any(|window| window == kind)))
    };
    assert!(moov_has(u32::MAX.into(), b"stco") && !moov_has(u32::MAX.into(), b"co64"));
    assert!(moov_has(1 << 32, b"co64") && !moov_has(1 << 32, b"stco"));
}

#[test]
fn ten_hours_take_little_memory_and_a_moov_of_tens_of_megabytes() {
    let recording = ten_hours();
    assert_eq!(recording.index.track(TrackKind::Video).unwrap().samples(), 36_000 * 30);
    let heap_bytes = recording.index.heap_bytes();
    assert!(heap_bytes < 20 << 20, "{heap_bytes} bytes");
    let Err(PlanError::NeedsRoom { reserve_bytes }) = finalise::in_place(&recording, recording.good_length) else { panic!() };
    assert!(reserve_bytes < 32 << 20, "{reserve_bytes} bytes");
}
