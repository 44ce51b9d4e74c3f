//! After a kill: recordings that take long to finish keep nobody from publishing.

use serde_json::Value;

use super::*;
use crate::fixture::disk::start_with;

/// Longer than the start and an encoder that is back wait for a recording, together.
const FIRST_READ: &str = "delay_enter=25000000:when=1";

/// Waits for one of the stream's recordings, counted from 1, to be as it should.
async fn recording(running: &Running, stream: &str, index: u64, is_so: impl Fn(&Value) -> bool) -> Value {
    loop {
        let all = running.all_recordings(stream).await;
        if let Some(found) = all.into_iter().find(|recording| recording["index"] == index && is_so(recording)) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn to_finish(running: &Running) -> u64 {
    let ready: Value = running.http.get(format!("{}/readyz", running.dashboard)).send().await.unwrap().json().await.unwrap();
    ready["recordings_to_finish"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_publishes_does_not_wait_for_what_the_last_run_left_behind_and_all_of_it_is_finished() {
    let tags = flv_tags(STREAM_SECONDS, true, true);
    let installation = Installation::new();
    let running = installation.start();
    let ingest = running.new_stream().await;
    let mut encoder = Encoder::publish(&ingest).await.unwrap();
    for tag in &tags {
        encoder.send(tag).await.unwrap();
    }
    let grown = |recording: &Value| recording["duration_ms"].as_u64().unwrap() > 2_000;
    let left = recording(&running, &ingest.id, 1, grown).await;
    running.kill();

    let spooled = installation.files().join("eu/.spool").join(format!("{}.mp4", left["id"].as_str().unwrap()));
    assert!(spooled.is_file());
    let running = start_with(&installation, "pread64", FIRST_READ, Some(&spooled));
    assert_eq!((to_finish(&running).await, running.problems().await), (1, Vec::new()));
    // The same stream, which is offered where the server listens now.
    let address = running.new_stream().await.address;
    let mut encoder = Encoder::publish(&Ingest { address, ..ingest.clone() }).await.unwrap();
    for tag in &tags {
        encoder.send(tag).await.unwrap();
    }
    recording(&running, &ingest.id, 2, grown).await;
    let first = recording(&running, &ingest.id, 1, |_| true).await;
    assert_eq!((&first["state"], to_finish(&running).await), (&Value::from("recording"), 1), "{first}");
    encoder.unpublish().await;

    for index in [1, 2] {
        let ready = recording(&running, &ingest.id, index, |recording| recording["state"] != "recording").await;
        assert_eq!((&ready["state"], &ready["reason"]), (&Value::from("ready"), &Value::Null), "{ready}");
        assert!(grown(&ready));
        assert_eq!(complaints(&installation.place(&ready)), "", "{ready}");
        let account = format!("{}/asset/{}/report", running.dashboard, ready["id"].as_str().unwrap());
        let account = running.call(running.http.get(account)).await;
        assert_eq!(account["report"]["server_died"], index == 1, "{account}");
        let counted = if index == 1 { Value::Null } else { Value::from(0) };
        assert_eq!(account["report"]["lost_frames"], counted, "{account}");
    }
    while to_finish(&running).await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
