//! Hashing and checking passwords, off the async threads and not more than a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterlive_domain::Error as Refusal;
use afterlive_domain::password::{MAX_BYTES, Weakness, check_length};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

use super::{Error, Result, guessable};

/// Each takes 19 MiB and some 50 ms of one core.
const HASHES_AT_A_TIME: usize = 2;
/// Who comes when so many wait is told to come back later.
const MAX_WAITING: usize = 32;
/// A stranger is told so when so many wait: the last places are for who is known, whom no flood of guesses is to keep out.
const MAX_WAITING_STRANGERS: usize = 24;
const RETRY_AFTER_S: u32 = 5;
/// A password that is set is not longer, so neither is one that is sent to sign in, even where it is written in three bytes for each of its own.
const MAX_SENT_BYTES: usize = 3 * MAX_BYTES;

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

/// Who has to do with a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asking {
    /// May be anybody; so may be a program that asks for a session token.
    Stranger,
    /// Comes in a browser in which that user has signed in, has signed in, or holds a link.
    Known,
}

impl Asking {
    fn max_waiting(self) -> usize {
        match self {
            Self::Stranger => MAX_WAITING_STRANGERS,
            Self::Known => MAX_WAITING,
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

/// One password is one however keyboard and system wrote it: an ä in one letter or in two, Latin letters at full width (SP 800-63B-4 §3.1.1.2).
fn normalised(password: &str) -> String {
    password.nfkc().collect()
}

impl Passwords {
    /// A PHC string of a password that somebody chose. `about` is what is known of them and of where it is for: their address, names.
    ///
    /// # Errors
    /// `Weak`; `Refused` where too many wait.
    pub(super) async fn hash_chosen(&self, password: &str, about: &[&str]) -> Result<String, NotTaken> {
        // Before it is made longer, and after.
        check_length(password)?;
        let password = normalised(password);
        check_length(&password)?;
        let (asked, about) = (password.clone(), about.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        if self.run(Asking::Known, move || guessable::is_guessable(&asked, &about)).await? {
            return Err(Weakness::Guessable.into());
        }
        Ok(self.hash(password).await?)
    }

    /// A PHC string of the password, which is normalised, with a new salt.
    async fn hash(&self, password: String) -> Result<String> {
        self.run(Asking::Known, move || match argon2().hash_password(password.as_bytes()) {
            Ok(hash) => Ok(hash.to_string()),
            Err(cause) => Err(Error::Hashing(cause.to_string())),
        })
        .await?
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, after the same time.
    pub(super) async fn verify(&self, password: &str, hash: Option<&str>, asking: Asking) -> Result<bool> {
        if password.len() > MAX_SENT_BYTES {
            return Ok(false);
        }
        let normal = normalised(password);
        // Hashes of before are of what was sent.
        Ok(self.verify_exactly(normal.clone(), hash, asking).await?
            || (normal != password && self.verify_exactly(password.to_owned(), hash, asking).await?))
    }

    async fn verify_exactly(&self, password: String, hash: Option<&str>, asking: Asking) -> Result<bool> {
        // Of who has no password there is something else, which none is right for.
        let hash = hash.filter(|hash| hash.starts_with('$')).map(str::to_owned);
        self.run(asking, move || match hash {
            Some(hash) => {
                let hash = PasswordHash::new(&hash).map_err(|cause| Error::Hashing(cause.to_string()))?;
                Ok(argon2().verify_password(password.as_bytes(), &hash).is_ok())
            }
            None => argon2().hash_password(password.as_bytes()).map(|_| false).map_err(|cause| Error::Hashing(cause.to_string())),
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, asking: Asking, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _place = self.wait_in_line(asking)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        // The permit goes with the work: a client that hangs up ends the waiting, not the hash.
        let work = move || {
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|cause| Error::Hashing(cause.to_string()))
    }

    /// A place among those who wait, until it is dropped.
    pub(super) fn wait_in_line(&self, asking: Asking) -> Result<Place<'_>, Refusal> {
        // In one step: a flood that is turned away takes no place even for a moment.
        let one_more = |waiting: usize| (waiting < asking.max_waiting()).then_some(waiting + 1);
        match self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Place(&self.waiting)),
            Err(_) => Err(Refusal::TooMany { retry_after_s: RETRY_AFTER_S }),
        }
    }
}

pub(super) struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_hash_and_nothing_else() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(&hash), Asking::Stranger).await.unwrap());
        assert!(!passwords.verify("correct horse ", Some(&hash), Asking::Stranger).await.unwrap());
        assert!(!passwords.verify("correct horse", None, Asking::Stranger).await.unwrap());
        assert_ne!(hash, passwords.hash("correct horse".to_owned()).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_too_short_long_or_guessable_is_not_taken() {
        let passwords = Passwords::default();
        let taken = async |password: &str| match passwords.hash_chosen(password, &["ada@example.com"]).await {
            Ok(_) => Ok(()),
            Err(NotTaken::Weak(weakness)) => Err(weakness),
            Err(NotTaken::Failed(error)) => panic!("{error}"),
        };
        assert_eq!(taken("die Kirchturmuhr schlägt dreizehn").await, Ok(()));
        assert_eq!(taken("correct horse").await, Err(Weakness::Short));
        assert_eq!(taken(&"x".repeat(1_025)).await, Err(Weakness::Long));
        assert_eq!(taken("passwordpassword").await, Err(Weakness::Guessable));
        // Fourteen letters of fifteen code points, and one letter that is eighteen.
        assert_eq!(taken("schla\u{308}gtdreizeh").await, Err(Weakness::Short));
        assert_eq!(taken(&"\u{fdfa}".repeat(300)).await, Err(Weakness::Long));
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_the_keyboard_writes_it() {
        let passwords = Passwords::default();
        let composed = "die Kirchturmuhr schl\u{e4}gt dreizehn";
        let decomposed = "die Kirchturmuhr schla\u{308}gt dreizehn";
        for (set, sent) in [(composed, decomposed), (decomposed, composed)] {
            let hash = passwords.hash_chosen(set, &[]).await.unwrap();
            assert!(passwords.verify(sent, Some(&hash), Asking::Stranger).await.unwrap());
            assert!(!passwords.verify("die Kirchturmuhr schlagt dreizehn", Some(&hash), Asking::Stranger).await.unwrap());
        }
        // One from before, of what was sent.
        let old = passwords.hash(decomposed.to_owned()).await.unwrap();
        assert!(passwords.verify(decomposed, Some(&old), Asking::Stranger).await.unwrap());
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_and_leaves_places_to_who_is_known() {
        let passwords = Passwords::default();
        let mut served = Vec::new();
        for (asking, places) in [(Asking::Stranger, MAX_WAITING_STRANGERS), (Asking::Known, MAX_WAITING)] {
            for _ in 0..MAX_WAITING + 8 {
                let mut verifying = passwords.verify("x", None, asking).boxed();
                match (&mut verifying).now_or_never() {
                    Some(Err(Error::Refused(Refusal::TooMany { .. }))) => assert_eq!(served.len(), places, "{asking:?}"),
                    Some(other) => panic!("{other:?}"),
                    None => served.push(verifying),
                }
            }
            assert_eq!(served.len(), places, "{asking:?}");
        }
        let last = served.pop().unwrap();
        drop(served);
        assert!(!last.await.unwrap());
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }
}
