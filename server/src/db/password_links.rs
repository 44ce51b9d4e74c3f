//! The table `password_links`: who may set a new password without the present one. Knows a link's SHA-256 only, never the link.

use afterlive_domain::{UnixMillis, UserId};

use super::{Connection, Result, Tx, on, parse};

/// Why there is a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Somebody who may do that has made it. `None`: the operator.
    MadeBy(Option<UserId>),
    /// Somebody, who may be anybody, has asked that it be mailed to the user.
    AskedFor,
}

/// A link for a user's new password; the one before it of the same kind is good for nothing. What strangers ask for ends no link that an administrator made.
pub async fn put(tx: &mut Tx, user: UserId, secret_hash: &str, origin: Origin, expires_at: UnixMillis) -> Result<()> {
    let (is_asked_for, made_by) = match origin {
        Origin::MadeBy(maker) => (false, maker),
        Origin::AskedFor => (true, None),
    };
    on!(tx, c => sqlx::query(
        "INSERT INTO password_links (user_id, is_asked_for, secret_hash, made_by, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id, is_asked_for) DO UPDATE SET secret_hash = excluded.secret_hash, made_by = excluded.made_by, expires_at = excluded.expires_at",
    )
    .bind(user.to_string())
    .bind(is_asked_for)
    .bind(secret_hash)
    .bind(made_by.map(|user| user.to_string()))
    .bind(expires_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Whose the link of that hash is, where it has not expired.
pub async fn user(connection: &mut Connection, secret_hash: &str, now: UnixMillis) -> Result<Option<UserId>> {
    let user: Option<String> = on!(connection, c => sqlx::query_scalar(
        "SELECT user_id FROM password_links WHERE secret_hash = $1 AND expires_at > $2",
    )
    .bind(secret_hash)
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    user.map(|user| parse("password_links.user_id", &user)).transpose()
}

/// False where there is no link of that hash any more.
pub async fn delete(tx: &mut Tx, secret_hash: &str) -> Result<bool> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM password_links WHERE secret_hash = $1")
        .bind(secret_hash)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

/// Deletes those for a user's password.
pub async fn delete_of(tx: &mut Tx, user: UserId) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM password_links WHERE user_id = $1").bind(user.to_string()).execute(c).await.map(drop))?;
    Ok(())
}

/// Deletes those that a user made.
pub async fn delete_by(tx: &mut Tx, user: UserId) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM password_links WHERE made_by = $1").bind(user.to_string()).execute(c).await.map(drop))?;
    Ok(())
}

/// Deletes what has expired, and says how many that were.
pub async fn delete_expired(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM password_links WHERE expires_at <= $1")
        .bind(now.0)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}
