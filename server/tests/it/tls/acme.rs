//! A certificate by ACME, from an authority that looks whether a name is the server's.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use afterlive_server::acme::{Keeper, Settings};
use afterlive_server::clock::Clock;
use afterlive_server::config::Config;
use afterlive_server::http::listen::{Places, serve_in};
use afterlive_server::http::secure::{Policy, Way, secured};
use axum::Router;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures::StreamExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

use super::program::{address_of, log_has};
use crate::fixture::authority::{Authority, free_port, through};
use crate::fixture::certificate::Secure;
use crate::fixture::program::{Serving, afterlive, run};
use crate::fixture::studio::until;
use crate::listen::room_for;

const NAME: &str = "live.example.com";
/// As public authorities have it.
const NINETY_DAYS_S: u64 = 90 * 86_400;

/// A server with nothing set but its names and the authority, and where it listens.
struct Scene {
    folder: TempDir,
    http: SocketAddr,
    rtmps: SocketAddr,
    settings: Vec<(&'static str, String)>,
}

impl Scene {
    fn new(authority: &Authority) -> Self {
        let [http, rtmps] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        let settings = vec![
            ("AFTERLIVE__TLS__ACME__DOMAINS", NAME.to_owned()),
            ("AFTERLIVE__TLS__ACME__AGREE_TO_TERMS", "true".to_owned()),
            ("AFTERLIVE__TLS__ACME__EMAIL", "ops@example.com".to_owned()),
            ("AFTERLIVE__TLS__ACME__DIRECTORY", authority.directory()),
            ("AFTERLIVE__TLS__ACME__CA_FILE", authority.ca_file().display().to_string()),
            ("AFTERLIVE__HTTP__LISTEN", http.to_string()),
            ("AFTERLIVE__HTTP__TLS_LISTEN", "127.0.0.1:0".to_owned()),
            ("AFTERLIVE__RTMP__TLS_LISTEN", rtmps.to_string()),
            // Else it follows HTTP to a port that others have too.
            ("AFTERLIVE__WEBRTC__LISTEN", "127.0.0.1:0".to_owned()),
        ];
        Self { folder: tempfile::tempdir().unwrap(), http, rtmps, settings }
    }

    fn with(&mut self, name: &str, value: &str) {
        self.settings.iter_mut().find(|(set, _)| *set == name).unwrap().1 = value.to_owned();
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Once it serves.
    fn start(&self) -> (Serving, SocketAddr) {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let serving = Serving::logging_to(&self.log(), afterlive(self.folder.path(), &["serve"], &settings));
        let https = address_of(serving.printed_after("Dashboard"));
        (serving, https)
    }

    async fn logged(&self, words: &str) {
        while !log_has(&self.log(), words) {
            tokio::task::yield_now().await;
        }
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("data/acme")
    }

    /// The file with the account at the authority.
    fn account(&self) -> PathBuf {
        let mut kept = fs::read_dir(self.kept()).unwrap().map(|entry| entry.unwrap().path());
        kept.find(|path| path.to_string_lossy().contains("account-")).unwrap()
    }

    /// The certificate that lies there to be served.
    fn current(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.kept().join("current/fullchain.pem")).unwrap()
    }
}

impl Drop for Scene {
    #[expect(clippy::print_stderr, reason = "beside what the test itself says")]
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = fs::read_to_string(self.log())
        {
            eprintln!("{log}");
        }
    }
}

/// Shown to who believes that authority, as soon as it is.
async fn believed(address: SocketAddr, name: &str, root: &CertificateDer<'static>) -> CertificateDer<'static> {
    loop {
        if let Ok(client) = Secure::connect_by(address, name, root).await {
            return client.shown();
        }
        tokio::task::yield_now().await;
    }
}

async fn is_well(mut client: Secure) -> bool {
    client.send("GET /healthz", &[], "").await.status == 200
}

fn ends(serving: Serving) {
    serving.signal("TERM");
    assert!(serving.wait().success());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_server_with_a_name_gets_its_certificate_by_itself_and_keeps_it() {
    let authority = Authority::start(NINETY_DAYS_S).await;
    let (root, mut scene) = (authority.root().await, Scene::new(&authority));
    let (serving, https) = scene.start();
    assert!(serving.printed_after("Dashboard").starts_with("https://live.example.com:"), "{}", serving.printed);

    // While the authority looks whether the name is this server's there is TLS already.
    let knocking = authority.gate.knock().await;
    let own = scene.current();
    let client = Secure::connect_by(https, NAME, &own).await.unwrap();
    assert_eq!(client.shown(), own);
    assert!(is_well(client).await);
    assert!(Secure::connect_by(https, NAME, &root).await.is_err());
    assert!(log_has(&scene.log(), "one that vouches for itself is served"));

    // Its answer is had without TLS, and nobody is led away from it.
    let http = scene.http;
    let opened = async { tokio::join!(through(knocking, http), authority.gate.open_to(http)) };
    let given = async {
        let given = believed(https, NAME, &root).await;
        let rtmps = Secure::connect_for_rtmp(scene.rtmps, NAME, &root).await.unwrap();
        assert_eq!((given == own, rtmps.shown() == given), (false, true));
        assert_eq!(authority.asked(), (1, 1));
        ends(serving);
        let kept_key = scene.kept().join("current/privkey.pem");
        assert_eq!([mode(&scene.account()), mode(&kept_key), mode(&scene.kept())], [0o600, 0o600, 0o700]);

        // The next start has it from its first moment on, and orders none.
        let (serving, https) = scene.start();
        assert_eq!(Secure::connect_by(https, NAME, &root).await.unwrap().shown(), given);
        scene.logged("the certificate is good").await;
        assert_eq!(authority.asked(), (1, 1));
        ends(serving);

        // Another name is another certificate, by the same account; until it is there the one before is served.
        scene.with("AFTERLIVE__TLS__ACME__DOMAINS", "live.example.com, also.example.com");
        let (serving, https) = scene.start();
        scene.logged("the one that is there is not for also.example.com").await;
        let also = believed(https, "also.example.com", &root).await;
        assert_eq!(believed(https, NAME, &root).await, also);
        assert_eq!(authority.asked(), (1, 2));
        ends(serving);
    };
    tokio::select! {
        () = given => {}
        _ = opened => unreachable!("the gate stays open"),
    }
}

/// The number that is all of the secret in a key of P-256, whose rest is public or the same in all.
fn number_of(pkcs8: &[u8]) -> &[u8] {
    // RFC 5915: version 1, and 32 octets.
    const BEFORE: [u8; 5] = [2, 1, 1, 4, 32];
    let at = pkcs8.windows(BEFORE.len()).position(|bytes| bytes == BEFORE).expect("a key of P-256") + BEFORE.len();
    &pkcs8[at..at + 32]
}

/// As a log may have it: in either base64, which begins at any of three places, in hexadecimal, and as a list of numbers.
fn forms_of(number: &[u8]) -> Vec<String> {
    let parts = (0..3).map(|at| &number[at..30 + at]);
    let encoded = parts.flat_map(|part| [BASE64_STANDARD.encode(part), BASE64_URL_SAFE_NO_PAD.encode(part)]);
    let hexadecimal: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimal = format!("{number:?}");
    encoded.chain([hexadecimal, decimal[1..decimal.len() - 1].to_owned()]).collect()
}

/// What `it::api::log` asks of all other secrets.
#[tokio::test]
async fn the_log_has_neither_the_accounts_key_nor_the_certificates_however_much_it_logs() {
    let authority = Authority::start(NINETY_DAYS_S).await;
    let mut scene = Scene::new(&authority);
    scene.settings.push(("AFTERLIVE__LOG__FILTER", "trace".to_owned()));
    let (serving, _) = scene.start();
    tokio::select! {
        // It lies beside what an authority has given.
        () = until(|| scene.kept().join("current/directory").exists()) => {}
        () = authority.gate.open_to(scene.http) => unreachable!("the gate stays open"),
    }
    ends(serving);
    let log = fs::read_to_string(scene.log()).unwrap();
    assert!(log.contains("DEBUG") && log.contains("a certificate is ordered"), "it is the log");

    let account = fs::read_to_string(scene.account()).unwrap();
    let kept: Value = serde_json::from_str(&account).unwrap();
    let of_account = BASE64_URL_SAFE_NO_PAD.decode(kept["credentials"]["key_pkcs8"].as_str().unwrap()).unwrap();
    let of_certificate = PrivateKeyDer::from_pem_file(scene.kept().join("current/privkey.pem")).unwrap();
    let of_account = forms_of(number_of(&of_account));
    assert!(of_account.iter().any(|form| account.contains(form)), "one of these is what the file has");
    for form in of_account.into_iter().chain(forms_of(number_of(of_certificate.secret_der()))) {
        assert!(!log.contains(&form), "a key is in the log");
    }
}

#[tokio::test]
async fn one_that_is_nearly_over_is_renewed_without_a_restart() {
    let authority = Authority::start(12).await;
    let (root, scene) = (authority.root().await, Scene::new(&authority));
    let (serving, https) = scene.start();
    let renewed = async {
        let first = believed(https, NAME, &root).await;
        loop {
            let shown = believed(https, NAME, &root).await;
            if shown != first {
                break;
            }
            tokio::task::yield_now().await;
        }
        let told = fs::read_to_string(scene.log()).unwrap();
        assert!(told.contains("a certificate is ordered") && told.contains("the one that is there expires at"), "{told}");
        assert_eq!(authority.asked().0, 1);
        ends(serving);
    };
    tokio::select! {
        () = renewed => {}
        () = authority.gate.open_to(scene.http) => unreachable!("the gate stays open"),
    }
}

#[tokio::test]
async fn who_is_not_believed_is_told_why_and_goes_on() {
    let authority = Authority::start(NINETY_DAYS_S).await;
    let (root, scene) = (authority.root().await, Scene::new(&authority));
    let (serving, https) = scene.start();
    let told = async {
        scene.logged("no certificate is had").await;
        let log = fs::read_to_string(scene.log()).unwrap();
        for words in [
            "live.example.com is not believed to be this server's",
            "urn:ietf:params:acme:error:",
            "This server was not asked: port 80 of live.example.com",
            "next_try_in_s=",
        ] {
            assert!(log.contains(words), "{words} in: {log}");
        }
    };
    tokio::select! {
        () = told => {}
        () = authority.gate.turn_away() => unreachable!("it goes on turning away"),
    }
    assert!(is_well(Secure::connect_by(https, NAME, &scene.current()).await.unwrap()).await);
    // In the middle of its wait.
    ends(serving);

    // Who has mended it and starts anew need not wait.
    let (serving, https) = scene.start();
    tokio::select! {
        _ = believed(https, NAME, &root) => {}
        () = authority.gate.open_to(scene.http) => unreachable!("the gate stays open"),
    }
    ends(serving);
}

#[tokio::test]
async fn what_has_failed_is_tried_again_by_itself() {
    let authority = Authority::start(NINETY_DAYS_S).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        names: vec![NAME.to_owned()],
        email: None,
        directory: authority.directory().parse().unwrap(),
        ca_file: Some(authority.ca_file()),
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(1),
    };
    let keeper = Keeper::open(folder.path(), settings, Clock::system()).unwrap();
    let policy = Policy::from(&Config::from_sources(None, []).unwrap()).with_challenges(Some(keeper.challenges()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (http, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let service = secured(Router::new(), &Arc::new(policy), Way::Plain);
    tokio::spawn(serve_in(Places::new(&room_for(10)), listener, None, service, stop.clone()));
    let mut renewed = keeper.renewed();
    let running = tokio::spawn(keeper.run(stop.clone()));

    // The second order is there: the first was not believed.
    tokio::select! {
        tried = authority.said("POST /order-plz ->", 2) => tried.unwrap(),
        () = authority.gate.turn_away() => unreachable!("it goes on turning away"),
    }
    assert!(folder.path().join("acme/refused.json").exists());
    tokio::select! {
        rung = renewed.next() => assert_eq!(rung, Some(())),
        () = authority.gate.open_to(http) => unreachable!("the gate stays open"),
    }
    stop.cancel();
    running.await.unwrap();
    // What was answered is answered no longer.
    let client = reqwest::Client::new();
    assert!(
        client.get(format!("http://{http}/.well-known/acme-challenge/x")).send().await.is_err_and(|error| error.is_connect())
    );
}

#[tokio::test]
async fn check_asks_the_authority_and_orders_nothing() {
    let authority = Authority::start(NINETY_DAYS_S).await;
    let mut scene = Scene::new(&authority);
    let check = |scene: &Scene| {
        let settings: Vec<(&str, &str)> = scene.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let done = run(afterlive(scene.folder.path(), &["check"], &settings), "");
        (done.status.success(), String::from_utf8(done.stdout).unwrap())
    };
    let (is_well, told) = check(&scene);
    assert!(is_well && told.contains(&format!("ok      certificate's authority {}", authority.directory())), "{told}");
    assert!(told.contains("tls.acme.agree_to_terms means these: data:text/plain") && told.contains("not there yet"), "{told}");
    assert!(!scene.kept().exists());
    assert_eq!(authority.asked(), (0, 0));

    scene.with("AFTERLIVE__TLS__ACME__DIRECTORY", &authority.directory().replace("/dir", "/other"));
    let (is_well, told) = check(&scene);
    assert!(!is_well && told.contains("FAILED  certificate's authority"), "{told}");
}
