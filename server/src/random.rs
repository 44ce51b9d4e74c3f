//! Random numbers from the operating system: ids, names and secrets. Nothing here decides what they are for.

use rand::{Rng as _, RngExt as _};

/// 256 bits that nobody can guess.
#[must_use]
pub fn secret_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A uniform draw from `0..62`, for [`afterlive_domain::Streamname::draw`] and its like.
#[must_use]
pub fn below_62() -> u8 {
    rand::rng().random_range(0..62)
}

/// A uniform draw from `0..end`; 0 where that is empty.
#[must_use]
pub fn below(end: u16) -> u16 {
    if end == 0 { 0 } else { rand::rng().random_range(0..end) }
}
