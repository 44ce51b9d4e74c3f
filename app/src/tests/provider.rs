//! What pages show of the provider by which people may sign in, before any script has run.

use super::Site;
use crate::backend::{Connection, ProviderAccount};
use crate::fake::{BOB, Fake, NOW, PASSWORD, SECRET};

fn provider(is_connected: bool) -> Connection {
    let account = ProviderAccount { called: "ada@login.example".into(), connected_at: NOW };
    Connection { provider: "Example Login".into(), account: is_connected.then_some(account) }
}

#[tokio::test]
async fn where_there_is_no_provider_nothing_of_it_shows() {
    let invitation = format!("/invitation/{SECRET}");
    for (fake, page) in
        [(Fake::signed_out(), "/auth"), (Fake::signed_out(), invitation.as_str()), (Fake::signed_in(), "/account")]
    {
        Site::new(fake).get(page).await.shows_not("/oidc/").shows_not("Sign-in by").shows_not(" by Example Login");
    }
}

#[tokio::test]
async fn the_button_stands_below_the_form_and_keeps_where_to_go() {
    let site = Site::new(Fake::signed_out().with_connection(provider(false)));
    let page = site.get("/auth?next=%2Fvod").await;
    page.shows("Sign in by Example Login").shows("action=\"/oidc/sign-in\"").shows("name=\"next\" value=\"/vod\"");
    let page = site.get(&format!("/invitation/{SECRET}")).await;
    page.shows("Join by Example Login").shows("action=\"/oidc/accept\"").shows(&format!("name=\"secret\" value=\"{SECRET}\""));
}

#[tokio::test]
async fn what_became_of_a_way_to_the_provider_is_said_where_it_began() {
    let site = Site::new(Fake::signed_out().with_connection(provider(false)));
    for (code, told) in [
        ("oidc-away", "cannot be reached at the moment"),
        ("oidc-stale", "begun in another browser, or too long ago"),
        ("oidc-cancelled", "You left the sign-in provider"),
        ("oidc-failed", "could not be checked"),
        ("oidc-wait", "too many attempts"),
        ("oidc-unknown", "ask an administrator of your organisation for an invitation"),
    ] {
        site.get(&format!("/auth?error={code}")).await.shows(told);
    }
    site.get(&format!("/invitation/{SECRET}?error=oidc-address")).await.shows("does not say that this e-mail address is yours");
    site.get("/auth?error=oidc-evil").await.shows_not("oidc-evil").shows_not("role=\"alert\"");
}

#[tokio::test]
async fn the_own_account_is_connected_and_disconnected_with_the_password() {
    let site = Site::new(Fake::signed_in().with_connection(provider(false)));
    let page = site.get("/account").await;
    page.shows("Sign-in by Example Login")
        .shows("action=\"/oidc/connect\"")
        .shows("Connect Example Login")
        .shows_not("Disconnect");
    let site = Site::new(Fake::signed_in().with_connection(provider(true)));
    let page = site.get("/account").await;
    page.shows("Disconnect Example Login").shows("ada@login.example").shows_not("/oidc/connect");
    let page = site.post("/ui/disconnect", "present=x").await;
    site.get(&page.location).await.shows("This is not your present password.").shows("Disconnect Example Login");
    let page = site.post("/ui/disconnect", &format!("present={}", PASSWORD.replace(' ', "+"))).await;
    assert_eq!(page.location, "/account?notice=disconnected");
    site.get(&page.location)
        .await
        .shows("Your account is disconnected,")
        .shows("Connect Example Login")
        .shows_not("ada@login.example");
}

#[tokio::test]
async fn who_has_no_password_is_told_how_to_get_one_and_sees_no_form_that_asks_for_it() {
    let site = Site::new(Fake::signed_in().with_connection(provider(true)).without_password());
    site.get("/account")
        .await
        .shows("and have no password")
        .shows("ada@login.example")
        .shows_not("Disconnect Example Login")
        .shows_not("name=\"present\"");
}

#[tokio::test]
async fn administrators_see_who_is_connected_with_which_account_and_disconnect_others() {
    let site = Site::new(Fake::signed_in());
    site.get("/organisation").await.shows_not("bob@login.example").shows_not("from Example Login");
    let site = Site::new(Fake::signed_in().with_connection(provider(true)));
    let page = site.get("/organisation").await;
    page.shows("By Example Login: ").shows("bob@login.example").shows("Disconnect from Example Login");
    let page = site.post("/ui/disconnect_user", &format!("user={BOB}")).await;
    assert_eq!(page.location, "/organisation?notice=user%2Ddisconnected&card=people#people");
    let page = site.get(&page.location).await;
    page.shows("The user is disconnected,").shows_not("bob@login.example").shows_not("Disconnect from Example Login");
}
