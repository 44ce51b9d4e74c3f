//! Which account at the provider somebody is connected with, as they and their administrators see it, and administrators who take it away.

use afterlive_domain::{Error as Refusal, Role};
use afterlive_server::db::system;
use afterlive_server::db::users::User;
use afterlive_server::service::{Caller, Error};
use serde_json::{Value, json};

use super::{connected, go, sign_in, who, with_provider};
use crate::accounts::{PASSWORD, a_user, as_user};
use crate::audit::all_rows;
use crate::fixture::browser::Browser;
use crate::fixture::oidc_provider::somebody;
use crate::fixture::server::{Server, Tenant};

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What the page of people says of a user's account at the provider.
async fn seen(admin: &mut Browser<'_>, user: &User) -> Value {
    let people: Value = serde_json::from_str(&admin.load("people", "{}").await.text).unwrap();
    let rows = people["users"].as_array().unwrap();
    rows.iter().find(|row| row["email"] == user.email.as_str()).unwrap()["provider_account"].clone()
}

async fn an_admin<'a>(server: &'a Server, tenant: &Tenant) -> (User, Browser<'a>) {
    let admin = a_user(server, tenant, Role::Admin).await;
    let browser = Browser::signed_in(server, &admin.email, PASSWORD).await;
    (admin, browser)
}

#[tokio::test]
async fn it_is_shown_what_the_provider_called_the_account_when_it_was_connected() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let (_, mut admin) = an_admin(&server, &tenant).await;
        let long = "x".repeat(40);
        for (claims, called) in [
            (somebody("one", "Ada@Login.example", false), "Ada@Login.example".to_owned()),
            (json!({ "sub": "two", "name": "Ada L.", "preferred_username": "ada" }), "ada".to_owned()),
            (json!({ "sub": "three", "email": " ", "name": "Ada\r\nL.", "preferred_username": 7 }), "AdaL.".to_owned()),
            (json!({ "sub": "four", "name": ["Ada"] }), "four".to_owned()),
            (json!({ "sub": long }), format!("{}…", "x".repeat(16))),
        ] {
            let user = a_user(&server, &tenant, Role::User).await;
            let mut browser = Browser::signed_in(&server, &user.email, PASSWORD).await;
            assert_eq!(seen(&mut admin, &user).await, Value::Null);
            let to = go(&mut browser, &provider, "/oidc/connect", &[("present", PASSWORD)], claims.clone()).await;
            assert_eq!(to, "/account?notice=connected", "{claims}");
            let own: Value = serde_json::from_str(&browser.load("connection", "{}").await.text).unwrap();
            assert_eq!(own["account"]["called"], called.as_str(), "{claims}");
            assert_eq!(seen(&mut admin, &user).await, called.as_str(), "{claims}");
            assert!(browser.open("/account").await.text.contains(&called), "{claims}");
            assert!(admin.open("/organisation").await.text.contains(&called), "{claims}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_administrator_disconnects_a_user_and_ends_what_came_by_it_and_nothing_else() {
    with_provider(&[], async |server, provider| {
        let tenant = server.an_organisation().await;
        let (_, mut admin) = an_admin(&server, &tenant).await;
        let ada = || somebody("ada", "ada@login.example", false);
        let (user, mut by_password) = connected(&server, &tenant, &provider, "ada").await;
        let (other, _) = connected(&server, &tenant, &provider, "bob").await;
        let mut by_provider = Browser::new(&server);
        sign_in(&mut by_provider, &provider, ada()).await;

        let fields = [("user", user.id.to_string())];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        for _ in 0..2 {
            let to = admin.submit("disconnect_user", &fields).await;
            assert_eq!(to, "/organisation?notice=user%2Ddisconnected&card=people#people");
        }
        assert_eq!(who(&mut by_provider).await, None);
        assert_eq!(who(&mut by_password).await, Some(user.email.clone()));
        assert_eq!(server.service.open_account(&as_user(&user)).await.unwrap().sessions.len(), 1);
        assert_eq!(sign_in(&mut by_provider, &provider, ada()).await, "/auth?error=oidc-unknown");
        assert_eq!((seen(&mut admin, &user).await, seen(&mut admin, &other).await), (Value::Null, "x@example.com".into()));
        let rows = all_rows(&server, &tenant).await;
        let noted: Vec<_> = rows.iter().filter(|row| row.act == "user.identity_disconnected").collect();
        let [noted] = noted.try_into().unwrap();
        assert_eq!(noted.on_id.as_deref(), Some(user.id.to_string().as_str()));
        assert_ne!(noted.who_label, user.email, "the administrator did it");
    })
    .await;
}

#[tokio::test]
async fn nobody_disconnects_who_is_not_theirs_to_disconnect() {
    with_provider(&[], async |server, provider| {
        let (tenant, theirs) = (server.an_organisation().await, server.an_organisation().await);
        let (user, _) = connected(&server, &tenant, &provider, "ada").await;
        let (admin, _) = an_admin(&server, &tenant).await;
        let (stranger, _) = an_admin(&server, &theirs).await;
        let disconnect = async |caller: Caller, user: &User| server.service.disconnect_user(&caller, user.id).await;
        assert!(matches!(refusal(disconnect(as_user(&user), &admin).await), Refusal::Denied { .. }));
        assert_eq!(refusal(disconnect(as_user(&stranger), &user).await), Refusal::NoSuchUser { user: user.id });
        // With a browser that was left open nobody disconnects its owner: that takes the password.
        assert!(matches!(refusal(disconnect(as_user(&admin), &admin).await), Refusal::WrongState { .. }));
        let mut tx = server.db.write().await.unwrap();
        system::set_administrator(&mut tx, user.id, true).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(refusal(disconnect(as_user(&admin), &user).await), Refusal::NotSystemAdministrator);
        assert!(server.service.own_connection(&as_user(&user)).await.unwrap().is_some());
    })
    .await;
}
