//! What a webhook is told while a publish goes on, and what its answers do then.

use super::*;

const GOES_ON: [&str; 9] = [
    "204 No Content",
    "302 Found",
    "400 Bad Request",
    "404 Not Found",
    "408 Request Timeout",
    "429 Too Many Requests",
    "500 Internal Server Error",
    "502 Bad Gateway",
    "503 Service Unavailable",
];

fn often() -> Settings {
    Settings { update_every: Some(Duration::from_millis(30)), ..settings() }
}

#[tokio::test]
async fn it_is_told_that_a_publish_goes_on_and_ends_it_by_a_no() {
    on_each_server(async |server| {
        let scene = Scene::with(server, often()).await;
        let publish = scene.publish("?passcode=1");
        let id = scene.hook.allow().await.field("clientid");
        let (mut client, code, _) = came_to(publish).await;
        assert_eq!(code, ALLOWED);
        client.video_config().await;
        client.keyframe(0).await;
        client.keyframe(4_711).await;
        let name = &scene.stream.streamname;
        // The first ones may come before the frames.
        let told = loop {
            let told = scene.hook.allow().await;
            if told.field("timestamp") == "4711" {
                break told;
            }
        };
        let ours = format!("passcode=1&call=update_publish&name={name}&app=live&addr=127.0.0.1&clientid={id}");
        assert_eq!(told.form, format!("{ours}&time={}&timestamp=4711", told.field("time")));
        assert_eq!(scene.state().await, StreamState::Live);

        // None of these is a no: they are what a proxy says of a webhook that is being restarted, or has too much to do.
        for status in GOES_ON {
            let mut told = scene.hook.call().await;
            assert_eq!(told.field("call"), "update_publish", "{status}");
            told.answer(status, "Location: /elsewhere\r\n").await;
        }
        assert!(timeout(Duration::from_millis(300), client.status()).await.is_err(), "it goes on");
        assert_eq!(scene.state().await, StreamState::Live);

        scene.hook.call().await.answer("403 Forbidden", "").await;
        let (_, words) = timeout(PATIENCE, client.status()).await.unwrap().expect("a last word");
        assert_eq!(words, "the organisation's webhook has ended it");
        loop {
            let told = scene.hook.allow().await;
            if told.field("call") == "publish_done" {
                break;
            }
        }
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
    })
    .await;
}

#[tokio::test]
async fn by_whip_too_it_ends_what_goes_on() {
    on_a_server(&[], async |server| {
        let scene = Scene::with(server, often()).await;
        for no in ["401 Unauthorized", "410 Gone"] {
            let (answer, _) = tokio::join!(scene.whip(""), scene.hook.allow());
            assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
            let mut told = scene.hook.call().await;
            assert_eq!((told.field("call").as_str(), told.field("timestamp").as_str()), ("update_publish", "0"));
            told.answer(no, "").await;
            while scene.hook.allow().await.field("call") != "publish_done" {}
            scene.until(StreamState::Ended).await;
            scene.settled().await;
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_was_replaced_ends_nothing_and_hears_of_the_end_only() {
    on_each_server(async |server| {
        let scene = Scene::with(server, often()).await;
        let publish = scene.publish("");
        scene.hook.allow().await;
        let (mut client, _, _) = came_to(publish).await;
        client.video_config().await;
        let mut told = scene.hook.call().await;
        scene.set("https://hooks.example.com/").await;
        told.answer("403 Forbidden", "").await;
        assert!(timeout(Duration::from_millis(300), client.status()).await.is_err(), "it goes on");
        assert!(scene.hook.is_left_alone().await, "it is told nothing more");
        assert_eq!(scene.state().await, StreamState::Live);
        drop(client);
        assert_eq!(scene.hook.allow().await.field("call"), "publish_done");
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_is_gone_ends_nothing_and_holds_nothing_up() {
    on_a_server(&[], async |server| {
        let scene = Scene::with(server, often()).await;
        let publish = scene.publish("");
        scene.hook.allow().await;
        let (mut client, _, _) = came_to(publish).await;
        client.video_config().await;
        // One is told, and does not answer: media go on meanwhile.
        let silent = scene.hook.call().await;
        client.keyframe(1_000).await;
        scene.has_pictures().await;
        // It closes without an answer, and speaks no HTTP at the next.
        drop(silent);
        scene.hook.call().await.say(b"gone\r\n\r\n").await;
        scene.hook.allow().await;
        assert_eq!(scene.state().await, StreamState::Live);
        drop(client);
        while scene.hook.allow().await.field("call") != "publish_done" {}
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
    })
    .await;
}
