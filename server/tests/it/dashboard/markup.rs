//! What people call things is text on every page, also where it is written as markup.

use serde_json::{Value, json};

use super::*;

/// Would end each element in which browsers read text otherwise, and then be an element.
const WORDS: &str = "</title></textarea></script></style>--><b id=foreign>&lt;\"'";

#[tokio::test]
async fn what_people_call_things_is_markup_on_no_page() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let (_, mut browser) = somebody(&server, &tenant, Role::Admin).await;
        let stream = a_stream(&server, &tenant, &[]).await.to_string();
        let call = async |call: &str, body: Value| {
            let answer = server.send(call, Some(&tenant.admin_key), &body.to_string()).await;
            assert!(answer.status.is_success(), "{call}: {}", answer.text);
        };
        call(&format!("PUT /stream/{stream}/tag"), json!({ "tags": [format!("title:{WORDS}"), WORDS] })).await;
        call("POST /organisation/apikey", json!({ "label": WORDS, "role": "nanoReadOnly" })).await;
        call("POST /token/playback", json!({ "label": WORDS, "expires_in_s": 600 })).await;
        browser.submit("save_organisation", &[("name", WORDS), ("live_public", "true"), ("vod_public", "true")]).await;

        let by_stream = ["/stream/ID", "/stream/new/ID", "/playout/ID", "/webcaster/ID", "/embed/ID"];
        let others = ["/", "/stream", "/webcaster", "/vod", "/organisation", "/organisation/audit", "/account"];
        let mut found = 0;
        for path in by_stream.iter().chain(&others).map(|path| path.replace("ID", &stream)) {
            let page = browser.open(&path).await;
            assert!(!page.text.contains("<b id=foreign"), "{path}: {}", page.text);
            found += usize::from(page.text.contains("&lt;b id=foreign"));
        }
        let query = format!("/stream?q={0}&tag={0}", "%3C%2Ftitle%3E%3Cb%20id%3Dforeign%3E");
        assert!(!browser.open(&query).await.text.contains("<b id=foreign"));
        // Else there would be nothing to see on them.
        assert!(found >= 8, "on {found} pages");
        let outside = Browser::new(&server).open(&format!("/playout/{stream}")).await;
        assert!(outside.text.contains("<title>&lt;/title>"), "{}", outside.text);
        assert!(!outside.text.contains("<b id=foreign"), "{}", outside.text);
    })
    .await;
}
