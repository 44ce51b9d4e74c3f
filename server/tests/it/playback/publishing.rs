//! Who may publish: who knows the name of a stream that takes an encoder. A playback token opens no door to it, and closes none.

use std::collections::BTreeMap;

use afterlive_server::hub::{CannotRecord, Recorder, RecorderSubscription, Recording};
use afterlive_server::ingest::gate::{Gate, IngestRegions};
use afterlive_server::ingest::webhook;
use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use super::*;

struct NoRecorder;

#[async_trait]
impl Recorder for NoRecorder {
    async fn start(&self, _: Recording, _: RecorderSubscription) -> Result<(), CannotRecord> {
        Err(CannotRecord("nothing is recorded here".to_owned()))
    }
}

pub fn gate(server: &Server) -> Gate {
    let regions = IngestRegions { node: "eu".parse().unwrap(), by_host: BTreeMap::new() };
    Gate::new(
        server.hub.clone(),
        server.db.clone(),
        server.clock.clone(),
        regions,
        Arc::new(NoRecorder),
        TaskTracker::new(),
        webhook::Settings::default(),
    )
}

/// What a name is, and what who publishes to it is told: by RTMP in words, by WHIP in a status and the error's code.
const NAMES: &[(&str, Option<&str>, u16, u64)] = &[
    ("no name", Some("stream name unknown"), 404, 3001),
    ("nobody's", Some("stream name unknown"), 404, 3001),
    ("a deleted stream's", Some("stream name unknown"), 404, 3001),
    ("a locked stream's", Some("stream is locked"), 409, 3003),
    ("a live stream's", Some("already live from another encoder"), 409, 3003),
    ("a stream's", None, 201, 0),
];

/// With what it is tried: no token, the best one, and ones that open nothing.
const TOKENS: &[&str] = &["none", "organisation", "nonsense", "other organisation", "revoked"];

impl Scene {
    async fn name(&self, name: &str) -> String {
        let admin = &self.ours.admin;
        let stream = a_stream(&self.server.db, &self.ours.organisation).await;
        match name {
            "no name" => return "x".to_owned(),
            "nobody's" => return format!("{}-00000", self.ours.organisation.hash),
            "a deleted stream's" => self.server.service.delete_stream(admin, stream.id).await.unwrap(),
            "a locked stream's" => drop(self.server.service.lock_stream(admin, stream.id).await.unwrap()),
            "a live stream's" => return self.stream.streamname.to_string(),
            _ => {}
        }
        stream.streamname.to_string()
    }
}

#[tokio::test]
async fn the_name_alone_lets_an_encoder_in_and_no_playback_token_does() {
    on_each_server(async |server| {
        let scene = Scene::new(server).await;
        for credential in TOKENS {
            let token = scene.token(credential).await;
            let query = token.map_or_else(String::new, |token| format!("?token={token}"));
            for (name, why_not, status, code) in NAMES {
                let what = format!("{name} with {credential}");
                let named = scene.name(name).await;
                let (client, answer, description) = Client::publish(scene.rtmp, "live", &format!("{named}{query}")).await;
                assert_eq!(answer == "NetStream.Publish.Start", why_not.is_none(), "{what}: {answer}");
                if let Some(why_not) = why_not {
                    assert_eq!(description, *why_not, "{what}");
                }
                drop(client);

                // Another one where the first is being left.
                let named = scene.name(name).await;
                let stream_name: String = url::form_urlencoded::byte_serialize(format!("{named}{query}").as_bytes()).collect();
                let token_too = query.replace('?', "&");
                let call = format!("POST /p/webrtc?stream_name={stream_name}&stream_url=rtmp://localhost/live{token_too}");
                let told = scene.send(&call, &[]).await;
                assert_eq!(told.status.as_u16(), *status, "{what}: {}", told.text);
                if why_not.is_some() {
                    assert_eq!(told.error(), (*status, *code), "{what}");
                }
            }
        }
    })
    .await;
}
