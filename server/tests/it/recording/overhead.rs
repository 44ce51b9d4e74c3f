//! What a recording takes of the disk beside its media.

use super::*;

/// Headers of fragments, the index, and what is left over of blocks.
const MOST_OTHER_BYTES: u64 = 64 << 10;

#[tokio::test]
async fn a_recording_of_ten_seconds_carries_no_megabytes_beside_its_media() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let studio = Studio::new(Db::open(&url.parse::<Location>().unwrap()).await.unwrap(), folder.path()).await;
    let inserts = studio.store().spool().can_insert_ranges();
    let asset = studio.record(&encode(10, true, true)).await;
    let report = assets::report(&mut studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
    let media_bytes: u64 = report.tracks.iter().map(|track| track.media_bytes).sum();
    let overhead_bytes = asset.facts.size_bytes - media_bytes;
    let reserve_bytes = u64::from(if inserts { SMALL_RESERVE_BYTES } else { LARGE_RESERVE_BYTES });
    told(&format!("{overhead_bytes} bytes beside {media_bytes} of media, {reserve_bytes} of them reserved for the index"));
    assert!((reserve_bytes..reserve_bytes + MOST_OTHER_BYTES).contains(&overhead_bytes), "{overhead_bytes} bytes");
}

#[expect(clippy::print_stdout, reason = "the figures of a run by hand, shown with --nocapture")]
fn told(text: &str) {
    println!("{text}");
}
