//! Receivers that mean no good: each is given up on in its time, and nobody waits for them.

use std::time::Duration;

use afterlive_domain::{DeliveryState, EventKind};
use afterlive_server::dial::Reach;
use afterlive_server::events::Settings;
use afterlive_server::run;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::receiver::Receiver;
use super::{Scene, an_endpoint};
use crate::fixture::server::on_each_server;

/// What it says to whoever connects, for ever: that, and then the other again and again.
async fn a_receiver_that_says(first: String, again: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let first = first.clone();
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 4_096]).await;
                let _ = socket.write_all(first.as_bytes()).await;
                while !again.is_empty() && socket.write_all(again).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn hostile_receivers_are_logged_and_nobody_waits_for_them() {
    on_each_server(async |server| {
        let mut scene = Scene::new(server).await;
        let settings = Settings { reach: Reach::Anywhere, answer_timeout: Duration::from_secs(6) };
        scene.deliverer = run::deliverer(settings, &scene.server.service, scene.server.bell.clone());
        let elsewhere = Receiver::new().await;
        let redirect = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url);
        let endless = "HTTP/1.1 200 OK\r\n\r\n".to_owned();
        let long_head = "HTTP/1.1 200 OK\r\nX: ".to_owned();
        let slow = "HTTP/1.1 200 OK\r\n".to_owned();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let receivers = [
            (
                a_receiver_that_says(redirect, b"").await,
                DeliveryState::Waiting,
                Some("it answered 307, and no redirect is followed"),
            ),
            (a_receiver_that_says(endless, &[b'x'; 4_096]).await, DeliveryState::Delivered, None),
            (a_receiver_that_says(long_head, &[b'x'; 4_096]).await, DeliveryState::Waiting, Some("it does not speak HTTP")),
            (a_receiver_that_says(slow, b"X").await, DeliveryState::Waiting, Some("no answer within 6 s")),
            (a_receiver_that_says(String::new(), b"").await, DeliveryState::Waiting, Some("it does not speak HTTP")),
            (a_receiver_that_says("SSH-2.0-x\r\n".to_owned(), b"").await, DeliveryState::Waiting, Some("it does not speak HTTP")),
            (format!("http://{closed}/"), DeliveryState::Waiting, Some("no connection to it could be made")),
            ("http://no-such-host.invalid/".to_owned(), DeliveryState::Waiting, Some("its host cannot be found")),
        ];
        let mut endpoints = Vec::new();
        for (url, ..) in &receivers {
            endpoints.push(an_endpoint(&scene.server, &scene.tenant, url).await);
        }
        let running = scene.run();
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        scene.receiver.until(1).await;
        for (endpoint, (url, state, reason)) in endpoints.iter().zip(&receivers) {
            let tried = loop {
                let page = scene.server.service.deliveries(&scene.tenant.admin, endpoint.id, None, 1).await.unwrap();
                let delivery = page.deliveries.into_iter().next().unwrap();
                if delivery.last_at.is_some() {
                    break delivery;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            assert_eq!((tried.state, tried.last_reason.as_deref()), (*state, *reason), "{url}");
        }
        assert!(elsewhere.seen().is_empty(), "nobody is led elsewhere");
        running.end().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_is_led_into_the_private_network_whatever_was_set() {
    on_each_server(async |server| {
        let mut scene = Scene::new(server).await;
        let settings = Settings { reach: Reach::Public, ..super::settings() };
        scene.deliverer = run::deliverer(settings, &scene.server.service, scene.server.bell.clone());
        scene.emit(scene.stream, &[EventKind::StreamLive]).await;
        assert_eq!(scene.run_due().await, 1);
        let log = scene.log().await;
        let expected = "its host is in a private network, which is only allowed with webhook.allow_private = true";
        assert_eq!((log[0].state, log[0].last_reason.as_deref()), (DeliveryState::Waiting, Some(expected)));
        assert!(scene.receiver.seen().is_empty());
    })
    .await;
}
