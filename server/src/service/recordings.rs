//! Recordings of streams that the caller has been found to see.

use std::collections::HashMap;

use afterlive_domain::{AssetId, Error as Refusal, Permission, Report, StreamId};

use super::{Caller, Result, Service};
use crate::db::asset_list;
use crate::db::assets::{self, Asset};

/// A recording, and the account of it where there is one.
#[derive(Clone, PartialEq, Debug)]
pub struct Accounted {
    pub asset: Asset,
    pub report: Option<Report>,
}

impl Service {
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
    pub async fn finished_recordings(&self, streams: &[StreamId], limit: u32) -> Result<HashMap<StreamId, Vec<Asset>>> {
        let mut by_stream: HashMap<StreamId, Vec<Asset>> = HashMap::new();
        if limit == 0 {
            return Ok(by_stream);
        }
        for asset in asset_list::finished_of_streams(&mut self.db.read().await?, streams, limit).await? {
            by_stream.entry(asset.stream).or_default().push(asset);
        }
        Ok(by_stream)
    }
}
