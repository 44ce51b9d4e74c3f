//! The check in `docs/events.md` that needs no library, held to what is sent. Those that need one are the libraries' own.

use std::process::Stdio;

use afterlive_domain::EventKind;
use afterlive_server::events::Secret;
use tokio::process::Command;

use super::Scene;
use crate::fixture::document::example;
use crate::fixture::server::on_a_server;

#[tokio::test]
async fn the_check_by_openssl_finds_what_a_delivery_is_signed_with_as_it_stands_in_the_document() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        scene.run_due().await;
        let told = scene.receiver.until(1).await;
        let message = &told[0];
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("body"), &message.body).unwrap();
        let check = async |secret: &Secret| {
            let done = Command::new("sh")
                .args(["-c", &example("events.md", "sh", "openssl dgst")])
                .current_dir(&folder)
                .env("SECRET", secret.as_str())
                .env("ID", message.id())
                .env("TIMESTAMP", message.header("webhook-timestamp"))
                .stdin(Stdio::null())
                .output()
                .await
                .unwrap();
            assert!(done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
            format!("v1,{}", String::from_utf8(done.stdout).unwrap().trim_end())
        };
        assert_eq!(check(&scene.endpoint.secret).await, message.header("webhook-signature"));
        assert_ne!(check(&Secret::draw()).await, message.header("webhook-signature"));
    })
    .await;
}
