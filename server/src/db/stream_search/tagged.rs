//! Streams by a tag's own rows, which stand in the order of the list: a page of them is a range of an index, however many have the tag, and however old those
//! are that do. Rows of `stream_tags` know their stream's state and when it was made, by triggers (migration 0014).

use afterlive_domain::{OrganisationId, StreamId, StreamState};
use sqlx::{Database, Encode, QueryBuilder, Type};

use super::{Place, Search, indexed_by, push_columns, push_limit, push_text};

/// Newest first, those with the tag and whatever else is searched for, behind the place where there is one.
pub(in crate::db) fn page<D: Database>(
    organisation: OrganisationId,
    search: &Search,
    tag: &str,
    after: Option<&(Place, StreamId)>,
    limit: u32,
    offset: u64,
) -> QueryBuilder<D>
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    let mut query = QueryBuilder::new("SELECT ");
    push_columns(&mut query);
    query.push(" FROM (SELECT d.stream_id AS found_id");
    push_rows(&mut query, organisation, search, tag);
    if let Some((Place::CreatedAt(at), id)) = after {
        query.push(" AND (d.created_at, d.stream_id) < (").push_bind(at.0).push(", ").push_bind(id.to_string()).push(")");
    }
    query.push(" ORDER BY d.created_at DESC, d.stream_id DESC");
    push_limit(&mut query, i64::from(limit));
    query.push(" OFFSET ").push_bind(i64::try_from(offset).unwrap_or(i64::MAX));
    // The page is found before its streams are looked up, one by one.
    query.push(match D::NAME {
        "PostgreSQL" => ") AS found CROSS JOIN LATERAL (SELECT * FROM streams WHERE id = found.found_id OFFSET 0) AS s",
        _ => ") AS found CROSS JOIN streams s WHERE s.id = found.found_id",
    });
    query.push(" ORDER BY s.created_at DESC, s.id DESC");
    query
}

pub(in crate::db) fn count<D: Database>(organisation: OrganisationId, search: &Search, tag: &str) -> QueryBuilder<D>
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    let mut query = QueryBuilder::new("SELECT COUNT(*)");
    push_rows(&mut query, organisation, search, tag);
    query
}

fn push_rows<D: Database>(query: &mut QueryBuilder<D>, organisation: OrganisationId, search: &Search, tag: &str)
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    query.push(" FROM stream_tags d").push(indexed_by::<D>(index(search.state)));
    query.push(" WHERE d.organisation_id = ").push_bind(organisation.to_string());
    query.push(" AND d.tag = ").push_bind(tag.to_owned());
    match search.state {
        // A word of the statement: what is given with it SQLite holds against each index's condition, and plans the statement anew each time.
        Some(state) => query.push(format_args!(" AND d.state = '{}'", state.as_str())),
        // As the index has it, word for word.
        None => query.push(" AND d.state <> 'deleted'"),
    };
    if let Some(from) = search.from {
        query.push(" AND d.created_at >= ").push_bind(from.0);
    }
    if let Some(to) = search.to {
        query.push(" AND d.created_at < ").push_bind(to.0);
    }
    // No stored text has one, and PostgreSQL takes none.
    if search.text.as_ref().is_some_and(|text| text.contains('\0')) {
        query.push(" AND 1 = 0");
        return;
    }
    for other in search.tags.iter().filter(|other| *other != tag) {
        query.push(" AND EXISTS (SELECT 1 FROM stream_tags t WHERE t.stream_id = d.stream_id AND t.tag = ");
        // With an OFFSET PostgreSQL asks of each row, and does not read all that has the tag to join it.
        query.push_bind(other.clone()).push(" LIMIT 1 OFFSET 0)");
    }
    if let Some(text) = &search.text {
        query.push(" AND EXISTS (SELECT 1 FROM streams s WHERE s.id = d.stream_id AND ");
        push_text(query, text);
        query.push(" LIMIT 1 OFFSET 0)");
    }
}

fn index(state: Option<StreamState>) -> &'static str {
    match state {
        Some(_) => "stream_tags_by_state",
        None => "stream_tags_listed",
    }
}

/// Each tag of streams that are not deleted, once: from one a step to the next, past all that have it.
pub(in crate::db) fn all<D: Database>(organisation: OrganisationId, limit: u32) -> QueryBuilder<D>
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    let (organisation, limit) = (organisation.to_string(), i64::from(limit));
    let mut query = QueryBuilder::new("WITH RECURSIVE used (tag, number) AS (SELECT MIN(tag), 1 FROM stream_tags");
    query.push(indexed_by::<D>("stream_tags_listed")).push(" WHERE organisation_id = ").push_bind(organisation.clone());
    query.push(" AND state <> 'deleted' UNION ALL SELECT (SELECT t.tag FROM stream_tags t");
    query.push(indexed_by::<D>("stream_tags_listed")).push(" WHERE t.organisation_id = ").push_bind(organisation);
    query.push(" AND t.state <> 'deleted' AND t.tag > used.tag ORDER BY t.tag LIMIT 1), number + 1 FROM used");
    query.push(" WHERE used.tag IS NOT NULL AND number < ").push_bind(limit);
    query.push(") SELECT tag FROM used WHERE tag IS NOT NULL ORDER BY tag LIMIT ").push_bind(limit);
    query
}
