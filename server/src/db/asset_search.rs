//! The library: an organisation's recordings, filtered, newest first, a page behind the last row of the one before. What has been removed for good
//! is in none of the lists.

mod place;

use afterlive_domain::{AssetId, AssetState, OrganisationId, Region, StreamId, Tags, UnixMillis};
use sqlx::{Database, Encode, QueryBuilder, Type};

pub use self::place::{BadPlace, Place};
use super::assets::{Asset, COLUMNS, Row};
use super::stream_search::contains_pattern;
use super::streams::tags_of;
use super::{Connection, Result, on};

/// Which recordings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    pub stream: Option<StreamId>,
    /// The stream has exactly these tags, each of them.
    pub tags: Vec<String>,
    pub region: Option<Region>,
    /// `None`: all but the deleted. `Deleted`: the bin.
    pub state: Option<AssetState>,
    /// Only those under legal hold; where no state is asked for, those in the bin too.
    pub held: bool,
    /// Part of the asset's or the stream's id, of the file's name or of a tag, whatever the case of its letters.
    pub text: Option<String>,
    /// Began at or after.
    pub from: Option<UnixMillis>,
    /// Began before.
    pub to: Option<UnixMillis>,
}

/// A recording in a list.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed {
    pub asset: Asset,
    /// Its stream's.
    pub tags: Tags,
}

impl Listed {
    #[must_use]
    pub fn place(&self) -> Place {
        Place { created_at: self.asset.created_at, id: self.asset.id }
    }
}

/// At most `limit` recordings behind the place, or from the newest on. What comes or goes before the place shifts nothing.
pub async fn page(
    connection: &mut Connection,
    organisation: OrganisationId,
    search: &Search,
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<Listed>> {
    let rows: Vec<Row> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM assets a");
        push_conditions(&mut query, organisation, search);
        if let Some(Place { created_at, id }) = after {
            query.push(" AND (a.created_at, a.id) < (").push_bind(created_at.0).push(", ").push_bind(id.to_string()).push(")");
        }
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(i64::from(limit));
        query.build_query_as().fetch_all(c).await
    })?;
    with_tags(connection, rows).await
}

/// One recording, whatever its state.
pub async fn by_id(connection: &mut Connection, id: AssetId) -> Result<Option<Listed>> {
    let row: Option<Row> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM assets WHERE id = ").push_bind(id.to_string());
        query.build_query_as().fetch_optional(c).await
    })?;
    Ok(with_tags(connection, row.into_iter().collect()).await?.pop())
}

/// How many recordings match: counts each of them.
pub async fn count(connection: &mut Connection, organisation: OrganisationId, search: &Search) -> Result<u64> {
    let count: i64 = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT COUNT(*) FROM assets a");
        push_conditions(&mut query, organisation, search);
        query.build_query_scalar().fetch_one(c).await
    })?;
    Ok(count.unsigned_abs())
}

async fn with_tags(connection: &mut Connection, rows: Vec<Row>) -> Result<Vec<Listed>> {
    let mut streams: Vec<String> = rows.iter().map(|row| row.stream_id.clone()).collect();
    streams.sort_unstable();
    streams.dedup();
    let tags = tags_of(connection, &streams).await?;
    rows.into_iter()
        .map(|row| {
            let tags = tags.get(&row.stream_id).cloned().unwrap_or_default();
            Ok(Listed { asset: row.try_into()?, tags })
        })
        .collect()
}

fn push_conditions<D: Database>(query: &mut QueryBuilder<D>, organisation: OrganisationId, search: &Search)
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    query.push(" WHERE a.organisation_id = ").push_bind(organisation.to_string());
    // As the indexes have it, word for word.
    match search.state {
        None if search.held => query.push(" AND a.purged_at IS NULL"),
        Some(state) => query.push(" AND a.purged_at IS NULL AND a.state = ").push_bind(state.as_str().to_owned()),
        None => query.push(" AND a.state <> 'deleted'"),
    };
    if search.held {
        query.push(" AND a.held_at IS NOT NULL");
    }
    if let Some(stream) = search.stream {
        query.push(" AND a.stream_id = ").push_bind(stream.to_string());
    }
    if let Some(region) = &search.region {
        query.push(" AND a.region = ").push_bind(region.as_str().to_owned());
    }
    if let Some(from) = search.from {
        query.push(" AND a.created_at >= ").push_bind(from.0);
    }
    if let Some(to) = search.to {
        query.push(" AND a.created_at < ").push_bind(to.0);
    }
    // No stored text has one, and PostgreSQL takes none.
    if search.tags.iter().chain(&search.text).any(|text| text.contains('\0')) {
        query.push(" AND 1 = 0");
        return;
    }
    for tag in &search.tags {
        query
            .push(" AND EXISTS (SELECT 1 FROM stream_tags t WHERE t.stream_id = a.stream_id AND t.tag = ")
            .push_bind(tag.clone())
            .push(")");
    }
    if let Some(text) = &search.text {
        // Lowered by the database on both sides, since each has its own idea of letters beyond ASCII.
        let pattern = contains_pattern(text);
        query.push(" AND (LOWER(a.file_name) LIKE LOWER(").push_bind(pattern.clone());
        for id in ["a.id", "a.stream_id"] {
            query.push(") ESCAPE '!' OR ").push(id).push(" LIKE LOWER(").push_bind(pattern.clone());
        }
        query.push(") ESCAPE '!' OR EXISTS (SELECT 1 FROM stream_tags t WHERE t.stream_id = a.stream_id AND ");
        query.push("LOWER(t.tag) LIKE LOWER(").push_bind(pattern).push(") ESCAPE '!'))");
    }
}
