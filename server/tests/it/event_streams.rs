//! Who gets a stream of events, and that nobody takes them from others.

use axum::body::Body;
use http::Request;
use tower::ServiceExt as _;

use crate::api::sessions::a_user;
use crate::fixture::database::a_stream;
use crate::fixture::server::{Server, on_a_server};
use afterlive_domain::Role;
use afterlive_domain::organisation::Settings;

/// Of a thousand streams, what guests of one address get.
const OF_ADDRESS: usize = 250;

/// Through a proxy that says whose request it is. The body is the stream, and holds its place.
async fn listen(server: &Server, path: &str, address: &str, cookie: &str) -> (u16, Body) {
    let request = Request::builder().uri(path).header("x-forwarded-for", address).header("cookie", cookie);
    let answer = server.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    (answer.status().as_u16(), answer.into_body())
}

#[tokio::test]
async fn guests_of_one_address_keep_neither_others_nor_who_is_signed_in_from_hearing() {
    // Requests of these tests come from nowhere, which is here the proxy.
    on_a_server(&[("HTTP__TRUSTED_PROXIES", "0.0.0.0")], async |server| {
        let tenant = server.an_organisation().await;
        let organisation = &tenant.organisation;
        let settings = Settings { live_public: true, ..organisation.settings };
        server.service.save_organisation(&tenant.admin, &organisation.name, settings).await.unwrap();
        let path = format!("/events?stream={}", a_stream(&server.db, organisation).await.id);
        let (user, _) = a_user(&server, &tenant, Role::Admin).await;
        let signed_in = server.send(&format!("GET /sign-in/{user}"), None, "").await;
        let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();

        let mut held = Vec::new();
        let refused = loop {
            match listen(&server, &path, "203.0.113.7", "").await {
                (200, stream) => held.push(stream),
                (status, _) => break status,
            }
        };
        assert_eq!((refused, held.len()), (429, OF_ADDRESS));
        assert_eq!(listen(&server, &path, "203.0.113.8", "").await.0, 200, "another guest");
        assert_eq!(listen(&server, "/events", "203.0.113.7", &cookie).await.0, 200, "who is signed in, from there");
        held.pop();
        assert_eq!(listen(&server, &path, "203.0.113.7", "").await.0, 200);
    })
    .await;
}
