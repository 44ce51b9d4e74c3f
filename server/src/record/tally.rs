//! What came while it was recorded, by the encoder's clock. Pure.

use afterlive_domain::report::Checksum;

use crate::finalise::{Account, Received};

/// How long the only frame of a track is taken to last.
const LONE_FRAME_MS: i64 = 40;

/// Counts the frames of one track of one publish.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Tally {
    frames: u64,
    left_out_frames: u64,
    /// Decoding times of the first and of the latest frame.
    span_ms: Option<(i64, i64)>,
    /// From the frame before the latest to it.
    last_step_ms: Option<i64>,
}

impl Tally {
    /// So many frames came before the recording could begin, and are not in it.
    pub(super) fn after(left_out_frames: u64) -> Self {
        Self { frames: left_out_frames, left_out_frames, ..Self::default() }
    }

    /// A frame came that nothing could show.
    pub(super) fn leave_out(&mut self) {
        self.frames += 1;
        self.left_out_frames += 1;
    }

    /// So many frames came and are lost.
    pub(super) fn lose(&mut self, frames: u64) {
        self.frames += frames;
    }

    pub(super) fn count(&mut self, dts_ms: i64) {
        self.frames += 1;
        let (first_ms, latest_ms) = self.span_ms.unwrap_or((dts_ms, dts_ms));
        if dts_ms > latest_ms {
            self.last_step_ms = Some(dts_ms - latest_ms);
        }
        self.span_ms = Some((first_ms, latest_ms.max(dts_ms)));
    }

    /// What came of the track in all, behind what came before.
    pub(super) fn onto(self, before: Received) -> Received {
        let step_ms = self.last_step_ms.unwrap_or(LONE_FRAME_MS);
        let lasts_ms = self.span_ms.map_or(0, |(first_ms, latest_ms)| (latest_ms - first_ms + step_ms).unsigned_abs());
        Received {
            frames: before.frames + self.frames,
            left_out_frames: before.left_out_frames + self.left_out_frames,
            lasts_ms: before.lasts_ms + lasts_ms,
        }
    }
}

/// What came of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    /// Of pictures and of sound.
    pub(super) tallies: [Tally; 2],
    /// What had come before an encoder came back; absent where that was never counted.
    pub(super) received_before: Option<[Received; 2]>,
    /// What never came from the encoder, of all publishes.
    pub(super) lost_frames: u64,
}

impl Counts {
    /// So many frames of pictures and of sound came, and are lost.
    pub(super) fn miss(&mut self, frames: [u64; 2]) {
        self.tallies.iter_mut().zip(frames).for_each(|(tally, frames)| tally.lose(frames));
    }

    pub(super) fn account(&self, checksum: Option<Checksum>) -> Account {
        let received = self.received_before.map(|before| [0, 1].map(|kind| self.tallies[kind].onto(before[kind])));
        Account { received, lost_frames: self.lost_frames, checksum, ..Account::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_counted_and_measured_to_the_end_of_the_last_frame() {
        let mut tally = Tally::after(2);
        tally.leave_out();
        [100, 133, 166, 160].into_iter().for_each(|ms| tally.count(ms));
        let first = tally.onto(Received::default());
        assert_eq!(first, Received { frames: 7, left_out_frames: 3, lasts_ms: 99 });
        assert_eq!(Tally::default().onto(first), first);
        let mut lost = tally;
        lost.lose(5);
        assert_eq!(lost.onto(Received::default()), Received { frames: 12, ..first });
        let mut lone = Tally::default();
        lone.count(5_000);
        assert_eq!(lone.onto(first), Received { frames: 8, left_out_frames: 3, lasts_ms: 139 });
    }
}
