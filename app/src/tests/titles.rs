//! What people call a stream stands before the name that machines have for it, which is there to be copied.

use super::*;

/// The streams' tables and cards of the page, without its head.
#[track_caller]
fn stands_before(page: &Page, title: &str, name: &str) {
    let text = page.text();
    let titled = format!("<span class=\"title\">{title}</span> <span class=\"name mono\">{name}</span>");
    assert!(text.contains(&titled), "{titled} is not in: {text}");
}

#[tokio::test]
async fn lists_show_the_title_first_and_the_name_below_it() {
    let site = Site::new(Fake::signed_in());
    for path in ["/", "/stream"] {
        let page = site.get(path).await;
        stands_before(&page, "Sunday service", "8sKpm-x49nB");
        page.shows("aria-label=\"Copy streamname 8sKpm-x49nB\"");
        page.shows("<span class=\"named mono\">8sKpm-m3RtZ</span>");
    }
    for path in ["/", "/vod"] {
        stands_before(&site.get(path).await, "Sunday service", "8sKpm-x49nB-24.mp4");
    }
    stands_before(&site.get("/webcaster").await, "Sunday service", "8sKpm-x49nB");
}

#[tokio::test]
async fn a_streams_pages_are_headed_by_its_title_and_have_its_name_to_copy() {
    let site = Site::new(Fake::signed_in());
    for path in ["stream", "playout", "webcaster", "stream/new"] {
        let page = site.get(&format!("/{path}/{LIVE}")).await;
        let text = page.text();
        let head =
            text.split_once("class=\"page-head\"").and_then(|(_, rest)| rest.split_once("actions")).map_or("", |(head, _)| head);
        let (title, name) = (head.find("Sunday service"), head.find("8sKpm-x49nB"));
        assert!(title.is_some() && title < name, "{path}: {head}");
        assert!(head.contains("aria-label=\"Copy the streamname\""), "{path}: {head}");
    }
    let page = site.get(&format!("/stream/{CREATED}")).await;
    page.shows("<span class=\"mono\">8sKpm-m3RtZ</span>").shows("aria-label=\"Copy the streamname\"").shows_not("also-named");
    let page = site.get(&format!("/playout/{CREATED}")).await;
    assert!(page.text().contains("<h1>8sKpm-m3RtZ "), "{}", page.text());
    let public = Settings { live_public: true, vod_public: true, ..Settings::default() };
    let outside = Site::new(Fake::signed_out().with_settings(public)).get(&format!("/playout/{LIVE}")).await;
    outside.shows("<h1>Sunday service ").shows_not("also-named");
}

#[tokio::test]
async fn a_title_that_is_written_as_markup_is_text() {
    let site = Site::new(Fake::signed_in());
    site.post("/ui/set_tags", &format!("stream={LIVE}&tags=title%3A%3C%2Ftitle%3E%3Cb+id%3Dforeign%3E%26")).await;
    for path in ["stream", "playout", "webcaster", "stream/new"] {
        let page = site.get(&format!("/{path}/{LIVE}")).await;
        page.shows("&lt;b id=foreign").shows_not("<b id=foreign");
    }
    let title = site.get(&format!("/stream/{LIVE}")).await.html;
    assert!(title.contains("<title>&lt;/title>&lt;b id=foreign>&amp; · Afterlive</title>"), "{title}");
}
