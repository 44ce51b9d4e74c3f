//! With which picture a recording begins, and with which another one could. Pure.
//!
//! Best with a keyframe, or what is as good: the beginning of an open group of pictures. Else with a recovery point, from which the picture comes together over
//! some frames; an encoder with a moving refresh sends nothing better after its first picture. Where neither comes for [`WAIT_MS`], with whatever comes:
//! a recording that is grey for a while is better than none.

use afterlive_media::codec::entrance::{Entrance, Entrances};
use afterlive_media::frame::{CodecConfig, Frame, TrackKind};

/// So long a beginning is waited for, in the pictures' own time.
pub(super) const WAIT_MS: i64 = 10_000;

/// How the pictures of a recording begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begins {
    /// With one that needs no other.
    Whole,
    /// They come together.
    Gradually,
    /// In the middle of what cannot be decoded without what was before.
    Anywhere,
}

/// Lets no picture in before the first that a recording may begin with.
#[derive(Clone, Default, Debug)]
pub(super) struct FirstPicture {
    entrances: Entrances,
    /// When the first came that was not let in.
    waits_from_ms: Option<i64>,
    waits_no_longer: bool,
    begins: Option<Begins>,
}

impl FirstPicture {
    /// Pictures of this configuration are next.
    pub(super) fn configure(&mut self, codec: &CodecConfig) {
        if codec.kind() == TrackKind::Video {
            self.entrances = Entrances::of(codec);
        }
    }

    /// Whether another recording could begin with this picture. One that is as good as a keyframe is made one.
    pub(super) fn mark(&self, picture: &mut Frame) -> bool {
        if picture.keyframe {
            return true;
        }
        let entrance = self.entrances.at(&picture.data);
        picture.keyframe = entrance == Some(Entrance::AtOnce);
        entrance.is_some()
    }

    /// Whether a picture that was [`marked`](Self::mark) is let in.
    pub(super) fn lets_in(&mut self, picture: &Frame, could_begin: bool, dts_ms: i64) -> bool {
        if self.begins.is_some() {
            return true;
        }
        let waits_from_ms = *self.waits_from_ms.get_or_insert(dts_ms);
        let has_waited = self.waits_no_longer || dts_ms.saturating_sub(waits_from_ms) >= WAIT_MS;
        self.begins = match (picture.keyframe, could_begin) {
            (true, _) => Some(Begins::Whole),
            (false, true) => Some(Begins::Gradually),
            (false, false) => has_waited.then_some(Begins::Anywhere),
        };
        self.begins.is_some()
    }

    /// Lets in the next picture, whatever it is: what it needs is the end of the recording before.
    pub(super) fn let_any_in(&mut self) {
        self.waits_no_longer = true;
    }

    /// How they begin; `None` where none was let in.
    pub(super) fn begins(&self) -> Option<Begins> {
        self.begins
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const AVCC: &[u8] = include_bytes!("../../../media/tests/data/x264-640x360.avcc");
    /// A recovery point at once, and a gradual one; behind each a slice that needs no other.
    const OPEN: &[u8] = &[0, 0, 0, 5, 6, 6, 1, 0xc4, 0x80, 0, 0, 0, 3, 0x41, 0x88, 0x84];
    const GRADUAL: &[u8] = &[0, 0, 0, 5, 6, 6, 1, 0x48, 0x80, 0, 0, 0, 3, 0x41, 0x88, 0x84];
    const SLICE: &[u8] = &[0, 0, 0, 3, 0x41, 0x9a, 0x84];

    fn picture(data: &'static [u8], keyframe: bool) -> Frame {
        Frame { kind: TrackKind::Video, dts: 0, pts_offset: 0, keyframe, data: Bytes::from_static(data) }
    }

    /// Which of these pictures, 100 ms apart, is the first that is let in, and how it begins.
    fn first(pictures: impl IntoIterator<Item = Frame>) -> Option<(usize, Begins)> {
        let mut first = FirstPicture::default();
        first.configure(&CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 });
        for (n, mut picture) in pictures.into_iter().enumerate() {
            let could_begin = first.mark(&mut picture);
            if first.lets_in(&picture, could_begin, 7_000 + 100 * n as i64) {
                return first.begins().map(|begins| (n, begins));
            }
        }
        None
    }

    #[test]
    fn it_is_a_keyframe_or_a_recovery_point_and_after_ten_seconds_any() {
        let slices = |count: usize| std::iter::repeat_n(picture(SLICE, false), count);
        assert_eq!(first(slices(3).chain([picture(b"idr", true)])), Some((3, Begins::Whole)));
        assert_eq!(first(slices(3).chain([picture(OPEN, false)])), Some((3, Begins::Whole)));
        assert_eq!(first(slices(3).chain([picture(GRADUAL, false)])), Some((3, Begins::Gradually)));
        assert_eq!(first(slices(100)), None);
        assert_eq!(first(slices(300)), Some((100, Begins::Anywhere)));
        assert_eq!(first(slices(100).chain([picture(b"idr", true)])), Some((100, Begins::Whole)), "just in time");
    }

    #[test]
    fn what_begins_an_open_group_is_made_a_keyframe_and_nothing_else_is() {
        let mut first = FirstPicture::default();
        first.configure(&CodecConfig::H264 { avcc: Bytes::from_static(AVCC), width: 640, height: 360 });
        let marked = |data| {
            let mut picture = picture(data, false);
            (first.mark(&mut picture), picture.keyframe)
        };
        assert_eq!([marked(OPEN), marked(GRADUAL), marked(SLICE)], [(true, true), (true, false), (false, false)]);
    }
}
