//! Disks that take what is written, and take seconds to have it for good, or fail to: what was written reads well all the while.

use std::sync::Arc;

use super::news::News;
use super::{
    ASK_EVERY, OnAir, another_start_records, assert_accounted, assert_plays, lasts_ms, live_goes_on, noise, readiness, recording,
    waits_and_loses_no_frame,
};
use crate::fixture::disk::start_with_syncs;
use crate::fixture::installation::Installation;

/// How each reason begins that such a disk is.
const FAILED: &str = "the disk failed: Input/output error";
/// A fragment of [`noise`] has the pictures of a second, or those that are left before its beginning comes again.
const LEAST_PICTURES: u64 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_seconds_for_a_sync_is_told_of_and_costs_no_frame() {
    let installation = Installation::new();
    let running = start_with_syncs(&installation, "delay_enter=5500000");
    // So slow that the file's head is on disk well before the first fragment comes, which therefore has a sync of its own.
    let told = waits_and_loses_no_frame(&installation, &running, 7).await;
    // Until the first bytes of media are on disk it is one stall; the last fragment is another, and what the finishing asks for a third.
    let stalls = told.iter().filter(|kind| *kind == "asset.stalled").count();
    assert!(stalls >= 3, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_recording_at_the_last_good_one_and_what_comes_afterwards_is_recorded() {
    let installation = Installation::new();
    // Each thread's third one fails, and no other: so the head and the first media of the first recording are on disk for good, and no thread fails to finish
    // it more than once.
    let running = start_with_syncs(&installation, "error=EIO:when=3");
    let ingest = running.new_stream().await;
    let mut news = News::of(&running, &ingest).await;
    let tags = noise();
    let on_air = OnAir::begin(&ingest, Arc::clone(&tags)).await;
    // The storage is tried again after some seconds.
    let unrecorded = readiness(&running, |problems| problems.iter().any(|problem| problem == "a publish is not recorded"));
    tokio::join!(news.until("asset.failed"), unrecorded);
    let first = recording(&running, &ingest, 1, |recording| recording["state"] != "recording").await;
    assert_eq!(first["state"], "incomplete", "{first}");
    assert!(first["reason"].as_str().unwrap().starts_with(FAILED), "{first}");
    assert!(lasts_ms(&first) >= 1_000, "{first}");
    assert_plays(&installation.place(&first), &first);
    // Not only what waited to be written: the whole fragment that was, and whose sync has failed.
    let lost = assert_accounted(&running, &first).await;
    assert!(lost[0] >= LEAST_PICTURES, "{lost:?}");
    live_goes_on(&running, &ingest).await;

    // It is tried again, and whatever comes of that is told.
    recording(&running, &ingest, 2, |_| true).await;
    on_air.end().await;
    let all = loop {
        let all = running.all_recordings(&ingest.id).await;
        if all.iter().all(|recording| recording["state"] != "recording") {
            break all;
        }
        tokio::time::sleep(ASK_EVERY).await;
    };
    for recording in &all {
        let (is_ready, reason) = (recording["state"] == "ready", recording["reason"].as_str());
        assert!(if is_ready { reason.is_none() } else { reason.is_some_and(|reason| reason.starts_with(FAILED)) }, "{recording}");
    }
    running.serving.signal("TERM");
    assert!(running.serving.wait().success());
    another_start_records(&installation, tags).await;
}
