//! Mail by the real binary: encrypted, from the terminal, and what the log has of it.

use reqwest::{Client, redirect};

use crate::fixture::certificate::{Pair, PairFiles};
use crate::fixture::mail_server::{Encrypted, MailServer, PASSWORD, settings};
use crate::fixture::program::{Serving, afterlive, run};

/// Of the account.
const ACCOUNT_PASSWORD: &str = "correct horse 7Hq2";

fn variables(settings: &[(&'static str, String)]) -> Vec<(String, String)> {
    settings.iter().map(|(name, value)| (format!("AFTERLIVE__{name}"), value.clone())).collect()
}

/// What `afterlive` printed and said, and whether it went well.
async fn call(arguments: &[&str], variables: &[(String, String)]) -> (bool, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (arguments, variables) = (arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), variables.to_vec());
    let running = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(afterlive(folder.path(), &arguments, &variables), "")
    });
    let output = running.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_test_is_sent_from_the_terminal_and_says_what_the_mail_server_answered() {
    let mails = MailServer::start().await;
    let set = variables(&mails.settings());
    let (is_well, printed, said) = call(&["mail-test", "ada@example.com"], &set).await;
    assert!(is_well && printed.contains("took the mail: 250 2.0.0 taken as 4711"), "{printed}{said}");
    let mail = mails.nth(1).await;
    assert!(mail.to == ["ada@example.com"] && mail.body.contains("This is a test"), "{mail:?}");

    let (is_well, printed, said) = call(&["mail-test", "refused@example.com"], &set).await;
    assert!(!is_well && printed.is_empty());
    assert!(said.contains("the mail server answered 550: 5.1.1 … is nobody here"), "{said}");
    let (is_well, _, said) = call(&["mail-test", "ada@example.com"], &[]).await;
    assert!(!is_well && said.contains("no mail server is set: see mail.host"), "{said}");

    let (is_well, printed, _) = call(&["check"], &set).await;
    assert!(is_well && printed.contains(&format!("ok      mail server localhost:{}", mails.address.port())), "{printed}");
    let mut wrong = set.clone();
    wrong.push(("AFTERLIVE__MAIL__PASSWORD".to_owned(), "another one".to_owned()));
    let (is_well, printed, said) = call(&["check"], &wrong).await;
    assert!(
        !is_well && printed.contains("FAILED  mail server") && printed.contains("does not let this server in: it answered 535"),
        "{printed}"
    );
    assert!(!format!("{printed}{said}").contains("another one"));
    assert_eq!(mails.taken().len(), 1, "a check sends nothing");
}

#[tokio::test]
async fn a_mail_server_is_believed_by_its_certificate_and_told_nothing_before() {
    let pair = Pair::new(&["localhost"]);
    let files = PairFiles::new(&pair);
    let believed = ("SSL_CERT_FILE".to_owned(), files.certificate().display().to_string());
    for (word, encrypted) in [("tls", Encrypted::FromTheFirst), ("starttls", Encrypted::ByStartTls)] {
        let mails = MailServer::with(encrypted, Some(&pair)).await;
        let mut set = variables(&mails.settings());
        set.push(("AFTERLIVE__MAIL__ENCRYPTION".to_owned(), word.to_owned()));
        let test = ["mail-test", "ada@example.com"];

        let (is_well, _, said) = call(&test, &set).await;
        assert!(!is_well && said.contains("TLS with the mail server does not come about"), "{word}: {said}");
        let heard = mails.heard();
        assert!(heard.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{word}: {heard:?}");

        set.push(believed.clone());
        let (is_well, printed, said) = call(&test, &set).await;
        assert!(is_well && printed.contains("took the mail"), "{word}: {said}");
        assert_eq!(mails.nth(1).await.to, ["ada@example.com"]);

        // For another name it is not believed.
        set.push(("AFTERLIVE__MAIL__HOST".to_owned(), "127.0.0.1".to_owned()));
        let (is_well, _, said) = call(&test, &set).await;
        assert!(!is_well && said.contains("TLS with the mail server does not come about"), "{word}: {said}");
    }
    // A server that offers no STARTTLS, or of which somebody on the way took the offer away, hears no password.
    let mails = MailServer::start().await;
    let mut set = variables(&mails.settings());
    set.push(("AFTERLIVE__MAIL__ENCRYPTION".to_owned(), "starttls".to_owned()));
    let (is_well, _, said) = call(&["mail-test", "ada@example.com"], &set).await;
    assert!(!is_well && said.contains("STARTTLS is not supported"), "{said}");
    assert!(mails.heard().iter().all(|line| !line.starts_with("AUTH") && !line.starts_with("MAIL")), "{:?}", mails.heard());
}

#[tokio::test]
async fn the_log_has_neither_mailed_links_nor_addresses_nor_the_mail_servers_password_however_much_it_logs() {
    let mails = MailServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut set = variables(&settings(mails.address));
    set.push(("AFTERLIVE__LOG__FILTER".to_owned(), "trace".to_owned()));
    let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let arguments = ["setup", "--email", "ada@example.com", "--password-stdin"];
    let made = run(afterlive(folder.path(), &arguments, &set), ACCOUNT_PASSWORD);
    assert!(made.status.success(), "{made:?}");
    let serving = Serving::logging_to(&log, afterlive(folder.path(), &["serve"], &set));
    let url = serving.printed_after("Dashboard").to_owned();
    let client = Client::builder().redirect(redirect::Policy::none()).cookie_store(true).build().unwrap();
    let post = async |function: &str, fields: &[(&str, &str)]| {
        let request =
            client.post(format!("{url}/ui/{function}")).header("accept", "text/html").header("referer", format!("{url}/x"));
        let answer = request.form(fields).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    assert_eq!(post("sign_in", &[("email", "ada@example.com"), ("password", ACCOUNT_PASSWORD)]).await, "/");
    assert!(post("invite", &[("email", "invited@example.com"), ("role", "nanoUser")]).await.contains("notice=flash"));
    let invitation = mails.nth(1).await;
    assert!(post("invite", &[("email", "refused@example.com"), ("role", "nanoUser")]).await.contains("notice=flash"));
    mails.named("refused@example.com", 1).await;
    assert_eq!(post("ask_for_password_link", &[("email", "ada@example.com")]).await, "/forgotten?asked=1");
    let asked = mails.nth(2).await;
    serving.signal("TERM");
    serving.wait();

    let log = std::fs::read_to_string(&log).unwrap();
    for said in ["a mail was taken by the mail server", "the mail server answered 550", "was asked for at the sign-in"] {
        assert!(log.contains(said), "{said:?} is not in the log");
    }
    let of_link = |link: &str| link.rsplit_once('/').unwrap().1[..16].to_owned();
    let in_auth = mails.heard().into_iter().find_map(|line| line.strip_prefix("AUTH PLAIN ").map(str::to_owned)).unwrap();
    for secret in [of_link(invitation.link()), of_link(asked.link()), PASSWORD.to_owned(), in_auth] {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
    for address in ["invited@example.com", "refused@example.com"] {
        assert!(!log.contains(address), "{address} is in the log");
    }
}
