//! The second factor, as pages without a script.

use super::Site;
use crate::backend::{Access, SecondFactor, SecondFactors as _};
use crate::fake::{APP_CODE, BOB, Fake, NOW, PASSWORD, RECOVERY_CODE};

fn typed(text: &str) -> String {
    text.replace(' ', "+")
}

#[tokio::test]
async fn after_the_right_password_a_code_is_asked_for_on_a_page_of_its_own() {
    let site = Site::new(Fake::signed_out().with_second_factor(10));
    site.get("/sign-in/code").await.shows("First the password");
    let page = site.post("/ui/sign_in", &format!("email=a%40b.example&password={}&next=%2Fvod", typed(PASSWORD))).await;
    assert_eq!(page.location, "/sign-in/code?next=%2Fvod");
    let page = site.get(&page.location).await;
    page.shows("autocomplete=\"one-time-code\"").shows("inputmode=\"numeric\"").shows("Use the recovery code");
    // A recovery code has 29 letters.
    page.shows("Without the app a recovery code is as good: see below.").shows_not("maxlength=\"12\"");
    // It has letters too, which a keypad of digits has not.
    assert_eq!(page.count("inputmode=\"numeric\""), 1);
    let (app, recovery) =
        page.text().split_once("<details class=\"other-way\">").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(app.contains("inputmode=\"numeric\"") && recovery.contains("App not at hand? Use a recovery code"));
    for (code, told) in [
        ("000000", "This code is wrong, or has been used."),
        ("too+often", "Please wait 30 seconds"),
        ("exhausted", "those of your app are not taken any more"),
    ] {
        let page = site.post("/ui/sign_in_with_code", &format!("code={code}&next=%2Fvod")).await;
        assert!(page.location.starts_with("/sign-in/code?error=") && page.location.ends_with("next=%2Fvod"), "{}", page.location);
        site.get(&page.location).await.shows(told);
    }
    let page = site.post("/ui/sign_in_with_code", &format!("code={RECOVERY_CODE}&next=%2F%2Fevil.example")).await;
    assert_eq!(page.location, "/", "and no foreign way back");
    let page = site.post("/ui/sign_in_with_code", &format!("code={APP_CODE}")).await;
    assert_eq!(page.location, "/auth?error=again&next=%2F");
}

#[tokio::test]
async fn it_is_set_up_with_a_code_and_the_recovery_codes_are_shown_once() {
    let site = Site::new(Fake::signed_in());
    site.get("/account").await.shows("Set up a second factor");
    site.get("/account/second-factor").await.shows("Nothing to set up here");
    let page = site.post("/ui/begin_second_factor", "present=wrong&back=%2Faccount").await;
    site.get(&page.location).await.shows("This is not your password.");
    let page = site.post("/ui/begin_second_factor", &format!("present={}&back=%2Faccount", typed(PASSWORD))).await;
    let page = site.get(&page.location).await;
    page.shows("<rect width=\"9\" height=\"9\" fill=\"#fff\"")
        .shows("d=\"M4 4h1v1h-1z\"")
        .shows("GEZDGNBVGY3TQOJQ")
        .shows_not("style=");
    let page = site.post("/ui/confirm_second_factor", "code=000000").await;
    site.get(&page.location).await.shows("This code is wrong").shows("GEZDGNBVGY3TQOJQ");
    let page = site.post("/ui/confirm_second_factor", &format!("code={APP_CODE}")).await;
    site.get(&page.location).await.shows(RECOVERY_CODE).shows("shown this once");
    site.get("/account").await.shows_not(RECOVERY_CODE).shows("10 recovery codes are left.").shows("Switch off");
}

#[tokio::test]
async fn who_has_few_recovery_codes_is_told_and_new_ones_and_switching_off_take_a_code() {
    let site = Site::new(Fake::signed_in().with_second_factor(1));
    site.get("/account").await.shows("One recovery code is left.").shows("Make new ones");
    let with = |code: &str| format!("present={}&code={code}", typed(PASSWORD));
    let page = site.post("/ui/renew_recovery_codes", &with("000000")).await;
    site.get(&page.location).await.shows("This code is wrong").shows("One recovery code is left");
    let page = site.post("/ui/renew_recovery_codes", &with(APP_CODE)).await;
    site.get(&page.location).await.shows(RECOVERY_CODE).shows("10 recovery codes are left.");
    assert_eq!(site.fake.second_factor().await.unwrap(), SecondFactor::On { since: NOW, codes_left: 10 });
    let page = site.post("/ui/remove_second_factor", &with(APP_CODE)).await;
    site.get(&page.location).await.shows("The second factor is switched off.").shows("Set up a second factor");
}

#[tokio::test]
async fn administrators_reset_others_and_ask_everybody_for_one_once_they_have_one() {
    let site = Site::new(Fake::signed_in());
    let page = site.get("/organisation").await;
    page.shows("Reset the second factor of bob").shows("set one up yourself first").shows("disabled");
    let page = site.post("/ui/reset_second_factor", &format!("user={BOB}")).await;
    site.get(&page.location).await.shows("The second factor is reset").shows_not("Reset the second factor of bob");
    let site = Site::new(Fake::signed_in().with_second_factor(10));
    site.get("/organisation").await.shows_not("set one up yourself first");
    let page = site.post("/ui/require_second_factor", "required=on").await;
    site.get(&page.location).await.shows("Saved.");
    assert!(site.fake.second_factor_rule().await.unwrap().is_required);
}

#[tokio::test]
async fn who_must_set_one_up_first_is_led_to_that() {
    let site = Site::new(Fake::new(Access::MustEnrol { email: "ada@northlight.example".into(), has_password: true }));
    assert_eq!(site.get("/vod").await.location, "/auth?next=%2Fvod");
    site.get("/auth?next=%2Fvod").await.shows("First a second factor").shows("ada@northlight.example").shows("Sign out");
    let page = site.post("/ui/begin_second_factor", &format!("present={}&back=%2Fauth", typed(PASSWORD))).await;
    site.get(&page.location).await.shows("GEZDGNBVGY3TQOJQ");
}
