//! The table `browser_sessions`: who is signed in where. The key is a hash of the cookie, so that a stolen table signs nobody in.

use afterlive_domain::UnixMillis;

use super::{Connection, Result, Tx, on};

/// Inserts a session; false where the id is taken.
pub async fn insert(tx: &mut Tx, id: &str, data: &str, expires_at: UnixMillis) -> Result<bool> {
    let inserted = on!(tx, c => sqlx::query(
        "INSERT INTO browser_sessions (id, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id)
    .bind(data)
    .bind(expires_at.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// Replaces a session's data. One that was deleted meanwhile, as by signing out in another tab, is not brought back.
pub async fn update(tx: &mut Tx, id: &str, data: &str, expires_at: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE browser_sessions SET data = $2, expires_at = $3 WHERE id = $1")
        .bind(id)
        .bind(data)
        .bind(expires_at.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Data and end of a session that has not expired.
pub async fn load(connection: &mut Connection, id: &str, now: UnixMillis) -> Result<Option<(String, UnixMillis)>> {
    let row: Option<(String, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT data, expires_at FROM browser_sessions WHERE id = $1 AND expires_at > $2",
    )
    .bind(id)
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    Ok(row.map(|(data, expires_at)| (data, UnixMillis(expires_at))))
}

pub async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM browser_sessions WHERE id = $1").bind(id).execute(c).await.map(drop))?;
    Ok(())
}

/// Deletes what has expired, and says how many that were.
pub async fn delete_expired(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM browser_sessions WHERE expires_at <= $1")
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}
