//! Retention: what is too old goes to the bin, what is in the way of new recordings makes room, what has had its time in the bin is removed for good.
//! A round is bounded, and whatever ends it, the next one goes on where it stopped: each step is a row and a job in one transaction.

use std::ops::Range;
use std::sync::PoisonError;
use std::time::Duration;

use afterlive_domain::organisation::RecordingRules;
use afterlive_domain::{Act as Noted, Region, ThingKind, UnixMillis, WhoKind};

use super::steadiness::TOLERATED_MS;
use super::{FinaliseError, Finaliser};
use crate::audit::{Seen, Whose};
use crate::config::{self, Config};
use crate::db::audit::{Thing, Who};
use crate::db::counts::DAY_MS;
use crate::db::retention::{self as rows, Candidate};
use crate::db::{self, assets, region_folders};
use crate::jobs::{self, Task};
use crate::storage::RegionStore;

/// Between two rounds. Room is looked at this often, so that what arrives in this time must fit between the limits.
pub const ROUND_MS: i64 = 60_000;
/// Recordings in one transaction: who wants to write meanwhile waits for some milliseconds.
const BATCH: u32 = 100;
/// Batches of each kind in a round; where that is not all, the next round begins at once, and other jobs have their turn before it.
const BATCHES: u32 = 10;
/// What went to the bin can be restored for so long, also where its room is wanted, unless less than half of that room is there.
const LEAST_IN_BIN_MS: i64 = 3_600_000;
/// Longer than any protocol waits whose patience nobody sets.
const LEAST_SILENCE: Duration = Duration::from_secs(60);
/// So many recordings of a bin are added up to see how much of it is room to come.
const MOST_ADDED_UP: u32 = 10_000;

/// What the server's settings say of keeping recordings. The default keeps everything, and what is binned for a week.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// For organisations that have set nothing else.
    pub rules: RecordingRules,
    /// With less room in a region its oldest recordings make room; zero: none does.
    pub min_free_bytes: u64,
    pub bin_days: u64,
    /// So long nothing may come of an encoder until it is missed, which is when its reconnect window begins.
    pub silence: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { rules: RecordingRules::default(), min_free_bytes: 0, bin_days: 7, silence: LEAST_SILENCE }
    }
}

impl From<&Config> for Retention {
    fn from(config: &Config) -> Self {
        let config::Retention { min_free_bytes, bin_days, .. } = config.retention;
        let silence = config.rtmp.idle_timeout.max(LEAST_SILENCE);
        Self { rules: config.recording_rules(), min_free_bytes, bin_days, silence }
    }
}

/// Whether a step has done all there is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    MoreToDo,
}

/// 1 January 2026: no recording is older. A machine without a battery for its clock begins in 1970, or whenever it was built, until it has asked what time it is.
const FIRST_DAY: UnixMillis = UnixMillis(1_767_225_600_000);

const EVER: Range<UnixMillis> = UnixMillis(i64::MIN)..UnixMillis(i64::MAX);

/// What happens to a recording.
#[derive(Clone, Copy)]
enum Act {
    Bin,
    Purge,
}

impl Finaliser {
    /// One round. The next one is enqueued as its last act, which takes the place of this job.
    ///
    /// Where the clock is not to be believed nothing is taken for its age, and out of the bin only what a disk needs that is nearly full.
    pub(super) async fn retain(&self) -> Result<(), FinaliseError> {
        let last_seen = region_folders::last_seen(&mut self.db.read().await?).await?;
        let is_steady = self.steadiness.lock().unwrap_or_else(PoisonError::into_inner).look(&self.clock, last_seen);
        let mut step = if is_steady { self.bin_old().await? } else { Step::Done };
        // One region whose disk is away keeps no other from its round.
        let mut note = |cleared: Result<Step, FinaliseError>, region: &Region| match cleared {
            Ok(Step::Done) => {}
            Ok(Step::MoreToDo) => step = Step::MoreToDo,
            Err(error) => tracing::error!(%region, %error, "retention passes over a region"),
        };
        for store in self.regions.iter().filter(|_| is_steady) {
            note(self.empty_bin(store).await, store.name());
        }
        for disk in self.disks().await? {
            note(self.make_room(&disk, is_steady).await, disk[0].name());
        }
        let now = self.clock.now();
        let next = if step == Step::Done { now.plus_ms(ROUND_MS) } else { now };
        let mut tx = self.db.write().await?;
        // A doubt outlives a restart: the next start compares with when the clock was believed last.
        for store in self.regions.iter().filter(|_| is_steady) {
            region_folders::see(&mut tx, store.name(), now).await?;
        }
        jobs::enqueue_at(&mut tx, Task::Retain, next, now).await?;
        Ok(tx.commit().await?)
    }

    /// What is older than its organisation keeps.
    async fn bin_old(&self) -> Result<Step, FinaliseError> {
        for _ in 0..BATCHES {
            let days = self.retention.rules.retention_days;
            let old = rows::old(&mut self.db.read().await?, days, self.clock.now(), BATCH).await?;
            if self.act_by_age(Act::Bin, old, "its time is over").await? == 0 {
                return Ok(Step::Done);
            }
        }
        Ok(Step::MoreToDo)
    }

    /// What has been in the bin for as long as it can be restored.
    async fn empty_bin(&self, store: &RegionStore) -> Result<Step, FinaliseError> {
        for _ in 0..BATCHES {
            let before = self.clock.now().plus_ms(-i64::try_from(self.retention.bin_days).unwrap_or(0) * DAY_MS);
            let binned = rows::binned(&mut self.db.read().await?, store.name(), EVER.start..before, before, BATCH).await?;
            if self.act_by_age(Act::Purge, binned, "its time in the bin is over").await? == 0 {
                return Ok(Step::Done);
            }
        }
        Ok(Step::MoreToDo)
    }

    /// Where a disk lacks room: out of its regions' bins what has lain there longest, then into them what is oldest, as much as the room that is wanted.
    async fn make_room(&self, disk: &[&RegionStore], is_steady: bool) -> Result<Step, FinaliseError> {
        let wanted = self.retention.min_free_bytes;
        if wanted == 0 {
            return Ok(Step::Done);
        }
        for _ in 0..BATCHES {
            let free = self.free_bytes(disk[0]).await?;
            if free >= wanted {
                return Ok(Step::Done);
            }
            let lacking = wanted - free;
            let is_critical = free < wanted / 2;
            let before = match (is_critical, is_steady) {
                (true, true) => self.clock.now(),
                // All of it: a clock that was set back knows nothing of what came into the bin before.
                (true, false) => EVER.end,
                (false, true) => self.clock.now().plus_ms(-LEAST_IN_BIN_MS),
                // Who knows whether that hour has passed.
                (false, false) => return self.bin_oldest(disk, lacking, is_steady).await,
            };
            // At once also where it was a clock that was ahead by which an organisation was resumed.
            let resumed = if is_critical { EVER.end } else { before };
            let first_day = self.first_day();
            let mut binned = self.binned(disk, first_day..before, resumed).await?;
            keep_first(&mut binned, lacking);
            let mut purged = self.act(Act::Purge, &binned, "its room is wanted").await?;
            if purged == 0 {
                // Last of all, as nobody knows for how long they have lain there.
                binned = self.binned(disk, EVER.start..first_day, resumed).await?;
                // Dated by a clock that was ahead. What is ahead by less than this has its time with the next round.
                let ahead = self.clock.now().plus_ms(ROUND_MS);
                binned.extend(self.binned(disk, ahead..EVER.end, resumed).await?);
                if is_critical {
                    keep_first(&mut binned, lacking);
                    purged = self.act(Act::Purge, &binned, "its room is wanted").await?;
                } else {
                    self.date(&binned).await?;
                }
            }
            if purged == 0 {
                return self.bin_oldest(disk, lacking, is_steady).await;
            }
            // At once, so that the next look at the free room sees it; the jobs then find it done.
            for asset in &binned {
                match self.settle_place(asset.id).await {
                    // It is being done, and the room is to come.
                    Err(FinaliseError::NoAnswer(_) | FinaliseError::Busy) => return Ok(Step::Done),
                    settled => settled?,
                }
            }
        }
        Ok(Step::MoreToDo)
    }

    async fn bin_oldest(&self, disk: &[&RegionStore], lacking: u64, is_steady: bool) -> Result<Step, FinaliseError> {
        for _ in 0..BATCHES {
            let to_come = self.room_to_come(disk).await?;
            if to_come >= lacking {
                return Ok(Step::Done);
            }
            let first_day = self.first_day();
            if is_steady {
                // They would go first, and are the newest perhaps.
                let undated = self.oldest(disk, EVER.start..first_day, is_steady).await?;
                if self.date(&undated).await? > 0 {
                    continue;
                }
            }
            let mut oldest = self.oldest(disk, first_day..EVER.end, is_steady).await?;
            keep_first(&mut oldest, lacking - to_come);
            let mut binned = self.act(Act::Bin, &oldest, "its room is wanted").await?;
            if binned == 0 && !is_steady {
                // Last of all: a clock that is in doubt gives them no date.
                let mut undated = self.oldest(disk, EVER.start..first_day, is_steady).await?;
                keep_first(&mut undated, lacking - to_come);
                binned = self.act(Act::Bin, &undated, "its room is wanted").await?;
            }
            if binned == 0 {
                let regions: Vec<&str> = disk.iter().map(|store| store.name().as_str()).collect();
                tracing::warn!(
                    ?regions,
                    lacking,
                    to_come,
                    "a disk lacks room, and nothing that may be taken is left in its regions"
                );
                return Ok(Step::Done);
            }
        }
        Ok(Step::MoreToDo)
    }

    /// How many bytes the bins of the disk's regions will give.
    async fn room_to_come(&self, disk: &[&RegionStore]) -> db::Result<u64> {
        let (mut connection, mut bytes) = (self.db.read().await?, 0_u64);
        for store in disk {
            bytes = bytes.saturating_add(rows::binned_bytes(&mut connection, store.name(), MOST_ADDED_UP).await?);
        }
        Ok(bytes)
    }

    /// What lies in the bins of the disk's regions.
    async fn binned(&self, disk: &[&RegionStore], since: Range<UnixMillis>, resumed: UnixMillis) -> db::Result<Vec<Candidate>> {
        let (mut connection, mut binned) = (self.db.read().await?, Vec::new());
        for store in disk {
            binned.extend(rows::binned(&mut connection, store.name(), since.clone(), resumed, BATCH).await?);
        }
        Ok(binned)
    }

    /// The oldest recordings of the disk's regions. Those whose end a clock has dated that was ahead are the last of them, and among them only where the
    /// clock is steady: it was set an hour ago or more, and no encoder is waited for that had left by then.
    async fn oldest(&self, disk: &[&RegionStore], since: Range<UnixMillis>, is_steady: bool) -> db::Result<Vec<Candidate>> {
        let (now, waits) = (self.clock.now(), (self.retention.rules.reconnect_window_s, self.retention.silence));
        let ahead = if is_steady { now.plus_ms(TOLERATED_MS) } else { EVER.end };
        let (mut connection, mut oldest) = (self.db.read().await?, Vec::new());
        for store in disk {
            oldest.extend(rows::oldest(&mut connection, store.name(), since.clone(), waits, now, ahead, BATCH).await?);
        }
        Ok(oldest)
    }

    /// What began before it has no date. With a clock that has still to be set there is no better date than it tells.
    fn first_day(&self) -> UnixMillis {
        if self.clock.now() >= FIRST_DAY { FIRST_DAY } else { EVER.start }
    }

    /// For their age alone, by a clock that is steady: does it to those that have a date, and gives the others one; says of how many that was. Where
    /// room is wanted the two are asked for apart: those without a date would come first, and may be more than are looked at in one go.
    async fn act_by_age(&self, act: Act, candidates: Vec<Candidate>, why: &str) -> db::Result<usize> {
        let first_day = self.first_day();
        let (undated, dated): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|candidate| candidate.since < first_day);
        Ok(self.date(&undated).await? + self.act(act, &dated, why).await?)
    }

    /// To be done by a clock that is steady: it is not done again. Has their time count from now, where the clock was wrong when it began; says of how
    /// many.
    async fn date(&self, undated: &[Candidate]) -> db::Result<usize> {
        if undated.is_empty() {
            return Ok(0);
        }
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        for candidate in undated {
            rows::count_from(&mut tx, candidate.id, now).await?;
        }
        tx.commit().await?;
        let recordings = undated.len();
        tracing::warn!(recordings, "recordings were made or deleted by a clock that was wrong: their time counts from now");
        Ok(recordings)
    }

    /// Does it to each that still allows it, with the job for its files, and says to how many. A look and this act are two: between them a recording may
    /// have gone on, or come under legal hold.
    async fn act(&self, act: Act, candidates: &[Candidate], why: &str) -> db::Result<usize> {
        if candidates.is_empty() {
            return Ok(0);
        }
        let now = self.clock.now();
        let mut tx = self.db.write().await?;
        let mut taken = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let done = match act {
                Act::Bin => assets::delete(&mut tx, candidate.organisation, candidate.id, now).await?,
                Act::Purge => rows::purge(&mut tx, candidate.id, now).await?,
            };
            if done {
                jobs::enqueue(&mut tx, Task::Place { asset: candidate.id }, now).await?;
                taken.push(candidate);
            }
        }
        tx.commit().await?;
        for Candidate { id, organisation, file_name, size_bytes, .. } in &taken {
            let what = match act {
                Act::Bin => "retention takes a recording to the bin",
                Act::Purge => "a recording is removed for good",
            };
            tracing::info!(asset = %id, %organisation, file = file_name, size_bytes, why, "{what}");
        }
        for candidate in &taken {
            self.audit.note(noted(act, candidate, why, now));
        }
        Ok(taken.len())
    }
}

/// For the audit log, which the server's own work does not wait for.
fn noted(act: Act, candidate: &Candidate, why: &str, now: UnixMillis) -> Seen {
    Seen {
        whose: Whose::Organisation(candidate.organisation),
        at: now,
        act: match act {
            Act::Bin => Noted::RecordingBinned,
            Act::Purge => Noted::RecordingPurged,
        },
        who: Who::nobody(WhoKind::Server),
        from: None,
        on: Some(Thing::new(ThingKind::Recording, candidate.id, candidate.file_name.as_str())),
        detail: Some(why.to_owned()),
    }
}

/// As many of those whose time has begun first as are `bytes` together; no more than is looked at in one go.
fn keep_first(candidates: &mut Vec<Candidate>, bytes: u64) {
    candidates.sort_by_key(|candidate| candidate.since);
    candidates.truncate(BATCH as usize);
    let mut sum = 0_u64;
    candidates.retain(|candidate| {
        let wanted = sum < bytes;
        sum = sum.saturating_add(candidate.size_bytes);
        wanted
    });
}
