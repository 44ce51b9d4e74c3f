//! Of `event_deliveries`: what has no body yet, and the body it is given. What the body says is made where the API's answers are.

use afterlive_domain::{AssetId, EndpointId, EventKind, OrganisationId, StreamId, UnixMillis};

use super::event_deliveries::let_first_go;
use super::{Connection, Error, Result, Tx, event_endpoints, on, parse, parse_option};

/// What happened, of which endpoints are told. What is told is the same for all of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Happening {
    pub kind: EventKind,
    pub organisation: OrganisationId,
    pub stream: Option<StreamId>,
    pub asset: Option<AssetId>,
    pub at: UnixMillis,
}

/// A delivery that has no body yet.
#[derive(Debug)]
pub struct Bare {
    /// Ascends in the order in which an endpoint's deliveries were written.
    pub id: i64,
    pub endpoint: EndpointId,
    /// A day later it is given up.
    pub begun_at: UnixMillis,
    /// Not where this version cannot read it: a kind of a later one, perhaps.
    pub happening: Result<Happening>,
    lane: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    organisation_id: String,
    lane: String,
    kind: String,
    stream_id: Option<String>,
    asset_id: Option<String>,
    at: i64,
    begun_at: i64,
}

impl Row {
    fn happening(&self) -> Result<Happening> {
        let unknown = |()| Error::Unreadable { column: "event_deliveries.kind", value: self.kind.clone() };
        Ok(Happening {
            kind: self.kind.parse().map_err(unknown)?,
            organisation: parse("event_deliveries.organisation_id", &self.organisation_id)?,
            stream: parse_option("event_deliveries.stream_id", self.stream_id.as_deref())?,
            asset: parse_option("event_deliveries.asset_id", self.asset_id.as_deref())?,
            at: UnixMillis(self.at),
        })
    }
}

// Its order leads along the index of those alone: any other passes by all that waits and has one.
const BARE_ENDPOINTS: &str = "SELECT e.id,
            (SELECT d.id FROM event_deliveries d WHERE d.endpoint_id = e.id AND d.body IS NULL AND d.state = 'open' ORDER BY d.id DESC LIMIT 1)
     FROM event_endpoints e WHERE e.enabled";

/// The endpoints for which something waits that has no body, in the order of their ids, each with the newest of it. One look along the index for each endpoint.
pub async fn endpoints(connection: &mut Connection) -> Result<Vec<(EndpointId, i64)>> {
    let rows: Vec<(String, Option<i64>)> = on!(connection, c => sqlx::query_as(BARE_ENDPOINTS).fetch_all(c).await)?;
    // One that cannot be read stops no other.
    let mut endpoints: Vec<(EndpointId, i64)> =
        rows.iter().filter_map(|(id, newest)| Some((id.parse().ok()?, (*newest)?))).collect();
    endpoints.sort_unstable();
    Ok(endpoints)
}

const BARE: &str = "SELECT id, organisation_id, lane, kind, stream_id, asset_id, at, begun_at FROM event_deliveries
     WHERE endpoint_id = $1 AND body IS NULL AND state = 'open' AND id > $2 ORDER BY id LIMIT $3";

/// The endpoint's, oldest first, behind that one.
pub async fn of_endpoint(connection: &mut Connection, endpoint: EndpointId, after: i64, limit: u32) -> Result<Vec<Bare>> {
    let rows: Vec<Row> = on!(connection, c => sqlx::query_as(BARE)
        .bind(endpoint.to_string())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(c)
        .await)?;
    let bare =
        |row: Row| Bare { id: row.id, endpoint, begun_at: UnixMillis(row.begun_at), happening: row.happening(), lane: row.lane };
    Ok(rows.into_iter().map(bare).collect())
}

/// What becomes of one that had no body.
#[derive(Debug)]
pub enum Made {
    Body(String),
    /// None can be made: it is given up, in these words.
    GivenUp(&'static str),
}

/// Gives them their bodies, each once, and lets those go that are the first of their lanes. Says whose endpoints it has passed by, as another holds them at this
/// moment: a node that stalls may do so for long, and the others are not to wait for it.
pub async fn set(tx: &mut Tx, made: &mut [(Bare, Made)], now: UnixMillis) -> Result<Vec<EndpointId>> {
    let mut held = Vec::new();
    made.sort_by_key(|(bare, _)| (bare.endpoint, bare.id));
    for of_endpoint in made.chunk_by(|(one, _), (other, _)| one.endpoint == other.endpoint) {
        let endpoint = of_endpoint[0].0.endpoint;
        if !event_endpoints::try_hold(tx, endpoint).await? {
            held.push(endpoint);
            continue;
        }
        let mut lanes: Vec<&str> = Vec::new();
        for (bare, made) in of_endpoint {
            match made {
                Made::Body(body) => set_body(tx, bare, body).await?,
                Made::GivenUp(reason) => give_up(tx, bare, reason, now).await?,
            }
            lanes.push(&bare.lane);
        }
        lanes.sort_unstable();
        lanes.dedup();
        for lane in lanes {
            let_first_go(tx, endpoint, lane, now).await?;
        }
    }
    Ok(held)
}

async fn set_body(tx: &mut Tx, bare: &Bare, body: &str) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE event_deliveries SET body = $2 WHERE id = $1 AND body IS NULL")
        .bind(bare.id)
        .bind(body)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

async fn give_up(tx: &mut Tx, bare: &Bare, reason: &str, now: UnixMillis) -> Result<()> {
    on!(tx, c => sqlx::query(
        "UPDATE event_deliveries SET state = 'failed', last_reason = $2, finished_at = $3
         WHERE id = $1 AND body IS NULL AND state = 'open'",
    )
    .bind(bare.id)
    .bind(reason)
    .bind(now.0)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Location, steps};

    #[tokio::test]
    async fn what_has_no_body_is_found_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Location::Sqlite(folder.path().join("test.db"))).await.unwrap();
        let mut connection = db.read().await.unwrap();
        for (statement, index) in
            [(BARE_ENDPOINTS, "event_deliveries_new (endpoint_id=?)"), (BARE, "event_deliveries_new (endpoint_id=? AND id>?)")]
        {
            let steps = steps(&mut connection, statement).await;
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
            assert!(!steps.iter().any(|step| step == "SCAN d" || step.starts_with("SCAN event_deliveries")), "{steps:#?}");
        }
    }
}
