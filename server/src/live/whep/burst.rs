//! What waits to be sent to one viewer: a keyframe, or all that a viewer begins with, goes out over some milliseconds rather than at once, since
//! the network and the browser's socket have room for so much and no more. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::tracks::Payload;

/// 64 Mbit/s.
const BYTES_AT_ONCE: usize = 40 << 10;
const PAUSE: Duration = Duration::from_millis(5);
/// With more waiting, nothing is taken from the hub, which then skips to a keyframe. The bytes are the hub's, and counted for each viewer who holds them.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// Payloads in their order.
#[derive(Default)]
pub(super) struct Burst {
    waiting: VecDeque<Payload>,
    waiting_bytes: usize,
    /// What may still be sent before `next`.
    left_bytes: usize,
    next: Option<Instant>,
}

impl Burst {
    pub(super) fn push(&mut self, payload: Payload) {
        self.waiting_bytes += payload.data.len();
        self.waiting.push_back(payload);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting_bytes < MAX_WAITING_BYTES
    }

    /// When the next payload may go; `None` where none waits.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front()?;
        Some(match self.next {
            Some(next) if self.left_bytes == 0 => next,
            _ => Instant::now(),
        })
    }

    /// The next payload, where it may go.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Payload> {
        if self.next.is_none_or(|next| now >= next) {
            (self.left_bytes, self.next) = (BYTES_AT_ONCE, Some(now + PAUSE));
        }
        if self.left_bytes == 0 {
            return None;
        }
        let payload = self.waiting.pop_front()?;
        self.waiting_bytes -= payload.data.len();
        self.left_bytes = self.left_bytes.saturating_sub(payload.data.len());
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterlive_media::frame::TrackKind;

    fn payload(bytes: usize, wall: Instant) -> Payload {
        Payload { kind: TrackKind::Video, ticks: 0, wall, data: vec![0; bytes].into(), packer: None }
    }

    #[test]
    fn what_is_much_goes_out_over_some_milliseconds() {
        let (mut burst, now) = (Burst::default(), Instant::now());
        assert_eq!(burst.due(), None);
        for _ in 0..10 {
            burst.push(payload(20 << 10, now));
        }
        assert!(burst.due().is_some());
        assert!(burst.pop(now).is_some() && burst.pop(now).is_some());
        assert!(burst.pop(now).is_none());
        assert_eq!(burst.due(), Some(now + PAUSE));
        assert!(burst.pop(now + PAUSE).is_some());
        burst.clear();
        assert_eq!((burst.due(), burst.waiting_bytes), (None, 0));
    }

    #[test]
    fn a_payload_of_any_size_goes_at_last() {
        let (mut burst, now) = (Burst::default(), Instant::now());
        burst.push(payload(20 << 20, now));
        assert!(!burst.has_room());
        assert!(burst.pop(now).is_some());
        assert!(burst.has_room());
    }
}
