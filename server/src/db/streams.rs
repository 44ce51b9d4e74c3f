//! The tables `streams` and `stream_tags`: single streams and their changes. Lists are in `stream_list`, going on and off air in `sessions`.

use std::collections::HashMap;

use afterlive_domain::organisation::Settings;
use afterlive_domain::push::PushUrl;
use afterlive_domain::{
    EventKind, Mode, OrganisationId, SessionId, StreamId, StreamState, Streamname, Tags, UnixMillis, WebhookUrl,
};
use serde::Deserialize;
use sqlx::{Database, QueryBuilder};

use super::packed::{self, Column, Packed, Unpack as _};
use super::{Connection, Error, Raw, Result, Tx, on, organisations, parse, parse_option};
use crate::publish_key::{PublishKey, PublishSecret};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    pub id: StreamId,
    pub organisation: OrganisationId,
    pub streamname: Streamname,
    pub state: StreamState,
    /// Which ingest URL is offered first.
    pub default_mode: Mode,
    /// The session that is on air.
    pub live_session: Option<SessionId>,
    pub first_live_at: Option<UnixMillis>,
    pub last_live_at: Option<UnixMillis>,
    pub created_at: UnixMillis,
    pub updated_at: UnixMillis,
    pub deleted_at: Option<UnixMillis>,
    /// Where it is also pushed to while it is live.
    pub push_url: Option<PushUrl>,
    /// How often its publish key was renewed.
    pub publish_key_renewals: i64,
    pub tags: Tags,
}

/// What the ingest must know of the stream that an encoder names.
#[derive(Clone, Debug)]
pub struct PublishTarget {
    pub stream: StreamId,
    pub organisation: OrganisationId,
    pub state: StreamState,
    /// Whether its organisation takes no encoders.
    pub is_suspended: bool,
    pub settings: Settings,
    /// What the organisation has set of `record.reconnect_window_s`.
    pub reconnect_window_s: Option<u64>,
    /// Who is asked before it may be published.
    pub webhook: Option<WebhookUrl>,
    /// Whether an encoder must show its key.
    pub publish_key_required: bool,
    /// There is one as soon as its organisation has required one, and also while it does not.
    pub publish_key: Option<PublishKey>,
}

#[derive(sqlx::FromRow)]
struct TargetRow {
    id: String,
    organisation_id: String,
    state: String,
    is_suspended: bool,
    recording_enabled: bool,
    vod_public: bool,
    live_public: bool,
    reconnect_window_s: Option<i64>,
    webhook: Option<String>,
    publish_key_required: bool,
    publish_secret: Option<String>,
    publish_key_renewals: i64,
}

impl TryFrom<TargetRow> for PublishTarget {
    type Error = Error;

    fn try_from(row: TargetRow) -> Result<Self> {
        let TargetRow { recording_enabled, vod_public, live_public, .. } = row;
        let stream = parse("streams.id", &row.id)?;
        Ok(Self {
            stream,
            organisation: parse("streams.organisation_id", &row.organisation_id)?,
            state: parse("streams.state", &row.state)?,
            is_suspended: row.is_suspended,
            settings: Settings { recording_enabled, vod_public, live_public },
            reconnect_window_s: row.reconnect_window_s.and_then(|seconds| u64::try_from(seconds).ok()),
            webhook: row.webhook.map(|url| organisations::webhook(&url)).transpose()?,
            publish_key_required: row.publish_key_required,
            publish_key: row.publish_secret.map(|secret| PublishSecret::stored(secret).key(stream, row.publish_key_renewals)),
        })
    }
}

/// A stream with its tags, as [`push_columns`] selects it.
#[derive(Deserialize)]
pub(super) struct Row<'r> {
    id: &'r str,
    organisation_id: &'r str,
    streamname: &'r str,
    state: &'r str,
    default_mode: &'r str,
    #[serde(borrow)]
    live_session_id: Option<&'r str>,
    first_live_at: Option<i64>,
    last_live_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
    push_url: Option<String>,
    publish_key_renewals: i64,
    tags: Vec<String>,
}

/// Selects a [`Row`] of the stream `s`.
pub(super) fn push_columns<D: Database>(query: &mut QueryBuilder<D>) {
    let own = "id, organisation_id, streamname, state, default_mode, live_session_id, first_live_at, last_live_at, created_at, \
         updated_at, deleted_at, push_url, publish_key_renewals";
    packed::push_columns(query, &[Column::Columns(own), Column::TagsOf("s.id")]);
}

pub(super) fn mode(column: &'static str, text: &str) -> Result<Mode> {
    match text {
        "live" => Ok(Mode::Live),
        "rec" => Ok(Mode::Rec),
        _ => Err(Error::Unreadable { column, value: text.to_owned() }),
    }
}

impl Packed for Stream {
    type Row<'r> = Row<'r>;

    fn unpack(row: Row<'_>) -> Result<Self> {
        Ok(Self {
            id: parse("streams.id", row.id)?,
            organisation: parse("streams.organisation_id", row.organisation_id)?,
            streamname: parse("streams.streamname", row.streamname)?,
            state: parse("streams.state", row.state)?,
            default_mode: mode("streams.default_mode", row.default_mode)?,
            live_session: parse_option("streams.live_session_id", row.live_session_id)?,
            first_live_at: row.first_live_at.map(UnixMillis),
            last_live_at: row.last_live_at.map(UnixMillis),
            created_at: UnixMillis(row.created_at),
            updated_at: UnixMillis(row.updated_at),
            deleted_at: row.deleted_at.map(UnixMillis),
            // The column's name stands for the value, which goes in no log.
            push_url: row.push_url.map(|url| parse_push_url(&url)).transpose()?,
            publish_key_renewals: row.publish_key_renewals,
            tags: tags(&row.tags)?,
        })
    }
}

/// Tags as they are stored.
pub(super) fn tags(stored: &[String]) -> Result<Tags> {
    Tags::new(stored).map_err(|_| Error::Unreadable { column: "stream_tags.tag", value: stored.join(",") })
}

/// Of each of them; one without tags, or that is not there, is not in the answer.
pub async fn tags_of(connection: &mut Connection, streams: &[StreamId]) -> Result<HashMap<StreamId, Tags>> {
    if streams.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String)> = on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT stream_id, tag FROM stream_tags WHERE stream_id IN (");
        let mut ids = query.separated(", ");
        for stream in streams {
            ids.push_bind(stream.to_string());
        }
        query.push(") ORDER BY stream_id, position").build_query_as().fetch_all(c).await
    })?;
    let mut stored: HashMap<StreamId, Vec<String>> = HashMap::new();
    for (stream, tag) in rows {
        stored.entry(parse("stream_tags.stream_id", &stream)?).or_default().push(tag);
    }
    stored.into_iter().map(|(stream, stored)| Ok((stream, tags(&stored)?))).collect()
}

fn parse_push_url(text: &str) -> Result<PushUrl> {
    PushUrl::parse(text).map_err(|_| Error::Unreadable { column: "streams.push_url", value: "…".to_owned() })
}

/// Inserts the stream with its tags; the event is `stream.created`.
///
/// # Errors
/// A unique violation where the streamname is taken.
pub async fn insert(tx: &mut Tx, stream: &Stream) -> Result<()> {
    on!(tx, c => sqlx::query(
        "INSERT INTO streams (id, organisation_id, streamname, state, default_mode, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(stream.id.to_string())
    .bind(stream.organisation.to_string())
    .bind(stream.streamname.as_str())
    .bind(stream.state.as_str())
    .bind(stream.default_mode.as_str())
    .bind(stream.created_at.0)
    .bind(stream.updated_at.0)
    .execute(c)
    .await
    .map(drop))?;
    insert_tags(tx, stream.organisation, stream.id, &stream.tags).await?;
    tx.emit_stream(EventKind::StreamCreated, stream.organisation, stream.id, stream.created_at);
    Ok(())
}

/// Makes other transactions that change the stream wait for the end of this one: PostgreSQL runs them side by side, SQLite never does.
pub async fn hold(tx: &mut Tx, id: StreamId) -> Result<()> {
    on!(tx, c => sqlx::query("UPDATE streams SET state = state WHERE id = $1").bind(id.to_string()).execute(c).await.map(drop))?;
    Ok(())
}

/// Deleted streams too: who asks decides whether to show one.
pub async fn by_id(connection: &mut Connection, id: StreamId) -> Result<Option<Stream>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM streams s WHERE id = ").push_bind(id.to_string());
        c.unpack_first(query).await
    })
}

/// As [`by_id`], where it is that organisation's. Of one that is another's no row is read.
pub async fn of_organisation(connection: &mut Connection, organisation: OrganisationId, id: StreamId) -> Result<Option<Stream>> {
    on!(connection, c => {
        let mut query = QueryBuilder::new("SELECT ");
        push_columns(&mut query);
        query.push(" FROM streams s WHERE id = ").push_bind(id.to_string());
        query.push(" AND organisation_id = ").push_bind(organisation.to_string());
        c.unpack_first(query).await
    })
}

pub async fn by_streamname(connection: &mut Connection, name: &Streamname) -> Result<Option<Stream>> {
    let id: Option<String> = on!(connection, c => sqlx::query_scalar("SELECT id FROM streams WHERE streamname = $1")
        .bind(name.as_str())
        .fetch_optional(c)
        .await)?;
    match id {
        Some(id) => by_id(connection, parse("streams.id", &id)?).await,
        None => Ok(None),
    }
}

/// What the ingest asks when an encoder names a stream; one row by a unique key.
pub async fn publish_target(connection: &mut Connection, name: &Streamname) -> Result<Option<PublishTarget>> {
    let row: Option<TargetRow> = on!(connection, c => sqlx::query_as(
        "SELECT s.id, s.organisation_id, s.state, o.suspended_at IS NOT NULL AS is_suspended, o.recording_enabled, o.vod_public, o.live_public,
                o.reconnect_window_s, o.webhook, o.publish_key_required, o.publish_secret, s.publish_key_renewals
         FROM streams s JOIN organisations o ON o.id = s.organisation_id WHERE s.streamname = $1",
    )
    .bind(name.as_str())
    .fetch_optional(c)
    .await)?;
    row.map(PublishTarget::try_from).transpose()
}

/// SQLite, where nobody else writes meanwhile: a transaction that changes tags writes so many rows of `asset_tags` at the most, or those of one tag
/// where that has more. These take some 50 ms; one tag of 100,000 recordings takes 0.6 s.
pub const TAG_ROWS_AT_A_TIME: i64 = 10_000;

/// How many tags of the stream one transaction may take and give in all, one at least: each is a row beside every recording. On PostgreSQL it may
/// all, since only who changes the same stream waits for it.
pub async fn tags_at_a_time(connection: &mut Connection, id: StreamId) -> Result<usize> {
    let Raw::Sqlite(sqlite) = connection.raw() else { return Ok(usize::MAX) };
    // Of those that were removed for good no rows are written, but they are read.
    let recordings: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM (SELECT 1 FROM assets WHERE stream_id = $1 LIMIT $2)")
        .bind(id.to_string())
        .bind(TAG_ROWS_AT_A_TIME)
        .fetch_one(sqlite)
        .await?;
    Ok(usize::try_from(TAG_ROWS_AT_A_TIME / recordings.max(1)).unwrap_or(1))
}

/// Replaces all tags, whatever rows that writes ([`tags_at_a_time`]); the event is `stream.changed`. False where the stream is not there or deleted.
pub async fn set_tags(tx: &mut Tx, organisation: OrganisationId, id: StreamId, tags: &Tags, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE streams SET updated_at = $3 WHERE id = $1 AND organisation_id = $2 AND state <> 'deleted'",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed == 0 {
        return Ok(false);
    }
    on!(tx, c => {
        let mut query = QueryBuilder::new("DELETE FROM stream_tags WHERE stream_id = ");
        query.push_bind(id.to_string());
        // Tags that stay are left alone: each stands beside every recording of the stream.
        if !tags.as_slice().is_empty() {
            query.push(" AND tag NOT IN (");
            let mut kept = query.separated(", ");
            for tag in tags.as_slice() {
                kept.push_bind(tag);
            }
            query.push(")");
        }
        query.build().execute(c).await.map(drop)
    })?;
    insert_tags(tx, organisation, id, tags).await?;
    tx.emit_stream(EventKind::StreamChanged, organisation, id, now);
    Ok(true)
}

async fn insert_tags(tx: &mut Tx, organisation: OrganisationId, id: StreamId, tags: &Tags) -> Result<()> {
    if tags.as_slice().is_empty() {
        return Ok(());
    }
    on!(tx, c => {
        let mut query = QueryBuilder::new("INSERT INTO stream_tags (stream_id, organisation_id, tag, position) ");
        query.push_values((0_i64..).zip(tags.as_slice()), |mut row, (position, tag)| {
            row.push_bind(id.to_string()).push_bind(organisation.to_string()).push_bind(tag).push_bind(position);
        });
        query.push(" ON CONFLICT (stream_id, tag) DO UPDATE SET position = excluded.position");
        query.build().execute(c).await.map(drop)
    })?;
    Ok(())
}

/// Sets where the stream is also pushed to; the event is `stream.changed`. False where the stream is not there or deleted.
pub async fn set_push_url(
    tx: &mut Tx,
    organisation: OrganisationId,
    id: StreamId,
    url: Option<&PushUrl>,
    now: UnixMillis,
) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE streams SET push_url = $4, updated_at = $3 WHERE id = $1 AND organisation_id = $2 AND state <> 'deleted'",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .bind(url.map(PushUrl::as_str))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed > 0 {
        tx.emit_stream(EventKind::StreamChanged, organisation, id, now);
    }
    Ok(changed > 0)
}

/// Where the stream is to be pushed to, and whose it is; `None` also where it is deleted or not there.
pub async fn push_target(connection: &mut Connection, id: StreamId) -> Result<Option<(OrganisationId, PushUrl)>> {
    let found: Option<(String, String)> = on!(connection, c => sqlx::query_as(
        "SELECT organisation_id, push_url FROM streams WHERE id = $1 AND state <> 'deleted' AND push_url IS NOT NULL",
    )
    .bind(id.to_string())
    .fetch_optional(c)
    .await)?;
    found.map(|(organisation, url)| Ok((parse("organisation_id", &organisation)?, parse_push_url(&url)?))).transpose()
}

/// Makes the stream's publish key another one; the event is `stream.changed`. False where the stream is not there or deleted.
pub async fn renew_publish_key(tx: &mut Tx, organisation: OrganisationId, id: StreamId, now: UnixMillis) -> Result<bool> {
    let changed = on!(tx, c => sqlx::query(
        "UPDATE streams SET publish_key_renewals = publish_key_renewals + 1, updated_at = $3
         WHERE id = $1 AND organisation_id = $2 AND state <> 'deleted'",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(now.0)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if changed > 0 {
        tx.emit_stream(EventKind::StreamChanged, organisation, id, now);
    }
    Ok(changed > 0)
}

/// What became of a wish to lock, unlock or delete a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transition {
    /// It is so now. `live_session` is what is still on air, and must be cut.
    Done {
        live_session: Option<SessionId>,
    },
    /// It was so before.
    Already,
    /// Not from this state.
    Refused(StreamState),
    NoSuchStream,
}

/// Refuses publishes from now on.
pub async fn lock(tx: &mut Tx, organisation: OrganisationId, id: StreamId, now: UnixMillis) -> Result<Transition> {
    transition(tx, organisation, id, StreamState::Locked, now).await
}

/// Takes publishes again: back to `ended`, or to `created` where it never was live.
pub async fn unlock(tx: &mut Tx, organisation: OrganisationId, id: StreamId, now: UnixMillis) -> Result<Transition> {
    let Some(stream) = by_id(tx, id).await?.filter(|stream| stream.organisation == organisation) else {
        return Ok(Transition::NoSuchStream);
    };
    match stream.state {
        // A publish that was cut may still be on its way out: the stream must not look free before it is.
        StreamState::Locked if stream.live_session.is_some() => Ok(Transition::Refused(StreamState::Locked)),
        StreamState::Locked => {
            let to = if stream.first_live_at.is_some() { StreamState::Ended } else { StreamState::Created };
            transition(tx, organisation, id, to, now).await
        }
        StreamState::Deleted => Ok(Transition::NoSuchStream),
        _ => Ok(Transition::Already),
    }
}

/// Takes the stream from its users. The row and the streamname stay.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, id: StreamId, now: UnixMillis) -> Result<Transition> {
    transition(tx, organisation, id, StreamState::Deleted, now).await
}

async fn transition(
    tx: &mut Tx,
    organisation: OrganisationId,
    id: StreamId,
    to: StreamState,
    now: UnixMillis,
) -> Result<Transition> {
    let deleted_at = (to == StreamState::Deleted).then_some(now.0);
    let row: Option<(Option<String>,)> = on!(tx, c => sqlx::query_as(
        "UPDATE streams SET state = $3, updated_at = $4, deleted_at = $5
         WHERE id = $1 AND organisation_id = $2 AND state NOT IN ('deleted', $3) RETURNING live_session_id",
    )
    .bind(id.to_string())
    .bind(organisation.to_string())
    .bind(to.as_str())
    .bind(now.0)
    .bind(deleted_at)
    .fetch_optional(c)
    .await)?;
    if let Some((live_session,)) = row {
        let kind = if to == StreamState::Deleted { EventKind::StreamDeleted } else { EventKind::StreamChanged };
        tx.emit_stream(kind, organisation, id, now);
        let live_session = parse_option("streams.live_session_id", live_session.as_deref())?;
        return Ok(Transition::Done { live_session });
    }
    let state = by_id(tx, id).await?.filter(|stream| stream.organisation == organisation).map(|stream| stream.state);
    Ok(match state {
        None | Some(StreamState::Deleted) => Transition::NoSuchStream,
        Some(state) if state == to => Transition::Already,
        Some(state) => Transition::Refused(state),
    })
}
