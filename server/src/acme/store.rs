//! What is kept in a folder of its own: certificates with their keys, the accounts at authorities, and when names were not believed. All of it is its owner's
//! alone. Blocks.
//!
//! A certificate and its key lie together in a folder that is complete before the link `current` leads to it: whenever the machine stops, what is behind
//! the link is a pair.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use afterlive_domain::UnixMillis;
use instant_acme::AccountCredentials;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::plan::{self, Held};
use crate::hexadecimal::hexadecimal;
use crate::tls::Files;

/// The link to the pair that is served.
const CURRENT: &str = "current";
/// How the folders of pairs begin.
const PAIR: &str = "pair-";
/// Who has given the certificate, beside it.
const DIRECTORY: &str = "directory";
const REFUSED: &str = "refused.json";
/// More than a pair has.
const TRIED_BYTES: usize = 64 << 10;
/// By this many hexadecimal digits of its directory's fingerprint an account is told from others.
const ACCOUNT_DIGITS: usize = 16;

/// Where a server that keeps its data in `data_dir` has the pair that it gets.
#[must_use]
pub fn files(data_dir: &Path) -> Files {
    let current = folder(data_dir).join(CURRENT);
    Files { certificate: current.join("fullchain.pem"), key: current.join("privkey.pem") }
}

/// Whether an authority has given what is served there. Blocks.
#[must_use]
pub fn is_given(data_dir: &Path) -> bool {
    folder(data_dir).join(CURRENT).join(DIRECTORY).exists()
}

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("acme")
}

/// The folder. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Store {
    folder: PathBuf,
    files: Files,
}

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    /// As the authority was told last.
    pub email: Option<String>,
    pub credentials: AccountCredentials,
}

impl Store {
    /// Makes the folder where it is not there.
    pub(super) fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = folder(data_dir);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder, files: files(data_dir) })
    }

    /// What may take as long as a disk that does not answer, on a thread that may wait.
    pub(super) async fn on<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> io::Result<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store)).await.map_err(io::Error::other)
    }

    /// As [`Store::held`].
    ///
    /// # Errors
    /// Where there is something that cannot be read: it may be good.
    pub(super) fn look(&self) -> io::Result<Option<Held>> {
        for path in [&self.files.certificate, &self.files.key] {
            match File::open(path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        Ok(self.held())
    }

    /// Whether a pair could be kept now.
    pub(super) fn try_to_keep(&self) -> io::Result<()> {
        let path = self.folder.join(".tried");
        remove_if_there(&path)?;
        write_durably(&path, &[0; TRIED_BYTES])?;
        fs::remove_file(&path)
    }

    /// What is served, where that is a pair.
    fn held(&self) -> Option<Held> {
        let certificate = self.files.read(&[]).ok()?.key.cert.first()?.clone();
        let directory = fs::read_to_string(self.folder.join(CURRENT).join(DIRECTORY)).ok();
        Some(Held { certificate, directory })
    }

    /// Puts a certificate that vouches for itself where none is; says whether it did.
    pub(super) fn ensure(&self, names: &[String]) -> io::Result<bool> {
        if self.look()?.is_some() {
            return Ok(false);
        }
        let (chain, key) = vouching_for_itself(names).map_err(io::Error::other)?;
        self.put(&chain, &key, None).map(|()| true)
    }

    /// From now on this pair is behind the link. The one before stays, for who wants it back; older ones go.
    pub(super) fn put(&self, chain_pem: &str, key_pem: &str, directory: Option<&str>) -> io::Result<()> {
        let name = format!("{PAIR}{}", Uuid::new_v4());
        let pair = self.folder.join(&name);
        DirBuilder::new().mode(0o700).create(&pair)?;
        write_durably(&pair.join("fullchain.pem"), chain_pem.as_bytes())?;
        write_durably(&pair.join("privkey.pem"), key_pem.as_bytes())?;
        if let Some(directory) = directory {
            write_durably(&pair.join(DIRECTORY), directory.as_bytes())?;
        }
        sync_folder(&pair)?;

        let current = self.folder.join(CURRENT);
        let before = fs::read_link(&current).ok();
        let link = self.folder.join(format!(".{CURRENT}"));
        remove_if_there(&link)?;
        symlink(&name, &link)?;
        fs::rename(&link, &current)?;
        sync_folder(&self.folder)?;
        self.drop_all_but([Some(PathBuf::from(name)), before]);
        Ok(())
    }

    /// What cannot be removed is no harm, and is tried again the next time.
    fn drop_all_but(&self, kept: [Option<PathBuf>; 2]) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_kept = kept.iter().flatten().any(|kept| kept.as_os_str() == name);
            if name.to_string_lossy().starts_with(PAIR) && !is_kept {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// The account at the authority with this directory.
    pub(super) fn account(&self, directory: &str) -> io::Result<Option<Account>> {
        read_json(&self.account_path(directory))
    }

    pub(super) fn put_account(&self, directory: &str, account: &Account) -> io::Result<()> {
        self.write(&self.account_path(directory), account)
    }

    /// One that the authority does not know any more.
    pub(super) fn drop_account(&self, directory: &str) -> io::Result<()> {
        remove_if_there(&self.account_path(directory))
    }

    fn account_path(&self, directory: &str) -> PathBuf {
        let fingerprint = hexadecimal(&Sha256::digest(directory));
        self.folder.join(format!("account-{}.json", &fingerprint[..ACCOUNT_DIGITS]))
    }

    /// When names were not believed within the last hour. A file that cannot be read says nothing.
    pub(super) fn refused(&self, now: UnixMillis) -> Vec<UnixMillis> {
        let times: Vec<i64> = read_json(&self.folder.join(REFUSED)).ok().flatten().unwrap_or_default();
        let times: Vec<UnixMillis> = times.into_iter().map(UnixMillis).collect();
        plan::recent(&times, now)
    }

    pub(super) fn note_refused(&self, now: UnixMillis) -> io::Result<()> {
        let times: Vec<i64> = self.refused(now).into_iter().chain([now]).map(|UnixMillis(at)| at).collect();
        self.write(&self.folder.join(REFUSED), &times)
    }

    /// As a whole or not at all.
    fn write(&self, path: &Path, value: &impl Serialize) -> io::Result<()> {
        let half = path.with_extension("new");
        remove_if_there(&half)?;
        write_durably(&half, &serde_json::to_vec_pretty(value)?)?;
        fs::rename(&half, path)?;
        sync_folder(&self.folder)
    }
}

/// The certificate and its key, in PEM. Nobody is to believe it, for however long it says.
fn vouching_for_itself(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Afterlive, until an authority has given a certificate");
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1));
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// A new file, for its owner alone from its first byte on.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NAMES: [&str; 1] = ["live.example.com"];

    fn opened() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    fn names() -> Vec<String> {
        NAMES.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_first_start_has_a_pair_to_serve_and_later_ones_leave_it() {
        let (_folder, store) = opened();
        assert_eq!(store.held(), None);
        assert!(store.ensure(&names()).unwrap());
        let first = store.held().unwrap();
        assert_eq!(first.directory, None);
        assert!(store.files.read(&names()).unwrap().warnings(UnixMillis(1_780_000_000_000)).is_empty());
        assert!(!store.ensure(&names()).unwrap());
        assert_eq!(store.held().unwrap(), first);
        for path in [&store.files.certificate, &store.files.key] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        }
        // As somebody leaves it who has tidied up.
        fs::remove_file(&store.files.key).unwrap();
        assert!(store.ensure(&names()).unwrap());
        assert!(store.held().is_some_and(|held| held != first));
    }

    #[test]
    fn a_pair_that_cannot_be_read_is_no_reason_for_another_one() {
        let (_folder, store) = opened();
        store.ensure(&names()).unwrap();
        store.try_to_keep().unwrap();
        // As for who may not: root, by whom tests may be run, may read everything but a link to itself.
        fs::remove_file(&store.files.key).unwrap();
        symlink("privkey.pem", &store.files.key).unwrap();
        assert!(store.look().is_err());
        assert!(store.ensure(&names()).is_err());
        assert!(fs::symlink_metadata(&store.files.key).unwrap().is_symlink(), "it is left as it is");
    }

    #[test]
    fn another_pair_takes_the_place_of_the_one_before_which_stays() {
        let (_folder, store) = opened();
        let pairs: Vec<(String, String)> = (0..3).map(|_| vouching_for_itself(&names()).unwrap()).collect();
        for (chain, key) in &pairs {
            store.put(chain, key, Some("https://ca.example/directory")).unwrap();
            assert_eq!(fs::read_to_string(&store.files.certificate).unwrap(), *chain);
            assert_eq!(store.held().unwrap().directory.as_deref(), Some("https://ca.example/directory"));
        }
        let kept: Vec<String> = fs::read_dir(&store.folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(PAIR))
            .map(|entry| fs::read_to_string(entry.path().join("fullchain.pem")).unwrap())
            .collect();
        assert_eq!(kept.len(), 2);
        assert!(kept.contains(&pairs[1].0) && kept.contains(&pairs[2].0));
    }

    #[test]
    fn a_machine_that_stopped_half_way_left_the_pair_before() {
        let (_folder, store) = opened();
        store.ensure(&names()).unwrap();
        let before = store.held().unwrap();
        // A certificate without its key, and a link that leads nowhere and was not put in its place.
        let half = store.folder.join(format!("{PAIR}half"));
        fs::create_dir(&half).unwrap();
        fs::write(half.join("fullchain.pem"), "-----BEGIN").unwrap();
        symlink("nowhere", store.folder.join(format!(".{CURRENT}"))).unwrap();
        assert_eq!(store.held().unwrap(), before);
        let (chain, key) = vouching_for_itself(&names()).unwrap();
        store.put(&chain, &key, None).unwrap();
        assert!(store.held().is_some_and(|held| held != before));
        assert!(!half.exists());
    }

    #[test]
    fn refusals_are_remembered_for_an_hour_across_starts() {
        let (folder, store) = opened();
        let at = |minutes: i64| UnixMillis(1_780_000_000_000 + minutes * 60_000);
        for minutes in [0, 30, 59] {
            store.note_refused(at(minutes)).unwrap();
        }
        let again = Store::open(folder.path()).unwrap();
        assert_eq!(again.refused(at(59)), [at(0), at(30), at(59)]);
        assert_eq!(again.refused(at(61)), [at(30), at(59)]);
        fs::write(store.folder.join(REFUSED), "not json").unwrap();
        assert_eq!(again.refused(at(61)), []);
    }
}
