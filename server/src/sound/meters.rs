//! How loud live streams are, for those who look: measured while somebody does, and not at all otherwise. Knows nothing of pages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use afterlive_domain::StreamId;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::loudness::{History, Loudness, read};
use super::{Interpretation, Interpreter, Target};

/// A stream that nobody has looked at for so long is measured no longer. Pages look every two seconds.
const LOOKED_AT_FOR: Duration = Duration::from_secs(10);
/// How often that is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Figures that are so old say nothing of the present.
const LONGEST_SILENCE: Duration = Duration::from_secs(3);
/// The most streams that are measured at a time, each with a process; the others show nothing.
const MAX_METERS: usize = 16;

/// Clones are handles to the same.
#[derive(Clone)]
pub struct Meters {
    interpreter: Interpreter,
    running: Arc<Mutex<HashMap<StreamId, Meter>>>,
}

struct Meter {
    looked_at: Instant,
    measured_at: Option<Instant>,
    history: History,
}

impl Meters {
    #[must_use]
    pub fn new(interpreter: Interpreter) -> Self {
        Self { interpreter, running: Arc::default() }
    }

    /// How loud a stream that is live is; `None` where that is not known: at first, and where there is no sound that can be decoded.
    #[must_use]
    pub fn look(&self, stream: StreamId) -> Option<Loudness> {
        let now = Instant::now();
        let mut running = self.running();
        if let Some(meter) = running.get_mut(&stream) {
            meter.looked_at = now;
            meter.measured_at.filter(|at| now.duration_since(*at) < LONGEST_SILENCE)?;
            return meter.history.loudness();
        }
        if running.len() < MAX_METERS {
            running.insert(stream, Meter { looked_at: now, measured_at: None, history: History::default() });
            let meters = self.clone();
            let interpretation = self.interpreter.listen(stream, Target::Levels);
            tokio::spawn(async move { meters.measure(stream, interpretation).await });
        }
        None
    }

    async fn measure(self, stream: StreamId, mut interpretation: Interpretation) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                packet = interpretation.next() => {
                    if let (Some(meter), Some(window)) = (self.running().get_mut(&stream), read(&packet.data)) {
                        meter.measured_at = Some(Instant::now());
                        meter.history.push(window);
                    }
                }
                _ = tick.tick() => {
                    let mut running = self.running();
                    let is_looked_at = running.get(&stream).is_some_and(|meter| meter.looked_at.elapsed() < LOOKED_AT_FOR);
                    if !is_looked_at || interpretation.is_over() {
                        running.remove(&stream);
                        return;
                    }
                }
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<StreamId, Meter>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
