//! The sample index: all that a finished file's moov says, held in a few bytes a sample while the recording grows.

use crate::frame::{CodecConfig, TrackKind};
use crate::time::rescale;

use super::MOVIE_TIMESCALE;
use super::packed::{Numbers, Runs};

/// The most samples a track may have: nine days at 60 a second. Keeps the moov well below 4 GiB.
pub const MAX_SAMPLES_PER_TRACK: u32 = 48_000_000;

/// The longest a sample may last, in ticks: 24 days at a timescale of 1000, 12 hours at 48 kHz. A longer pause is shortened to it.
pub(super) const MAX_SAMPLE_TICKS: u64 = i32::MAX as u64;

/// The latest first decoding time of a track, in ticks: sums with it do not overflow.
pub(super) const MAX_FIRST_DTS: u64 = 1 << 61;

/// The tracks of a recording with all their samples.
///
/// Takes about 7 bytes a video frame and 2 to 3 an audio frame: some 10 MB for ten hours at 30 frames a second.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SampleIndex {
    pub(super) tracks: Vec<TrackIndex>,
}

impl SampleIndex {
    #[must_use]
    pub fn tracks(&self) -> &[TrackIndex] {
        &self.tracks
    }

    #[must_use]
    pub fn track(&self, kind: TrackKind) -> Option<&TrackIndex> {
        self.tracks.iter().find(|track| track.kind() == kind)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.iter().all(|track| track.samples == 0)
    }

    /// From the earliest presented sample to the end of the latest, in milliseconds, rounded up.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        let base = self.base_ms();
        let ends = self.tracks.iter().filter(|track| track.samples > 0).map(|track| track.delay_ms(base) + track.presented_ms());
        ends.max().unwrap_or(0)
    }

    /// For each track, in their order, when its first sample is presented, in milliseconds after the earliest of all; and from there to the end
    /// of its latest.
    pub fn spans_ms(&self) -> impl Iterator<Item = (u64, u64)> {
        let base = self.base_ms();
        self.tracks.iter().map(move |track| if track.samples > 0 { (track.delay_ms(base), track.presented_ms()) } else { (0, 0) })
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.tracks.iter().map(TrackIndex::heap_bytes).sum()
    }

    /// The index as it was when the recording had so many bytes of media: of the chunks that lie wholly in the first `media_bytes`, counted from where the
    /// fragments begin. What was only declared by then, a track or a configuration without samples, is left out, lest the answer change with the next
    /// declaration.
    #[must_use]
    pub fn up_to(&self, media_bytes: u64) -> Self {
        let mut tracks: Vec<TrackIndex> = self.tracks.iter().map(|track| track.up_to(media_bytes)).collect();
        // A track's id is its place: those in between stay.
        tracks.truncate(tracks.iter().rposition(|track| track.samples > 0).map_or(0, |last| last + 1));
        Self { tracks }
    }

    /// What the finished file's moov takes, at most. Cheap: nothing is counted.
    pub(super) fn moov_bytes(&self) -> u64 {
        let fixed = 256;
        fixed + self.tracks.iter().map(TrackIndex::moov_bytes).sum::<u64>()
    }

    /// When the earliest sample is presented, in milliseconds after the recording's origin.
    pub(super) fn base_ms(&self) -> i64 {
        self.tracks.iter().filter(|track| track.samples > 0).map(TrackIndex::start_ms).min().unwrap_or(0)
    }
}

/// One sample, as it goes into fragments and index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sample {
    pub(super) size: u32,
    /// In ticks.
    pub(super) duration: u32,
    /// Presentation less decoding time, in ticks.
    pub(super) pts_offset: i32,
    pub(super) sync: bool,
}

/// One track and its samples. Its id in the file is its place in the index, from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackIndex {
    pub(super) timescale: u32,
    /// The sample descriptions, in the order of their indices, which begin at 1. Never empty.
    pub(super) descriptions: Vec<CodecConfig>,
    pub(super) samples: u32,
    pub(super) bytes: u64,
    /// Decoding time of the first sample, in ticks after the recording's origin.
    pub(super) first_dts: u64,
    /// The sum of all durations, in ticks.
    pub(super) duration: u64,
    /// The earliest presentation time, in ticks after `first_dts`.
    pub(super) earliest_pts: i64,
    /// The latest end of presentation, in ticks after `first_dts`.
    pub(super) latest_end: i64,
    pub(super) sizes: Numbers,
    pub(super) durations: Runs,
    pts_offsets: Runs,
    lowest_pts_offset: i32,
    has_pts_offset: bool,
    /// Each sync sample's number (from 1) less the one before.
    syncs: Numbers,
    last_sync: u32,
    chunks: Chunks,
    /// The samples that were made to last longer, in their order.
    stretched: Vec<Stretched>,
}

/// How long a sample lasted as the last one, before it was made to last until the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stretched {
    /// From 1.
    number: u32,
    duration: u32,
}

/// Runs of samples that lie one behind the other in the file.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Chunks {
    /// For each chunk: offset less the one before, samples, sample description index.
    packed: Numbers,
    last_offset: u64,
}

/// A chunk: what stco and stsc say of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    /// From where the fragments begin.
    pub(super) offset: u64,
    pub(super) samples: u32,
    pub(super) description: u32,
}

impl TrackIndex {
    pub(super) fn new(timescale: u32, description: CodecConfig) -> Self {
        Self {
            timescale,
            descriptions: vec![description],
            samples: 0,
            bytes: 0,
            first_dts: 0,
            duration: 0,
            earliest_pts: 0,
            latest_end: 0,
            sizes: Numbers::default(),
            durations: Runs::default(),
            pts_offsets: Runs::default(),
            lowest_pts_offset: 0,
            has_pts_offset: false,
            syncs: Numbers::default(),
            last_sync: 0,
            chunks: Chunks::default(),
            stretched: Vec::new(),
        }
    }

    /// The track as it was declared.
    pub(super) fn without_samples(&self) -> Self {
        Self { descriptions: self.descriptions.clone(), ..Self::new(self.timescale, self.descriptions[0].clone()) }
    }

    fn up_to(&self, media_bytes: u64) -> Self {
        let mut kept = Self::new(self.timescale, self.descriptions[0].clone());
        let (mut sizes, mut durations, mut pts_offsets) = (self.sizes.iter(), self.durations.values(), self.pts_offsets.values());
        let mut syncs = self.sync_samples().map(Iterator::peekable);
        let last = self.last_stretched(media_bytes);
        let mut next = |number: u32| {
            let sync = syncs.as_mut().is_none_or(|syncs| syncs.next_if_eq(&number).is_some());
            // Each fits what it was pushed from.
            let (duration, pts_offset) = (durations.next()? as u32, pts_offsets.next()? as i32);
            let duration = last.filter(|last| last.number == number).map_or(duration, |last| last.duration);
            Some(Sample { size: sizes.next()? as u32, duration, pts_offset, sync })
        };
        let mut descriptions = 1;
        for chunk in self.chunks() {
            let numbers = kept.samples + 1..=kept.samples + chunk.samples;
            let samples: Vec<Sample> = numbers.map_while(&mut next).collect();
            let end = chunk.offset + samples.iter().map(|sample| u64::from(sample.size)).sum::<u64>();
            if end > media_bytes {
                break;
            }
            let dts = kept.next_dts().unwrap_or(self.first_dts);
            kept.push_chunk(chunk.offset, chunk.description, dts, samples);
            descriptions = descriptions.max(chunk.description as usize);
        }
        kept.descriptions = self.descriptions.iter().take(descriptions).cloned().collect();
        let earlier = self.stretched.partition_point(|stretched| stretched.number < kept.samples);
        kept.stretched.extend_from_slice(&self.stretched[..earlier]);
        kept
    }

    /// The last sample that lies in the first `media_bytes`, where it was made to last longer only after that.
    fn last_stretched(&self, media_bytes: u64) -> Option<Stretched> {
        if self.stretched.is_empty() {
            return None;
        }
        let (mut sizes, mut number) = (self.sizes.iter(), 0);
        for chunk in self.chunks() {
            let length: u64 = sizes.by_ref().take(chunk.samples as usize).sum();
            if chunk.offset + length > media_bytes {
                break;
            }
            number += chunk.samples;
        }
        self.stretched.iter().find(|stretched| stretched.number == number).copied()
    }

    #[must_use]
    pub fn kind(&self) -> TrackKind {
        self.descriptions[0].kind()
    }

    /// The decoder configurations that the samples use, in the order in which they came.
    #[must_use]
    pub fn descriptions(&self) -> &[CodecConfig] {
        &self.descriptions
    }

    /// Ticks a second.
    #[must_use]
    pub fn timescale(&self) -> u32 {
        self.timescale
    }

    #[must_use]
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// On an average over its own time, which another track may outlast; `None` without a sample that lasts.
    #[must_use]
    pub fn samples_a_second(&self) -> Option<f64> {
        let ticks = self.latest_end - self.presented_from();
        (ticks > 0).then(|| f64::from(self.samples) * f64::from(self.timescale) / ticks as f64)
    }

    /// Of all samples together.
    #[must_use]
    pub fn media_bytes(&self) -> u64 {
        self.bytes
    }

    /// Where a sample lasts `min_ms` or longer, that is where nothing was sent: when it is decoded and when the next one is, in milliseconds after the
    /// track's first.
    pub fn gaps(&self, min_ms: u64) -> impl Iterator<Item = (u64, u64)> {
        let timescale = u64::from(self.timescale);
        let ms = move |ticks: u64| (u128::from(ticks) * 1_000 / u128::from(timescale)) as u64;
        let mut at = 0;
        self.durations.iter().flat_map(move |(count, duration)| {
            // Durations come from u32s.
            let duration = duration as u64;
            let begin = at;
            at += u64::from(count) * duration;
            let long = if ms(duration) >= min_ms { count } else { 0 };
            (0..u64::from(long)).map(move |n| (ms(begin + n * duration), ms(begin + (n + 1) * duration)))
        })
    }

    /// Where the next sample's decoding time must be, in ticks after the recording's origin; any where there is none yet.
    pub(super) fn next_dts(&self) -> Option<u64> {
        (self.samples > 0).then(|| self.first_dts + self.duration)
    }

    /// Lets the last sample last until `dts`, where that is later than it ends: nothing came in between, as while an encoder was away.
    ///
    /// A sample lasts at most [`MAX_SAMPLE_TICKS`]; returns where the next one must begin.
    pub(super) fn last_until(&mut self, dts: u64) -> u64 {
        let (Some(next_dts), Some((_, last))) = (self.next_dts(), self.durations.last()) else { return dts };
        let longest = MAX_SAMPLE_TICKS.saturating_sub(last.unsigned_abs());
        let longer = dts.saturating_sub(next_dts).min(longest);
        if longer > 0 {
            self.stretched.push(Stretched { number: self.samples, duration: last as u32 }); // it was pushed as one
            self.durations.replace_last(last + longer as i64); // at most `MAX_SAMPLE_TICKS`
            self.duration += longer;
            let pts_offset = self.pts_offsets.last().map_or(0, |(_, offset)| offset);
            self.latest_end = self.latest_end.max(self.duration as i64 + pts_offset);
        }
        next_dts + longer
    }

    /// Adds a chunk at `offset`, from where the fragments begin. `dts` is of its first sample and must be [`next_dts`](Self::next_dts).
    pub(super) fn push_chunk(&mut self, offset: u64, description: u32, dts: u64, samples: impl IntoIterator<Item = Sample>) {
        if self.samples == 0 {
            self.first_dts = dts;
        }
        debug_assert_eq!(self.first_dts + self.duration, dts);
        let before = self.samples;
        for sample in samples {
            self.push_sample(sample);
        }
        if self.samples > before {
            self.chunks.packed.push(offset.wrapping_sub(self.chunks.last_offset));
            self.chunks.packed.push((self.samples - before).into());
            self.chunks.packed.push(description.into());
            self.chunks.last_offset = offset;
        }
    }

    fn push_sample(&mut self, sample: Sample) {
        let pts = self.duration as i64 + i64::from(sample.pts_offset);
        let end = pts + i64::from(sample.duration);
        self.earliest_pts = if self.samples == 0 { pts } else { self.earliest_pts.min(pts) };
        self.latest_end = if self.samples == 0 { end } else { self.latest_end.max(end) };
        self.samples += 1;
        self.bytes += u64::from(sample.size);
        self.duration += u64::from(sample.duration);
        self.sizes.push(sample.size.into());
        self.durations.push(sample.duration.into());
        self.pts_offsets.push(sample.pts_offset.into());
        self.lowest_pts_offset = self.lowest_pts_offset.min(sample.pts_offset);
        self.has_pts_offset |= sample.pts_offset != 0;
        if self.kind() == TrackKind::Video && sample.sync {
            self.syncs.push((self.samples - self.last_sync).into());
            self.last_sync = self.samples;
        }
    }

    /// What the track takes of a moov, at most: some bytes more than it will be.
    fn moov_bytes(&self) -> u64 {
        /// Of all boxes of a track but the tables and what the codecs say.
        const FIXED_BYTES: u64 = 1_024;
        let descriptions: u64 = self.descriptions.iter().map(|codec| 256 + codec.configuration().len() as u64).sum();
        // 4 a size; 8 a run of durations, and of presentation offsets; 4 a sync sample; 12 and 8 a chunk.
        let samples = 4 * u64::from(self.samples);
        let runs = 8 * (u64::from(self.durations.count()) + u64::from(self.pts_offsets.count()));
        let syncs = 4 * u64::from(self.syncs.count());
        let chunks = 20 * u64::from(self.chunks.packed.count() / 3);
        FIXED_BYTES + descriptions + samples + runs + syncs + chunks
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = Chunk> {
        let mut packed = self.chunks.packed.iter();
        let mut offset = 0_u64;
        std::iter::from_fn(move || {
            offset = offset.wrapping_add(packed.next()?);
            Some(Chunk { offset, samples: packed.next()? as u32, description: packed.next()? as u32 })
        })
    }

    /// The numbers, from 1, of the samples where decoding can start; `None` where that is all of them.
    pub(super) fn sync_samples(&self) -> Option<impl Iterator<Item = u32>> {
        let all = self.kind() == TrackKind::Audio || self.syncs.count() == self.samples;
        (!all).then(|| {
            self.syncs.iter().scan(0, |number, delta| {
                *number += delta as u32;
                Some(*number)
            })
        })
    }

    /// Where presentation begins on the media's own timeline, which begins with the first decoding time.
    ///
    /// Nothing before 0 can be presented. So where negative offsets put a sample there, all are presented later by so much
    /// ([`composition_runs`](Self::composition_runs)), and the track begins earlier in the movie instead.
    pub(super) fn media_start(&self) -> i64 {
        self.presented_from().max(0)
    }

    /// When the first is presented that is to be, in ticks after `first_dts`: with Opus, what a decoder puts out before it has settled is not.
    fn presented_from(&self) -> i64 {
        match &self.descriptions[0] {
            // The timescale is that of the samples that are skipped.
            CodecConfig::Opus { pre_skip, .. } => (self.earliest_pts + i64::from(*pre_skip)).min(self.latest_end),
            _ => self.earliest_pts,
        }
    }

    /// The version and runs of ctts; `None` where samples are presented when they are decoded.
    pub(super) fn composition_runs(&self) -> Option<(u8, impl Iterator<Item = (u32, i64)>)> {
        let lift = (-self.earliest_pts).max(0);
        let version = u8::from(i64::from(self.lowest_pts_offset) + lift < 0);
        self.has_pts_offset.then(|| (version, self.pts_offsets.iter().map(move |(count, offset)| (count, offset + lift))))
    }

    /// When the first sample is presented, in milliseconds after the recording's origin.
    fn start_ms(&self) -> i64 {
        rescale(self.first_dts as i64 + self.presented_from(), self.timescale, MOVIE_TIMESCALE)
    }

    /// How much later than the movie's `base_ms` it starts.
    pub(super) fn delay_ms(&self, base_ms: i64) -> u64 {
        u64::try_from(self.start_ms() - base_ms).unwrap_or(0)
    }

    /// From its own first presented sample to the end of the latest; rounded up, lest a player leave out the last sample.
    pub(super) fn presented_ms(&self) -> u64 {
        let ticks = u128::try_from(self.latest_end - self.presented_from()).unwrap_or(0);
        (ticks * u128::from(MOVIE_TIMESCALE)).div_ceil(self.timescale.into()) as u64
    }

    fn heap_bytes(&self) -> usize {
        self.sizes.heap_bytes()
            + self.durations.heap_bytes()
            + self.pts_offsets.heap_bytes()
            + self.syncs.heap_bytes()
            + self.chunks.packed.heap_bytes()
            + self.stretched.len() * size_of::<Stretched>()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// What is told where a second is asked for.
    const MIN_MS: u64 = 1_000;

    /// A track whose samples last so many ticks each. It begins half a second after the recording does.
    fn track(timescale: u32, durations: impl IntoIterator<Item = u32>) -> TrackIndex {
        let asc = Bytes::from_static(&[0x11, 0x90]);
        let mut track = TrackIndex::new(timescale, CodecConfig::Aac { asc, sample_rate: 48_000, channels: 2 });
        let samples = durations.into_iter().map(|duration| Sample { size: 100, duration, pts_offset: 0, sync: true });
        track.push_chunk(0, 1, u64::from(timescale / 2), samples);
        track
    }

    fn gaps(track: &TrackIndex) -> Vec<(u64, u64)> {
        track.gaps(MIN_MS).collect()
    }

    #[test]
    fn a_track_whose_samples_follow_each_other_has_no_gap_however_long_it_is() {
        assert!(gaps(&track(1_000, std::iter::empty())).is_empty());
        assert!(gaps(&track(1_000, [40; 10_000])).is_empty());
        // One millisecond, and one tick, less than what is told.
        assert!(gaps(&track(1_000, [40, 999, 40, 999])).is_empty());
        assert!(gaps(&track(48_000, [1_024, 47_999, 1_024])).is_empty());
    }

    #[test]
    fn a_gap_lasts_from_the_sample_before_it_to_the_one_behind_it_counted_from_the_tracks_first() {
        assert_eq!(gaps(&track(1_000, [40, 40, 3_040, 40])), [(80, 3_120)]);
        // Of just a second; at the beginning, and at the end.
        assert_eq!(gaps(&track(1_000, [1_000, 40])), [(0, 1_000)]);
        assert_eq!(gaps(&track(1_000, [40, 1_000])), [(40, 1_040)]);
        // What lasts until a later publish begins is one too.
        let mut returned = track(1_000, [40; 25]);
        assert!(gaps(&returned).is_empty());
        assert_eq!(returned.last_until(500 + 1_000 + 2_000), 3_500);
        assert_eq!(gaps(&returned), [(960, 3_000)]);
    }

    #[test]
    fn of_several_gaps_each_is_told_in_its_place_also_where_they_are_alike() {
        // Two alike make one run of the index.
        let durations = [1_024, 1_024, 1_024, 48_000, 48_000, 47_999, 1_024, 96_000, 1_024];
        let several = track(48_000, durations);
        assert_eq!(gaps(&several), [(64, 1_064), (1_064, 2_064), (3_085, 5_085)]);
        assert_eq!(several.gaps(2_000).collect::<Vec<_>>(), [(3_085, 5_085)]);
        assert_eq!(several.gaps(0).count(), durations.len());
        // Ticks are added up before they are rounded: a third of a millisecond is lost once, not at each sample.
        let thirds = track(3_000, std::iter::repeat_n(1, 3_000).chain([3_001, 2]).chain([3_001]));
        assert_eq!(gaps(&thirds), [(1_000, 2_000), (2_001, 3_001)]);
    }
}
