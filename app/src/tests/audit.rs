//! The audit log, as a page without a script.

use afterlive_domain::Role;

use super::Site;
use crate::fake::{ADA, Fake, LIVE};

#[tokio::test]
async fn the_log_says_who_did_what_on_what_and_from_where() {
    let site = Site::new(Fake::signed_in());
    site.get("/organisation").await.shows("/organisation/audit");
    let page = site.get("/organisation/audit").await;
    page.shows("was refused to publish").shows("denied").shows("× 12").shows("wrong publish key, by rtmp").shows("2001:db8::7");
    page.shows("locked a stream").shows("203.0.113.9").shows(&format!("/stream/{LIVE}")).shows("8sKpm-x49nB");
    page.shows("operator").shows("the server").shows("2026-11-04 17:09:21").shows("of the last 400 days");
    page.shows(&format!("/organisation/audit?who={}", ADA.to_string().replace('-', "%2D")));
    page.shows("after=7%2D1").shows_not("Newest").shows("session token");
}

#[tokio::test]
async fn a_filter_lives_in_the_url_and_older_pages_lead_back() {
    let site = Site::new(Fake::signed_in());
    let page = site.get("/organisation/audit?denied=1&about=stream").await;
    page.shows("was refused to publish").shows_not("locked a stream").shows("Clear");
    page.shows("about=stream&amp;denied=1&amp;after=7%2D1");
    let page = site.get(&format!("/organisation/audit?who={ADA}&after=7-1")).await;
    page.shows("locked a stream").shows_not("was refused").shows("Newest").shows_not("Older");
    site.get("/organisation/audit?about=no-such-thing").await.shows("locked a stream");
    let nothing = site.get("/organisation/audit?who=nobody&after=7-1").await;
    nothing.shows("Nothing matches.").shows("Show everything");
}

#[tokio::test]
async fn who_is_no_administrator_is_led_to_no_log() {
    let site = Site::new(Fake::signed_in_as(Role::User));
    site.get("/organisation").await.shows_not("/organisation/audit");
}
