//! The webhook that `docs/webhook.md` shows, asked by our own code.

use std::process::Stdio;

use afterlive_domain::StreamState;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::hook::PATIENCE;
use super::{ALLOWED, Scene, came_to};
use crate::fixture::document::example;
use crate::fixture::server::on_a_server;

/// As it stands in the document, but on a port of the system's choice, which it says. It ends with what is given back.
async fn run() -> (Child, u16) {
    let serves = "HTTPServer((\"127.0.0.1\", 9000), Webhook).serve_forever()";
    let shown = example("webhook.md", "python", "BaseHTTPRequestHandler");
    assert!(shown.contains(serves), "{shown}");
    let told = "server = HTTPServer((\"127.0.0.1\", 0), Webhook)\nprint(server.server_port, flush=True)\nserver.serve_forever()";
    let mut program = Command::new("python3")
        .args(["-c", &shown.replace(serves, told)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut port = String::new();
    let mut printed = BufReader::new(program.stdout.take().unwrap());
    timeout(PATIENCE, printed.read_line(&mut port)).await.expect("it says its port").unwrap();
    (program, port.trim().parse().unwrap())
}

#[tokio::test]
async fn the_webhook_in_the_document_lets_in_who_knows_the_passcode_and_nobody_else() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let (_program, port) = run().await;
        scene.set(&format!("http://127.0.0.1:{port}/")).await;
        for wrong in ["", "?passcode=8", "?passcode=8&passcode=7", "?Passcode=7"] {
            let (_, code, told) = came_to(scene.publish(wrong)).await;
            assert_eq!(code, "NetStream.Publish.BadName", "{wrong}");
            assert!(told.ends_with("it answered 403, and only 200 allows it"), "{wrong}: {told}");
        }
        let (client, code, told) = came_to(scene.publish("?passcode=7")).await;
        assert_eq!((code.as_str(), scene.state().await), (ALLOWED, StreamState::Live), "{told}");
        drop(client);
        scene.settled().await;
    })
    .await;
}
