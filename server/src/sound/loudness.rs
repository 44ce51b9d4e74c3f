//! How loud sound is, from window to window: as the process that decodes it writes them, and what they say together. Pure.

use std::collections::VecDeque;

/// Windows a second.
pub(super) const WINDOWS_A_SECOND: usize = 2;
/// So many windows make what is shown: three seconds.
const SHOWN: usize = 3 * WINDOWS_A_SECOND;
/// So many are remembered: half a minute.
const REMEMBERED: usize = 30 * WINDOWS_A_SECOND;
/// Over so many it is told how much is clipped: ten seconds.
const CLIPPING: usize = 10 * WINDOWS_A_SECOND;
/// Below this there is nothing to be heard.
const SILENCE_DBFS: f32 = -60.0;
/// Nothing is less loud; digital silence would be as low as one likes.
const FLOOR_DBFS: f32 = -96.0;
/// Of what a window's samples are, this part is at full scale where it is clipped: two in a thousand. Loud music that is not has single ones.
const CLIPPED_PART: f32 = 0.002;
/// Bytes of a channel: three numbers.
const CHANNEL_BYTES: usize = 12;
/// AAC has no more.
pub(super) const MAX_CHANNELS: usize = 8;

/// One channel over one window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Channel {
    /// The largest sample, either way; 1 is full scale, and decoders may go beyond it.
    pub(super) peak: f32,
    /// The mean of the samples' squares.
    pub(super) power: f32,
    /// What part of the samples is at full scale.
    pub(super) full: f32,
}

pub(super) type Window = Vec<Channel>;

pub(super) fn write(window: &[Channel]) -> Vec<u8> {
    window.iter().flat_map(|channel| [channel.peak, channel.power, channel.full].map(f32::to_le_bytes).concat()).collect()
}

/// `None` where these are no figures.
pub(super) fn read(bytes: &[u8]) -> Option<Window> {
    let (channels, rest) = bytes.as_chunks::<CHANNEL_BYTES>();
    if channels.is_empty() || channels.len() > MAX_CHANNELS || !rest.is_empty() {
        return None;
    }
    let number = |bytes: &[u8; CHANNEL_BYTES], at: usize| {
        let number = f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Some(number).filter(|number| number.is_finite() && *number >= 0.0)
    };
    let channel = |bytes| Some(Channel { peak: number(bytes, 0)?, power: number(bytes, 4)?, full: number(bytes, 8)? });
    channels.iter().map(channel).collect()
}

/// How loud one channel is, in decibels below full scale: 0 is the most, or a little more, and -96 the least.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Level {
    pub peak_dbfs: f32,
    pub rms_dbfs: f32,
}

/// How loud the sound of a live stream is.
#[derive(Clone, PartialEq, Debug)]
pub struct Loudness {
    /// Of each channel, over the last three seconds.
    pub channels: Vec<Level>,
    /// For how long there has been nothing to be heard, up to half a minute.
    pub silent_s: u32,
    /// In how much of the last ten seconds the sound was clipped. Before there are so many, of ten seconds all the same.
    pub clipped_percent: u8,
}

/// The last windows, the newest last.
#[derive(Default)]
pub(super) struct History(VecDeque<Window>);

impl History {
    pub(super) fn push(&mut self, window: Window) {
        if self.0.back().is_some_and(|last| last.len() != window.len()) {
            self.0.clear();
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(window);
    }

    /// `None` before the first window.
    pub(super) fn loudness(&self) -> Option<Loudness> {
        let newest = self.0.back()?;
        let level = |channel: usize| {
            let shown = || self.0.iter().rev().take(SHOWN).filter_map(|window| window.get(channel));
            let power = shown().map(|channel| channel.power).sum::<f32>() / shown().count().max(1) as f32;
            let peak = shown().map(|channel| channel.peak).fold(0.0, f32::max);
            Level { peak_dbfs: decibels(peak), rms_dbfs: decibels(power.sqrt()) }
        };
        let is_silent = |window: &&Window| window.iter().all(|channel| decibels(channel.power.sqrt()) < SILENCE_DBFS);
        let is_clipped = |window: &&Window| window.iter().any(|channel| channel.full >= CLIPPED_PART);
        let silent = self.0.iter().rev().take_while(is_silent).count();
        let clipped = self.0.iter().rev().take(CLIPPING).filter(is_clipped).count();
        Some(Loudness {
            channels: (0..newest.len()).map(level).collect(),
            silent_s: u32::try_from(silent / WINDOWS_A_SECOND).unwrap_or(u32::MAX),
            clipped_percent: u8::try_from(clipped * 100 / CLIPPING).unwrap_or(100),
        })
    }
}

/// Of an amplitude.
fn decibels(amplitude: f32) -> f32 {
    (20.0 * amplitude.log10()).max(FLOOR_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(amplitude: f32) -> Channel {
        Channel { peak: amplitude, power: amplitude * amplitude / 2.0, full: if amplitude >= 1.0 { 0.2 } else { 0.0 } }
    }

    fn history(amplitudes: impl IntoIterator<Item = f32>) -> Loudness {
        let mut history = History::default();
        amplitudes.into_iter().for_each(|amplitude| history.push(vec![of(amplitude), of(0.1)]));
        history.loudness().unwrap()
    }

    #[test]
    fn figures_arrive_as_they_were_written_and_rubbish_is_none() {
        let window = vec![of(0.5), of(1.5)];
        assert_eq!(read(&write(&window)), Some(window.clone()));
        assert_eq!(read(&write(&window)[1..]), None);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0xff; CHANNEL_BYTES]), None, "no number");
        assert_eq!(read(&[0; (MAX_CHANNELS + 1) * CHANNEL_BYTES]), None);
    }

    #[test]
    fn what_is_shown_is_of_the_last_seconds() {
        let loudness = history([0.5; 20].into_iter().chain([0.1; SHOWN]));
        let [level, _] = loudness.channels[..] else { panic!("{loudness:?}") };
        assert!((level.peak_dbfs + 20.0).abs() < 0.01 && (level.rms_dbfs + 23.01).abs() < 0.01, "{level:?}");
        assert_eq!((loudness.silent_s, loudness.clipped_percent), (0, 0));
        assert_eq!(History::default().loudness(), None);
    }

    #[test]
    fn it_is_silent_for_as_long_as_no_channel_is_heard() {
        let mut history = History::default();
        history.push(vec![of(0.1), of(0.0)]);
        (0..20).for_each(|_| history.push(vec![of(0.0), of(0.000_5)]));
        let loudness = history.loudness().unwrap();
        assert_eq!(loudness.silent_s, 10);
        assert_eq!(loudness.channels[0], Level { peak_dbfs: FLOOR_DBFS, rms_dbfs: FLOOR_DBFS });
        (0..100).for_each(|_| history.push(vec![of(0.0), of(0.0)]));
        assert_eq!(history.loudness().unwrap().silent_s, 30);
        history.push(vec![of(0.0), of(0.1)]);
        assert_eq!(history.loudness().unwrap().silent_s, 0);
    }

    #[test]
    fn it_is_clipped_as_much_as_of_the_last_ten_seconds_and_other_channels_begin_anew() {
        assert_eq!(history([1.0; 5]).clipped_percent, 25);
        assert_eq!(history([1.2; 40]).clipped_percent, 100);
        assert_eq!(history([1.0; 20].into_iter().chain([0.9; 15])).clipped_percent, 25);
        let mut history = History::default();
        history.push(vec![of(1.0)]);
        history.push(vec![of(0.1), of(0.1)]);
        let loudness = history.loudness().unwrap();
        assert_eq!((loudness.channels.len(), loudness.clipped_percent), (2, 0));
    }
}
