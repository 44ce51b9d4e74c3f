//! The cookie by which a browser is known in which somebody has signed in before. It signs nobody in, and says nothing of whose it is: what is known lies in the
//! database, under a hash of it. What that is good for is `service/known_browsers`'s.

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{Extensions, HeaderMap, HeaderValue};

use super::request::cookies;
use crate::db::users::User;
use crate::service::{KNOWN_FOR_MS, Service};

const COOKIE: &str = "afterlive_browser";
/// As that of the session: where people come over TLS alone, nobody else can put one in its place.
const SECURE_COOKIE: &str = "__Host-afterlive_browser";
/// 256 bits in hexadecimal.
const SECRET_CHARS: usize = 64;

/// A browser, for the length of one request: what its cookie has, and what it is to have from now on. Clones are one browser's.
#[derive(Clone, Default)]
pub struct KnownBrowser {
    sent: Option<Arc<str>>,
    given: Arc<OnceLock<String>>,
}

impl fmt::Debug for KnownBrowser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownBrowser(…)")
    }
}

impl KnownBrowser {
    /// The one of a request behind [`keep`]; elsewhere one of which nothing is known, and which is told nothing.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// What its cookie has. Nothing of it is known to be true.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.sent.as_deref()
    }

    /// Somebody has signed in with it: it is known from now on, by another secret than before. Where that fails they have signed in all the same.
    pub async fn remember(&self, service: &Service, user: &User) {
        match service.remember_browser(user, self.secret()).await {
            Ok(Some(secret)) => {
                // Nobody signs in twice in one request.
                let _ = self.given.set(secret);
            }
            Ok(None) => {}
            Err(cause) => tracing::warn!(user = %user.id, %cause, "with which browser somebody signs in could not be noted"),
        }
    }
}

fn name(service: &Service) -> &'static str {
    if service.config().http.is_secure() { SECURE_COOKIE } else { COOKIE }
}

/// Middleware that puts a [`KnownBrowser`] into requests, and gives its cookie to who has signed in.
pub async fn keep(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let sent = sent(request.headers(), name(&service)).map(Arc::from);
    let browser = KnownBrowser { sent, given: Arc::default() };
    request.extensions_mut().insert(browser.clone());
    let mut response = next.run(request).await;
    if let Some(cookie) = browser.given.get().and_then(|secret| set_cookie(&service, secret)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// `None` also where there are two: one of them somebody else has put there.
fn sent<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut ours = cookies(headers).filter(|(found, _)| *found == name).map(|(_, secret)| secret);
    let (secret, other) = (ours.next()?, ours.next());
    let is_secret = secret.len() == SECRET_CHARS && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_secret && other.is_none()).then_some(secret)
}

fn set_cookie(service: &Service, secret: &str) -> Option<HeaderValue> {
    let (name, max_age_s) = (name(service), KNOWN_FOR_MS / 1_000);
    let secure = if service.config().http.is_secure() { "; Secure" } else { "" };
    let cookie = format!("{name}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    let mut cookie = HeaderValue::from_str(&cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn only_one_cookie_of_the_name_that_may_be_one_of_ours_is_read() {
        let (secret, other) = ("0f".repeat(32), "0e".repeat(32));
        let read = |cookies: &str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookies).unwrap())]);
            sent(&headers, SECURE_COOKIE).map(str::to_owned)
        };
        assert_eq!(read(&format!("x=y; {SECURE_COOKIE}={secret}")), Some(secret.clone()));
        for cookies in [
            "x=y".to_owned(),
            format!("{COOKIE}={secret}"),
            format!("{SECURE_COOKIE}={}", &secret[1..]),
            format!("{SECURE_COOKIE}={}x", &secret[1..]),
            format!("{SECURE_COOKIE}={secret}; {SECURE_COOKIE}={other}"),
        ] {
            assert_eq!(read(&cookies), None, "{cookies}");
        }
        assert!(!format!("{:?}", KnownBrowser { sent: Some(secret.as_str().into()), given: Arc::default() }).contains(&secret));
    }
}
