//! The tables `second_factors` and `recovery_codes`: what a user shows beside the password. Knows a secret only as it was sealed, and of a recovery code its SHA-256.

use afterlive_domain::{UnixMillis, UserId};

use super::{Connection, Result, Tx, on};

/// A user's second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The secret, under a key that is not in the database.
    pub sealed: String,
    /// Which key that was.
    pub sealed_by: String,
    /// The newest step whose code was used: it and those before are over.
    pub last_step: i64,
    /// How many wrong codes there were since the last right one.
    pub wrong_in_a_row: i64,
    /// No code is looked at before.
    pub wait_until: UnixMillis,
    pub created_at: UnixMillis,
}

#[derive(sqlx::FromRow)]
struct Row {
    sealed: String,
    sealed_by: String,
    last_step: i64,
    wrong_in_a_row: i64,
    wait_until: i64,
    created_at: i64,
}

impl From<Row> for SecondFactor {
    fn from(Row { sealed, sealed_by, last_step, wrong_in_a_row, wait_until, created_at }: Row) -> Self {
        let (wait_until, created_at) = (UnixMillis(wait_until), UnixMillis(created_at));
        Self { sealed, sealed_by, last_step, wrong_in_a_row, wait_until, created_at }
    }
}

/// In place of the one that was there.
pub async fn put(tx: &mut Tx, user: UserId, factor: &SecondFactor) -> Result<()> {
    delete(tx, user).await?;
    on!(tx, c => sqlx::query(
        "INSERT INTO second_factors (user_id, sealed, sealed_by, last_step, wrong_in_a_row, wait_until, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(user.to_string())
    .bind(&factor.sealed)
    .bind(&factor.sealed_by)
    .bind(factor.last_step)
    .bind(factor.wrong_in_a_row)
    .bind(factor.wait_until.0)
    .bind(factor.created_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// With its recovery codes.
pub async fn delete(tx: &mut Tx, user: UserId) -> Result<()> {
    for statement in ["DELETE FROM second_factors WHERE user_id = $1", "DELETE FROM recovery_codes WHERE user_id = $1"] {
        on!(tx, c => sqlx::query(statement).bind(user.to_string()).execute(c).await.map(drop))?;
    }
    Ok(())
}

pub async fn of_user(connection: &mut Connection, user: UserId) -> Result<Option<SecondFactor>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as(
        "SELECT sealed, sealed_by, last_step, wrong_in_a_row, wait_until, created_at FROM second_factors WHERE user_id = $1",
    )
    .bind(user.to_string())
    .fetch_optional(c)
    .await)?;
    Ok(row.map(SecondFactor::from))
}

/// Uses the code of a step up; false where it, or one after it, was used before. Of two at once exactly one is true.
pub async fn use_step(tx: &mut Tx, user: UserId, step: i64) -> Result<bool> {
    let used = on!(tx, c => sqlx::query(
        "UPDATE second_factors SET last_step = $2, wrong_in_a_row = 0, wait_until = 0 WHERE user_id = $1 AND last_step < $2",
    )
    .bind(user.to_string())
    .bind(step)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(used > 0)
}

/// Notes one more wrong code.
pub async fn count_wrong(tx: &mut Tx, user: UserId, wait_until: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE second_factors SET wrong_in_a_row = wrong_in_a_row + 1, wait_until = $2 WHERE user_id = $1",
    )
    .bind(user.to_string())
    .bind(wait_until.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Uses a recovery code up; false where there is none of that hash (any more). Codes of the app are looked at again.
pub async fn use_recovery_code(tx: &mut Tx, user: UserId, hash: &str) -> Result<bool> {
    let used = on!(tx, c => sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2")
        .bind(user.to_string())
        .bind(hash)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if used > 0 {
        on!(tx, c => sqlx::query("UPDATE second_factors SET wrong_in_a_row = 0, wait_until = 0 WHERE user_id = $1")
            .bind(user.to_string())
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(used > 0)
}

/// In place of those that were there.
pub async fn put_recovery_codes(tx: &mut Tx, user: UserId, hashes: &[String]) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user.to_string()).execute(c).await.map(drop))?;
    for hash in hashes {
        on!(tx, c => sqlx::query("INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)")
            .bind(user.to_string())
            .bind(hash)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// How many were not used yet.
pub async fn recovery_codes_left(connection: &mut Connection, user: UserId) -> Result<u64> {
    let left: i64 = on!(connection, c => sqlx::query_scalar("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1")
        .bind(user.to_string())
        .fetch_one(c)
        .await)?;
    Ok(left.unsigned_abs())
}

/// Whether any secret was sealed with another key than this one.
pub async fn any_sealed_otherwise(connection: &mut Connection, key: &str) -> Result<bool> {
    let found: Option<i32> = on!(connection, c => sqlx::query_scalar("SELECT 1 FROM second_factors WHERE sealed_by <> $1 LIMIT 1")
        .bind(key)
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some())
}
