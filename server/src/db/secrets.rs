//! The table `secrets`: what this installation signs with, whichever node it is done on.

use super::{Connection, Result, Tx, on};

/// `None` before it was first needed.
pub async fn get(connection: &mut Connection, name: &str) -> Result<Option<String>> {
    Ok(on!(connection, c => sqlx::query_scalar("SELECT secret FROM secrets WHERE name = $1").bind(name).fetch_optional(c).await)?)
}

/// The secret of that name; `drawn`, where there was none. Of two that draw one wins, and both have that one.
pub async fn ensure(tx: &mut Tx, name: &str, drawn: &str) -> Result<String> {
    on!(tx, c => sqlx::query("INSERT INTO secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(name)
        .bind(drawn)
        .execute(c)
        .await
        .map(drop))?;
    Ok(on!(tx, c => sqlx::query_scalar("SELECT secret FROM secrets WHERE name = $1").bind(name).fetch_one(c).await)?)
}
