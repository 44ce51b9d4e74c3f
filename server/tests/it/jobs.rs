//! The job queue on each database.

use std::sync::{Arc, Mutex};

use afterlive_domain::{AssetId, UnixMillis};
use afterlive_server::clock::Clock;
use afterlive_server::db::jobs::Priority;
use afterlive_server::db::{self, Db};
use afterlive_server::jobs::{self, Outcome, Task, Worker};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fixture::database::{NOW, on_each_database};

fn a_task() -> Task {
    Task::Probe { asset: AssetId(Uuid::new_v4()) }
}

async fn enqueue(db: &Db, task: Task, now: UnixMillis) {
    let mut tx = db.write().await.unwrap();
    jobs::enqueue(&mut tx, task, now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn waiting(db: &Db) -> Option<UnixMillis> {
    db::jobs::next_run_at(&mut db.read().await.unwrap()).await.unwrap()
}

/// A worker that ends each try with `outcome`, and what it has been given.
fn worker(db: &Db, clock: &Clock, outcome: Outcome) -> (Worker, Arc<Mutex<Vec<Task>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tasks = Arc::clone(&seen);
    let worker = Worker::new(db.clone(), clock.clone(), move |task| {
        tasks.lock().unwrap().push(task);
        let outcome = outcome.clone();
        Box::pin(async move { outcome })
    });
    (worker, seen)
}

#[tokio::test]
async fn a_job_is_done_once_and_twice_the_same_is_once() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let (worker, seen) = worker(&db, &clock, Outcome::Done);
        let (first, second) = (a_task(), a_task());
        for task in [first, second, first] {
            enqueue(&db, task, NOW).await;
        }
        assert_eq!(worker.run_due().await.unwrap(), 2);
        assert_eq!(worker.run_due().await.unwrap(), 0);
        assert_eq!(seen.lock().unwrap().len(), 2);
        assert_eq!(waiting(&db).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_fails_waits_longer_each_time_and_is_given_up_at_last() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let (worker, seen) = worker(&db, &clock, Outcome::Retry("no luck".into()));
        enqueue(&db, a_task(), NOW).await;
        let max_attempts = a_task().max_attempts().unwrap();
        let mut longest_ms = 0;
        for attempt in 1..max_attempts {
            assert_eq!(worker.run_due().await.unwrap(), 1, "attempt {attempt}");
            let wait_ms = waiting(&db).await.unwrap().ms_since(clock.now());
            assert!(wait_ms > longest_ms / 2, "{wait_ms} after {longest_ms}");
            longest_ms = wait_ms;
            clock.advance_ms(wait_ms - 1);
            assert_eq!(worker.run_due().await.unwrap(), 0, "attempt {attempt} was too early");
            clock.advance_ms(1);
        }
        assert_eq!(worker.run_due().await.unwrap(), 1);
        assert_eq!(waiting(&db).await, None);
        assert_eq!(seen.lock().unwrap().len(), max_attempts as usize);
        assert_eq!(db::jobs::count_dead(&mut db.read().await.unwrap()).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_put_off_waits_longer_each_time_and_has_all_its_tries_left() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let task = a_task();
        let max_attempts = task.max_attempts().unwrap();
        let (away, _) = worker(&db, &clock, Outcome::PutOff("the disk does not answer".into()));
        enqueue(&db, task, NOW).await;
        let mut longest_ms = 0;
        for time in 1..=2 * max_attempts {
            assert_eq!(away.run_due().await.unwrap(), 1, "put off for the {time}. time");
            let wait_ms = waiting(&db).await.unwrap().ms_since(clock.now());
            assert!(wait_ms > longest_ms / 2 && wait_ms <= 600_000, "{wait_ms} after {longest_ms}");
            longest_ms = wait_ms;
            clock.advance_ms(wait_ms);
        }
        assert!(longest_ms >= 300_000, "{longest_ms}");

        let (failing, seen) = worker(&db, &clock, Outcome::Retry("no luck".into()));
        assert_eq!(failing.run_due().await.unwrap(), 1);
        let wait_ms = waiting(&db).await.unwrap().ms_since(clock.now());
        assert!(wait_ms <= 1_000, "{wait_ms} after the first try");
        while let Some(next) = waiting(&db).await {
            clock.advance_ms(next.ms_since(clock.now()));
            assert_eq!(failing.run_due().await.unwrap(), 1);
        }
        assert_eq!(seen.lock().unwrap().len(), max_attempts as usize);
        assert_eq!(db::jobs::count_dead(&mut db.read().await.unwrap()).await.unwrap(), 1);

        // Asked for again it was never put off.
        enqueue(&db, task, clock.now()).await;
        assert_eq!(away.run_due().await.unwrap(), 1);
        assert!(waiting(&db).await.unwrap().ms_since(clock.now()) <= 1_000);
    })
    .await;
}

#[tokio::test]
async fn a_file_is_put_where_it_belongs_however_long_that_takes() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let (worker, _) = worker(&db, &clock, Outcome::Retry("the disk is gone".into()));
        enqueue(&db, Task::Place { asset: AssetId(Uuid::new_v4()) }, NOW).await;
        for attempt in 1..50 {
            assert_eq!(worker.run_due().await.unwrap(), 1, "attempt {attempt}");
            clock.advance_ms(waiting(&db).await.unwrap().ms_since(clock.now()));
        }
    })
    .await;
}

#[tokio::test]
async fn what_can_never_succeed_is_given_up_at_once_and_can_be_asked_for_again() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let task = a_task();
        enqueue(&db, task, NOW).await;
        let (hopeless, _) = worker(&db, &clock, Outcome::Hopeless("not a video".into()));
        assert_eq!(hopeless.run_due().await.unwrap(), 1);
        assert_eq!(db::jobs::count_dead(&mut db.read().await.unwrap()).await.unwrap(), 1);
        enqueue(&db, task, NOW).await;
        let (done, _) = worker(&db, &clock, Outcome::Done);
        assert_eq!(done.run_due().await.unwrap(), 1);
        assert_eq!(db::jobs::count_dead(&mut db.read().await.unwrap()).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_dead_workers_job_is_taken_over_when_its_lease_runs_out() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        enqueue(&db, a_task(), NOW).await;
        let lease_end = NOW.plus_ms(60_000);
        let claim = async |now, until| {
            let mut tx = db.write().await.unwrap();
            let claimed = db::jobs::claim(&mut tx, Priority::Later, 10, now, until).await.unwrap();
            tx.commit().await.unwrap();
            claimed
        };
        let dead = claim(NOW, lease_end).await.pop().unwrap();
        assert!(claim(NOW.plus_ms(59_999), lease_end).await.is_empty());

        clock.advance_ms(60_000);
        let heir = claim(clock.now(), clock.now().plus_ms(60_000)).await.pop().unwrap();
        assert_eq!((heir.id, heir.attempt), (dead.id, 2));
        let mut tx = db.write().await.unwrap();
        assert!(!db::jobs::renew(&mut tx, &dead, clock.now()).await.unwrap());
        assert!(!db::jobs::acknowledge(&mut tx, &dead).await.unwrap());
        assert!(!db::jobs::fail(&mut tx, &dead, "late", None).await.unwrap());
        assert!(!db::jobs::put_off(&mut tx, &dead, "late", clock.now()).await.unwrap());
        assert!(db::jobs::renew(&mut tx, &heir, clock.now().plus_ms(60_000)).await.unwrap());
        assert!(db::jobs::acknowledge(&mut tx, &heir).await.unwrap());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_asked_for_while_it_runs_runs_again() {
    on_each_database(async |db| {
        let task = a_task();
        enqueue(&db, task, NOW).await;
        let mut tx = db.write().await.unwrap();
        let running = db::jobs::claim(&mut tx, Priority::Later, 1, NOW, NOW.plus_ms(60_000)).await.unwrap().pop().unwrap();
        tx.commit().await.unwrap();
        enqueue(&db, task, NOW).await;
        let mut tx = db.write().await.unwrap();
        assert!(!db::jobs::acknowledge(&mut tx, &running).await.unwrap());
        tx.commit().await.unwrap();
        let (worker, _) = worker(&db, &Clock::simulated(NOW), Outcome::Done);
        assert_eq!(worker.run_due().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_try_that_panics_is_a_failed_try() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        enqueue(&db, a_task(), NOW).await;
        let worker = Worker::new(db.clone(), clock, |_| Box::pin(async { panic!("broken media") }));
        assert_eq!(worker.run_due().await.unwrap(), 1);
        assert!(waiting(&db).await.unwrap() > NOW);
    })
    .await;
}

#[tokio::test]
async fn a_commits_news_wake_the_worker_and_a_stop_waits_for_what_runs() {
    on_each_database(async |db| {
        let (begun, mut begins) = mpsc::unbounded_channel();
        let (finish, finishes) = mpsc::channel(1);
        let finishes = Arc::new(tokio::sync::Mutex::new(finishes));
        let worker = Worker::new(db.clone(), Clock::simulated(NOW), move |task| {
            begun.send(task).unwrap();
            let finishes = Arc::clone(&finishes);
            Box::pin(async move {
                finishes.lock().await.recv().await;
                Outcome::Done
            })
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { worker.run(stop).await }
        });
        let task = a_task();
        let organisation = crate::fixture::database::an_organisation(&db).await;
        let mut tx = db.write().await.unwrap();
        jobs::enqueue(&mut tx, task, NOW).await.unwrap();
        let stream = afterlive_domain::StreamId(Uuid::new_v4());
        tx.emit_stream(afterlive_domain::EventKind::StreamChanged, organisation.id, stream, NOW);
        tx.commit().await.unwrap();
        assert_eq!(begins.recv().await, Some(task));

        stop.cancel();
        finish.send(()).await.unwrap();
        running.await.unwrap();
        assert_eq!(waiting(&db).await, None);
    })
    .await;
}

#[tokio::test]
async fn files_are_moved_before_any_picture_is_made_and_the_oldest_picture_comes_next() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let (worker, seen) = worker(&db, &clock, Outcome::Done);
        let asset = AssetId(Uuid::new_v4());
        let (second, first) = (a_task(), Task::Storyboard { asset });
        enqueue(&db, second, NOW.plus_ms(-1_000)).await;
        enqueue(&db, first, NOW.plus_ms(-2_000)).await;
        enqueue(&db, Task::Place { asset }, NOW).await;
        enqueue(&db, Task::Retain, NOW.plus_ms(1)).await;
        assert_eq!(worker.run_due().await.unwrap(), 3);
        assert_eq!(*seen.lock().unwrap(), [Task::Place { asset }, first, second]);
    })
    .await;
}

#[tokio::test]
async fn pictures_that_take_for_ever_leave_room_for_a_file_that_is_to_be_moved() {
    on_each_database(async |db| {
        let (begun, mut begins) = mpsc::unbounded_channel();
        let pictures = Arc::new(tokio::sync::Semaphore::new(0));
        let worker = Worker::new(db.clone(), Clock::simulated(NOW), {
            let pictures = Arc::clone(&pictures);
            move |task| {
                begun.send(task).unwrap();
                let pictures = Arc::clone(&pictures);
                Box::pin(async move {
                    if task.priority() == Priority::Later {
                        pictures.acquire().await.unwrap().forget();
                    }
                    Outcome::Done
                })
            }
        });
        let waiting_pictures = 6;
        for _ in 0..waiting_pictures {
            enqueue(&db, a_task(), NOW.plus_ms(-1_000)).await;
        }
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { worker.run(stop).await }
        });
        for _ in 0..2 {
            assert_eq!(begins.recv().await.unwrap().priority(), Priority::Later);
        }
        // Each is done although no picture ends: one after another they find the place that is kept for them.
        let organisation = crate::fixture::database::an_organisation(&db).await;
        for _ in 0..5 {
            let task = Task::Place { asset: AssetId(Uuid::new_v4()) };
            let mut tx = db.write().await.unwrap();
            jobs::enqueue(&mut tx, task, NOW).await.unwrap();
            let stream = afterlive_domain::StreamId(Uuid::new_v4());
            tx.emit_stream(afterlive_domain::EventKind::StreamChanged, organisation.id, stream, NOW);
            tx.commit().await.unwrap();
            assert_eq!(begins.recv().await, Some(task));
        }
        // And the pictures go on.
        pictures.add_permits(waiting_pictures);
        for _ in 2..waiting_pictures {
            assert_eq!(begins.recv().await.unwrap().priority(), Priority::Later);
        }
        stop.cancel();
        running.await.unwrap();
        assert_eq!(waiting(&db).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_lease_is_over_while_its_try_goes_on_is_not_tried_a_second_time_beside_that() {
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let (begun, mut begins) = mpsc::unbounded_channel();
        let ends = Arc::new(Semaphore::new(0));
        let worker = Worker::new(db.clone(), clock.clone(), {
            let ends = Arc::clone(&ends);
            move |task| {
                begun.send(task).unwrap();
                let ends = Arc::clone(&ends);
                Box::pin(async move {
                    ends.acquire().await.unwrap().forget();
                    Outcome::Done
                })
            }
        });
        let organisation = crate::fixture::database::an_organisation(&db).await;
        let enqueue_with_news = async |task: Task| {
            let mut tx = db.write().await.unwrap();
            jobs::enqueue(&mut tx, task, clock.now()).await.unwrap();
            let stream = afterlive_domain::StreamId(Uuid::new_v4());
            tx.emit_stream(afterlive_domain::EventKind::StreamChanged, organisation.id, stream, clock.now());
            tx.commit().await.unwrap();
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { worker.run(stop).await }
        });
        let [first, other] = [(); 2].map(|()| Task::Place { asset: AssetId(Uuid::new_v4()) });
        enqueue_with_news(first).await;
        assert_eq!(begins.recv().await, Some(first));
        // A machine that wakes.
        clock.set_by_ms(61_000);
        enqueue_with_news(other).await;
        assert_eq!(begins.recv().await, Some(other));
        assert_eq!(waiting(&db).await, Some(clock.now().plus_ms(60_000)), "both are leased anew");
        assert!(begins.try_recv().is_err());
        // Once that has ended it is: nobody knows whether it has done what was asked for since.
        ends.add_permits(3);
        assert_eq!(begins.recv().await, Some(first));
        stop.cancel();
        running.await.unwrap();
        assert_eq!(waiting(&db).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_no_job_by_a_day() {
    const DAY_MS: i64 = 86_400_000;
    on_each_database(async |db| {
        let clock = Clock::simulated(NOW);
        let (failing, _) = worker(&db, &clock, Outcome::Retry("no luck".into()));
        enqueue(&db, a_task(), NOW).await;
        assert_eq!(failing.run_due().await.unwrap(), 1);
        let wait_ms = waiting(&db).await.unwrap().ms_since(NOW);
        clock.set_by_ms(-DAY_MS);
        assert_eq!(failing.run_due().await.unwrap(), 1, "it would be due in a day and {wait_ms} ms");
        // One that another process had begun, which has died since: its lease lasts for no day either, also for who has not seen the clock set.
        let ahead = clock.now().plus_ms(DAY_MS);
        enqueue(&db, Task::Place { asset: AssetId(Uuid::new_v4()) }, clock.now()).await;
        let mut tx = db.write().await.unwrap();
        let taken = db::jobs::claim(&mut tx, Priority::First, 1, ahead, ahead.plus_ms(60_000)).await.unwrap();
        assert_eq!(taken.len(), 1);
        tx.commit().await.unwrap();
        let (other, _) = worker(&db, &clock, Outcome::Done);
        assert_eq!(other.run_due().await.unwrap(), 0, "somebody may be at it");
        clock.advance_ms(60_000);
        assert_eq!(other.run_due().await.unwrap(), 2);
    })
    .await;
}
