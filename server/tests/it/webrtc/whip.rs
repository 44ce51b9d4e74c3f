//! Publishing by WHIP: what is sent is what is recorded; what is refused is refused in words.

use std::time::Duration;

use afterlive_media::frame::TrackKind;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use str0m::RtcConfig;
use str0m::media::Direction;
use tokio::time::timeout;

use super::camera;
use super::client::{Client, candidate};
use super::relay::Relay;
use crate::fixture::encoder::{complaints, enhanced_ffmpeg, ffprobe};
use crate::fixture::installation::{Ingest, Installation, Running};
use crate::fixture::publisher::Encoder;
use crate::fixture::studio::count;

fn url(server: &Running, ingest: &Ingest, mode: &str) -> String {
    let stream_url = format!("rtmp://localhost/{mode}");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("stream_name", &ingest.destination.name)
        .append_pair("stream_url", &stream_url)
        .finish();
    format!("{}/p/webrtc?{query}", server.dashboard)
}

async fn post(server: &Running, url: &str, offer: &str) -> reqwest::Response {
    server.http.post(url).header(CONTENT_TYPE, "application/sdp").body(offer.to_owned()).send().await.unwrap()
}

/// A publish that is under way, and where it can be ended.
struct Publish {
    client: Client,
    location: String,
}

async fn publish(server: &Running, ingest: &Ingest, mode: &str, relayed: bool) -> (Publish, Option<Relay>) {
    let mut client = Client::new(Direction::SendOnly).await;
    let answer = post(server, &url(server, ingest, mode), &client.offer).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/sdp");
    let location = format!("{}{}", server.dashboard, answer.headers()["location"].to_str().unwrap());
    let sdp = answer.text().await.unwrap();
    let relay = if relayed { Some(Relay::to(candidate(&sdp)).await) } else { None };
    client.connect(&sdp, relay.as_ref().map(|relay| relay.address)).await;
    (Publish { client, location }, relay)
}

async fn state(server: &Running, ingest: &Ingest) -> String {
    let stream = server.call(server.http.get(format!("{}/stream/{}", server.dashboard, ingest.id))).await;
    stream["state"].as_str().unwrap().to_owned()
}

/// The only recording, once it is finished.
async fn recording(server: &Running, ingest: &Ingest) -> (Value, Value) {
    loop {
        if let [recording] = &server.recordings(&ingest.id).await[..] {
            let report = format!("{}/asset/{}/report", server.dashboard, recording["id"].as_str().unwrap());
            return (recording.clone(), server.call(server.http.get(report)).await["report"].clone());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_browser_sends_is_what_is_recorded() {
    let sent = camera(4).await;
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let (mut publish, _) = publish(&server, &ingest, "rec", false).await;
    let late_ms = publish.client.send(&sent).await.as_millis() as i64;
    assert_eq!(state(&server, &ingest).await, "live");
    assert_eq!(server.http.delete(&publish.location).send().await.unwrap().status(), StatusCode::OK);
    publish.client.drive(Duration::from_secs(5)).await;
    assert!(publish.client.closed, "the server says that it is over");

    let (recording, report) = recording(&server, &ingest).await;
    assert_eq!((recording["video_codec"].as_str(), recording["audio_codec"].as_str()), (Some("h264"), Some("opus")));
    assert_eq!((recording["width"].as_u64(), recording["height"].as_u64()), (Some(640), Some(360)));
    let path = installation.place(&recording);
    assert_eq!(complaints(&path), "");
    let frames = [TrackKind::Video, TrackKind::Audio].map(|kind| count(&sent, kind).to_string());
    assert_eq!(ffprobe(&path, "stream=nb_frames"), frames);
    for track in report["tracks"].as_array().unwrap() {
        assert!(track["lasts_ms"].as_u64().unwrap().abs_diff(4_000) < 60, "{report}");
        assert_eq!((track["gap_count"].as_u64(), track["configurations"].as_u64()), (Some(0), Some(1)), "{report}");
    }
    // Before there is a report of both tracks, after 5 s, their arrivals stand for it: what the machine holds up at first shows.
    assert!(report["av_begin_offset_ms"].as_i64().unwrap().abs() < 40 + late_ms, "{late_ms} ms late: {report}");
    assert!(report["av_end_offset_ms"].as_i64().unwrap().abs() < 60 + late_ms, "{late_ms} ms late: {report}");
    assert_eq!(server.http.delete(&publish.location).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_packet_of_ten_is_lost_and_the_recording_decodes() {
    let sent = camera(8).await;
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let (mut publish, relay) = publish(&server, &ingest, "rec", true).await;
    let relay = relay.unwrap();
    relay.lose(10);
    publish.client.send(&sent).await;
    relay.lose(0);
    assert!(relay.lost() > 50, "{} lost", relay.lost());
    publish.client.drive(Duration::from_millis(500)).await;
    server.http.delete(&publish.location).send().await.unwrap();

    let (recording, report) = recording(&server, &ingest).await;
    assert_eq!(complaints(&installation.place(&recording)), "");
    let video = &report["tracks"][0];
    assert_eq!(video["dropped_frames"], 0, "what arrived is there: {report}");
    // That much can be had by asking again. `lost_frames` does not add up to the rest: of a gap it counts one picture, however
    // many never came, and at the end none.
    let (stored, of) = (video["stored_frames"].as_u64().unwrap(), count(&sent, TrackKind::Video) as u64);
    assert!(stored > of * 8 / 10, "{stored} of {of}: {report}");
    for gap in video["gaps"].as_array().unwrap() {
        let length_ms = gap["to_ms"].as_u64().unwrap() - gap["from_ms"].as_u64().unwrap();
        assert!(length_ms < 2_000, "{report}");
    }
    assert!(report["av_end_offset_ms"].as_i64().unwrap().abs() < 500, "{report}");
}

#[tokio::test]
async fn a_publisher_whose_network_was_gone_goes_on_in_the_same_recording() {
    let sent = camera(2).await;
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let (mut first, relay) = publish(&server, &ingest, "rec", true).await;
    first.client.send(&sent).await;
    relay.unwrap().lose(100);
    // The server has not noticed; but it has heard nothing for some time, when the browser tries anew.
    let busy = post(&server, &url(&server, &ingest, "rec"), &Client::new(Direction::SendOnly).await.offer).await;
    assert_eq!(busy.status(), StatusCode::CONFLICT);
    let error: Value = busy.json().await.unwrap();
    assert_eq!(error["error"]["message"], "already live from another encoder");
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let (mut second, _) = publish(&server, &ingest, "rec", false).await;
    second.client.send(&sent).await;
    assert_eq!(server.http.delete(&first.location).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    second.client.close().await;

    let (recording, report) = recording(&server, &ingest).await;
    assert_eq!(report["reconnect_count"], 1, "{report}");
    assert_eq!(complaints(&installation.place(&recording)), "");
    assert_eq!(report["tracks"][0]["stored_frames"], 100, "{report}");
}

#[tokio::test]
async fn an_encoder_of_any_protocol_takes_over_from_a_browser_that_has_fallen_silent() {
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let (first, _) = publish(&server, &ingest, "live", false).await;
    // Nothing more is sent, nor is it closed: by itself the server would give it up after 20 s.
    let second = timeout(Duration::from_secs(15), Encoder::publish_again(&ingest)).await.unwrap();
    assert_eq!(server.http.delete(&first.location).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    second.unpublish().await;
}

#[tokio::test]
async fn who_offers_and_never_comes_is_given_up_soon() {
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let offer = Client::new(Direction::SendOnly).await.offer;
    let answer = post(&server, &url(&server, &ingest, "live"), &offer).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let gone = async { while state(&server, &ingest).await == "live" {} };
    // After 3 s; one that is there and does not get through has 10 s.
    timeout(Duration::from_secs(8), gone).await.unwrap();
}

#[tokio::test]
async fn what_is_not_taken_is_refused_in_words() {
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let offer = Client::new(Direction::SendOnly).await.offer;
    let vp8 =
        Client::with(Direction::SendOnly, RtcConfig::new().clear_codecs().enable_vp8(true).enable_opus(true, false)).await.offer;
    let whole = url(&server, &ingest, "rec");
    let unknown = whole.replace(&ingest.destination.name, "8sKpm-x49nB");
    let nameless = format!("{}/p/webrtc?stream_url=rtmp://h/rec", server.dashboard);
    let large = "v=0\r\n".repeat(4_000);
    // As many as fit, in little.
    let manifold = format!("{offer}{}", "m=video 9 UDP/TLS/RTP/SAVPF 102\r\na=mid:9\r\n".repeat(3));
    for (url, offer, status, code, words) in [
        (&nameless, &offer, 400, 1002, "Parameter required"),
        (&whole.replace("rec", "play"), &offer, 400, 1004, "Wrong Data Type"),
        (&unknown, &offer, 404, 3001, "Stream not found"),
        // What is offered to no stream is not even read.
        (&unknown, &"hello".to_owned(), 404, 3001, "Stream not found"),
        (&whole, &"\u{1}\u{1}".to_owned(), 400, 1004, "the SDP offer cannot be read"),
        (&whole, &offer.replace("a=fingerprint:", "a=x:"), 400, 1004, "the SDP offer cannot be accepted"),
        (&whole, &"hello".to_owned(), 400, 1004, "the SDP offer cannot be read"),
        (&whole, &vp8, 400, 1004, "the SDP offer has no H.264"),
        (&whole, &manifold, 400, 1004, "the SDP offer has more than 4 media sections"),
        (&whole, &large, 413, 1005, "Body too large"),
    ] {
        let answer = post(&server, url, offer).await;
        assert_eq!(answer.status(), status, "{words}");
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["error"]["code"], code, "{error}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(words), "{error}");
        assert!(
            !words.starts_with("the SDP offer cannot be ") || message == words,
            "the parser's words are not for strangers: {error}"
        );
    }
    let answer = server.http.post(&whole).body(offer.clone()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    server.call(server.http.put(format!("{}/stream/{}/lock", server.dashboard, ingest.id))).await;
    let answer = post(&server, &whole, &offer).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let error: Value = answer.json().await.unwrap();
    assert_eq!(
        (error["error"]["message"].as_str(), error["error"]["userinfo"]["state"].as_str()),
        (Some("stream is locked"), Some("locked"))
    );
}

#[tokio::test]
async fn browsers_may_publish_from_any_page_and_trickle_in_vain() {
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let preflight = server.http.request(reqwest::Method::OPTIONS, url(&server, &ingest, "live"));
    let preflight = preflight.header("origin", "https://example.com").header("access-control-request-method", "POST");
    let preflight = preflight.header("access-control-request-headers", "content-type,authorization").send().await.unwrap();
    assert_eq!(preflight.status(), StatusCode::OK);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    let (publish, _) = publish(&server, &ingest, "live", false).await;
    let patch = |body: &'static str| {
        let request = server.http.patch(&publish.location).header(CONTENT_TYPE, "application/trickle-ice-sdpfrag");
        request.header("origin", "https://example.com").body(body).send()
    };
    let trickled = patch("a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n").await.unwrap();
    assert_eq!(trickled.status(), StatusCode::NO_CONTENT);
    let exposed = trickled.headers()["access-control-expose-headers"].to_str().unwrap().to_lowercase();
    assert!(exposed.contains("location") && exposed.contains("etag"), "{exposed}");
    assert_eq!(patch("a=ice-ufrag:abcd\r\na=ice-pwd:x\r\n").await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_operators_stop_ends_the_session() {
    let sent = camera(1).await;
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let (mut publish, _) = publish(&server, &ingest, "live", false).await;
    publish.client.send(&sent).await;
    server.call(server.http.put(format!("{}/stream/{}/stop", server.dashboard, ingest.id))).await;
    publish.client.drive(Duration::from_secs(10)).await;
    assert!(publish.client.closed);
    assert!(server.recordings(&ingest.id).await.is_empty(), "live only");
}

#[tokio::test]
async fn ffmpeg_publishes_by_whip() {
    let installation = Installation::new();
    let server = installation.start();
    let ingest = server.new_stream().await;
    let mut command = enhanced_ffmpeg();
    command.args(["-v", "warning", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"]);
    command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "8"]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-g", "25"]);
    command.args(["-pix_fmt", "yuv420p", "-c:a", "libopus", "-ac", "2", "-f", "whip", &url(&server, &ingest, "rec")]);
    let done = command.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (recording, report) = recording(&server, &ingest).await;
    assert_eq!((recording["video_codec"].as_str(), recording["audio_codec"].as_str()), (Some("h264"), Some("opus")));
    assert_eq!(complaints(&installation.place(&recording)), "");
    let video = &report["tracks"][0];
    assert_eq!(video["dropped_frames"], 0, "what arrived is there: {report}");
    // Of 200. It sends nothing twice, and of what never came nobody can tell how much it was.
    assert!(video["stored_frames"].as_u64().unwrap() > 185, "{report}");
    // How far apart the beginnings are is told by their arrivals, which hang on the machine. Its reports, after 5 s, mend it.
    assert!(report["av_end_offset_ms"].as_i64().unwrap().abs() < 40, "{report}");
}
