//! Who watches is cut when their right ends, on every protocol that goes on after it has answered.

use reqwest::header::{CONTENT_TYPE, LOCATION};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::*;
use crate::fixture::server::on_a_server;
use afterlive_server::db::Raw;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What ends the right to watch, of whom it is the right, and what they are told.
const ENDS: &[(&str, &str, &str)] = &[
    ("the token expires", "stream until a certain time", "the token expired at"),
    ("the token is revoked", "organisation", "was revoked"),
    ("all tokens are ended", "stream", "not of this organisation, or was changed"),
    ("the stream has other tags", "tags", "for streams with other tags"),
    ("the stream is deleted", "stream", "no such stream any more"),
    ("live is public no more", "none", "no playback token was given"),
];

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

impl Scene {
    fn url(&self, scheme: &str, file: &str, token: Option<&str>) -> String {
        let query = token.map_or_else(String::new, |token| format!("?token={token}"));
        format!("{scheme}://{}/live/{}/{file}{query}", self.http, self.stream.streamname)
    }

    async fn set_public(&self, live_public: bool) {
        let settings = Settings { recording_enabled: true, vod_public: false, live_public };
        self.server.service.save_organisation(&self.ours.admin, "Chapel", settings).await.unwrap();
    }

    async fn end(&self, how: &str, token: Option<&str>) {
        let (service, admin, stream) = (&self.server.service, &self.ours.admin, self.stream.id);
        match how {
            "the token expires" => self.server.clock.advance_ms(405_000),
            "the token is revoked" => {
                let body = json!({ "token": token }).to_string();
                self.server.send("POST /token/revoke", Some(&self.ours.user_key), &body).await.ok();
            }
            "all tokens are ended" => service.renew_playback_secret(admin).await.unwrap(),
            "the stream has other tags" => drop(service.set_tags(admin, stream, &Tags::new(["other"]).unwrap()).await.unwrap()),
            "the stream is deleted" => service.delete_stream(admin, stream).await.unwrap(),
            _ => self.set_public(false).await,
        }
    }

    /// A viewer by WebSocket who has seen something.
    async fn watches(&self, token: Option<&str>, headers: &[(&'static str, &str)]) -> Socket {
        let mut request = self.url("ws", "ws", token).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (mut socket, _) = within(connect_async(request)).await.unwrap();
        while !within(socket.next()).await.unwrap().unwrap().is_binary() {}
        socket
    }

    /// A viewer by WebRTC who is connected, and their session.
    async fn watches_by_webrtc(&self, token: Option<&str>) -> (Peer, String) {
        let mut peer = Peer::new(Direction::RecvOnly).await;
        let asked = reqwest::Client::new().post(self.url("http", "whep", token)).header(CONTENT_TYPE, "application/sdp");
        let answer = within(asked.body(peer.offer.clone()).send()).await.unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        let session = answer.headers()[LOCATION].to_str().unwrap().to_owned();
        peer.connect(&answer.text().await.unwrap(), None).await;
        (peer, session)
    }

    /// Whether there is still something to be trickled to.
    async fn has_session(&self, session: &str) -> bool {
        self.server.send(&format!("PATCH {session}"), None, "").await.status.as_u16() != 404
    }
}

/// The next picture; all but pictures is passed over.
async fn picture(socket: &mut Socket) {
    while !within(socket.next()).await.expect("it is open").unwrap().is_binary() {}
}

/// What the viewer is told last, and the code with which the socket is closed.
async fn last_words(socket: &mut Socket) -> (Value, u16) {
    let mut last = Value::Null;
    loop {
        match within(socket.next()).await.expect("a word").unwrap() {
            tungstenite::Message::Text(words) => last = serde_json::from_str(&words).unwrap(),
            tungstenite::Message::Close(frame) => return (last, frame.unwrap().code.into()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_watches_is_cut_when_the_right_ends_and_nobody_else_is() {
    for (how, credential, told) in ENDS {
        on_each_server(async |server| {
            let mut scene = Scene::new(server).await;
            if *credential == "none" {
                scene.set_public(true).await;
            }
            let token = scene.token(credential).await;
            let token = token.as_deref();
            let mut cut = scene.watches(token, &[]).await;
            let own = scene.ours.reader_key.clone();
            let mut stays = scene.watches(None, &[("x-bintu-apikey", &own)]).await;
            let name =
                token.map_or(scene.stream.streamname.to_string(), |token| format!("{}?token={token}", scene.stream.streamname));
            let (mut player, code, _) = Client::play(scene.rtmp, &name, "").await;
            assert_eq!(code, "NetStream.Play.Reset");
            let (mut peer, session) = scene.watches_by_webrtc(token).await;
            assert!(scene.has_session(&session).await);

            scene.end(how, token).await;
            let (words, code) = last_words(&mut cut).await;
            assert_eq!((&words["type"], &words["state"], code), (&json!("status"), &json!("refused"), 1_008), "{how}: {words}");
            assert!(words["reason"].as_str().unwrap().contains(told), "{how}: {words}");
            let told_player = within(async {
                loop {
                    let (code, description) = player.status().await.expect("it is told");
                    if code == "NetStream.Play.Failed" {
                        return description;
                    }
                }
            });
            let told_player = told_player.await;
            assert!(told_player.contains(told), "{how}: {told_player}");
            player.closed().await;
            within(async {
                while !peer.closed {
                    peer.drive(Duration::from_millis(20)).await;
                }
            })
            .await;
            assert!(!scene.has_session(&session).await, "{how}");
            if *how != "the stream is deleted" {
                // A keyframe ends what was sent before; it comes to who stays.
                let data = Bytes::from_static(b"picture");
                scene.publisher.frame(&Frame { kind: TrackKind::Video, dts: 3_050, pts_offset: 0, keyframe: true, data });
                picture(&mut stays).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_ends_what_it_has_opened() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let key =
            scene.server.service.create_api_key(&scene.ours.admin, "a player", Opens::Role(Role::ReadOnly), None).await.unwrap();
        let mut cut = scene.watches(None, &[("x-bintu-apikey", &key.secret)]).await;
        scene.server.service.revoke_api_key(&scene.ours.admin, key.row.id).await.unwrap();
        let (words, code) = last_words(&mut cut).await;
        assert_eq!((&words["state"], code), (&json!("refused"), 1_008), "{words}");
    })
    .await;
}

#[tokio::test]
async fn who_watches_with_a_session_token_is_cut_when_the_password_changes() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let (service, admin) = (&scene.server.service, &scene.ours.admin);
        let (email, password) = ("ada@example.com", "correct horse battery");
        service.add_user(admin, email, password, Role::ReadOnly).await.unwrap();
        let token = service.make_session_token(email, password, None, [192, 0, 2, 7].into()).await.unwrap();
        let mut cut = scene.watches(None, &[("x-bintu-token", &token)]).await;
        let mut tx = scene.server.db.write().await.unwrap();
        let Raw::Sqlite(connection) = tx.raw() else { unreachable!("it runs on SQLite") };
        let change = "UPDATE users SET password_hash = password_hash || 'x'";
        sqlx::query(change).execute(connection).await.unwrap();
        tx.commit().await.unwrap();
        // Any change of the organisation's has all asked again that watch; without one they are within ten seconds.
        service.set_tags(admin, scene.stream.id, &scene.stream.tags).await.unwrap();
        let (words, code) = last_words(&mut cut).await;
        assert_eq!((&words["state"], code), (&json!("refused"), 1_008), "{words}");
    })
    .await;
}

/// Nobody is told of an end that comes by itself: who watches is asked again every ten seconds, by the real clock.
#[tokio::test]
async fn who_watches_with_a_key_or_a_session_token_is_cut_when_it_has_expired() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let (service, admin) = (&scene.server.service, &scene.ours.admin);
        let soon = Some(Expiry::In(60));
        let key = service.create_api_key(admin, "a player", Opens::Role(Role::ReadOnly), soon).await.unwrap();
        let (email, password) = ("ada@example.com", "correct horse battery");
        service.add_user(admin, email, password, Role::ReadOnly).await.unwrap();
        let token = service.make_session_token(email, password, None, [192, 0, 2, 7].into()).await.unwrap();
        let mut tx = scene.server.db.write().await.unwrap();
        let Raw::Sqlite(connection) = tx.raw() else { unreachable!("it runs on SQLite") };
        let end = "UPDATE session_tokens SET expires_at = $1";
        sqlx::query(end).bind(NOW.plus_ms(60_000).0).execute(connection).await.unwrap();
        tx.commit().await.unwrap();
        let mut cut_by_key = scene.watches(None, &[("x-bintu-apikey", &key.secret)]).await;
        let mut cut_by_token = scene.watches(None, &[("x-bintu-token", &token)]).await;
        scene.server.clock.advance_ms(60_000);
        let (by_key, by_token) = tokio::join!(last_words(&mut cut_by_key), last_words(&mut cut_by_token));
        for (words, code) in [by_key, by_token] {
            assert_eq!((&words["state"], code), (&json!("refused"), 1_008), "{words}");
        }
    })
    .await;
}
