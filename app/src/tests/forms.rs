//! Where forms lead back to, and what is offered where there is nothing yet.

use super::*;

#[tokio::test]
async fn a_form_of_the_overview_leads_back_to_the_page_it_stands_on() {
    let site = Site::new(Fake::signed_in());
    let too_long = "x".repeat(300);
    for page in [format!("/webcaster/{LIVE}"), format!("/playout/{LIVE}"), format!("/stream/{LIVE}")] {
        let shown = site.get(&page).await;
        shown.shows("Save tags").shows("Save the push URL");
        assert_eq!(shown.count(&format!("name=\"back\" value=\"{page}\"")), 2, "{page}");
        let back = page.replace('/', "%2F");
        for (form, notice) in [
            (("set_tags", "tags=one%2C+two".to_owned()), "tags"),
            (("set_tags", format!("tags={too_long}")), "flash"),
            (("set_push_url", "url=rtmp%3A%2F%2Flive.example.com%2Fapp%2Fkey".to_owned()), "push-url"),
        ] {
            let (function, fields) = form;
            let answered = site.post(&format!("/ui/{function}"), &format!("stream={LIVE}&back={back}&{fields}")).await;
            assert_eq!(answered.location, format!("{page}?notice={notice}"), "{function}");
        }
    }
}

#[tokio::test]
async fn a_form_of_the_overview_leads_to_no_other_site() {
    let site = Site::new(Fake::signed_in());
    for outside in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", ""] {
        for function in ["set_tags", "set_push_url"] {
            let answered = site.post(&format!("/ui/{function}"), &format!("stream={LIVE}&back={outside}")).await;
            assert!(answered.location.starts_with(&format!("/stream/{LIVE}?notice=")), "{outside}: {}", answered.location);
        }
    }
}

#[tokio::test]
async fn who_has_no_recordings_yet_is_told_to_send_them_over_tls_where_there_is_that() {
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{CREATED}?tab=recordings")).await;
    page.shows("Nothing is recorded yet").shows("RTMPS server").shows("rtmps://localhost:1937/rec");
    page.shows_not("rtmp://localhost:1935/rec");
}
