//! Assets: the states a recording goes through.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, UnixMillis};

/// The most characters of a note on a legal hold.
pub const MAX_HOLD_NOTE_CHARS: usize = 500;

/// A legal hold: while it is there, nobody and nothing deletes the recording, and what is in the bin already stays there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hold {
    pub at: UnixMillis,
    /// Who set it, in words for people.
    pub by: String,
    /// Why, where somebody said so.
    pub note: Option<String>,
}

/// A note as it is kept: trimmed, and absent where nothing is left.
///
/// # Errors
/// `WrongType` for `note` where it is longer than [`MAX_HOLD_NOTE_CHARS`] or has control characters.
pub fn hold_note(text: &str) -> Result<Option<String>, Error> {
    let text = text.trim();
    if text.chars().count() > MAX_HOLD_NOTE_CHARS || text.chars().any(char::is_control) {
        let expected = format!("a note of at most {MAX_HOLD_NOTE_CHARS} characters, none of them a control character");
        return Err(Error::WrongType { parameter: "note".to_owned(), expected });
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The state of an asset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AssetState {
    /// The encoder is sending; the file grows.
    Recording,
    /// A finished MP4 stands at its URL. Where the encoder comes back in time it is recorded on, and so `recording` again.
    Ready,
    /// An MP4 stands at its URL, but the recording stopped before the encoder did, or there was no room to put its index in front yet; a reason is kept.
    Incomplete,
    /// Nothing playable came of it; what bytes there are, are kept aside, and so is a reason.
    Failed,
    /// In the bin, or gone. Its name is never given again.
    Deleted,
}

/// The reason of a recording whose index could not be put in front yet; the last of its reasons where it has others.
pub const WAITS_FOR_ROOM: &str = "it plays, but it is not finished: the storage has no room to put its index in front";

/// The reason of a recording that waits for room, beside what else it lacks.
#[must_use]
pub fn waiting_reason(reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{reason}; {WAITS_FOR_ROOM}"),
        None => WAITS_FOR_ROOM.to_owned(),
    }
}

/// What else than room a recording lacks, and whether it waits for that.
#[must_use]
pub fn without_waiting(reason: &str) -> (Option<&str>, bool) {
    match reason.strip_suffix(WAITS_FOR_ROOM) {
        Some(left) => (Some(left.strip_suffix("; ").unwrap_or(left)).filter(|left| !left.is_empty()), true),
        None => (Some(reason), false),
    }
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

    /// The state machine. A recording ends in exactly one of three ways, of which one is not for good; what was given up may turn out to be there, and what lacked
    /// something for a while to be whole; a deletion can be undone only into what was before it.
    #[must_use]
    pub fn can_become(self, next: Self) -> bool {
        use AssetState::{Deleted, Failed, Incomplete, Ready, Recording};
        matches!(
            (self, next),
            (Recording, Ready | Incomplete | Failed)
                | (Ready, Recording)
                | (Failed, Ready | Incomplete)
                | (Incomplete, Ready)
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

    #[test]
    fn what_a_recording_waits_for_is_told_behind_what_else_it_lacks_and_goes_alone() {
        for reason in [None, Some("the disk failed: no space left"), Some("a; b")] {
            assert_eq!(without_waiting(&waiting_reason(reason)), (reason, true));
        }
        assert_eq!(without_waiting("too slow"), (Some("too slow"), false));
    }

    #[test]
    fn a_note_is_trimmed_and_short() {
        assert_eq!(hold_note(" Case 7\u{a0}/ 2026 ").unwrap().as_deref(), Some("Case 7\u{a0}/ 2026"));
        assert_eq!(hold_note(" \t"), Ok(None));
        assert!(hold_note(&"ä".repeat(MAX_HOLD_NOTE_CHARS)).is_ok());
        for bad in ["ä".repeat(MAX_HOLD_NOTE_CHARS + 1), "a\nb".to_owned(), "a\0b".to_owned()] {
            assert!(hold_note(&bad).is_err(), "{bad:?}");
        }
    }
}
