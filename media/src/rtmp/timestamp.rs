//! Timestamps of 32 bits, which start over after 49.7 days, as 64 bits that do not.

/// Reads each timestamp as the one nearest to the one before it; so a step of up to 24.8 days, either way, is understood.
///
/// One for all messages of a publish: audio and video that cross the boundary one after the other stay together.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimestampUnwrapper {
    last: Option<i64>,
}

impl TimestampUnwrapper {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub fn unwrap(&mut self, timestamp: u32) -> i64 {
        let unwrapped = match self.last {
            None => i64::from(timestamp),
            // Cutting to 32 bits is the point: the difference is taken modulo 2^32, and read with its sign.
            Some(last) => last.saturating_add(i64::from(timestamp.wrapping_sub(last as u32).cast_signed())),
        };
        self.last = Some(unwrapped);
        unwrapped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stream_goes_on_across_the_boundary_and_a_little_back() {
        let mut unwrapper = TimestampUnwrapper::new();
        assert_eq!(unwrapper.unwrap(u32::MAX - 20), 0xffff_ffeb);
        assert_eq!(unwrapper.unwrap(19), 0x1_0000_0013);
        assert_eq!(unwrapper.unwrap(u32::MAX), 0xffff_ffff, "audio that is a little behind");
        assert_eq!(unwrapper.unwrap(40), 0x1_0000_0028);
    }

    #[test]
    fn what_starts_at_zero_may_go_below() {
        let mut unwrapper = TimestampUnwrapper::new();
        assert_eq!(unwrapper.unwrap(0), 0);
        assert_eq!(unwrapper.unwrap(u32::MAX), -1);
    }

    proptest! {
        #[test]
        fn steps_are_kept(start: u32, steps in prop::collection::vec(-100_000_i32..100_000, 0..100)) {
            let mut unwrapper = TimestampUnwrapper::new();
            let mut sent = start;
            let mut expected = i64::from(start);
            prop_assert_eq!(unwrapper.unwrap(sent), expected);
            for step in steps {
                sent = sent.wrapping_add_signed(step);
                expected += i64::from(step);
                prop_assert_eq!(unwrapper.unwrap(sent), expected);
            }
        }
    }
}
