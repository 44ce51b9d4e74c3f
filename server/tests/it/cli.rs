//! The command line as scripts see it: arguments, standard input, standard output, exit code.

mod recover;

use serde_json::Value;

use crate::fixture::database::on_each_database_url;
use crate::fixture::program::{Serving, afterlive, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn version_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(afterlive(folder.path(), &["version"], &[]), "");
    assert_eq!(text(&output.stdout), format!("afterlive {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(afterlive(folder.path(), &["dance"], &[]), "").status.code(), Some(2));
}

#[tokio::test]
async fn setup_makes_the_first_organisation_once_and_keys_and_users_follow() {
    on_each_database_url(async |url| {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("AFTERLIVE__DATABASE__URL", url.as_str())];
        let call = |arguments: &[&str], input: &str| run(afterlive(folder.path(), arguments, &settings), input);

        let weak = call(&["setup", "--email", "ada@example.com", "--password-stdin"], "short\n");
        assert_eq!((weak.status.code(), text(&weak.stdout)), (Some(1), String::new()));
        assert!(text(&weak.stderr).contains("password: at least 15 characters"), "{}", text(&weak.stderr));

        let setup = ["setup", "--email", "Ada@Example.com", "--password-stdin", "--organisation", "Chapel"];
        let first = call(&setup, "correct horse battery\n");
        let made: Value = serde_json::from_slice(&first.stdout).unwrap_or_else(|_| panic!("{}", text(&first.stderr)));
        assert_eq!((first.status.code(), &made["organisation"]["name"]), (Some(0), &Value::from("Chapel")));
        assert_eq!(made["user"]["email"], "ada@example.com");
        assert!(made["organisation"]["id"].is_string() && made["user"]["id"].is_string());
        assert_eq!(made["api_key"].as_str().unwrap().len(), 64);
        assert_eq!(text(&first.stdout).lines().count(), 1);

        let second = call(&setup, "correct horse battery\n");
        assert_eq!((second.status.code(), text(&second.stdout)), (Some(1), String::new()));
        assert!(text(&second.stderr).contains("set-up has been done"));

        let hash = made["organisation"]["hash"].as_str().unwrap();
        let key = call(&["key", "add", "--org", hash, "--role", "nanoReadOnly", "--label", "player"], "");
        let printed = text(&key.stdout);
        assert!(printed.ends_with('\n') && printed.trim().len() == 64, "{printed}{}", text(&key.stderr));

        let player = call(&["key", "add", "--org", hash, "--player", "--label", "site", "--days", "7"], "");
        assert_eq!(text(&player.stdout).trim().len(), 64, "{}", text(&player.stderr));
        let never = call(&["key", "add", "--org", hash, "--role", "nanoUser", "--label", "x", "--days", "0"], "");
        assert!(!never.status.success() && text(&never.stderr).contains("an end in the future"), "{}", text(&never.stderr));
        for neither_or_both in [&["--label", "x"][..], &["--label", "x", "--player", "--role", "nanoUser"]] {
            let refused = call(&[&["key", "add", "--org", hash], neither_or_both].concat(), "");
            assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        }

        let user =
            call(&["user", "add", "--org", hash, "--email", "bob@example.com", "--password-stdin"], "correct horse battery\n");
        let added: Value = serde_json::from_slice(&user.stdout).unwrap();
        assert_eq!(added["role"], "nanoUser");
        let again =
            call(&["user", "add", "--org", hash, "--email", "bob@example.com", "--password-stdin"], "correct horse battery\n");
        assert!(!again.status.success() && text(&again.stderr).contains("this email is taken"));
        let link = call(&["user", "password-link", "--email", "Bob@Example.com"], "");
        let printed = text(&link.stdout);
        assert!(printed.contains("/password/") && printed.lines().count() == 1, "{printed}{}", text(&link.stderr));
        let nobody = call(&["user", "password-link", "--email", "eve@example.com"], "");
        assert!(!nobody.status.success() && text(&nobody.stderr).contains("no user with the e-mail address"));
        let nowhere = call(&["key", "add", "--org", "zzzzz", "--role", "nanoAdmin", "--label", "x"], "");
        assert!(!nowhere.status.success() && text(&nowhere.stderr).contains("no organisation with the hash zzzzz"));
    })
    .await;
}

#[test]
fn every_problem_of_the_configuration_is_named_before_anything_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my.toml"), "[http]\nlisten = \"nowhere\"\ncolour = 1\n").unwrap();
    let settings = [("AFTERLIVE__NODE__REGION", "mars"), ("AFTERLIVE__HTTP__LISTEN", "nowhere")];
    for command in ["serve", "check"] {
        let output = run(afterlive(folder.path(), &[command, "--config", "my.toml"], &settings), "");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        for key in ["http.listen (AFTERLIVE__HTTP__LISTEN)", "http.colour (my.toml)", "node.region"] {
            assert!(told.contains(key), "{key} is missing in:\n{told}");
        }
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn check_says_what_is_wrong_and_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let check = |settings: &[(&str, &str)]| run(afterlive(folder.path(), &["check"], settings), "");
    let new = check(&[]);
    let told = text(&new.stdout);
    let path = folder.path().canonicalize().unwrap().join("data/afterlive.db");
    assert_eq!(
        (new.status.code(), told.matches("ok ").count(), told.matches("not there yet").count()),
        (Some(0), 1, 4),
        "{told}"
    );
    assert!(told.contains(&format!("note    database {}: not there yet", path.display())), "{told}");
    assert!(!folder.path().join("data").exists(), "a check makes nothing");

    run(afterlive(folder.path(), &["setup", "--email", "a@example.com", "--password-stdin"], &[]), "correct horse battery");
    let well = check(&[]);
    let told = text(&well.stdout);
    assert_eq!((well.status.code(), told.matches("ok ").count()), (Some(0), 5), "{told}");
    assert!(told.contains(&format!("ok      database {}", path.display())), "{told}");

    std::fs::write(folder.path().join("file"), "").unwrap();
    let settings = [
        ("AFTERLIVE__REGIONS__US__STORAGE", "file/us"),
        ("AFTERLIVE__DATABASE__URL", "postgres://nobody:secret@127.0.0.1:1/none"),
    ];
    let ill = check(&settings);
    let told = text(&ill.stdout) + &text(&ill.stderr);
    assert_eq!(ill.status.code(), Some(1));
    assert!(told.contains("FAILED  database") && told.contains("database.url"), "{told}");
    assert!(told.contains("FAILED  region us") && told.contains("regions.us.storage"), "{told}");
    assert!(told.contains("ok      region eu") && !told.contains("secret"), "{told}");

    // Before anything is there too.
    let ill = check(&[("AFTERLIVE__DATA_DIR", "file/data")]);
    let told = text(&ill.stdout);
    assert_eq!((ill.status.code(), told.matches("FAILED").count()), (Some(1), 4), "{told}");
    assert!(told.contains("Change data_dir") && told.contains("change regions.us.storage"), "{told}");
}

#[test]
fn in_another_folder_a_command_says_so_and_makes_no_empty_database() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 9] = [
        &["user", "add", "--org", "abcde", "--email", "a@example.com", "--password-stdin"],
        &["user", "password-link", "--email", "a@example.com"],
        &["user", "reset-second-factor", "--email", "a@example.com"],
        &["organisation", "list"],
        &["organisation", "create", "Choir", "--administrator", "a@example.com"],
        &["organisation", "suspend", "abcde"],
        &["system-administrator", "grant", "a@example.com"],
        &["system-administrator", "revoke", "a@example.com"],
        &["key", "add", "--org", "abcde", "--role", "nanoUser", "--label", "x"],
    ];
    let place = folder.path().canonicalize().unwrap();
    for arguments in commands {
        let output = run(afterlive(folder.path(), arguments, &[]), "correct horse battery\n");
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{arguments:?}");
        let is = format!("there is no database at {} (data_dir data): run this in", place.join("data/afterlive.db").display());
        assert!(told.contains(&is) && told.contains("--config or AFTERLIVE__DATA_DIR"), "{told}");
    }
    let elsewhere = [("AFTERLIVE__DATABASE__URL", "sqlite://other.db")];
    let told = text(&run(afterlive(folder.path(), &["organisation", "list"], &elsewhere), "").stderr);
    assert!(told.contains(&format!("{} (database.url)", place.join("other.db").display())), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn serve_prints_where_it_is_and_a_set_up_link_until_set_up_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(afterlive(folder.path(), &["serve"], &[]));
    let dashboard = serving.printed_after("Dashboard").to_owned();
    assert!(serving.printed_after("Ingest").starts_with("rtmp://localhost:"));
    let link = serving.printed_after("your account:");
    assert!(link.starts_with(&format!("{dashboard}/setup?token=")), "{link}");
    let health = reqwest::get(format!("{dashboard}/healthz")).await.unwrap();
    assert_eq!(health.status(), 200);

    // Another server over the same data must not touch the first one's streams and recordings.
    let second = run(afterlive(folder.path(), &["serve"], &[]), "");
    assert!(!second.status.success() && text(&second.stderr).contains("another running server"), "{}", text(&second.stderr));

    let port = dashboard.rsplit_once(':').unwrap().1;
    let listen = format!("127.0.0.1:{port}");
    let taken = run(afterlive(folder.path(), &["serve"], &[("AFTERLIVE__HTTP__LISTEN", &listen)]), "");
    assert!(text(&taken.stderr).contains("Change http.listen"), "{}", text(&taken.stderr));

    // Made while the server runs, and known to it at once.
    let made =
        run(afterlive(folder.path(), &["setup", "--email", "a@example.com", "--password-stdin"], &[]), "correct horse battery");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let call = reqwest::Client::new().get(format!("{dashboard}/tag")).header("X-BINTU-APIKEY", made["api_key"].as_str().unwrap());
    assert_eq!(call.send().await.unwrap().status(), 200);

    serving.signal("TERM");
    assert!(serving.wait().success());
    let later = Serving::start(afterlive(folder.path(), &["serve"], &[]));
    assert!(!later.printed.contains("setup"), "{}", later.printed);
    later.signal("INT");
    assert!(later.wait().success());
}
