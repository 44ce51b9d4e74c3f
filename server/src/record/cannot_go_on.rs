//! Why another recording begins where an encoder is back: what an operator wants to know who expected one recording and finds two. Pure.

use std::fmt;

use afterlive_domain::{AssetState, Region};
use afterlive_media::frame::{CodecConfig, TrackConfig, TrackKind};
use afterlive_media::mp4::{SampleIndex, TrackIndex};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CannotGoOn {
    TooLate {
        absent_ms: i64,
        window_ms: i64,
    },
    /// By the machine's clock it ended so much later than its encoder came: that was set back since, and does not tell for how long it was away.
    EndsLater {
        ahead_ms: i64,
    },
    NotReady(AssetState),
    /// An earlier try failed, and another is at it; or its files are on their way to the bin, or back.
    BeingFinished,
    Held,
    OtherRegion(Region),
    /// By what they differ, in words.
    OtherTracks(Vec<String>),
    /// Its region is not configured any more, or its name is none.
    NoPlace,
    /// To read what it has takes longer than an encoder's frames can wait.
    TakesLong,
    /// The file has not the head that it once grew behind.
    NoHead,
    /// So many of the file's bytes are behind its last whole fragment: what would be appended to them could not be found again.
    Torn {
        bytes: u64,
    },
}

impl CannotGoOn {
    /// Whether something is wrong with the recording: all else is an ordinary day.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::NoPlace | Self::NoHead | Self::Torn { .. })
    }

    /// By what these tracks differ from the file's.
    pub(super) fn other_tracks(index: &SampleIndex, tracks: &[TrackConfig]) -> Self {
        let differences = [TrackKind::Video, TrackKind::Audio].into_iter().filter_map(|kind| {
            let before = index.track(kind).map(TrackIndex::descriptions).unwrap_or_default();
            let now = tracks.iter().map(|track| &track.codec).find(|codec| codec.kind() == kind);
            match (before.last(), now) {
                (Some(_), Some(now)) if before.contains(now) => None,
                (Some(before), Some(now)) if words(before) == words(now) => Some(format!("{} is set up otherwise", words(now))),
                (Some(before), Some(now)) => Some(format!("{} was {}", words(now), words(before))),
                (None, Some(now)) => Some(format!("{} is new", words(now))),
                (Some(before), None) => Some(format!("{} is missing", words(before))),
                (None, None) => None,
            }
        });
        Self::OtherTracks(differences.collect())
    }
}

impl fmt::Display for CannotGoOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLate { absent_ms, window_ms } => {
                write!(f, "the encoder was away for {absent_ms} ms, longer than the reconnect window of {window_ms} ms")
            }
            Self::EndsLater { ahead_ms } => {
                write!(f, "by the machine's clock it ends in {ahead_ms} ms: that was set back, and tells nothing of the absence")
            }
            Self::NotReady(state) => write!(f, "it is not ready, but {state}"),
            Self::BeingFinished => f.write_str("it is just being finished, or moved"),
            Self::Held => f.write_str("it is under legal hold"),
            Self::OtherRegion(region) => write!(f, "it lies in region {region}"),
            Self::OtherTracks(differences) => write!(f, "the tracks are others: {}", differences.join(", ")),
            Self::NoPlace => f.write_str("its region is not configured any more"),
            Self::TakesLong => f.write_str("its file could not be read in time"),
            Self::NoHead => f.write_str("its file has no head that it could grow behind"),
            Self::Torn { bytes } => write!(f, "its file is not whole: {bytes} bytes follow its last fragment"),
        }
    }
}

/// A track as people tell it from others.
fn words(codec: &CodecConfig) -> String {
    let name = codec.name();
    match (codec.picture(), codec.sound()) {
        (Some(picture), _) => format!("{name} ({}×{})", picture.width, picture.height),
        (None, Some(sound)) => format!("{name} ({} Hz, {} ch)", sound.sample_rate, sound.channels),
        (None, None) => name.to_owned(),
    }
}
