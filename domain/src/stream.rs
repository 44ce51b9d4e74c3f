//! Streams: their states, modes and tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The state of a stream, as the API names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Never was live.
    Created,
    /// An encoder is connected.
    Live,
    /// Was live; the encoder is gone.
    Ended,
    /// Refuses publishes until it is unlocked.
    Locked,
    /// Gone for its users. Its name is never given again.
    Deleted,
}

impl StreamState {
    pub const ALL: [Self; 5] = [Self::Live, Self::Created, Self::Ended, Self::Locked, Self::Deleted];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Locked => "locked",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for StreamState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StreamState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// Whether a publish is recorded; the first part of the path in the ingest URL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// `rtmp://HOST/live/…`: delivered live only.
    Live,
    /// `rtmp://HOST/rec/…`: delivered live and recorded.
    Rec,
}

impl Mode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Rec => "rec",
        }
    }
}

/// The most tags a stream may have.
pub const MAX_TAGS: usize = 50;
/// The most characters a tag may have.
pub const MAX_TAG_CHARS: usize = 200;

/// A stream's tags: trimmed, none empty, none twice, in the order given; at most [`MAX_TAGS`].
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(Vec<String>);

impl Tags {
    /// # Errors
    /// `WrongType` for `tags` where there are too many, or one is too long or has control characters.
    pub fn new(tags: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, Error> {
        let refuse = |expected: String| Err(Error::WrongType { parameter: "tags".into(), expected });
        let mut kept: Vec<String> = Vec::new();
        for tag in tags {
            let tag = tag.as_ref().trim();
            if tag.chars().count() > MAX_TAG_CHARS {
                return refuse(format!("tags of at most {MAX_TAG_CHARS} characters"));
            }
            if tag.chars().any(char::is_control) {
                return refuse("tags without control characters".into());
            }
            if !tag.is_empty() && !kept.iter().any(|other| other == tag) {
                kept.push(tag.to_owned());
            }
            if kept.len() > MAX_TAGS {
                return refuse(format!("at most {MAX_TAGS} tags"));
            }
        }
        Ok(Self(kept))
    }

    /// Reads the comma-separated text of a form field.
    ///
    /// # Errors
    /// As [`Tags::new`].
    pub fn from_comma_separated(text: &str) -> Result<Self, Error> {
        Self::new(text.split(','))
    }

    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// What comes next where these are to become `wanted` and so many, one at least, may be taken and given at a time: `wanted` itself where that
    /// is enough. All that are not wanted are taken first, so that it is some of these, or some of `wanted`: meanwhile tags let nobody in whom they
    /// would let in neither before nor after.
    #[must_use]
    pub fn towards(&self, wanted: &Self, at_a_time: usize) -> Self {
        let at_a_time = at_a_time.max(1);
        let (kept, unwanted): (Vec<&String>, Vec<&String>) = self.0.iter().partition(|tag| wanted.0.contains(tag));
        let missing: Vec<&String> = wanted.0.iter().filter(|tag| !self.0.contains(tag)).collect();
        if unwanted.len() + missing.len() <= at_a_time {
            return wanted.clone();
        }
        let taken = unwanted.len().min(at_a_time);
        let given = at_a_time - taken;
        Self(kept.into_iter().chain(unwanted.into_iter().skip(taken)).chain(missing.into_iter().take(given)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_trimmed_and_kept_once() {
        let tags = Tags::from_comma_separated(" a, b ,a,, title:Sunday service ").unwrap();
        assert_eq!(tags.as_slice(), ["a", "b", "title:Sunday service"]);
    }

    #[test]
    fn too_many_too_long_and_control_characters_are_refused() {
        assert!(Tags::new((0..=MAX_TAGS).map(|n| n.to_string())).is_err());
        assert!(Tags::new((0..MAX_TAGS).map(|n| n.to_string())).is_ok());
        assert!(Tags::new(["ä".repeat(MAX_TAG_CHARS)]).is_ok());
        assert!(Tags::new(["ä".repeat(MAX_TAG_CHARS + 1)]).is_err());
        assert!(Tags::new(["a\u{0}b"]).is_err());
    }

    #[test]
    fn tags_become_others_some_at_a_time_and_are_some_of_the_old_or_some_of_the_new_meanwhile() {
        let tags = |numbers: std::ops::Range<usize>| Tags::new(numbers.map(|number| number.to_string())).unwrap();
        let without = |some: &Tags, others: &Tags| some.0.iter().filter(|tag| !others.0.contains(tag)).count();
        for (before, after) in [(0..50, 50..100), (0..50, 25..75), (0..0, 0..50), (0..50, 0..0), (0..50, 7..8), (0..3, 0..3)] {
            let (before, after) = (tags(before), tags(after));
            for at_a_time in [1, 2, 7, 49, 50, 99, 100, usize::MAX] {
                let (mut now, mut steps) = (before.clone(), 0);
                while now != after {
                    let next = now.towards(&after, at_a_time);
                    let changed = without(&now, &next) + without(&next, &now);
                    assert!((1..=at_a_time).contains(&changed), "{changed} at once, and not {at_a_time}");
                    assert!(without(&next, &before) == 0 || without(&next, &after) == 0, "{before:?} → {next:?} → {after:?}");
                    (now, steps) = (next, steps + 1);
                }
                let all = without(&before, &after) + without(&after, &before);
                assert_eq!(steps, all.div_ceil(at_a_time), "{before:?} → {after:?}, {at_a_time} at a time");
            }
        }
        let (one_way, other_way) = (Tags::new(["a", "b"]).unwrap(), Tags::new(["b", "a"]).unwrap());
        assert_eq!(one_way.towards(&other_way, 1), other_way, "another order is no tag taken or given");
        assert_eq!(tags(0..2).towards(&tags(2..4), 0), tags(1..2), "it never stands still");
    }

    #[test]
    fn states_are_read_back() {
        for state in StreamState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("Live".parse::<StreamState>().is_err());
    }
}
