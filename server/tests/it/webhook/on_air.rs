//! What a webhook is told while a publish goes on, and what its answers do then.

use super::*;

fn often() -> Settings {
    Settings { update_every: Some(Duration::from_millis(30)), ..settings() }
}

#[tokio::test]
async fn it_is_told_that_a_publish_goes_on_and_ends_it_by_another_answer_than_200() {
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
        let (answer, _) = tokio::join!(scene.whip(""), scene.hook.allow());
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
        let mut told = scene.hook.call().await;
        assert_eq!((told.field("call").as_str(), told.field("timestamp").as_str()), ("update_publish", "0"));
        told.answer("302 Found", "").await;
        scene.until(StreamState::Ended).await;
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
        while scene.server.hub.newest_keyframe(scene.stream.id).is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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
