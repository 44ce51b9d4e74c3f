//! The library of recordings, and the page of one.

use super::*;
use crate::fake::NOW;

fn rows(page: &Page) -> usize {
    page.count("data-label=\"Session date (UTC)\"")
}

#[tokio::test]
async fn the_library_has_all_recordings_newest_first_a_page_at_a_time() {
    let site = Site::new(Fake::signed_in());
    let page = site.get("/vod").await;
    page.shows("8sKpm-x49nB-24.mp4").shows("Sunday service").shows("Delete 8sKpm-x49nB-23.mp4");
    page.shows("href=\"/vod?cursor=25\"")
        .shows_not("Newest")
        .shows("http://localhost:3000/vod-eu/8sKpm/8sKpm-x49nB-23.mp4?download");
    assert_eq!(rows(&page), 25);
    let text = page.text();
    assert!(text.find("Play 8sKpm-x49nB-24.mp4") < text.find("Play 8sKpm-x49nB-23.mp4"));
    let next = site.get("/vod?cursor=25").await;
    next.shows("Newest").shows_not("8sKpm-x49nB-24.mp4");
    let last = site.get("/vod?size=100").await;
    last.shows_not("rel=\"next\"");
    assert!(rows(&last) > 25);
}

#[tokio::test]
async fn the_library_keeps_its_filter_in_the_url() {
    let site = Site::new(Fake::signed_in());
    let page = site.get("/vod?stream=8sKpm-Q7wLd&state=incomplete&q=Q7&region=eu").await;
    page.shows("8sKpm-Q7wLd-2.mp4").shows("value=\"8sKpm-Q7wLd\"").shows("value=\"eu\" selected").shows("Clear");
    page.shows("/vod?state=failed&amp;stream=8sKpm%2DQ7wLd&amp;region=eu&amp;q=Q7");
    assert_eq!(rows(&page), 1);
    let day = site.get("/vod?from=2026-11-04&to=2026-11-04").await;
    day.shows("8sKpm-x49nB-24.mp4").shows_not("8sKpm-x49nB-23.mp4").shows("value=\"2026-11-04\"");
    site.get("/vod?q=nothing-like-it").await.shows("No recording matches.");
}

#[tokio::test]
async fn an_empty_shelf_says_what_to_do() {
    let site = Site::new(Fake::signed_in());
    site.get("/vod?state=bin").await.shows("Nothing is in the bin.");
    site.get("/vod?state=held").await.shows("Nothing is on legal hold.");
}

#[tokio::test]
async fn a_recording_shows_that_it_is_whole_and_how_to_check_it() {
    let id = asset_id(LIVE, 23);
    let page = Site::new(Fake::signed_in()).get(&format!("/vod/{id}")).await;
    page.shows("Everything the encoder sent is in the file.").shows("<video").shows("8sKpm-x49nB-23.mp4");
    page.shows("<div class=\"figure good\"><dt>Dropped frames</dt><dd>0</dd></div>").shows("−3 ms").shows("+4 ms");
    page.shows("http://localhost:3000/vod-eu/8sKpm/8sKpm-x49nB-23.mp4").shows("&lt;video controls");
    page.shows("3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7");
    page.shows("8sKpm-x49nB-23.mp4 | sha256sum").shows(&format!("href=\"/vod/{id}/report\""));
    page.shows("H.264 · 1280 × 720 · 30 fps").shows("Europe (eu)").shows("Sunday service");
    page.shows_not("Reconnects:").shows_not("Gaps:");
}

#[tokio::test]
async fn gaps_reconnects_and_what_was_left_out_are_told_one_by_one() {
    let page = Site::new(Fake::signed_in()).get(&format!("/vod/{}", asset_id(ENDED, 3))).await;
    page.shows("Everything the encoder sent is in the file, from its first keyframe on.");
    page.shows("14 frames came before the first keyframe.").shows("came back after 14.2 s").shows("in 2 set-ups");
    page.shows("0:15:01.300").shows("0:06:01.012 – 0:06:04.429").shows("3.4 s");
    // Behind the reconnect the wall clock is 14.2 s ahead of the recording's.
    let gap_at = NOW.plus_ms(-2 * 86_400_000 - 83_000 + 1_702_440 + 14_200);
    page.shows(&gap_at.to_table_text());
}

#[tokio::test]
async fn a_recording_that_ended_early_says_by_how_much_and_why() {
    let page = Site::new(Fake::signed_in()).get(&format!("/vod/{}", asset_id(ENDED, 2))).await;
    page.shows("Ends 12.4 s before the encoder did: The disk was full").shows("class=\"verdict caution\"");
    page.shows("class=\"figure warn\"");
    let failed = Site::new(Fake::signed_in()).get(&format!("/vod/{}", asset_id(ENDED, 1))).await;
    failed
        .shows("There is nothing to play: The encoder sent no picture before it left.")
        .shows_not("<video")
        .shows_not("?download");
}

#[tokio::test]
async fn a_recording_in_progress_shows_how_far_it_is() {
    let page = Site::new(Fake::signed_in()).get(&format!("/vod/{}", asset_id(LIVE, 24))).await;
    page.shows("It is being recorded.")
        .shows("0:01:25.000")
        .shows("not yet")
        .shows("<video")
        .shows("What there is of it up to now plays here")
        .shows_not("Move it to the bin");
}

#[tokio::test]
async fn a_recording_goes_to_the_bin_and_comes_back() {
    let site = Site::new(Fake::signed_in());
    let id = asset_id(LIVE, 23);
    site.get(&format!("/vod/{id}"))
        .await
        .shows("Move it to the bin")
        .shows("its URL stops working")
        .shows("restored from there for 30 days");
    let gone = site.post("/ui/bin_recording", &format!("asset={id}&back=%2Fvod%3Fq%3Dx49nB")).await;
    assert_eq!(gone.location, "/vod?q=x49nB&notice=flash");
    let page = site.get(&gone.location).await;
    page.shows("8sKpm-x49nB-23.mp4</span> is in the bin.").shows("Undo").shows("value=\"/vod?q=x49nB\"");
    page.shows_not("Play 8sKpm-x49nB-23.mp4");
    site.get("/vod?state=bin").await.shows("Play 8sKpm-x49nB-23.mp4").shows("until ").shows("Restore 8sKpm-x49nB-23.mp4");
    let page = site.get(&format!("/vod/{id}")).await;
    page.shows("In the bin since").shows("It can be restored until").shows_not("<video").shows("Everything the encoder sent");

    let back = site.post("/ui/restore_recording", &format!("asset={id}&back=%2Fvod%2F{id}")).await;
    assert_eq!(back.location, format!("/vod/{id}?notice=restored"));
    site.get(&back.location).await.shows("Restored.").shows("<video");
    let foreign = site.post("/ui/restore_recording", &format!("asset={id}&back=https%3A%2F%2Fevil.example")).await;
    assert_eq!(foreign.location, "/?notice=restored");
}

#[tokio::test]
async fn a_hold_says_who_and_why_and_keeps_the_recording() {
    let site = Site::new(Fake::signed_in());
    let id = asset_id(LIVE, 23);
    let page = site.post("/ui/hold_recording", &format!("asset={id}&note=Case+7&back=%2Fvod%2F{id}")).await;
    let page = site.get(&page.location).await;
    page.shows("by ada@northlight.example. “Case 7”").shows("Lift the legal hold").shows_not("Move it to the bin");
    let refused = site.post("/ui/bin_recording", &format!("asset={id}&back=%2Fvod%2F{id}")).await;
    site.get(&refused.location).await.shows("It is on legal hold.").shows("<video");
    assert_eq!(rows(&site.get("/vod?state=held").await), 1);
    let lifted = site.post("/ui/lift_hold", &format!("asset={id}&back=%2Fvod%2F{id}")).await;
    site.get(&lifted.location).await.shows("The legal hold is lifted.").shows("Move it to the bin");
}

#[tokio::test]
async fn only_administrators_are_offered_what_only_they_may_do() {
    let site = Site::new(Fake::signed_in_as(Role::User));
    for path in ["/vod".to_owned(), format!("/vod/{}", asset_id(LIVE, 23))] {
        site.get(&path).await.shows("?download").shows_not("Move it to the bin").shows_not("legal hold");
    }
}

#[tokio::test]
async fn other_pages_lead_to_a_recording_s_own() {
    let site = Site::new(Fake::signed_in());
    let path = format!("href=\"/vod/{}\"", asset_id(LIVE, 23));
    site.get("/").await.shows(&path).shows("All recordings");
    site.get(&format!("/stream/{LIVE}")).await.shows(&path).shows("href=\"/vod?stream=8sKpm%2Dx49nB\"");
    let public = Settings { recording_enabled: true, vod_public: true, live_public: true };
    let outside = Site::new(Fake::signed_out().with_settings(public)).get(&format!("/playout/{LIVE}")).await;
    outside.shows("<video").shows_not("/vod/").shows_not("In the library");
}
