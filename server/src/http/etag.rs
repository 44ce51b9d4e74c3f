//! Entity tags of answers that lie in memory whole, and whether a client has one already. Those of files on disk are `vod/conditional.rs`'s.

use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::hexadecimal::hexadecimal;

/// Bytes of the hash that make a tag: half of it is far more than chance or malice need for two of the same.
const TAG_BYTES: usize = 16;

/// A strong tag: of these bytes, one part behind the other, and no others. A fast hash would do against chance; this one also keeps a user who may choose what is
/// in an answer from making two that look the same. It costs some microseconds for the usual answer, and 1 ms a MB.
#[must_use]
pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> HeaderValue {
    let hash = parts.into_iter().fold(Sha256::new(), Sha256::chain_update).finalize();
    let text = format!("\"{}\"", hexadecimal(&hash[..TAG_BYTES]));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether the lines of `If-None-Match` name the tag: RFC 9110 §13.1.2, by weak comparison.
#[must_use]
pub fn is_among<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>, tag: &HeaderValue) -> bool {
    let known = lines.into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    known.map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes())
}
