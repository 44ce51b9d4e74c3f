//! Assets: the states a recording goes through.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of an asset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetState {
    /// The encoder is sending; the file grows in the spool.
    Recording,
    /// A finished MP4 stands at its URL. Where the encoder comes back in time it is recorded on, and so `Recording` again.
    Ready,
    /// A finished MP4 stands at its URL, but the recording stopped before the encoder did; a reason is kept.
    Incomplete,
    /// Nothing playable came of it; what bytes there are stay in quarantine, and a reason is kept.
    Failed,
    /// In the bin, or gone. The row stays, so that its name is never given again.
    Deleted,
}

impl AssetState {
    pub const ALL: [Self; 5] = [Self::Recording, Self::Ready, Self::Incomplete, Self::Failed, Self::Deleted];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Ready => "ready",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }

    /// Whether there is a finished file to play and download.
    #[must_use]
    pub fn is_playable(self) -> bool {
        matches!(self, Self::Ready | Self::Incomplete)
    }

    /// The state machine. A recording ends in exactly one of three ways, of which one is not for good; a deletion can be undone only into what was
    /// before it.
    #[must_use]
    pub fn can_become(self, next: Self) -> bool {
        use AssetState::{Deleted, Failed, Incomplete, Ready, Recording};
        matches!(
            (self, next),
            (Recording, Ready | Incomplete | Failed)
                | (Ready, Recording)
                | (Ready | Incomplete | Failed, Deleted)
                | (Deleted, Ready | Incomplete | Failed)
        )
    }
}

impl fmt::Display for AssetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AssetState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_recorded_cannot_be_deleted_and_only_what_is_whole_is_recorded_on() {
        for state in AssetState::ALL {
            assert_eq!(state.can_become(AssetState::Recording), state == AssetState::Ready, "{state}");
            assert!(!state.can_become(state), "{state}");
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!(!AssetState::Recording.can_become(AssetState::Deleted));
    }
}
