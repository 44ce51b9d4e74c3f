//! What is read of the table `audit`: a page of it for people, newest first, and what programs carry off, in the order in which it was committed.

use afterlive_domain::{OrganisationId, UnixMillis};

use super::{Connection, Result, on};

/// The most rows that a page looks at: with a filter that few match it would else be all there are. Such a page is short, or empty, with more behind it.
pub const MAX_LOOK: u32 = 10_000;

/// A row. Words of a later version stay words: nothing of it is read as more than text.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Entry {
    pub id: i64,
    #[sqlx(try_from = "i64")]
    pub at: UnixMillis,
    #[sqlx(try_from = "i64")]
    pub first_at: UnixMillis,
    pub times: i64,
    pub act: String,
    pub denied: bool,
    pub who_kind: String,
    pub who_id: Option<String>,
    pub who_label: String,
    pub address: Option<String>,
    pub on_kind: Option<String>,
    pub on_id: Option<String>,
    pub on_label: String,
    pub detail: Option<String>,
}

/// Where a page for people begins: behind this row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub at: UnixMillis,
    pub id: i64,
}

/// Which rows people want to see.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// What stands before the dot of an act.
    pub group: Option<String>,
    /// The id of a user or a key.
    pub who: Option<String>,
    pub denied: bool,
}

/// Some rows, and where the next ones begin where there are more, or may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slice<P> {
    pub entries: Vec<Entry>,
    pub next: Option<P>,
}

const NEWEST: &str =
    "SELECT id, at, first_at, times, act, denied, who_kind, who_id, who_label, address, on_kind, on_id, on_label, detail FROM
     (SELECT * FROM audit WHERE organisation_id = $1 AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4) AS looked_at
     WHERE ($5 = '' OR act LIKE $5) AND ($6 = '' OR who_id = $6) AND (denied OR NOT $7) ORDER BY at DESC, id DESC LIMIT $8";
const NTH_NEWEST: &str =
    "SELECT at, id FROM audit WHERE organisation_id = $1 AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT 1 OFFSET $4";

/// An organisation's rows that match, newest first, behind the place or from the newest on.
pub async fn newest(
    connection: &mut Connection,
    organisation: OrganisationId,
    filter: &Filter,
    after: Option<Place>,
    limit: u32,
) -> Result<Slice<Place>> {
    let before = after.unwrap_or(Place { at: UnixMillis(i64::MAX), id: i64::MAX });
    let group = filter.group.as_ref().map(|group| format!("{group}.%")).unwrap_or_default();
    let mut entries: Vec<Entry> = on!(connection, c => sqlx::query_as(NEWEST)
        .bind(organisation.to_string())
        .bind(before.at.0)
        .bind(before.id)
        .bind(i64::from(MAX_LOOK))
        .bind(&group)
        .bind(filter.who.as_deref().unwrap_or_default())
        .bind(filter.denied)
        .bind(i64::from(limit) + 1)
        .fetch_all(c)
        .await)?;
    if entries.len() > limit as usize {
        entries.truncate(limit as usize);
        let next = entries.last().map(|entry| Place { at: entry.at, id: entry.id });
        return Ok(Slice { entries, next });
    }
    // All that was looked at: there may be more behind it.
    let last: Option<(i64, i64)> = on!(connection, c => sqlx::query_as(NTH_NEWEST)
        .bind(organisation.to_string())
        .bind(before.at.0)
        .bind(before.id)
        .bind(i64::from(MAX_LOOK) - 1)
        .fetch_optional(c)
        .await)?;
    Ok(Slice { entries, next: last.map(|(at, id)| Place { at: UnixMillis(at), id }) })
}

const FOLLOWING: &str =
    "SELECT id, at, first_at, times, act, denied, who_kind, who_id, who_label, address, on_kind, on_id, on_label, detail FROM
     (SELECT * FROM audit WHERE organisation_id = $1 AND id > $2 AND id <= $7 ORDER BY id LIMIT $3) AS looked_at
     WHERE at >= $4 AND at < $5 ORDER BY id LIMIT $6";
const NTH_FOLLOWING: &str = "SELECT id FROM audit WHERE organisation_id = $1 AND id > $2 ORDER BY id LIMIT 1 OFFSET $3";

/// An organisation's rows after that one, of those that are from that time on and before the other, in the order in which they were committed.
pub async fn following(
    connection: &mut Connection,
    organisation: OrganisationId,
    after: i64,
    (from, to): (Option<UnixMillis>, Option<UnixMillis>),
    limit: u32,
) -> Result<Slice<i64>> {
    // First, so that no row comes or goes between what is looked at and where the next page begins.
    let last: Option<i64> = on!(connection, c => sqlx::query_scalar(NTH_FOLLOWING)
        .bind(organisation.to_string())
        .bind(after)
        .bind(i64::from(MAX_LOOK).max(i64::from(limit) + 1) - 1)
        .fetch_optional(c)
        .await)?;
    let mut entries: Vec<Entry> = on!(connection, c => sqlx::query_as(FOLLOWING)
        .bind(organisation.to_string())
        .bind(after)
        .bind(i64::from(MAX_LOOK).max(i64::from(limit) + 1))
        .bind(from.map_or(i64::MIN, |from| from.0))
        .bind(to.map_or(i64::MAX, |to| to.0))
        .bind(i64::from(limit) + 1)
        .bind(last.unwrap_or(i64::MAX))
        .fetch_all(c)
        .await)?;
    if entries.len() > limit as usize {
        entries.truncate(limit as usize);
        let next = entries.last().map(|entry| entry.id);
        return Ok(Slice { entries, next });
    }
    Ok(Slice { entries, next: last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};

    #[tokio::test]
    async fn pages_are_read_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        for (statement, index) in [
            (NEWEST, "audit_by_time (organisation_id=? AND at<?)"),
            (NTH_NEWEST, "audit_by_time (organisation_id=? AND at<?)"),
            (FOLLOWING, "audit_in_order (organisation_id=? AND id>? AND id<?)"),
            (NTH_FOLLOWING, "audit_in_order (organisation_id=? AND id>?)"),
        ] {
            let steps = steps(&mut connection, statement).await;
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
        }
    }
}
