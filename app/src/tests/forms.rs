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
            (("set_tags", format!("tags={too_long}")), "flash#tags"),
            (("set_push_url", "url=rtmp%3A%2F%2Flive.example.com%2Fapp%2Fkey".to_owned()), "push-url"),
        ] {
            let (function, fields) = form;
            let answered = site.post(&format!("/ui/{function}"), &format!("stream={LIVE}&back={back}&{fields}")).await;
            assert_eq!(answered.location, format!("{page}?notice={}", notice.replace('-', "%2D")), "{function}");
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
async fn what_the_overview_refuses_is_said_in_the_form_which_has_what_was_typed_and_nowhere_else() {
    let site = Site::new(Fake::signed_in());
    let too_long = "x".repeat(300);
    for (function, fields, id, typed, says) in [
        ("set_tags", format!("tags={too_long}"), "tags", too_long.as_str(), "Please give tags of at most 200 characters."),
        ("set_push_url", "url=http%3A%2F%2Fa.example%2Fb".to_owned(), "push-url", "http://a.example/b", "an rtmp:// URL"),
    ] {
        for page in ["stream", "playout", "webcaster"] {
            let back = format!("%2F{page}%2F{LIVE}");
            let answered = site.post(&format!("/ui/{function}"), &format!("stream={LIVE}&back={back}&{fields}")).await;
            assert_eq!(answered.location, format!("/{page}/{LIVE}?notice=flash#{id}"));
            let shown = site.get(&answered.location).await;
            let form = folded(&shown, id);
            assert!(form.split('>').next().unwrap().contains(" open"), "{form}");
            assert!(form.contains(&format!("role=\"alert\" id=\"{id}-problem\"")) && form.contains(says), "{form}");
            assert!(form.contains(&format!("value=\"{typed}\"")) && form.contains("aria-invalid=\"true\""), "{form}");
            assert_eq!((shown.count("notice failed"), shown.count("aria-invalid")), (1, 1), "{page}");
            let later = site.get(&answered.location).await;
            later.shows_not("notice failed").shows_not(typed);
            assert!(!folded(&later, id).split('>').next().unwrap().contains(" open"), "{page}");
        }
    }
    let site = Site::new(Fake::signed_in().busy());
    let answered = site.post("/ui/set_tags", &format!("stream={LIVE}&tags=evening")).await;
    let page = site.get(&answered.location).await;
    assert!(folded(&page, "tags").contains("too much to do at the moment"));
    page.shows("value=\"evening\"").shows_not("aria-invalid");
}

/// The disclosure with that id, from there on.
fn folded(page: &Page, id: &str) -> String {
    let text = page.text();
    let (_, behind) = text.split_once(&format!("id=\"{id}\"")).unwrap();
    behind.split("</details>").next().unwrap().to_owned()
}

#[tokio::test]
async fn who_has_no_recordings_yet_is_told_to_send_them_over_tls_where_there_is_that() {
    let page = Site::new(Fake::signed_in()).get(&format!("/stream/{CREATED}?tab=recordings")).await;
    page.shows("Nothing is recorded yet").shows("RTMPS server").shows("rtmps://localhost:1937/rec");
    page.shows_not("rtmp://localhost:1935/rec");
}

#[tokio::test]
async fn what_the_organisations_page_refuses_is_said_in_the_card_of_the_form_and_nowhere_else() {
    let site = Site::new(Fake::signed_in());
    for (function, fields, card, says) in [
        ("save_webhook", "url=nowhere", "webhook", "Please give"),
        ("save_embed_domains", "domains=%27self%27", "embedding", "Please give host names"),
        ("save_recording_settings", "max_megabytes=1%2C5", "limits", "Please give the largest recording in MB"),
        ("create_api_key", "label=Bad&role=root", "keys", "Please choose a role"),
        ("invite", "email=ada%40northlight.example&role=nanoUser", "people", "This email is taken."),
    ] {
        let answered = site.post(&format!("/ui/{function}"), fields).await;
        assert_eq!(answered.location, format!("/organisation?notice=flash#{card}"));
        let page = site.get(&answered.location).await;
        let text = page.text();
        let (_, behind) = text.split_once(&format!("<h2 id=\"{card}\">")).unwrap();
        let in_card = behind.split("</section>").next().unwrap();
        assert!(in_card.contains(&format!("role=\"alert\" id=\"{card}-problem\"")) && in_card.contains(says), "{in_card}");
        assert_eq!(page.count("notice failed"), 1, "{card}");
        site.get(&answered.location).await.shows_not("notice failed");
    }
    let refused = site.post("/ui/save_webhook", "url=nowhere").await;
    let page = site.get(&refused.location).await;
    page.shows("aria-invalid=\"true\"").shows("aria-describedby=\"webhook-problem webhook-hint\"");
    assert_eq!(page.count("aria-invalid"), 1);
}

#[tokio::test]
async fn what_is_saved_of_the_organisations_page_is_said_in_the_card_of_the_form_and_nowhere_else() {
    let site = Site::new(Fake::signed_in());
    for (function, fields, card) in [
        ("save_organisation", "name=Northlight", "settings"),
        ("save_webhook", "url=", "webhook"),
        ("save_embed_domains", "domains=example.com", "embedding"),
        ("require_publish_key", "required=on", "publish-keys"),
    ] {
        let answered = site.post(&format!("/ui/{function}"), fields).await;
        assert_eq!(answered.location, format!("/organisation?notice=saved&card={}#{card}", card.replace('-', "%2D")));
        let page = site.get(&answered.location).await;
        let text = page.text();
        let (_, behind) = text.split_once(&format!("<h2 id=\"{card}\">")).unwrap();
        assert!(behind.split("</section>").next().unwrap().contains("Saved."), "{card}");
        assert_eq!((page.count("Saved."), page.count("notice done")), (1, 1), "{card}");
    }
}

#[tokio::test]
async fn a_field_is_marked_for_what_was_typed_and_not_for_a_server_that_has_no_room() {
    let site = Site::new(Fake::signed_in().busy());
    for (function, fields, card) in [
        ("save_webhook", "url=https%3A%2F%2Fexample.com", "webhook"),
        ("save_embed_domains", "domains=example.com", "embedding"),
        ("save_organisation", "name=Northlight", "settings"),
    ] {
        let answered = site.post(&format!("/ui/{function}"), fields).await;
        let page = site.get(&answered.location).await;
        page.shows(&format!("id=\"{card}-problem\"")).shows("too much to do at the moment").shows_not("aria-invalid");
    }
}

#[tokio::test]
async fn what_was_typed_for_a_stream_stands_in_the_form_again_where_it_was_refused() {
    let fields = "name=Evening%2C+prayer&tags=hall-7%2C+late&mode=live";
    for (then, path) in [("", "/stream/create"), ("webcaster", "/webcaster")] {
        let site = Site::new(Fake::signed_in());
        let refused = site.post("/ui/create_stream", &format!("{fields}&then={then}")).await;
        assert_eq!(refused.location, format!("{path}?notice=flash"));
        let page = site.get(&refused.location).await;
        page.shows("a name without commas").shows("value=\"Evening, prayer\"").shows("value=\"hall-7, late\"");
        assert_eq!(page.count("notice failed"), 1, "{path}");
        site.get(&refused.location).await.shows_not("hall-7, late");
    }
    let site = Site::new(Fake::signed_in().busy());
    let refused = site.post("/ui/create_stream", "name=Evening+prayer&mode=live").await;
    let page = site.get(&refused.location).await;
    page.shows("too much to do at the moment").shows("value=\"Evening prayer\"").shows("value=\"live\" checked");
    site.get("/stream/create").await.shows("value=\"rec\" checked");
}

#[tokio::test]
async fn a_streams_name_is_kept_as_the_tag_that_its_pages_are_headed_by() {
    let site = Site::new(Fake::signed_in());
    site.get("/stream/create").await.shows("name=\"name\"").shows("maxlength=\"194\"");
    let many = |count: usize| (0..count).map(|n| format!("t{n}")).collect::<Vec<_>>().join("%2C");
    for (fields, title) in [
        ("name=+Evening+prayer+&tags=hall-7".to_owned(), "Evening prayer"),
        ("name=Evening+prayer&tags=hall-7%2C+title%3AChoir".to_owned(), "Choir"),
        ("name=Evening%2C+prayer&tags=title%3AChoir%2Chall-7".to_owned(), "Choir"),
        (format!("name={}&tags=hall-7", "ä".repeat(194).replace('ä', "%C3%A4")), "ääää"),
        (format!("name=Evening+prayer&tags=hall-7%2C{}", many(48)), "Evening prayer"),
    ] {
        let created = site.post("/ui/create_stream", &fields).await;
        let page = site.get(&created.location.replace("/new", "")).await;
        page.shows(&format!("title:{title}")).shows("hall-7");
        assert_eq!(page.count("href=\"/stream?tag=title"), 1, "{fields}");
    }
    for (fields, says) in [
        ("name=Evening%2C+prayer&tags=".to_owned(), "a name without commas"),
        (format!("name={}&tags=", "a".repeat(195)), "a name of at most 194 characters"),
        (format!("name=Evening+prayer&tags={}", many(50)), "at most 50 tags"),
    ] {
        let refused = site.post("/ui/create_stream", &fields).await;
        assert_eq!(refused.location, "/stream/create?notice=flash", "{fields}");
        site.get(&refused.location).await.shows(says);
    }
    let nameless = site.post("/ui/create_stream", "name=+&tags=hall-7").await;
    site.get(&nameless.location.replace("/new", "")).await.shows("hall-7").shows_not("href=\"/stream?tag=title");
}

#[tokio::test]
async fn the_line_for_a_test_picture_stands_once_on_a_page() {
    let site = Site::new(Fake::signed_in());
    for path in [format!("/stream/new/{LIVE}"), format!("/stream/{LIVE}?tab=code")] {
        assert_eq!(site.get(&path).await.count("-i testsrc2"), 1, "{path}");
    }
}

#[tokio::test]
async fn a_list_that_fits_on_the_smallest_page_offers_no_other_sizes() {
    let site = Site::new(Fake::signed_in());
    for (list, none, sizes) in
        [("/stream", "/stream?q=nothing-like-it", "Streams a page"), ("/vod", "/vod?q=nothing-like-it", "Recordings a page")]
    {
        site.get(list).await.shows(sizes);
        site.get(none).await.shows_not(sizes);
    }
}
