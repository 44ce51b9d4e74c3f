//! Answers to ACME's challenge `http-01` (RFC 8555, 8.3): those of this server's own orders, and those that a client such as certbot or lego leaves in a folder. Asks
//! for no certificate itself.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};

use crate::acme::Challenges;

const FOLDER: &str = "/.well-known/acme-challenge/";
/// Tokens have 128 bits and more, in base64url.
const MAX_TOKEN_BYTES: usize = 128;
/// An answer is the token and a fingerprint.
const MAX_ANSWER_BYTES: u64 = 1024;

/// Where answers are. Where they are nowhere, the paths are like others.
#[derive(Default, Debug)]
pub(super) struct Answers {
    /// The folder of another client.
    pub webroot: Option<PathBuf>,
    /// Of this server's own orders.
    pub challenges: Option<Challenges>,
}

/// `None` where the request asks for something else.
pub(super) fn answer(answers: &Answers, request: &Request) -> Option<impl Future<Output = Response> + Send + use<>> {
    let Answers { webroot, challenges } = answers;
    if webroot.is_none() && challenges.is_none() {
        return None;
    }
    let token = request.uri().path().strip_prefix(FOLDER)?;
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_token = !token.is_empty() && token.len() <= MAX_TOKEN_BYTES && token.bytes().all(is_of_token);
    let is_asked = matches!(*request.method(), Method::GET | Method::HEAD);
    let own = challenges.as_ref().filter(|_| is_token && is_asked).and_then(|challenges| challenges.answer(token));
    // No other file of the folder is to be had, whatever it is.
    let file = webroot.as_ref().filter(|_| is_token && is_asked).map(|webroot| webroot.join(&FOLDER[1..]).join(token));
    Some(async {
        let found = match (own, file) {
            (Some(own), _) => Some(own.into_bytes()),
            (None, Some(file)) => read(file).await.ok(),
            (None, None) => None,
        };
        let is_found = found.is_some();
        let mut response = Response::new(found.map_or_else(Body::empty, Body::from));
        if !is_found {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        let headers =
            [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
        response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    })
}

async fn read(path: PathBuf) -> io::Result<Vec<u8>> {
    let reading = move || {
        let mut text = Vec::new();
        File::open(path)?.take(MAX_ANSWER_BYTES).read_to_end(&mut text)?;
        Ok(text)
    };
    tokio::task::spawn_blocking(reading).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_found_by_its_token_and_nothing_else_is() {
        let webroot = tempfile::tempdir().unwrap();
        let folder = webroot.path().join(&FOLDER[1..]);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a-Token_1"), "a-Token_1.fingerprint").unwrap();
        std::fs::write(webroot.path().join("secret"), "secret").unwrap();
        std::fs::write(folder.join(".hidden"), "secret").unwrap();
        let answers = Answers { webroot: Some(webroot.path().to_owned()), challenges: Some(Challenges::default()) };
        let ask = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let response = answer(&answers, &request)?.await;
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            Some((status, String::from_utf8(body.to_vec()).unwrap()))
        };
        assert_eq!(ask("/.well-known/acme-challenge/a-Token_1").await, Some((200, "a-Token_1.fingerprint".to_owned())));
        for strange in ["", "other", "../../secret", ".hidden", "a-Token_1/", "%2e%2e%2fsecret", ".."] {
            assert_eq!(ask(&format!("{FOLDER}{strange}")).await, Some((404, String::new())), "{strange}");
        }
        assert_eq!(ask("/stream").await, None);
    }
}
