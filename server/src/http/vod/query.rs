//! The query of a recording's URL. Pure. What is not ours is handed on as it came.

use std::num::ParseIntError;

/// A query as it was sent, without its question mark.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(pub &'a str);

impl<'a> Query<'a> {
    fn pairs(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.0.split('&').map(|pair| pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value))))
    }

    /// Whether the answer is to be saved instead of shown.
    pub fn download(self) -> bool {
        self.pairs().any(|(name, _)| name == "download")
    }

    /// Which snapshot is asked for: by its bytes of media.
    pub fn upto(self) -> Option<Result<u64, ParseIntError>> {
        self.pairs().find(|(name, _)| *name == "upto").map(|(_, value)| value.unwrap_or_default().parse())
    }

    pub fn without_upto(self) -> String {
        let others = self.0.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("upto"));
        others.collect::<Vec<_>>().join("&")
    }

    pub fn with_upto(self, media_bytes: u64) -> String {
        let others = self.without_upto();
        let joint = if others.is_empty() { "" } else { "&" };
        format!("{others}{joint}upto={media_bytes}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_named_beside_whatever_else_is_asked() {
        assert_eq!(Query("").upto(), None);
        assert_eq!(Query("").with_upto(7), "upto=7");
        assert_eq!(Query("download").with_upto(7), "download&upto=7");
        assert_eq!(Query("upto=3&a=b&upto=4&download=1").with_upto(7), "a=b&download=1&upto=7");
        assert_eq!(Query("a=b&upto=3").without_upto(), "a=b");
        assert_eq!(Query("a=b&upto=3").upto(), Some(Ok(3)));
        for wrong in ["upto", "upto=", "upto=-1", "upto=1.5", "upto=18446744073709551616"] {
            assert!(Query(wrong).upto().unwrap().is_err(), "{wrong}");
        }
        assert!(Query("a=b&download").download() && Query("download=1").download() && !Query("downloads").download());
    }
}
