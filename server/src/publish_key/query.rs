//! What stands behind a stream's name where an encoder shows it: the key, and what else is none of ours. A file of its own, without cryptography, so
//! that a fuzzer can have it.

use afterlive_domain::Streamname;
use url::form_urlencoded;

/// The pair behind the `?` of a stream's name.
pub(super) const PAIR: &str = "key";

/// The name alone in what is copied into an encoder, for who takes that where a name is asked for. All else stays as it is.
#[must_use]
pub fn bare_name(copied: &str) -> &str {
    match copied.split_once('?') {
        Some((name, _)) if name.parse::<Streamname>().is_ok() => name,
        _ => copied,
    }
}

/// The key in what an encoder has behind the stream's name: of several the first, so that one attempt is one guess.
#[must_use]
pub fn shown(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == PAIR).map(|(_, key)| key.into_owned())
}

/// All else that stands there than the keys of which `is_left_out` is true.
#[must_use]
pub fn without_key(query: &str, is_left_out: impl Fn(&str) -> bool) -> String {
    let others = form_urlencoded::parse(query.as_bytes()).filter(|(name, key)| name != PAIR || !is_left_out(key));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish()
}
