//! Recordings as tables have them, and what the library and the page of one of them show.

use std::fmt;
use std::str::FromStr;

use afterlive_domain::asset::Hold;
use afterlive_domain::{AssetId, AssetState, Region, Report, Role, StreamId, Streamname, Tags, UnixMillis};
use serde::{Deserialize, Serialize};

/// One recording in a table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecordingRow {
    pub id: AssetId,
    pub stream: StreamId,
    pub streamname: Streamname,
    /// Counted from 1.
    pub index: u32,
    pub file_name: String,
    /// Where the MP4 is; while it is being recorded, what there is of it so far.
    pub url: String,
    /// Where recordings are not public: what lets these pages' own players, pictures and downloads load. It is good for some hours, and stands in nothing that
    /// is copied. `None` for who came with a token of their own: their URLs have that.
    pub pass: Option<String>,
    /// A picture, where there is one.
    pub poster_url: Option<String>,
    /// While it is being recorded: what it looked like some seconds ago. For these pages alone, and another URL for each.
    pub still_url: Option<String>,
    /// Pictures for scrubbing, where there are: WebVTT, each cue a part of an image.
    pub storyboard_url: Option<String>,
    pub state: AssetState,
    /// Why it is incomplete or failed, as a sentence.
    pub reason: Option<String>,
    /// Wall time of the first frame.
    pub created_at: UnixMillis,
    /// So far, where it is being recorded.
    pub duration_ms: u64,
    /// So far, where it is being recorded.
    pub size_bytes: u64,
    pub region: Region,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub fps: Option<f64>,
    pub video_codec: Option<String>,
    pub audio_codec: Option<String>,
}

impl RecordingRow {
    /// A URL of this recording as these pages themselves load it.
    #[must_use]
    pub fn to_load(&self, url: &str) -> String {
        match &self.pass {
            Some(pass) => crate::query::and_query(url, &format!("token={pass}")),
            None => url.to_owned(),
        }
    }

    #[must_use]
    pub fn play_url(&self) -> String {
        self.to_load(&self.url)
    }

    #[must_use]
    pub fn download_url(&self) -> String {
        crate::query::and_query(&self.play_url(), "download")
    }
}

/// A part of the library: the recordings in a state, those on hold, or the bin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shelf {
    Recording,
    Ready,
    Incomplete,
    Failed,
    /// On legal hold, in whatever state.
    Held,
    Bin,
}

impl Shelf {
    pub const ALL: [Self; 6] = [Self::Recording, Self::Ready, Self::Incomplete, Self::Failed, Self::Held, Self::Bin];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Ready => "ready",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Bin => "bin",
        }
    }

    /// The state that all on it are in; `None` for those on hold.
    #[must_use]
    pub fn state(self) -> Option<AssetState> {
        match self {
            Self::Recording => Some(AssetState::Recording),
            Self::Ready => Some(AssetState::Ready),
            Self::Incomplete => Some(AssetState::Incomplete),
            Self::Failed => Some(AssetState::Failed),
            Self::Bin => Some(AssetState::Deleted),
            Self::Held => None,
        }
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Shelf {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|shelf| shelf.as_str() == text).ok_or(())
    }
}

/// What the library shows, newest first; lives in the URL's query.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct LibraryFilter {
    /// `None`: all but the bin.
    pub shelf: Option<Shelf>,
    /// A streamname or a stream's id.
    pub stream: Option<String>,
    /// One that the stream has.
    pub tag: Option<String>,
    pub region: Option<Region>,
    /// Part of a file's name, an id or a tag.
    pub search: Option<String>,
    /// Begun at or after.
    pub from: Option<UnixMillis>,
    /// Begun before.
    pub to: Option<UnixMillis>,
    /// 25, 50 or 100; anything else is brought to the nearest below, or 25.
    pub page_size: u32,
    /// Where the page before ended; what is no cursor is the first page.
    pub cursor: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LibraryPage {
    pub rows: Vec<LibraryRow>,
    /// Where the next page begins; `None` where this is the last.
    pub next: Option<String>,
    /// All that are configured.
    pub regions: Vec<Region>,
    /// All tags of the organisation, for suggestions; at most 200.
    pub tags: Vec<String>,
    /// So long what is deleted can be restored.
    pub bin_days: u64,
    pub role: Role,
}

/// Whether a recording stays.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Keeping {
    /// While there is one, neither people nor the retention delete it.
    pub hold: Option<Hold>,
    /// When it went to the bin.
    pub binned_at: Option<UnixMillis>,
    /// When the bin lets go of it for good.
    pub restorable_until: Option<UnixMillis>,
    /// When the bin let go of it. Only its row is left, so that its name is never given again.
    pub purged_at: Option<UnixMillis>,
}

/// One recording in the library.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LibraryRow {
    pub recording: RecordingRow,
    /// The stream's.
    pub tags: Tags,
    pub keeping: Keeping,
}

/// All of one recording.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecordingPage {
    pub row: LibraryRow,
    /// Whether its stream has a page: one that was deleted has none any more, although its recordings may be restored.
    pub has_stream: bool,
    /// Absent while it is being recorded.
    pub ended_at: Option<UnixMillis>,
    /// Absent while it is being recorded, and where a crash left only the file.
    pub report: Option<Report>,
    /// So long what is deleted can be restored.
    pub bin_days: u64,
    pub role: Role,
}
