use std::fs::{File, Permissions, set_permissions, write};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures::stream;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::*;

/// In the year 2026.
const NOW: UnixMillis = UnixMillis(1_780_000_000_000);

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// A certificate for these names from 2025 to the end of 2030, and its key, as text.
fn made(names: &[&str]) -> (CertificateDer<'static>, String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2030, 12, 31));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let chain = pem("CERTIFICATE", certificate.der());
    (certificate.der().clone(), chain, pem("PRIVATE KEY", key.serialized_der()))
}

/// How many files have been put.
static PUT: AtomicU64 = AtomicU64::new(0);

struct Folder(TempDir);

impl Folder {
    fn new(chain: &str, key: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.put(chain, key);
        folder
    }

    fn files(&self) -> Files {
        Files { certificate: self.0.path().join("fullchain.pem"), key: self.0.path().join("privkey.pem") }
    }

    fn put(&self, chain: &str, key: &str) {
        let Files { certificate, key: key_path } = self.files();
        for (path, text) in [(certificate, chain), (key_path, key)] {
            write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
            // Two of the same length may be written within what a file system takes for one instant.
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(PUT.fetch_add(1, Ordering::Relaxed));
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        }
    }

    fn problem(&self) -> String {
        self.files().read(&[]).unwrap_err().to_string()
    }
}

#[test]
fn a_pair_is_read_with_the_whole_chain() {
    let ((_, chain, key), (_, authority, _)) = (made(&["live.example.com"]), made(&["An Authority"]));
    let folder = Folder::new(&format!("{chain}\n{authority}"), &key);
    let pair = folder.files().read(&["live.example.com".to_owned()]).unwrap();
    assert_eq!((pair.key.cert.len(), pair.warnings(NOW)), (2, Vec::new()));
    assert_eq!(pair.valid_until(), "2030-12-31 00:00:00 UTC");
}

#[test]
fn what_is_no_pair_is_named_with_its_file() {
    let ((_, chain, key), (_, _, other)) = (made(&["a.example.com"]), made(&["a.example.com"]));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (chain, key, words) in [
        (chain.as_str(), other.as_str(), &["privkey.pem is not that of the first certificate", "fullchain.pem"][..]),
        (&key, &chain, &["no certificate in", "fullchain.pem", "exchanged?"]),
        (&chain, &chain, &["no private key in", "privkey.pem", "exchanged?"]),
        ("", &key, &["no certificate in", "BEGIN CERTIFICATE"]),
        (&chain, "nothing", &["no private key in", "BEGIN PRIVATE KEY"]),
        (&chain, encrypted, &["privkey.pem is encrypted", "openssl pkey"]),
        (&chain[..chain.len() / 2], &key, &["fullchain.pem", "broken PEM"]),
        (&pem("CERTIFICATE", b"x"), &key, &["fullchain.pem cannot be understood"]),
        (&chain, &pem("PRIVATE KEY", b"x"), &["privkey.pem is of no kind that is taken"]),
    ] {
        let problem = Folder::new(chain, key).problem();
        assert!(words.iter().all(|word| problem.contains(word)), "{words:?} in: {problem}");
    }
    let folder = Folder::new(&chain, &key);
    std::fs::remove_file(folder.files().key).unwrap();
    assert!(folder.problem().contains("privkey.pem, which tls.key names, cannot be read: No such file"), "{}", folder.problem());
}

#[test]
fn what_somebody_should_see_to_is_warned_of_and_served() {
    let (_, chain, key) = made(&["live.example.com", "*.example.org"]);
    let folder = Folder::new(&chain, &key);
    set_permissions(folder.files().key, Permissions::from_mode(0o644)).unwrap();
    let hosts = ["live.example.com", "vod.example.org", "example.org", "192.0.2.1", "[2001:db8::1]"].map(str::to_owned);
    let pair = folder.files().read(&hosts).unwrap();
    let warnings = pair.warnings(NOW);
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(
        warnings[0].contains("not one for example.org,") && warnings[1].contains("192.0.2.1") && warnings[2].contains("2001:db8")
    );
    assert!(warnings[3].contains("everybody on this machine can read the private key"), "{warnings:?}");

    let at = |text: &str| pair.expiry_warning(UnixMillis::parse(text).unwrap()).unwrap_or_default();
    assert_eq!(at("2024-12-31"), "the certificate becomes valid only at 2025-01-01 00:00:00 UTC");
    assert_eq!(at("2026-06-01"), "");
    assert_eq!(at("2030-12-20"), "the certificate expires at 2030-12-31 00:00:00 UTC");
    assert_eq!(at("2031-01-01"), "the certificate expired at 2030-12-31 00:00:00 UTC");
}

#[test]
fn a_changed_pair_is_taken_as_a_whole_and_what_is_none_changes_nothing() {
    let [(first, first_chain, first_key), (second, second_chain, second_key)] =
        [made(&["a.example.com"]), made(&["b.example.com"])];
    let folder = Folder::new(&first_chain, &first_key);
    let certificate = Certificate::open(folder.files(), Vec::new(), Clock::simulated(NOW)).unwrap();
    let served = || certificate.current.read().unwrap().cert[0].clone();
    certificate.look();
    assert_eq!(served(), first);

    // As a tool does it that writes one after the other.
    folder.put(&second_chain, &first_key);
    certificate.look();
    assert_eq!(served(), first);
    folder.put(&second_chain, &second_key[..second_key.len() / 2]);
    certificate.look();
    assert_eq!(served(), first);
    folder.put(&second_chain, &second_key);
    certificate.look();
    assert_eq!(served(), second);

    std::fs::remove_file(folder.files().certificate).unwrap();
    certificate.look();
    assert_eq!(served(), second);
    // As certbot does it: links that lead elsewhere.
    let elsewhere = Folder::new(&first_chain, &first_key);
    std::fs::remove_file(folder.files().key).unwrap();
    std::os::unix::fs::symlink(elsewhere.files().certificate, folder.files().certificate).unwrap();
    std::os::unix::fs::symlink(elsewhere.files().key, folder.files().key).unwrap();
    certificate.look();
    assert_eq!(served(), first);
}

#[tokio::test]
async fn the_files_are_looked_at_by_themselves_and_when_it_is_said() {
    let [(_, first_chain, first_key), (second, second_chain, second_key), (third, third_chain, third_key)] =
        [made(&["a.example.com"]), made(&["b.example.com"]), made(&["c.example.com"])];
    let folder = Folder::new(&first_chain, &first_key);
    let open = || Certificate::open(folder.files(), Vec::new(), Clock::simulated(NOW)).unwrap();
    let (by_itself, stop) = (open(), CancellationToken::new());
    tokio::spawn(Arc::clone(&by_itself).watch(Duration::from_millis(1), stream::pending(), stop.clone()));
    let when_said = open();
    let (say, said) = futures::channel::mpsc::unbounded();
    tokio::spawn(Arc::clone(&when_said).watch(Duration::from_hours(1), said, stop.clone()));

    let until = async |certificate: &Certificate, expected: &CertificateDer<'_>| {
        while certificate.current.read().unwrap().cert[0] != *expected {
            tokio::task::yield_now().await;
        }
    };
    folder.put(&second_chain, &second_key);
    until(&by_itself, &second).await;
    // The first look of all is at once.
    until(&when_said, &second).await;
    folder.put(&third_chain, &third_key);
    say.unbounded_send(()).unwrap();
    until(&when_said, &third).await;
    stop.cancel();
}
