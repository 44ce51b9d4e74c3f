//! The one picture that stands for a recording: the first that shows something.

use bytes::Bytes;
use video_rs::ffmpeg::util::frame::Video as Image;

use super::film::{Film, Picture};
use super::{PICTURE_BOX, PictureError, canvas};

/// Encoders like to begin in the middle of a change of scenes: the poster is taken from here on, where the recording is long enough.
const FROM_MS: u64 = 1_000;
/// How many pictures from there on are looked at, one by one.
const MAX_PICTURES: u32 = 50;
/// How many pictures are decoded on the way there, at most: 2 s at 60 a second.
const MAX_PASSED: u32 = 120;
/// Where all of those are black, so many keyframes all over the recording are looked at.
const MAX_KEYFRAMES: u64 = 40;

/// A JPEG of the first picture after about a second that is not black; of the brightest that was looked at, where all are.
///
/// # Errors
/// Where no picture can be decoded.
pub(super) fn poster(film: &mut Film, duration_ms: u64) -> Result<Bytes, PictureError> {
    let mut choice = Choice::default();
    let from_ms = i64::try_from(FROM_MS.min(duration_ms / 10)).unwrap_or(0);
    let (mut passed, mut seen) = (0, 0);
    while seen < MAX_PICTURES && !choice.is_made() {
        let Some(picture) = film.next()? else { break };
        if picture.at_ms < from_ms && passed < MAX_PASSED {
            passed += 1;
            choice.keep_for_need(picture);
        } else {
            seen += 1;
            choice.consider(&picture)?;
        }
    }
    for n in 1..MAX_KEYFRAMES {
        // Fewer than were looked at: that was all of them.
        if choice.is_made() || seen < MAX_PICTURES {
            break;
        }
        if film.seek(duration_ms * n / MAX_KEYFRAMES)
            && let Some(picture) = film.keyframe()?
        {
            choice.consider(&picture)?;
        }
    }
    choice.into_jpeg(film)
}

#[derive(Default)]
struct Choice {
    best: Option<(bool, u64, Image)>,
    /// Too early to be chosen, but better than none.
    early: Option<Picture>,
}

impl Choice {
    fn is_made(&self) -> bool {
        self.best.as_ref().is_some_and(|(shows, ..)| *shows)
    }

    fn keep_for_need(&mut self, picture: Picture) {
        self.early = Some(picture);
    }

    fn consider(&mut self, picture: &Picture) -> Result<(), PictureError> {
        let image = canvas::scaled(&picture.image, PICTURE_BOX)?;
        let (shows, brightness) = canvas::judge(&image);
        if self.best.as_ref().is_none_or(|(_, most, _)| shows || brightness > *most) {
            self.best = Some((shows, brightness, image));
        }
        Ok(())
    }

    fn into_jpeg(mut self, film: &Film) -> Result<Bytes, PictureError> {
        if self.best.is_none()
            && let Some(early) = self.early.take()
        {
            self.consider(&early)?;
        }
        let (_, _, image) = self.best.ok_or_else(|| film.why_empty())?;
        canvas::jpeg(&image)
    }
}
