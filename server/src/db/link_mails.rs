//! The table `link_mails`: what became of the mails with links, by the links' hashes. Has neither links nor addresses, but what a mail server said.

use afterlive_domain::{InvitationId, OrganisationId, UnixMillis};

use super::{Connection, Error, Result, Tx, on, parse};

/// What became of a mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is on its way; `problem` is why the last try failed, where one did.
    Waiting { problem: Option<String> },
    /// The mail server has taken it.
    Sent,
    /// It is not tried any more.
    Failed { problem: String },
}

/// Why one is not under way any more of which nobody has said so.
const LOST: &str = "the server ended before it was sent";

impl Fate {
    fn columns(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Waiting { problem } => ("waiting", problem.as_deref()),
            Self::Sent => ("sent", None),
            Self::Failed { problem } => ("failed", Some(problem)),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    state: String,
    problem: Option<String>,
    lost_at: i64,
}

impl Row {
    fn fate(self, now: UnixMillis) -> Result<Fate> {
        match self.state.as_str() {
            "waiting" if self.lost_at <= now.0 => Ok(Fate::Failed { problem: self.problem.unwrap_or_else(|| LOST.to_owned()) }),
            "waiting" => Ok(Fate::Waiting { problem: self.problem }),
            "sent" => Ok(Fate::Sent),
            "failed" => Ok(Fate::Failed { problem: self.problem.unwrap_or_default() }),
            _ => Err(Error::Unreadable { column: "link_mails.state", value: self.state }),
        }
    }
}

/// A mail that is to be sent, with a link that ends then. From `lost_at` on one that waits is lost.
pub async fn put(
    tx: &mut Tx,
    secret_hash: &str,
    organisation: OrganisationId,
    fate: &Fate,
    lost_at: UnixMillis,
    expires_at: UnixMillis,
) -> Result<()> {
    let (state, problem) = fate.columns();
    on!(tx, c => sqlx::query(
        "INSERT INTO link_mails (secret_hash, organisation_id, state, problem, lost_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(secret_hash)
    .bind(organisation.to_string())
    .bind(state)
    .bind(problem)
    .bind(lost_at.0)
    .bind(expires_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

pub async fn settle(tx: &mut Tx, secret_hash: &str, fate: &Fate) -> Result<()> {
    let (state, problem) = fate.columns();
    on!(tx, c => sqlx::query("UPDATE link_mails SET state = $1, problem = $2 WHERE secret_hash = $3")
        .bind(state)
        .bind(problem)
        .bind(secret_hash)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// `None` where an organisation's link of that hash was mailed to nobody.
pub async fn fate(
    connection: &mut Connection,
    organisation: OrganisationId,
    secret_hash: &str,
    now: UnixMillis,
) -> Result<Option<Fate>> {
    let row: Option<Row> = on!(connection, c => sqlx::query_as(
        "SELECT state, problem, lost_at FROM link_mails WHERE secret_hash = $1 AND organisation_id = $2",
    )
    .bind(secret_hash)
    .bind(organisation.to_string())
    .fetch_optional(c)
    .await)?;
    row.map(|row| row.fate(now)).transpose()
}

/// Whether the link of that hash opens something still.
pub async fn is_wanted(connection: &mut Connection, secret_hash: &str, now: UnixMillis) -> Result<bool> {
    let links: i64 = on!(connection, c => sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM invitations WHERE secret_hash = $1 AND expires_at > $2)
              + (SELECT COUNT(*) FROM password_links WHERE secret_hash = $1 AND expires_at > $2)",
    )
    .bind(secret_hash)
    .bind(now.0)
    .fetch_one(c)
    .await)?;
    Ok(links > 0)
}

/// Of an organisation's invitations that were mailed and can still be used.
pub async fn of_invitations(
    connection: &mut Connection,
    organisation: OrganisationId,
    now: UnixMillis,
) -> Result<Vec<(InvitationId, Fate)>> {
    #[derive(sqlx::FromRow)]
    struct OfInvitation {
        id: String,
        #[sqlx(flatten)]
        row: Row,
    }
    let rows: Vec<OfInvitation> = on!(connection, c => sqlx::query_as(
        "SELECT i.id, m.state, m.problem, m.lost_at FROM invitations i JOIN link_mails m ON m.secret_hash = i.secret_hash
         WHERE i.organisation_id = $1 AND i.expires_at > $2",
    )
    .bind(organisation.to_string())
    .bind(now.0)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(|OfInvitation { id, row }| Ok((parse("invitations.id", &id)?, row.fate(now)?))).collect()
}

/// Deletes those whose links open nothing any more, as they were used, revoked or replaced, or have expired; and says how many that were.
pub async fn delete_unwanted(tx: &mut Tx, now: UnixMillis) -> Result<u64> {
    let deleted = on!(tx, c => sqlx::query(
        "DELETE FROM link_mails
         WHERE NOT EXISTS (SELECT 1 FROM invitations i WHERE i.secret_hash = link_mails.secret_hash AND i.expires_at > $1)
           AND NOT EXISTS (SELECT 1 FROM password_links p WHERE p.secret_hash = link_mails.secret_hash AND p.expires_at > $1)",
    )
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(deleted)
}
