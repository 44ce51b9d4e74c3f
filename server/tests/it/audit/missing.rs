//! What a caller asks for and there is not, or not for them: noted in their own log, the same whichever it is.

use afterlive_domain::Role;
use uuid::Uuid;

use super::all_rows;
use crate::fixture::browser::Browser;
use crate::fixture::database::a_stream;
use crate::fixture::server::on_each_server;

const PASSWORD: &str = "die Kirchturmuhr schlaegt dreizehn";

#[tokio::test]
async fn who_asks_for_what_is_another_organisations_is_noted_as_for_what_there_never_was() {
    on_each_server(async |server| {
        let (prober, never, theirs) =
            (server.an_organisation().await, server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server.db, &theirs.organisation).await;
        let ask = async |id: String, key: &str| {
            for call in [format!("GET /stream/{id}"), format!("PUT /stream/{id}/tag"), format!("DELETE /asset/{id}")] {
                assert_eq!(server.send(&call, Some(key), r#"{"tags":[]}"#).await.status.as_u16(), 404, "{call}");
            }
        };
        ask(stream.id.to_string(), &prober.admin_key).await;
        let unknown = Uuid::new_v4().to_string();
        ask(unknown.clone(), &never.admin_key).await;
        let of_prober: Vec<_> = all_rows(&server, &prober).await.into_iter().filter(|row| row.denied).collect();
        let [row] = of_prober.as_slice() else { panic!("{of_prober:#?}") };
        assert_eq!((row.act.as_str(), row.who_kind.as_str(), row.times), ("request.missing_denied", "key", 3));
        assert_eq!(row.detail, Some(format!("GET /stream/{}", stream.id)));
        let text = format!("{row:?}");
        assert!(!text.contains(theirs.organisation.hash.as_str()) && !text.contains(&theirs.organisation.name), "{text}");
        // But for who and what they typed the two are the same.
        let of_never: Vec<_> = all_rows(&server, &never).await.into_iter().filter(|row| row.denied).collect();
        let [other] = of_never.as_slice() else { panic!("{of_never:#?}") };
        assert_eq!((other.act.as_str(), other.times, &other.on_kind), (row.act.as_str(), row.times, &row.on_kind));
        assert_eq!(other.detail, Some(format!("GET /stream/{unknown}")));
        assert!(all_rows(&server, &theirs).await.iter().all(|row| !row.denied), "whose it is hears nothing of it");
    })
    .await;
}

#[tokio::test]
async fn so_it_is_in_the_dashboard_and_who_is_a_stranger_is_noted_nowhere() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let tenant = server.an_organisation().await;
        let email = format!("ada@{}.example.com", tenant.organisation.hash).to_lowercase();
        server.service.add_user(&tenant.admin, &email, PASSWORD, Role::ReadOnly).await.unwrap();
        let mut browser = Browser::signed_in(&server, &email, PASSWORD).await;
        let path = format!("/vod/{}", Uuid::new_v4());
        assert_eq!(browser.open(&path).await.status.as_u16(), 404);
        Browser::new(&server).open(&path).await;
        server.send(&format!("GET /stream/{}", Uuid::new_v4()), None, "").await;
        let rows: Vec<_> = all_rows(&server, &tenant).await.into_iter().filter(|row| row.denied).collect();
        let [row] = rows.as_slice() else { panic!("{rows:#?}") };
        assert_eq!((row.act.as_str(), row.who_label.as_str()), ("request.missing_denied", email.as_str()));
        assert_eq!(row.detail, Some(format!("GET {path}")));
    })
    .await;
}

#[tokio::test]
async fn so_it_is_on_a_live_streams_addresses_where_not_everybody_may_watch() {
    on_each_server(async |server| {
        let (prober, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server.db, &theirs.organisation).await;
        let never = format!("{}-00000", prober.organisation.hash);
        for (streamname, file) in [(stream.streamname.as_str(), "index.m3u8"), (&never, "thumbnail.jpg"), (&never, "ws")] {
            let answer = server.send(&format!("GET /live/{streamname}/{file}"), Some(&prober.reader_key), "").await;
            assert_eq!(answer.status.as_u16(), 404, "{file}: {}", answer.text);
        }
        let rows: Vec<_> = all_rows(&server, &prober).await.into_iter().filter(|row| row.denied).collect();
        let [row] = rows.as_slice() else { panic!("{rows:#?}") };
        assert_eq!((row.act.as_str(), row.who_kind.as_str(), row.times), ("request.missing_denied", "key", 3));
        assert_eq!(row.detail, Some(format!("GET /live/{}/index.m3u8", stream.streamname)));
        assert!(all_rows(&server, &theirs).await.iter().all(|row| !row.denied));
    })
    .await;
}
