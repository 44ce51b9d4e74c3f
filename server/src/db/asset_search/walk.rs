//! Along which index a page of the library is read, and the statement that reads it. Each of the filters alone is a range of one of them, in the list's order;
//! where several are set, the others are looked at row by row.

use afterlive_domain::{AssetState, OrganisationId, StreamId};
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{Connection, Place, Result, Search, push_tagged};
use crate::db::counts;
use crate::db::stream_search::{contains_pattern, tag_to_begin_with};
use crate::db::{indexed_by, push_limit};

/// Where so few are in a state, they are read for what else they are, in place of a tag's or a region's for their state.
const FEW: u64 = 1_000;

/// Where a page is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::db) enum Walk {
    /// One stream's.
    Stream(StreamId),
    /// Those of the streams with a tag; in the bin too.
    Tag(String),
    /// Those under legal hold.
    Held,
    /// Those in one state; in a region alone where there is one, but in that of the deleted.
    State,
    Region,
    All,
}

/// The shortest walk to a page, as far as that is known without walking.
pub(in crate::db) async fn choose(connection: &mut Connection, organisation: OrganisationId, search: &Search) -> Result<Walk> {
    if let Some(stream) = search.stream {
        return Ok(Walk::Stream(stream));
    }
    if search.held {
        return Ok(Walk::Held);
    }
    let (has_tags, has_region) = (!search.tags.is_empty(), search.region.is_some());
    if let (Some(state), true) = (search.state, has_tags || has_region)
        && counts::assets(connection, organisation, None, Some(state)).await? <= FEW
    {
        return Ok(Walk::State);
    }
    if let Some(tag) = tag_to_begin_with(connection, organisation, &search.tags).await? {
        return Ok(Walk::Tag(tag));
    }
    Ok(match search.state {
        None if has_region => Walk::Region,
        None => Walk::All,
        Some(AssetState::Deleted) => Walk::State,
        Some(_) if has_region => Walk::Region,
        Some(_) => Walk::State,
    })
}

impl Walk {
    pub(in crate::db) fn page<D: Database>(
        &self,
        organisation: OrganisationId,
        search: &Search,
        after: Option<&Place>,
        limit: u32,
    ) -> QueryBuilder<D>
    where
        String: for<'q> Encode<'q, D> + Type<D>,
        i64: for<'q> Encode<'q, D> + Type<D>,
    {
        let mut query = QueryBuilder::new("SELECT ");
        push_tagged(&mut query);
        self.push_rows(&mut query, organisation, search);
        let (created_at, id) = self.order();
        if let Some(place) = after {
            query.push(format_args!(" AND ({created_at}, {id}) < (")).push_bind(place.created_at.0);
            query.push(", ").push_bind(place.id.to_string()).push(")");
        }
        query.push(format_args!(" ORDER BY {created_at} DESC, {id} DESC"));
        push_limit(&mut query, i64::from(limit));
        query
    }

    pub(in crate::db) fn count<D: Database>(&self, organisation: OrganisationId, search: &Search) -> QueryBuilder<D>
    where
        String: for<'q> Encode<'q, D> + Type<D>,
        i64: for<'q> Encode<'q, D> + Type<D>,
    {
        let mut query = QueryBuilder::new("SELECT COUNT(*)");
        self.push_rows(&mut query, organisation, search);
        query
    }

    /// The columns that a list is sorted by, as the walk's index has them.
    fn order(&self) -> (&'static str, &'static str) {
        match self {
            Self::Tag(_) => ("d.tagged_at", "d.asset_id"),
            _ => ("a.created_at", "a.id"),
        }
    }

    /// The index's name. PostgreSQL finds it by itself, from what it knows of the rows. SQLite knows nothing of them, takes the first of those that look alike to
    /// it, and would read all of an organisation's for a stream's.
    fn index(&self, search: &Search) -> &'static str {
        match self {
            // What is deleted is in one of them only.
            Self::Stream(_) if search.held || search.state == Some(AssetState::Deleted) => "assets_by_stream",
            Self::Stream(_) => "assets_listed_of_stream",
            Self::Held => "assets_held",
            Self::State => "assets_in_state",
            Self::Region => "assets_in_region",
            Self::Tag(_) | Self::All => "assets_listed",
        }
    }

    /// From where the rows come, and which of them.
    fn push_rows<D: Database>(&self, query: &mut QueryBuilder<D>, organisation: OrganisationId, search: &Search)
    where
        String: for<'q> Encode<'q, D> + Type<D>,
        i64: for<'q> Encode<'q, D> + Type<D>,
    {
        let organisation = organisation.to_string();
        if let Self::Tag(tag) = self {
            query
                .push(" FROM (SELECT created_at AS tagged_at, asset_id FROM asset_tags WHERE organisation_id = ")
                .push_bind(organisation);
            query.push(" AND tag = ").push_bind(tag.clone());
            // Each database looks the recordings up in the order of the tag's rows, and not the other way round.
            query.push(match D::NAME {
                "PostgreSQL" => {
                    ") AS d CROSS JOIN LATERAL (SELECT * FROM assets WHERE id = d.asset_id OFFSET 0) AS a WHERE 1 = 1"
                }
                _ => ") AS d CROSS JOIN assets a WHERE a.id = d.asset_id",
            });
        } else {
            query.push(" FROM assets a").push(indexed_by::<D>(self.index(search)));
            query.push(" WHERE a.organisation_id = ").push_bind(organisation);
        }
        self.push_conditions(query, search);
    }

    fn push_conditions<D: Database>(&self, query: &mut QueryBuilder<D>, search: &Search)
    where
        String: for<'q> Encode<'q, D> + Type<D>,
        i64: for<'q> Encode<'q, D> + Type<D>,
    {
        // As the indexes have it, word for word.
        match search.state {
            None if search.held => query.push(" AND a.purged_at IS NULL"),
            None => query.push(" AND a.state <> 'deleted'"),
            Some(state) => {
                if state != AssetState::Deleted {
                    query.push(" AND a.state <> 'deleted'");
                }
                // A word of the statement: what is given with it SQLite holds against each index's condition, and plans the statement anew each time.
                query.push(format_args!(" AND a.purged_at IS NULL AND a.state = '{}'", state.as_str()))
            }
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
        let (created_at, _) = self.order();
        if let Some(from) = search.from {
            query.push(format_args!(" AND {created_at} >= ")).push_bind(from.0);
        }
        if let Some(to) = search.to {
            query.push(format_args!(" AND {created_at} < ")).push_bind(to.0);
        }
        // No stored text has one, and PostgreSQL takes none.
        if search.tags.iter().chain(&search.text).any(|text| text.contains('\0')) {
            query.push(" AND 1 = 0");
            return;
        }
        for tag in search.tags.iter().filter(|tag| !matches!(self, Self::Tag(walked) if walked == *tag)) {
            query
                .push(" AND EXISTS (SELECT 1 FROM stream_tags t WHERE t.stream_id = a.stream_id AND t.tag = ")
                .push_bind(tag.clone());
            // With an OFFSET PostgreSQL asks of each row, and does not read all that has the tag to join it.
            query.push(" LIMIT 1 OFFSET 0)");
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
}
