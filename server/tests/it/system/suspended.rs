//! An organisation that is suspended: who is let in no more, by what and with which words, and that all is back when it is resumed.

use afterlive_domain::{Mode, Role};
use afterlive_server::ingest::gate::{Gate, Gatekeeper as _, Grant, PublishRequest, Refusal as Shut};
use afterlive_server::service::{Chosen, Opens, SignIn, Viewer};
use futures::FutureExt as _;

use super::{HOME, a_system_administrator, log};
use crate::accounts::{PASSWORD, a_user};
use crate::fixture::browser::Browser;
use crate::fixture::database::a_stream;
use crate::fixture::server::on_each_server;
use crate::playback::publishing;

fn stranger() -> Viewer {
    Viewer { caller: None, token: None, address: HOME, site: None }
}

async fn publish(gate: &Gate, streamname: &str) -> Result<Grant, Shut> {
    let request = PublishRequest {
        mode: Mode::Live,
        streamname: streamname.to_owned(),
        query: None,
        host: None,
        peer: "192.0.2.7:50000".parse().unwrap(),
        protocol: "rtmp",
    };
    gate.admit(request).await
}

#[tokio::test]
async fn nobody_of_it_is_let_in_by_anything_and_all_is_back_when_it_is_resumed() {
    on_each_server(async |server| {
        let server = server.with_dashboard();
        let (home, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (_, above) = a_system_administrator(&server, &home).await;
        let (service, id) = (&server.service, theirs.organisation.id);
        let bob = a_user(&server, &theirs, Role::Admin).await;
        let mut browser = Browser::signed_in(&server, &bob.email, PASSWORD).await;
        let token = service.make_session_token(&bob.email, PASSWORD, None, HOME).await.unwrap();
        let player_key = service.create_api_key(&theirs.admin, "site", Opens::Playout, None).await.unwrap().secret;
        let invitation = service.invite(&theirs.admin, "dee@example.com", Role::User).await.unwrap();
        let invitation = invitation.rsplit_once('/').unwrap().1;

        service.suspend_organisation(&above, id).await.unwrap();
        // The page says so to who knows the password alone.
        let mut stranger = Browser::new(&server);
        let to = stranger.submit("sign_in", &[("email", &bob.email), ("password", "not the right one at all")]).await;
        assert!(to.contains("error=credentials"), "{to}");
        let to = stranger.submit("sign_in", &[("email", &bob.email), ("password", PASSWORD)]).await;
        assert!(to.contains("error=suspended"), "{to}");
        let page = stranger.open(&to).await.text;
        assert!(page.contains("Your organisation is suspended"), "{page}");
        assert_eq!(browser.open("/").await.header("location"), "/auth?next=%2F&error=ended");
        assert_eq!(Browser::new(&server).open("/").await.header("location"), "/auth?next=%2F", "who was never signed in");
        assert_eq!(browser.load("streams", STREAMS).await.status.as_u16(), 401);
        let with =
            async |name: &str, secret: &str| server.send_with("GET /stream/public?tags[]=b", &[(name, secret)], "").await.error();
        assert_eq!(with("X-BINTU-APIKEY", &theirs.admin_key).await, (403, 2002));
        assert_eq!(with("X-BINTU-TOKEN", &token).await, (403, 2002));
        assert_eq!(with("X-BINTU-PLAYERKEY", &player_key).await, (403, 2002));
        let credentials = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, bob.email);
        assert_eq!(server.send("POST /user/validate", None, &credentials).await.error(), (403, 2002));
        assert_eq!(service.invitation(invitation).await.unwrap(), None);
        assert_eq!(service.accept_invitation(invitation, PASSWORD, Some(HOME)).await.unwrap(), Chosen::WrongLink);
        let found = server.send(&format!("POST /apikey/{}", theirs.admin_key), None, "").await;
        assert_eq!(found.ok()["success"], false);
        // Others are let in as before.
        server.send("GET /stream", Some(&home.admin_key), "").await.ok();

        service.resume_organisation(&above, id).await.unwrap();
        assert_eq!(browser.open("/").await.status.as_u16(), 200);
        for (name, secret) in
            [("X-BINTU-APIKEY", &theirs.admin_key), ("X-BINTU-TOKEN", &token), ("X-BINTU-PLAYERKEY", &player_key)]
        {
            server.send_with("GET /stream/public?tags[]=b", &[(name, secret)], "").await.ok();
        }
        assert!(matches!(service.sign_in(&bob.email, PASSWORD, HOME).await.unwrap(), SignIn::Done(_)));
        assert!(service.invitation(invitation).await.unwrap().is_some());
        service.audit().write(&server.db).await.unwrap();
        let denied = log(&server, &theirs).await.into_iter().filter(|row| row.denied).map(|row| (row.act, row.detail));
        let why = Some("the organisation is suspended".to_owned());
        for act in ["session.refused", "key.refused", "user.link_refused"] {
            let expected = (act.to_owned(), why.clone());
            assert!(denied.clone().any(|row| row == expected), "{expected:?}");
        }
    })
    .await;
}

const STREAMS: &str =
    r#"{"filter":{"state":null,"tag":null,"search":null,"from":null,"to":null,"sort":"created","page":1,"page_size":25}}"#;

#[tokio::test]
async fn its_encoders_are_sent_away_and_nothing_of_it_plays_for_anybody() {
    on_each_server(async |server| {
        let (home, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (_, above) = a_system_administrator(&server, &home).await;
        let (service, organisation, gate) = (&server.service, &theirs.organisation, publishing::gate(&server));
        let mut settings = organisation.settings;
        (settings.live_public, settings.vod_public) = (true, true);
        service.save_organisation(&theirs.admin, "Chapel", settings).await.unwrap();
        let (stream, ours) = (a_stream(&server.db, organisation).await, a_stream(&server.db, &home.organisation).await);
        let (name, hash) = (stream.streamname.as_str(), &organisation.hash);
        let mut on_air = publish(&gate, name).await.unwrap();
        let own = publish(&gate, ours.streamname.as_str()).await.unwrap();
        let stopped = on_air.publisher().stop_requested();
        service.watch_live(name, &stranger()).await.unwrap();
        service.watch_recording(&stream.streamname, &stranger()).await.unwrap();
        assert_eq!(service.has_public_recordings(hash), Some(true));

        service.suspend_organisation(&above, organisation.id).await.unwrap();
        stopped.await;
        let mut own = own;
        assert!(own.publisher().stop_requested().now_or_never().is_none(), "that of another organisation goes on");
        drop(on_air);
        let refused = publish(&gate, name).await.err();
        assert_eq!(refused, Some(Shut::Suspended));
        let reader = service.key_caller(&home.reader_key, HOME).await.unwrap();
        for viewer in
            [stranger(), Viewer { caller: Some(theirs.admin), ..stranger() }, Viewer { caller: Some(reader), ..stranger() }]
        {
            assert!(service.watch_live(name, &viewer).await.is_err(), "{viewer:?}");
            assert!(service.watch_recording(&stream.streamname, &viewer).await.is_err(), "{viewer:?}");
        }
        assert_eq!(service.has_public_recordings(hash), Some(false));
        let answer = server.send(&format!("GET /stream/{}", stream.id), None, "").await;
        assert_eq!(answer.error(), (403, 2001));

        service.resume_organisation(&above, organisation.id).await.unwrap();
        service.watch_live(name, &stranger()).await.unwrap();
        service.watch_recording(&stream.streamname, &stranger()).await.unwrap();
        publish(&gate, name).await.unwrap();
    })
    .await;
}

/// As by another node, or at the terminal: nobody tells this process.
#[tokio::test]
async fn what_is_on_air_here_ends_also_where_it_was_suspended_elsewhere() {
    on_each_server(async |server| {
        let (home, theirs) = (server.an_organisation().await, server.an_organisation().await);
        a_system_administrator(&server, &home).await;
        let (stream, gate) = (a_stream(&server.db, &theirs.organisation).await, publishing::gate(&server));
        let mut on_air = publish(&gate, stream.streamname.as_str()).await.unwrap();
        server.service.end_publishes_of_suspended().await;
        assert!(on_air.publisher().stop_requested().now_or_never().is_none());
        super::execute(&server, &format!("UPDATE organisations SET suspended_at = 1 WHERE id = '{}'", theirs.organisation.id))
            .await;
        server.service.end_publishes_of_suspended().await;
        assert!(on_air.publisher().stop_requested().now_or_never().is_some());
    })
    .await;
}
