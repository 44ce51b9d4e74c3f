//! A recording watched from its start while it is recorded: what its URL gives to players, then and after its end.

mod large;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use afterlive_domain::AssetState;
use afterlive_media::frame::{Frame, TrackKind};
use afterlive_server::db::{Db, assets};
use afterlive_server::http::listen;
use afterlive_server::http::vod::{self, Vod};
use afterlive_server::hub::Message;
use afterlive_server::jobs::{self, Task};
use afterlive_server::record::Limits;
use axum::Router;
use bytes::Bytes;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::fixture::database::{NOW, on_each_database};
use crate::fixture::encoder::{boxes, complaints, encode, ffprobe, send};
use crate::fixture::guard::Everybody;
use crate::fixture::studio::{Studio, count, later, until};
use crate::listen::room_for;

/// A studio whose recordings can be watched.
struct Cinema {
    studio: Studio,
    address: SocketAddr,
    folder: tempfile::TempDir,
    /// Does as it is told to go elsewhere.
    viewer: Client,
    /// Says where it is told to go.
    onlooker: Client,
}

impl Cinema {
    async fn new(db: Db) -> Self {
        Self::with_limits(db, Limits::default()).await
    }

    async fn with_limits(db: Db, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let studio = Studio::with_limits(db, folder.path(), limits).await;
        let public_url = Url::parse("http://localhost:3000").unwrap();
        let vod =
            Arc::new(Vod::new(studio.finaliser.regions().clone(), &public_url, studio.growing.clone(), Arc::new(Everybody)));
        let routes = Router::new().fallback(|| async { "dashboard" });
        let router = Router::new().fallback(async move |request| vod::before(&routes, &vod, request).await);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(listen::serve(listener, router, room_for(100), CancellationToken::new()));
        let onlooker = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { studio, address, folder, viewer: Client::new(), onlooker }
    }

    /// The recording's own URL.
    fn url(&self) -> Url {
        let name = &self.studio.stream.streamname;
        let hash = name.organisation_hash();
        Url::parse(&format!("http://{}/vod-eu/{}/{name}.mp4", self.address, hash.as_str())).unwrap()
    }

    /// Where a URL leads; itself where it leads nowhere else.
    async fn leads_to(&self, url: Url) -> Url {
        let response = self.onlooker.get(url.clone()).send().await.unwrap();
        match response.headers().get("location") {
            Some(location) => {
                assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
                assert_eq!(header(&response, "cache-control"), "no-store");
                assert_eq!(header(&response, "access-control-allow-origin"), "*");
                url.join(location.to_str().unwrap()).unwrap()
            }
            None => url,
        }
    }

    async fn snapshot(&self) -> Url {
        let url = self.leads_to(self.url()).await;
        assert!(url.query().unwrap().starts_with("upto="), "{url}");
        url
    }

    fn get(&self, url: &Url) -> RequestBuilder {
        self.viewer.get(url.clone())
    }

    async fn bytes(&self, url: &Url) -> Bytes {
        let response = self.get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        response.bytes().await.unwrap()
    }

    fn save(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    async fn until_grown(&self, to_ms: u64) {
        let id = loop {
            if let Some(asset) = self.studio.assets().await.first() {
                break asset.id;
            }
            tokio::task::yield_now().await;
        };
        until(|| self.studio.growing.facts(id).is_some_and(|facts| facts.duration_ms >= to_ms)).await;
    }

    /// What a snapshot would have that is made now.
    async fn media_bytes(&self) -> u64 {
        let asset = self.studio.assets().await.remove(0);
        let (_, file) = self.studio.growing.file(&asset.region, &asset.file_name).unwrap();
        file.media_bytes()
    }
}

/// How many bytes of media a snapshot has.
fn upto(url: &Url) -> u64 {
    url.query().unwrap().strip_prefix("upto=").unwrap().parse().unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// What ffmpeg has to complain of when it plays the URL as a player does.
fn complaints_of_url(url: &Url) -> String {
    complaints(Path::new(url.as_str()))
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

/// Whether so many pictures and packets of sound are what was sent first, less one of each that may wait for its end.
fn came_first(sent: &[Message], pictures: usize, sounds: usize) -> bool {
    assert!(pictures > 0 && sounds > 0);
    let mut came = [0, 0];
    sent.iter().any(|message| {
        if let Message::Frame(frame) = message {
            came[usize::from(frame.kind == TrackKind::Audio)] += 1;
        }
        (pictures..=pictures + 1).contains(&came[0]) && (sounds..=sounds + 1).contains(&came[1])
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_watched_from_its_start_while_it_grows_and_its_url_is_the_finished_file_later() {
    let sent = encode(8, true, true);
    on_each_database(async |db| {
        let cinema = Cinema::new(db).await;
        let mut grant = cinema.studio.publish().await;
        let half = sent.len() / 2;
        send(grant.publisher(), &sent[..half]);
        cinema.until_grown(3_000).await;

        let url = cinema.snapshot().await;
        let seen = cinema.bytes(&url).await;
        let saved = cinema.save("seen.mp4", &seen);
        assert_eq!(boxes(&saved), ["ftyp", "moov", "free", "mdat"]);
        assert_eq!(complaints(&saved), "");
        let duration: f64 = ffprobe(&saved, "format=duration")[0].parse().unwrap();
        assert!((3.0..5.0).contains(&duration), "{duration}");
        let frames: Vec<usize> = ffprobe(&saved, "stream=nb_frames").iter().map(|text| text.parse().unwrap()).collect();
        assert!(came_first(&sent, frames[0], frames[1]), "what was sent first, whole: {frames:?}");
        let plain = cinema.url();
        assert_eq!(blocking(move || complaints_of_url(&plain)).await, "", "ffmpeg goes where it is led");

        send(grant.publisher(), &sent[half..]);
        cinema.until_grown(6_000).await;
        let grown_bytes = cinema.media_bytes().await;
        // Who comes later sees more; who came before sees what it saw. For a second the newest may still be ffmpeg's, of before.
        let mut newer = cinema.snapshot().await;
        while upto(&newer) < grown_bytes {
            tokio::task::yield_now().await;
            newer = cinema.snapshot().await;
        }
        let more = cinema.save("more.mp4", &cinema.bytes(&newer).await);
        assert!(ffprobe(&more, "format=duration")[0].parse::<f64>().unwrap() > duration + 1.0);
        assert_eq!(cinema.bytes(&url).await, seen);

        drop(grant);
        cinema.studio.settle().await;
        let asset = cinema.studio.assets().await.remove(0);
        assert_eq!(asset.state, AssetState::Ready);
        assert_eq!(cinema.bytes(&url).await, seen, "a viewer is not disturbed by the end");
        assert_eq!(cinema.leads_to(cinema.url()).await, cinema.url());
        let finished = std::fs::read(cinema.studio.place(&asset)).unwrap();
        assert_eq!(cinema.bytes(&cinema.url()).await, finished);
        // A snapshot that nobody saw, and what is none at all.
        let mut other = cinema.url();
        other.set_query(Some("upto=17&download"));
        let leads_to = cinema.leads_to(other.clone()).await;
        assert_eq!((leads_to.path(), leads_to.query()), (other.path(), Some("download")));
        other.set_query(Some("upto=all"));
        assert_eq!(cinema.get(&other).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    })
    .await;
}

#[tokio::test]
async fn ranges_conditions_head_and_download_of_a_growing_recording_are_those_of_a_file() {
    let sent = encode(4, true, true);
    on_each_database(async |db| {
        let cinema = Cinema::new(db).await;
        let mut grant = cinema.studio.publish().await;
        send(grant.publisher(), &sent);
        // As far as it comes before its end: there is one snapshot, and no newer one to be led to.
        cinema.until_grown(3_000).await;
        let mut url = cinema.url();
        url.set_query(Some("download"));
        let url = cinema.leads_to(url).await;
        assert!(url.query().unwrap().starts_with("download&upto="), "{url}");

        let whole = cinema.get(&url).send().await.unwrap();
        for (name, value) in [
            ("content-type", "video/mp4"),
            ("accept-ranges", "bytes"),
            ("cache-control", "public, max-age=300"),
            ("access-control-allow-origin", "*"),
            ("content-disposition", &format!("attachment; filename=\"{}.mp4\"", cinema.studio.stream.streamname)),
        ] {
            assert_eq!(header(&whole, name), value, "{name}");
        }
        let (etag, modified) = (header(&whole, "etag").to_owned(), header(&whole, "last-modified").to_owned());
        assert!(etag.starts_with('"') && modified.ends_with("GMT"));
        let bytes = whole.bytes().await.unwrap();

        // In its front, across its end, in the media, from the back: parts that make the whole.
        let size = bytes.len();
        let front = 64 << 10;
        for (range, part) in [
            ("bytes=0-99".to_owned(), 0..100),
            (format!("bytes={}-{}", front - 50, front + 49), front - 50..front + 50),
            (format!("bytes={front}-{front}"), front..front + 1),
            (format!("bytes={}-", size - 7), size - 7..size),
            ("bytes=-5000".to_owned(), size - 5_000..size),
            (format!("bytes=10-{}", 2 * size), 10..size),
        ] {
            let response = cinema.get(&url).header("range", &range).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(header(&response, "content-range"), format!("bytes {}-{}/{size}", part.start, part.end - 1));
            assert_eq!(header(&response, "etag"), etag);
            assert_eq!(response.bytes().await.unwrap(), bytes[part], "{range}");
        }
        let beyond = cinema.get(&url).header("range", format!("bytes={size}-")).send().await.unwrap();
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(header(&beyond, "content-range"), format!("bytes */{size}"));
        for (name, value, status) in [
            ("if-none-match", &etag, StatusCode::NOT_MODIFIED),
            ("if-modified-since", &modified, StatusCode::NOT_MODIFIED),
            ("if-match", &etag, StatusCode::OK),
            ("if-match", &"\"other\"".to_owned(), StatusCode::PRECONDITION_FAILED),
        ] {
            assert_eq!(cinema.get(&url).header(name, value).send().await.unwrap().status(), status, "{name}");
        }
        let head = cinema.viewer.request(Method::HEAD, url.clone()).send().await.unwrap();
        assert_eq!((head.status(), header(&head, "content-length")), (StatusCode::OK, size.to_string().as_str()));
        let head = cinema.onlooker.request(Method::HEAD, cinema.url()).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::TEMPORARY_REDIRECT);

        // A snapshot that nobody was sent to: the nearest one that is shorter, else the newest.
        let newest: u64 = url.query().unwrap().strip_prefix("download&upto=").unwrap().parse().unwrap();
        for asked in [newest + 1, u64::MAX, newest - 1, 0] {
            let mut other = cinema.url();
            other.set_query(Some(&format!("upto={asked}")));
            assert_eq!(upto(&cinema.leads_to(other).await), newest, "asked for {asked}");
        }
        drop(grant);
        cinema.studio.settle().await;
    })
    .await;
}

#[tokio::test]
async fn who_comes_before_anything_is_on_disk_is_told_to_come_again() {
    let sent = encode(4, true, true);
    on_each_database(async |db| {
        let cinema = Cinema::new(db).await;
        assert_eq!(cinema.get(&cinema.url()).send().await.unwrap().status(), StatusCode::NOT_FOUND);
        let mut grant = cinema.studio.publish().await;
        // Enough for a recording to begin, and no second of it.
        let first_key =
            sent.iter().position(|message| matches!(message, Message::Frame(frame) if frame.kind == TrackKind::Video));
        send(grant.publisher(), &sent[..first_key.unwrap() + 4]);
        loop {
            let response = cinema.get(&cinema.url()).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            if header(&response, "retry-after") == "1" {
                assert_eq!(header(&response, "cache-control"), "no-store");
                assert!(response.text().await.unwrap().contains("nothing to play"));
                break;
            }
        }
        send(grant.publisher(), &sent[first_key.unwrap() + 4..]);
        cinema.until_grown(1_000).await;
        assert!(!cinema.bytes(&cinema.url()).await.is_empty());
        drop(grant);
        cinema.studio.settle().await;
    })
    .await;
}

/// Pictures that no decoder would take, of so many bytes each.
fn large_pictures(tracks: &[Message], number: i64, bytes: usize) -> Vec<Message> {
    let picture = |at: i64| Frame {
        kind: TrackKind::Video,
        dts: at * 40,
        pts_offset: 0,
        keyframe: at % 25 == 0,
        data: Bytes::from((0..bytes).map(|byte| (byte as i64 * 31 + at * 7) as u8).collect::<Vec<u8>>()),
    };
    let tracks = tracks.iter().filter(|message| matches!(message, Message::TrackChanged(_))).cloned();
    tracks.chain((0..number).map(|at| Message::Frame(picture(at)))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_reads_slowly_across_the_end_gets_the_bytes_it_came_for() {
    let sent = large_pictures(&encode(1, true, false), 150, 200_000);
    on_each_database(async |db| {
        let cinema = Cinema::new(db).await;
        let mut grant = cinema.studio.publish().await;
        send(grant.publisher(), &sent[..110]);
        cinema.until_grown(4_000).await;
        let url = cinema.snapshot().await;
        let expected = cinema.bytes(&url).await;
        assert!(expected.len() > 15_000_000, "more than sockets hold: {}", expected.len());
        // Takes a little, and nothing more before all is over.
        let mut slow = cinema.get(&url).send().await.unwrap();
        let mut read = slow.chunk().await.unwrap().unwrap().to_vec();
        send(grant.publisher(), &sent[110..]);
        drop(grant);
        cinema.studio.settle().await;
        assert_eq!(cinema.studio.assets().await[0].state, AssetState::Ready);
        assert!(read.len() < expected.len() / 2);
        while let Some(chunk) = slow.chunk().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        assert!(read == expected, "the bytes differ");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_viewers_of_a_growing_recording_cost_it_no_frame() {
    let part = encode(2, true, true);
    on_each_database(async |db| {
        let cinema = Arc::new(Cinema::new(db).await);
        let mut grant = cinema.studio.publish().await;
        send(grant.publisher(), &part);
        cinema.until_grown(1_000).await;
        let (over, is_over) = tokio::sync::watch::channel(false);
        let watched_twice = Arc::new(AtomicUsize::new(0));
        let viewers: Vec<_> = (0..50)
            .map(|_| {
                let (cinema, is_over, watched_twice) = (Arc::clone(&cinema), is_over.clone(), Arc::clone(&watched_twice));
                tokio::spawn(async move {
                    let mut watched = 0;
                    while !*is_over.borrow() {
                        let response = cinema.get(&cinema.url()).send().await.unwrap();
                        assert_eq!(response.status(), StatusCode::OK);
                        let length: usize = header(&response, "content-length").parse().unwrap();
                        assert_eq!(response.bytes().await.unwrap().len(), length);
                        watched += 1;
                        if watched == 2 {
                            watched_twice.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        // Two minutes, and more until each viewer has watched it grow: else it would prove nothing.
        let mut parts = 1;
        while parts < 60 || watched_twice.load(Ordering::Relaxed) < viewers.len() {
            assert!(viewers.iter().all(|viewer| !viewer.is_finished()), "a viewer has failed");
            assert!(parts < 1_000, "a viewer hangs");
            send(grant.publisher(), &later(&part, parts * 2));
            cinema.until_grown(parts as u64 * 2_000).await;
            parts += 1;
        }
        over.send(true).unwrap();
        for viewer in viewers {
            viewer.await.unwrap();
        }
        drop(grant);
        cinema.studio.settle().await;
        let asset = cinema.studio.assets().await.remove(0);
        assert_eq!((asset.state, &asset.reason), (AssetState::Ready, &None));
        let report = assets::report(&mut cinema.studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
        for (track, kind) in report.tracks.iter().zip([TrackKind::Video, TrackKind::Audio]) {
            let sent = parts as u64 * count(&part, kind) as u64;
            assert_eq!((track.received_frames, track.stored_frames, track.gap_count), (Some(sent), sent, 0), "{track:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_recording_that_is_deleted_is_gone_for_those_who_came_while_it_grew_too() {
    let sent = encode(3, true, true);
    on_each_database(async |db| {
        let cinema = Cinema::new(db).await;
        let mut grant = cinema.studio.publish().await;
        send(grant.publisher(), &sent);
        cinema.until_grown(2_000).await;
        let url = cinema.snapshot().await;
        cinema.bytes(&url).await;
        drop(grant);
        cinema.studio.settle().await;
        cinema.bytes(&url).await;
        let asset = cinema.studio.assets().await.remove(0);
        let mut tx = cinema.studio.db.write().await.unwrap();
        assert!(assets::delete(&mut tx, asset.organisation, asset.id, NOW).await.unwrap());
        jobs::enqueue(&mut tx, Task::Place { asset: asset.id }, NOW).await.unwrap();
        tx.commit().await.unwrap();
        cinema.studio.run_jobs().await;
        while cinema.get(&url).send().await.unwrap().status() != StatusCode::NOT_FOUND {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Where the media begin in the finished file.
async fn media_offset(studio: &Studio) -> u64 {
    let asset = studio.assets().await.remove(0);
    let report = assets::report(&mut studio.db.read().await.unwrap(), asset.id).await.unwrap().unwrap();
    std::fs::metadata(studio.place(&asset)).unwrap().len() - report.checksum.unwrap().last_bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encoder_that_comes_back_moves_no_byte_under_those_who_watch() {
    let tracks = encode(1, true, false);
    let (large, small) = (large_pictures(&tracks, 110, 200_000), large_pictures(&tracks, 30_000, 100));
    on_each_database(async |db| {
        let limits = Limits { reconnect_window: Duration::from_secs(30), ..Limits::default() };
        let cinema = Cinema::with_limits(db, limits).await;
        let mut grant = cinema.studio.publish().await;
        send(grant.publisher(), &large);
        cinema.until_grown(4_000).await;
        let url = cinema.snapshot().await;
        let seen = cinema.bytes(&url).await;
        drop(grant);
        while cinema.leads_to(cinema.url()).await != cinema.url() {
            tokio::task::yield_now().await;
        }
        let finished = cinema.bytes(&cinema.url()).await;
        let offset = media_offset(&cinema.studio).await;
        // One that came while it grew, and one that came between; neither takes more for now.
        let mut watching =
            [(url.clone(), seen.clone()), (cinema.url(), finished)].map(|(url, whole)| (url, whole, Vec::new(), None));
        for (url, _, read, response) in &mut watching {
            let begun = response.insert(cinema.get(url).send().await.unwrap());
            assert_eq!(begun.status(), StatusCode::OK);
            read.extend_from_slice(&begun.chunk().await.unwrap().unwrap());
        }

        let mut grant = cinema.studio.publish().await;
        send(grant.publisher(), &small);
        cinema.until_grown(1_000_000).await;
        // It grows in its place, and is watched so.
        let mut longer = cinema.snapshot().await;
        while longer == url {
            tokio::task::yield_now().await;
            longer = cinema.snapshot().await;
        }
        assert_eq!(boxes(&cinema.save("longer.mp4", &cinema.bytes(&longer).await)), ["ftyp", "moov", "free", "mdat"]);
        assert!(cinema.bytes(&url).await == seen, "the bytes differ");
        drop(grant);
        cinema.studio.settle().await;
        assert_eq!(cinema.studio.assets().await.len(), 1);
        if cinema.studio.store().spool().can_insert_ranges() {
            assert!(media_offset(&cinema.studio).await > offset, "the media were moved");
        }
        for (url, whole, mut read, response) in watching {
            let mut response = response.unwrap();
            while let Some(chunk) = response.chunk().await.unwrap() {
                read.extend_from_slice(&chunk);
            }
            assert!(read == whole, "the bytes of {url} differ");
        }
        assert!(cinema.bytes(&url).await == seen, "the bytes differ");
    })
    .await;
}
