//! The key under which secrets lie in the database: the operator's, by the settings, or one that this server draws for itself and keeps in a file beside. Who copies
//! the database alone has no code.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::TotpSecret;
use crate::hexadecimal::hexadecimal;
use crate::random;
use crate::sealing::SealingKey;

/// The least that the settings may name: so many that nobody tries them all.
pub const MIN_KEY_CHARS: usize = 32;
/// In the folder for data.
const FILE: &str = "second-factor.key";
/// Apart from all else that may be made of the same text.
const PURPOSE: &[u8] = b"afterlive: secrets of second factors";
const NAMING: &str = "afterlive: which key of second factors: ";
/// How much of a hash names a key.
const NAME_LETTERS: usize = 16;

/// Why nothing can be sealed or opened. For the operator; nobody else hears of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key of second factors cannot be kept in {path}: {cause}")]
    File { path: String, cause: io::Error },
    #[error("{path} is no key of second factors: it is too short, or empty")]
    Short { path: String },
    #[error("a secret of a second factor cannot be sealed")]
    Sealing,
}

/// What came of opening a sealed secret.
#[derive(Debug)]
pub enum Opening {
    Opened(TotpSecret),
    /// It was sealed with another key: another node's, or one that is lost.
    AnotherKey,
    /// It was changed, or moved to another user.
    Damaged,
}

/// The key, which is looked for when it is first needed.
pub struct Keyring {
    given: Option<String>,
    path: PathBuf,
    found: Mutex<Option<String>>,
}

impl Keyring {
    /// `given` by the settings, or else in a file in `folder`.
    #[must_use]
    pub fn new(given: Option<String>, folder: &Path) -> Self {
        Self { given, path: folder.join(FILE), found: Mutex::default() }
    }

    /// Which key it is: says nothing of the key itself.
    ///
    /// # Errors
    /// As [`Keyring::seal`].
    pub fn name(&self) -> Result<String, KeyError> {
        let digest = hexadecimal(&Sha256::digest(format!("{NAMING}{}", self.key()?).as_bytes()));
        Ok(digest.chars().take(NAME_LETTERS).collect())
    }

    /// Seals a secret for `owner`, for whom alone it can be opened. Waits for a disk the first time.
    ///
    /// # Errors
    /// Where there is no key and none can be made.
    pub fn seal(&self, owner: &str, secret: &TotpSecret) -> Result<String, KeyError> {
        let key = SealingKey::derive(self.key()?.as_bytes(), PURPOSE);
        key.and_then(|key| key.seal(owner.as_bytes(), secret.as_bytes())).ok_or(KeyError::Sealing)
    }

    /// # Errors
    /// As [`Keyring::seal`].
    pub fn open(&self, owner: &str, sealed: &str, sealed_by: &str) -> Result<Opening, KeyError> {
        if self.name()? != sealed_by {
            return Ok(Opening::AnotherKey);
        }
        let key = SealingKey::derive(self.key()?.as_bytes(), PURPOSE);
        let opened = key.and_then(|key| key.open(owner.as_bytes(), sealed)).and_then(|secret| TotpSecret::of(&secret));
        Ok(opened.map_or(Opening::Damaged, Opening::Opened))
    }

    fn key(&self) -> Result<String, KeyError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = &*found {
            return Ok(found.clone());
        }
        let key = self.read_or_make()?;
        *found = Some(key.clone());
        Ok(key)
    }

    fn read_or_make(&self) -> Result<String, KeyError> {
        let failed = |cause| KeyError::File { path: self.path.display().to_string(), cause };
        let text = match fs::read_to_string(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                self.make().map_err(failed)?;
                fs::read_to_string(&self.path).map_err(failed)?
            }
            read => read.map_err(failed)?,
        };
        let key = text.trim().to_owned();
        if key.len() < MIN_KEY_CHARS {
            return Err(KeyError::Short { path: self.path.display().to_string() });
        }
        Ok(key)
    }

    /// Under another name first: of two processes that make one, both then have the same, and none is read half.
    fn make(&self) -> io::Result<()> {
        let key = hexadecimal(&random::secret_bytes());
        let written = self.path.with_extension(format!("{}.new", &hexadecimal(&random::secret_bytes())[..8]));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&written)?;
        file.write_all(key.as_bytes())?;
        file.sync_all()?;
        let linked = match fs::hard_link(&written, &self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        };
        fs::remove_file(&written)?;
        linked?;
        // The name as well: what it seals must not outlive it.
        if let Some(folder) = self.path.parent() {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn opened(opening: Opening) -> Option<Vec<u8>> {
        match opening {
            Opening::Opened(secret) => Some(secret.as_bytes().to_vec()),
            Opening::AnotherKey | Opening::Damaged => None,
        }
    }

    #[test]
    fn only_the_same_key_opens_it_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = |text: &str| Keyring::new(Some(text.to_owned()), folder.path());
        let (ours, other) = (keyring(&"k".repeat(32)), keyring(&"l".repeat(32)));
        let secret = TotpSecret::draw();
        let (sealed, name) = (ours.seal("ada", &secret).unwrap(), ours.name().unwrap());
        assert_eq!(opened(ours.open("ada", &sealed, &name).unwrap()).unwrap(), secret.as_bytes());
        assert_ne!(ours.seal("ada", &secret).unwrap(), sealed);
        assert!(matches!(other.open("ada", &sealed, &name).unwrap(), Opening::AnotherKey));
        assert!(matches!(ours.open("bob", &sealed, &name).unwrap(), Opening::Damaged), "moved to another's row");
        assert!(matches!(ours.open("ada", &sealed[1..], &name).unwrap(), Opening::Damaged));
        assert!(!sealed.contains(&secret.to_base32()));
        assert!(!folder.path().join(FILE).exists(), "one that is given is kept nowhere");
    }

    #[test]
    fn without_one_in_the_settings_it_is_drawn_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = || Keyring::new(None, folder.path());
        let secret = TotpSecret::draw();
        let (sealed, name) = {
            let first = keyring();
            (first.seal("ada", &secret).unwrap(), first.name().unwrap())
        };
        let path = folder.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(opened(keyring().open("ada", &sealed, &name).unwrap()).unwrap(), secret.as_bytes());
        fs::remove_file(&path).unwrap();
        assert!(matches!(keyring().open("ada", &sealed, &name).unwrap(), Opening::AnotherKey));
        fs::write(&path, " ").unwrap();
        assert!(matches!(keyring().name(), Err(KeyError::Short { .. })));
    }

    #[test]
    fn many_that_make_one_at_once_have_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let keyrings: Vec<Keyring> = (0..8).map(|_| Keyring::new(None, folder.path())).collect();
        let names: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = keyrings.iter().map(|keyring| scope.spawn(|| keyring.name().unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(names.windows(2).all(|two| two[0] == two[1]), "{names:?}");
    }
}
