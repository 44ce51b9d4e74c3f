//! Many small pictures of a recording on one sheet, and which of them shows what time: for scrubbing.
//!
//! The work is bounded by the number of tiles, not by the recording's length: for each, one seek and one keyframe.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use video_rs::ffmpeg::util::frame::Video as Image;

use super::film::Film;
use super::{PictureError, canvas};

/// The most tiles on a sheet.
const MAX_TILES: u64 = 100;
/// Tiles are at least so far apart; a recording of more than [`MAX_TILES`] of these has them further apart.
const MIN_STEP_MS: u64 = 2_000;
/// What a tile must fit into, in pixels.
const TILE_BOX: (u32, u32) = (160, 90);
/// Tiles in a row of the sheet.
const COLUMNS: u32 = 10;

/// A stretch of time, and where on the sheet its picture is, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Cue {
    pub from_ms: u64,
    pub to_ms: u64,
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// The sheet as JPEG, its cues: in order, without a gap, from 0 to the recording's end; and what it cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storyboard {
    pub sprite: Bytes,
    pub cues: Vec<Cue>,
    /// Coded pictures that were decoded for it: at most as many as there are places for tiles.
    pub decoded_packets: u32,
}

/// # Errors
/// Where no picture can be decoded, or time is up.
pub(super) fn storyboard(film: &mut Film, duration_ms: u64) -> Result<Storyboard, PictureError> {
    let step_ms = step_ms(duration_ms);
    let mut tiles: Vec<(u64, Image)> = Vec::new();
    let mut last_keyframe = None;
    for at_ms in (0..duration_ms.max(1)).step_by(usize::try_from(step_ms).unwrap_or(usize::MAX)) {
        // At the beginning it stands at the first keyframe by itself, which may begin late.
        if at_ms > 0 && !film.seek(at_ms) {
            continue;
        }
        let Some(keyframe) = film.next_keyframe()? else { continue };
        let shown_at = (keyframe.pts(), keyframe.dts(), keyframe.position());
        // Far-apart keyframes: the one that is shown already.
        if last_keyframe == Some(shown_at) {
            continue;
        }
        last_keyframe = Some(shown_at);
        if let Some(picture) = film.develop(&keyframe) {
            // All have room where the first one has: the picture's shape may change in mid-stream.
            let place = tiles.first().map_or(TILE_BOX, |(_, first)| (first.width(), first.height()));
            tiles.push((at_ms, canvas::scaled(&picture.image, place)?));
        }
    }
    let Some((_, first)) = tiles.first() else { return Err(film.why_empty()) };
    let (width, height) = (first.width(), first.height());
    let count = u32::try_from(tiles.len()).unwrap_or(u32::MAX);
    let mut sheet = canvas::blank(width * count.min(COLUMNS), height * count.div_ceil(COLUMNS));
    let mut cues: Vec<Cue> = Vec::with_capacity(tiles.len());
    for (number, (at_ms, tile)) in (0..).zip(&tiles) {
        let (x, y) = (number % COLUMNS * width, number / COLUMNS * height);
        lay_within(&mut sheet, tile, (x, y), (width, height));
        if let Some(last) = cues.last_mut() {
            last.to_ms = *at_ms;
        }
        // The first picture stands for the time before it too.
        let from_ms = if number == 0 { 0 } else { *at_ms };
        cues.push(Cue { from_ms, to_ms: duration_ms, x, y, width, height });
    }
    Ok(Storyboard { sprite: canvas::jpeg(&sheet)?, cues, decoded_packets: film.decoded_packets() })
}

/// Lays a tile into the middle of its place.
fn lay_within(sheet: &mut Image, tile: &Image, (x, y): (u32, u32), (width, height): (u32, u32)) {
    if (tile.width(), tile.height()) == (width, height) {
        return canvas::lay(sheet, tile, x, y);
    }
    let mut place = canvas::blank(width, height);
    let middle = |room: u32, length: u32| room.saturating_sub(length) / 4 * 2;
    canvas::lay(&mut place, tile, middle(width, tile.width()), middle(height, tile.height()));
    canvas::lay(sheet, &place, x, y);
}

fn step_ms(duration_ms: u64) -> u64 {
    duration_ms.div_ceil(MAX_TILES).max(MIN_STEP_MS)
}

/// The cues as a WebVTT file (<https://www.w3.org/TR/webvtt1/>) of metadata: each names the part of the sheet by a media fragment, as players know it.
#[must_use]
pub fn web_vtt(cues: &[Cue], sprite_url: &str) -> String {
    let mut text = String::from("WEBVTT\n");
    for Cue { from_ms, to_ms, x, y, width, height } in cues {
        let (from, to) = (timestamp(*from_ms), timestamp(*to_ms));
        // Writing to a String never fails.
        let _ = write!(text, "\n{from} --> {to}\n{sprite_url}#xywh={x},{y},{width},{height}\n");
    }
    text
}

fn timestamp(ms: u64) -> String {
    let (s, ms) = (ms / 1_000, ms % 1_000);
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3_600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_two_seconds_apart_and_a_hundred_at_most() {
        assert_eq!((step_ms(0), step_ms(1), step_ms(200_000)), (2_000, 2_000, 2_000));
        assert_eq!(step_ms(200_001), 2_001);
        for hours in [1_u64, 10, 1_000] {
            let duration_ms = hours * 3_600_000 + 7;
            assert!(duration_ms.div_ceil(step_ms(duration_ms)) <= MAX_TILES, "{hours}");
        }
    }

    #[test]
    fn cues_are_written_as_web_vtt() {
        let cue = Cue { from_ms: 0, to_ms: 36_000_250, x: 160, y: 90, width: 160, height: 90 };
        let text = web_vtt(&[cue], "8sKpm-x49nB-storyboard.jpg");
        assert_eq!(text, "WEBVTT\n\n00:00:00.000 --> 10:00:00.250\n8sKpm-x49nB-storyboard.jpg#xywh=160,90,160,90\n");
    }

    #[test]
    fn a_tile_of_another_shape_stays_in_its_place() {
        let mut sheet = canvas::blank(320, 90);
        let mut upright = canvas::blank(50, 90);
        upright.data_mut(0).fill(99);
        lay_within(&mut sheet, &upright, (160, 0), (160, 90));
        let lit = |x: usize| sheet.data(0)[x] == 99;
        assert!(lit(214) && lit(263) && !lit(212) && !lit(266) && !lit(0));
    }
}
