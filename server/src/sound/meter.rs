//! One stream's sound, measured. Runs in the process of the `worker`; blocks.

use video_rs::ffmpeg;
use video_rs::ffmpeg::format::sample::{Sample, Type};
use video_rs::ffmpeg::util::frame::Audio;

use super::decoder::{Coding, Decoders};
use super::loudness::{Channel, MAX_CHANNELS, WINDOWS_A_SECOND, write};

/// A sample that large is at full scale: what an encoder clipped, less what coding it took away.
const FULL_SCALE: f32 = 0.98;

#[derive(Default)]
pub(super) struct Meter {
    decoders: Decoders,
    channels: Vec<Sums>,
    samples: usize,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    peak: f32,
    squares: f64,
    full: usize,
}

impl Meter {
    /// Takes a frame; the windows that are whole with it, each with the time of the frame. What cannot be decoded is left out.
    pub(super) fn put(&mut self, at: i64, coding: Coding, frame: &[u8]) -> Result<Vec<(i64, Vec<u8>)>, ffmpeg::Error> {
        let mut windows = Vec::new();
        let mut decoders = std::mem::take(&mut self.decoders);
        let decoded = decoders.decode(coding, frame, |frame| {
            windows.extend(self.count(frame).map(|window| (at, window)));
            Ok(())
        });
        self.decoders = decoders;
        decoded.map(|()| windows)
    }

    fn count(&mut self, frame: &Audio) -> Option<Vec<u8>> {
        // What both decoders give.
        if frame.format() != Sample::F32(Type::Planar) || frame.rate() == 0 {
            return None;
        }
        let channels = frame.planes().min(MAX_CHANNELS);
        if self.channels.len() != channels {
            (self.channels, self.samples) = (vec![Sums::default(); channels], 0);
        }
        for (channel, sums) in self.channels.iter_mut().enumerate() {
            for sample in frame.plane::<f32>(channel).iter().filter(|sample| sample.is_finite()) {
                let amplitude = sample.abs();
                sums.peak = sums.peak.max(amplitude);
                sums.squares += f64::from(amplitude) * f64::from(amplitude);
                sums.full += usize::from(amplitude >= FULL_SCALE);
            }
        }
        self.samples += frame.samples();
        (self.samples >= frame.rate() as usize / WINDOWS_A_SECOND).then(|| self.window())
    }

    fn window(&mut self) -> Vec<u8> {
        let samples = std::mem::take(&mut self.samples).max(1) as f64;
        let channel = |sums: &Sums| Channel {
            peak: sums.peak,
            power: (sums.squares / samples) as f32,
            full: (sums.full as f64 / samples) as f32,
        };
        let window: Vec<Channel> = self.channels.iter().map(channel).collect();
        self.channels.fill(Sums::default());
        write(&window)
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::super::generated::{aac, opus};
    use super::super::loudness::{History, Loudness, read};
    use super::*;

    /// What is measured of a second and a half of this, by both decoders, behind half a second in which the encoders begin.
    fn measured(sample: impl Fn(i64) -> [f32; 2]) -> [Loudness; 2] {
        let opus = opus(0, sample);
        let aac = aac(&opus);
        [(Coding::Opus, opus), (Coding::Adts, aac)].map(|(coding, packets)| {
            let (mut meter, mut history) = (Meter::default(), History::default());
            let windows = packets.iter().flat_map(|(at, packet)| meter.put(*at, coding, packet).unwrap());
            windows.skip(1).for_each(|(_, window)| history.push(read(&window).unwrap()));
            history.loudness().unwrap()
        })
    }

    fn sine(n: i64, amplitude: f32) -> f32 {
        amplitude * (n as f32 * TAU * 1_000.0 / 48_000.0).sin()
    }

    #[test]
    fn silence_is_silent() {
        for loudness in measured(|_| [0.0; 2]) {
            assert!(loudness.channels.len() == 2 && loudness.silent_s == 1, "{loudness:?}");
            assert!(loudness.channels.iter().all(|level| level.peak_dbfs < -80.0), "{loudness:?}");
        }
    }

    #[test]
    fn a_sine_is_as_loud_as_it_was_made_in_each_channel() {
        // The sine of −20 dBFS has a tenth of the amplitude; its mean power is 3 dB less.
        for loudness in measured(|n| [sine(n, 0.1), 0.0]) {
            let [left, right] = loudness.channels[..] else { panic!("{loudness:?}") };
            assert!((left.peak_dbfs + 20.0).abs() < 1.0, "{left:?}");
            assert!((left.rms_dbfs + 23.0).abs() < 0.5, "{left:?}");
            assert!(right.rms_dbfs < -50.0, "{right:?}");
            assert_eq!((loudness.silent_s, loudness.clipped_percent), (0, 0));
        }
    }

    #[test]
    fn what_is_clipped_is_found_and_what_is_only_loud_is_not() {
        for loudness in measured(|n| [sine(n, 4.0).clamp(-1.0, 1.0); 2]) {
            assert!(loudness.channels[0].peak_dbfs > -1.0, "{loudness:?}");
            assert!(loudness.clipped_percent >= 10, "two windows of twenty at least: {loudness:?}");
        }
        for loudness in measured(|n| [sine(n, 0.9); 2]) {
            assert_eq!(loudness.clipped_percent, 0, "{loudness:?}");
        }
    }
}
