use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use afterlive_media::frame::{CodecConfig, TrackKind};
use bytes::Bytes;
use uuid::Uuid;

use super::*;

const STREAM: StreamId = StreamId(Uuid::from_u128(1));
const START: UnixMillis = UnixMillis(1_793_812_159_899);

fn video_track(width: u16) -> TrackConfig {
    TrackConfig { codec: CodecConfig::H264 { avcc: Bytes::from_static(b"avcc"), width, height: 720 }, timescale: 1000 }
}

fn audio_track() -> TrackConfig {
    TrackConfig {
        codec: CodecConfig::Aac { asc: Bytes::from_static(&[0x12, 0x10]), sample_rate: 44_100, channels: 2 },
        timescale: 44_100,
    }
}

fn video(dts: i64, keyframe: bool, bytes: usize) -> Frame {
    Frame { kind: TrackKind::Video, dts, pts_offset: 0, keyframe, data: Bytes::from(vec![0; bytes]) }
}

fn audio(dts: i64) -> Frame {
    Frame { kind: TrackKind::Audio, dts, pts_offset: 0, keyframe: true, data: Bytes::from_static(&[0; 100]) }
}

fn drain(viewer: &mut ViewerSubscription) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(message) = viewer.try_next() {
        let ended = message == Message::Ended;
        messages.push(message);
        if ended {
            break;
        }
    }
    messages
}

fn dts_of(messages: &[Message]) -> Vec<i64> {
    messages.iter().filter_map(|message| if let Message::Frame(frame) = message { Some(frame.dts) } else { None }).collect()
}

#[test]
fn a_second_publisher_is_refused_and_the_first_goes_on() {
    let hub = Hub::new();
    let mut first = hub.publish(STREAM, START).unwrap();
    first.set_track(video_track(1280));
    let mut viewer = hub.subscribe(STREAM).unwrap();
    assert_eq!(hub.publish(STREAM, START).err(), Some(AlreadyLive));
    first.frame(&video(0, true, 10));
    assert_eq!(dts_of(&drain(&mut viewer)), [0]);
    drop(first);
    assert!(hub.publish(STREAM, START).is_ok());
}

#[tokio::test]
async fn only_a_publisher_that_says_so_and_is_silent_makes_way() {
    let hub = Hub::new();
    let publisher = hub.publish(STREAM, START).unwrap();
    assert!(hub.make_way(STREAM).is_none(), "it never says when it was heard");
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = Arc::clone(&silent);
    let gives_way = publisher.gives_way(Box::new(move || is_silent.load(Ordering::Relaxed)));
    assert!(hub.make_way(STREAM).is_none(), "it is heard");
    silent.store(true, Ordering::Relaxed);
    let over = hub.make_way(STREAM).unwrap();
    gives_way.await;
    assert_eq!(hub.publish(STREAM, START).err(), Some(AlreadyLive));
    drop(publisher);
    over.await;
    assert!(hub.publish(STREAM, START).is_ok());
    assert!(hub.make_way(STREAM).is_none(), "nobody is there");
}

#[test]
fn of_many_who_claim_at_once_exactly_one_gets_the_stream() {
    let hub = Hub::new();
    let claims: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| hub.publish(STREAM, START))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
}

#[test]
fn a_viewer_is_told_the_tracks_then_the_frames_from_the_last_keyframe_on() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(audio_track());
    publisher.set_track(video_track(1280));
    for frame in [video(0, true, 10), video(40, false, 10), video(80, true, 10), audio(3528), video(120, false, 10)] {
        publisher.frame(&frame);
    }
    let mut viewer = hub.subscribe(STREAM).unwrap();
    publisher.frame(&video(160, false, 10));
    drop(publisher);
    let messages = drain(&mut viewer);
    assert_eq!(messages[..2], [Message::TrackChanged(video_track(1280)), Message::TrackChanged(audio_track())]);
    assert_eq!(dts_of(&messages), [80, 3528, 120, 160]);
    assert_eq!(messages.last(), Some(&Message::Ended));
    assert_eq!(viewer.try_next(), Some(Message::Ended), "the end stays the end");
    assert!(hub.subscribe(STREAM).is_none());
}

#[test]
fn a_viewer_of_sound_alone_starts_with_the_next_frame() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(audio_track());
    publisher.frame(&audio(0));
    let mut viewer = hub.subscribe(STREAM).unwrap();
    publisher.frame(&audio(1024));
    assert_eq!(dts_of(&drain(&mut viewer)), [1024]);
}

#[test]
fn a_new_track_in_mid_stream_reaches_all_and_the_same_one_again_reaches_nobody() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(video_track(1280));
    publisher.frame(&video(0, true, 10));
    let mut viewer = hub.subscribe(STREAM).unwrap();
    publisher.set_track(video_track(1280));
    publisher.set_track(video_track(640));
    publisher.frame(&video(40, true, 10));
    let messages = drain(&mut viewer);
    let tracks: Vec<_> = messages.iter().filter(|message| matches!(message, Message::TrackChanged(_))).collect();
    assert_eq!(tracks, [&Message::TrackChanged(video_track(1280)), &Message::TrackChanged(video_track(640))]);
    assert_eq!(dts_of(&messages), [0, 40]);
    let mut late = hub.subscribe(STREAM).unwrap();
    assert_eq!(dts_of(&drain(&mut late)), [40], "nothing that was made for the former track");
}

#[test]
fn a_viewer_who_does_not_read_skips_to_a_keyframe_and_keeps_the_newest_track() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(video_track(1280));
    let mut viewer = hub.subscribe(STREAM).unwrap();
    let size = 1 << 20;
    let fits = (MAX_VIEWER_QUEUE_BYTES / size) as i64;
    for n in 0..=fits {
        publisher.frame(&video(n, n == 0, size));
    }
    publisher.frame(&video(fits + 1, false, size));
    publisher.frame(&video(fits + 2, true, size));
    publisher.frame(&video(fits + 3, false, size));
    let messages = drain(&mut viewer);
    assert_eq!(messages[0], Message::TrackChanged(video_track(1280)));
    assert_eq!(dts_of(&messages), [fits + 2, fits + 3]);
}

#[test]
fn a_recorder_gets_everything_or_an_error_and_live_goes_on() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    let mut recorder = publisher.subscribe_recorder();
    publisher.set_track(video_track(1280));
    let mut viewer = hub.subscribe(STREAM).unwrap();
    let size = 1 << 20;
    let fits = (MAX_RECORDER_QUEUE_BYTES / size) as i64;
    for n in 0..fits {
        publisher.frame(&video(n, false, size));
    }
    publisher.frame(&video(fits, true, size));
    assert_eq!(dts_of(&drain(&mut viewer)), [fits], "live goes on");
    drop(publisher);
    assert_eq!(recorder.try_next(), Ok(Some(Message::TrackChanged(video_track(1280)))));
    for n in 0..fits {
        let Ok(Some(Message::Frame(frame))) = recorder.try_next() else { panic!("frame {n} is missing") };
        assert_eq!(frame.dts, n);
    }
    assert_eq!(recorder.try_next(), Err(Overflow));
    assert_eq!(recorder.try_next(), Err(Overflow), "until it resumes");
}

#[test]
fn where_all_recorders_together_wait_for_too_much_the_one_with_most_loses_and_no_other() {
    let hub = Hub { waiting: Arc::new(Waiting::at_most(10_000)), ..Hub::new() };
    let mut slow = hub.publish(STREAM, START).unwrap();
    let mut other = hub.publish(StreamId(Uuid::from_u128(2)), START).unwrap();
    let (mut of_slow, mut of_other) = (slow.subscribe_recorder(), other.subscribe_recorder());
    for publisher in [&mut slow, &mut other] {
        publisher.set_track(video_track(1280));
    }
    for n in 0..9 {
        slow.frame(&video(n, true, 1_000));
        other.frame(&video(n, true, 500));
    }
    drop((slow, other));
    let whole = |recorder: &mut RecorderSubscription| {
        std::iter::from_fn(|| Some(recorder.try_next()))
            .find(|next| !matches!(next, Ok(Some(Message::TrackChanged(_) | Message::Frame(_)))))
    };
    assert_eq!(whole(&mut of_slow), Some(Err(Overflow)));
    assert_eq!(whole(&mut of_other), Some(Ok(Some(Message::Ended))));
}

/// Reads on once it is woken.
fn resting(mut recorder: RecorderSubscription) -> tokio::task::JoinHandle<(RecorderSubscription, Vec<Message>)> {
    tokio::spawn(async move {
        let mut messages = vec![recorder.next().await.unwrap()];
        while messages.last() != Some(&Message::Ended)
            && let Some(message) = recorder.try_next().unwrap()
        {
            messages.push(message);
        }
        (recorder, messages)
    })
}

/// Long before it would look by itself.
async fn woken(reading: tokio::task::JoinHandle<(RecorderSubscription, Vec<Message>)>) -> (RecorderSubscription, Vec<Message>) {
    tokio::time::timeout(Duration::from_millis(700), reading).await.expect("it is woken").unwrap()
}

#[tokio::test]
async fn a_recorder_that_rests_is_woken_for_what_it_waits_for() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    let mut recorder = publisher.subscribe_recorder();
    publisher.set_track(video_track(1280));
    publisher.frame(&video(0, true, 10));
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    recorder.wake_at(move |message| {
        count.fetch_add(1, Ordering::Relaxed);
        matches!(message, Message::Frame(frame) if frame.dts == 80)
    });
    assert_eq!(told.load(Ordering::Relaxed), 2, "also of what waited");
    let (recorder, messages) = woken(resting(recorder)).await;
    assert_eq!((messages.len(), dts_of(&messages)), (2, vec![0]), "what waits is there at once");

    let reading = resting(recorder);
    tokio::task::yield_now().await;
    publisher.frame(&video(40, true, 10));
    tokio::task::yield_now().await;
    assert!(!reading.is_finished(), "there is nothing to write yet");
    publisher.frame(&video(80, false, 10));
    let (recorder, messages) = woken(reading).await;
    assert_eq!(dts_of(&messages), [40, 80]);

    // All that follows is called for by nobody: it is woken for how much waits, for a track, and by the end.
    let reading = resting(recorder);
    tokio::task::yield_now().await;
    publisher.frame(&video(120, false, 512 << 10));
    let (recorder, messages) = woken(reading).await;
    assert_eq!(dts_of(&messages), [120]);
    let reading = resting(recorder);
    tokio::task::yield_now().await;
    publisher.set_track(video_track(640));
    let (recorder, messages) = woken(reading).await;
    assert_eq!(messages, [Message::TrackChanged(video_track(640))]);
    let reading = resting(recorder);
    tokio::task::yield_now().await;
    drop(publisher);
    assert_eq!(woken(reading).await.1, [Message::Ended]);
}

#[test]
fn a_recorder_that_begins_anew_is_told_how_much_it_never_got() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    let mut recorder = publisher.subscribe_recorder();
    publisher.set_track(video_track(1280));
    publisher.set_track(audio_track());
    publisher.frame(&video(0, true, 1));
    publisher.frame(&audio(0));
    assert_eq!(recorder.resume(), [1, 1], "what waited");
    for n in 0..=(MAX_RECORDER_QUEUE_BYTES >> 20) as i64 {
        publisher.frame(&video(n, false, 1 << 20));
    }
    publisher.frame(&audio(1_024));
    while recorder.try_next().is_ok() {}
    assert_eq!(recorder.resume(), [1, 1], "what found no room");
    publisher.frame(&audio(2_048));
    let told: Vec<Message> = std::iter::from_fn(|| recorder.try_next().unwrap()).collect();
    let known = [Message::TrackChanged(video_track(1280)), Message::TrackChanged(audio_track())];
    assert_eq!(told[..2], known);
    assert_eq!(dts_of(&told), [2_048]);
}

#[test]
fn a_group_of_pictures_without_end_is_not_kept() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(video_track(1280));
    for n in 0..=MAX_GOP_FRAMES as i64 {
        publisher.frame(&video(n, n == 0, 1));
    }
    let mut viewer = hub.subscribe(STREAM).unwrap();
    publisher.frame(&video(10_000, false, 1));
    publisher.frame(&video(10_001, true, 1));
    assert_eq!(dts_of(&drain(&mut viewer)), [10_001]);
}

#[test]
fn who_leaves_is_not_counted_and_who_stops_is_heard() {
    let hub = Hub::new();
    let publisher = hub.publish(STREAM, START).unwrap();
    let viewer = hub.subscribe(STREAM).unwrap();
    assert_eq!(hub.stats(STREAM).unwrap().viewers, 1);
    drop(viewer);
    assert_eq!(hub.stats(STREAM).unwrap().viewers, 0);
    assert!(hub.stop(STREAM));
    futures::executor::block_on(publisher.stop_requested());
    drop(publisher);
    assert!(!hub.stop(STREAM));
    assert_eq!(hub.stats(STREAM), None);
    assert!(hub.live_streams().is_empty());
}

#[test]
fn figures_come_from_the_stream_s_own_clock() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(video_track(1280));
    publisher.set_track(audio_track());
    for n in 0..250 {
        publisher.frame(&video(n * 40, n % 50 == 0, 1000));
    }
    let stats = hub.stats(STREAM).unwrap();
    assert_eq!(stats.started_at, START);
    assert_eq!(stats.bytes_in, 250_000);
    let video = stats.video.unwrap();
    assert_eq!((video.codec, video.width, video.height), ("h264", 1280, 720));
    assert_eq!((video.frames_per_second, video.keyframe_interval_ms), (Some(25.0), Some(2000)));
    assert_eq!(stats.bitrate_bps, Some(200_000));
    assert_eq!(stats.bitrate_history_bps, [200_000; 9]);
    assert_eq!(stats.audio.unwrap().sample_rate, 44_100);
}

#[test]
fn b_frames_are_seen_by_their_offsets_and_forgotten_when_the_encoder_leaves_them_off() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(video_track(1280));
    let is_reordered = || hub.stats(STREAM).unwrap().video.unwrap().is_reordered;
    let mut send = |n: i64, offset_ms: i64| {
        let plain = video(n * 40, n % 25 == 0, 1000);
        let ticks = i32::try_from(offset_ms * i64::from(video_track(1280).timescale) / 1000).unwrap();
        publisher.frame(&Frame { pts_offset: ticks, ..plain });
    };
    // All alike, but for the rounding of their timestamps.
    (0..50).for_each(|n| send(n, 80 + n % 2));
    assert!(!is_reordered());
    (50..100).for_each(|n| send(n, [80, 160, 0][n as usize % 3]));
    assert!(is_reordered());
    (100..151).for_each(|n| send(n, 0));
    assert!(!is_reordered());
}

#[test]
fn a_jump_of_the_encoder_s_clock_costs_no_memory() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(video_track(1280));
    for dts in [0, i64::MAX, i64::MIN, 1 << 40, -5] {
        publisher.frame(&video(dts, true, 10));
    }
    assert!(hub.stats(STREAM).unwrap().bitrate_history_bps.len() <= stats::HISTORY_S);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_viewer_is_woken_by_frames_and_by_the_end() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    publisher.set_track(video_track(1280));
    let mut viewer = hub.subscribe(STREAM).unwrap();
    let reader = tokio::spawn(async move {
        let mut frames = 0;
        loop {
            match viewer.next().await {
                Message::TrackChanged(_) => {}
                Message::Frame(_) => frames += 1,
                Message::Ended => return frames,
            }
        }
    });
    for n in 0..1000 {
        publisher.frame(&video(n, true, 10));
    }
    drop(publisher);
    assert_eq!(reader.await.unwrap(), 1000);
}

#[test]
fn the_newest_keyframe_is_there_also_of_a_group_too_large_to_keep_and_a_still_goes_with_its_publish() {
    let hub = Hub::new();
    let mut publisher = hub.publish(STREAM, START).unwrap();
    assert!(hub.newest_keyframe(STREAM).is_none());
    publisher.set_track(video_track(1280));
    publisher.frame(&video(0, true, 10));
    publisher.frame(&video(40, false, MAX_GOP_BYTES));
    publisher.frame(&audio(50));
    let keyframe = hub.newest_keyframe(STREAM).unwrap();
    assert_eq!((keyframe.frame.dts, &keyframe.track), (0, &video_track(1280)));
    publisher.set_track(video_track(640));
    assert!(hub.newest_keyframe(STREAM).is_none(), "nothing that was made for the former track");

    let still = Still { jpeg: Bytes::from_static(b"jpeg"), taken_at: START };
    keyframe.show(still.clone());
    assert_eq!(hub.still(STREAM), Some(still.clone()));
    drop(publisher);
    assert_eq!(hub.still(STREAM), None);
    assert_eq!(hub.still_or_last(STREAM), Some(still.clone()), "who was told of it before may still ask");
    let _next = hub.publish(STREAM, START).unwrap();
    keyframe.show(still);
    assert_eq!(hub.still(STREAM), None, "a picture of the publish before");
}
