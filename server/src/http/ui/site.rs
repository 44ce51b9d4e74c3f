//! The site's files, embedded in the binary: scripts, styles and what lies in `public/`. Serves nothing from the disk, and no media.
//!
//! `{name}.br` beside a file is its brotli form; it is sent to who accepts it and has no address of its own. A file below `pkg/` is also
//! found below `pkg/{version}/`, where the version is a hash of all of them: pages name that address, and browsers keep it for good.

use std::collections::HashMap;

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::hexadecimal::hexadecimal;
use crate::http::etag;

static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The site's files by their path, without a leading slash.
pub struct Site {
    files: HashMap<&'static str, File>,
    version: String,
}

struct File {
    plain: Form,
    brotli: Option<Form>,
    content_type: HeaderValue,
}

/// One encoding of a file. Each has an ETag of its own, as RFC 9110 §8.8.3.3 asks.
struct Form {
    bytes: &'static [u8],
    etag: HeaderValue,
}

impl Site {
    /// What was embedded when the server was compiled.
    #[must_use]
    pub fn embedded() -> Self {
        Self::of(EMBEDDED)
    }

    fn of(all: &[(&'static str, &'static [u8])]) -> Self {
        let form = |bytes: &'static [u8]| Form { bytes, etag: etag::of([bytes]) };
        let mut files: HashMap<_, _> = all
            .iter()
            .filter(|(name, _)| !name.ends_with(".br"))
            .map(|&(name, bytes)| (name, File { plain: form(bytes), brotli: None, content_type: content_type(name) }))
            .collect();
        for &(name, bytes) in all {
            if let Some(file) = name.strip_suffix(".br").and_then(|name| files.get_mut(name)) {
                file.brotli = Some(form(bytes));
            }
        }
        let mut version = Sha256::new();
        for (name, bytes) in all.iter().filter(|(name, _)| name.starts_with("pkg/")) {
            version.update(name.as_bytes());
            version.update(Sha256::digest(bytes));
        }
        Self { files, version: hexadecimal(&version.finalize()[..6]) }
    }

    /// Whether the server was compiled without the site: its pages have no styles then, and do not come alive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The paths of all files, without a leading slash, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let mut names: Vec<&'static str> = self.files.keys().copied().collect();
        names.sort_unstable();
        names.into_iter()
    }

    /// The folder under which pages name scripts and styles: `pkg/{version}`.
    #[must_use]
    pub fn pkg_dir(&self) -> String {
        format!("pkg/{}", self.version)
    }

    /// The answer to a GET or HEAD of `path`, which begins with a slash; `None` where there is no such file.
    #[must_use]
    pub fn respond(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let path = path.strip_prefix('/')?;
        let versioned = path.strip_prefix("pkg/").and_then(|rest| rest.strip_prefix(self.version.as_str())?.strip_prefix('/'));
        let (file, cache_control) = match versioned {
            Some(rest) => (self.files.get(format!("pkg/{rest}").as_str())?, KEEP),
            None => (self.files.get(path)?, REVALIDATE),
        };
        let accepted = file.brotli.as_ref().filter(|_| accepts_brotli(headers));
        let form = accepted.unwrap_or(&file.plain);
        let unchanged = etag::is_among(headers.get_all(IF_NONE_MATCH), &form.etag);

        let mut response = Response::new(if unchanged { Body::empty() } else { Body::from(form.bytes) });
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(CONTENT_TYPE, file.content_type.clone());
            if accepted.is_some() {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
            }
        }
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, cache_control);
        headers.insert(ETAG, form.etag.clone());
        if file.brotli.is_some() {
            headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
        }
        Some(response)
    }
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

/// RFC 9110 §12.5.3; an encoding of weight 0 is refused.
fn accepts_brotli(headers: &HeaderMap) -> bool {
    let weight = |wanted: &str| {
        let mut offers =
            headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        offers.find_map(|offer| {
            let (coding, parameter) = offer.split_once(';').unwrap_or((offer, "q=1"));
            let weight = || parameter.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            coding.trim().eq_ignore_ascii_case(wanted).then(|| weight().unwrap_or(0.0))
        })
    };
    weight("br").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site::of(&[("favicon.svg", b"<svg/>"), ("pkg/afterlive.js", b"plain script"), ("pkg/afterlive.js.br", b"brotli")])
    }

    fn with(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 1024).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn brotli_goes_to_those_who_accept_it_and_plain_bytes_to_the_others() {
        for accepted in ["br", "gzip, deflate, br, zstd", "gzip;q=0.5, BR;q=0.1", "*"] {
            let response = site().respond("/pkg/afterlive.js", &with(ACCEPT_ENCODING, accepted)).unwrap();
            assert_eq!(response.headers()[CONTENT_ENCODING], "br", "{accepted}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
            assert_eq!(body(response).await, b"brotli");
        }
        for refused in ["", "gzip", "br;q=0", "br;q=0, *", "br;q=nonsense"] {
            let response = site().respond("/pkg/afterlive.js", &with(ACCEPT_ENCODING, refused)).unwrap();
            assert!(!response.headers().contains_key(CONTENT_ENCODING), "{refused}");
            assert_eq!(response.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
            assert_eq!(body(response).await, b"plain script");
        }
    }

    #[tokio::test]
    async fn what_the_client_has_is_not_sent_again() {
        let etag = site().respond("/favicon.svg", &HeaderMap::new()).unwrap().headers()[ETAG].clone();
        let etag = etag.to_str().unwrap();
        for known in [etag, &format!("W/{etag}"), &format!("\"other\", {etag}"), "*"] {
            let response = site().respond("/favicon.svg", &with(IF_NONE_MATCH, known)).unwrap();
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(body(response).await, b"");
        }
        assert_eq!(site().respond("/favicon.svg", &with(IF_NONE_MATCH, "\"other\"")).unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn the_versioned_address_is_kept_for_good_and_the_bare_one_asked_again() {
        let site = site();
        let response = |path: &str| site.respond(path, &HeaderMap::new());
        assert_eq!(response(&format!("/{}/afterlive.js", site.pkg_dir())).unwrap().headers()[CACHE_CONTROL], KEEP);
        assert_eq!(response("/pkg/afterlive.js").unwrap().headers()[CACHE_CONTROL], REVALIDATE);
        for unknown in ["/pkg/0123456789ab/afterlive.js", "/pkg/afterlive.js.br", "/pkg/", "/", "/../Cargo.toml", "//favicon.svg"]
        {
            assert!(response(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn another_script_makes_another_version() {
        assert_ne!(site().version, Site::of(&[("pkg/afterlive.js", b"another script")]).version);
    }
}
