//! What the browser session keeps between two pages of a second factor: who has given the right password and no code yet, and the secret that somebody is setting up.
//! Neither signs anybody in: who has signed in stands under another key, and is looked for there alone.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_sessions::Session;
use tower_sessions::session::Error;

use super::flash;
use crate::service::{HalfSignIn, Offer};

/// The keys under which a session has them.
const HALF: &str = "half_signed_in";
const OFFER: &str = "second_factor_offer";

/// Begins a sign-in that lacks the code: in a session of its own, so that nobody who knew the one before comes in with it, and who was signed in there is no more.
///
/// # Errors
/// Where the database fails.
pub async fn begin(session: &Session, half: &HalfSignIn) -> Result<(), Error> {
    session.clear().await;
    // Not `flush`: what is put into the session behind it is written under the same id again.
    session.cycle_id().await?;
    session.insert(HALF, half).await
}

/// Who has given the right password in this browser, and no code yet.
///
/// # Errors
/// Where the database fails.
pub async fn half(session: &Session) -> Result<Option<HalfSignIn>, Error> {
    session.get(HALF).await
}

/// The sign-in is complete, or is to be begun anew.
///
/// # Errors
/// Where the database fails.
pub async fn end(session: &Session) -> Result<(), Error> {
    session.remove::<HalfSignIn>(HALF).await.map(drop)
}

/// Keeps an offer, sealed with what only the browser's cookie has, in place of the one before.
///
/// # Errors
/// Where the database fails.
pub async fn put_offer(session: &Session, offer: &Offer) -> Result<(), Error> {
    match session.id().and_then(|id| flash::seal(&id, &encoded(offer)?)) {
        Some(sealed) => session.insert(OFFER, sealed).await,
        // Who has signed in has a session with an id.
        None => Ok(()),
    }
}

/// # Errors
/// Where the database fails; `None` where there is none, or it was another session's.
pub async fn offer(session: &Session) -> Result<Option<Offer>, Error> {
    let sealed: Option<String> = session.get(OFFER).await?;
    Ok(session.id().zip(sealed).and_then(|(id, sealed)| decoded(&flash::open(&id, &sealed)?)))
}

/// It is taken, or is over.
///
/// # Errors
/// Where the database fails.
pub async fn end_offer(session: &Session) -> Result<(), Error> {
    session.remove::<String>(OFFER).await.map(drop)
}

fn encoded(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

fn decoded<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
