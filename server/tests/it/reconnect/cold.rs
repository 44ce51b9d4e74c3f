//! A recording that takes longer to read than the frames of an encoder that is back can wait.

use crate::fixture::disk::start_with;
use crate::fixture::encoder::flv_tags;
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;

use super::*;

async fn record(running: &Running, ingest: &Ingest, index: u64) -> serde_json::Value {
    let mut encoder = Encoder::publish(ingest).await.unwrap();
    for tag in &flv_tags(2, true, true) {
        encoder.send(tag).await.unwrap();
    }
    encoder.unpublish().await;
    loop {
        let all = running.all_recordings(&ingest.id).await;
        let last = all.into_iter().next_back().filter(|last| last["state"] != "recording");
        if let Some(last) = last
            && last["index"] == index
        {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_file_cannot_be_read_in_time_is_followed_by_another_with_every_frame() {
    let installation = Installation::new();
    let running = installation.start();
    let ingest = running.new_stream().await;
    let first = record(&running, &ingest, 1).await;
    running.serving.signal("TERM");
    assert!(running.serving.wait().success());

    let running = start_with(&installation, "pread64", "delay_enter=20000000:when=1", Some(&installation.place(&first)));
    let address = running.new_stream().await.address;
    let second = record(&running, &Ingest { address, ..ingest.clone() }, 2).await;
    assert_eq!((&first["state"], &second["state"]), (&"ready".into(), &"ready".into()), "{second}");
    assert_eq!(running.all_recordings(&ingest.id).await[0]["size_bytes"], first["size_bytes"]);
    let account = format!("{}/asset/{}/report", running.dashboard, second["id"].as_str().unwrap());
    let account = running.call(running.http.get(account)).await;
    for track in account["report"]["tracks"].as_array().unwrap() {
        assert_eq!((&track["dropped_frames"], &track["received_frames"]), (&0.into(), &track["stored_frames"]), "{account}");
    }
}
