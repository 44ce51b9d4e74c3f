//! Tells that a recording does not get on, and that it does again.

use std::pin::pin;
use std::time::Duration;

use afterlive_domain::{AssetId, EventKind, OrganisationId, StreamId};
use tokio::time::timeout;

use super::pulse::{Pulse, Stall};
use super::{Recorder, STALL_AFTER};
use crate::db;
use crate::db::assets::Asset;
use crate::hub;

/// The wait after the event could not be written, which is when the database stands still too; doubles with each vain try.
const TELL_WAIT: Duration = Duration::from_secs(1);
const MAX_TELL_TRIES: u32 = 8;

impl Recorder {
    /// Watches over a publish for as long as it is recorded. Never completes.
    pub(super) async fn watch_over(&self, publish: &hub::Recording, pulse: &Pulse) {
        let tell = |stall: Option<Stall>| match stall {
            None => {
                self.growing.set_still(publish.session, None);
                tracing::info!(stream = %publish.streamname, "a recording gets on again");
            }
            Some(Stall { cause, asset, .. }) => {
                self.growing.set_still(publish.session, Some((publish.stream, cause)));
                let asset_id = asset.map(|asset| asset.to_string());
                tracing::error!(stream = %publish.streamname, asset = asset_id, %cause, "what is live is not recorded on: nothing has been written for some seconds");
                self.tell_stalled(publish.organisation, publish.stream, asset);
            }
        };
        pulse.watch(STALL_AFTER, tell).await;
    }

    /// The storage has begun, or ceased, to let a recording wait that has come to its end. Waits for nobody itself: the database may lie on the same disk.
    pub(super) fn tell_stall(&self, asset: &Asset, waits: bool) {
        self.growing.set_stalled(asset.id, waits);
        if !waits {
            tracing::info!(asset = %asset.id, region = %asset.region, "the storage takes writes again");
            return;
        }
        tracing::error!(asset = %asset.id, region = %asset.region, "a recording has waited for its storage for {} s", STALL_AFTER.as_secs());
        self.tell_stalled(asset.organisation, asset.stream, Some(asset.id));
    }

    fn tell_stalled(&self, organisation: OrganisationId, stream: StreamId, asset: Option<AssetId>) {
        let this = self.clone();
        self.tasks.spawn(async move {
            let at = this.finaliser.clock().now();
            let mut wait = TELL_WAIT;
            for tries in 1..=MAX_TELL_TRIES {
                let telling: db::Result<()> = async {
                    let mut tx = this.finaliser.db().write().await?;
                    match asset {
                        Some(asset) => tx.emit_asset(EventKind::AssetStalled, organisation, stream, asset, at),
                        None => tx.emit_stream(EventKind::AssetStalled, organisation, stream, at),
                    }
                    tx.commit().await
                }
                .await;
                match telling {
                    Ok(()) => return,
                    Err(error) => tracing::error!(%stream, tries, %error, "the event of a stalled recording cannot be written"),
                }
                if this.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    break;
                }
                wait *= 2;
            }
            tracing::error!(%stream, "the event of a stalled recording is lost");
        });
    }
}

/// Says `true` where the work takes longer than `stall_after`, and `false` once it is done after all.
pub(super) async fn watched<T>(work: impl Future<Output = T>, stall_after: Duration, tell: impl Fn(bool)) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(stall_after, &mut work).await {
        return done;
    }
    tell(true);
    let done = work.await;
    tell(false);
    done
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_lets_us_wait_is_told_and_so_is_its_return() {
        let told = RefCell::new(Vec::new());
        let (written, waits_for) = oneshot::channel();
        let written = RefCell::new(Some(written));
        let tell = |waits| {
            told.borrow_mut().push(waits);
            // The disk takes the write only after it has been told of.
            if let Some(written) = written.take() {
                written.send("written").unwrap();
            }
        };
        assert_eq!(watched(waits_for, Duration::from_millis(1), tell).await, Ok("written"));
        assert_eq!(watched(async { "at once" }, Duration::from_secs(3_600), tell).await, "at once");
        assert_eq!(told.into_inner(), [true, false]);
    }
}
