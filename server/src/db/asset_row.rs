//! A row of the table `assets`, and how it is selected.

use afterlive_domain::UnixMillis;
use afterlive_domain::asset::Hold;
use serde::Deserialize;
use sqlx::{Database, QueryBuilder};

use super::assets::{Asset, Facts, index};
use super::packed::{self, Column};
use super::{Error, Result, parse};

/// As [`push_columns`] selects it.
#[derive(Deserialize, sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    organisation_id: String,
    stream_id: String,
    session_id: String,
    asset_index: i64,
    region: String,
    file_name: String,
    state: String,
    reason: Option<String>,
    created_at: i64,
    ended_at: Option<i64>,
    updated_at: i64,
    duration_ms: i64,
    size_bytes: i64,
    width: Option<i64>,
    height: Option<i64>,
    #[serde(deserialize_with = "packed::real")]
    fps: Option<f64>,
    video_codec: Option<String>,
    audio_codec: Option<String>,
    #[serde(deserialize_with = "packed::flag")]
    has_poster: bool,
    #[serde(deserialize_with = "packed::flag")]
    has_storyboard: bool,
    held_at: Option<i64>,
    held_by: Option<String>,
    hold_note: Option<String>,
    deleted_at: Option<i64>,
    purged_at: Option<i64>,
    /// Its stream's; by [`push_tagged`] alone.
    #[serde(default)]
    #[sqlx(default)]
    pub(super) tags: Vec<String>,
}

const COLUMNS: [Column; 3] = [
    Column::Columns(
        "id, organisation_id, stream_id, session_id, asset_index, region, file_name, state, reason, created_at, ended_at, \
         updated_at, duration_ms, size_bytes, width, height",
    ),
    Column::Real("fps"),
    Column::Columns("video_codec, audio_codec, has_poster, has_storyboard, held_at, held_by, hold_note, deleted_at, purged_at"),
];

/// Selects a [`Row`].
pub(super) fn push_columns<D: Database>(query: &mut QueryBuilder<D>) {
    packed::push_columns(query, &COLUMNS);
}

/// Selects a [`Row`] of the asset `a`, with its stream's tags.
pub(super) fn push_tagged<D: Database>(query: &mut QueryBuilder<D>) {
    let [first, fps, last] = COLUMNS;
    packed::push_columns(query, &[first, fps, last, Column::TagsOf("a.stream_id")]);
}

impl TryFrom<Row> for Asset {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let pixels = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        Ok(Self {
            id: parse("assets.id", &row.id)?,
            organisation: parse("assets.organisation_id", &row.organisation_id)?,
            stream: parse("assets.stream_id", &row.stream_id)?,
            session: parse("assets.session_id", &row.session_id)?,
            index: index("assets.asset_index", row.asset_index)?,
            region: parse("assets.region", &row.region)?,
            file_name: row.file_name,
            state: parse("assets.state", &row.state)?,
            reason: row.reason,
            created_at: UnixMillis(row.created_at),
            ended_at: row.ended_at.map(UnixMillis),
            updated_at: UnixMillis(row.updated_at),
            facts: Facts {
                duration_ms: u64::try_from(row.duration_ms).unwrap_or(0),
                size_bytes: u64::try_from(row.size_bytes).unwrap_or(0),
                width: pixels(row.width),
                height: pixels(row.height),
                fps: row.fps,
                video_codec: row.video_codec,
                audio_codec: row.audio_codec,
            },
            has_poster: row.has_poster,
            hold: row.held_at.map(|at| Hold { at: UnixMillis(at), by: row.held_by.unwrap_or_default(), note: row.hold_note }),
            has_storyboard: row.has_storyboard,
            deleted_at: row.deleted_at.map(UnixMillis),
            purged_at: row.purged_at.map(UnixMillis),
        })
    }
}
