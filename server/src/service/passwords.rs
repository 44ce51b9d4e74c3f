//! Hashing and checking passwords, off the async threads and not more than a few at a time.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterlive_domain::Error as Refusal;
use afterlive_domain::password::{MAX_BYTES, Weakness, check_length};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::{Error, Result};

/// Each takes 19 MiB and some 50 ms of one core.
const HASHES_AT_A_TIME: usize = 2;
/// Who comes when so many wait is told to come back later.
const MAX_WAITING: usize = 32;
const RETRY_AFTER_S: u32 = 5;
/// Fewer guesses than this find a password that is not taken: it is among those that are tried first.
const MIN_GUESSES: u64 = 100_000_000;

/// Why a password that somebody chose is not theirs now.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("the password is not taken: {}", .0.as_str())]
    Weak(Weakness),
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<Weakness> for NotTaken {
    fn from(weakness: Weakness) -> Self {
        Self::Weak(weakness)
    }
}

/// For whom a password is a field among others.
impl From<NotTaken> for Error {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Weak(weakness) => {
                Refusal::WrongType { parameter: "password".to_owned(), expected: weakness.asked_for() }.into()
            }
            NotTaken::Failed(error) => error,
        }
    }
}

#[derive(Debug)]
pub(super) struct Passwords {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(HASHES_AT_A_TIME)), waiting: AtomicUsize::new(0) }
    }
}

/// OWASP's first choice for Argon2id where memory is to be spared.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the parameters are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Whether the password is worth nothing against who tries what is common, and what is about the person. Takes some milliseconds of one core.
fn is_guessable(password: &str, about: &[String]) -> bool {
    let about: Vec<&str> = about.iter().flat_map(|text| words_of(text)).collect();
    zxcvbn::zxcvbn(password, &about).guesses() < MIN_GUESSES
}

/// A text as a whole, what stands on either side of an address's `@`, and each of its words: somebody's name is one of their address.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2);
    iter::once(text).chain(text.split('@')).chain(words)
}

impl Passwords {
    /// A PHC string of a password that somebody chose. `about` is what is known of them: their address, the organisation's name.
    ///
    /// # Errors
    /// `Weak`; `Refused` where too many wait.
    pub(super) async fn hash_chosen(&self, password: &str, about: &[&str]) -> Result<String, NotTaken> {
        check_length(password)?;
        let (asked, about) = (password.to_owned(), about.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        if self.run(move || is_guessable(&asked, &about)).await? {
            return Err(Weakness::Guessable.into());
        }
        Ok(self.hash(password).await?)
    }

    /// A PHC string of the password, with a new salt.
    async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.run(move || match argon2().hash_password(password.as_bytes()) {
            Ok(hash) => Ok(hash.to_string()),
            Err(cause) => Err(Error::Hashing(cause.to_string())),
        })
        .await?
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, after the same time.
    pub(super) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        if password.len() > MAX_BYTES {
            return Ok(false);
        }
        let (password, hash) = (password.to_owned(), hash.map(str::to_owned));
        self.run(move || match hash {
            Some(hash) => {
                let hash = PasswordHash::new(&hash).map_err(|cause| Error::Hashing(cause.to_string()))?;
                Ok(argon2().verify_password(password.as_bytes(), &hash).is_ok())
            }
            None => argon2().hash_password(password.as_bytes()).map(|_| false).map_err(|cause| Error::Hashing(cause.to_string())),
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _place = self.wait_in_line()?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        // The permit goes with the work: a client that hangs up ends the waiting, not the hash.
        let work = move || {
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|cause| Error::Hashing(cause.to_string()))
    }

    fn wait_in_line(&self) -> Result<Place<'_>, Refusal> {
        // The place counts before it is judged, and is given back by its drop where there was none.
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            return Err(Refusal::TooMany { retry_after_s: RETRY_AFTER_S });
        }
        Ok(place)
    }
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_hash_and_nothing_else() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse ", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert_ne!(hash, passwords.hash("correct horse").await.unwrap());
    }

    #[tokio::test]
    async fn what_is_tried_first_is_not_taken_and_what_is_long_and_ones_own_is() {
        let passwords = Passwords::default();
        let about = ["ada.lovelace@northlight.example", "Northlight Events"];
        let taken = async |password: &str| match passwords.hash_chosen(password, &about).await {
            Ok(_) => Ok(()),
            Err(NotTaken::Weak(weakness)) => Err(weakness),
            Err(NotTaken::Failed(error)) => panic!("{error}"),
        };
        for fine in [
            "correct horse battery",
            "die Kirchturmuhr schlägt dreizehn",
            "時計塔の鐘は十三時を打つのだった",
            "x7Gq-92mZ-pL0v-8Kd",
            &"wandering goose 91 ".repeat(50),
        ] {
            assert_eq!(taken(fine).await, Ok(()), "{fine}");
        }
        assert_eq!(taken("correct horse").await, Err(Weakness::Short));
        assert_eq!(taken(&"x".repeat(1_025)).await, Err(Weakness::Long));
        for known in [
            "passwordpassword",
            "123456789012345",
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghjkl",
            "abcdefghijklmnopqrst",
            "iloveyouiloveyou",
            "ada.lovelace@northlight.example",
            "northlight.example",
            "ada.lovelace.2026",
            "northlight events",
            "Northlight Events 1",
            "lovelacelovelace",
        ] {
            assert_eq!(taken(known).await, Err(Weakness::Guessable), "{known}");
        }
    }

    #[tokio::test]
    async fn a_flood_is_turned_away() {
        let passwords = Passwords::default();
        let results = futures::future::join_all((0..MAX_WAITING + 8).map(|_| passwords.verify("x", None))).await;
        let refused = results.iter().filter(|result| matches!(result, Err(Error::Refused(Refusal::TooMany { .. })))).count();
        assert_eq!(refused, 8);
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }
}
