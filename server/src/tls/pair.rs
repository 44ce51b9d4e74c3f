//! A certificate and its key as they lie in two files: read, checked against each other, and what a person should know of them. Serves nothing.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use afterlive_domain::UnixMillis;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, InconsistentKeys};
use x509_cert::der::Decode as _;

/// No chain and no key is longer; a wrong path must not read a disk into memory.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Somebody should see to a certificate that has no longer than this, or than so little of its life: some live for days only, and are renewed in time.
const EXPIRES_SOON_MS: i64 = 14 * 86_400_000;
const SOON_OF_LIFE: i64 = 4;

/// Where they lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// In PEM, with the certificates of its authorities behind it.
    pub certificate: PathBuf,
    /// In PEM.
    pub key: PathBuf,
}

/// Why two files are no pair. Each says which file it is, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}, which {setting} names, cannot be read: {cause}")]
    Unreadable { setting: &'static str, path: String, cause: io::Error },
    #[error("{path}, which {setting} names, is longer than {MAX_FILE_BYTES} bytes: it is no PEM file of certificates")]
    TooLong { setting: &'static str, path: String },
    #[error("{path}, which {setting} names, is broken PEM: {cause:?}")]
    BrokenPem { setting: &'static str, path: String, cause: pem::Error },
    #[error(
        "there is no certificate in {path}, which tls.certificate names. It is a PEM file with BEGIN CERTIFICATE in it{hint}"
    )]
    NoCertificate { path: String, hint: &'static str },
    #[error("the certificate in {path} cannot be understood: {cause}")]
    BadCertificate { path: String, cause: rustls::Error },
    #[error("there is no private key in {path}, which tls.key names. It is a PEM file with BEGIN PRIVATE KEY in it{hint}")]
    NoKey { path: String, hint: &'static str },
    #[error(
        "the private key in {path} is encrypted, and nobody is there to be asked for its password. `openssl pkey -in {path} -out NEW` takes that off"
    )]
    EncryptedKey { path: String },
    #[error(
        "the private key in {path} is of no kind that is taken, which are RSA of 2048 bits and more, ECDSA on P-256 and P-384, and Ed25519: {cause}"
    )]
    BadKey { path: String, cause: rustls::Error },
    #[error("the private key in {key} is not that of the first certificate in {certificate}")]
    NoPair { certificate: String, key: String },
}

/// What is served, and what is known of it.
#[derive(Debug)]
pub struct Pair {
    pub key: CertifiedKey,
    /// From when until when it is believed; `None` where that cannot be read.
    validity: Option<(UnixMillis, UnixMillis)>,
    /// What does not keep it from being served.
    pub(super) warnings: Vec<String>,
}

impl Files {
    /// Reads both. `hosts` are the names by which people and programs come. Blocks.
    ///
    /// # Errors
    /// Where they are no pair that can be served.
    pub fn read(&self, hosts: &[String]) -> Result<Pair, Error> {
        let (certificate_path, key_path) = (self.certificate.display().to_string(), self.key.display().to_string());
        let chain_pem = read("tls.certificate", &self.certificate)?;
        let key_pem = read("tls.key", &self.key)?;
        let chain = chain_of(&chain_pem, &certificate_path)?;
        let key = key_of(&key_pem, &key_path)?;
        let bad_certificate = |cause| Error::BadCertificate { path: certificate_path.clone(), cause };
        // Behind the check that there is one.
        let first = chain.first().cloned().ok_or_else(|| bad_certificate(rustls::Error::NoCertificatesPresented))?;
        let parsed = ParsedCertificate::try_from(&first).map_err(bad_certificate)?;
        let mut warnings: Vec<String> = strange_names(&parsed, hosts, &certificate_path);
        if std::fs::metadata(&self.key).is_ok_and(|facts| facts.permissions().mode() & 0o007 != 0) {
            warnings.push(format!("everybody on this machine can read the private key: chmod o= {key_path}"));
        }
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|cause| match cause {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Error::NoPair { certificate: certificate_path.clone(), key: key_path.clone() }
            }
            cause => Error::BadKey { path: key_path.clone(), cause },
        })?;
        Ok(Pair { key, validity: validity(&first), warnings })
    }

    /// What changes with either file, by which a new pair is known. `None` stands for one that cannot be looked at.
    pub fn stamps(&self) -> [Option<Stamp>; 2] {
        [&self.certificate, &self.key].map(|path| Stamp::of(path).ok())
    }
}

/// Of a file, behind all links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size_bytes: u64,
    modified_s: i64,
    modified_ns: i64,
    /// Also when owner and rights change.
    changed_s: i64,
    changed_ns: i64,
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let facts = std::fs::metadata(path)?;
        Ok(Self {
            device: facts.dev(),
            inode: facts.ino(),
            size_bytes: facts.size(),
            modified_s: facts.mtime(),
            modified_ns: facts.mtime_nsec(),
            changed_s: facts.ctime(),
            changed_ns: facts.ctime_nsec(),
        })
    }
}

impl Pair {
    /// What somebody should see to, in sentences.
    #[must_use]
    pub fn warnings(&self, now: UnixMillis) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        warnings.extend(self.expiry_warning(now));
        warnings
    }

    /// Whether what [`Pair::expiry_warning`] says cannot wait: half of the time from its first word on is over, which is seven days before the end.
    #[must_use]
    pub fn is_nearly_over(&self, now: UnixMillis) -> bool {
        self.validity.is_some_and(|(from, until)| until.ms_since(now) <= soon_ms(from, until) / 2)
    }

    /// What there is to say of the time until which it is believed, once that is near.
    #[must_use]
    pub fn expiry_warning(&self, now: UnixMillis) -> Option<String> {
        let (from, until) = self.validity?;
        let said = |what: &str, at: UnixMillis| Some(format!("the certificate {what} at {} UTC", at.to_table_text()));
        match until.ms_since(now) {
            _ if from > now => said("becomes valid only", from),
            left if left <= 0 => said("expired", until),
            left if left <= soon_ms(from, until) => said("expires", until),
            _ => None,
        }
    }

    /// When it ends to be believed, as the log has it.
    #[must_use]
    pub fn valid_until(&self) -> String {
        self.validity.map_or_else(|| "unknown".to_owned(), |(_, until)| format!("{} UTC", until.to_table_text()))
    }
}

fn soon_ms(from: UnixMillis, until: UnixMillis) -> i64 {
    (until.ms_since(from) / SOON_OF_LIFE).min(EXPIRES_SOON_MS)
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    let shown = path.display().to_string();
    let reading = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match reading() {
        Ok(bytes) if bytes.len() as u64 > MAX_FILE_BYTES => Err(Error::TooLong { setting, path: shown }),
        Ok(bytes) => Ok(bytes),
        Err(cause) => Err(Error::Unreadable { setting, path: shown, cause }),
    }
}

fn chain_of(text: &[u8], path: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|cause| Error::BrokenPem { setting: "tls.certificate", path: path.to_owned(), cause })?;
    if chain.is_empty() {
        let hint = if contains(text, "PRIVATE KEY-----") { "; this one has a private key. Are the two exchanged?" } else { "" };
        return Err(Error::NoCertificate { path: path.to_owned(), hint });
    }
    Ok(chain)
}

fn key_of(text: &[u8], path: &str) -> Result<PrivateKeyDer<'static>, Error> {
    if contains(text, "BEGIN ENCRYPTED PRIVATE KEY") || contains(text, "Proc-Type: 4,ENCRYPTED") {
        return Err(Error::EncryptedKey { path: path.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|cause| match cause {
        pem::Error::NoItemsFound => {
            let hint =
                if contains(text, "BEGIN CERTIFICATE") { "; this one has a certificate. Are the two exchanged?" } else { "" };
            Error::NoKey { path: path.to_owned(), hint }
        }
        cause => Error::BrokenPem { setting: "tls.key", path: path.to_owned(), cause },
    })
}

fn contains(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|window| window == words.as_bytes())
}

/// A warning for each name by which people come and that the certificate does not have.
fn strange_names(certificate: &ParsedCertificate<'_>, hosts: &[String], path: &str) -> Vec<String> {
    let is_strange = |host: &&String| {
        let name = ServerName::try_from(host.trim_matches(['[', ']']));
        name.is_ok_and(|name| verify_server_name(certificate, &name).is_err())
    };
    let strange = hosts.iter().filter(is_strange);
    strange.map(|host| format!("the certificate in {path} is not one for {host}, which is in http.public_url or another URL of the settings: nobody who comes by it will believe it")).collect()
}

/// From when until when a certificate is believed; `None` where that cannot be read.
#[must_use]
pub fn validity(certificate: &CertificateDer<'_>) -> Option<(UnixMillis, UnixMillis)> {
    let parsed = x509_cert::Certificate::from_der(certificate).ok()?;
    let validity = parsed.tbs_certificate().validity();
    let millis = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_millis()).ok().map(UnixMillis);
    Some((millis(validity.not_before)?, millis(validity.not_after)?))
}
