//! A disk that does not answer at all for longer than an encoder waits.

use crate::fixture::disk::start_with;
use crate::fixture::installation::Installation;
use crate::fixture::publisher::Encoder;

/// What an encoder is told.
const NO_ANSWER: &str = "the storage does not answer";

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_does_not_answer_keeps_no_stream_taken_and_the_encoder_is_let_in_once_it_does() {
    let installation = Installation::new();
    // Each look at the room there, for longer than the gate may take.
    let running = start_with(&installation, "statfs", "delay_enter=20000000", Some(&installation.files().join("eu")));
    let ingest = running.new_stream().await;
    let mut refused = 0;
    let encoder = loop {
        match Encoder::publish(&ingest).await {
            Ok(encoder) => break encoder,
            // Never that the stream is taken, nor that the server is not available.
            Err(reason) => assert!(reason.contains(NO_ANSWER), "{reason}"),
        }
        refused += 1;
    };
    // All of them waited for one look.
    assert!((2..20).contains(&refused), "{refused}");
    encoder.unpublish().await;
    assert_eq!(running.all_recordings(&ingest.id).await.len(), 0);
}
