//! The people of an organisation and one's own account, as pages without a script.

use afterlive_domain::Role;

use super::Site;
use crate::backend::{Backend as _, MailFate};
use crate::fake::{ADA, BOB, Fake, LIVE, PASSWORD, SECRET};

const NEW: &str = "wandering+geese+by+night";

#[tokio::test]
async fn administrators_see_the_users_and_nobody_else_does() {
    let site = Site::new(Fake::signed_in());
    let page = site.get("/organisation").await;
    page.shows("ada@northlight.example").shows("(you)").shows("nanoReadOnly").shows("never").shows("Invite").shows_not("Invited");
    let site = Site::new(Fake::signed_in_as(Role::User));
    site.get("/organisation").await.shows("Administrators see and change").shows_not("bob.the.builder");
}

#[tokio::test]
async fn an_invitation_is_shown_once_and_what_is_refused_stays_in_the_form() {
    let site = Site::new(Fake::signed_in());
    let page = site.post("/ui/invite", "email=ada%40northlight.example&role=nanoUser").await;
    let page = site.get(&page.location).await;
    page.shows("This email is taken.").shows("value=\"ada@northlight.example\"");
    let page = site.post("/ui/invite", "email=dee%40example.com&role=nanoReadOnly").await;
    let link = format!("http://localhost:3000/invitation/{SECRET}");
    let page = site.get(&page.location).await;
    page.shows(&link).shows("works once, for seven days").shows("Invited");
    site.get("/organisation").await.shows_not(&link).shows("dee@example.com");
    let [invitation] = site.fake.people().await.unwrap().invitations.try_into().unwrap();
    let page = site.post("/ui/revoke_invitation", &format!("invitation={}", invitation.id)).await;
    site.get(&page.location).await.shows("The invitation is revoked.").shows_not("dee@example.com");
}

#[tokio::test]
async fn where_links_are_mailed_the_page_says_what_became_of_it_and_shows_the_link_all_the_same() {
    let waiting = MailFate::Waiting { problem: None };
    let retried = MailFate::Waiting { problem: Some("the mail server cannot be reached".into()) };
    let failed = MailFate::Failed { problem: "the mail server answered 550: no such user".into() };
    for (fate, told, in_table) in [
        (MailFate::Sent, "A mail with this link was sent to ", "Mailed"),
        (waiting, "A mail with this link is on its way to ", "The mail is on its way"),
        (
            retried,
            "the mail server cannot be reached. It is tried again for half an hour. Copy the link",
            "Not mailed yet: the mail",
        ),
        (failed, "the mail server answered 550: no such user. Copy the link", "Not mailed: the mail server answered 550"),
    ] {
        let site = Site::new(Fake::signed_in().with_mail(fate));
        site.get("/organisation").await.shows("A link is mailed to this address.").shows_not("No mail is sent");
        let page = site.post("/ui/invite", "email=dee%40example.com&role=nanoReadOnly").await;
        let page = site.get(&page.location).await;
        page.shows(&format!("/invitation/{SECRET}")).shows(told).shows(in_table).shows("dee@example.com</strong>");
        let page = site.post("/ui/make_password_link", &format!("user={BOB}&email=bob%40example.com")).await;
        site.get(&page.location).await.shows(&format!("/password/{SECRET}")).shows(told);
    }
    let site = Site::new(Fake::signed_in());
    let page = site.post("/ui/invite", "email=dee%40example.com&role=nanoReadOnly").await;
    site.get(&page.location).await.shows("No mail is sent").shows_not("mail with this link").shows_not("Mailed");
}

#[tokio::test]
async fn who_has_forgotten_the_password_is_mailed_a_link_or_told_whom_to_ask() {
    let ask = "/ui/ask_for_password_link";
    let site = Site::new(Fake::signed_out());
    site.get("/auth").await.shows("An administrator of your organisation can").shows_not("/forgotten");
    site.get("/forgotten").await.shows("An administrator of your organisation can").shows_not("Send me a link");
    assert_eq!(site.post(ask, "email=ada%40example.com").await.location, "/forgotten");

    let site = Site::new(Fake::signed_out().with_mail(MailFate::Sent));
    site.get("/auth").await.shows("href=\"/forgotten\"").shows_not("An administrator of your organisation can");
    site.get("/forgotten").await.shows("Send me a link");
    let page = site.post(ask, "email=ada%40example.com").await;
    assert_eq!(page.location, "/forgotten?asked=1");
    site.get(&page.location).await.shows("If somebody signs in here with that address").shows_not("Send me a link");
    let page = site.post(ask, "email=too%40often.example").await;
    assert_eq!(page.location, "/forgotten?error=wait&seconds=30");
    site.get(&page.location).await.shows("Please wait 30 seconds").shows("Send me a link");
}

#[tokio::test]
async fn roles_change_users_go_and_the_last_administrator_stays() {
    let site = Site::new(Fake::signed_in());
    let page = site.post("/ui/change_role", &format!("user={ADA}&role=nanoUser")).await;
    site.get(&page.location).await.shows("This is the last administrator.");
    let page = site.post("/ui/change_role", &format!("user={BOB}&role=nanoAdmin")).await;
    assert_eq!(page.location, "/organisation?notice=role&card=people#people");
    let page = site.post("/ui/make_password_link", &format!("user={BOB}&email=bob%40example.com")).await;
    site.get(&page.location).await.shows(&format!("/password/{SECRET}")).shows("24 hours");
    let page = site.post("/ui/remove_user", &format!("user={BOB}")).await;
    site.get(&page.location).await.shows("The user is removed").shows_not("bob.the.builder");
}

#[tokio::test]
async fn who_has_a_link_chooses_a_password_and_is_told_what_is_wrong_with_it() {
    for (folder, function, done) in
        [("invitation", "accept_invitation", "/?notice=joined"), ("password", "choose_password", "/?notice=password")]
    {
        let site = Site::new(Fake::signed_out());
        let path = format!("/{folder}/{SECRET}");
        site.get(&path).await.shows("dee@example.com").shows("At least 15 characters");
        let page = site.post(&format!("/ui/{function}"), &format!("secret={SECRET}&password=short")).await;
        assert_eq!(page.location, format!("{path}?error=short"));
        site.get(&page.location).await.shows("Please give at least 15 characters");
        site.get(&format!("{path}?error=taken")).await.shows("There is a user with this e-mail address by now.");
        let page = site.post(&format!("/ui/{function}"), &format!("secret={SECRET}&password={NEW}")).await;
        assert_eq!(page.location, done);
        site.get(&format!("/{folder}/x")).await.shows("This link opens nothing");
        // No link of ours leads to another site.
        let page = site.post(&format!("/ui/{function}"), &format!("secret=%0d%0aLocation:x&password={NEW}")).await;
        assert_eq!(page.location, "/");
    }
}

#[tokio::test]
async fn the_own_account_lists_what_is_open_and_ends_it() {
    let site = Site::new(Fake::signed_in());
    site.get("/account").await.shows("Firefox on Linux").shows("(this one)").shows("Safari on iPhone").shows("End all others");
    let page = site.post("/ui/end_session", "id=b").await;
    site.get(&page.location).await.shows("Ended.").shows_not("Safari on iPhone");
    let page = site.post("/ui/end_other_sessions", "").await;
    site.get(&page.location).await.shows("Only this browser").shows("None. A program that calls").shows_not("End all others");
    for (present, told) in [("x", "This is not your present password."), (PASSWORD, "Your password is changed.")] {
        let page = site.post("/ui/change_password", &format!("present={}&password={NEW}", present.replace(' ', "+"))).await;
        site.get(&page.location).await.shows(told);
    }
}

#[tokio::test]
async fn who_may_only_read_is_led_to_nothing_that_would_be_refused() {
    let site = Site::new(Fake::signed_in_as(Role::ReadOnly));
    for page in ["/", "/stream", "/vod", "/organisation", &format!("/stream/{LIVE}"), &format!("/stream/{LIVE}?tab=code")] {
        let page = site.get(page).await;
        for link in ["/stream/create", "/stream/new/", "\"/webcaster", "Stop &amp; Lock", "Edit tags", "Make a playback token"] {
            page.shows_not(link);
        }
    }
    for page in ["/stream/create", "/webcaster", &format!("/webcaster/{LIVE}"), &format!("/stream/new/{LIVE}")] {
        let answer = site.get(page).await;
        assert_eq!(answer.status.as_u16(), 403, "{page}");
        answer.shows("Ask an administrator of your organisation");
    }
    let site = Site::new(Fake::signed_in_as(Role::User));
    site.get(&format!("/stream/{LIVE}")).await.shows("Webcaster").shows("Instructions").shows_not("Stop &amp; Lock");
}

#[tokio::test]
async fn a_sign_in_that_failed_keeps_the_address() {
    use axum::body::Body;
    use axum::http::{Request, header};

    let site = Site::new(Fake::signed_out());
    let request = Request::get("/auth").header(header::COOKIE, "typed_email=ada%40example.com");
    site.answer(request.body(Body::empty()).unwrap()).await.shows("value=\"ada@example.com\"");
    site.get("/auth").await.shows_not("value=\"ada");
}
