//! The pages as people get them before any script has run: rendered by the real router over the fake backend, forms posted as a browser posts them.

mod accounts;
mod audit;
mod events;
mod forms;
mod library;
mod playback;
mod provider;
mod second_factor;
mod system;
mod titles;

use std::sync::Arc;

use afterlive_domain::{
    Role,
    organisation::{RecordingSettings, Settings},
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::routing::any;
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes, handle_server_fns_with_context, render_app_async_with_context};
use tower::ServiceExt as _;

use crate::backend::{Access, Backend as _, SharedBackend};
use crate::fake::{CREATED, ENDED, Fake, LIVE, NOW, PASSWORD, asset_id};
use crate::shell;
use crate::shell::routes;

const PAGE_LIMIT_BYTES: usize = 4 << 20;

struct Site {
    router: Router,
    fake: Arc<Fake>,
}

struct Page {
    status: StatusCode,
    location: String,
    html: String,
}

impl Site {
    fn new(fake: Fake) -> Self {
        let fake = Arc::new(fake);
        let backend = Arc::clone(&fake) as SharedBackend;
        let provide = move || provide_context(Arc::clone(&backend));
        let options = LeptosOptions::builder().output_name("afterlive").build();
        let page = {
            let options = options.clone();
            move || shell(options.clone())
        };
        let server_fns = {
            let provide = provide.clone();
            any(move |request: Request<Body>| handle_server_fns_with_context(provide.clone(), request))
        };
        let router = Router::new()
            .route("/ui/{*function}", server_fns)
            .leptos_routes_with_context(&options, routes(), provide.clone(), page.clone())
            .fallback(render_app_async_with_context(provide, page))
            .with_state(options);
        Self { router, fake }
    }

    async fn answer(&self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let location = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = to_bytes(response.into_body(), PAGE_LIMIT_BYTES).await.unwrap();
        Page { status, location, html: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Page {
        // Where on the page, a browser keeps to itself.
        let path = path.split('#').next().unwrap_or_default();
        self.answer(Request::get(path).header(header::ACCEPT, "text/html").body(Body::empty()).unwrap()).await
    }

    /// As a browser without scripts does it.
    async fn post(&self, path: &str, form: &str) -> Page {
        let request = Request::post(path)
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::REFERER, "http://localhost/somewhere");
        self.answer(request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

impl Page {
    #[track_caller]
    fn shows(&self, text: &str) -> &Self {
        assert!(self.text().contains(text), "{text:?} is not in: {}", self.text());
        self
    }

    #[track_caller]
    fn shows_not(&self, text: &str) -> &Self {
        assert!(!self.text().contains(text), "{text:?} is in: {}", self.text());
        self
    }

    /// What is between the tags, and the attributes that users meet; without the data that travel for hydration.
    fn text(&self) -> String {
        let body = self.html.split("<body>").nth(1).unwrap_or(&self.html);
        let mut text = String::new();
        for (at, part) in body.split("<script").enumerate() {
            text.push_str(if at == 0 { part } else { part.split_once("</script>").map_or("", |(_, rest)| rest) });
        }
        text.replace("<!>", "")
    }

    fn count(&self, text: &str) -> usize {
        self.text().matches(text).count()
    }
}

#[tokio::test]
async fn every_page_answers_in_full_without_a_script() {
    let site = Site::new(Fake::signed_in());
    for path in [
        "/",
        "/stream",
        "/stream/create",
        "/organisation",
        "/account",
        "/vod",
        "/webcaster",
        &format!("/vod/{}", asset_id(ENDED, 3)),
        &format!("/stream/new/{LIVE}"),
        &format!("/stream/{LIVE}"),
        &format!("/playout/{LIVE}"),
        &format!("/webcaster/{LIVE}"),
    ] {
        let page = site.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        page.shows("ada@northlight.example").shows_not("class=\"skeleton\"").shows_not("style=\"");
        assert_eq!(page.count("<h1"), 1, "{path}");
    }
}

#[tokio::test]
async fn who_is_signed_out_is_led_to_the_sign_in_and_back() {
    let site = Site::new(Fake::signed_out());
    for path in [
        "/",
        "/stream?state=live",
        "/stream/create",
        "/organisation",
        "/vod",
        "/webcaster",
        &format!("/stream/{LIVE}"),
        &format!("/vod/{}", asset_id(LIVE, 1)),
    ] {
        let page = site.get(path).await;
        assert_eq!(page.status, StatusCode::FOUND, "{path}");
        assert!(page.location.starts_with("/auth?next="), "{}", page.location);
        page.shows_not("8sKpm").shows_not("Northlight");
    }
    let page = site.post("/ui/sign_in", &format!("email=ada@northlight.example&password={PASSWORD}&next=%2Fstream")).await;
    assert_eq!((page.status, page.location.as_str()), (StatusCode::FOUND, "/stream"));
    site.get("/stream").await.shows("8sKpm-x49nB");
    let page = site.post("/ui/sign_out", "").await;
    assert_eq!((page.status, page.location.as_str()), (StatusCode::FOUND, "/auth?notice=signed-out"));
}

#[tokio::test]
async fn a_wrong_password_is_an_answer_and_a_foreign_way_back_is_none() {
    let site = Site::new(Fake::signed_out());
    let page = site.post("/ui/sign_in", "email=a@b.example&password=wrong&next=%2F%2Fevil.example").await;
    assert_eq!((page.status, page.location.as_str()), (StatusCode::FOUND, "/auth?error=credentials&next=%2F"));
    site.get(&page.location).await.shows("do not belong together").shows("name=\"password\"");
    let page = site.post("/ui/sign_in", "email=a@b.example&password=too+often").await;
    site.get(&page.location).await.shows("wait 30 seconds");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let site = Site::new(Fake::signed_in());
    for path in [
        "/nothing",
        "/stream/not-an-id",
        "/stream/00000000-0000-0000-0000-00000000ffff",
        "/vod/nothing",
        "/vod/00000000-0000-0000-0000-00000000ffff",
    ] {
        let page = site.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        page.shows("There is nothing here");
    }
}

#[tokio::test]
async fn the_overview_has_all_that_is_copied_and_the_recordings_newest_first() {
    let site = Site::new(Fake::signed_in());
    for path in ["stream", "playout", "webcaster"] {
        let page = site.get(&format!("/{path}/{LIVE}")).await;
        page.shows("rtmp://localhost:1935/rec").shows("live + recording").shows("rtmp://localhost:1935/live").shows("live only");
        page.shows("rtmps://localhost:1937/rec").shows("rtmps://localhost:1937/live");
        page.shows("8sKpm-x49nB").shows(&LIVE.to_string()).shows("VOD Playout URLs").shows("24 recordings").shows("Show all 24");
        page.shows("H.264 · 1280 × 720 · 29.97 fps")
            .shows("2.0 s")
            .shows("Bitrate over the last minutes")
            .shows("Left")
            .shows("−21 dB")
            .shows("peak −9 dB");
        assert_eq!(page.count("<tbody class=\"recording "), 10, "{path}");
        let text = page.text();
        let (growing, newest) = (text.find("8sKpm-x49nB-24.mp4"), text.find("Play and details of 8sKpm-x49nB-23.mp4"));
        assert!(growing.is_some() && growing < newest, "the recording in progress stands on top");
        page.shows("preload=\"none\"").shows("1280 × 720").shows("?download");
    }
    let all = site.get(&format!("/stream/{LIVE}?recordings=all")).await;
    assert_eq!(all.count("<tbody class=\"recording "), 24);
    let last = site.get(&format!("/stream/{LIVE}?page=3")).await;
    assert_eq!(last.count("<tbody class=\"recording "), 4);
}

#[tokio::test]
async fn states_and_their_reasons_are_words() {
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{ENDED}")).await;
    page.shows("incomplete").shows("The disk was full").shows("failed").shows("The encoder sent no picture").shows("1:00:40");
}

#[tokio::test]
async fn a_stream_without_recordings_says_how_to_record_and_whether_it_can() {
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{CREATED}")).await;
    page.shows("Nothing is recorded yet").shows("rtmp://localhost:1935/rec");
    let off = Settings { recording_enabled: false, vod_public: false, live_public: false };
    let page = Site::new(Fake::signed_in().with_settings(off)).get(&format!("/stream/{CREATED}")).await;
    page.shows("Recording is off for your organisation").shows_not("live + recording");
}

#[tokio::test]
async fn viewers_from_outside_see_recordings_and_nothing_to_operate() {
    let public = Settings { recording_enabled: true, vod_public: true, live_public: true };
    let page = Site::new(Fake::signed_out().with_settings(public)).get(&format!("/playout/{LIVE}")).await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows("<video").shows("8sKpm-x49nB-23.mp4");
    page.shows_not("/rec").shows_not("Ingest").shows_not("Edit tags").shows_not("To the stream").shows_not("New stream");
    page.shows_not("Streamname").shows_not("Nothing to mend");
}

#[tokio::test]
async fn viewers_from_outside_see_what_plays_and_the_recordings_and_the_rest_one_click_further() {
    let public = Settings { recording_enabled: true, vod_public: true, live_public: true };
    let path = format!("/playout/{LIVE}");
    let page = Site::new(Fake::signed_out().with_settings(public)).get(&path).await;
    let text = page.text();
    let (seen, folded) = text.split_once("<details class=\"card more-of\">").unwrap();
    for first in
        ["<h1>Sunday service", "<afterlive-player live=", "Recordings</h2>", "Download MP4", "This stream has been live since "]
    {
        assert!(seen.contains(first), "{first} is not in: {seen}");
    }
    for rest in ["hall-2", "index.m3u8</code>", "WHEP", "Unevenness", "Keyframe interval", "Updated"] {
        assert!(!seen.contains(rest), "{rest} is in: {seen}");
        assert!(folded.contains(rest), "{rest} is not in: {folded}");
    }
    let member = Site::new(Fake::signed_in_as(Role::ReadOnly).with_settings(public)).get(&path).await;
    member.shows("Unevenness").shows("hall-2").shows("index.m3u8</code>").shows_not("more-of");
}

#[tokio::test]
async fn who_was_signed_out_elsewhere_is_told_so_at_the_sign_in() {
    let site = Site::new(Fake::signed_out_elsewhere());
    let led = site.get("/stream?state=live").await;
    assert_eq!((led.status, led.location.as_str()), (StatusCode::FOUND, "/auth?next=%2Fstream%3Fstate%3Dlive&error=ended"));
    let page = site.get(&led.location).await;
    page.shows("Your session has ended. Please sign in again.").shows_not("New stream");
    // A form that was sent meanwhile.
    let form = site.post("/ui/hold_recording", &format!("asset={}", asset_id(LIVE, 1))).await;
    assert!(form.location.ends_with("&error=ended"), "{}", form.location);
    Site::new(Fake::signed_out()).get("/auth?next=%2Fstream").await.shows_not("has ended");
}

#[tokio::test]
async fn pages_to_operate_a_stream_from_ask_outsiders_to_sign_in_also_where_recordings_are_public() {
    let public = Settings { recording_enabled: true, vod_public: true, live_public: true };
    let site = Site::new(Fake::signed_out().with_settings(public));
    for path in ["stream", "stream/new", "webcaster"] {
        let page = site.get(&format!("/{path}/{LIVE}")).await;
        assert!(page.location.starts_with("/auth?next="), "{path}: {} {}", page.status, page.location);
        page.shows_not("8sKpm-x49nB");
    }
    let site = Site::new(Fake::signed_in());
    site.get("/organisation").await.shows("it is all that it takes to publish");
}

#[tokio::test]
async fn the_webcaster_is_told_the_stream_and_what_may_become_of_it() {
    let path = format!("/webcaster/{LIVE}");
    let page = Site::new(Fake::signed_in()).get(&path).await;
    page.shows("Go live from this browser").shows("<afterlive-webcaster stream-key=\"8sKpm-x49nB\"").shows(" records");
    let live_only = Settings { recording_enabled: false, vod_public: false, live_public: true };
    Site::new(Fake::signed_in().with_settings(live_only)).get(&path).await.shows_not(" records");
}

#[tokio::test]
async fn figures_of_what_is_live_come_with_what_is_good_and_what_to_do() {
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{LIVE}")).await;
    page.shows("What is good, and what to do").shows("<dt>Loudness and peak</dt>").shows("<dt>Unevenness</dt><dd>How much later");
    page.shows("turn the gain down").shows("use a cable instead of Wi-Fi");
}

#[tokio::test]
async fn an_encoder_that_was_cut_off_is_waited_for_on_its_pages() {
    let site = Site::new(Fake::signed_in().awaiting(ENDED, 27));
    for path in ["stream", "playout", "webcaster"] {
        let page = site.get(&format!("/{path}/{ENDED}")).await;
        page.shows("pill interrupted").shows("The signal is interrupted.").shows("27 s more for the encoder.");
        assert_eq!(page.count("The signal is interrupted."), 1, "{path}");
    }
    let page = site.get(&format!("/playout/{ENDED}")).await;
    page.shows("<afterlive-player live=\"/live/8sKpm-Q7wLd\"").shows("Play the newest recording").shows("in its recording");
    page.shows_not("Newest recording:");

    let public = Settings { live_public: true, vod_public: true, ..Settings::default() };
    let outside = Site::new(Fake::signed_out().with_settings(public).awaiting(ENDED, 27));
    let page = outside.get(&format!("/playout/{ENDED}")).await;
    page.shows("Once it is back, the picture goes on here by itself.")
        .shows("Play the newest recording")
        .shows_not("in its recording");
    let over = Site::new(Fake::signed_in()).get(&format!("/playout/{ENDED}")).await;
    over.shows_not("interrupted").shows("Newest recording:");
}

#[tokio::test]
async fn the_playout_page_plays_what_is_live_or_else_the_newest_recording() {
    let page = Site::new(Fake::signed_in()).get(&format!("/playout/{LIVE}")).await;
    page.shows("live=\"/live/8sKpm-x49nB\"").shows("/live/8sKpm-x49nB/index.m3u8").shows("Watch it from its start");
    page.shows_not("Recorded just now").shows_not("Newest recording: ");
    let page = Site::new(Fake::signed_in()).get(&format!("/playout/{ENDED}")).await;
    page.shows("Newest recording: ").shows_not("Still being recorded.").shows_not("live=\"/live/");
    let page = Site::new(Fake::signed_in()).get(&format!("/playout/{CREATED}")).await;
    page.shows("There is no recording to play yet.");
}

#[tokio::test]
async fn a_live_stream_is_judged_and_can_be_watched_in_small() {
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{LIVE}")).await;
    page.shows("Nothing to mend")
        .shows("31 ms")
        .shows("The stream as it looked some seconds ago")
        .shows_not("<afterlive-player live");
}

#[tokio::test]
async fn where_viewers_find_a_stream_is_listed_for_each_way_to_watch() {
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{LIVE}?tab=code")).await;
    page.shows(&format!("http://localhost:3000/embed/{LIVE}")).shows("picture-in-picture");
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{LIVE}")).await;
    page.shows("http://localhost:3000/live/8sKpm-x49nB/index.m3u8").shows("ws://localhost:3000/live/8sKpm-x49nB/ws");
}

#[tokio::test]
async fn sites_that_may_embed_are_a_form_that_says_what_it_cannot_take() {
    let site = Site::new(Fake::signed_in());
    site.get("/organisation").await.shows("Sites that may show the player").shows("placeholder=\"every site\"");
    let page = site.post("/ui/save_embed_domains", "domains=https%3A%2F%2FExample.com%2Fa+*.example.org").await;
    site.get(&page.location).await.shows("Saved.").shows("value=\"example.com *.example.org\"");
    let page = site.post("/ui/save_embed_domains", "domains=%27self%27").await;
    site.get(&page.location).await.shows("Please give host names").shows("value=\"example.com *.example.org\"");
    Site::new(Fake::signed_in_as(Role::User)).get("/organisation").await.shows_not("Sites that may show the player");
}

#[tokio::test]
async fn the_webhook_is_a_form_that_says_what_it_cannot_take() {
    let site = Site::new(Fake::signed_in());
    site.get("/organisation").await.shows("URL that decides who may publish").shows("placeholder=\"nobody is asked\"");
    let page = site.post("/ui/save_webhook", "url=+https%3A%2F%2Fexample.com%2Fpublish%3Fa%3D1").await;
    site.get(&page.location).await.shows("Saved.").shows("value=\"https://example.com/publish?a=1\"");
    let page = site.post("/ui/save_webhook", "url=https%3A%2F%2Fuser%3Asecret%40example.com").await;
    site.get(&page.location).await.shows("Please give a URL without a user and password").shows("https://example.com/publish");
    let page = site.post("/ui/save_webhook", "url=").await;
    site.get(&page.location).await.shows("Saved.").shows_not("https://example.com/publish");
    let site = Site::new(Fake::signed_in_as(Role::User));
    site.get("/organisation").await.shows_not("URL that decides who may publish");
}

#[tokio::test]
async fn a_publish_key_is_recommended_where_playback_is_public_and_then_stands_in_all_that_encoders_take() {
    let site = Site::new(Fake::signed_in());
    site.get("/organisation").await.shows("Recommended, since playback is public");
    let stream = format!("/stream/{LIVE}");
    site.get(&stream).await.shows_not("?key=").shows_not("Renew key");
    let page = site.post("/ui/require_publish_key", "required=on").await;
    let page = site.get(&page.location).await;
    page.shows("Saved.").shows_not("Recommended, since").shows_not("it is all that it takes to publish");

    for path in [&stream, &format!("/stream/new/{LIVE}"), &format!("/webcaster/{LIVE}")] {
        let page = site.get(path).await;
        page.shows("rtmps://localhost:1937/rec/8sKpm-x49nB?key=fake0").shows("stream_name=8sKpm-x49nB%3Fkey%3Dfake0");
        page.shows_not("your role is not shown");
    }
    site.get(&format!("/webcaster/{LIVE}")).await.shows("stream-key=\"8sKpm-x49nB?key=fake0\"").shows_not("Renew key");
    site.get(&stream).await.shows("Renew key").shows("What is on air goes on");
    let page = site.post("/ui/renew_publish_key", &format!("stream={LIVE}")).await;
    site.get(&page.location).await.shows("The publish key is renewed.").shows("?key=fake1").shows_not("?key=fake0");

    site.post("/ui/require_publish_key", "").await;
    site.get(&stream).await.shows_not("?key=");
    let private = Settings { vod_public: false, live_public: false, ..Settings::default() };
    let site = Site::new(Fake::signed_in().with_settings(private));
    site.get("/organisation").await.shows("Publish key required").shows_not("Recommended, since");
}

#[tokio::test]
async fn who_may_only_read_is_shown_no_publish_key_and_told_so() {
    for (role, is_shown) in [(Role::ReadOnly, false), (Role::User, true)] {
        let site = Site::new(Fake::signed_in_as(role));
        site.post("/ui/require_publish_key", "required=on").await;
        for (path, to_readers) in [
            ("stream", "your role is not shown"),
            ("stream/new", "Your role does not allow this"),
            ("webcaster", "Your role does not allow this"),
        ] {
            let page = site.get(&format!("/{path}/{LIVE}")).await;
            assert_eq!(page.html.contains("?key="), is_shown, "{path} as {role}");
            assert_eq!(page.html.contains(to_readers), !is_shown, "{path} as {role}");
            page.shows_not("Renew key");
        }
        site.get("/organisation").await.shows_not("Publish key required");
    }
}

#[tokio::test]
async fn who_deletes_a_stream_is_told_what_becomes_of_its_recordings() {
    let site = Site::new(Fake::signed_in());
    let page = site.get(&format!("/stream/{LIVE}")).await;
    page.shows("Its 24 recordings go to the bin: their URLs stop working, and for 7 days the library can restore them.");
    page.shows("What is on legal hold stays, at its URL.");
    site.get(&format!("/stream/{CREATED}")).await.shows("its streamname is never given again.").shows_not("go to the bin");
}

#[tokio::test]
async fn the_set_up_link_says_once_it_has_been_used() {
    let site = Site::new(Fake::new(Access::NotSetUp));
    site.get("/setup?token=token").await.shows("Create the organisation");
    let site = Site::new(Fake::signed_out());
    let page = site.get("/setup?token=token").await;
    page.shows("This link has been used").shows("href=\"/auth\"").shows_not("Create the organisation");
}

#[tokio::test]
async fn each_role_sees_what_it_may_do() {
    let page = Site::new(Fake::signed_in_as(Role::ReadOnly)).get(&format!("/stream/{LIVE}")).await;
    page.shows_not("Delete").shows_not("Stop &amp; Lock").shows_not("Edit tags").shows_not("New stream");
    let site = Site::new(Fake::signed_in_as(Role::User));
    site.get(&format!("/stream/{LIVE}")).await.shows("Edit tags").shows_not("Stop &amp; Lock");
    site.get("/organisation").await.shows_not("Make a key").shows_not("VOD public");
    assert_eq!(Site::new(Fake::signed_in_as(Role::ReadOnly)).get("/stream/create").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn forms_work_as_plain_posts() {
    let site = Site::new(Fake::signed_in());
    let page = site.post("/ui/create_stream", "tags=hall-2&then=webcaster").await;
    assert!(page.location.starts_with("/webcaster/"), "{}", page.location);
    let page = site.post("/ui/create_stream", "tags=title%3AChoir%2C+hall-1&mode=rec").await;
    assert_eq!(page.status, StatusCode::FOUND);
    assert!(page.location.starts_with("/stream/new/"), "{}", page.location);
    site.get(&page.location).await.shows("Go live in three steps").shows("OBS Studio").shows("ffmpeg -re");

    let page = site.post("/ui/set_tags", &format!("stream={LIVE}&tags=one%2C+two")).await;
    assert_eq!(page.location, format!("/stream/{LIVE}?notice=tags"));
    site.get(&page.location).await.shows("Tags saved.").shows("one, two");

    let page = site.post("/ui/stop_and_lock", &format!("stream={LIVE}")).await;
    site.get(&page.location).await.shows("Stopped and locked").shows("Unlock");
    let page = site.post("/ui/delete_stream", &format!("stream={LIVE}")).await;
    assert_eq!(page.location, "/stream?notice=deleted");
    // What is left of it has no page.
    site.get("/stream?state=deleted").await.shows("8sKpm-x49nB").shows(&LIVE.to_string()).shows_not(&format!("/stream/{LIVE}"));
}

#[tokio::test]
async fn what_a_form_refuses_is_said_on_the_page_it_leads_back_to_and_once() {
    let site = Site::new(Fake::signed_in());
    let page = site.post("/ui/set_tags", &format!("stream={LIVE}&tags={}", "x".repeat(300))).await;
    assert_eq!((page.status, page.location.as_str()), (StatusCode::FOUND, format!("/stream/{LIVE}?notice=flash#tags").as_str()));
    site.get(&page.location).await.shows("Please give tags of at most 200 characters.");
    site.get(&page.location).await.shows_not("Please give tags");
}

#[tokio::test]
async fn a_new_key_is_shown_once_and_stands_in_no_url() {
    let site = Site::new(Fake::signed_in());
    let page = site.post("/ui/create_api_key", "label=Website+2&role=nanoReadOnly").await;
    assert_eq!(page.location, "/organisation?notice=flash");
    site.get(&page.location).await.shows("al_9ZtFakeKeyThatOpensNothing").shows("Website 2");
    site.get(&page.location).await.shows_not("al_9ZtFakeKeyThatOpensNothing").shows("Website 2");
}

#[tokio::test]
async fn a_key_is_good_until_it_is_revoked_or_for_some_days() {
    let site = Site::new(Fake::signed_in());
    site.post("/ui/create_api_key", "label=Forever&role=nanoUser&days=").await;
    site.post("/ui/create_api_key", "label=Week&role=nanoUser&days=+7+").await;
    let keys = site.fake.organisation().await.unwrap().keys.unwrap();
    let ends: Vec<_> = keys[..2].iter().map(|key| (key.label.as_str(), key.expires_at)).collect();
    assert_eq!(ends, [("Week", Some(NOW.plus_ms(7 * 86_400_000))), ("Forever", None)]);
    site.get("/organisation").await.shows("data-label=\"Good until (UTC)\"").shows("2026-11-11 17:09:19").shows("it is revoked");
    site.post("/ui/create_api_key", "label=Players&role=player").await;
    let keys = site.fake.organisation().await.unwrap().keys.unwrap();
    assert_eq!((keys[0].label.as_str(), keys[0].role), ("Players", None));
    site.get("/organisation")
        .await
        .shows("<td data-label=\"Role\">player key</td>")
        .shows("X-BINTU-APIKEY")
        .shows("X-BINTU-PLAYERKEY");
    for (bad, says) in [
        ("days=a+week&role=nanoUser", "the days as a whole number"),
        ("days=1&role=root", "Please choose a role, or a player key."),
        ("days=1&role=", "Please choose a role, or a player key."),
    ] {
        let page = site.post("/ui/create_api_key", &format!("label=Bad&{bad}")).await;
        assert_eq!(page.location, "/organisation?notice=flash#keys");
        site.get(&page.location).await.shows(says);
    }
    assert_eq!(site.fake.organisation().await.unwrap().keys.unwrap().len(), keys.len());
}

#[tokio::test]
async fn switches_left_out_of_a_form_are_off() {
    let site = Site::new(Fake::signed_in());
    site.post("/ui/save_organisation", "name=Southlight&vod_public=on").await;
    let page = site.fake.organisation().await.unwrap();
    assert_eq!(
        (page.name.as_str(), page.settings),
        ("Southlight", Settings { recording_enabled: false, vod_public: true, live_public: false })
    );
}

#[tokio::test]
async fn limits_and_retention_are_a_form_whose_empty_fields_follow_the_server() {
    let site = Site::new(Fake::signed_in());
    let page = site.get("/organisation").await;
    page.shows("Limits and retention").shows("value=\"7200\"").shows("placeholder=\"no limit\"").shows("placeholder=\"30\"");
    page.shows("placeholder=\"for ever\"").shows("can be restored for 7 days");

    let form = "max_duration_s=&max_megabytes=1.048577&reconnect_window_s=0&retention_days=+90+";
    let page = site.post("/ui/save_recording_settings", form).await;
    assert_eq!(page.location, "/organisation?notice=saved&card=limits#limits");
    let saved = site.fake.organisation().await.unwrap().recording;
    let expected = RecordingSettings {
        max_duration_s: None,
        max_bytes: Some(1_048_577),
        reconnect_window_s: Some(0),
        retention_days: Some(90),
    };
    assert_eq!(saved, expected);
    site.get(&page.location).await.shows("Saved.").shows("value=\"1.048577\"").shows("value=\"90\"");

    let page = site.post("/ui/save_recording_settings", "max_megabytes=1%2C5").await;
    assert_eq!(page.location, "/organisation?notice=flash#limits");
    site.get(&page.location).await.shows("Please give the largest recording in MB as a number");
    assert_eq!(site.fake.organisation().await.unwrap().recording, expected, "what is refused changes nothing");
    site.post("/ui/save_recording_settings", "reconnect_window_s=3601").await;
    assert_eq!(site.fake.organisation().await.unwrap().recording, expected);
    Site::new(Fake::signed_in_as(Role::User)).get("/organisation").await.shows_not("Limits and retention");
}

#[tokio::test]
async fn the_list_keeps_its_filter_in_the_url() {
    let site = Site::new(Fake::signed_in());
    let page = site.get("/stream?tag=archive&sort=name&page=2").await;
    page.shows("35 streams").shows("Page 2 of 2").shows("value=\"archive\"").shows("/stream?tag=archive&amp;sort=name");
    assert_eq!(page.count("data-label=\"Stream\""), 10);
    site.get("/stream?q=nothing-like-it").await.shows("No stream matches.");
}

#[tokio::test]
async fn the_set_up_keeps_what_was_typed_and_says_what_to_mend() {
    let site = Site::new(Fake::new(Access::NotSetUp));
    site.get("/auth").await.shows("one-time set-up link");
    let page = site.post("/ui/set_up", "token=token&organisation_name=Northlight&email=ada%40n.example&password=short").await;
    site.get(&page.location).await.shows("value=\"Northlight\"").shows("value=\"ada@n.example\"").shows("at least 10 characters");
    let page = site.post("/ui/set_up", "token=old&organisation_name=N&email=ada%40n.example&password=long+enough+for+us").await;
    site.get(&page.location).await.shows("not the one that the server printed");
    let page = site.post("/ui/set_up", "token=token&organisation_name=N&email=ada%40n.example&password=long+enough+for+us").await;
    assert_eq!(page.location, "/?notice=welcome");
}

#[tokio::test]
async fn the_chosen_colours_come_with_the_page() {
    let site = Site::new(Fake::signed_in());
    let request = Request::get("/").header(header::COOKIE, "session=x; theme=dark").body(Body::empty()).unwrap();
    assert!(site.answer(request).await.html.contains("data-theme=\"dark\""));
    let page = site.post("/ui/theme", "theme=light&next=%2Fstream").await;
    assert_eq!(page.location, "/stream");
}
