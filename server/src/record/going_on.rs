//! An encoder that is back in time: the recording that it left grows again.

use afterlive_domain::report::Reconnect;
use afterlive_domain::{AssetState, Report, UnixMillis};
use tokio::task::spawn_blocking;

use super::Recorder;
use super::opening::Start;
use super::pulse::{Pulse, Waits};
use super::returning::Turn;
use super::room::{Finished, Room};
use super::take::Take;
use crate::db;
use crate::db::assets::{self, Asset};
use crate::finalise::FinaliseError;
use crate::hub;
use crate::storage::Key;

impl Recorder {
    /// Takes up the recording that the stream's last publish left, where the encoder is back in time and with the same tracks. `None` where there is no such
    /// recording, or it cannot be: then another begins, and nothing is lost.
    pub(super) async fn go_on(&self, publish: &hub::Recording, turn: &mut Turn, start: &Start, pulse: &Pulse) -> Option<Take> {
        pulse.waits_for(Waits::Database);
        if self.limits.reconnect_window.is_zero() {
            return None;
        }
        let before = turn.settle().await;
        let (asset, left_at) = self.find_left(publish).await.unwrap_or_else(|error| {
            tracing::error!(stream = %publish.streamname, %error, "whether a recording goes on cannot be found out; another one begins");
            None
        })?;
        let before = before.filter(|before| before.asset == asset.id);
        // By a clock that nobody sets, where it was this process that saw the encoder leave.
        let away_ms = match &before {
            Some(before) => i64::try_from(turn.begun().saturating_sub(before.left).as_millis()).unwrap_or(i64::MAX),
            None => publish.started_at.ms_since(left_at).max(0),
        };
        // Who waits for leave to publish is back.
        let absent_ms = away_ms.saturating_sub(i64::try_from(publish.waited.as_millis()).unwrap_or(i64::MAX));
        if absent_ms > i64::try_from(self.limits.reconnect_window.as_millis()).unwrap_or(i64::MAX) {
            return None;
        }
        pulse.waits_for(Waits::Storage);
        pulse.writes(Some(asset.id));
        let finished = match self.open_finished(&asset, start).await {
            Ok(finished) => finished?,
            Err(error) => {
                tracing::error!(asset = %asset.id, %error, "a recording cannot go on; another one begins");
                return None;
            }
        };
        let reconnect = Reconnect { at_ms: finished.at_ms(), left_at, back_at: left_at.plus_ms(away_ms) };
        match self.reopen(&asset, publish, finished, reconnect).await {
            Ok((room, report)) => {
                tracing::info!(asset = %asset.id, file = asset.file_name, away_ms, "the encoder is back: recording goes on");
                let entry = self.growing.enter(&asset, asset.facts.clone(), room.file.clone());
                let hashed = before.and_then(|before| before.hashed);
                Some(Take::new(asset, room, start, entry, self.limits).go_on(&report, hashed))
            }
            Err(error) => {
                tracing::error!(asset = %asset.id, %error, "a recording cannot go on; another one begins");
                // Does nothing where the row is as it was.
                self.finish_left(Asset { ended_at: Some(left_at), ..asset });
                None
            }
        }
    }

    /// The stream's last recording, where it is whole; and when its encoder left.
    async fn find_left(&self, publish: &hub::Recording) -> db::Result<Option<(Asset, UnixMillis)>> {
        let last = assets::last_of_stream(&mut self.finaliser.db().read_briefly().await?, publish.stream).await?;
        Ok(last
            .filter(|asset| asset.state == AssetState::Ready && asset.hold.is_none() && asset.region == publish.region)
            .and_then(|asset| asset.ended_at.map(|left_at| (asset, left_at))))
    }

    async fn open_finished(&self, asset: &Asset, start: &Start) -> std::io::Result<Option<Finished>> {
        let (regions, tracks) = (self.finaliser.regions().clone(), start.tracks.clone());
        let (region, file_name) = (asset.region.clone(), asset.file_name.clone());
        let opening = spawn_blocking(move || {
            let (Some(store), Some(key)) = (regions.get(&region), Key::from_file_name(&file_name)) else { return Ok(None) };
            Finished::open(store, &store.path(&key), &tracks)
        });
        opening.await.map_err(std::io::Error::other)?
    }

    /// The row, then the file: a crash in between leaves a finished file that the next start finds to be one.
    async fn reopen(
        &self,
        asset: &Asset,
        publish: &hub::Recording,
        finished: Finished,
        reconnect: Reconnect,
    ) -> Result<(Room, Report), FinaliseError> {
        let mut tx = self.finaliser.db().write().await?;
        let mut report = assets::report(&mut tx, asset.id).await?.unwrap_or_default();
        report.add_reconnect(reconnect);
        if !assets::reopen(&mut tx, asset, publish.session, &report, self.finaliser.clock().now()).await? {
            return Err(std::io::Error::other("it has been deleted or put under legal hold").into());
        }
        tx.commit().await?;
        let room = spawn_blocking(move || finished.reopen()).await.map_err(std::io::Error::other)??;
        Ok((room, report))
    }
}
