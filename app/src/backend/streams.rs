//! What the start page and the list of streams show.

use afterlive_domain::{Region, StreamId, StreamState, Streamname, Tags, UnixMillis};
use serde::{Deserialize, Serialize};

use super::RecordingRow;

/// How many streams are in each state; deleted ones are not in `all`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StateCounts {
    pub all: u64,
    pub live: u64,
    pub created: u64,
    pub ended: u64,
    pub locked: u64,
    pub deleted: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RegionUse {
    pub region: Region,
    pub recordings: u64,
    pub bytes: u64,
}

/// Ingested bytes of one UTC day.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DayTraffic {
    /// `2026-11-04`
    pub day: String,
    pub bytes: u64,
}

/// A recording on the start page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LatestRecording {
    pub recording: RecordingRow,
    /// What people call its stream.
    pub title: Option<String>,
}

/// The start page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Home {
    pub counts: StateCounts,
    pub storage: Vec<RegionUse>,
    /// The last 14 days, oldest first, none left out.
    pub ingest: Vec<DayTraffic>,
    /// The latest 5.
    pub streams: Vec<StreamRow>,
    /// The latest 5.
    pub recordings: Vec<LatestRecording>,
}

/// One stream in a table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StreamRow {
    pub id: StreamId,
    pub streamname: Streamname,
    pub state: StreamState,
    pub created_at: UnixMillis,
    pub updated_at: UnixMillis,
    pub tags: Tags,
    pub recordings: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamSort {
    /// Newest first.
    #[default]
    Created,
    /// Last updated first.
    Updated,
    Name,
}

/// What the list of streams shows; lives in the URL's query.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StreamFilter {
    /// `None`: all but the deleted.
    pub state: Option<StreamState>,
    pub tag: Option<String>,
    /// Part of an id, a streamname or a tag.
    pub search: Option<String>,
    /// Created at or after.
    pub from: Option<UnixMillis>,
    /// Created before.
    pub to: Option<UnixMillis>,
    pub sort: StreamSort,
    /// 25, 50, 100 or 150; anything else is brought to the nearest below, or 25.
    pub page_size: u32,
    /// Counted from 1; one past the end is empty.
    pub page: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StreamPage {
    pub rows: Vec<StreamRow>,
    /// How many there are on all pages.
    pub total: u64,
    pub counts: StateCounts,
    /// All tags of the organisation, for suggestions; at most 200.
    pub tags: Vec<String>,
}
