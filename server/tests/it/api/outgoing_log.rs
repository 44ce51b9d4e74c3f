//! What must not be in the log of what the server says to others: to a webhook, to an endpoint for events, to where a stream is pushed, to its database.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use afterlive_media::rtmp::Destination;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tokio::time::timeout;
use url::{Url, form_urlencoded};

use crate::events::receiver::Receiver;
use crate::fixture::database::on_each_database_url;
use crate::fixture::encoder::flv_tags;
use crate::fixture::installation::{Ingest, Installation};
use crate::fixture::program::{Serving, afterlive, run};
use crate::fixture::publisher::Encoder;
use crate::webhook::hook::PATIENCE;

const PASSCODE: &str = "Pc7vTq2xLm9KzRw4";
const IN_WEBHOOK: &str = "Wh5nBs8yGd3JfXc6";
const IN_ENDPOINT: &str = "Ep4kHu7tQa2MvZe9";
const IN_PUSH_URL: &str = "Pu6rDj3wNy8CgSo5";
const OF_DATABASE: &str = "Db9mFx5pVi4LbTh2";

/// With a path and a query that are the owner's secret.
fn with_secret(url: &str, secret: &str) -> String {
    let address = Url::parse(url).unwrap().socket_addrs(|| None).unwrap()[0];
    format!("http://{address}/hooks/{secret}?token={secret}")
}

/// All ways in which a log may have it: as text, escaped for a form, as base64 and as bytes.
fn forms_of(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let decimal = format!("{bytes:?}");
    // Of base64 that begins at any of three places the middle is the same.
    let encoded = (0..3).map(|at| BASE64_STANDARD.encode(&bytes[at..])[..12].to_owned());
    encoded.chain([secret[2..14].to_owned(), decimal[1..decimal.len() - 1].to_owned()]).collect()
}

fn with_password(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if parsed.scheme() == "postgres" {
        parsed.set_password(Some(OF_DATABASE)).unwrap();
    }
    parsed.into()
}

struct Api {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl Api {
    async fn call(&self, call: &str, body: Value) -> Value {
        let (method, path) = call.split_once(' ').unwrap();
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.url));
        let answer = request.header("x-bintu-apikey", &self.key).json(&body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{call}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_logs_no_secret_that_it_is_given_for_others_however_much_it_logs() {
    let (webhook, endpoint) = (Receiver::new().await, Receiver::new().await);
    let neighbour = Installation::new();
    let neighbour = neighbour.start();
    let target = neighbour.new_stream().await;
    let media = flv_tags(1, true, true);
    on_each_database_url(async |url: String| {
        let (told_before, asked_before) = (endpoint.seen().len(), webhook.seen().len());
        let folder = tempfile::tempdir().unwrap();
        let (log, url) = (folder.path().join("log"), with_password(&url));
        let settings = [
            ("AFTERLIVE__LOG__FILTER", "trace"),
            ("AFTERLIVE__DATABASE__URL", url.as_str()),
            ("AFTERLIVE__WEBHOOK__ALLOW_PRIVATE", "true"),
            ("AFTERLIVE__PUSH__ALLOW_PRIVATE", "true"),
        ];
        let made = run(
            afterlive(folder.path(), &["setup", "--email", "a@example.com", "--password-stdin"], &settings),
            "correct horse 7Hq2",
        );
        let told_by_command = String::from_utf8_lossy(&made.stderr).into_owned();
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let serving = Serving::logging_to(&log, afterlive(folder.path(), &["serve"], &settings));
        let api = Api {
            client: reqwest::Client::new(),
            url: serving.printed_after("Dashboard").to_owned(),
            key: made["api_key"].as_str().unwrap().to_owned(),
        };
        api.call("PUT /organisation/webhook", json!({ "webhook": with_secret(&webhook.url, IN_WEBHOOK) })).await;
        let made = api.call("POST /organisation/endpoint", json!({ "url": with_secret(&endpoint.url, IN_ENDPOINT) })).await;
        let signing = made["secret"].as_str().unwrap()["whsec_".len()..].to_owned();
        let stream = api.call("POST /stream", json!({})).await;
        let id = stream["id"].as_str().unwrap().to_owned();
        let Destination { tc_url, name, .. } = &target.destination;
        api.call(&format!("PUT /stream/{id}/push_url"), json!({ "url": format!("{tc_url}/{name}?key={IN_PUSH_URL}") })).await;

        let (tc_url, name) =
            (stream["ingest"]["rtmp"]["url"].as_str().unwrap(), stream["ingest"]["rtmp"]["streamname"].as_str().unwrap());
        let server: Url = tc_url.parse().unwrap();
        let destination = Destination {
            app: server.path().trim_start_matches('/').to_owned(),
            tc_url: tc_url.to_owned(),
            name: format!("{name}?passcode={PASSCODE}"),
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port().unwrap()));
        let mut encoder = Encoder::publish(&Ingest { id: id.clone(), address, destination }).await.unwrap();
        for tag in &media {
            encoder.send(tag).await.unwrap();
        }
        let pushed = async {
            while api.call(&format!("GET /stream/{id}"), json!({})).await["playout"]["web"][0]["pushState"]["state"] != "pushing"
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, pushed).await.expect("it is pushed");
        encoder.unpublish().await;
        // Live, ended, and the recording.
        let told = endpoint.until(told_before + 3).await;
        let asked = webhook.until(asked_before + 2).await;
        serving.signal("TERM");
        serving.wait();

        // Each of them has been used.
        let has = |text: &str, secret: &str| text.contains(secret);
        assert!(has(&told[told_before].head, IN_ENDPOINT) && has(&asked[asked_before].head, IN_WEBHOOK));
        assert!(has(&asked[asked_before].body, &format!("passcode={PASSCODE}&call=publish")), "{}", asked[asked_before].body);
        let log = std::fs::read_to_string(&log).unwrap() + &told_by_command;
        // Of what is done here nothing has a line at the level `trace`.
        for line in ["DEBUG", "off air"] {
            assert!(log.contains(line), "it is the log, and has {line}: {} bytes", log.len());
        }
        let escaped: String = form_urlencoded::byte_serialize(signing.as_bytes()).collect();
        let signing = [signing.clone(), escaped];
        let secrets = [PASSCODE, IN_WEBHOOK, IN_ENDPOINT, IN_PUSH_URL, OF_DATABASE].into_iter().flat_map(forms_of).chain(signing);
        for secret in secrets {
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(&secret)).take(3).collect();
            assert!(lines.is_empty(), "{secret} is in the log: {lines:#?}");
        }
    })
    .await;
}
