//! What the server tells of a stream while it happens.

use afterlive_domain::Event;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fixture::installation::{Ingest, Running};

/// Who listens to `GET /events`.
pub struct News {
    heard: watch::Receiver<Vec<String>>,
    listening: JoinHandle<()>,
}

impl News {
    /// From now on.
    pub async fn of(running: &Running, ingest: &Ingest) -> Self {
        let request = running.http.get(format!("{}/events?stream={}", running.dashboard, ingest.id));
        let mut answer = request.header("X-BINTU-APIKEY", running.api_key()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        // The first words say that it is heard from here on.
        let mut text = String::from_utf8(answer.chunk().await.unwrap().unwrap().to_vec()).unwrap();
        assert!(text.contains("resync"), "{text}");
        let (told, heard) = watch::channel(Vec::new());
        let listening = tokio::spawn(async move {
            while let Ok(Some(chunk)) = answer.chunk().await {
                text.push_str(std::str::from_utf8(&chunk).unwrap());
                while let Some((message, rest)) = text.split_once("\n\n") {
                    let data = message.lines().find_map(|line| line.strip_prefix("data: "));
                    if let Some(event) = data.and_then(|data| serde_json::from_str::<Event>(data).ok()) {
                        told.send_modify(|heard| heard.push(event.kind.as_str().to_owned()));
                    }
                    text = rest.to_owned();
                }
            }
        });
        Self { heard, listening }
    }

    /// Waits until something of the kind has been told, unless it has been.
    pub async fn until(&mut self, kind: &str) {
        self.heard.wait_for(|heard| heard.iter().any(|heard| heard == kind)).await.unwrap();
    }

    /// All that has been told, in its order.
    pub fn heard(&self) -> Vec<String> {
        self.heard.borrow().clone()
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
