//! The table `region_folders`: in which folder the recordings of each region lie.

use afterlive_domain::{Region, UnixMillis};
use uuid::Uuid;

use super::{Connection, Result, Tx, on, parse, parse_option};

/// The folder that has the region; `None` where none was ever claimed.
pub async fn of(connection: &mut Connection, region: &Region) -> Result<Option<Uuid>> {
    let id: Option<String> = on!(connection, c => sqlx::query_scalar("SELECT folder_id FROM region_folders WHERE region = $1")
        .bind(region.as_str())
        .fetch_optional(c)
        .await)?;
    parse_option("region_folders.folder_id", id.as_deref())
}

/// Whether there is a recording, or somebody on air.
pub async fn any_in_use(connection: &mut Connection) -> Result<bool> {
    let found: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM assets) OR EXISTS (SELECT 1 FROM sessions WHERE ended_at IS NULL) THEN 1 ELSE 0 END AS BIGINT)",
    )
    .fetch_one(c)
    .await)?;
    Ok(found != 0)
}

/// Says which folder has the region from now on: this one, where none had it, or where nothing lies in the one that had it and it may be taken from that. Of two
/// that claim a region at the same time one has it.
pub async fn claim(tx: &mut Tx, region: &Region, folder: Uuid, may_take: bool, now: UnixMillis) -> Result<Uuid> {
    let id: Option<String> = on!(tx, c => sqlx::query_scalar(
        "INSERT INTO region_folders (region, folder_id, claimed_at) VALUES ($1, $2, $3)
         ON CONFLICT (region) DO UPDATE SET folder_id = excluded.folder_id, claimed_at = excluded.claimed_at
         WHERE region_folders.folder_id <> excluded.folder_id AND $4 AND NOT EXISTS (SELECT 1 FROM assets WHERE region = $1)
         RETURNING folder_id",
    )
    .bind(region.as_str())
    .bind(folder.to_string())
    .bind(now.0)
    .bind(may_take)
    .fetch_optional(c)
    .await)?;
    match id {
        Some(id) => parse("region_folders.folder_id", &id),
        None => Ok(of(tx, region).await?.unwrap_or(folder)),
    }
}

/// Notes that the server which has the region is there.
pub async fn see(tx: &mut Tx, region: &Region, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE region_folders SET seen_at = $2 WHERE region = $1")
        .bind(region.as_str())
        .bind(now.0)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// When the server was there last; `None` where that was never noted.
pub async fn last_seen(connection: &mut Connection) -> Result<Option<UnixMillis>> {
    let seen: Option<i64> =
        on!(connection, c => sqlx::query_scalar("SELECT MAX(seen_at) FROM region_folders").fetch_one(c).await)?;
    Ok(seen.map(UnixMillis))
}
