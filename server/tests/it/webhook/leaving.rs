//! Encoders that leave, and servers that stop, while a webhook thinks; and that it hears of the end of all that it has allowed.

use super::*;

/// Long enough for the server to look whether an encoder is still there.
const A_WHILE: Duration = Duration::from_millis(800);

async fn begin(scene: &Scene) -> Client {
    let mut client = Client::connect(scene.rtmp, "live").await;
    let name = scene.stream.streamname.as_str();
    let publish = ["publish".into(), 2.0.into(), afterlive_media::rtmp::amf0::Value::Null, name.into(), "live".into()];
    client.command(1, &publish).await;
    client
}

#[tokio::test]
async fn who_leaves_while_the_webhook_thinks_is_not_live_and_its_end_is_told() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let publish = scene.publish("");
        let mut call = scene.hook.call().await;
        publish.abort();
        call.answer("200 OK", "").await;
        let done = scene.hook.allow().await;
        assert_eq!((done.field("call"), done.field("clientid")), ("publish_done".to_owned(), call.field("clientid")));
        assert_eq!(done.field("bytes_in"), "0");
        scene.settled().await;
        assert_ne!(scene.state().await, StreamState::Live);

        // Of what it does not allow no end is told.
        let publish = scene.publish("");
        let mut call = scene.hook.call().await;
        publish.abort();
        call.answer("403 Forbidden", "").await;
        scene.settled().await;
        assert!(scene.hook.is_left_alone().await);
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_while_the_webhook_thought_is_taken() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut client = begin(&scene).await;
        client.video_config().await;
        client.keyframe(0).await;
        let mut call = scene.hook.call().await;
        assert!(timeout(A_WHILE, client.status()).await.is_err());
        call.answer("200 OK", "").await;
        assert_eq!(timeout(PATIENCE, client.status()).await.unwrap().unwrap().0, ALLOWED);
        scene.has_pictures().await;
    })
    .await;
}

/// As an encoder does that sends a file as fast as it can.
#[tokio::test]
async fn what_one_has_sent_that_left_meanwhile_is_taken_to_the_end() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut client = begin(&scene).await;
        client.video_config().await;
        let frames = 100;
        for n in 0..frames {
            client.keyframe(n * 40).await;
        }
        client.end_of_sending().await;
        let mut call = scene.hook.call().await;
        assert!(timeout(A_WHILE, client.status()).await.is_err(), "it is still let in");
        call.answer("200 OK", "").await;
        let done = scene.hook.allow().await;
        assert_eq!(done.field("call"), "publish_done");
        let bytes_in: u64 = done.field("bytes_in").parse().unwrap();
        assert!(bytes_in >= u64::from(frames) * 6, "{}", done.form);
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Ended);
    })
    .await;
}

#[tokio::test]
async fn an_end_that_is_not_heard_is_told_again() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let publish = scene.publish("");
        let id = scene.hook.allow().await.field("clientid");
        drop(came_to(publish).await);
        // It closes without an answer, then fails, then hears it.
        drop(scene.hook.call().await);
        scene.hook.call().await.answer("503 Service Unavailable", "").await;
        let done = scene.hook.allow().await;
        assert_eq!((done.field("call"), done.field("clientid")), ("publish_done".to_owned(), id));
        scene.settled().await;
        assert!(scene.hook.is_left_alone().await);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_meanwhile_takes_no_publish_any_more() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let stop = async {
            let mut call = scene.hook.call().await;
            scene.server.stop.cancel();
            call.answer("200 OK", "").await;
        };
        let (answer, ()) = tokio::join!(scene.whip(""), stop);
        assert_eq!(answer.error(), (503, 3005));
        assert_eq!(scene.hook.allow().await.field("call"), "publish_done");
        scene.settled().await;
        assert_eq!(scene.state().await, StreamState::Created);
    })
    .await;
}
