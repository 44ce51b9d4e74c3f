//! Media time: ticks of a timescale, their conversion, and the smoothing of audio timestamps that arrive in whole milliseconds.
//!
//! Never wall time, and no clock is read.

/// Ticks a second of RTMP and FLV timestamps.
pub const MILLISECONDS: u32 = 1_000;

/// Converts ticks of one timescale into another, to the nearest, halves up. Saturates where the result does not fit.
///
/// # Panics
/// Where `from` is 0.
#[must_use]
pub fn rescale(ticks: i64, from: u32, to: u32) -> i64 {
    // A frame's time is asked for several times, and a division of 128 bits takes long.
    if let Some(scaled) = ticks.checked_mul(2 * i64::from(to)).and_then(|scaled| scaled.checked_add(i64::from(from))) {
        return scaled.div_euclid(2 * i64::from(from));
    }
    let (scaled, from) = (i128::from(ticks) * i128::from(to), i128::from(from));
    let nearest = (2 * scaled + from).div_euclid(2 * from);
    i64::try_from(nearest).unwrap_or(if nearest < 0 { i64::MIN } else { i64::MAX })
}

/// How far a timestamp may lie from where the previous frame ended and still mean "without a gap", in milliseconds.
///
/// Rounding or cutting to milliseconds moves the timestamp by less than 1 ms, and moved the one that the count was last set by
/// by as much, so honest timestamps of a gapless stream differ by less than 1 ms either way; an encoder whose own clock is
/// rounded once more (90 kHz or nanoseconds first) adds a second one. The shortest frame lasts 2.5 ms (Opus; 10 ms with AAC), so
/// that a lost one never hides within the tolerance.
pub const AUDIO_TOLERANCE_MS: i64 = 2;

/// Turns audio timestamps in milliseconds into sample-exact ones.
///
/// A frame of 1024 samples at 44.1 kHz lasts 23.22 ms, so timestamps in milliseconds jump by 23 or 24; taken literally they
/// would put a tiny gap or overlap at each frame. As long as the timestamps agree with the count of samples to within
/// [`AUDIO_TOLERANCE_MS`] the count goes on; where they do not, be it by a jump or by slow drift of the encoder's clock, the timestamp is right
/// and the count starts anew from it. So the result is never further from what was sent than the tolerance.
#[derive(Clone, Debug)]
pub struct AudioClock {
    sample_rate: u32,
    /// Where the previous frame ends, in samples.
    expected: Option<i64>,
}

impl AudioClock {
    /// `sample_rate` in Hz, not 0.
    #[must_use]
    pub fn new(sample_rate: u32) -> Self {
        Self { sample_rate, expected: None }
    }

    /// The frame's time in samples. `samples` is how many it holds.
    pub fn dts(&mut self, timestamp_ms: i64, samples: u32) -> i64 {
        let sent = rescale(timestamp_ms, MILLISECONDS, self.sample_rate);
        let tolerance = AUDIO_TOLERANCE_MS.unsigned_abs() * u64::from(self.sample_rate) / u64::from(MILLISECONDS);
        let dts = self.expected.filter(|expected| expected.abs_diff(sent) <= tolerance).unwrap_or(sent);
        self.expected = Some(dts.saturating_add(i64::from(samples)));
        dts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn conversion_goes_to_the_nearest_tick() {
        assert_eq!(rescale(23, 1_000, 44_100), 1_014);
        assert_eq!(rescale(1_024, 44_100, 1_000), 23);
        assert_eq!(rescale(-1_024, 44_100, 1_000), -23);
        assert_eq!(rescale(1, 2, 1), 1);
        assert_eq!(rescale(i64::MAX, 1, u32::MAX), i64::MAX);
        assert_eq!(rescale(i64::MIN, 1, u32::MAX), i64::MIN);
        // Too far for 64 bits on the way, and not at the end.
        assert_eq!(rescale(i64::MAX / 2 + 1, 44_100, 44_100), i64::MAX / 2 + 1);
        assert_eq!(rescale(i64::MIN + 5, 90_000, 1_000), -102_481_911_520_608_620);
    }

    proptest! {
        #[test]
        fn the_short_way_is_the_long_one(ticks in any::<i64>(), shift in 0..64_u32, from in 1..u32::MAX, to in any::<u32>()) {
            let ticks = ticks >> shift;
            let (scaled, divisor) = (2 * i128::from(ticks) * i128::from(to) + i128::from(from), 2 * i128::from(from));
            let nearest = scaled.div_euclid(divisor).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            prop_assert_eq!(i128::from(rescale(ticks, from, to)), nearest);
        }
    }

    #[test]
    fn a_lost_frame_and_a_jump_back_show_in_the_result() {
        let mut clock = AudioClock::new(48_000);
        assert_eq!(clock.dts(1_000, 1_024), 48_000);
        assert_eq!(clock.dts(1_021, 1_024), 49_024);
        assert_eq!(clock.dts(1_064, 1_024), 51_072, "one frame of 21.3 ms is missing");
        assert_eq!(clock.dts(0, 1_024), 0);
    }

    #[test]
    fn a_drifting_encoder_is_followed() {
        // The encoder's sample clock is 1 % slow: 21.55 ms between frames that hold 21.33 ms.
        let mut clock = AudioClock::new(48_000);
        for frame in 0..10_000_i64 {
            let timestamp_ms = frame * 2_155 / 100;
            let dts_ms = rescale(clock.dts(timestamp_ms, 1_024), 48_000, 1_000);
            assert!((dts_ms - timestamp_ms).abs() <= AUDIO_TOLERANCE_MS, "frame {frame}: {dts_ms} for {timestamp_ms}");
        }
    }

    proptest! {
        #[test]
        fn cut_and_rounded_timestamps_of_a_gapless_stream_give_gapless_times(
            sample_rate in prop::sample::select(vec![8_000_u32, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000]),
            start_samples in 0_i64..10_000_000,
            rounded: bool,
        ) {
            let mut clock = AudioClock::new(sample_rate);
            let mut previous = None;
            for frame in 0..500 {
                let samples = start_samples + frame * 1_024;
                let half = if rounded { i64::from(sample_rate) / 2 } else { 0 };
                let timestamp_ms = (samples * 1_000 + half) / i64::from(sample_rate);
                let dts = clock.dts(timestamp_ms, 1_024);
                if let Some(previous) = previous {
                    prop_assert_eq!(dts - previous, 1_024);
                }
                previous = Some(dts);
            }
        }
    }
}
