//! The reference for people: that its examples run as they stand, and what browsers are told of it.

use std::process::Stdio;

use afterlive_domain::Role;
use afterlive_server::http::api::openapi::DOCUMENT;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::endpoints::an_endpoint;
use super::sessions::a_user;
use super::streams::a_stream;
use crate::fixture::recordings::a_finished_recording;
use crate::fixture::server::{on_a_server, on_each_server};

#[tokio::test]
async fn the_examples_run_as_they_stand() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    on_a_server(&[("HTTP__PUBLIC_URL", &base_url)], async |server| {
        let serving = tokio::spawn(axum::serve(listener, server.router.clone().into_make_service()).into_future());
        let tenant = server.an_organisation().await;
        let (_, email) = a_user(&server, &tenant, Role::Admin).await;
        let page = server.send("GET /docs", None, "").await.text;
        let mut run = 0;
        for example in page.split("aria-label=\"Copy the example of ").skip(1) {
            let command = example.split("<pre tabindex=\"0\"><code>").nth(1).unwrap().split("</code>").next().unwrap();
            let command = command.replace("&quot;", "\"").replace("&lt;", "<").replace("&#39;", "'").replace("&amp;", "&");
            // What is the reader's own, anew for each: some calls leave nothing of it.
            let stream = a_stream(&server, &tenant, &["title:Sunday service"]).await;
            let asset = a_finished_recording(server.service.db(), stream).await.id;
            let send = async |call: &str, body| server.send(call, Some(&tenant.admin_key), body).await.ok();
            let token = send("POST /token/playback", r#"{"expires_in_s":60,"label":"a"}"#).await;
            let key = send("POST /organisation/apikey", r#"{"label":"a","role":"nanoUser"}"#).await;
            let (endpoint, delivery) = an_endpoint(&server, &tenant).await;
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let done = Command::new("bash")
                .args(["-c", &command.replacen("curl", "curl -s -w '%{stderr}%{http_code}'", 1)])
                .envs([
                    ("KEY", tenant.admin_key.clone()),
                    ("STREAM", stream.to_string()),
                    ("ASSET", asset.to_string()),
                    ("KEY_ID", text(&key["id"])),
                    ("ENDPOINT", endpoint.to_string()),
                    ("DELIVERY", delivery.to_string()),
                    ("TOKEN", text(&token["token"])),
                    ("TOKEN_ID", text(&token["id"])),
                    ("EMAIL", email.clone()),
                    ("PASSWORD", super::sessions::PASSWORD.to_owned()),
                ])
                .stdin(Stdio::null())
                .output()
                .await
                .unwrap();
            let status = String::from_utf8_lossy(&done.stderr);
            assert_eq!(status, "200", "{command}\n{}", String::from_utf8_lossy(&done.stdout));
            run += 1;
        }
        let calls: usize =
            DOCUMENT["paths"].as_object().unwrap().values().map(|methods| methods.as_object().unwrap().len()).sum();
        assert_eq!(run, calls);
        serving.abort();
    })
    .await;
}

#[tokio::test]
async fn the_page_is_everybodys_has_one_script_of_ours_and_is_in_the_readers_colours() {
    on_each_server(async |server| {
        let page = server.send("GET /docs", None, "").await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(
            page.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(page.text.matches("<script").count(), 1);
        assert!(page.text.contains("/reference/copy.js\"></script>") && !page.text.contains(" style="), "nothing is inline");
        let (before, _) = page.text.split_once("<section class=\"group\"").unwrap();
        for name in ["id of a stream", "streamname", "hash of the organisation", "id of a recording", "publish key"] {
            assert!(before.contains(&format!("<td>{name}")), "{name} is explained before all calls");
        }
        assert!(page.text.contains("data-theme=\"system\""));
        // Each link within it leads somewhere, and nothing has the name of something else.
        let ids: Vec<&str> = page.text.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids[..place].contains(id), "{id} twice");
        }
        for target in page.text.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(ids.contains(&target), "{target}");
        }
        let dark = server.send_with("GET /docs", &[("Cookie", "a=b; theme=dark")], "").await;
        assert!(dark.text.contains("data-theme=\"dark\""));
        let known = [("Cookie", "theme=dark"), ("If-None-Match", dark.header("etag"))];
        assert_eq!(server.send_with("GET /docs", &known, "").await.status, 304);
        assert_eq!(server.send_with("GET /docs", &known[1..], "").await.status, 200, "other colours");
    })
    .await;
}
