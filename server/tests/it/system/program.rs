//! The real server beside the real commands: an operator without a browser, and what becomes of a recording whose organisation is suspended while it goes on.

use afterlive_media::rtmp::Destination;
use serde_json::{Value, json};
use url::Url;

use crate::fixture::encoder::{complaints, ffprobe, flv_tags};
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;
use crate::fixture::studio::until;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command prints, where it does what it was told.
fn said(installation: &Installation, arguments: &[&str]) -> String {
    let output = installation.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What it complains of, where it does not.
fn complaint(installation: &Installation, arguments: &[&str]) -> String {
    let output = installation.run(arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

async fn call(running: &Running, request: reqwest::RequestBuilder, key: &str) -> (u16, Value) {
    let answer = request.header("X-BINTU-APIKEY", key).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_else(|cause| panic!("{}: {cause}", running.dashboard)))
}

fn ingest_of(stream: &Value) -> Ingest {
    let (tc_url, name) =
        (stream["ingest"]["rtmp"]["url"].as_str().unwrap(), stream["ingest"]["rtmp"]["streamname"].as_str().unwrap());
    let url: Url = tc_url.parse().unwrap();
    Ingest {
        id: stream["id"].as_str().unwrap().to_owned(),
        address: (std::net::Ipv4Addr::LOCALHOST, url.port().unwrap()).into(),
        destination: Destination {
            app: url.path().trim_start_matches('/').to_owned(),
            tc_url: tc_url.to_owned(),
            name: name.to_owned(),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_finished_when_its_organisation_is_suspended_at_the_terminal_and_there_when_it_is_resumed() {
    let installation = Installation::new();
    let running = installation.start();
    let made: Value =
        serde_json::from_str(&said(&installation, &["organisation", "create", "Choir", "--administrator", "Dee@example.com"]))
            .unwrap();
    let (id, hash) = (made["id"].as_str().unwrap(), made["hash"].as_str().unwrap());
    assert!(made["link"].as_str().unwrap().contains("/invitation/"), "{made}");
    let key = said(&installation, &["key", "add", "--org", hash, "--role", "nanoAdmin", "--label", "a"]);
    let key = key.trim();
    let streams = format!("{}/stream", running.dashboard);
    let (status, stream) = call(&running, running.http.post(&streams).json(&json!({})), key).await;
    assert_eq!(status, 200, "{stream}");
    let ingest = ingest_of(&stream);
    let mut encoder = Encoder::publish(&ingest).await.unwrap();
    for tag in flv_tags(4, true, true) {
        encoder.send(&tag).await.unwrap();
    }
    let assets = format!("{}/asset", running.dashboard);
    loop {
        let (_, listed) = call(&running, running.http.get(&assets), key).await;
        if listed[0]["duration_ms"].as_u64().is_some_and(|ms| ms > 2_000) {
            break;
        }
        tokio::task::yield_now().await;
    }

    said(&installation, &["organisation", "suspend", id]);
    let refused = Encoder::publish(&ingest).await.err().unwrap();
    assert!(refused.contains("suspended"), "{refused}");
    let (status, answer) = call(&running, running.http.get(&assets), key).await;
    assert_eq!((status, &answer["error"]["code"]), (403, &json!(2002)));
    // The encoder is still there: it is the server that ends it, which nobody has told.
    let file = installation.files().join(format!("eu/{hash}/{}.mp4", ingest.destination.name));
    until(|| file.exists()).await;
    let listed: Vec<Value> =
        said(&installation, &["organisation", "list"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let choir = listed.iter().find(|line| line["hash"] == hash).unwrap();
    assert!(choir["suspended_at"].is_string() && choir["streams"] == 1 && choir["recordings"] == 1, "{choir}");
    assert_eq!(listed.len(), 2);

    said(&installation, &["organisation", "resume", hash]);
    let (status, listed) = call(&running, running.http.get(&assets), key).await;
    assert_eq!((status, &listed[0]["state"]), (200, &json!("ready")), "{listed}");
    assert_eq!(complaints(&file), "");
    let seconds: f64 = ffprobe(&file, "format=duration")[0].parse().unwrap();
    assert!((seconds - 4.0).abs() < 0.3, "{seconds}");
    drop(encoder);
    drop(Encoder::publish_again(&ingest).await);
}

#[test]
fn the_role_is_given_and_taken_at_the_terminal_and_the_last_one_stays() {
    let installation = Installation::new();
    let last = complaint(&installation, &["system-administrator", "revoke", "a@example.com"]);
    assert!(last.contains("no system administrator"), "{last}");
    let nobody = complaint(&installation, &["system-administrator", "grant", "nobody@example.com"]);
    assert!(nobody.contains("a user already"), "{nobody}");
    let listed: Value = serde_json::from_str(&said(&installation, &["organisation", "list"])).unwrap();
    let hash = listed["hash"].as_str().unwrap();
    let kept = complaint(&installation, &["organisation", "suspend", hash]);
    assert!(kept.contains("no system administrator"), "{kept}");
    let none = complaint(&installation, &["organisation", "suspend", "zzzzz"]);
    assert!(none.contains("no organisation with the id or the hash zzzzz"), "{none}");
    let taken = complaint(&installation, &["organisation", "create", "B", "--administrator", "A@example.com"]);
    assert!(taken.contains("this email is taken"), "{taken}");
}
