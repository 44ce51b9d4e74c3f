//! Session tokens: made for a password, sent in place of a key, and what ends them.

use afterlive_domain::{Role, UserId};
use afterlive_server::db::Raw;
use afterlive_server::service::session_tokens::LIFETIME_S;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::streams::a_stream;
use crate::fixture::database::NOW;
use crate::fixture::server::{Answer, Server, Tenant, on_a_server, on_each_server};

pub const PASSWORD: &str = "correct horse battery";

pub async fn a_user(server: &Server, tenant: &Tenant, role: Role) -> (UserId, String) {
    let email = format!("{role}@{}.example.com", tenant.organisation.hash).to_lowercase();
    let user = server.service.add_user(&tenant.admin, &email, PASSWORD, role).await.unwrap();
    (user.id, email)
}

async fn validate(server: &Server, email: &str, password: &str) -> Answer {
    server.send("POST /user/validate", None, &json!({ "email": email, "password": password }).to_string()).await
}

pub async fn a_token(server: &Server, email: &str) -> String {
    let answer = validate(server, email, PASSWORD).await.ok();
    assert_eq!(answer.as_object().unwrap().len(), 1, "no API key is made: {answer}");
    answer["token"].as_str().unwrap().to_owned()
}

async fn with_token(server: &Server, call: &str, token: &str) -> Answer {
    server.send_with(call, &[("X-BINTU-TOKEN", token)], r#"{"tags":["a"]}"#).await
}

async fn sql(server: &Server, statement: &'static str, id: UserId) {
    let mut tx = server.db.write().await.unwrap();
    match tx.raw() {
        Raw::Sqlite(c) => sqlx::query(statement).bind(id.to_string()).execute(c).await.map(drop).unwrap(),
        Raw::Postgres(c) => sqlx::query(statement).bind(id.to_string()).execute(c).await.map(drop).unwrap(),
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_token_may_what_its_user_may_and_knows_no_other_organisation() {
    on_each_server(async |server| {
        let (ours, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let stream = a_stream(&server, &ours, &[]).await;
        let foreign = a_stream(&server, &theirs, &[]).await;
        for (role, edits, locks) in [(Role::ReadOnly, 403, 403), (Role::User, 200, 403), (Role::Admin, 200, 200)] {
            let (_, email) = a_user(&server, &ours, role).await;
            let token = a_token(&server, &email.to_uppercase()).await;
            for header in [
                ("X-BINTU-TOKEN", token.clone()),
                ("Authorization", format!("Bearer {token}")),
                ("Authorization", format!("bearer  {token}")),
            ] {
                let send = async |call: &str| {
                    server.send_with(call, &[(header.0, &header.1)], r#"{"tags":["a"]}"#).await.status.as_u16()
                };
                assert_eq!(send("GET /stream").await, 200, "{header:?}");
                assert_eq!(send(&format!("PUT /stream/{stream}/tag")).await, edits, "{role}");
                assert_eq!(send(&format!("PUT /stream/{stream}/unlock")).await, locks, "{role}");
                assert_eq!(send(&format!("GET /stream/{foreign}")).await, 404, "{role}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_with_its_time_its_password_and_its_user() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (id, email) = a_user(&server, &tenant, Role::Admin).await;
        let call = async |token: &str| with_token(&server, "GET /organisation", token).await;

        let token = a_token(&server, &email).await;
        // Made in the midst of a second.
        server.clock.advance_ms(LIFETIME_S * 1_000 - 900);
        call(&token).await.ok();
        server.clock.advance_ms(1);
        assert_eq!(call(&token).await.error(), (401, 4002), "expired");

        let token = a_token(&server, &email).await;
        sql(&server, "UPDATE users SET role = 'nanoReadOnly' WHERE id = $1", id).await;
        assert_eq!(with_token(&server, "GET /apikey", &token).await.error(), (403, 2001), "no more than the user may now");
        let of_reader = a_token(&server, &email).await;
        sql(&server, "UPDATE users SET role = 'nanoAdmin' WHERE id = $1", id).await;
        assert_eq!(with_token(&server, "GET /apikey", &of_reader).await.error(), (403, 2001), "no more than it was made for");
        with_token(&server, "GET /apikey", &token).await.ok();

        sql(&server, "UPDATE users SET password_hash = password_hash || 'x' WHERE id = $1", id).await;
        assert_eq!(call(&token).await.error(), (401, 4002), "another password");

        let (id, email) = a_user(&server, &tenant, Role::User).await;
        let token = a_token(&server, &email).await;
        call(&token).await.ok();
        sql(&server, "DELETE FROM users WHERE id = $1", id).await;
        assert_eq!(call(&token).await.error(), (401, 4002), "gone");
    })
    .await;
}

#[tokio::test]
async fn what_is_stored_signs_nobody_in_and_a_token_whose_row_is_gone_is_none() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (id, email) = a_user(&server, &tenant, Role::Admin).await;
        let token = a_token(&server, &email).await;
        let statement = "SELECT hash || ' ' || password_digest FROM session_tokens WHERE user_id = $1";
        let stored: String = match server.db.read().await.unwrap().raw() {
            Raw::Sqlite(c) => sqlx::query_scalar(statement).bind(id.to_string()).fetch_one(c).await.unwrap(),
            Raw::Postgres(c) => sqlx::query_scalar(statement).bind(id.to_string()).fetch_one(c).await.unwrap(),
        };
        assert_eq!(stored.len(), 64 + 1 + 64, "{stored}");
        let (signed, _) = token.rsplit_once('.').unwrap();
        for part in stored.split(' ') {
            // As it is, and as what signs: by anybody who has the table and knows how tokens look.
            let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, part.as_bytes()), signed.as_bytes());
            let forged = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag));
            for bad in [part, &forged] {
                assert_eq!(with_token(&server, "GET /organisation", bad).await.error(), (401, 4002), "{bad}");
            }
        }
        with_token(&server, "GET /organisation", &token).await.ok();
        sql(&server, "DELETE FROM session_tokens WHERE user_id = $1", id).await;
        assert_eq!(with_token(&server, "GET /organisation", &token).await.error(), (401, 4002));
    })
    .await;
}

#[tokio::test]
async fn what_only_looks_like_a_token_opens_nothing() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (_, email) = a_user(&server, &tenant, Role::Admin).await;
        let token = a_token(&server, &email).await;
        let playback = server.send("POST /token/playback", Some(&tenant.admin_key), r#"{"expires_in_s":600}"#).await.ok();
        let parts: Vec<&str> = token.split('.').collect();
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
        let cut = format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]);
        for bad in [playback["token"].as_str().unwrap(), &unsigned, &cut, "", "x", &tenant.admin_key, &format!("{token}.")] {
            assert_eq!(with_token(&server, "GET /stream", bad).await.error(), (401, 4002), "{bad}");
            let bearer = format!("Bearer {bad}");
            let answer = server.send_with("GET /stream", &[("Authorization", &bearer)], "").await;
            assert_eq!(answer.error(), (401, 4002), "{bad}");
        }
        let basic = server.send_with("GET /stream", &[("Authorization", &format!("Basic {token}"))], "").await;
        assert_eq!(basic.error(), (401, 4002));
        let as_key = server.send("GET /stream", Some(&token), "").await;
        assert_eq!(as_key.error(), (401, 4002));
        // Nor is it a playback token.
        let verify = json!({ "token": token }).to_string();
        assert_eq!(server.send("POST /token/verify", Some(&tenant.admin_key), &verify).await.ok()["valid"], json!(false));
    })
    .await;
}

#[tokio::test]
async fn passwords_are_not_guessed_here_either() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let (_, email) = a_user(&server, &tenant, Role::User).await;
        for (body, field) in [(json!({ "email": email }), "password"), (json!({ "password": "x" }), "email")] {
            let answer = server.send("POST /user/validate", None, &body.to_string()).await;
            assert_eq!(
                (answer.error(), &answer.json()["error"]["userinfo"]),
                ((400, 1002), &json!({ "required_parameter": field }))
            );
        }
        let wrong = validate(&server, &email, "wrong").await;
        assert_eq!(wrong.error(), (401, 4002));
        assert_eq!(validate(&server, "nobody@example.com", PASSWORD).await.text, wrong.text, "which was wrong is not told");
        for _ in 0..9 {
            assert_eq!(validate(&server, &email, "wrong").await.error(), (401, 4002));
        }
        let refused = validate(&server, &email, PASSWORD).await;
        assert_eq!(refused.error(), (429, 1006));
        server.clock.advance_ms(1_000 * refused.header("retry-after").parse::<i64>().unwrap());
        a_token(&server, &email).await;
    })
    .await;
}

#[tokio::test]
async fn who_is_removed_while_the_password_is_checked_gets_no_token() {
    on_a_server(&[], async |server| {
        let tenant = server.an_organisation().await;
        let (_, email) = a_user(&server, &tenant, Role::User).await;
        // As it looks to who comes too late: there is nobody to be held.
        let mut tx = server.db.write().await.unwrap();
        let Raw::Sqlite(connection) = tx.raw() else { unreachable!("it runs on SQLite") };
        let gone = "CREATE TRIGGER gone BEFORE UPDATE ON users BEGIN SELECT RAISE(IGNORE); END";
        sqlx::query(gone).execute(connection).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(validate(&server, &email, PASSWORD).await.error(), (401, 4002));
    })
    .await;
}

#[tokio::test]
async fn a_caller_is_told_who_it_is_and_what_it_may() {
    on_each_server(async |server| {
        let tenant = server.an_organisation().await;
        let organisation = json!({ "id": tenant.organisation.id, "name": "Chapel", "hash": tenant.organisation.hash });
        for (role, permissions) in [
            (Role::ReadOnly, json!(["read"])),
            (Role::User, json!(["read", "edit_streams"])),
            (Role::Admin, json!(["read", "edit_streams", "administer"])),
        ] {
            let (id, email) = a_user(&server, &tenant, role).await;
            let token = a_token(&server, &email).await;
            let user = with_token(&server, "GET /user", &token).await.ok();
            assert_eq!(
                user,
                json!({
                    "id": id, "type": "user", "email": email, "label": null, "role": role, "permissions": permissions,
                    "organisation": organisation, "created_at": NOW,
                })
            );
            let key = server.send("GET /user", Some(tenant.key(role)), "").await.ok();
            assert_eq!((&key["type"], &key["email"], &key["label"]), (&json!("apikey"), &json!(null), &json!("test")));
            assert_eq!((&key["role"], &key["permissions"]), (&json!(role), &permissions));
            let expected = json!({ "role": role, "permissions": permissions });
            assert_eq!(with_token(&server, "GET /permission", &token).await.ok(), expected);
            assert_eq!(server.send("GET /permission", Some(tenant.key(role)), "").await.ok(), expected);
        }
    })
    .await;
}
