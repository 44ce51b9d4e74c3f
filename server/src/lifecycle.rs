//! When the server stops: softly at the first signal or when an essential part fails, at once at the second.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What every part watches to know when to stop.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Lifecycle {
    /// Cancelled when no new work is to be taken, and what runs is to be brought to a good end.
    #[must_use]
    pub fn soft_stop(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when there is no more waiting: recordings in progress are finished at the next start.
    #[must_use]
    pub fn hard_stop(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// From now on SIGTERM and SIGINT stop the server: the first softly, the second at once.
    ///
    /// # Errors
    /// Where the system gives no signal handler.
    pub fn watch_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let Self { soft, hard } = self.clone();
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            tracing::info!("stopping: recordings in progress are finished first; a second signal stops at once");
            soft.cancel();
            either(&mut terminate, &mut interrupt).await;
            tracing::warn!("stopping at once");
            hard.cancel();
        });
        Ok(())
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
