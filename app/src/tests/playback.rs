//! Playback tokens and push URLs on a stream's page, and what is guarded.

use afterlive_domain::Role;
use afterlive_domain::organisation::Settings;
use axum::http::StatusCode;

use super::Site;
use crate::fake::{Fake, LIVE, TOKEN};

const GUARDED: Settings = Settings { recording_enabled: true, vod_public: false, live_public: false };

#[tokio::test]
async fn a_token_is_made_shown_once_in_each_url_and_revoked() {
    let site = Site::new(Fake::signed_in().with_settings(GUARDED));
    let page = format!("/stream/{LIVE}?tab=code");
    site.get(&page).await.shows("Neither live nor recordings are public").shows("No tokens yet.");
    let form = format!("stream={LIVE}&label=Website&amount=2&unit=days&ips=203.0.113.7%2C+10.0.0.0%2F8&domains=example.com");
    let made = site.post("/ui/make_playback_token", &form).await;
    assert!(made.location.starts_with(&format!("/stream/{LIVE}?")) && !made.location.contains(TOKEN), "{}", made.location);
    let shown = site.get(&made.location).await;
    shown.shows(&format!("/playout/{LIVE}?token={TOKEN}")).shows(&format!("/embed/{LIVE}?token={TOKEN}"));
    shown.shows(&format!("rtmp://localhost:1935/play/8sKpm-x49nB?token={TOKEN}")).shows(&format!(".mp4?token={TOKEN}"));
    for way in ["index.m3u8", "ws", "whep"] {
        shown.shows(&format!("://localhost:3000/live/8sKpm-x49nB/{way}?token={TOKEN}"));
    }
    shown
        .shows("The player in an iframe, with the token")
        .shows(&format!("&lt;iframe src=\"http://localhost:3000/embed/{LIVE}?token={TOKEN}\""));
    shown.shows("HTML video, with the token").shows(&format!(".mp4?token={TOKEN}\"&gt;&lt;/video&gt;"));
    let listed = site.get(&page).await;
    listed.shows_not(TOKEN).shows("Website").shows("203.0.113.7, 10.0.0.0/8, example.com").shows("2026-11-06");
    let id = site.fake.tokens()[0].id;
    let revoked = site.post("/ui/revoke_playback_token", &format!("stream={LIVE}&token={id}")).await;
    site.get(&revoked.location).await.shows("The token is revoked.").shows("No tokens yet.");
    let bad = site.post("/ui/make_playback_token", &format!("stream={LIVE}&label=x&amount=soon")).await;
    site.get(&bad.location).await.shows("as a whole number");
}

#[tokio::test]
async fn an_administrator_ends_all_tokens_at_once() {
    let site = Site::new(Fake::signed_in().with_settings(GUARDED));
    site.post("/ui/make_playback_token", &format!("stream={LIVE}&label=Website&amount=2&unit=days")).await;
    site.get("/organisation").await.shows("End all playback tokens").shows("What is public plays on");
    let ended = site.post("/ui/renew_playback_secret", "").await;
    site.get(&ended.location).await.shows("All playback tokens have ended.");
    site.get(&format!("/stream/{LIVE}?tab=code")).await.shows("No tokens yet.");
    Site::new(Fake::signed_in_as(Role::User)).get("/organisation").await.shows_not("End all playback tokens");
}

#[tokio::test]
async fn readers_make_no_tokens_and_edit_no_push_url() {
    let site = Site::new(Fake::signed_in_as(Role::ReadOnly));
    site.get(&format!("/stream/{LIVE}?tab=code")).await.shows_not("Playback access");
    site.get(&format!("/stream/{LIVE}")).await.shows("Pushed to").shows_not("Edit the push URL");
}

#[tokio::test]
async fn what_is_guarded_is_loaded_with_a_pass_and_copied_without() {
    let page = Site::new(Fake::signed_in().with_settings(GUARDED)).get(&format!("/stream/{LIVE}")).await;
    let file = "http://localhost:3000/vod-eu/8sKpm/8sKpm-x49nB-23.mp4";
    page.shows(&format!("src=\"{file}?token=a.pass.token\"")).shows(&format!("{file}?token=a.pass.token&amp;download"));
    page.shows(&format!(">{file}<")).shows("Recordings are not public here");
    Site::new(Fake::signed_in()).get(&format!("/stream/{LIVE}")).await.shows_not("token=").shows_not("not public here");
}

#[tokio::test]
async fn a_token_opens_the_playout_page() {
    let site = Site::new(Fake::signed_out().with_settings(GUARDED));
    let refused = site.get(&format!("/playout/{LIVE}")).await;
    assert!(refused.location.starts_with("/auth?next="), "{}", refused.location);
    let opened = site.get(&format!("/playout/{LIVE}?token={TOKEN}")).await;
    assert_eq!(opened.status, StatusCode::OK);
    opened.shows("<video").shows_not("Pushed to");
    opened.shows_not("Tokens are made").shows_not("not public here").shows_not("Code snippets");
    let live_only = Settings { live_public: true, ..GUARDED };
    let page = Site::new(Fake::signed_out().with_settings(live_only)).get(&format!("/playout/{LIVE}")).await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows_not(".mp4");
}

#[tokio::test]
async fn where_something_is_guarded_operators_are_led_to_where_tokens_are_made() {
    let (page, code, playout) = (format!("/stream/{LIVE}"), format!("/stream/{LIVE}?tab=code"), format!("/playout/{LIVE}"));
    let link = format!("href=\"/stream/{LIVE}?tab=code#playback-access-title\"");
    let site = Site::new(Fake::signed_in().with_settings(GUARDED));
    for path in [&page, &code, &playout] {
        site.get(path).await.shows(&link);
    }
    site.get(&code).await.shows("Neither live nor recordings are public: they play only").shows("id=\"playback-access-title\"");
    let live_only = Settings { live_public: true, ..GUARDED };
    let page_of_it = Site::new(Fake::signed_in().with_settings(live_only)).get(&code).await;
    page_of_it.shows("Recordings are not public: they play only").shows(&link);
    let public = Settings { live_public: true, vod_public: true, ..GUARDED };
    Site::new(Fake::signed_in().with_settings(public)).get(&code).await.shows_not(&link);
    let reader = Site::new(Fake::signed_in_as(Role::ReadOnly).with_settings(GUARDED));
    reader.get(&page).await.shows("Who may edit streams makes tokens.").shows_not(&link);
}

#[tokio::test]
async fn operators_are_told_that_who_sees_the_addresses_can_publish_and_viewers_are_not() {
    let public = Settings { live_public: true, vod_public: true, ..GUARDED };
    let told = "it is the key to publish with";
    let inside = Site::new(Fake::signed_in().with_settings(public));
    for path in ["stream", "playout"] {
        inside.get(&format!("/{path}/{LIVE}")).await.shows(told);
    }
    inside.post("/ui/require_publish_key", "required=on").await;
    for path in ["stream", "playout"] {
        let page = inside.get(&format!("/{path}/{LIVE}")).await;
        page.shows("opens for everyone who has its link").shows_not(told);
    }
    let outside = Site::new(Fake::signed_out().with_settings(public)).get(&format!("/playout/{LIVE}")).await;
    outside.shows("index.m3u8").shows_not(told).shows_not("opens for everyone");
}

#[tokio::test]
async fn a_push_url_is_set_and_its_state_is_shown() {
    let site = Site::new(Fake::signed_in());
    site.get(&format!("/stream/{LIVE}")).await.shows("nowhere");
    let saved = site.post("/ui/set_push_url", &format!("stream={LIVE}&url=+rtmp%3A%2F%2Flive.example.com%2Fapp%2Fkey+")).await;
    site.get(&saved.location).await.shows("rtmp://live.example.com/app/key").shows("Pushing since");
    site.post("/ui/set_push_url", &format!("stream={LIVE}&url=")).await;
    site.get(&format!("/stream/{LIVE}")).await.shows("nowhere");
}
