//! How a recording begins: which tracks its file declares, and with which frame it starts. Pure: messages of the hub in, the beginning out.
//!
//! Pictures before the first that a decoder can begin with ([`FirstPicture`]) are left out, for nothing can show them. Audio that is heard more than
//! [`HEAD_START_MS`] before that one is left out too; what remains keeps its place to the picture as sent, so that audio may begin a little earlier or later
//! than it. The second track's configuration is waited for [`TRACK_WAIT_MS`], after which the file begins without it; a track that comes later is still
//! taken. Where a picture track is announced but no picture lets it begin for [`WAIT_MS`], audio is recorded by itself until one does, and none is left out.

use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use afterlive_media::time::{MILLISECONDS, rescale};

use super::first_picture::{Begins, FirstPicture, WAIT_MS};
use crate::hub::Message;

/// Encoders start their tracks this far apart, and no further.
const HEAD_START_MS: i64 = 100;
const TRACK_WAIT_MS: i64 = 1_000;
/// Frames that wait for the beginning are not on disk yet. With so many bytes or messages there is no more waiting.
const MAX_BYTES: u64 = 16 << 20;
const MAX_MESSAGES: usize = 4_096;

/// What has come before the file could begin.
#[derive(Default, Debug)]
pub(super) struct Opening {
    /// As the file will declare them, with the timescale of the frames that come now.
    tracks: Vec<(TrackConfig, u32)>,
    messages: Vec<Message>,
    bytes: u64,
    first_ms: Option<i64>,
    last_ms: i64,
    first_picture: FirstPicture,
    /// Presentation time of the first picture that was let in.
    picture_ms: Option<i64>,
    /// Whether it goes on where another file has ended.
    follows: bool,
    /// Whether pictures had ceased by then: none is waited for.
    pictures_ceased: bool,
    /// Of pictures and of sound, all that came.
    received_frames: [u64; 2],
}

/// A file's beginning.
#[derive(Debug)]
pub(super) struct Start {
    /// Never empty; video first.
    pub(super) tracks: Vec<TrackConfig>,
    /// Frames, and new configurations between them.
    pub(super) messages: Vec<Message>,
    /// Media time from the first of the frames to the latest.
    pub(super) span_ms: i64,
    /// Frames of pictures and of sound that came before the beginning.
    pub(super) left_out_frames: [u64; 2],
    pub(super) first_picture: FirstPicture,
}

impl Start {
    /// Frames of pictures and of sound that came, all of them.
    pub(super) fn received_frames(&self) -> [u64; 2] {
        let [pictures, sound] = frames_in(&self.messages);
        [self.left_out_frames[0] + pictures, self.left_out_frames[1] + sound]
    }
}

/// How many frames of pictures and of sound are among them.
pub(super) fn frames_in<'a>(messages: impl IntoIterator<Item = &'a Message>) -> [u64; 2] {
    let mut frames = [0; 2];
    for message in messages {
        if let Message::Frame(frame) = message {
            frames[frame.kind as usize] += 1;
        }
    }
    frames
}

impl Opening {
    /// The opening of a recording that follows one which could not go on: its tracks are known, and no sound is left out.
    pub(super) fn after(tracks: impl IntoIterator<Item = TrackConfig>) -> Self {
        let mut opening = Self { follows: true, ..Self::default() };
        tracks.into_iter().for_each(|track| opening.offer_track(track));
        opening
    }

    /// The opening of a recording that follows one which has come to a limit, with the frame that did not fit and what was not taken behind it. Where that frame
    /// is a picture it begins with that, whatever it is: what it needs is the end of the recording before. Sound is no place to cut where pictures go on; where it
    /// is that frame they have ceased ([`Brink`](super::brink::Brink)), and it begins at once, unless some come behind it: what waits is not on disk. Pictures
    /// that come later still are taken into the file, whose track of them is declared.
    pub(super) fn at_limit(tracks: impl IntoIterator<Item = TrackConfig>, first: Message, untaken: Vec<Message>) -> Self {
        let mut opening = Self::after(tracks);
        if matches!(&first, Message::Frame(frame) if frame.kind == TrackKind::Video) {
            opening.first_picture.let_any_in();
        } else if opening.timescale(TrackKind::Video).is_some() {
            opening.pictures_ceased = frames_in(&untaken)[TrackKind::Video as usize] == 0;
        }
        std::iter::once(first).chain(untaken).for_each(|message| opening.offer(message));
        opening
    }

    /// Frames of pictures and of sound that came so far.
    pub(super) fn received_frames(&self) -> [u64; 2] {
        self.received_frames
    }

    pub(super) fn offer(&mut self, message: Message) {
        match message {
            Message::TrackChanged(track) => self.offer_track(track),
            Message::Frame(frame) => self.offer_frame(frame),
            Message::Ended => {}
        }
    }

    fn offer_track(&mut self, track: TrackConfig) {
        let kind = track.codec.kind();
        self.first_picture.configure(&track.codec);
        let has_frames = self.messages.iter().any(|message| matches!(message, Message::Frame(frame) if frame.kind == kind));
        match self.tracks.iter_mut().find(|(known, _)| known.codec.kind() == kind) {
            Some((_, timescale)) if has_frames => {
                *timescale = track.timescale;
                self.messages.push(Message::TrackChanged(track));
            }
            Some(known) => *known = (track.clone(), track.timescale),
            None => {
                let timescale = track.timescale;
                self.tracks.push((track, timescale));
                self.tracks.sort_by_key(|(track, _)| track.codec.kind());
            }
        }
    }

    fn offer_frame(&mut self, mut frame: Frame) {
        let Some(timescale) = self.timescale(frame.kind) else { return };
        self.received_frames[frame.kind as usize] += 1;
        let dts_ms = rescale(frame.dts, timescale, MILLISECONDS);
        if frame.kind == TrackKind::Video {
            let could_begin = self.first_picture.mark(&mut frame);
            if !self.first_picture.lets_in(&frame, could_begin, dts_ms) {
                return;
            }
            self.picture_ms.get_or_insert(rescale(frame.pts(), timescale, MILLISECONDS));
        }
        self.first_ms.get_or_insert(dts_ms);
        self.last_ms = self.last_ms.max(dts_ms);
        if self.messages.is_empty() {
            self.last_ms = dts_ms;
        }
        self.bytes += frame.data.len() as u64;
        self.messages.push(Message::Frame(frame));
    }

    fn timescale(&self, kind: TrackKind) -> Option<u32> {
        self.tracks.iter().find(|(track, _)| track.codec.kind() == kind).map(|(_, timescale)| *timescale)
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_ready(&self) -> bool {
        let Some(first_ms) = self.first_ms else { return false };
        if self.bytes >= MAX_BYTES || self.messages.len() >= MAX_MESSAGES {
            return true;
        }
        let (video, audio) = (self.timescale(TrackKind::Video).is_some(), self.timescale(TrackKind::Audio).is_some());
        match (video, self.picture_ms) {
            (true, Some(_)) if audio => true,
            (true, Some(picture_ms)) => self.last_ms - picture_ms >= TRACK_WAIT_MS,
            (true, None) => self.pictures_ceased || self.last_ms - first_ms >= WAIT_MS,
            (false, _) => self.last_ms - first_ms >= TRACK_WAIT_MS,
        }
    }

    /// The beginning as far as it is known; `None` where there is nothing to record.
    pub(super) fn start(self) -> Option<Start> {
        let timescales = [TrackKind::Video, TrackKind::Audio].map(|kind| self.timescale(kind));
        let [video, audio] = timescales;
        let dts_ms = |frame: &Frame| {
            let timescale = if frame.kind == TrackKind::Video { video } else { audio };
            timescale.map_or(0, |timescale| rescale(frame.dts, timescale, MILLISECONDS))
        };
        // Pictures that nothing was waited for any longer are worth no sound.
        let leaves_out = !self.follows && self.first_picture.begins() != Some(Begins::Anywhere);
        let heard_from_ms = self.picture_ms.map_or(i64::MIN, |picture_ms| picture_ms - HEAD_START_MS);
        let mut messages = self.messages;
        messages.retain(|message| match message {
            Message::Frame(frame) if frame.kind == TrackKind::Audio && leaves_out => dts_ms(frame) >= heard_from_ms,
            _ => true,
        });
        let first_ms = messages.iter().find_map(|message| match message {
            Message::Frame(frame) => Some(dts_ms(frame)),
            _ => None,
        })?;
        let [pictures, sound] = frames_in(&messages);
        let left_out_frames = [self.received_frames[0] - pictures, self.received_frames[1] - sound];
        let tracks = self.tracks.into_iter().map(|(track, _)| track).collect();
        let span_ms = (self.last_ms - first_ms).max(0);
        Some(Start { tracks, messages, span_ms, left_out_frames, first_picture: self.first_picture })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterlive_media::frame::CodecConfig;
    use bytes::Bytes;

    fn track(kind: TrackKind) -> Message {
        let codec = match kind {
            TrackKind::Video => CodecConfig::H264 { avcc: Bytes::from_static(b"avcc"), width: 640, height: 360 },
            TrackKind::Audio => CodecConfig::Aac { asc: Bytes::from_static(b"asc"), sample_rate: 48_000, channels: 2 },
        };
        Message::TrackChanged(TrackConfig { codec, timescale: if kind == TrackKind::Video { 1_000 } else { 48_000 } })
    }

    fn frame(kind: TrackKind, ms: i64, keyframe: bool) -> Message {
        let dts = if kind == TrackKind::Video { ms } else { ms * 48 };
        Message::Frame(Frame { kind, dts, pts_offset: 0, keyframe, data: Bytes::from_static(b"frame") })
    }

    fn audio(ms: i64) -> Message {
        frame(TrackKind::Audio, ms, true)
    }

    fn picture(ms: i64, keyframe: bool) -> Message {
        frame(TrackKind::Video, ms, keyframe)
    }

    /// Offers until it is ready; the times of the frames that the file begins with, and how many tracks it declares.
    fn begin(messages: impl IntoIterator<Item = Message>) -> (Vec<(TrackKind, i64)>, usize) {
        let mut opening = Opening::default();
        for message in messages {
            opening.offer(message);
            if opening.is_ready() {
                break;
            }
        }
        assert!(opening.is_ready());
        let start = opening.start().unwrap();
        (times(&start.messages), start.tracks.len())
    }

    fn times(messages: &[Message]) -> Vec<(TrackKind, i64)> {
        let frames = messages.iter().filter_map(|message| match message {
            Message::Frame(frame) if frame.kind == TrackKind::Video => Some((frame.kind, frame.dts)),
            Message::Frame(frame) => Some((frame.kind, frame.dts / 48)),
            _ => None,
        });
        frames.collect()
    }

    use TrackKind::{Audio, Video};

    #[test]
    fn a_recording_of_both_tracks_begins_at_the_first_keyframe() {
        let messages = [
            track(Audio),
            track(Video),
            audio(0),
            picture(10, false),
            audio(150),
            picture(200, false),
            audio(180),
            picture(260, true),
        ];
        assert_eq!(begin(messages), (vec![(Audio, 180), (Video, 260)], 2));
    }

    #[test]
    fn a_second_track_is_waited_for_a_second_and_no_longer() {
        let pictures = (0..100).map(|n| picture(n * 100, n % 10 == 0));
        let (frames, tracks) = begin([track(Video)].into_iter().chain(pictures));
        assert_eq!((frames.len(), tracks), (11, 1));
        let late = [track(Video), picture(0, true), picture(900, false), track(Audio)];
        assert_eq!(begin(late), (vec![(Video, 0), (Video, 900)], 2));
        let (frames, tracks) = begin([track(Audio)].into_iter().chain((0..200).map(|n| audio(n * 20))));
        assert_eq!((frames.len(), tracks), (51, 1));
    }

    #[test]
    fn without_a_keyframe_audio_goes_on_alone_after_ten_seconds() {
        let messages = (0..200).flat_map(|n| [audio(n * 100), picture(n * 100, false)]);
        let (frames, tracks) = begin([track(Video), track(Audio)].into_iter().chain(messages));
        assert_eq!((frames.len(), tracks), (101, 2));
        assert!(frames.iter().all(|(kind, _)| *kind == Audio));
    }

    #[test]
    fn pictures_that_nothing_can_begin_with_are_taken_after_ten_seconds_and_cost_no_sound() {
        let messages = (0..200).flat_map(|n| [picture(n * 100, false), audio(n * 100)]);
        let (frames, tracks) = begin([track(Video), track(Audio)].into_iter().chain(messages));
        assert_eq!((frames.len(), tracks), (101, 2));
        assert_eq!((frames[0], frames[99], frames[100]), ((Audio, 0), (Audio, 9_900), (Video, 10_000)));
    }

    #[test]
    fn a_recording_that_follows_another_has_the_configurations_that_hold_now() {
        let Message::TrackChanged(known) = track(Video) else { panic!() };
        let mut opening = Opening::after([known]);
        opening.offer(picture(0, true));
        opening.offer(picture(1_000, false));
        assert!(opening.is_ready());
        assert_eq!(opening.start().unwrap().messages.len(), 2);
    }

    fn both_tracks() -> Vec<TrackConfig> {
        let config = |message| if let Message::TrackChanged(track) = message { Some(track) } else { None };
        [track(Video), track(Audio)].into_iter().filter_map(config).collect()
    }

    /// What the recording begins with, once as many of these have come as it needs, and how many it declares.
    fn begin_at_limit(first: Message, untaken: Vec<Message>, messages: Vec<Message>) -> (Vec<(TrackKind, i64)>, usize, [u64; 2]) {
        let mut opening = Opening::at_limit(both_tracks(), first, untaken);
        let mut coming = messages.into_iter();
        while !opening.is_ready() {
            opening.offer(coming.next().expect("it begins before there is no more"));
        }
        let Start { tracks, messages, left_out_frames, .. } = opening.start().unwrap();
        (times(&messages), tracks.len(), left_out_frames)
    }

    #[test]
    fn where_pictures_had_ceased_the_next_recording_begins_at_once_and_still_has_a_place_for_them() {
        assert_eq!(begin_at_limit(audio(60_000), vec![], vec![]), (vec![(Audio, 60_000)], 2, [0, 0]));
        let untaken = vec![audio(60_020), audio(60_040)];
        let all = vec![(Audio, 60_000), (Audio, 60_020), (Audio, 60_040)];
        assert_eq!(begin_at_limit(audio(60_000), untaken, vec![]), (all, 2, [0, 0]));
    }

    #[test]
    fn where_pictures_go_on_the_next_recording_begins_with_both_and_loses_nothing() {
        // With the sound that comes to the limit behind a picture that began another group.
        let begun = begin_at_limit(picture(60_000, true), vec![audio(59_990), audio(60_010)], vec![]);
        assert_eq!(begun, (vec![(Video, 60_000), (Audio, 59_990), (Audio, 60_010)], 2, [0, 0]));
        // Any picture does that is itself behind the limit.
        assert_eq!(begin_at_limit(picture(60_000, false), vec![], vec![]), (vec![(Video, 60_000)], 2, [0, 0]));
        // They are back by the time that sound has come to the limit: it waits for one to begin with, and keeps all sound before that.
        let untaken = vec![audio(60_020), picture(60_030, false)];
        let coming = vec![audio(60_040), picture(60_070, true)];
        let both = vec![(Audio, 60_000), (Audio, 60_020), (Audio, 60_040), (Video, 60_070)];
        assert_eq!(begin_at_limit(audio(60_000), untaken, coming), (both, 2, [1, 0]));
    }

    #[test]
    fn a_flood_does_not_wait() {
        let messages = (0..).map(|_| picture(0, true));
        let (frames, _) = begin([track(Video)].into_iter().chain(messages));
        assert_eq!(frames.len(), MAX_MESSAGES);
    }

    #[test]
    fn nothing_sent_is_nothing_recorded() {
        let mut opening = Opening::default();
        opening.offer(track(Video));
        opening.offer(picture(0, false));
        assert!(!opening.is_ready());
        assert!(opening.start().is_none());
    }

    #[test]
    fn a_configuration_that_changes_behind_frames_keeps_its_place() {
        let mut opening = Opening::default();
        for message in [track(Video), track(Video), picture(0, true), track(Video), picture(40, true)] {
            opening.offer(message);
        }
        let start = opening.start().unwrap();
        assert_eq!(start.tracks.len(), 1);
        assert!(matches!(start.messages.as_slice(), [Message::Frame(_), Message::TrackChanged(_), Message::Frame(_)]));
        assert_eq!(start.span_ms, 40);
    }
}
