//! Endpoints for events, as pages without a script.

use afterlive_domain::Role;

use super::Site;
use crate::backend::Backend as _;
use crate::fake::{ENDED, ENDPOINT, Fake, LIVE, WHSEC};

#[tokio::test]
async fn an_endpoint_is_made_and_its_page_has_what_a_program_needs() {
    let site = Site::new(Fake::signed_in());
    site.get("/organisation").await.shows("/organisation/events").shows("signed webhooks");
    site.get("/organisation/events").await.shows("None yet. An endpoint is a URL of yours").shows("Add the endpoint");
    let page = site.post("/ui/create_endpoint", "url=https%3A%2F%2Fexample.com%2Fevents&asset_ready=on&stream_live=on").await;
    assert_eq!(page.location, format!("/organisation/events/{ENDPOINT}?notice=endpoint%2Dmade"));
    let page = site.get(&page.location).await;
    page.shows("The endpoint is made.").shows("https://example.com/events").shows(WHSEC).shows("Send a test");
    page.shows("3 tries: it answered 503")
        .shows("13 tries: its host cannot be found")
        .shows("queued")
        .shows("Send stream.live again");
    page.shows(&format!("href=\"/stream/{LIVE}\"")).shows("stream (deleted)").shows_not(&format!("href=\"/stream/{ENDED}\""));
    let page = site.get("/organisation/events").await;
    page.shows("stream.live, asset.ready").shows("Open https://example.com/events").shows_not(WHSEC);
}

#[tokio::test]
async fn what_is_typed_wrong_is_said() {
    let site = Site::new(Fake::signed_in());
    for (form, told) in [
        ("url=ftp%3A%2F%2Fexample.com&asset_ready=on", "an https:// or http:// URL"),
        ("url=https%3A%2F%2Fexample.com", "tick at least one kind"),
    ] {
        let page = site.post("/ui/create_endpoint", form).await;
        site.get(&page.location).await.shows(told);
    }
    assert!(site.fake.endpoints().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_endpoint_is_switched_rotated_tried_out_sent_again_and_deleted() {
    let site = Site::new(Fake::signed_in());
    site.post("/ui/create_endpoint", "url=https%3A%2F%2Fexample.com&asset_ready=on").await;
    let id = format!("id={ENDPOINT}");
    let page = site.post("/ui/test_endpoint", &id).await;
    site.get(&page.location).await.shows("A test is on its way.").shows("1 try: it answered 204");
    let page = site.post("/ui/rotate_endpoint_secret", &id).await;
    site.get(&page.location).await.shows("A new secret signs from now on").shows("The one before signs too, until");
    let failed = site.fake.endpoint(ENDPOINT, None).await.unwrap().deliveries.pop().unwrap();
    let page = site.post("/ui/resend_delivery", &format!("delivery={}&endpoint={ENDPOINT}", failed.id)).await;
    site.get(&page.location).await.shows("It is sent again.").shows_not("13 tries");
    let page = site.post("/ui/change_endpoint", &format!("{id}&url=http%3A%2F%2Fexample.org&asset_failed=on")).await;
    site.get(&page.location).await.shows("Saved.").shows("http://example.org").shows("Switch it off");
    let page = site.post("/ui/switch_endpoint", &format!("{id}&enabled=false")).await;
    site.get(&page.location)
        .await
        .shows("Switched off.")
        .shows("Switch it on")
        .shows_not("Send a test")
        .shows_not("Send stream.live again");
    let page = site.post("/ui/delete_endpoint", &id).await;
    site.get(&page.location).await.shows("The endpoint is deleted.").shows("None yet.");
    assert_eq!(site.get(&format!("/organisation/events/{ENDPOINT}")).await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_long_url_is_no_long_heading_and_older_pages_lead_back() {
    let site = Site::new(Fake::signed_in());
    let url = format!("https%3A%2F%2Fexample.com%2F{}", "a".repeat(1_000));
    let page = site.post("/ui/create_endpoint", &format!("url={url}&asset_ready=on")).await;
    let path = page.location.split('?').next().unwrap();
    let page = site.get(path).await;
    page.shows(&format!("https://example.com/{}…", "a".repeat(100))).shows_not("Newest");
    page.shows(&format!("https://example.com/{}\"", "a".repeat(1_000)));
    site.get(&format!("{path}?after=7")).await.shows("Newest").shows(&format!("href=\"{path}\""));
}

#[tokio::test]
async fn who_is_no_administrator_is_led_to_no_endpoint() {
    let site = Site::new(Fake::signed_in_as(Role::User));
    site.get("/organisation").await.shows_not("/organisation/events");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_read_is_listed_and_its_page_says_what_to_do() {
    let site = Site::new(Fake::signed_in().with_unreadable_endpoints());
    site.post("/ui/create_endpoint", "url=https%3A%2F%2Fexample.com%2Fevents&asset_ready=on").await;
    site.get("/organisation/events").await.shows("https://example.com/events").shows("unreadable");
    let page = site.get(&format!("/organisation/events/{ENDPOINT}")).await;
    page.shows("This endpoint cannot be read").shows("restore its row from a backup").shows("Delete the endpoint");
    page.shows("13 tries: its host cannot be found");
    for what_needs_it in ["Send a test", "Show the secret", "Rotate the secret", "Switch it off", "URL that is told"] {
        page.shows_not(what_needs_it);
    }
    let page = site.post("/ui/delete_endpoint", &format!("id={ENDPOINT}")).await;
    site.get(&page.location).await.shows("The endpoint is deleted.").shows("None yet.");
}
