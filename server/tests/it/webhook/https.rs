//! A webhook over TLS, asked by the real binary, which believes the authorities of its system.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::hook::PATIENCE;
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;

async fn set(server: &Running, url: &str) {
    let call = server.http.put(format!("{}/organisation/webhook", server.dashboard)).json(&json!({ "webhook": url }));
    let organisation: Value = server.call(call).await;
    assert_eq!(organisation["webhook"], url);
}

/// How often it is tried on a machine that is too busy to ask within the server's 5 s.
const ATTEMPTS: usize = 5;

/// Publishes, and answers what is asked; until the answer came in time.
async fn publish(ingest: &Ingest, listener: &TcpListener, tls: &TlsAcceptor) -> (Result<Encoder, String>, bool) {
    for _ in 0..ATTEMPTS {
        let come = tokio::join!(Encoder::publish(ingest), allow(listener, tls));
        if !come.0.as_ref().is_err_and(|words| words.contains("in time")) {
            return come;
        }
    }
    panic!("it is never answered in time");
}

/// Takes one connection; whether it became a request over TLS to publish, which is then allowed.
async fn allow(listener: &TcpListener, tls: &TlsAcceptor) -> bool {
    let (socket, _) = timeout(PATIENCE, listener.accept()).await.expect("somebody asks").unwrap();
    let Ok(mut socket) = tls.accept(socket).await else { return false };
    let mut request = Vec::new();
    while !String::from_utf8_lossy(&request).contains("&clientid=") {
        if timeout(PATIENCE, socket.read_buf(&mut request)).await.expect("the request comes").unwrap_or(0) == 0 {
            return false;
        }
    }
    let is_publish = String::from_utf8_lossy(&request).contains("call=publish&");
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    // Whoever has the answer closes.
    let _ = timeout(PATIENCE, socket.read_to_end(&mut request)).await;
    is_publish
}

#[tokio::test]
async fn it_is_believed_who_has_a_certificate_for_the_name() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authorities = folder.path().join("authorities.pem");
    let lines: Vec<String> =
        BASE64_STANDARD.encode(made.cert.der()).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into()).collect();
    std::fs::write(&authorities, format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")))
        .unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();

    let installation = Installation::new();
    let settings = [("AFTERLIVE__WEBHOOK__ALLOW_PRIVATE", "true"), ("SSL_CERT_FILE", authorities.to_str().unwrap())];
    let server = installation.start_with(&settings);
    let ingest = server.new_stream().await;

    set(&server, &format!("https://127.0.0.1:{port}/")).await;
    let (refused, asked) = publish(&ingest, &listener, &tls).await;
    assert_eq!(refused.err().as_deref(), Some("the organisation's webhook cannot be asked: TLS with it does not come about"));
    assert!(!asked);

    set(&server, &format!("https://localhost:{port}/")).await;
    let (allowed, asked) = publish(&ingest, &listener, &tls).await;
    assert!(asked && allowed.is_ok(), "{:?}", allowed.err());
}
