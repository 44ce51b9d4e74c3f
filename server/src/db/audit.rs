//! The table `audit`: who did what, on what, from where and when. Rows are added and, when they are old, deleted; nothing changes one. What is read of it is in
//! `audit_log`.

use std::net::IpAddr;

use afterlive_domain::{Act, AssetId, EndpointId, KeyId, OrganisationId, StreamId, ThingKind, UnixMillis, UserId, WhoKind};
use sqlx::QueryBuilder;

use super::{Connection, Raw, Result, Tx, on};

/// No label is longer, in characters.
const MAX_LABEL_CHARS: usize = 200;
/// No detail is longer, in characters.
const MAX_DETAIL_CHARS: usize = 500;
/// Any number that no other advisory lock of ours has. Who takes this one and that of the events takes this one first.
const AUDIT_ORDER_LOCK: i64 = 0x4146_5445_0000_0002;
/// Of 14 values each: far from what either database takes in one statement.
const ROWS_A_STATEMENT: usize = 50;

/// Who it was. An empty label is looked up where the row is written, if they are in the database then.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Who {
    pub kind: WhoKind,
    pub id: Option<String>,
    pub label: String,
}

/// On what. A label as [`Who`]'s.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Thing {
    pub kind: ThingKind,
    pub id: Option<String>,
    pub label: String,
}

/// A row that is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEntry {
    pub organisation: OrganisationId,
    pub at: UnixMillis,
    pub first_at: UnixMillis,
    pub times: u64,
    pub act: Act,
    pub who: Who,
    pub address: Option<IpAddr>,
    pub on: Option<Thing>,
    pub detail: Option<String>,
}

impl Who {
    #[must_use]
    pub fn new(kind: WhoKind, id: impl ToString) -> Self {
        Self { kind, id: Some(id.to_string()), label: String::new() }
    }

    /// Who has no id.
    #[must_use]
    pub fn nobody(kind: WhoKind) -> Self {
        Self { kind, id: None, label: String::new() }
    }
}

impl Thing {
    #[must_use]
    pub fn new(kind: ThingKind, id: impl ToString, label: impl Into<String>) -> Self {
        Self { kind, id: Some(id.to_string()), label: label.into() }
    }

    /// What has no id, or none that may be told.
    #[must_use]
    pub fn called(kind: ThingKind, label: impl Into<String>) -> Self {
        Self { kind, id: None, label: label.into() }
    }
}

macro_rules! thing {
    ($($id:ident $kind:ident;)*) => {
        $(impl From<$id> for Thing {
            fn from(id: $id) -> Self {
                Self::new(ThingKind::$kind, id, "")
            }
        })*
    };
}

thing! {
    StreamId Stream;
    AssetId Recording;
    UserId User;
    KeyId Key;
    EndpointId Endpoint;
    OrganisationId Organisation;
}

/// Writes them, in their order, as the last act of a transaction but for its events; with the names of those that have none.
pub(super) async fn write(connection: &mut Connection, entries: &mut [NewEntry]) -> Result<()> {
    name(connection, entries).await?;
    insert(connection, entries).await
}

/// Looks up what who and what it was are called now: before anything is locked for which others wait.
async fn name(connection: &mut Connection, entries: &mut [NewEntry]) -> Result<()> {
    for entry in entries {
        let NewEntry { who, on, .. } = entry;
        if let (true, Some(id)) = (who.label.is_empty(), &who.id) {
            let statement = match who.kind {
                WhoKind::User | WhoKind::SessionToken => Some(USER),
                WhoKind::Key => Some(KEY),
                // One of another organisation, of whom nobody but their own is told more than the id.
                WhoKind::SystemAdministrator
                | WhoKind::Operator
                | WhoKind::Server
                | WhoKind::Encoder
                | WhoKind::Stranger
                | WhoKind::Several => None,
            };
            who.label = called(connection, statement, id).await?;
        }
        if let Some(Thing { kind, id: Some(id), label }) = on
            && label.is_empty()
        {
            let statement = match kind {
                ThingKind::User => Some(USER),
                ThingKind::Key => Some(KEY),
                ThingKind::Stream => Some("SELECT streamname FROM streams WHERE id = $1"),
                ThingKind::Recording => Some("SELECT file_name FROM assets WHERE id = $1"),
                ThingKind::Organisation => Some("SELECT name FROM organisations WHERE id = $1"),
                ThingKind::Invitation
                | ThingKind::SessionToken
                | ThingKind::PlaybackToken
                | ThingKind::Endpoint
                | ThingKind::Event => None,
            };
            *label = called(connection, statement, id).await?;
        }
    }
    Ok(())
}

const USER: &str = "SELECT email FROM users WHERE id = $1";
const KEY: &str = "SELECT label FROM api_keys WHERE id = $1";

async fn called(connection: &mut Connection, statement: Option<&'static str>, id: &str) -> Result<String> {
    let Some(statement) = statement else { return Ok(String::new()) };
    let found: Option<String> = on!(connection, c => sqlx::query_scalar(statement).bind(id).fetch_optional(c).await)?;
    Ok(found.unwrap_or_default())
}

async fn insert(connection: &mut Connection, entries: &[NewEntry]) -> Result<()> {
    // As of events: who reads all after a row must not miss one that commits later.
    if let Raw::Postgres(raw) = connection.raw() {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(AUDIT_ORDER_LOCK).execute(raw).await?;
    }
    for entries in entries.chunks(ROWS_A_STATEMENT) {
        on!(connection, c => inserting(entries).build().persistent(entries.len() == 1).execute(c).await.map(drop))?;
    }
    Ok(())
}

fn inserting<D: sqlx::Database>(entries: &[NewEntry]) -> QueryBuilder<D>
where
    String: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
    Option<String>: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
    i64: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
    bool: sqlx::Type<D> + for<'q> sqlx::Encode<'q, D>,
{
    let mut query = QueryBuilder::new(
        "INSERT INTO audit (organisation_id, at, first_at, times, act, denied, who_kind, who_id, who_label, address, on_kind, on_id, on_label, detail) ",
    );
    query.push_values(entries, |mut row, entry| {
        let NewEntry { organisation, at, first_at, times, act, who, address, on, detail } = entry;
        row.push_bind(organisation.to_string())
            .push_bind(at.0)
            .push_bind(first_at.0)
            .push_bind(i64::try_from(*times).unwrap_or(i64::MAX))
            .push_bind(act.as_str().to_owned())
            .push_bind(act.is_denied())
            .push_bind(who.kind.as_str().to_owned())
            .push_bind(who.id.clone())
            .push_bind(within(&who.label, MAX_LABEL_CHARS))
            .push_bind(address.map(|address| address.to_canonical().to_string()))
            .push_bind(on.as_ref().map(|on| on.kind.as_str().to_owned()))
            .push_bind(on.as_ref().and_then(|on| on.id.clone()))
            .push_bind(on.as_ref().map(|on| within(&on.label, MAX_LABEL_CHARS)).unwrap_or_default())
            .push_bind(detail.as_ref().map(|detail| within(detail, MAX_DETAIL_CHARS)));
    });
    query
}

/// Cut to so many characters, and without those that no database or no terminal takes.
fn within(text: &str, chars: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(chars).collect()
}

const OLD: &str = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)";

/// Deletes up to `limit` rows from before that time, and says how many those were. From then on nothing keeps them from being deleted: the table itself refuses it
/// for all others.
pub async fn delete_older(tx: &mut Tx, before: UnixMillis, limit: u32) -> Result<u64> {
    on!(tx, c => sqlx::query("UPDATE audit_horizon SET upto = $1 WHERE id = 1 AND upto < $1").bind(before.0).execute(c).await.map(drop))?;
    Ok(on!(tx, c => sqlx::query(OLD).bind(before.0).bind(i64::from(limit)).execute(c).await.map(|done| done.rows_affected()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};

    #[tokio::test]
    async fn what_is_old_is_found_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let steps = steps(&mut db.read().await.unwrap(), OLD).await;
        assert!(steps.iter().any(|step| step.contains("audit_by_age (at<?)")), "{steps:#?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:#?}");
    }

    #[test]
    fn what_is_written_is_short_and_can_be_printed() {
        assert_eq!(within("a\0b\u{1b}[31mc", 10), "ab[31mc");
        assert_eq!(within("schön und gut", 5), "schön");
    }
}
