//! Two recordings where somebody expected one: the log says why.

use afterlive_domain::asset::Hold;
use afterlive_server::db::retention;

use super::*;
use crate::fixture::log::Log;

#[tokio::test]
async fn why_another_recording_begins_is_told() {
    let (sent, pictures) = (encode(2, true, true), encode(2, true, false));
    on_each_database(async |db| {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits()).await;
        let log = Log::listen();
        // Records it, and says what was said of the recording before: one line.
        let told = async |messages| {
            studio.record(messages).await;
            let mut lines = log.take("another one begins");
            assert_eq!(lines.len(), 1, "{lines:?}");
            lines.remove(0)
        };
        studio.record(&sent).await;
        assert_eq!(log.take("another one begins"), [""; 0], "there was none before");
        studio.record(&sent).await;
        assert_eq!(log.take("another one begins"), [""; 0], "it goes on");

        studio.clock.advance_ms(33_000);
        let line = told(&sent).await;
        assert!(line.contains("INFO") && line.contains("longer than the reconnect window of 30000 ms"), "{line}");
        assert!(line.contains(&studio.asset(1).await.file_name), "{line}");
        let line = told(&pictures).await;
        assert!(line.contains("INFO") && line.contains("the tracks are others: aac (48000 Hz, 1 ch) is missing"), "{line}");

        let asset = studio.asset(3).await;
        let hold = Hold { at: NOW, by: "a court".to_owned(), note: None };
        let mut tx = studio.db.write().await.unwrap();
        assert!(retention::hold(&mut tx, asset.organisation, asset.id, &hold).await.unwrap());
        tx.commit().await.unwrap();
        let line = told(&pictures).await;
        assert!(line.contains("INFO") && line.contains("it is under legal hold"), "{line}");

        let asset = studio.asset(4).await;
        let mut tx = studio.db.write().await.unwrap();
        assert!(assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        let line = told(&pictures).await;
        assert!(line.contains("INFO") && line.contains("it is not ready, but deleted"), "{line}");

        let file = std::fs::OpenOptions::new().append(true).open(studio.place(&studio.asset(5).await)).unwrap();
        std::io::Write::write_all(&mut &file, b"\0\0\x01\0moof torn").unwrap();
        let line = told(&pictures).await;
        assert!(line.contains("WARN") && line.contains("its file is not whole: 13 bytes follow its last fragment"), "{line}");

        std::fs::write(studio.place(&studio.asset(6).await), b"no recording").unwrap();
        let line = told(&pictures).await;
        assert!(line.contains("WARN") && line.contains("its file has no head"), "{line}");
        assert_eq!(studio.asset(7).await.state, AssetState::Ready);
    })
    .await;
}
