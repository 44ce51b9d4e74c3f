//! By what a server knows its own connections again where they come back to it: behind a router that translates addresses one to one its public address is none of the
//! machine's, and a name may lead to it in many ways.

use std::sync::Arc;

use crate::hexadecimal::hexadecimal;
use crate::random;

/// How much of a secret's bytes make one mark: never the same twice by chance.
const MARK_BYTES: usize = 16;

/// One process's, drawn anew at each start. Who is connected to sees it, and who says it again is turned away, so that it opens nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark(Arc<str>);

impl Default for Mark {
    fn default() -> Self {
        Self(hexadecimal(&random::secret_bytes()[..MARK_BYTES]).into())
    }
}

impl Mark {
    /// As an RTMP client says what software it is. It begins as encoders' do, by which some servers tell them from players.
    #[must_use]
    pub fn software(&self) -> String {
        format!("FMLE/3.0 (compatible; Afterlive; {})", self.0)
    }

    /// Whether what a client says that it is has the mark in it.
    #[must_use]
    pub fn is_in(&self, software: &str) -> bool {
        software.contains(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_known_again_and_no_other_is() {
        let (own, other) = (Mark::default(), Mark::default());
        assert!(own.is_in(&own.software()));
        assert!(!own.is_in(&other.software()) && !own.is_in("FMLE/3.0 (compatible; Afterlive)"));
    }
}
