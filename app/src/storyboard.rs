//! A recording's storyboard: which part of which image shows what time. Reads the server's WebVTT, and is content with less.

/// A picture of a stretch of the recording, as a part of an image, in pixels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tile {
    pub from_ms: u64,
    pub image: String,
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// The tiles of a WebVTT file at `url`, in its order; what lets that load lets its images load too. Cues that are none are left out.
#[must_use]
pub fn tiles(text: &str, url: &str) -> Vec<Tile> {
    let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut lines = text.lines();
    let mut tiles = Vec::new();
    while let Some(line) = lines.next() {
        let Some((from, _)) = line.split_once(" --> ") else { continue };
        let tile = timestamp(from).zip(lines.next()).and_then(|(from_ms, target)| tile(from_ms, target, folder, query));
        tiles.extend(tile);
    }
    tiles
}

fn tile(from_ms: u64, target: &str, folder: &str, query: &str) -> Option<Tile> {
    let (image, part) = target.split_once("#xywh=")?;
    let numbers: Vec<u32> = part.split(',').map_while(|number| number.parse().ok()).collect();
    let [x, y, width, height] = numbers[..] else { return None };
    Some(Tile { from_ms, image: format!("{folder}/{image}{query}"), x, y, width, height })
}

/// `01:02:03.450`
fn timestamp(text: &str) -> Option<u64> {
    let (clock, ms) = text.trim().split_once('.')?;
    let seconds = clock.split(':').try_fold(0_u64, |sum, part| Some(sum * 60 + part.parse::<u64>().ok()?))?;
    Some(seconds * 1_000 + ms.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_read_and_stand_beside_the_file() {
        let text = "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\na.jpg#xywh=0,0,160,90\n\n01:00:02.500 --> 01:00:04.000\na.jpg#xywh=160,0,160,90\n";
        let read = tiles(text, "http://vod/8sKpm/thumbnails/a.vtt");
        assert_eq!(read.len(), 2);
        let expected =
            Tile { from_ms: 3_602_500, image: "http://vod/8sKpm/thumbnails/a.jpg".into(), x: 160, y: 0, width: 160, height: 90 };
        assert_eq!(read[1], expected);
        let guarded = tiles(text, "http://vod/8sKpm/thumbnails/a.vtt?token=a.b.c");
        assert_eq!(guarded[1].image, "http://vod/8sKpm/thumbnails/a.jpg?token=a.b.c");
    }

    #[test]
    fn what_is_no_storyboard_has_no_tiles() {
        for text in [
            "",
            "WEBVTT",
            "<!DOCTYPE html>",
            "x --> y\na.jpg#xywh=0,0,1,1",
            "00:00:00.000 --> 00:00:02.000\na.jpg",
            "00:00:00.000 --> ",
        ] {
            assert_eq!(tiles(text, "http://vod/a.vtt"), [], "{text}");
        }
    }
}
