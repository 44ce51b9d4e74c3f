//! A publish as its messages come: when an init segment is made, and of which tracks. Pure: time is handed in.

use afterlive_domain::UnixMillis;
use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use afterlive_media::mp4::{LiveFragment, LiveWriter, live};
use afterlive_media::time::{MILLISECONDS, rescale};
use bytes::Bytes;

use crate::hub::Message;

/// A publish that began less than this ago, and has one track so far, is given so long for the other: players do not like a track that joins.
const OTHER_TRACK_WAIT_MS: i64 = 1_000;
/// The most frames that wait meanwhile.
const MAX_HELD_FRAMES: usize = 512;

/// What is new for viewers.
pub enum News {
    /// What follows is of these tracks.
    Tracks {
        tracks: Vec<TrackConfig>,
        init: Bytes,
    },
    Fragment {
        fragment: LiveFragment,
        joins: bool,
    },
}

/// One publish.
pub struct Follow {
    started_at: UnixMillis,
    video: Option<TrackConfig>,
    audio: Option<TrackConfig>,
    /// For the tracks as they were when the last init segment was made.
    writer: Option<LiveWriter>,
    /// Tracks that are others than the writer's: their frames wait for a place where a decoder can begin.
    changed: Vec<TrackKind>,
    origin_ms: Option<i64>,
    held: Vec<Frame>,
}

impl Follow {
    #[must_use]
    pub fn new(started_at: UnixMillis) -> Self {
        Self { started_at, video: None, audio: None, writer: None, changed: Vec::new(), origin_ms: None, held: Vec::new() }
    }

    /// Takes what the hub says; not its end.
    pub fn take(&mut self, message: Message, now: UnixMillis, news: &mut Vec<News>) {
        match message {
            Message::TrackChanged(track) => {
                let kind = track.codec.kind();
                match kind {
                    TrackKind::Video => self.video = Some(track),
                    TrackKind::Audio => self.audio = Some(track),
                }
                if self.writer.is_some() && !self.changed.contains(&kind) {
                    self.changed.push(kind);
                }
            }
            Message::Frame(frame) if self.writer.is_none() => {
                self.held.push(frame);
                if self.has_waited(now) {
                    std::mem::take(&mut self.held).iter().for_each(|frame| self.frame(frame, news));
                }
            }
            Message::Frame(frame) => self.frame(&frame, news),
            Message::Ended => {}
        }
    }

    /// The publish has ended: what was held back.
    pub fn finish(&mut self, news: &mut Vec<News>) {
        std::mem::take(&mut self.held).iter().for_each(|frame| self.frame(frame, news));
    }

    fn tracks(&self) -> impl Iterator<Item = &TrackConfig> {
        self.video.iter().chain(&self.audio)
    }

    fn timescale(&self, kind: TrackKind) -> Option<u32> {
        self.tracks().find(|track| track.codec.kind() == kind).map(|track| track.timescale)
    }

    /// Whether there is nothing more to wait for before the first init segment.
    fn has_waited(&self, now: UnixMillis) -> bool {
        if self.tracks().count() == 2
            || now.ms_since(self.started_at) >= OTHER_TRACK_WAIT_MS
            || self.held.len() >= MAX_HELD_FRAMES
        {
            return true;
        }
        let dts_ms = |frame: &Frame| Some(rescale(frame.dts, self.timescale(frame.kind)?, MILLISECONDS));
        let span = self.held.first().and_then(dts_ms).zip(self.held.last().and_then(dts_ms));
        span.is_none_or(|(first, last)| last.saturating_sub(first) >= OTHER_TRACK_WAIT_MS)
    }

    fn frame(&mut self, frame: &Frame, news: &mut Vec<News>) {
        let Some(timescale) = self.timescale(frame.kind) else { return };
        let joins = match frame.kind {
            TrackKind::Video => frame.keyframe,
            TrackKind::Audio => self.video.is_none(),
        };
        if joins && (self.writer.is_none() || !self.changed.is_empty()) {
            let origin_ms = *self.origin_ms.get_or_insert_with(|| live::origin_ms(frame, timescale));
            let tracks: Vec<TrackConfig> = self.tracks().cloned().collect();
            let (writer, init) = LiveWriter::new(&tracks, origin_ms);
            self.writer = Some(writer);
            self.changed.clear();
            news.push(News::Tracks { tracks, init });
        }
        if self.changed.contains(&frame.kind) {
            return;
        }
        let Some(writer) = &mut self.writer else { return };
        news.extend(writer.fill(frame).into_iter().map(|fragment| News::Fragment { fragment, joins: false }));
        if let Some(fragment) = writer.push(frame) {
            news.push(News::Fragment { fragment, joins });
        }
    }
}

#[cfg(test)]
mod tests {
    use afterlive_media::frame::CodecConfig;

    use super::*;

    const START: UnixMillis = UnixMillis(1_793_812_159_899);

    fn video(width: u16) -> Message {
        let codec = CodecConfig::H264 { avcc: Bytes::from_static(&[1, 0x64, 0, 0x1f]), width, height: 180 };
        Message::TrackChanged(TrackConfig { codec, timescale: 1_000 })
    }

    fn audio() -> Message {
        let codec = CodecConfig::Aac { asc: Bytes::from_static(&[0x11, 0x90]), sample_rate: 48_000, channels: 2 };
        Message::TrackChanged(TrackConfig { codec, timescale: 48_000 })
    }

    fn picture(dts: i64, keyframe: bool) -> Message {
        Message::Frame(Frame { kind: TrackKind::Video, dts, pts_offset: 0, keyframe, data: Bytes::from_static(b"picture") })
    }

    fn sound(dts_ms: i64) -> Message {
        let dts = dts_ms * 48;
        Message::Frame(Frame { kind: TrackKind::Audio, dts, pts_offset: 0, keyframe: true, data: Bytes::from_static(b"sound") })
    }

    /// `T2` for two tracks, `V1000` for a picture at that time, `K` where one can join, `A` for sound.
    fn told(follow: &mut Follow, now: UnixMillis, messages: impl IntoIterator<Item = Message>) -> String {
        let mut news = Vec::new();
        messages.into_iter().for_each(|message| follow.take(message, now, &mut news));
        let word = |news: &News| match news {
            News::Tracks { tracks, .. } => format!("T{}", tracks.len()),
            News::Fragment { fragment, joins } => {
                let kind = match (fragment.kind, joins) {
                    (TrackKind::Video, true) => "K",
                    (TrackKind::Video, false) => "V",
                    (TrackKind::Audio, _) => "A",
                };
                format!("{kind}{}", fragment.dts_ms)
            }
        };
        news.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_publish_that_has_just_begun_waits_for_its_other_track() {
        let mut follow = Follow::new(START);
        assert_eq!(told(&mut follow, START, [video(320), picture(0, true), picture(40, false)]), "");
        assert_eq!(told(&mut follow, START, [audio(), sound(30)]), "T2 K1000 V1040 A1030");
        let mut alone = Follow::new(START);
        assert_eq!(told(&mut alone, START, [video(320), picture(0, true), picture(960, false)]), "");
        assert_eq!(told(&mut alone, START, [picture(1_000, false)]), "T1 K1000 V1960 V2000", "by media time");
        let mut older = Follow::new(START);
        assert_eq!(told(&mut older, START.plus_ms(1_000), [video(320), picture(70, true)]), "T1 K1000", "by the clock");
        let (mut short, mut news) = (Follow::new(START), Vec::new());
        assert_eq!(told(&mut short, START, [video(320), picture(0, true)]), "");
        short.finish(&mut news);
        assert_eq!(news.len(), 2);
    }

    #[test]
    fn a_track_that_changes_waits_for_a_keyframe_and_the_other_goes_on() {
        let mut follow = Follow::new(START);
        told(&mut follow, START, [video(320), audio(), picture(0, true)]);
        assert_eq!(
            told(&mut follow, START, [video(640), picture(40, false), sound(40), picture(80, true), sound(60)]),
            "A1040 T2 K1080 A1060"
        );
        let mut joined = Follow::new(START);
        told(&mut joined, START.plus_ms(5_000), [video(320), picture(0, true)]);
        let messages = [audio(), sound(0), picture(40, false), sound(20), picture(1_000, true), sound(1_000)];
        assert_eq!(told(&mut joined, START, messages), "V1040 T2 K2000 A2000");
    }

    #[test]
    fn sound_alone_can_be_joined_anywhere() {
        let mut follow = Follow::new(START);
        let later = START.plus_ms(2_000);
        assert_eq!(told(&mut follow, later, [audio(), sound(0), sound(20)]), "T1 A1000 A1020");
        assert_eq!(told(&mut follow, later, [video(320), sound(40), picture(60, true)]), "A1040 T2 K1060");
    }
}
