//! Recordings of streams that the caller has been found to see.

use std::collections::HashMap;

use afterlive_domain::{AssetId, Error as Refusal, Permission, Report, StreamId};

use super::organisations::organisation_of;
use super::streams::{page_of, stream_of};
use super::{Caller, MAX_PAGE, Result, Service, StreamList, StreamPage};
use crate::db::Connection;
use crate::db::asset_list::{self, Playable};
use crate::db::assets::{self, Asset};
use crate::db::organisations::Organisation;
use crate::db::streams::Stream;

/// A recording, and the account of it where there is one.
#[derive(Clone, PartialEq, Debug)]
pub struct Accounted {
    pub asset: Asset,
    pub report: Option<Report>,
}

/// Recordings by their streams, newest first. A stream without any is not in the map.
pub type ByStream = HashMap<StreamId, Vec<Playable>>;

/// Streams, and what is shown along with them.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown<T> {
    pub streams: T,
    /// Whose they are.
    pub organisation: Organisation,
    /// The newest that can be played.
    pub recordings: ByStream,
}

impl Service {
    /// A stream of the caller's organisation, deleted ones too, with its newest recordings, at most so many.
    ///
    /// # Errors
    /// As [`Service::stream`].
    pub async fn shown_stream(&self, caller: &Caller, id: StreamId, recordings: u32) -> Result<Shown<Stream>> {
        caller.require(Permission::Read)?;
        // One for all that is read: to take a connection and to give it back costs as much as a statement.
        let connection = &mut self.db.read().await?;
        let stream = stream_of(connection, caller, id).await?;
        let organisation = organisation_of(connection, caller).await?;
        let recordings = finished(connection, &[stream.id], recordings).await?;
        Ok(Shown { streams: stream, organisation, recordings })
    }

    /// A page of the caller's streams with the newest recordings of each, at most so many.
    ///
    /// # Errors
    /// As [`Service::streams`]; `TooMany` where too many long lists are read at once.
    pub async fn shown_streams(&self, caller: &Caller, list: &StreamList, recordings: u32) -> Result<Shown<StreamPage>> {
        caller.require(Permission::Read)?;
        let size = (list.limit.min(MAX_PAGE), recordings);
        let _place = self.turn_to_list(caller, list.search.reads_far(), size).await?;
        let connection = &mut self.db.read().await?;
        let page = page_of(connection, caller, list).await?;
        let organisation = organisation_of(connection, caller).await?;
        let ids: Vec<StreamId> = page.streams.iter().map(|stream| stream.id).collect();
        let recordings = finished(connection, &ids, recordings).await?;
        Ok(Shown { streams: page, organisation, recordings })
    }

    /// What came of what the encoder sent, for a recording of the caller's organisation.
    ///
    /// # Errors
    /// `Denied` where the caller may not read; `NoSuchAsset`, also where it is another organisation's.
    pub async fn asset_report(&self, caller: &Caller, id: AssetId) -> Result<Accounted> {
        caller.require(Permission::Read)?;
        let mut connection = self.db.read().await?;
        let asset = assets::by_id(&mut connection, id).await?.filter(|asset| asset.organisation == caller.organisation);
        let asset = asset.ok_or(Refusal::NoSuchAsset { asset: id })?;
        let report = assets::report(&mut connection, id).await?;
        Ok(Accounted { asset, report })
    }

    /// Of each of the streams its newest recordings that can be played, newest first, at most `limit` of each. A stream without any is not in
    /// the map. Who asks must have been shown the streams, and be allowed their recordings: that is not checked again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn finished_recordings(&self, streams: &[StreamId], limit: u32) -> Result<ByStream> {
        // Not even a connection is asked for.
        if limit == 0 { Ok(ByStream::new()) } else { finished(&mut self.db.read().await?, streams, limit).await }
    }
}

async fn finished(connection: &mut Connection, streams: &[StreamId], limit: u32) -> Result<ByStream> {
    let mut by_stream = ByStream::new();
    if limit == 0 || streams.is_empty() {
        return Ok(by_stream);
    }
    for recording in asset_list::finished_of_streams(connection, streams, limit).await? {
        by_stream.entry(recording.stream).or_default().push(recording);
    }
    Ok(by_stream)
}
