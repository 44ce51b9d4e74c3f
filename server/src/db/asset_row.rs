//! A row of the table `assets`, whole or as a stream shows it, and how it is selected.

use afterlive_domain::UnixMillis;
use afterlive_domain::asset::Hold;
use serde::Deserialize;
use sqlx::{Database, QueryBuilder};

use super::asset_list::Playable;
use super::asset_search::Listed;
use super::assets::{Asset, Facts, index};
use super::packed::{self, Column, Packed};
use super::{Result, parse, streams};

/// What is selected by [`push_playable`].
#[derive(Deserialize)]
pub(super) struct PlayableRow<'r> {
    id: &'r str,
    stream_id: &'r str,
    asset_index: i64,
    region: &'r str,
    file_name: String,
    state: &'r str,
    created_at: i64,
    duration_ms: i64,
    size_bytes: i64,
    width: Option<i64>,
    height: Option<i64>,
    video_codec: Option<String>,
    audio_codec: Option<String>,
    #[serde(deserialize_with = "packed::flag")]
    has_poster: bool,
    #[serde(deserialize_with = "packed::flag")]
    has_storyboard: bool,
}

/// As [`push_columns`] selects it.
#[derive(Deserialize)]
pub(super) struct Row<'r> {
    #[serde(borrow)]
    playable: PlayableRow<'r>,
    organisation_id: &'r str,
    session_id: &'r str,
    reason: Option<String>,
    ended_at: Option<i64>,
    updated_at: i64,
    #[serde(deserialize_with = "packed::real")]
    fps: Option<f64>,
    held_at: Option<i64>,
    held_by: Option<String>,
    hold_note: Option<String>,
    deleted_at: Option<i64>,
    purged_at: Option<i64>,
}

/// As [`push_tagged`] selects it.
#[derive(Deserialize)]
pub(super) struct TaggedRow<'r> {
    #[serde(borrow)]
    asset: Row<'r>,
    tags: Vec<String>,
}

const PLAYABLE: &[Column] = &[Column::Columns(
    "id, stream_id, asset_index, region, file_name, state, created_at, duration_ms, size_bytes, width, height, video_codec, \
     audio_codec, has_poster, has_storyboard",
)];
const ALL: &[Column] = &[
    Column::Part(PLAYABLE),
    Column::Columns("organisation_id, session_id, reason, ended_at, updated_at"),
    Column::Real("fps"),
    Column::Columns("held_at, held_by, hold_note, deleted_at, purged_at"),
];
const TAGGED: &[Column] = &[Column::Part(ALL), Column::TagsOf("a.stream_id")];

/// Selects a [`Playable`].
pub(super) fn push_playable<D: Database>(query: &mut QueryBuilder<D>) {
    packed::push_columns(query, PLAYABLE);
}

/// Selects an [`Asset`].
pub(super) fn push_columns<D: Database>(query: &mut QueryBuilder<D>) {
    packed::push_columns(query, ALL);
}

/// Selects the asset `a` as [`Listed`].
pub(super) fn push_tagged<D: Database>(query: &mut QueryBuilder<D>) {
    packed::push_columns(query, TAGGED);
}

impl Packed for Playable {
    type Row<'r> = PlayableRow<'r>;

    fn unpack(row: PlayableRow<'_>) -> Result<Self> {
        let pixels = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        Ok(Self {
            id: parse("assets.id", row.id)?,
            stream: parse("assets.stream_id", row.stream_id)?,
            index: index("assets.asset_index", row.asset_index)?,
            region: parse("assets.region", row.region)?,
            file_name: row.file_name,
            state: parse("assets.state", row.state)?,
            created_at: UnixMillis(row.created_at),
            duration_ms: u64::try_from(row.duration_ms).unwrap_or(0),
            size_bytes: u64::try_from(row.size_bytes).unwrap_or(0),
            width: pixels(row.width),
            height: pixels(row.height),
            video_codec: row.video_codec,
            audio_codec: row.audio_codec,
            has_poster: row.has_poster,
            has_storyboard: row.has_storyboard,
        })
    }
}

impl Packed for Asset {
    type Row<'r> = Row<'r>;

    fn unpack(row: Row<'_>) -> Result<Self> {
        let playable = Playable::unpack(row.playable)?;
        Ok(Self {
            id: playable.id,
            organisation: parse("assets.organisation_id", row.organisation_id)?,
            stream: playable.stream,
            session: parse("assets.session_id", row.session_id)?,
            index: playable.index,
            region: playable.region,
            file_name: playable.file_name,
            state: playable.state,
            reason: row.reason,
            created_at: playable.created_at,
            ended_at: row.ended_at.map(UnixMillis),
            updated_at: UnixMillis(row.updated_at),
            facts: Facts {
                duration_ms: playable.duration_ms,
                size_bytes: playable.size_bytes,
                width: playable.width,
                height: playable.height,
                fps: row.fps,
                video_codec: playable.video_codec,
                audio_codec: playable.audio_codec,
            },
            has_poster: playable.has_poster,
            hold: row.held_at.map(|at| Hold { at: UnixMillis(at), by: row.held_by.unwrap_or_default(), note: row.hold_note }),
            has_storyboard: playable.has_storyboard,
            deleted_at: row.deleted_at.map(UnixMillis),
            purged_at: row.purged_at.map(UnixMillis),
        })
    }
}

impl Packed for Listed {
    type Row<'r> = TaggedRow<'r>;

    fn unpack(row: TaggedRow<'_>) -> Result<Self> {
        Ok(Self { asset: Asset::unpack(row.asset)?, tags: streams::tags(&row.tags)? })
    }
}
