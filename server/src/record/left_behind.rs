//! What the last run left behind is finished beside everything else: who publishes does not wait until hours of recordings have been read.

use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::Recorder;
use super::ending::Unfinished;
use super::growing::Counted;
use super::returning::Turn;
use crate::finalise::{Known, LeftBehind};

impl Recorder {
    /// Has the recordings finished, some of each region at a time. Completes once each has had its first try; they go on where nobody waits for that. What fails is
    /// tried again until the server stops.
    ///
    /// Each takes a turn of its stream: an encoder that comes meanwhile waits for it as it waits for a recording that has just ended, and no longer.
    pub fn finish_left_behind(&self, left_behind: Vec<LeftBehind>) -> impl Future<Output = ()> + use<> {
        let tries = TaskTracker::new();
        for left in left_behind {
            let turn = self.returns.take_turn(left.asset.stream, self.finaliser.clock().monotonic(), Duration::ZERO);
            let counted = self.growing.count_left_behind();
            let (this, first) = (self.clone(), tries.token());
            self.tasks.spawn(async move {
                let unfinished = this.try_left_behind(left, turn).await;
                drop(first);
                if let Some(unfinished) = unfinished {
                    this.finish_later(unfinished).await;
                }
                tell_end(counted);
            });
        }
        tries.close();
        async move { tries.wait().await }
    }

    async fn try_left_behind(&self, left: LeftBehind, _turn: Turn) -> Option<Unfinished> {
        // Who is stopped leaves them to the next start.
        let _turn_at_disk = self.stop.run_until_cancelled(self.turn_at_disk(&left.asset.region)).await?;
        // Its encoder may wait no longer, and is not to take it up before this is over.
        let _claim = self.claims.claim_once_free(left.asset.id).await;
        let account = left.account();
        let LeftBehind { asset, ended_at, .. } = left;
        let known = Known::Abandoned(Some(account.clone()));
        match self.finaliser.finish(&asset, known, asset.reason.as_deref(), ended_at).await {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(asset = %asset.id, region = %asset.region, %error, "a recording could not be recovered; it waits");
                let reason = asset.reason.clone();
                Some(Unfinished { asset, account: Some(account), reason, ended_at, _entry: None })
            }
        }
    }
}

fn tell_end(counted: Counted) {
    let others = counted.count() - 1;
    tracing::info!(others, "a recording that the last run left behind is dealt with");
}
