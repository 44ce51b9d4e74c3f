//! The provider and the real binary: what `check` says, a start without it, and what the log has of it.

use reqwest::{Client, redirect};

use super::unescaped;
use crate::fixture::oidc_provider::{Answers, OidcProvider, SECRET, somebody};
use crate::fixture::program::{Serving, afterlive, run};

fn variables(provider: &OidcProvider) -> Vec<(String, String)> {
    provider.settings().iter().map(|(name, value)| (format!("AFTERLIVE__{name}"), value.clone())).collect()
}

async fn check(variables: &[(String, String)]) -> (bool, String) {
    let (folder, variables) = (tempfile::tempdir().unwrap(), variables.to_vec());
    let running = tokio::task::spawn_blocking(move || {
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(afterlive(folder.path(), &["check"], &variables), "")
    });
    let output = running.await.unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_check_asks_the_provider_and_says_what_is_wrong_without_its_secret() {
    let provider = OidcProvider::start().await;
    let (is_well, printed) = check(&variables(&provider)).await;
    assert!(is_well && printed.contains(&format!("ok      OIDC provider {}", provider.issuer())), "{printed}");
    assert!(printed.contains("/oidc/callback"), "{printed}");
    provider.answers("keys", Some(Answers::Status(500)));
    let (is_well, printed) = check(&variables(&provider)).await;
    assert!(!is_well && printed.contains("FAILED  OIDC provider") && printed.contains("500"), "{printed}");
    assert!(!printed.contains(SECRET));
}

#[tokio::test]
async fn the_log_has_neither_codes_nor_tokens_nor_secrets_however_much_it_logs_and_the_provider_need_not_be_there() {
    let provider = OidcProvider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut set = variables(&provider);
    set.push(("AFTERLIVE__LOG__FILTER".to_owned(), "trace".to_owned()));
    let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    provider.answers("about", Some(Answers::Status(503)));
    let serving = Serving::logging_to(&log, afterlive(folder.path(), &["serve"], &set));
    let url = serving.printed_after("Dashboard").to_owned();
    let client = Client::builder().redirect(redirect::Policy::none()).cookie_store(true).build().unwrap();
    let leave =
        async || client.post(format!("{url}/oidc/sign-in")).header("origin", &url).form(&[("next", "/")]).send().await.unwrap();
    assert_eq!(provider.asked("about"), 0, "nobody has clicked");
    provider.answers("about", None);
    let page = leave().await;
    assert_eq!(page.status(), 200);
    let cookie = page.headers()["set-cookie"].to_str().unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let page = page.text().await.unwrap();
    let to = page.split_once("content=\"0;url=").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut claims = somebody("subject-4711", "somebody@example.com", true);
    claims["iat"] = now_s.into();
    claims["exp"] = (now_s + 300).into();
    let back = provider.sign_in(&to, claims);
    let answer = client.get(format!("{url}/oidc/callback?{back}")).send().await.unwrap();
    assert_eq!(unescaped(answer.headers()["location"].to_str().unwrap()), "/auth?error=oidc-unknown");
    serving.signal("TERM");
    serving.wait();

    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("somebody came by the provider who is nobody here"));
    let state = to.split_once("state=").unwrap().1.split_once('&').unwrap().0;
    for secret in [
        SECRET,
        "zQ7+%2F%2BkP2%3AvB9",
        &provider.last_code(),
        state,
        &cookie,
        "an-access-token",
        "subject-4711",
        "somebody@example.com",
        "eyJ",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
