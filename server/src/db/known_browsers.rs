//! The table `known_browsers`: browsers in which users have signed in before, and how often each has been wrong of late. Knows a browser by the SHA-256 of what its
//! cookie has. Whether an attempt is looked at is decided elsewhere, but that those of one browser are counted one after the other.

use afterlive_domain::{UnixMillis, UserId};

use super::{Connection, Result, Tx, on};

/// As `rate_limit` counts, in one number a row: so many at once, and then one each interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    pub burst: u16,
    pub interval_ms: u32,
}

impl Pace {
    /// One whose level is up later than that may not try yet.
    fn latest(self, now: UnixMillis) -> UnixMillis {
        now.plus_ms((i64::from(self.burst) - 1) * i64::from(self.interval_ms))
    }

    /// No level is up later than that, but by a clock that was set back since.
    fn full(self, now: UnixMillis) -> UnixMillis {
        now.plus_ms(i64::from(self.burst) * i64::from(self.interval_ms))
    }
}

/// A browser of a user's.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub secret_hash: &'a str,
    pub user: UserId,
}

/// When the count of its attempts will be down to nothing; `None` where the user has not signed in with it, or not for long.
pub async fn level(connection: &mut Connection, known: Known<'_>, now: UnixMillis) -> Result<Option<UnixMillis>> {
    let level: Option<i64> = on!(connection, c => sqlx::query_scalar(
        "SELECT level_until FROM known_browsers WHERE secret_hash = $1 AND user_id = $2 AND expires_at > $3",
    )
    .bind(known.secret_hash)
    .bind(known.user.to_string())
    .bind(now.0)
    .fetch_optional(c)
    .await)?;
    Ok(level.map(UnixMillis))
}

/// Counts an attempt; of several at once each sees those before. `Err`, in seconds: there were too many, and this one is not counted.
pub async fn attempt(tx: &mut Tx, known: Known<'_>, pace: Pace, now: UnixMillis) -> Result<Result<(), u32>> {
    let latest = pace.latest(now);
    let counted = on!(tx, c => sqlx::query(
        "UPDATE known_browsers SET level_until = CASE WHEN level_until > $3 THEN level_until ELSE $3 END + $4
         WHERE secret_hash = $1 AND user_id = $2 AND level_until <= $5",
    )
    .bind(known.secret_hash)
    .bind(known.user.to_string())
    .bind(now.0)
    .bind(i64::from(pace.interval_ms))
    .bind(latest.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if counted > 0 {
        return Ok(Ok(()));
    }
    let (found, full) = (level(tx, known, now).await?, pace.full(now));
    if found.is_some_and(|level| level > full) {
        // It would be kept out until the clock is there again.
        on!(tx, c => sqlx::query("UPDATE known_browsers SET level_until = $3 WHERE secret_hash = $1 AND user_id = $2")
            .bind(known.secret_hash)
            .bind(known.user.to_string())
            .bind(full.0)
            .execute(c)
            .await
            .map(drop))?;
    }
    // One that was forgotten in this moment waits for nothing, but asks again.
    let over_ms = found.map_or(0, |level| level.min(full).ms_since(latest).max(0));
    Ok(Err(u32::try_from(over_ms.div_euclid(1_000) + 1).unwrap_or(u32::MAX)))
}

/// Takes an attempt back: it was none of those that are counted.
pub async fn give_back(tx: &mut Tx, known: Known<'_>, pace: Pace) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE known_browsers SET level_until = level_until - $3 WHERE secret_hash = $1 AND user_id = $2")
        .bind(known.secret_hash)
        .bind(known.user.to_string())
        .bind(i64::from(pace.interval_ms))
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// The browser has another secret from now on, for all who have signed in with it.
pub async fn rename(tx: &mut Tx, before: &str, after: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE known_browsers SET secret_hash = $2 WHERE secret_hash = $1")
        .bind(before)
        .bind(after)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// The user has signed in with it: its count begins anew. Of more than `most` of theirs those go with which they signed in longest ago. Only for who holds the user.
pub async fn put(tx: &mut Tx, known: Known<'_>, expires_at: UnixMillis, most: u32) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO known_browsers (secret_hash, user_id, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (secret_hash, user_id) DO UPDATE SET level_until = 0, expires_at = $3",
    )
    .bind(known.secret_hash)
    .bind(known.user.to_string())
    .bind(expires_at.0)
    .execute(c)
    .await
    .map(drop))?;
    on!(tx, c => sqlx::query(
        "DELETE FROM known_browsers WHERE user_id = $1 AND secret_hash NOT IN
         (SELECT secret_hash FROM known_browsers WHERE user_id = $1 ORDER BY expires_at DESC, secret_hash LIMIT $2)",
    )
    .bind(known.user.to_string())
    .bind(i64::from(most))
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Forgets all of a user's but one, and says how many that were.
pub async fn delete_others(tx: &mut Tx, user: UserId, kept: Option<&str>) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query("DELETE FROM known_browsers WHERE user_id = $1 AND secret_hash <> $2")
        .bind(user.to_string())
        .bind(kept.unwrap_or_default())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted)
}

/// Forgets those with which nobody has signed in for long.
pub async fn delete_expired(tx: &mut Tx, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM known_browsers WHERE expires_at <= $1").bind(now.0).execute(c).await.map(drop))?;
    Ok(())
}
