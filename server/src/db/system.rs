//! What concerns several organisations at once: the figures of each, who administers the installation, and what is on air of those that are suspended. Reads and
//! changes `users`, and reads `sessions` and the counts.

use std::collections::HashMap;

use afterlive_domain::{OrganisationId, StreamId, UserId};
use sqlx::QueryBuilder;

use super::users::{self, User};
use super::{Connection, Raw, Result, Tx, on, parse};

/// How much there is of an organisation.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Figures {
    pub users: u64,
    /// Without the deleted.
    pub streams: u64,
    /// Without those in the bin.
    pub recordings: u64,
    /// In all regions, with the bin.
    pub size_bytes: u64,
}

/// Those of each of the organisations, which are few.
pub async fn figures(connection: &mut Connection, organisations: &[OrganisationId]) -> Result<HashMap<OrganisationId, Figures>> {
    const USERS: &str = "SELECT organisation_id, COUNT(*), CAST(0 AS BIGINT) FROM users WHERE organisation_id IN (";
    const STREAMS: &str = "SELECT organisation_id, CAST(SUM(streams) AS BIGINT), CAST(0 AS BIGINT) FROM stream_counts
         WHERE state <> 'deleted' AND organisation_id IN (";
    const RECORDINGS: &str = "SELECT organisation_id, CAST(SUM(CASE state WHEN 'deleted' THEN 0 ELSE recordings END) AS BIGINT),
         CAST(SUM(size_bytes) AS BIGINT) FROM asset_counts WHERE organisation_id IN (";
    let mut found: HashMap<OrganisationId, Figures> = HashMap::new();
    if organisations.is_empty() {
        return Ok(found);
    }
    for statement in [USERS, STREAMS, RECORDINGS] {
        let rows: Vec<(String, i64, i64)> = on!(connection, c => {
            let mut query = QueryBuilder::new(statement);
            let mut ids = query.separated(", ");
            for id in organisations {
                ids.push_bind(id.to_string());
            }
            query.push(") GROUP BY organisation_id").build_query_as().fetch_all(c).await
        })?;
        for (id, count, bytes) in rows {
            let figures = found.entry(parse("organisation_id", &id)?).or_default();
            let count = count.unsigned_abs();
            match statement {
                USERS => figures.users = count,
                STREAMS => figures.streams = count,
                _ => (figures.recordings, figures.size_bytes) = (count, bytes.unsigned_abs()),
            }
        }
    }
    Ok(found)
}

/// A user who administers the installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Administrator {
    pub user: User,
    pub organisation_name: String,
    /// Then they cannot sign in.
    pub is_suspended: bool,
}

#[derive(sqlx::FromRow)]
struct AdministratorRow {
    #[sqlx(flatten)]
    user: users::Row,
    organisation_name: String,
    is_suspended: bool,
}

/// All of them, by their addresses.
pub async fn administrators(connection: &mut Connection) -> Result<Vec<Administrator>> {
    let rows: Vec<AdministratorRow> = on!(connection, c => sqlx::query_as(
        "SELECT u.*, o.name AS organisation_name, o.suspended_at IS NOT NULL AS is_suspended
         FROM users u JOIN organisations o ON o.id = u.organisation_id WHERE u.system_administrator ORDER BY u.email",
    )
    .fetch_all(c)
    .await)?;
    let read = |AdministratorRow { user, organisation_name, is_suspended }| {
        Ok(Administrator { user: user.try_into()?, organisation_name, is_suspended })
    };
    rows.into_iter().map(read).collect()
}

/// Makes other transactions that ask who administers the installation wait for the end of this one: of two that would leave nobody only one may. Who holds an
/// organisation too takes that first. SQLite never runs two side by side.
pub async fn hold_administrators(tx: &mut Tx) -> Result<()> {
    if let Raw::Postgres(raw) = tx.raw() {
        sqlx::query("SELECT id FROM users WHERE system_administrator ORDER BY id FOR NO KEY UPDATE").execute(raw).await?;
    }
    Ok(())
}

/// How many of them can sign in, without that user and without those of that organisation.
pub async fn count_others(
    connection: &mut Connection,
    user: Option<UserId>,
    organisation: Option<OrganisationId>,
) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM users u JOIN organisations o ON o.id = u.organisation_id
         WHERE u.system_administrator AND o.suspended_at IS NULL AND u.id <> $1 AND o.id <> $2",
    )
    .bind(user.map(|id| id.to_string()).unwrap_or_default())
    .bind(organisation.map(|id| id.to_string()).unwrap_or_default())
    .fetch_one(c)
    .await)?;
    Ok(count.unsigned_abs())
}

pub async fn set_administrator(tx: &mut Tx, user: UserId, is_one: bool) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE users SET system_administrator = $2 WHERE id = $1")
        .bind(user.to_string())
        .bind(is_one)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

pub(super) const ON_AIR: &str = "SELECT s.stream_id FROM organisations o CROSS JOIN sessions s
     WHERE o.suspended_at IS NOT NULL AND s.organisation_id = o.id AND s.ended_at IS NULL";

/// What is on air of organisations that are suspended. Asked often, and mostly there is no such organisation.
pub async fn on_air_of_suspended(connection: &mut Connection) -> Result<Vec<StreamId>> {
    let rows: Vec<String> = on!(connection, c => sqlx::query_scalar(ON_AIR).fetch_all(c).await)?;
    rows.iter().map(|id| parse("sessions.stream_id", id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};

    #[tokio::test]
    async fn what_is_on_air_of_the_suspended_is_found_along_indices() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let steps = steps(&mut db.read().await.unwrap(), ON_AIR).await;
        assert_eq!(steps.len(), 2, "{steps:#?}");
        assert!(steps[0].contains("organisations_suspended") && steps[1].contains("SEARCH s USING"), "{steps:#?}");
    }
}
