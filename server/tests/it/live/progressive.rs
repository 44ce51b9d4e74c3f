//! Viewers by one HTTP answer that goes on.

use afterlive_media::frame::TrackKind;
use afterlive_server::service::playback::{Expiry, Secret, TokenOf, TokenWish};

use super::socket::{large_picture, number_of};
use super::*;
use crate::fixture::encoder::{complaints, encode, ffprobe, send};
use crate::fixture::server::on_a_server;

const FILE: &str = "progressive.mp4";
/// Far more than the ring and the kernel keep: 80 MB.
const PICTURES: u32 = 800;

/// What has come of it, until it is so much or has ended.
async fn read(response: &mut Response, bytes: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < bytes {
        let Some(chunk) = within(response.chunk()).await.unwrap() else { break };
        read.extend(chunk);
    }
    read
}

#[tokio::test]
async fn the_url_that_a_stream_tells_is_one_mp4_from_the_last_keyframe_to_the_end_of_the_publish() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let shown = scene.server.send(&format!("GET /stream/{}", scene.stream.id), None, "").await.ok();
        let url = shown["playout"]["h5live"][0]["server"]["progressive"].as_str().unwrap().to_owned();
        let path = url.strip_prefix("http://localhost:3000").unwrap();
        let messages = encode(3, true, true);
        let (before, after) = messages.split_at(messages.len() - 40);
        let mut publisher = scene.publish();
        send(&mut publisher, before);
        let mut response = within(scene.http.get(format!("http://{}{path}", scene.address)).send()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((header("content-type"), header("cache-control")), ("video/mp4".to_owned(), "no-store".to_owned()));
        assert_eq!(header("access-control-allow-origin"), "*");
        let mut media = read(&mut response, 8).await;
        assert_eq!(&media[4..8], b"ftyp");
        scene.until_viewers(1).await;
        send(&mut publisher, after);
        drop(publisher);
        media.extend(read(&mut response, usize::MAX).await);

        let path = scene.save("watched.mp4", &[media.into()]);
        assert_eq!(complaints(&path), "");
        let sent = last_group(before).into_iter().chain(frames(after));
        let of = |kind: TrackKind| sent.clone().filter(|frame| frame.kind == kind).count();
        let packets = ffprobe(&path, "packet=codec_type");
        let got = |kind: &str| packets.iter().filter(|packet| *packet == kind).count();
        assert_eq!((got("video"), got("audio")), (of(TrackKind::Video), of(TrackKind::Audio)));
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_not_live_is_404_and_worth_asking_again() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let answer = scene.get(FILE).await;
        assert_eq!((answer.status(), &answer.headers()["retry-after"]), (StatusCode::NOT_FOUND, &"2".parse().unwrap()));
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false));
        let head = within(scene.http.head(scene.url(FILE)).send()).await.unwrap();
        assert_eq!((head.status(), within(head.bytes()).await.unwrap().len()), (StatusCode::OK, 0));
        drop(publisher);
    })
    .await;
}

#[tokio::test]
async fn it_ends_for_who_loses_the_right_and_where_other_tracks_begin() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false));
        let (mut cut, own) = (scene.get(FILE).await, scene.tenant.reader_key.clone());
        let mut stays = within(scene.http.get(scene.url(FILE)).header("x-bintu-apikey", own).send()).await.unwrap();
        for viewer in [&mut cut, &mut stays] {
            assert!(read(viewer, 8).await.len() >= 8);
        }
        scene.set_public(false).await;
        read(&mut cut, usize::MAX).await;
        scene.until_viewers(1).await;
        assert_eq!(scene.get(FILE).await.status(), StatusCode::FORBIDDEN);
        // With sound from now on: no MP4 that has begun without it can go on.
        send(&mut publisher, &encode(1, true, true));
        read(&mut stays, usize::MAX).await;
        scene.until_viewers(0).await;
        drop(publisher);
    })
    .await;
}

#[tokio::test]
async fn who_opens_many_leaves_connections_to_others() {
    on_a_server(&[("HTTP__MAX_CONNECTIONS", "80")], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false));
        let mut viewers = Vec::new();
        for _ in 0..16 {
            let viewer = scene.get(FILE).await;
            assert_eq!(viewer.status(), StatusCode::OK);
            viewers.push(viewer);
        }
        let full = scene.get(FILE).await;
        assert_eq!((full.status(), &full.headers()["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"10".parse().unwrap()));
        viewers.pop();
        scene.until_viewers(15).await;
        assert_eq!(scene.get(FILE).await.status(), StatusCode::OK);
        drop(publisher);
    })
    .await;
}

/// What a viewer gets, box after box.
struct Boxes {
    response: Response,
    waiting: Vec<u8>,
}

impl Boxes {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        Self { response, waiting: Vec::new() }
    }

    async fn has(&mut self, bytes: usize) -> bool {
        while self.waiting.len() < bytes {
            let Some(chunk) = within(self.response.chunk()).await.unwrap() else { return false };
            self.waiting.extend_from_slice(&chunk);
        }
        true
    }

    /// The number of the next picture; `None` once the answer has ended, which it does behind a whole box.
    async fn picture(&mut self) -> Option<u32> {
        loop {
            if !self.has(8).await {
                assert_eq!(self.waiting.len(), 0);
                return None;
            }
            let bytes = u32::from_be_bytes(*self.waiting.first_chunk().unwrap()) as usize;
            assert!(self.has(bytes).await, "half a box");
            let taken: Vec<u8> = self.waiting.drain(..bytes).collect();
            if &taken[4..8] == b"mdat" {
                return Some(number_of(&taken));
            }
        }
    }
}

#[tokio::test]
async fn who_takes_it_slowly_skips_to_a_keyframe_delays_nobody_and_nothing_is_kept_for_them() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false)[..1]);
        send(&mut publisher, &[large_picture(0)]);
        let (mut slow, mut fast) = (Boxes::of(scene.get(FILE).await), Boxes::of(scene.get(FILE).await));
        assert_eq!((slow.picture().await, fast.picture().await), (Some(0), Some(0)));
        for number in 1..PICTURES {
            send(&mut publisher, &[large_picture(number)]);
            assert_eq!(fast.picture().await, Some(number));
        }
        let (mut last, mut taken, mut skipped) = (0, 1, 0);
        while last < PICTURES - 1 {
            let number = slow.picture().await.expect("it goes on");
            if number != last + 1 {
                assert!(number > last && number.is_multiple_of(10), "{number} behind {last}");
                skipped += 1;
            }
            (last, taken) = (number, taken + 1);
        }
        assert_eq!(skipped, 1);
        // What the kernel has taken for them, and what the ring keeps for everybody.
        assert!(taken < PICTURES / 2, "{taken} of {PICTURES} pictures waited for who took none");
        drop(publisher);
        assert_eq!((slow.picture().await, fast.picture().await), (None, None));
    })
    .await;
}

#[tokio::test]
async fn who_takes_nothing_at_all_is_cut_off() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let impatient = listen::Settings { stalled_after: Duration::from_millis(50), ..room_for(10) };
        tokio::spawn(listen::serve(listener, scene.server.router.clone(), impatient, scene.server.stop.clone()));
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false)[..1]);
        send(&mut publisher, &[large_picture(0)]);
        let url = format!("http://{address}/live/{}/{FILE}", scene.stream.streamname);
        let mut viewer = Boxes::of(within(scene.http.get(url).send()).await.unwrap());
        assert_eq!(viewer.picture().await, Some(0));
        scene.until_viewers(1).await;
        // More than the kernel keeps for them.
        let sent = within(async {
            let mut numbers = 1..;
            while scene.server.hub.stats(scene.stream.id).unwrap().viewers > 0 {
                let number = numbers.next().unwrap();
                send(&mut publisher, &[large_picture(number)]);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            numbers.start
        });
        assert!(sent.await > 1);
        drop((viewer, publisher));
    })
    .await;
}

#[tokio::test]
async fn it_ends_for_who_has_a_token_that_expires_and_for_nobody_else() {
    on_a_server(&[], async |server| {
        let scene = Scene::new(server).await;
        scene.set_public(false).await;
        let mut publisher = scene.publish();
        send(&mut publisher, &encode(1, true, false)[..1]);
        send(&mut publisher, &[large_picture(0)]);
        let token = async |expiry_ms| {
            let of = TokenOf::Stream(scene.stream.id);
            let expiry = Expiry::At(NOW.plus_ms(expiry_ms));
            let wish = TokenWish { of, expiry, not_before: None, ips: Vec::new(), domains: Vec::new(), label: None };
            let Secret(token) = scene.server.service.make_playback_token(&scene.tenant.admin, &wish).await.unwrap().token;
            token
        };
        let mut viewers = Vec::new();
        for expiry_ms in [400_000, 800_000] {
            let query = token(expiry_ms).await;
            viewers.push(Boxes::of(scene.get(&format!("{FILE}?token={query}")).await));
        }
        // One more takes nothing at all.
        let idle = scene.get(&format!("{FILE}?token={}", token(400_000).await)).await;
        let [cut, stays] = &mut viewers[..] else { unreachable!() };
        for number in 0..3 {
            send(&mut publisher, &[large_picture(number + 1)]);
            assert_eq!((cut.picture().await, stays.picture().await), (Some(number), Some(number)));
        }
        scene.until_viewers(3).await;
        // Five seconds are for clocks that differ.
        scene.server.clock.advance_ms(405_000);
        while cut.picture().await.is_some() {}
        scene.until_viewers(1).await;
        send(&mut publisher, &[large_picture(4), large_picture(5)]);
        while stays.picture().await.expect("it goes on") < 4 {}
        drop((idle, publisher));
    })
    .await;
}
