//! Retention: what goes to the bin by age and for room, what is removed from it, and what never is.

mod away;

use std::fs;

use afterlive_domain::organisation::{RecordingRules, RecordingSettings};
use afterlive_domain::{AssetId, AssetState, EventKind, StreamId, UnixMillis};
use afterlive_server::clock::Clock;
use afterlive_server::db::asset_search::{self, Search};
use afterlive_server::db::assets::{self, Asset};
use afterlive_server::db::{self, Db, organisations, retention, streams};
use afterlive_server::finalise::{Finaliser, Retention};
use afterlive_server::jobs::{self, Task, Worker};
use afterlive_server::storage::{Key, RegionSettings, Regions};
use url::Url;

use crate::fixture::database::{NOW, a_stream, an_organisation, on_each_database};
use crate::fixture::recordings::{Made, recordings};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A server's jobs, with a region `eu` in a folder and a clock that is moved by hand.
struct Keeper {
    db: Db,
    clock: Clock,
    regions: Regions,
    retention: Retention,
    finaliser: Finaliser,
    folder: tempfile::TempDir,
}

impl Keeper {
    async fn new(db: &Db, retention: Retention) -> Self {
        Self::of_regions(db, retention, &["eu"]).await
    }

    /// With several regions on one disk.
    async fn of_regions(db: &Db, retention: Retention, names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let regions = names.iter().map(|name| RegionSettings {
            name: name.parse().unwrap(),
            storage: folder.path().join(name),
            vod_url: Url::parse("http://localhost:3000/").unwrap().join(name).unwrap(),
        });
        let (clock, regions) = (Clock::simulated(NOW), Regions::open(regions).unwrap());
        let finaliser = Finaliser::new(db.clone(), clock.clone(), regions.clone()).with_retention(retention);
        let keeper = Self { db: db.clone(), clock, regions, retention, finaliser, folder };
        let mut tx = db.write().await.unwrap();
        jobs::ensure(&mut tx, Task::Retain, NOW).await.unwrap();
        tx.commit().await.unwrap();
        keeper
    }

    /// Does all that is due; says how many jobs that were.
    async fn run_due(&self) -> usize {
        let finaliser = self.finaliser.clone();
        let worker = Worker::new(self.db.clone(), self.clock.clone(), move |task| {
            let finaliser = finaliser.clone();
            Box::pin(async move { finaliser.perform(task).await })
        });
        worker.run_due().await.unwrap()
    }

    /// Waits so long, and does what is due then.
    async fn later(&self, ms: i64) {
        self.clock.advance_ms(ms);
        self.run_due().await;
    }

    async fn state(&self, asset: &Asset) -> AssetState {
        self.read(asset.id).await.state
    }

    async fn read(&self, asset: AssetId) -> Asset {
        assets::by_id(&mut self.db.read().await.unwrap(), asset).await.unwrap().unwrap()
    }

    async fn states(&self, assets: &[Asset]) -> Vec<AssetState> {
        let mut states = Vec::new();
        for asset in assets {
            states.push(self.state(asset).await);
        }
        states
    }

    /// Which of them were removed for good.
    async fn purged(&self, assets: &[Asset]) -> Vec<bool> {
        let mut purged = Vec::new();
        for asset in assets {
            purged.push(self.read(asset.id).await.purged_at.is_some());
        }
        purged
    }

    async fn hold(&self, asset: &Asset) {
        let hold = afterlive_domain::asset::Hold { at: NOW, by: "a court".to_owned(), note: None };
        let mut tx = self.db.write().await.unwrap();
        assert!(retention::hold(&mut tx, asset.organisation, asset.id, &hold).await.unwrap());
        tx.commit().await.unwrap();
    }

    fn free_bytes(&self) -> u64 {
        self.regions.iter().next().unwrap().free_bytes().unwrap()
    }
}

fn days(retention_days: u64) -> Retention {
    Retention { rules: RecordingRules { retention_days, ..RecordingRules::default() }, ..Retention::default() }
}

fn ended(at: UnixMillis) -> Made {
    Made { created_at: at.plus_ms(-HOUR_MS), ended_at: Some(at), ..Made::default() }
}

async fn set(db: &Db, organisation: &organisations::Organisation, settings: RecordingSettings) {
    let mut tx = db.write().await.unwrap();
    assert!(organisations::set_recording(&mut tx, organisation.id, &settings, NOW).await.unwrap());
    tx.commit().await.unwrap();
    let read = organisations::by_id(&mut db.read().await.unwrap(), organisation.id).await.unwrap().unwrap();
    assert_eq!(read.recording, settings);
}

use AssetState::{Deleted, Ready, Recording};

#[tokio::test]
async fn each_organisations_recordings_go_to_the_bin_at_its_own_age_and_to_nowhere_when_their_days_there_are_over() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, days(30)).await;
        let mut made = Vec::new();
        for own in [None, Some(0), Some(10)] {
            let organisation = an_organisation(&db).await;
            set(&db, &organisation, RecordingSettings { retention_days: own, ..RecordingSettings::default() }).await;
            let stream = a_stream(&db, &organisation).await.id;
            made.extend(recordings(&db, stream, [ended(NOW)]).await);
        }
        for (day, states) in [
            (0, [Ready, Ready, Ready]),
            (10, [Ready, Ready, Ready]),
            (11, [Ready, Ready, Deleted]),
            (30, [Ready, Ready, Deleted]),
            (31, [Deleted, Ready, Deleted]),
            (40, [Deleted, Ready, Deleted]),
            (40_000, [Deleted, Ready, Deleted]),
        ] {
            keeper.later(day * DAY_MS - keeper.clock.now().ms_since(NOW)).await;
            assert_eq!(keeper.states(&made).await, states, "day {day}");
            let purged = [day >= 40, false, day >= 19];
            assert_eq!(keeper.purged(&made).await, purged, "day {day}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_recorded_or_held_stays_however_old_it_is_and_the_bin_keeps_what_is_held_in_it() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention { min_free_bytes: u64::MAX, ..days(1) }).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let growing = Made { ended_at: None, ..Made::default() };
        let made = recordings(&db, stream, [growing, ended(NOW), ended(NOW), ended(NOW)]).await;
        keeper.hold(&made[1]).await;
        keeper.later(2 * DAY_MS).await;
        assert_eq!(keeper.states(&made).await, [Recording, Ready, Deleted, Deleted]);
        keeper.hold(&made[2]).await;
        keeper.later(1_000 * DAY_MS).await;
        assert_eq!(keeper.states(&made).await, [Recording, Ready, Deleted, Deleted]);
        assert_eq!(keeper.purged(&made).await, [false, false, false, true]);
    })
    .await;
}

#[tokio::test]
async fn a_restored_recording_has_its_time_anew() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, days(10)).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let made = recordings(&db, stream, [ended(NOW)]).await;
        keeper.later(11 * DAY_MS).await;
        let mut tx = db.write().await.unwrap();
        assert!(assets::restore(&mut tx, organisation.id, made[0].id, keeper.clock.now()).await.unwrap());
        tx.commit().await.unwrap();
        keeper.later(9 * DAY_MS).await;
        assert_eq!(keeper.states(&made).await, [Ready]);
        keeper.later(2 * DAY_MS).await;
        assert_eq!(keeper.states(&made).await, [Deleted]);
    })
    .await;
}

#[tokio::test]
async fn a_purge_removes_every_file_and_leaves_the_row() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, days(1)).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await;
        let asset = recordings(&db, stream.id, [ended(NOW)]).await.remove(0);
        let store = keeper.regions.iter().next().unwrap();
        let key = Key::from_file_name(&asset.file_name).unwrap();
        for key in key.all_of_recording() {
            fs::create_dir_all(store.path(&key).parent().unwrap()).unwrap();
            fs::write(store.path(&key), b"bytes").unwrap();
        }
        let region = store.path(&key).parent().unwrap().parent().unwrap().to_owned();
        let files = || {
            let mut files = 0;
            let mut folders = vec![region.clone()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                    if entry.path().is_dir() { folders.push(entry.path()) } else { files += 1 }
                }
            }
            files
        };
        keeper.later(2 * DAY_MS).await;
        assert!(!store.path(&key).exists());
        assert_eq!(files(), 4, "all of them are in the bin");
        let mut news = db.subscribe();
        keeper.later(8 * DAY_MS).await;
        assert_eq!(files(), 0);
        let row = keeper.read(asset.id).await;
        assert_eq!((row.state, row.has_poster, row.file_name), (Deleted, false, asset.file_name));
        assert_eq!(news.try_recv().unwrap().kind, EventKind::AssetChanged);
        let mut tx = db.write().await.unwrap();
        assert!(!assets::restore(&mut tx, organisation.id, asset.id, NOW).await.unwrap());
        drop(tx);
        assert_eq!(recordings(&db, stream.id, [ended(NOW)]).await[0].index, 2);
    })
    .await;
}

#[tokio::test]
async fn room_is_made_by_the_oldest_as_much_as_is_lacking_and_after_an_hour_in_the_bin() {
    on_each_database(async |db| {
        let free = Keeper::new(&db, Retention::default()).await.free_bytes();
        // Lacks half of what is free; each recording is said to be a fifth of it, so that three are enough, whatever else goes on on this disk.
        let keeper = Keeper::new(&db, Retention { min_free_bytes: free + free / 2, ..Retention::default() }).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let made = (0..6).map(|n| Made { size_bytes: free / 5, ..ended(NOW.plus_ms(-n * DAY_MS)) });
        let elsewhere = Made { region: "us", ..ended(NOW.plus_ms(-100 * DAY_MS)) };
        let made = recordings(&db, stream, made.chain([elsewhere])).await;
        for wait_ms in [0, 60_000, HOUR_MS - 60_000] {
            keeper.later(wait_ms).await;
            assert_eq!(keeper.states(&made).await, [Ready, Ready, Ready, Deleted, Deleted, Deleted, Ready]);
            assert_eq!(keeper.purged(&made).await, [false; 7]);
        }
        keeper.later(60_000).await;
        assert_eq!(keeper.purged(&made).await, [false, false, false, true, true, true, false]);
    })
    .await;
}

#[tokio::test]
async fn with_less_than_half_of_the_room_the_bin_is_emptied_at_once_what_has_lain_there_longest_first() {
    on_each_database(async |db| {
        let free = Keeper::new(&db, Retention::default()).await.free_bytes();
        // Lacks twice of what is free; the first two in the bin are enough.
        let keeper = Keeper::new(&db, Retention { min_free_bytes: 3 * free, ..Retention::default() }).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let made = (0..4).map(|n| Made { size_bytes: free + free / 2, ..ended(NOW.plus_ms(-n * DAY_MS)) });
        let made = recordings(&db, stream, made).await;
        for (wait_ms, n) in [(-3_000, 2), (-2_000, 0), (-1_000, 1)] {
            let mut tx = db.write().await.unwrap();
            assert!(assets::delete(&mut tx, organisation.id, made[n].id, NOW.plus_ms(wait_ms)).await.unwrap());
            tx.commit().await.unwrap();
        }
        let since = UnixMillis(0)..NOW;
        let first = retention::binned(&mut db.read().await.unwrap(), &"eu".parse().unwrap(), since, NOW, 2).await.unwrap();
        assert_eq!(first.iter().map(|asset| asset.id).collect::<Vec<_>>(), [made[2].id, made[0].id]);
        keeper.run_due().await;
        assert_eq!(keeper.purged(&made[..3]).await, [true; 3], "nothing was freed, so that the next one went too");
        assert_eq!(keeper.state(&made[3]).await, Deleted);
    })
    .await;
}

#[tokio::test]
async fn what_an_encoder_may_come_back_to_makes_no_room() {
    on_each_database(async |db| {
        let rules = RecordingRules { reconnect_window_s: 30, ..RecordingRules::default() };
        let keeper = Keeper::new(&db, Retention { rules, min_free_bytes: u64::MAX, ..Retention::default() }).await;
        let mut made = Vec::new();
        for reconnect_window_s in [None, Some(600), Some(0)] {
            let organisation = an_organisation(&db).await;
            set(&db, &organisation, RecordingSettings { reconnect_window_s, ..RecordingSettings::default() }).await;
            let stream = a_stream(&db, &organisation).await.id;
            made.extend(recordings(&db, stream, [ended(NOW.plus_ms(-1))]).await);
        }
        keeper.run_due().await;
        assert_eq!(keeper.states(&made).await, [Ready, Ready, Deleted]);
        // Its window begins when it is missed, which may be a minute after its end.
        keeper.later(60_000).await;
        assert_eq!(keeper.states(&made).await, [Ready, Ready, Deleted]);
        keeper.later(60_000).await;
        assert_eq!(keeper.states(&made).await, [Deleted, Ready, Deleted]);
        keeper.later(600_000).await;
        assert_eq!(keeper.states(&made).await, [Deleted, Deleted, Deleted]);
    })
    .await;
}

#[tokio::test]
async fn a_round_is_bounded_and_the_next_one_goes_on_at_once() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, days(1)).await;
        let organisation = an_organisation(&db).await;
        let stream: StreamId = a_stream(&db, &organisation).await.id;
        recordings(&db, stream, (0..1_150).map(|n| ended(NOW.plus_ms(-2 * DAY_MS + n)))).await;
        let binned = async || {
            let search = Search { state: Some(Deleted), ..Search::default() };
            asset_search::count(&mut db.read().await.unwrap(), organisation.id, &search).await.unwrap()
        };
        // One job at a time, as if the server died after each.
        let finaliser = Finaliser::new(db.clone(), keeper.clock.clone(), keeper.regions.clone()).with_retention(keeper.retention);
        let mut counts = Vec::new();
        for _ in 0..3 {
            assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
            counts.push(binned().await);
        }
        assert_eq!(counts, [1_000, 1_150, 1_150]);
        // The next round of those: the first one's at once, the last one's in a minute.
        let next = db::jobs::next_run_at(&mut db.read().await.unwrap()).await.unwrap().unwrap();
        assert_eq!(next, NOW, "the files' jobs are due");
        assert_eq!(keeper.run_due().await, 1_150);
        let next = db::jobs::next_run_at(&mut db.read().await.unwrap()).await.unwrap().unwrap();
        assert_eq!(next, NOW.plus_ms(60_000));
    })
    .await;
}

#[tokio::test]
async fn the_round_comes_again_by_itself_and_a_start_leaves_it_alone_unless_it_was_given_up() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention::default()).await;
        let ensure = async || {
            let mut tx = db.write().await.unwrap();
            jobs::ensure(&mut tx, Task::Retain, keeper.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
        };
        for round in 0..3 {
            assert_eq!(keeper.run_due().await, 1, "round {round}");
            ensure().await;
            assert_eq!(keeper.run_due().await, 0, "round {round}");
            keeper.clock.advance_ms(60_000);
        }
        // As a version that does not know the job leaves it.
        let older = Worker::new(db.clone(), keeper.clock.clone(), |_| {
            Box::pin(async { jobs::Outcome::Hopeless("unknown to this version".to_owned()) })
        });
        assert_eq!(older.run_due().await.unwrap(), 1);
        assert_eq!(keeper.run_due().await, 0);
        ensure().await;
        assert_eq!(keeper.run_due().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_held_recording_survives_the_end_of_a_stream_that_was_deleted_while_it_was_live() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention::default()).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let growing = Made { ended_at: None, ..Made::default() };
        let made = recordings(&db, stream, [growing, growing]).await;
        keeper.hold(&made[0]).await;
        let mut tx = db.write().await.unwrap();
        streams::delete(&mut tx, organisation.id, stream, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let finaliser = Finaliser::new(db.clone(), keeper.clock.clone(), keeper.regions.clone());
        for asset in &made {
            finaliser.fail(asset, "no picture").await.unwrap();
        }
        assert_eq!(keeper.states(&made).await, [AssetState::Failed, Deleted]);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_takes_nothing_for_its_age_until_it_has_been_steady_for_an_hour() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, days(30)).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let made = recordings(&db, stream, [ended(NOW.plus_ms(-25 * DAY_MS)), ended(NOW)]).await;
        let mut tx = db.write().await.unwrap();
        assert!(assets::delete(&mut tx, organisation.id, made[1].id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        keeper.later(60_000).await;

        // A machine that wakes eight days ahead, and is set right after some minutes; and one that knows the year by guess.
        for set_by_ms in [8 * DAY_MS, -8 * DAY_MS, 365 * DAY_MS, -365 * DAY_MS] {
            keeper.clock.set_by_ms(set_by_ms);
            for _ in 0..10 {
                keeper.later(60_000).await;
            }
            assert_eq!(keeper.states(&made).await, [Ready, Deleted], "{set_by_ms}");
            assert_eq!(keeper.purged(&made).await, [false, false], "{set_by_ms}");
        }
        // It stays where it is set to: then so it is.
        keeper.clock.set_by_ms(8 * DAY_MS);
        keeper.later(60_000).await;
        for _ in 0..59 {
            assert_eq!(keeper.states(&made).await, [Ready, Deleted]);
            keeper.later(60_000).await;
        }
        keeper.later(60_000).await;
        assert_eq!(keeper.states(&made).await, [Deleted, Deleted]);
        assert_eq!(keeper.purged(&made).await, [false, true]);
    })
    .await;
}

#[tokio::test]
async fn what_a_clock_dated_that_had_not_been_set_is_kept_for_its_time_from_when_it_is() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, days(30)).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let unset = UnixMillis(7 * 60_000);
        let made = recordings(&db, stream, [ended(unset), ended(unset), ended(NOW.plus_ms(-31 * DAY_MS))]).await;
        let mut tx = db.write().await.unwrap();
        assert!(assets::delete(&mut tx, organisation.id, made[1].id, unset).await.unwrap());
        tx.commit().await.unwrap();
        for _ in 0..3 {
            keeper.later(60_000).await;
            assert_eq!(keeper.states(&made).await, [Ready, Deleted, Deleted]);
            assert_eq!(keeper.purged(&made).await, [false, false, false]);
        }
        // Their time is that of all others from then on.
        keeper.later(29 * DAY_MS).await;
        assert_eq!((keeper.states(&made).await[0], keeper.purged(&made).await[1]), (Ready, true));
        keeper.later(DAY_MS).await;
        assert_eq!(keeper.states(&made).await[0], Deleted);
    })
    .await;
}

#[tokio::test]
async fn what_a_clock_dated_that_had_not_been_set_makes_room_no_sooner_than_others() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention::default()).await;
        let retention = Retention { min_free_bytes: keeper.free_bytes() + (1 << 39), ..Retention::default() };
        let finaliser = keeper.finaliser.clone().with_retention(retention);
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let of = |ended_at: UnixMillis| Made { size_bytes: 1 << 40, ..ended(ended_at) };
        let made = recordings(&db, stream, [of(UnixMillis(7 * 60_000)), of(NOW.plus_ms(-HOUR_MS))]).await;
        assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
        assert_eq!(keeper.states(&made).await, [Ready, Deleted]);
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_gets_the_room_of_what_has_no_date_last_of_all_also_where_the_clock_is_in_doubt() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention::default()).await;
        let retention = Retention { min_free_bytes: u64::MAX, ..Retention::default() };
        let finaliser = keeper.finaliser.clone().with_retention(retention);
        let organisation = an_organisation(&db).await;
        // The time for which it was suspended would be none, if there were any.
        let mut tx = db.write().await.unwrap();
        for since in [Some(NOW), None] {
            assert!(organisations::suspend(&mut tx, organisation.id, since, NOW).await.unwrap());
        }
        tx.commit().await.unwrap();
        let stream = a_stream(&db, &organisation).await.id;
        keeper.run_due().await;
        // More of them than are looked at in one go.
        let unset = UnixMillis(7 * 60_000);
        let (undated, dated) = ((0..102).map(|_| ended(unset)), (0..2).map(|_| ended(NOW.plus_ms(-HOUR_MS))));
        let made = recordings(&db, stream, undated.chain(dated)).await;
        let (undated, dated) = made.split_at(102);
        let mut tx = db.write().await.unwrap();
        for asset in &undated[1..] {
            assert!(assets::delete(&mut tx, organisation.id, asset.id, unset).await.unwrap());
        }
        assert!(assets::delete(&mut tx, organisation.id, dated[1].id, NOW).await.unwrap());
        tx.commit().await.unwrap();

        keeper.clock.set_by_ms(8 * DAY_MS);
        let mut news = db.subscribe();
        assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
        let taken: Vec<AssetId> = std::iter::from_fn(|| news.try_recv().ok()).filter_map(|event| event.asset).collect();
        let place = |asset: &Asset| taken.iter().position(|taken| *taken == asset.id);
        assert_eq!((place(&dated[1]), taken.len()), (Some(0), made.len()));
        assert!(place(&dated[0]) < place(&undated[0]) && place(&dated[0]) > place(&undated[101]));
        assert_eq!(keeper.states(&[dated[0].clone(), undated[0].clone()]).await, [Deleted, Deleted]);
        assert!(keeper.purged(&undated[1..]).await.iter().all(|is_purged| *is_purged));
    })
    .await;
}

/// Retention of a server whose clock is eight days ahead for a minute, in which `deletes` has that time, and has been steady again for an hour.
async fn after_a_minute_eight_days_ahead(keeper: &Keeper, deletes: impl AsyncFnOnce(UnixMillis)) {
    keeper.run_due().await;
    keeper.clock.set_by_ms(8 * DAY_MS);
    keeper.later(60_000).await;
    deletes(keeper.clock.now()).await;
    keeper.clock.set_by_ms(-8 * DAY_MS);
    for _ in 0..61 {
        keeper.later(60_000).await;
    }
}

async fn delete(db: &Db, asset: &Asset, now: UnixMillis) {
    let mut tx = db.write().await.unwrap();
    assert!(assets::delete(&mut tx, asset.organisation, asset.id, now).await.unwrap());
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_was_deleted_by_a_clock_that_was_ahead_makes_room_at_once_where_a_disk_is_nearly_full() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention::default()).await;
        let finaliser = keeper.finaliser.clone().with_retention(Retention { min_free_bytes: u64::MAX, ..Retention::default() });
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let made = recordings(&db, stream, [ended(NOW.plus_ms(-2 * HOUR_MS)), ended(NOW.plus_ms(-HOUR_MS))]).await;
        after_a_minute_eight_days_ahead(&keeper, async |ahead| {
            delete(&db, &made[0], ahead).await;
            let mut tx = db.write().await.unwrap();
            for since in [Some(ahead), None] {
                assert!(organisations::suspend(&mut tx, organisation.id, since, ahead).await.unwrap());
            }
            tx.commit().await.unwrap();
        })
        .await;
        // And one that has just been deleted, which goes no later.
        delete(&db, &made[1], keeper.clock.now()).await;
        keeper.clock.advance_ms(1_000);
        let mut news = db.subscribe();
        assert_eq!(keeper.purged(&made).await, [false, false], "no room is wanted");
        assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
        assert_eq!(keeper.purged(&made).await, [true, true]);
        let taken: Vec<AssetId> = std::iter::from_fn(|| news.try_recv().ok()).filter_map(|event| event.asset).collect();
        assert_eq!(taken, [made[1].id, made[0].id], "what has a true date first");
    })
    .await;
}

#[tokio::test]
async fn what_was_deleted_by_a_clock_that_was_ahead_makes_room_an_hour_after_that_is_wanted_and_nothing_goes_for_it() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention::default()).await;
        let free = keeper.free_bytes();
        // Lacks half of what is free, which any of them has.
        let retention = Retention { min_free_bytes: free + free / 2, ..Retention::default() };
        let finaliser = keeper.finaliser.clone().with_retention(retention);
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let made = (1..=3).map(|n| Made { size_bytes: free, ..ended(NOW.plus_ms(-n * HOUR_MS)) });
        let made = recordings(&db, stream, made).await;
        after_a_minute_eight_days_ahead(&keeper, async |ahead| delete(&db, &made[0], ahead).await).await;
        let mut passed_ms = 0;
        for (at_ms, purged) in [(0, false), (HOUR_MS, false), (HOUR_MS + 30_000, true)] {
            keeper.clock.advance_ms(at_ms - passed_ms);
            passed_ms = at_ms;
            assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
            assert_eq!(keeper.purged(&made).await, [purged, false, false], "{at_ms} ms later");
            if at_ms == 0 {
                keeper.clock.advance_ms(60_000);
                passed_ms += 60_000;
                delete(&db, &made[1], keeper.clock.now()).await;
            }
        }
        // Its own hour is not over.
        assert_eq!(keeper.states(&made).await, [Deleted, Deleted, Ready]);
    })
    .await;
}

#[tokio::test]
async fn what_ended_by_a_clock_that_was_ahead_makes_room_last_of_all_once_the_clock_is_steady() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, Retention::default()).await;
        let free = keeper.free_bytes();
        let lacks = async |bytes: u64| {
            let retention = Retention { min_free_bytes: bytes, ..Retention::default() };
            let finaliser = keeper.finaliser.clone().with_retention(retention);
            assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
        };
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let of = |ended_at: UnixMillis| Made { size_bytes: free, ..ended(ended_at) };
        let made = recordings(&db, stream, [of(NOW.plus_ms(8 * DAY_MS)), of(NOW.plus_ms(-HOUR_MS))]).await;
        lacks(free + free / 2).await;
        assert_eq!(keeper.states(&made).await, [Ready, Deleted]);
        // In doubt nobody knows how long ago that was.
        keeper.clock.set_by_ms(-2 * HOUR_MS);
        lacks(u64::MAX).await;
        assert_eq!(keeper.states(&made).await, [Ready, Deleted]);
        for _ in 0..60 {
            keeper.clock.advance_ms(60_000);
            lacks(0).await;
        }
        // By a clock that was set by some seconds, as any is: its encoder may come back.
        let just_now = recordings(&db, stream, [of(keeper.clock.now().plus_ms(60_000))]).await;
        lacks(u64::MAX).await;
        assert_eq!(keeper.states(&made).await, [Deleted, Deleted]);
        assert_eq!(keeper.states(&just_now).await, [Ready]);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_never_set_empties_the_bin_by_itself_all_the_same() {
    on_each_database(async |db| {
        let keeper = Keeper::new(&db, days(30)).await;
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        // It says 1970, as it did when these were made.
        keeper.clock.set_by_ms(-NOW.0 + 40 * DAY_MS);
        let made = recordings(&db, stream, [ended(UnixMillis(DAY_MS)), ended(UnixMillis(DAY_MS))]).await;
        let mut tx = db.write().await.unwrap();
        assert!(assets::delete(&mut tx, organisation.id, made[1].id, UnixMillis(2 * DAY_MS)).await.unwrap());
        tx.commit().await.unwrap();
        for _ in 0..62 {
            keeper.later(60_000).await;
        }
        assert_eq!(keeper.states(&made).await, [Deleted, Deleted]);
        assert_eq!(keeper.purged(&made).await, [false, true]);
    })
    .await;
}

#[tokio::test]
async fn regions_that_share_a_disk_share_what_it_lacks_and_the_oldest_goes_first() {
    on_each_database(async |db| {
        let keeper = Keeper::of_regions(&db, Retention::default(), &["eu", "us"]).await;
        let retention = Retention { min_free_bytes: keeper.free_bytes() + (1 << 39), ..Retention::default() };
        let finaliser = keeper.finaliser.clone().with_retention(retention);
        let organisation = an_organisation(&db).await;
        let stream = a_stream(&db, &organisation).await.id;
        let of = |region, hours_ago: i64| {
            let ended_at = Some(NOW.plus_ms(-hours_ago * HOUR_MS));
            Made { region, ended_at, size_bytes: 1 << 40, ..Made::default() }
        };
        let made = recordings(&db, stream, [of("eu", 3), of("us", 5), of("eu", 4), of("us", 2)]).await;
        for _ in 0..3 {
            assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
            assert_eq!(keeper.states(&made).await, [Ready, Deleted, Ready, Ready]);
        }
    })
    .await;
}
