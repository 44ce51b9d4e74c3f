//! What a live stream looks like: its newest keyframe, and the picture that somebody makes of it. The hub decodes nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use afterlive_domain::{StreamId, UnixMillis};
use afterlive_media::frame::{Frame, TrackConfig, TrackKind};
use bytes::Bytes;

use super::live::Live;
use super::lock;

/// A page that was drawn just before the end asks within this time for the picture that it has the address of.
const ASKED_FOR_WITHIN: Duration = Duration::from_secs(10);
/// The most pictures of streams that have ended.
const MAX_LAST_STILLS: usize = 100;

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

/// What streams looked like that ended a moment ago, the oldest first.
#[derive(Default)]
pub(super) struct LastStills(Mutex<VecDeque<(Instant, StreamId, Still)>>);

impl LastStills {
    pub(super) fn keep(&self, stream: StreamId, still: Still) {
        let mut kept = lock(&self.0);
        kept.retain(|(since, other, _)| since.elapsed() < ASKED_FOR_WITHIN && *other != stream);
        if kept.len() == MAX_LAST_STILLS {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), stream, still));
    }

    pub(super) fn of(&self, stream: StreamId) -> Option<Still> {
        let kept = lock(&self.0);
        let found = kept.iter().find(|(since, other, _)| *other == stream && since.elapsed() < ASKED_FOR_WITHIN);
        found.map(|(.., still)| still.clone())
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
