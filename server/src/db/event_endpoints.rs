//! The table `event_endpoints`: where an organisation's programs are told of events. What they are told is in `event_deliveries`.

use afterlive_domain::{EndpointId, OrganisationId, ToldKinds, UnixMillis, WebhookUrl};
use tracing::error;

use super::{Connection, Error, Raw, Result, Tx, on, parse};
use crate::events::Secret;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    pub id: EndpointId,
    pub organisation: OrganisationId,
    pub url: WebhookUrl,
    pub kinds: ToldKinds,
    pub enabled: bool,
    /// It answered that it is gone, and was switched off for that.
    pub gone_at: Option<UnixMillis>,
    /// Since then no try has succeeded.
    pub failing_since: Option<UnixMillis>,
    pub secret: Secret,
    /// Signs too, until then.
    pub old_secret: Option<(Secret, UnixMillis)>,
    pub created_at: UnixMillis,
    pub updated_at: UnixMillis,
}

/// One that this version cannot read, as a later one has written it perhaps, or somebody by hand: what can be told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    pub id: EndpointId,
    pub organisation: OrganisationId,
    /// What stands there; perhaps it is no URL.
    pub url: String,
    pub kinds: ToldKinds,
    pub enabled: bool,
    pub created_at: UnixMillis,
}

/// One that is there, whether it can be read or not.
pub type Found = Result<Endpoint, Unreadable>;

#[derive(Clone, sqlx::FromRow)]
struct Row {
    id: String,
    organisation_id: String,
    url: String,
    kinds: String,
    enabled: bool,
    gone_at: Option<i64>,
    failing_since: Option<i64>,
    secret: String,
    old_secret: Option<String>,
    old_secret_until: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<Row> for Endpoint {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        // The column's name stands for the value of what may be secret: it goes in no log.
        let unreadable = |column| Error::Unreadable { column, value: "…".to_owned() };
        let secret = |text: String| text.parse::<Secret>().map_err(|_| unreadable("event_endpoints.secret"));
        let old_secret = match row.old_secret.zip(row.old_secret_until) {
            Some((text, until)) => Some((secret(text)?, UnixMillis(until))),
            None => None,
        };
        Ok(Self {
            id: parse("event_endpoints.id", &row.id)?,
            organisation: parse("event_endpoints.organisation_id", &row.organisation_id)?,
            url: row.url.parse().map_err(|_| unreadable("event_endpoints.url"))?,
            kinds: ToldKinds::stored(&row.kinds),
            enabled: row.enabled,
            gone_at: row.gone_at.map(UnixMillis),
            failing_since: row.failing_since.map(UnixMillis),
            secret: secret(row.secret)?,
            old_secret,
            created_at: UnixMillis(row.created_at),
            updated_at: UnixMillis(row.updated_at),
        })
    }
}

impl Row {
    /// Logs why where it cannot be read.
    fn found(self) -> Result<Found> {
        let told = Unreadable {
            id: parse("event_endpoints.id", &self.id)?,
            organisation: parse("event_endpoints.organisation_id", &self.organisation_id)?,
            url: self.url.clone(),
            kinds: ToldKinds::stored(&self.kinds),
            enabled: self.enabled,
            created_at: UnixMillis(self.created_at),
        };
        Ok(Endpoint::try_from(self).map_err(|cause| {
            error!(endpoint = %told.id, %cause, "an endpoint cannot be read");
            told
        }))
    }
}

pub async fn insert(tx: &mut Tx, endpoint: &Endpoint) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO event_endpoints (id, organisation_id, url, kinds, enabled, secret, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(endpoint.id.to_string())
    .bind(endpoint.organisation.to_string())
    .bind(endpoint.url.as_str())
    .bind(endpoint.kinds.to_string())
    .bind(endpoint.enabled)
    .bind(endpoint.secret.as_str())
    .bind(endpoint.created_at.0)
    .bind(endpoint.updated_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// An organisation's, oldest first. One that cannot be read stops no list.
pub async fn list(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<Found>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(
        "SELECT id, organisation_id, url, kinds, enabled, gone_at, failing_since, secret, old_secret, old_secret_until, created_at,
                updated_at
         FROM event_endpoints WHERE organisation_id = $1 ORDER BY created_at, id",
    )
    .bind(organisation.to_string())
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Row::found).collect()
}

/// How many an organisation has, with those that cannot be read.
pub async fn count(connection: &mut Connection, organisation: OrganisationId) -> Result<u64> {
    let count: i64 = on!(connection, c => sqlx::query_scalar("SELECT COUNT(*) FROM event_endpoints WHERE organisation_id = $1")
        .bind(organisation.to_string())
        .fetch_one(c)
        .await)?;
    Ok(count.unsigned_abs())
}

/// Whose it is; `None` where it is not there. Also of one that cannot be read.
pub async fn organisation_of(connection: &mut Connection, id: EndpointId) -> Result<Option<OrganisationId>> {
    let organisation: Option<String> = on!(connection, c => sqlx::query_scalar("SELECT organisation_id FROM event_endpoints WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    organisation.map(|organisation| parse("event_endpoints.organisation_id", &organisation)).transpose()
}

pub async fn by_id(connection: &mut Connection, id: EndpointId) -> Result<Option<Endpoint>> {
    row(connection, id).await?.map(Endpoint::try_from).transpose()
}

/// As [`by_id`], also of one that cannot be read.
pub async fn find(connection: &mut Connection, id: EndpointId) -> Result<Option<Found>> {
    row(connection, id).await?.map(Row::found).transpose()
}

async fn row(connection: &mut Connection, id: EndpointId) -> Result<Option<Row>> {
    Ok(on!(connection, c => sqlx::query_as(
        "SELECT id, organisation_id, url, kinds, enabled, gone_at, failing_since, secret, old_secret, old_secret_until, created_at,
                updated_at
         FROM event_endpoints WHERE id = $1",
    )
    .bind(id.to_string())
    .fetch_optional(c)
    .await)?)
}

/// One that is told something of its organisation, and of what.
pub(super) struct Told {
    pub endpoint: EndpointId,
    pub kinds: ToldKinds,
    pub failing_since: Option<UnixMillis>,
}

/// Those that are told something of the organisation. They stay until the transaction ends: what is written for them finds them there.
pub(super) async fn told(connection: &mut Connection, organisation: OrganisationId) -> Result<Vec<Told>> {
    const SQLITE: &str =
        "SELECT id, kinds, failing_since FROM event_endpoints WHERE organisation_id = $1 AND enabled ORDER BY created_at, id";
    const POSTGRES: &str = "SELECT id, kinds, failing_since FROM event_endpoints WHERE organisation_id = $1 AND enabled
         ORDER BY created_at, id FOR KEY SHARE";
    let statement = match connection.raw() {
        Raw::Sqlite(_) => SQLITE,
        Raw::Postgres(_) => POSTGRES,
    };
    let rows: Vec<(String, String, Option<i64>)> =
        on!(connection, c => sqlx::query_as(statement).bind(organisation.to_string()).fetch_all(c).await)?;
    let read = |(id, kinds, failing_since): (String, String, Option<i64>)| {
        let (endpoint, kinds) = (parse("event_endpoints.id", &id)?, ToldKinds::stored(&kinds));
        Ok(Told { endpoint, kinds, failing_since: failing_since.map(UnixMillis) })
    };
    rows.into_iter().map(read).collect()
}

/// Changes URL, kinds and the switch. Once it is switched by a person it is nothing but what they say.
pub async fn update(tx: &mut Tx, endpoint: &Endpoint) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE event_endpoints SET url = $2, kinds = $3, enabled = $4, gone_at = $5, failing_since = $6, updated_at = $7 WHERE id = $1",
    )
    .bind(endpoint.id.to_string())
    .bind(endpoint.url.as_str())
    .bind(endpoint.kinds.to_string())
    .bind(endpoint.enabled)
    .bind(endpoint.gone_at.map(|at| at.0))
    .bind(endpoint.failing_since.map(|at| at.0))
    .bind(endpoint.updated_at.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Signs with `secret` from now on; with the one before too, until then.
pub async fn rotate(tx: &mut Tx, id: EndpointId, secret: &Secret, old_until: UnixMillis, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE event_endpoints SET old_secret = secret, old_secret_until = $3, secret = $2, updated_at = $4 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(secret.as_str())
    .bind(old_until.0)
    .bind(now.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// What it was told goes with it.
pub async fn delete(tx: &mut Tx, id: EndpointId) -> Result<()> {
    on!(tx, c => sqlx::query("DELETE FROM event_endpoints WHERE id = $1").bind(id.to_string()).execute(c).await.map(drop))?;
    Ok(())
}

/// Drops secrets that do not sign any more.
pub async fn delete_expired(tx: &mut Tx, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE event_endpoints SET old_secret = NULL, old_secret_until = NULL WHERE old_secret_until <= $1",
    )
    .bind(now.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Its lanes are this transaction's, until it ends: of two that look for the first of a lane each sees what the other did. Says whether it is there, and whether
/// it is switched on.
pub async fn hold(tx: &mut Tx, id: EndpointId) -> Result<Option<bool>> {
    const SQLITE: &str = "SELECT enabled FROM event_endpoints WHERE id = $1";
    // Lets rows be written that refer to it.
    const POSTGRES: &str = "SELECT enabled FROM event_endpoints WHERE id = $1 FOR NO KEY UPDATE";
    let statement = match tx.raw() {
        Raw::Sqlite(_) => SQLITE,
        Raw::Postgres(_) => POSTGRES,
    };
    Ok(on!(tx, c => sqlx::query_scalar(statement).bind(id.to_string()).fetch_optional(c).await)?)
}

/// As [`hold`], for who has others to do things for: false where another holds it at this moment, or it is not there.
pub async fn try_hold(tx: &mut Tx, id: EndpointId) -> Result<bool> {
    const POSTGRES: &str = "SELECT enabled FROM event_endpoints WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";
    if let Raw::Sqlite(_) = tx.raw() {
        // There is one who writes.
        return Ok(hold(tx, id).await?.is_some());
    }
    let held: Option<bool> = on!(tx, c => sqlx::query_scalar(POSTGRES).bind(id.to_string()).fetch_optional(c).await)?;
    Ok(held.is_some())
}

/// A try at that URL has succeeded. As all that an answer changes, it counts only where the endpoint is there still.
pub async fn note_success(tx: &mut Tx, id: EndpointId, url: &WebhookUrl) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE event_endpoints SET failing_since = NULL WHERE id = $1 AND url = $2 AND failing_since IS NOT NULL",
    )
    .bind(id.to_string())
    .bind(url.as_str())
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Writes a time down of the endpoint, where it is at that URL.
async fn set_at(tx: &mut Tx, statement: &'static str, id: EndpointId, url: &WebhookUrl, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query(statement).bind(id.to_string()).bind(url.as_str()).bind(now.0).execute(c).await.map(drop))?;
    Ok(())
}

/// A try at that URL has failed; of several the first counts.
pub async fn note_failure(tx: &mut Tx, id: EndpointId, url: &WebhookUrl, now: UnixMillis) -> Result<()> {
    set_at(tx, "UPDATE event_endpoints SET failing_since = $3 WHERE id = $1 AND url = $2 AND failing_since IS NULL", id, url, now)
        .await
}

/// Whether it is at that URL still. Only for who holds it.
pub async fn is_at(tx: &mut Tx, id: EndpointId, url: &WebhookUrl) -> Result<bool> {
    let stored: Option<String> = on!(tx, c => sqlx::query_scalar("SELECT url FROM event_endpoints WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(c)
        .await)?;
    Ok(stored.as_deref() == Some(url.as_str()))
}

/// It is told nothing from now on.
pub async fn switch_off(tx: &mut Tx, id: EndpointId) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE event_endpoints SET enabled = FALSE WHERE id = $1").bind(id.to_string()).execute(c).await.map(drop))?;
    Ok(())
}

/// That URL wants to hear nothing any more.
pub async fn set_gone(tx: &mut Tx, id: EndpointId, url: &WebhookUrl, now: UnixMillis) -> Result<()> {
    set_at(
        tx,
        "UPDATE event_endpoints SET enabled = FALSE, gone_at = $3, updated_at = $3 WHERE id = $1 AND url = $2 AND enabled",
        id,
        url,
        now,
    )
    .await
}

/// Those that are switched off.
pub async fn switched_off(connection: &mut Connection) -> Result<Vec<EndpointId>> {
    let ids: Vec<String> =
        on!(connection, c => sqlx::query_scalar("SELECT id FROM event_endpoints WHERE NOT enabled").fetch_all(c).await)?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}
