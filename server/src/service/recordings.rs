//! Recordings of streams that the caller has been found to see.

use std::collections::HashMap;

use afterlive_domain::StreamId;

use super::{Result, Service};
use crate::db::asset_list;
use crate::db::assets::Asset;

impl Service {
    /// Of each of the streams its newest recordings that can be played, newest first, at most `limit` of each. A stream without any is not in
    /// the map. Who asks must have been shown the streams, and be allowed their recordings: that is not checked again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn finished_recordings(&self, streams: &[StreamId], limit: u32) -> Result<HashMap<StreamId, Vec<Asset>>> {
        let mut by_stream: HashMap<StreamId, Vec<Asset>> = HashMap::new();
        for asset in asset_list::finished_of_streams(&mut self.db.read().await?, streams, limit).await? {
            by_stream.entry(asset.stream).or_default().push(asset);
        }
        Ok(by_stream)
    }
}
