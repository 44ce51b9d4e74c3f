//! What pages show at a glance: the start page's sums, the list of streams with its totals, and all of one stream. Reads only.

use std::collections::HashMap;
use std::time::Duration;

use afterlive_domain::{Error as Refusal, Mode, Permission, Role, StreamId, StreamState, Tags};

use super::seen::StreamWithOrganisation;
use super::traffic::{self, Day};
use super::{Caller, Result, Service, Viewer};
use crate::db::asset_list;
use crate::db::assets::Asset;
use crate::db::counts::{self, Arrived, Stored};
use crate::db::organisations::Organisation;
use crate::db::stream_search::{self, Search};
use crate::db::streams::{self, Stream};
use crate::db::{Connection, sessions};
use crate::hub::LiveStats;

/// How many streams and recordings the start page shows.
const LATEST: u32 = 5;
/// How many days of traffic the start page shows.
const TRAFFIC_DAYS: u32 = 14;
/// The most tags that a list suggests.
const MAX_SUGGESTED_TAGS: u32 = 200;
/// The most recordings of one stream that are listed at once.
const MAX_RECORDINGS: u32 = 1_000;

/// A stream and how many recordings it has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountedStream {
    pub stream: Stream,
    pub recordings: u64,
}

/// An organisation at a glance.
#[derive(Clone, PartialEq, Debug)]
pub struct Glance {
    /// A state that no stream is in is not in the list.
    pub by_state: Vec<(StreamState, u64)>,
    /// A region without recordings is not in the list.
    pub stored: Vec<Stored>,
    /// The last days, oldest first, none left out.
    pub days: Vec<Day>,
    pub streams: Vec<CountedStream>,
    pub recordings: Vec<Asset>,
    /// Of the streams of those recordings; one without tags is not in it.
    pub tags: HashMap<StreamId, Tags>,
}

/// One page of a list, and what stands around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamTable {
    pub rows: Vec<CountedStream>,
    /// On all pages.
    pub total: u64,
    pub by_state: Vec<(StreamState, u64)>,
    /// Of the organisation, for suggestions.
    pub tags: Vec<String>,
}

/// Which of a stream's recordings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordingSlice {
    pub limit: u32,
    pub offset: u32,
}

impl RecordingSlice {
    /// All that are ever listed at once.
    pub const ALL: Self = Self { limit: MAX_RECORDINGS, offset: 0 };
}

/// What is on air.
#[derive(Clone, PartialEq, Debug)]
pub struct OnAir {
    pub mode: Mode,
    pub protocol: String,
    pub stats: LiveStats,
}

/// All of one stream.
#[derive(Clone, PartialEq, Debug)]
pub struct Overview {
    pub stream: Stream,
    pub organisation: Organisation,
    /// `None` for a viewer from outside.
    pub role: Option<Role>,
    pub on_air: Option<OnAir>,
    /// For how much longer its encoder is waited for, which was cut off and is not on air.
    pub awaited: Option<Duration>,
    pub recordings: Vec<Asset>,
    /// Of all of them.
    pub recordings_total: u64,
    pub newest_finished: Option<Asset>,
    /// The recording in progress.
    pub growing: Option<Asset>,
    /// Whether they were looked for: not for a viewer from outside from whom they are guarded.
    pub sees_recordings: bool,
}

impl Service {
    /// # Errors
    /// `Denied` where the caller may not read.
    pub async fn glance(&self, caller: &Caller) -> Result<Glance> {
        caller.require(Permission::Read)?;
        let organisation = caller.organisation;
        let now = self.clock().now();
        let mut connection = self.db().read().await?;
        let connection = &mut connection;
        let mut arrived = counts::ingested_since(connection, organisation, traffic::window_begins_at(now, TRAFFIC_DAYS)).await?;
        for (stream, from) in counts::on_air(connection, organisation).await? {
            let bytes = self.hub().stats(stream).map_or(0, |stats| stats.bytes_in);
            arrived.push(Arrived { from, to: now, bytes });
        }
        let latest = stream_search::page(connection, organisation, &Search::default(), LATEST, 0).await?;
        let recordings = asset_list::latest(connection, organisation, LATEST).await?;
        let recorded: Vec<StreamId> = recordings.iter().map(|asset| asset.stream).collect();
        Ok(Glance {
            by_state: counts::streams_by_state(connection, organisation).await?,
            stored: counts::stored_by_region(connection, organisation).await?,
            days: traffic::by_day(now, TRAFFIC_DAYS, &arrived),
            streams: counted(connection, latest).await?,
            tags: streams::tags_of(connection, &recorded).await?,
            recordings,
        })
    }

    /// The streams from number `offset` on, at most `limit`.
    ///
    /// # Errors
    /// `Denied` where the caller may not read; `TooMany` where too much is searched at once.
    pub async fn stream_table(&self, caller: &Caller, search: &Search, limit: u32, offset: u64) -> Result<StreamTable> {
        caller.require(Permission::Read)?;
        let organisation = caller.organisation;
        let _place = self.turn_to_search(caller, search.reads_far()).await?;
        let mut connection = self.db().read().await?;
        let connection = &mut connection;
        let streams = stream_search::page(connection, organisation, search, limit, offset).await?;
        Ok(StreamTable {
            rows: counted(connection, streams).await?,
            total: stream_search::count(connection, organisation, search).await?,
            by_state: counts::streams_by_state(connection, organisation).await?,
            tags: stream_search::tags(connection, organisation, MAX_SUGGESTED_TAGS).await?,
        })
    }

    /// All of one stream, for its organisation; for anybody else who may watch it, what is not guarded from that viewer.
    ///
    /// # Errors
    /// `NoSuchStream`; to who has not signed in `BadCredentials` instead, whether there is such a stream or not; `PlaybackDenied` for a token that is not good
    /// for it.
    pub async fn overview(&self, viewer: &Viewer, id: StreamId, slice: RecordingSlice) -> Result<Overview> {
        let caller = viewer.caller.as_ref();
        let hidden = || if caller.is_some() { Refusal::no_such_stream(id) } else { Refusal::BadCredentials };
        let found = match self.insider_stream(caller, id).await? {
            Some(found) => found,
            None => match self.stream_for_viewer(id, viewer).await {
                Err(super::Error::Refused(Refusal::PlaybackDenied { .. })) if viewer.token.is_none() => {
                    return Err(hidden().into());
                }
                Err(super::Error::Refused(Refusal::NoSuchStream { .. })) => return Err(hidden().into()),
                other => other?,
            },
        };
        let StreamWithOrganisation { stream, organisation, sees_recordings, .. } = found;
        let insider = caller.filter(|caller| caller.organisation == stream.organisation);
        let mut connection = self.db().read().await?;
        let connection = &mut connection;
        let on_air = match (stream.live_session, self.hub().stats(id)) {
            (Some(session), Some(stats)) => {
                let session = sessions::mode_and_protocol(connection, session).await?;
                session.map(|(mode, protocol)| OnAir { mode, protocol, stats })
            }
            _ => None,
        };
        // The end of the publish may still be on its way to the database.
        let may_return = matches!(stream.state, StreamState::Live | StreamState::Ended);
        let limit = slice.limit.min(MAX_RECORDINGS);
        let mut overview = Overview {
            awaited: self.hub().awaited(id).filter(|_| may_return && on_air.is_none()),
            role: insider.map(|caller| caller.role),
            on_air,
            recordings: Vec::new(),
            recordings_total: 0,
            newest_finished: None,
            growing: None,
            sees_recordings,
            stream,
            organisation,
        };
        if sees_recordings {
            overview.recordings = asset_list::of_stream(connection, id, limit, slice.offset).await?;
            overview.recordings_total = counts::recordings_by_stream(connection, &[id]).await?.remove(&id).unwrap_or(0);
            overview.newest_finished = asset_list::newest_finished(connection, id).await?;
            overview.growing = asset_list::growing(connection, id).await?;
        }
        Ok(overview)
    }

    /// `None` where the caller is not of the stream's organisation, or there is no caller or stream.
    async fn insider_stream(&self, caller: Option<&Caller>, id: StreamId) -> Result<Option<StreamWithOrganisation>> {
        let Some(caller) = caller else { return Ok(None) };
        let stream = match self.stream(caller, id).await {
            Ok(stream) if stream.state != StreamState::Deleted => stream,
            Ok(_) | Err(super::Error::Refused(Refusal::NoSuchStream { .. })) => return Ok(None),
            Err(error) => return Err(error),
        };
        let organisation = self.organisation(caller).await?;
        Ok(Some(StreamWithOrganisation { stream, organisation, sees_live: true, sees_recordings: true }))
    }
}

async fn counted(connection: &mut Connection, streams: Vec<Stream>) -> Result<Vec<CountedStream>> {
    let ids: Vec<StreamId> = streams.iter().map(|stream| stream.id).collect();
    let counts = counts::recordings_by_stream(connection, &ids).await?;
    let count = |id| counts.get(&id).copied().unwrap_or(0);
    Ok(streams.into_iter().map(|stream| CountedStream { recordings: count(stream.id), stream }).collect())
}
