//! What a live stream looks like: its newest keyframe, and the picture that somebody makes of it. The hub decodes nothing.

use std::sync::Arc;

use afterlive_domain::UnixMillis;
use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use bytes::Bytes;

use super::live::Live;
use super::lock;

/// A picture of a live stream; goes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Still {
    pub jpeg: Bytes,
    pub taken_at: UnixMillis,
}

/// A keyframe, what a decoder must know before it, and the way back to the publish that it came from.
pub struct Keyframe {
    live: Arc<Live>,
    pub track: TrackConfig,
    pub frame: Frame,
}

impl Keyframe {
    /// Lets the stream be seen by this picture, in place of the one before. Where that publish has ended, by nobody.
    pub fn show(&self, still: Still) {
        let mut state = lock(&self.live.state);
        if !state.ended {
            state.still = Some(still);
        }
    }
}

impl Live {
    pub(super) fn newest_keyframe(self: Arc<Self>) -> Option<Keyframe> {
        let (track, frame) = {
            let mut state = lock(&self.state);
            let frame = state.keyframe.clone()?;
            (state.track(TrackKind::Video).clone()?, frame)
        };
        Some(Keyframe { live: self, track, frame })
    }

    pub(super) fn still(&self) -> Option<Still> {
        lock(&self.state).still.clone()
    }
}
