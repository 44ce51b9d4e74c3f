//! Above the organisations, as pages without a script.

use super::Site;
use crate::backend::MailFate;
use crate::fake::{ADA, BOB, Fake, OWN, SECRET, TENANT};

#[tokio::test]
async fn only_system_administrators_are_led_there_and_let_in() {
    let site = Site::new(Fake::signed_in());
    site.get("/").await.shows_not("href=\"/system\"");
    let page = site.get("/system").await;
    assert_eq!(page.status.as_u16(), 403);
    page.shows_not("Harbour Choir");
    assert_eq!(site.get(&format!("/system/organisation/{TENANT}")).await.status.as_u16(), 403);
    let site = Site::new(Fake::signed_in_above());
    site.get("/").await.shows("href=\"/system\"");
    let page = site.get("/system").await;
    page.shows("Northlight Events").shows("(yours)").shows("120 organisations").shows("Page 1 of 3").shows("/system?page=2");
    page.shows("Harbour Choir").shows("suspended").shows("active").shows("bob@harbour.example").shows("1,234").shows("123.45 GB");
    site.get("/system?page=3").await.shows("Organisation 119").shows_not("Page 4").shows("Page 3 of 3");
    site.get("/system?page=9").await.shows("There are not so many pages.");
}

#[tokio::test]
async fn an_organisation_is_made_with_a_link_that_is_shown_once_and_what_is_refused_stays_in_the_form() {
    let site = Site::new(Fake::signed_in_above());
    let page = site.post("/ui/create_organisation", "name=New+choir&email=ada%40northlight.example").await;
    let page = site.get(&page.location).await;
    page.shows("This email is taken.").shows("value=\"New choir\"").shows("value=\"ada@northlight.example\"");
    let page = site.post("/ui/create_organisation", "name=New+choir&email=dee%40example.com").await;
    let page = site.get(&page.location).await;
    page.shows(&format!("/invitation/{SECRET}"))
        .shows("administers the organisation")
        .shows("New choir")
        .shows("No mail is sent");
    site.get("/system").await.shows("New choir").shows_not(&format!("/invitation/{SECRET}"));
    let site = Site::new(Fake::signed_in_above().with_mail(MailFate::Sent));
    let page = site.post("/ui/create_organisation", "name=New+choir&email=dee%40example.com").await;
    site.get(&page.location).await.shows("A mail with this link was sent to ").shows("A link is mailed to this address.");
}

#[tokio::test]
async fn an_organisation_is_suspended_after_a_question_and_resumed_and_renamed() {
    let site = Site::new(Fake::signed_in_above());
    let path = format!("/system/organisation/{TENANT}");
    site.get(&path).await.shows("Suspend the organisation").shows("Nothing is deleted").shows("active").shows_not("Resume");
    let page = site.post("/ui/suspend_organisation", &format!("organisation={TENANT}")).await;
    assert_eq!(page.location, format!("{path}?notice=suspended"));
    let page = site.get(&page.location).await;
    page.shows("Suspended since").shows("Resume").shows_not("Suspend the organisation");
    let page = site.post("/ui/resume_organisation", &format!("organisation={TENANT}")).await;
    site.get(&page.location).await.shows("Resumed. All is as it was before.").shows("Suspend the organisation");
    let page = site.post("/ui/rename_organisation", &format!("organisation={TENANT}&name=Other")).await;
    site.get(&page.location).await.shows("Saved.").shows("Other");
    // Nobody takes away what they stand on.
    site.get(&format!("/system/organisation/{OWN}")).await.shows("This is your own organisation").shows_not("Suspend the");
    assert_eq!(site.get("/system/organisation/nonsense").await.status.as_u16(), 404);
}

#[tokio::test]
async fn only_where_nobody_administers_it_is_somebody_invited() {
    let site = Site::new(Fake::signed_in_above());
    let path = format!("/system/organisation/{TENANT}");
    site.get(&path).await.shows("Nobody administers it yet").shows("Who is to administer it");
    let page = site.post("/ui/invite_administrator", &format!("organisation={TENANT}&email=dee%40example.com")).await;
    site.get(&page.location).await.shows(&format!("/invitation/{SECRET}")).shows("Invited").shows("dee@example.com");
    let own = site.get(&format!("/system/organisation/{OWN}")).await;
    own.shows("ada@northlight.example").shows("also a system administrator").shows_not("Who is to administer it");
}

#[tokio::test]
async fn the_role_is_given_and_taken_and_the_last_one_stays() {
    let site = Site::new(Fake::signed_in_above());
    site.get("/system").await.shows("(you)").shows("Take the role");
    let page = site.post("/ui/take_system_role", &format!("user={BOB}")).await;
    site.get(&page.location).await.shows("They are a system administrator no more.").shows_not("bob@harbour.example");
    let page = site.post("/ui/take_system_role", &format!("user={ADA}")).await;
    site.get(&page.location).await.shows("It would leave no system administrator who can sign in.");
    let page = site.post("/ui/give_system_role", "email=bob%40harbour.example").await;
    site.get(&page.location).await.shows("They are a system administrator from now on.").shows("bob@harbour.example");
    let page = site.post("/ui/give_system_role", "email=nobody%40example.com").await;
    site.get(&page.location).await.shows("somebody who is a user already");
}

#[tokio::test]
async fn who_is_of_a_suspended_organisation_is_told_so_at_the_sign_in() {
    let site = Site::new(Fake::signed_out());
    let page = site.post("/ui/sign_in", "email=ada%40example.com&password=suspended&next=%2Fvod").await;
    assert_eq!(page.location, "/auth?error=suspended&next=%2Fvod");
    site.get(&page.location).await.shows("Your organisation is suspended").shows("Sign in");
}
