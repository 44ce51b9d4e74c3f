//! Who may not watch, on every route.

use afterlive_domain::Role;

use super::*;
use crate::api::sessions::a_user;
use crate::fixture::encoder::{encode, send};
use crate::fixture::server::{on_a_server, on_each_server};

const FILES: [&str; 6] = ["progressive.mp4", "index.m3u8", "media.m3u8", "seg-1.m4s", "init-1.mp4", "part-1-0.m4s"];

#[tokio::test]
async fn who_may_not_watch_is_refused_on_every_route() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let other = server.an_organisation().await;
        let stream = a_stream(&server.db, &tenant.organisation).await;
        let scene = Scene::private(server, tenant, stream).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(3, true, true));
        let (own, foreign) = (scene.tenant.reader_key.clone(), other.admin_key);
        for (who, key, status) in [
            ("nobody", None, 403),
            ("a bad key", Some("no-such-key"), 401),
            ("another organisation", Some(foreign.as_str()), 404),
        ] {
            let headers: Vec<(&'static str, &str)> = key.map(|key| ("x-bintu-apikey", key)).into_iter().collect();
            for file in FILES {
                let mut request = scene.http.get(scene.url(file));
                for (name, value) in &headers {
                    request = request.header(*name, *value);
                }
                assert_eq!(within(request.send()).await.unwrap().status(), status, "{who}: {file}");
            }
            assert_eq!(scene.socket_with(&headers).await.err(), Some(status), "{who}");
        }
        let own = [("x-bintu-apikey", own.as_str())];
        scene.socket_with(&own).await.unwrap().media(1).await;
        let index = scene.http.get(scene.url("index.m3u8")).header("x-bintu-apikey", own[0].1);
        assert_eq!(within(index.send()).await.unwrap().status(), 200);
        scene.set_public(true).await;
        scene.socket().await.media(1).await;
        let unknown = scene.url("index.m3u8").replace(scene.stream.streamname.as_str(), "AAAAA-aaaaa");
        assert_eq!(within(scene.http.get(unknown).send()).await.unwrap().status(), 404, "whether there is one is not told");
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_a_stream_and_loses_the_right_meanwhile_waits_no_longer() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut socket = scene.socket().await;
        assert_eq!(socket.words().await["state"], "offline");
        scene.set_public(false).await;
        assert_eq!(socket.words().await["state"], "refused");
        assert_eq!(socket.next().await, Received::Closed(1_008));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_site_sees_nothing_by_the_cookie_of_who_visits_it() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let (user, _) = a_user(&server, &tenant, Role::Admin).await;
        let signed_in = server.send(&format!("GET /sign-in/{user}"), None, "").await;
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
        let stream = a_stream(&server.db, &tenant.organisation).await;
        let scene = Scene::private(server, tenant, stream).await;
        let (own, cookie) = (format!("http://{}", scene.address), ("cookie", cookie.as_str()));
        let other = ("origin", "https://other.example");
        let own = ("origin", own.as_str());
        for fine in [&[cookie][..], &[cookie, own], &[cookie, other, ("sec-fetch-site", "same-origin")]] {
            scene.socket_with(fine).await.unwrap().words().await;
        }
        for refused in [&[cookie, other][..], &[cookie, ("origin", "null")], &[cookie, own, ("sec-fetch-site", "same-site")]] {
            assert_eq!(scene.socket_with(refused).await.err(), Some(403), "{refused:?}");
        }
        scene.set_public(true).await;
        scene.socket_with(&[cookie, other]).await.unwrap().words().await;
    })
    .await;
}

#[tokio::test]
async fn there_are_only_so_many_viewers() {
    for (setting, file) in [("LIVE__MAX_VIEWERS", "index.m3u8"), ("LIVE__MAX_STREAM_VIEWERS", "media.m3u8")] {
        on_a_server(&[(setting, "2")], async |server| {
            let scene = Scene::new(server).await;
            // From the first frame on, so that there is a whole segment: who waited for one could be forgotten meanwhile.
            let _feed = scene.server.feeds.open(scene.stream.id);
            let mut publisher = scene.publish();
            while !publisher.has_viewers() {
                tokio::task::yield_now().await;
            }
            send(&mut publisher, &encode(3, true, false));
            let first = scene.socket().await;
            assert_eq!(scene.get(file).await.status(), 200);
            assert_eq!(scene.socket_with(&[]).await.err(), Some(429));
            let other = within(scene.http.get(scene.url(file)).header("user-agent", "another").send()).await.unwrap();
            assert_eq!((other.status().as_u16(), &other.headers()["retry-after"]), (429, &"10".parse().unwrap()));
            assert_eq!(scene.get(file).await.status(), 200, "who watches goes on");
            drop(first);
            within(async {
                while scene.socket_with(&[]).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
        })
        .await;
    }
}

#[tokio::test]
async fn one_address_takes_not_all_places_and_none_for_what_there_is_not() {
    on_a_server(&[("LIVE__MAX_VIEWERS", "20")], async |server| {
        let scene = Scene::new(server).await;
        // From the first frame on, so that there is a whole segment.
        let _feed = scene.server.feeds.open(scene.stream.id);
        let mut publisher = scene.publish();
        while !publisher.has_viewers() {
            tokio::task::yield_now().await;
        }
        send(&mut publisher, &encode(3, true, false));
        let ask = async |file: &str, player: usize| {
            let request = scene.http.get(scene.url(file)).header("user-agent", player.to_string());
            within(request.send()).await.unwrap().status().as_u16()
        };
        for player in 0..30 {
            assert_eq!(ask("seg-1.m4s", player).await, 404);
        }
        let mut answers = Vec::new();
        for player in 100..120 {
            answers.push(ask("media.m3u8", player).await);
        }
        assert_eq!(answers, [vec![200; 16], vec![429; 4]].concat());
        scene.socket().await.media(1).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_websocket_is_told_so() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        assert_eq!(scene.get("ws").await.status(), 400);
    })
    .await;
}
