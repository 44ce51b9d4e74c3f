//! The table `browser_sessions`: who is signed in where. The key is a hash of the cookie, so that a stolen table signs nobody in.

use afterlive_domain::{UnixMillis, UserId};

use super::{Connection, Result, Tx, on, users};

/// A session as it is written.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    pub id: &'a str,
    /// JSON.
    pub data: &'a str,
    /// Who is signed in with it.
    pub user: Option<UserId>,
    pub used_at: UnixMillis,
    pub expires_at: UnixMillis,
}

/// Inserts a session; false where the id is taken. Where somebody is signed in with it, and has more than `most` then, some are deleted; of those
/// that are added at once too. First go those with which nobody came back some time after they began, as of a program that signs in each time; then those that
/// were used longest ago.
pub async fn insert(tx: &mut Tx, session: Written<'_>, most: u32) -> Result<bool> {
    if let Some(user) = session.user
        && users::hold(tx, user).await?
    {
        keep_last_used(tx, user, most.saturating_sub(1)).await?;
    }
    let inserted = on!(tx, c => sqlx::query(
        "INSERT INTO browser_sessions (id, data, user_id, used_at, began_at, expires_at) VALUES ($1, $2, $3, $4, $4, $5) ON CONFLICT (id) DO NOTHING",
    )
    .bind(session.id)
    .bind(session.data)
    .bind(session.user.map(|user| user.to_string()))
    .bind(session.used_at.0)
    .bind(session.expires_at.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(inserted > 0)
}

/// Replaces a session's data. One that was deleted meanwhile, as by signing out in another tab, is not brought back.
pub async fn update(tx: &mut Tx, session: Written<'_>) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE browser_sessions SET data = $2, user_id = $3, used_at = $4, expires_at = $5 WHERE id = $1")
        .bind(session.id)
        .bind(session.data)
        .bind(session.user.map(|user| user.to_string()))
        .bind(session.used_at.0)
        .bind(session.expires_at.0)
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

/// Puts something beside a session's data, in place of what was there; what else is written of the session at the same time leaves it alone.
pub async fn put_flash(tx: &mut Tx, id: &str, flash: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE browser_sessions SET flash = $2 WHERE id = $1")
        .bind(id)
        .bind(flash)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

pub async fn flash(connection: &mut Connection, id: &str, now: UnixMillis) -> Result<Option<String>> {
    let flash: Option<Option<String>> = on!(connection, c => sqlx::query_scalar(
        "SELECT flash FROM browser_sessions WHERE id = $1 AND expires_at > $2",
    )
    .bind(id)
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    Ok(flash.flatten())
}

/// False where it is another one or none by now.
pub async fn delete_flash(tx: &mut Tx, id: &str, flash: &str) -> Result<bool> {
    let deleted = on!(tx, c => sqlx::query("UPDATE browser_sessions SET flash = NULL WHERE id = $1 AND flash = $2")
        .bind(id)
        .bind(flash)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Whether the user is signed in with that one still.
pub async fn is_of_user(connection: &mut Connection, user: UserId, id: &str, now: UnixMillis) -> Result<bool> {
    let found: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT COUNT(*) FROM browser_sessions WHERE id = $1 AND user_id = $2 AND expires_at > $3",
    )
    .bind(id)
    .bind(user.to_string())
    .bind(now.0)
    .fetch_one(c)
    .await)?;
    Ok(found > 0)
}

/// Id, data and last use of those of a user that have not expired; last used first, and not more than `limit`.
pub async fn of_user(
    connection: &mut Connection,
    user: UserId,
    now: UnixMillis,
    limit: u32,
) -> Result<Vec<(String, String, UnixMillis)>> {
    let rows: Vec<(String, String, i64)> = on!(connection, c => sqlx::query_as(
        "SELECT id, data, used_at FROM browser_sessions WHERE user_id = $1 AND expires_at > $2 ORDER BY used_at DESC, id LIMIT $3",
    )
    .bind(user.to_string())
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(c)
    .await)?;
    Ok(rows.into_iter().map(|(id, data, used_at)| (id, data, UnixMillis(used_at))).collect())
}

async fn keep_last_used(tx: &mut Tx, user: UserId, kept: u32) -> Result<()> {
    on!(tx, c => sqlx::query(
        "DELETE FROM browser_sessions WHERE user_id = $1 AND id NOT IN
         (SELECT id FROM browser_sessions WHERE user_id = $1 ORDER BY used_at > began_at DESC, used_at DESC, id LIMIT $2)",
    )
    .bind(user.to_string())
    .bind(i64::from(kept))
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Deletes a user's session; false where the user has no such session.
pub async fn delete_of_user(tx: &mut Tx, user: UserId, id: &str) -> Result<bool> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM browser_sessions WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user.to_string())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Deletes all of a user's but one, and says how many that were.
pub async fn delete_others(tx: &mut Tx, user: UserId, kept: Option<&str>) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM browser_sessions WHERE user_id = $1 AND id <> $2")
        .bind(user.to_string())
        .bind(kept.unwrap_or_default())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
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
