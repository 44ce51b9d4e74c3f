//! An encoder that is back in time: the recording that it left grows again.

use std::time::Duration;

use afterlive_domain::report::Reconnect;
use afterlive_domain::{AssetState, Report, UnixMillis};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Recorder;
use super::cannot_go_on::CannotGoOn;
use super::opening::Start;
use super::pulse::{Pulse, Waits};
use super::returning::{Recorded, Turn};
use super::room::{Finished, Room};
use super::take::Take;
use crate::db;
use crate::db::assets::{self, Asset};
use crate::finalise::FinaliseError;
use crate::hub;
use crate::storage::Key;

/// So long a recording may take to be read before it goes on: what the encoder sends meanwhile waits in the hub's queue, and a cold disk takes minutes for ten hours.
const OPEN_WAIT: Duration = Duration::from_secs(5);

impl Recorder {
    /// Takes up the recording that the stream's last publish left, where the encoder is back in time and with the same tracks. `None` where there is no such
    /// recording, or it cannot be: then another begins, and nothing is lost. `taken_up` is when its frames were no longer dropped, where they were: until then
    /// the encoder was there, and nothing of what it sent is in the recording.
    pub(super) async fn go_on(
        &self,
        publish: &hub::Recording,
        turn: &mut Turn,
        taken_up: Option<Duration>,
        start: &Start,
        pulse: &Pulse,
    ) -> Option<Take> {
        pulse.waits_for(Waits::Database);
        if self.limits.reconnect_window.is_zero() {
            return None;
        }
        let before = turn.settle().await;
        let asset = self.last_recording(publish).await.unwrap_or_else(|error| {
            tracing::error!(stream = %publish.streamname, %error, "whether a recording goes on cannot be found out; another one begins");
            None
        })?;
        let before = before.filter(|before| before.asset == asset.id);
        let claimed = self.absence(&asset, before.as_ref(), publish, turn).and_then(|absence| {
            let claim = self.claims.claim(asset.id).ok_or(CannotGoOn::BeingFinished)?;
            Ok((absence, claim))
        });
        let found = match claimed {
            Ok(claimed) => {
                pulse.waits_for(Waits::Storage);
                pulse.writes(Some(asset.id));
                self.open_finished(&asset, start).await.map(|opened| opened.map(|finished| (finished, claimed)))
            }
            Err(why) => Ok(Err(why)),
        };
        // The claim is held until it grows, where everybody sees that.
        let (finished, (Absence { left_at, away_ms }, _claim)) = match found {
            Ok(Ok(found)) => found,
            Ok(Err(why)) => {
                tell(&asset, &why);
                return None;
            }
            Err(error) => {
                tracing::error!(asset = %asset.id, %error, "a recording cannot go on; another one begins");
                return None;
            }
        };
        let unrecorded_ms = taken_up.map_or(0, |taken_up| millis(taken_up.saturating_sub(turn.begun())));
        let back_at = left_at.plus_ms(away_ms.saturating_add(unrecorded_ms));
        let reconnect = Reconnect { at_ms: finished.at_ms(), left_at, back_at };
        match self.reopen(&asset, publish, finished, reconnect).await {
            Ok((room, report)) => {
                tracing::info!(asset = %asset.id, file = asset.file_name, away_ms, unrecorded_ms, "the encoder is back: recording goes on");
                let entry = self.growing.enter(&asset, asset.facts.clone(), room.file.clone());
                let hashed = before.and_then(|before| before.hashed);
                // As its row has it from here on: who finishes what the publish before has left sees that it is another's.
                let asset = Asset { session: publish.session, ..asset };
                Some(Take::new(asset, room, start, entry, self.limits).go_on(&report, hashed))
            }
            Err(error) => {
                tracing::error!(asset = %asset.id, %error, "a recording cannot go on; another one begins");
                // Does nothing where the row is as it was.
                self.finish_left(Asset { session: publish.session, ended_at: Some(left_at), ..asset });
                None
            }
        }
    }

    async fn last_recording(&self, publish: &hub::Recording) -> db::Result<Option<Asset>> {
        assets::last_of_stream(&mut self.finaliser.db().read_briefly().await?, publish.stream).await
    }

    /// How long the encoder was away, where the recording that it left is one that may go on and waits for it still.
    fn absence(
        &self,
        asset: &Asset,
        before: Option<&Recorded>,
        publish: &hub::Recording,
        turn: &Turn,
    ) -> Result<Absence, CannotGoOn> {
        let left_at = asset.ended_at.ok_or(CannotGoOn::NotReady(asset.state))?;
        let window_ms = millis(self.limits.reconnect_window);
        // By a clock that nobody sets, where it was this process that saw the encoder leave.
        let (missed_ms, away_ms) = match before {
            Some(before) => {
                let missed = turn.begun().saturating_sub(before.noticed);
                (millis(missed), millis(missed + before.silence))
            }
            None => {
                let away_ms = publish.started_at.ms_since(left_at);
                if away_ms < -window_ms {
                    return Err(CannotGoOn::EndsLater { ahead_ms: -away_ms });
                }
                // Whom this process has seen leave, and still waits for, is in its list: this one had left before.
                let away_ms = away_ms.max(millis(turn.begun().saturating_sub(self.begun)));
                (away_ms, away_ms)
            }
        };
        // The window begins when it was noticed that nothing comes. And who waits for leave to publish is back.
        let absent_ms = missed_ms.saturating_sub(millis(publish.waited));
        // First of all: of one that is over for long nobody asks how it is.
        if absent_ms > window_ms {
            return Err(CannotGoOn::TooLate { absent_ms, window_ms });
        }
        if asset.state != AssetState::Ready {
            return Err(CannotGoOn::NotReady(asset.state));
        }
        if asset.hold.is_some() {
            return Err(CannotGoOn::Held);
        }
        if asset.region != publish.region {
            return Err(CannotGoOn::OtherRegion(asset.region.clone()));
        }
        Ok(Absence { left_at, away_ms })
    }

    async fn open_finished(&self, asset: &Asset, start: &Start) -> std::io::Result<Result<Finished, CannotGoOn>> {
        let (regions, tracks) = (self.finaliser.regions().clone(), start.tracks.clone());
        let (region, file_name) = (asset.region.clone(), asset.file_name.clone());
        let until = std::time::Instant::now() + OPEN_WAIT;
        let opening = spawn_blocking(move || {
            let (Some(store), Some(key)) = (regions.get(&region), Key::from_file_name(&file_name)) else {
                return Ok(Err(CannotGoOn::NoPlace));
            };
            Finished::open(store, &store.path(&key), &tracks, until)
        });
        // A single read may hang.
        match timeout(OPEN_WAIT, opening).await {
            Ok(opened) => opened.map_err(std::io::Error::other)?,
            Err(_) => Ok(Err(CannotGoOn::TakesLong)),
        }
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

/// From when, and for how long, nothing came of an encoder.
struct Absence {
    left_at: UnixMillis,
    away_ms: i64,
}

pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn tell(asset: &Asset, why: &CannotGoOn) {
    let (asset, file) = (asset.id, &asset.file_name);
    if why.is_damage() {
        tracing::warn!(%asset, file, %why, "an encoder is back, and the recording that it left does not go on; another one begins");
    } else {
        tracing::info!(%asset, file, %why, "a publish does not go on with the stream's last recording; another one begins");
    }
}
