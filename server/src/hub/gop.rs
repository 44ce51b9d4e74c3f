//! The group of pictures in progress, kept so that a new viewer has a picture at once.

use afterlive_media::frame::{Frame, TrackKind};

use super::{MAX_GOP_BYTES, MAX_GOP_FRAMES};

/// All frames, of both tracks, from the last video keyframe on; or nothing, where there was none or the group has become too large.
#[derive(Default)]
pub(super) struct GopCache {
    frames: Vec<Frame>,
    bytes: usize,
}

impl GopCache {
    pub(super) fn push(&mut self, frame: &Frame) {
        if frame.kind == TrackKind::Video && frame.keyframe {
            self.clear();
        } else if self.frames.is_empty() {
            return;
        }
        if self.frames.len() >= MAX_GOP_FRAMES || self.bytes + frame.data.len() > MAX_GOP_BYTES {
            // Half a group helps nobody: wait for the next keyframe.
            self.clear();
            return;
        }
        self.bytes += frame.data.len();
        self.frames.push(frame.clone());
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }
}
