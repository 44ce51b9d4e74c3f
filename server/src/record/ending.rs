//! What a recorder does with a file that grows no more: has it finished, for as long as that takes.

use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{Region, UnixMillis};
use tokio::sync::OwnedSemaphorePermit;

use super::growing::Entry;
use super::returning::{Recorded, Turn};
use super::take::{Closed, Take};
use super::{End, Ended, Recorder, STALL_AFTER, watched};
use crate::db;
use crate::db::assets::{self, Asset};
use crate::finalise::{Account, Known};

/// How long after a finished file could not be put in its place that is tried again; doubles with each vain try, up to [`MAX_FINISH_WAIT`].
const FINISH_WAIT: Duration = Duration::from_secs(1);
const MAX_FINISH_WAIT: Duration = Duration::from_secs(60);

/// A recording that grows no more and is not finished.
pub(super) struct Unfinished {
    pub(super) asset: Asset,
    pub(super) account: Option<Account>,
    pub(super) reason: Option<String>,
    pub(super) ended_at: UnixMillis,
    /// Its place in the list of the growing: it can be watched meanwhile.
    pub(super) _entry: Option<Arc<Entry>>,
}

impl Recorder {
    pub(super) async fn finish(&self, take: Take, end: &End, ended: Ended, turn: Option<Turn>) {
        let reason = match end {
            End::Published | End::Limit(_) => None,
            _ => Some(end.to_string()),
        };
        if let Some(reason) = &reason {
            tracing::error!(asset = %take.asset().id, reason, "a recording ends before its publish");
        }
        let ended_at = ended.at;
        let recorded = take.asset().clone();
        let closed = watched(take.close(end), STALL_AFTER, |waits| self.tell_stall(&recorded, waits)).await;
        let Closed { asset, entry, recording, account, hashed } = closed;
        if let Some(turn) = &turn {
            turn.leave(
                self.limits.reconnect_window,
                Recorded { asset: asset.id, noticed: ended.noticed, silence: ended.silence, hashed },
            );
        }
        // What was counted is true, also where a disk has failed or it takes another try to finish the file.
        let (known, reason) = match recording {
            Ok(recording) => (Known::Closed(recording, account.clone()), reason),
            // Whatever ended it: its last second could not be written.
            Err(error) => (Known::Abandoned(Some(account.clone())), reason.or_else(|| Some(End::Disk(error).to_string()))),
        };
        // Beside the next recording, which waits for nobody.
        let this = self.clone();
        self.tasks.spawn(async move {
            if let Some(reason) = &reason
                && let Err(error) = this.note_end(&asset, reason, ended_at).await
            {
                tracing::error!(asset = %asset.id, %error, "why a recording has ended is not written down before it is finished");
            }
            let finishing = async {
                // Somebody may be at what the publish before has left of it, or look where its files belong.
                let _claim = this.claims.claim_once_free(asset.id).await;
                this.finaliser.finish(&asset, known, reason.as_deref(), ended_at).await
            };
            let finished = watched(finishing, STALL_AFTER, |waits| this.tell_stall(&asset, waits)).await;
            let again = finished.map_err(|error| {
                tracing::error!(asset = %asset.id, %error, "a recording cannot be finished yet");
                entry
            });
            drop(turn);
            if let Err(entry) = again {
                this.finish_later(Unfinished { asset, account: Some(account), reason, ended_at, _entry: Some(entry) }).await;
            }
        });
    }

    /// For the case that it is a later start that finishes the recording.
    async fn note_end(&self, asset: &Asset, reason: &str, ended_at: UnixMillis) -> db::Result<()> {
        let mut tx = self.finaliser.db().write().await?;
        assets::note_end(&mut tx, asset.id, reason, ended_at).await?;
        tx.commit().await
    }

    /// Finishes, beside everything else, a recording of which only its row is known.
    pub(super) fn finish_left(&self, asset: Asset) {
        let (reason, ended_at) = (asset.reason.clone(), asset.ended_at.unwrap_or_else(|| self.finaliser.clock().now()));
        let unfinished = Unfinished { asset, account: None, reason, ended_at, _entry: None };
        self.tasks.spawn(self.clone().finish_later(unfinished));
    }

    /// Whether the recording's encoder was back since: where it stood finished and only what comes after that had failed. Who writes it finishes it.
    async fn is_of_a_later_publish(&self, asset: &Asset) -> db::Result<bool> {
        let row = assets::by_id(&mut self.finaliser.db().read_briefly().await?, asset.id).await?;
        Ok(row.is_some_and(|row| row.session != asset.session))
    }

    /// Waits for a turn among those who finish what is left in the region. A region that is not configured any more has no disk to wait for; the try will say so.
    pub(super) async fn turn_at_disk(&self, region: &Region) -> Option<OwnedSemaphorePermit> {
        let store = self.finaliser.regions().get(region)?;
        Some(store.finishing().take().await)
    }

    /// Tries until the storage and the database let it, or the server stops: then the next start does it. Reads what there is from the file: at what
    /// point the last try failed is not known.
    pub(super) async fn finish_later(self, unfinished: Unfinished) {
        let Unfinished { asset, account, reason, ended_at, .. } = &unfinished;
        let mut wait = FINISH_WAIT;
        loop {
            if self.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                tracing::error!(asset = %asset.id, "a recording is not finished; the next start does it");
                return;
            }
            let Some(_turn) = self.stop.run_until_cancelled(self.turn_at_disk(&asset.region)).await else { continue };
            // Its encoder is just taking it up, or looks whether it can; or its files are being moved.
            let Some(_claim) = self.claims.claim(asset.id) else { continue };
            match self.is_of_a_later_publish(asset).await {
                Ok(false) => {}
                Ok(true) => {
                    tracing::info!(asset = %asset.id, "a recording is left to its encoder, which was back");
                    return;
                }
                Err(error) => {
                    tracing::error!(asset = %asset.id, %error, "a recording still cannot be finished");
                    wait = (wait * 2).min(MAX_FINISH_WAIT);
                    continue;
                }
            }
            match self.finaliser.finish(asset, Known::Abandoned(account.clone()), reason.as_deref(), *ended_at).await {
                Ok(()) => return,
                Err(error) => tracing::error!(asset = %asset.id, %error, "a recording still cannot be finished"),
            }
            wait = (wait * 2).min(MAX_FINISH_WAIT);
        }
    }
}
