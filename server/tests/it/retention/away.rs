//! A region whose disk is unmounted while the server runs: in its place lies the mount point, on a disk that is none of its recordings' business.

use std::path::Path;

use afterlive_server::run::claim_folders;
use afterlive_server::storage::{folder_id_of, spool_of};
use uuid::Uuid;

use super::*;
use crate::fixture::log::Log;

fn empty(folder: &Path) {
    fs::create_dir(folder).unwrap();
}

/// As another server's disk.
fn another(folder: &Path) {
    fs::create_dir_all(spool_of(folder)).unwrap();
    fs::write(folder_id_of(folder), format!("{}\n", Uuid::new_v4())).unwrap();
}

#[tokio::test]
async fn what_lies_on_a_disk_that_is_away_makes_no_room_on_the_one_in_its_place() {
    on_each_database(async |db| passes_over(&db, empty).await).await;
}

#[tokio::test]
async fn what_lies_on_a_disk_that_is_away_makes_no_room_on_another_servers() {
    on_each_database(async |db| passes_over(&db, another).await).await;
}

async fn passes_over(db: &Db, put_in_its_place: impl Fn(&Path)) {
    let keeper = Keeper::of_regions(db, Retention::default(), &["eu", "us"]).await;
    claim_folders(db, &keeper.regions, NOW).await.unwrap();
    let lacks = async |bytes: u64| {
        let retention = Retention { min_free_bytes: keeper.free_bytes() + bytes, ..Retention::default() };
        let finaliser = keeper.finaliser.clone().with_retention(retention);
        assert_eq!(finaliser.perform(Task::Retain).await, jobs::Outcome::Done);
    };
    let organisation = an_organisation(db).await;
    let stream = a_stream(db, &organisation).await.id;
    let of = |region, hours_ago: i64| {
        let ended_at = Some(NOW.plus_ms(-hours_ago * HOUR_MS));
        Made { region, ended_at, size_bytes: 1 << 40, ..Made::default() }
    };
    let made = recordings(db, stream, [of("eu", 5), of("us", 3), of("us", 2)]).await;
    let (folder, away) = (keeper.folder.path().join("eu"), keeper.folder.path().join("away"));
    fs::rename(&folder, &away).unwrap();
    put_in_its_place(&folder);
    let log = Log::listen();
    lacks(1 << 39).await;
    assert_eq!(keeper.states(&made).await, [Ready, Deleted, Ready]);
    let told = log.take("retention passes over a region");
    assert!(told.len() == 1 && told[0].contains("region=eu") && told[0].contains("has its disk been unmounted?"), "{told:?}");

    fs::remove_dir_all(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    lacks(3 << 39).await;
    assert_eq!(keeper.states(&made).await, [Deleted, Deleted, Ready], "it is back, and the oldest of all goes first");
}
