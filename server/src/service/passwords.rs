//! Hashing and checking passwords, off the async threads and not more than a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterlive_domain::Error as Refusal;
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
const MIN_PASSWORD_CHARS: usize = 8;
/// Argon2 would take more; a form need not.
const MAX_PASSWORD_BYTES: usize = 1_024;

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

/// # Errors
/// `WrongType` for `password` where it is too short or too long.
pub(super) fn check(password: &str) -> Result<(), Refusal> {
    let fine = password.chars().count() >= MIN_PASSWORD_CHARS && password.len() <= MAX_PASSWORD_BYTES;
    if fine {
        return Ok(());
    }
    let expected = format!("at least {MIN_PASSWORD_CHARS} characters and at most {MAX_PASSWORD_BYTES} bytes");
    Err(Refusal::WrongType { parameter: "password".to_owned(), expected })
}

impl Passwords {
    /// A PHC string of the password, with a new salt.
    pub(super) async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.run(move || match argon2().hash_password(password.as_bytes()) {
            Ok(hash) => Ok(hash.to_string()),
            Err(cause) => Err(Error::Hashing(cause.to_string())),
        })
        .await?
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, after the same time.
    pub(super) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        if password.len() > MAX_PASSWORD_BYTES {
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
    async fn a_flood_is_turned_away() {
        let passwords = Passwords::default();
        let results = futures::future::join_all((0..MAX_WAITING + 8).map(|_| passwords.verify("x", None))).await;
        let refused = results.iter().filter(|result| matches!(result, Err(Error::Refused(Refusal::TooMany { .. })))).count();
        assert_eq!(refused, 8);
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }
}
