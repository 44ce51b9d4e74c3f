//! Lists of streams: filtered, sorted, a page at a time. The dashboard counts its pages, the API goes on behind the last row it gave.

mod place;
pub(super) mod tagged;

use afterlive_domain::{OrganisationId, StreamId, StreamState, UnixMillis};
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

pub use self::place::{Order, Place};
use super::packed::Unpack as _;
use super::streams::{Stream, push_columns};
use super::{Connection, Result, counts, indexed_by, on, parse, push_limit};

/// A tag that no more streams have is where a search begins: they are read, and sorted. The streams with one that more have are found, newest first, by
/// walking the tag's own rows; in other orders by walking the list, where the next is mostly not far. Where it is, [`page_among`] stops.
const RARE: u32 = 1_000;

/// Of a text to search for no more characters count: no tag has more, and SQLite fails with a pattern of more than 50,000 bytes.
pub const MAX_SEARCH_CHARS: usize = 200;

/// Which streams, and in which order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    /// `None`: all but the deleted.
    pub state: Option<StreamState>,
    /// Has exactly these tags, each of them.
    pub tags: Vec<String>,
    /// Part of an id, a streamname or a tag, whatever the case of its letters.
    pub text: Option<String>,
    /// Created at or after.
    pub from: Option<UnixMillis>,
    /// Created before.
    pub to: Option<UnixMillis>,
    pub order: Order,
}

impl Search {
    /// Whether much more may be read than is found: a text is part of no index, and streams with several tags are looked for among those with one of them. A tag or a
    /// state, and from when and until when, are a range of an index in the usual order; in others they are looked at row by row.
    #[must_use]
    pub fn reads_far(&self) -> bool {
        let Self { state, tags, text, from, to, order } = self;
        let narrows = !tags.is_empty() || state.is_some() || from.is_some() || to.is_some();
        text.is_some() || tags.len() > 1 || *order != Order::NewestFirst && narrows
    }
}

impl Order {
    /// Where the stream stands in this order.
    #[must_use]
    pub fn place(self, stream: &Stream) -> Place {
        match self {
            Self::NewestFirst => Place::CreatedAt(stream.created_at),
            Self::LastUpdatedFirst => Place::UpdatedAt(stream.updated_at),
            Self::ByName => Place::Name(stream.streamname.to_string()),
        }
    }

    fn as_sql(self) -> &'static str {
        match self {
            Self::NewestFirst => "created_at DESC, id DESC",
            Self::LastUpdatedFirst => "updated_at DESC, id DESC",
            Self::ByName => "streamname",
        }
    }
}

/// The streams from number `offset` on, at most `limit`.
pub async fn page(
    connection: &mut Connection,
    organisation: OrganisationId,
    search: &Search,
    limit: u32,
    offset: u64,
) -> Result<Vec<Stream>> {
    if search.order == Order::NewestFirst
        && let Some(tag) = tag_to_begin_with(connection, organisation, &search.tags).await?
    {
        return on!(connection, c => c.unpack_all(tagged::page(organisation, search, &tag, None, limit, offset)).await);
    }
    let rare = rare_tag(connection, organisation, &search.tags).await?;
    on!(connection, c => {
        let mut query = listed(organisation, search, rare.as_deref(), None, limit);
        query.push(" OFFSET ").push_bind(i64::try_from(offset).unwrap_or(i64::MAX));
        c.unpack_all(query).await
    })
}

/// The streams that come behind a place in the order that it belongs to, which wins over the search's; `id` decides among equals.
/// Streams that come or go before the place shift nothing.
pub async fn page_after(
    connection: &mut Connection,
    organisation: OrganisationId,
    search: &Search,
    after: &(Place, StreamId),
    limit: u32,
) -> Result<Vec<Stream>> {
    if order_of(&after.0) == Order::NewestFirst
        && let Some(tag) = tag_to_begin_with(connection, organisation, &search.tags).await?
    {
        return on!(connection, c => c.unpack_all(tagged::page(organisation, search, &tag, Some(after), limit, 0)).await);
    }
    let rare = rare_tag(connection, organisation, &search.tags).await?;
    on!(connection, c => c.unpack_all(listed(organisation, search, rare.as_deref(), Some(after), limit)).await)
}

fn order_of(place: &Place) -> Order {
    match place {
        Place::CreatedAt(_) => Order::NewestFirst,
        Place::UpdatedAt(_) => Order::LastUpdatedFirst,
        Place::Name(_) => Order::ByName,
    }
}

/// What is searched for, in its order: behind the place where there is one, in that one's. Those with the rare tag are sorted; else it is a walk along the list.
pub(super) fn listed<D: Database>(
    organisation: OrganisationId,
    search: &Search,
    rare: Option<&str>,
    after: Option<&(Place, StreamId)>,
    limit: u32,
) -> QueryBuilder<D>
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    let mut query = QueryBuilder::new("SELECT ");
    push_columns(&mut query);
    push_source(&mut query, organisation, search, rare, Look::All);
    if let Some(after) = after {
        push_behind(&mut query, after);
    }
    query.push(" ORDER BY ").push(after.map_or(search.order, |(place, _)| order_of(place)).as_sql());
    push_limit(&mut query, i64::from(limit));
    query
}

/// Streams that were found among so many of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Among {
    pub streams: Vec<Stream>,
    /// Where to look on; `None` where there is no more.
    pub next: Option<(Place, StreamId)>,
}

/// The streams behind a place, newest first, for who may not cost much: where none of the tags is rare, no more than `most` rows of the list are looked at, so
/// that fewer streams than `limit`, and even none, are found though there are more behind. Of the search's `order` nothing is taken.
pub async fn page_among(
    connection: &mut Connection,
    organisation: OrganisationId,
    search: &Search,
    after: Option<&(Place, StreamId)>,
    limit: u32,
    most: u32,
) -> Result<Among> {
    let rare = rare_tag(connection, organisation, &search.tags).await?;
    let end = if rare.is_none() { end_of_look(connection, organisation, search, after, most).await? } else { None };
    let mut streams: Vec<Stream> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        push_source(&mut query, organisation, search, rare.as_deref(), Look::Bounded);
        if let Some(after) = after {
            push_behind(&mut query, after);
        }
        if let Some((at, id)) = end {
            query.push(" AND (s.created_at, s.id) >= (").push_bind(at.0).push(", ").push_bind(id.to_string()).push(")");
        }
        // One more than asked for tells whether there are more in what is looked at.
        query.push(" ORDER BY ").push(Order::NewestFirst.as_sql());
        push_limit(&mut query, i64::from(limit) + 1);
        c.unpack_all(query).await
    })?;
    let more = streams.len() > limit as usize;
    streams.truncate(limit as usize);
    let next = match streams.last().filter(|_| more) {
        Some(last) => Some((Order::NewestFirst.place(last), last.id)),
        None => end.map(|(at, id)| (Place::CreatedAt(at), id)),
    };
    Ok(Among { streams, next })
}

/// Where a look ends that has `most` rows of the list behind the place in it; `None` where there are fewer. Of the last row's id only the beginning is kept,
/// with which it stands in the list where the row does: who may see none of the rows must not learn an id.
async fn end_of_look(
    connection: &mut Connection,
    organisation: OrganisationId,
    search: &Search,
    after: Option<&(Place, StreamId)>,
    most: u32,
) -> Result<Option<(UnixMillis, StreamId)>> {
    let end: Option<(i64, String)> = on!(connection, c => {
        // All that the walk reads, also what it does not take: along the index alone.
        let mut query = QueryBuilder::new("SELECT created_at, id FROM streams s WHERE organisation_id = ");
        query.push_bind(organisation.to_string());
        if let Some(state) = search.state {
            query.push(" AND state = ").push_bind(state.as_str().to_owned());
        }
        if let Some(after) = after {
            push_behind(&mut query, after);
        }
        query.push(" ORDER BY ").push(Order::NewestFirst.as_sql()).push(" LIMIT 1 OFFSET ");
        query.push_bind(i64::from(most.saturating_sub(1))).build_query_as().fetch_optional(c).await
    })?;
    let Some((at, id)) = end else { return Ok(None) };
    let id: StreamId = parse("streams.id", &id)?;
    Ok(Some((UnixMillis(at), StreamId(Uuid::from_u128(id.0.as_u128() >> 96 << 96)))))
}

fn push_behind<D: Database>(query: &mut QueryBuilder<D>, (place, id): &(Place, StreamId))
where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    match place {
        Place::CreatedAt(at) => query.push(" AND (s.created_at, s.id) < (").push_bind(at.0),
        Place::UpdatedAt(at) => query.push(" AND (s.updated_at, s.id) < (").push_bind(at.0),
        // A name is nobody else's; the id only keeps the three alike.
        Place::Name(name) => query.push(" AND (s.streamname, s.id) > (").push_bind(name.replace('\0', "")),
    };
    query.push(", ").push_bind(id.to_string()).push(")");
}

/// How many streams match: counts each of them, but where nothing or only a state is asked for.
pub async fn count(connection: &mut Connection, organisation: OrganisationId, search: &Search) -> Result<u64> {
    if let Search { state, tags, text: None, from: None, to: None, order: _ } = search
        && tags.is_empty()
    {
        return counts::streams(connection, organisation, *state).await;
    }
    if let [tag] = search.tags.as_slice()
        && !tag.contains('\0')
    {
        let count: i64 = on!(connection, c => tagged::count(organisation, search, tag).build_query_scalar().fetch_one(c).await)?;
        return Ok(count.unsigned_abs());
    }
    let rare = rare_tag(connection, organisation, &search.tags).await?;
    let count: i64 = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT COUNT(*)");
        push_source(&mut query, organisation, search, rare.as_deref(), Look::All);
        query.build_query_scalar().fetch_one(c).await
    })?;
    Ok(count.unsigned_abs())
}

/// All tags of streams that are not deleted, each once, in binary order.
pub async fn tags(connection: &mut Connection, organisation: OrganisationId, limit: u32) -> Result<Vec<String>> {
    Ok(on!(connection, c => tagged::all(organisation, limit).build_query_scalar().fetch_all(c).await)?)
}

/// By whose rows streams with all of these tags are looked for; `None` where there are no tags.
pub(super) async fn tag_to_begin_with(
    connection: &mut Connection,
    organisation: OrganisationId,
    tags: &[String],
) -> Result<Option<String>> {
    // No stored tag has a zero, and PostgreSQL takes none.
    Ok(match tags {
        [] => None,
        tags if tags.iter().any(|tag| tag.contains('\0')) => None,
        [tag] => Some(tag.clone()),
        [first, ..] => Some(rare_tag(connection, organisation, tags).await?.unwrap_or_else(|| first.clone())),
    })
}

/// Of the tags that few streams have the one that fewest have.
async fn rare_tag(connection: &mut Connection, organisation: OrganisationId, tags: &[String]) -> Result<Option<String>> {
    let mut rarest = None;
    let mut fewest = i64::from(RARE) + 1;
    for tag in tags.iter().filter(|tag| !tag.contains('\0')) {
        // No further than it takes to see that another is rarer.
        let count: i64 = on!(connection, c => sqlx::query_scalar(
            "SELECT COUNT(*) FROM (SELECT 1 FROM stream_tags WHERE organisation_id = $1 AND tag = $2 LIMIT $3) AS found",
        )
        .bind(organisation.to_string())
        .bind(tag)
        .bind(fewest)
        .fetch_one(c)
        .await)?;
        if count < fewest {
            (rarest, fewest) = (Some(tag.clone()), count);
        }
    }
    Ok(rarest)
}

/// How much of a list may be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    All,
    /// A part of it, row by row.
    Bounded,
}

/// From where the rows come, and which of them. Those with the rare tag, where there is one; else all of the organisation, along an index.
fn push_source<D: Database>(
    query: &mut QueryBuilder<D>,
    organisation: OrganisationId,
    search: &Search,
    rare: Option<&str>,
    look: Look,
) where
    String: for<'q> Encode<'q, D> + Type<D>,
    i64: for<'q> Encode<'q, D> + Type<D>,
{
    if let Some(tag) = rare {
        query.push(" FROM (SELECT stream_id FROM stream_tags WHERE organisation_id = ").push_bind(organisation.to_string());
        query.push(" AND tag = ").push_bind(tag.to_owned());
        // SQLite, which knows nothing of how rare it is, keeps to the order of a CROSS JOIN. PostgreSQL does not, and would sooner read all streams than look
        // a thousand up; with an OFFSET it looks them up.
        query.push(match D::NAME {
            "PostgreSQL" => ") AS rare CROSS JOIN LATERAL (SELECT * FROM streams WHERE id = rare.stream_id OFFSET 0) AS s",
            _ => ") AS rare CROSS JOIN streams s",
        });
        query.push(" WHERE s.id = rare.stream_id AND s.organisation_id = ");
    } else {
        query.push(" FROM streams s WHERE s.organisation_id = ");
    }
    query.push_bind(organisation.to_string());
    match search.state {
        Some(state) => query.push(format_args!(" AND s.state = '{}'", state.as_str())),
        None => query.push(" AND s.state <> 'deleted'"),
    };
    if let Some(from) = search.from {
        query.push(" AND s.created_at >= ").push_bind(from.0);
    }
    if let Some(to) = search.to {
        query.push(" AND s.created_at < ").push_bind(to.0);
    }
    // No stored text has one, and PostgreSQL takes none.
    if search.tags.iter().chain(&search.text).any(|text| text.contains('\0')) {
        query.push(" AND 1 = 0");
        return;
    }
    for tag in search.tags.iter().filter(|tag| Some(tag.as_str()) != rare) {
        query.push(" AND EXISTS (SELECT 1 FROM stream_tags t WHERE t.stream_id = s.id AND t.tag = ").push_bind(tag.clone()).push(
            match look {
                Look::All => ")",
                // With an OFFSET PostgreSQL asks of each row, and does not read all that has the tag to join it.
                Look::Bounded => " LIMIT 1 OFFSET 0)",
            },
        );
    }
    if let Some(text) = &search.text {
        query.push(" AND ");
        push_text(query, text);
    }
}

/// The condition that the stream `s` has the text somewhere.
fn push_text<D: Database>(query: &mut QueryBuilder<D>, text: &str)
where
    String: for<'q> Encode<'q, D> + Type<D>,
{
    // Lowered by the database on both sides, since each has its own idea of letters beyond ASCII.
    let pattern = contains_pattern(text);
    query.push("(LOWER(s.streamname) LIKE LOWER(").push_bind(pattern.clone()).push(") ESCAPE '!' OR s.id LIKE LOWER(");
    query.push_bind(pattern.clone()).push(") ESCAPE '!' OR EXISTS (SELECT 1 FROM stream_tags t WHERE t.stream_id = s.id AND ");
    query.push("LOWER(t.tag) LIKE LOWER(").push_bind(pattern).push(") ESCAPE '!'))");
}

/// A pattern for `LIKE … ESCAPE '!'`, of the text's first [`MAX_SEARCH_CHARS`].
pub(super) fn contains_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars().take(MAX_SEARCH_CHARS) {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, Raw};

    async fn sqlite() -> (Db, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap(), folder)
    }

    #[tokio::test]
    async fn a_search_begins_with_the_tag_that_fewest_have() {
        let (db, _folder) = sqlite().await;
        let organisation = OrganisationId(Uuid::new_v4());
        let mut tx = db.write().await.unwrap();
        let without_streams = "PRAGMA defer_foreign_keys = on";
        on!(tx, c => sqlx::query(without_streams).execute(c).await.map(drop)).unwrap();
        for (tag, streams) in [("many", 1_001), ("some", 20), ("few", 2), ("more", 30)] {
            for n in 0..streams {
                on!(tx, c => sqlx::query("INSERT INTO stream_tags (stream_id, organisation_id, tag, position) VALUES ($1, $2, $3, 0)")
                    .bind(n.to_string())
                    .bind(organisation.to_string())
                    .bind(tag)
                    .execute(c)
                    .await
                    .map(drop))
                .unwrap();
            }
        }
        let mut rarest = async |tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
            rare_tag(&mut tx, organisation, &tags).await.unwrap()
        };
        assert_eq!(rarest(&["many", "some", "few", "more"]).await.as_deref(), Some("few"));
        assert_eq!(rarest(&["few", "some", "nobody's"]).await.as_deref(), Some("nobody's"));
        assert_eq!(rarest(&["more", "many"]).await.as_deref(), Some("more"));
        assert_eq!(rarest(&["many"]).await, None);
        assert_eq!(rarest(&[]).await, None);
    }

    /// How SQLite goes about it, step by step.
    async fn steps(rare: Option<&str>) -> Vec<String> {
        let (db, _folder) = sqlite().await;
        let mut connection = db.read().await.unwrap();
        let Raw::Sqlite(sqlite) = connection.raw() else { unreachable!("it was opened as SQLite") };
        let search = Search { tags: vec!["a".to_owned()], ..Search::default() };
        let mut query = QueryBuilder::<sqlx::Sqlite>::new("EXPLAIN QUERY PLAN SELECT ");
        push_columns(&mut query);
        push_source(&mut query, OrganisationId(Uuid::new_v4()), &search, rare, Look::Bounded);
        query.push(" ORDER BY ").push(search.order.as_sql()).push(" LIMIT 51");
        let steps: Vec<(i64, i64, i64, String)> = query.build_query_as().fetch_all(sqlite).await.unwrap();
        steps.into_iter().map(|(.., step)| step).collect()
    }

    #[tokio::test]
    async fn streams_with_a_rare_tag_are_found_by_it_and_others_along_the_list() {
        let by_tag = steps(Some("a")).await;
        assert!(by_tag[0].contains("INDEX stream_tags_by_state (organisation_id=? AND tag=?)"), "{by_tag:#?}");
        assert!(by_tag[1].contains("SEARCH s USING INDEX") && by_tag[1].contains("(id=?)"), "{by_tag:#?}");
        let by_list = steps(None).await;
        assert!(by_list[0].contains("INDEX streams_by_creation (organisation_id=?)"), "{by_list:#?}");
        // Each row's own tags are put into their order; the list is in its order already.
        assert!(!by_list.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY")), "{by_list:#?}");
    }
}
