//! Who may revoke which tokens, that nobody takes the places for that from others, and that all tokens of an organisation can be ended at once.

use afterlive_domain::TokenId;
use afterlive_server::db::playback::{count_revoked, revoke};
use afterlive_server::service::playback::{MAX_REVOKED, MAX_REVOKED_BY_USERS};
use futures::future::{join, join_all};
use uuid::Uuid;

use super::*;
use crate::audit::all_rows;

/// So many ids that are revoked for a day.
async fn revoke_many(server: &Server, tenant: &Tenant, many: u32) {
    let mut tx = server.db.write().await.unwrap();
    for _ in 0..many {
        let id = TokenId(Uuid::new_v4());
        assert!(revoke(&mut tx, tenant.organisation.id, id, NOW.plus_ms(86_400_000), NOW).await.unwrap());
    }
    tx.commit().await.unwrap();
}

async fn send(server: &Server, call: &str, key: &str, body: Value) -> Answer {
    server.send(&format!("POST {call}"), Some(key), &body.to_string()).await
}

async fn a_token(server: &Server, tenant: &Tenant, label: Option<&str>) -> (TokenId, String) {
    let wish = TokenWish { label: label.map(str::to_owned), ..wish() };
    let made = server.service.make_playback_token(&tenant.admin, &wish).await.unwrap();
    let Secret(token) = made.token;
    (made.claims.id, token)
}

async fn is_good(server: &Server, tenant: &Tenant, token: &str) -> bool {
    let verified = send(server, "/token/verify", &tenant.reader_key, json!({ "token": token })).await.ok();
    verified["valid"] == json!(true)
}

#[tokio::test]
async fn an_id_that_is_on_no_list_is_revoked_by_administrators_alone() {
    on_each_server(async |server| {
        let ours = server.an_organisation().await;
        let ((bare, bare_token), (listed, _)) =
            (a_token(&server, &ours, None).await, a_token(&server, &ours, Some("Website")).await);
        let revoked = async || count_revoked(&mut server.db.read().await.unwrap(), ours.organisation.id, NOW, 100).await.unwrap();
        for id in [bare, TokenId(Uuid::new_v4())] {
            let answer = send(&server, "/token/revoke", &ours.user_key, json!({ "id": id })).await;
            assert_eq!(
                (answer.error(), answer.json()["error"]["userinfo"]["required_role"].as_str()),
                ((403, 2001), Some("nanoAdmin"))
            );
        }
        assert_eq!(revoked().await, 0);
        // Who has the token itself knows that it is one.
        send(&server, "/token/revoke", &ours.user_key, json!({ "token": bare_token })).await.ok();
        send(&server, "/token/revoke", &ours.user_key, json!({ "id": listed })).await.ok();
        send(&server, "/token/revoke", &ours.admin_key, json!({ "id": Uuid::new_v4() })).await.ok();
        assert_eq!(revoked().await, 3);
    })
    .await;
}

#[tokio::test]
async fn who_revokes_as_much_as_they_can_takes_no_administrators_place() {
    on_each_server(async |server| {
        let ours = server.an_organisation().await;
        let (id, token) = a_token(&server, &ours, Some("Website")).await;
        revoke_many(&server, &ours, MAX_REVOKED_BY_USERS).await;
        let refused = send(&server, "/token/revoke", &ours.user_key, json!({ "token": token })).await;
        assert_eq!(refused.error(), (409, 3003));
        assert!(is_good(&server, &ours, &token).await);
        send(&server, "/token/revoke", &ours.admin_key, json!({ "id": id })).await.ok();
        assert!(!is_good(&server, &ours, &token).await);
        // What is so already takes no place, and is no line of the audit log.
        let lines = all_rows(&server, &ours).await.len();
        for key in [&ours.user_key, &ours.admin_key] {
            send(&server, "/token/revoke", key, json!({ "token": token })).await.ok();
        }
        assert_eq!(all_rows(&server, &ours).await.len(), lines);

        revoke_many(&server, &ours, MAX_REVOKED - MAX_REVOKED_BY_USERS - 1).await;
        let (_, token) = a_token(&server, &ours, None).await;
        let full = send(&server, "/token/revoke", &ours.admin_key, json!({ "token": token })).await;
        assert_eq!(full.error(), (409, 3003));
        assert!(full.text.contains("a new secret"), "{}", full.text);
        send(&server, "/organisation/playback_secret", &ours.admin_key, json!({})).await.ok();
        let (_, token) = a_token(&server, &ours, None).await;
        send(&server, "/token/revoke", &ours.user_key, json!({ "token": token })).await.ok();
        assert!(!is_good(&server, &ours, &token).await);
    })
    .await;
}

#[tokio::test]
async fn another_secret_ends_all_tokens_of_the_organisation_and_no_others() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let renew = async |key: &str| send(&server, "/organisation/playback_secret", key, json!({})).await;
        let lines = async || all_rows(&server, &ours).await.into_iter().filter(|row| row.act == "playback_token.secret_renewed");
        // There are none yet.
        renew(&ours.admin_key).await.ok();
        assert_eq!(lines().await.count(), 0);

        let (revoked, revoked_token) = a_token(&server, &ours, Some("Gone")).await;
        let ((_, listed), (_, bare)) = (a_token(&server, &ours, Some("Website")).await, a_token(&server, &ours, None).await);
        let (_, foreign) = a_token(&server, &theirs, None).await;
        send(&server, "/token/revoke", &ours.user_key, json!({ "id": revoked })).await.ok();
        for key in [&ours.reader_key, &ours.user_key] {
            assert_eq!(renew(key).await.error(), (403, 2001));
        }
        assert!(is_good(&server, &ours, &listed).await && is_good(&server, &ours, &bare).await);

        assert_eq!(renew(&ours.admin_key).await.ok()["id"], json!(ours.organisation.id));
        for token in [&listed, &bare, &revoked_token] {
            assert!(!is_good(&server, &ours, token).await);
        }
        assert!(is_good(&server, &theirs, &foreign).await);
        assert_eq!(server.send("GET /token/playback", Some(&ours.user_key), "").await.ok(), json!([]));
        let (_, new) = a_token(&server, &ours, Some("Website")).await;
        assert!(is_good(&server, &ours, &new).await);
        let rows: Vec<_> = lines().await.collect();
        let [row] = rows.as_slice() else { panic!("{rows:#?}") };
        assert_eq!((row.on_kind.as_deref(), row.detail.as_deref()), (Some("organisation"), Some("1 with a label")));
    })
    .await;
}

#[tokio::test]
async fn no_token_is_listed_that_was_ended_while_it_was_made() {
    on_each_server(async |server| {
        let ours = server.an_organisation().await;
        let making = join_all((0..16).map(|_| a_token(&server, &ours, Some("Website"))));
        let renewing = join_all((0..8).map(|_| send(&server, "/organisation/playback_secret", &ours.admin_key, json!({}))));
        let (made, renewed) = join(making, renewing).await;
        renewed.iter().for_each(|answer| drop(answer.ok()));
        let listed = server.send("GET /token/playback", Some(&ours.user_key), "").await.ok();
        let listed: Vec<&Value> = listed.as_array().unwrap().iter().map(|row| &row["id"]).collect();
        for (id, token) in made {
            assert_eq!(listed.contains(&&json!(id)), is_good(&server, &ours, &token).await, "{id}");
        }
    })
    .await;
}
