//! Wall-clock instants and how they are written.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

/// A wall-clock instant: milliseconds since 1970-01-01T00:00:00Z. Media time has other types and is never mixed with it.
///
/// Is written, in JSON too, as `2026-11-04T17:09:19.899Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

impl From<i64> for UnixMillis {
    fn from(ms: i64) -> Self {
        Self(ms)
    }
}

impl UnixMillis {
    /// The instant `ms` milliseconds later; earlier where negative.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this; negative where it is later.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `2026-11-04 17:09:19`, as tables show it, in UTC.
    #[must_use]
    pub fn to_table_text(self) -> String {
        self.date_time().format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).unwrap_or_default()
    }

    /// Reads RFC 3339 text, or a bare date `2026-11-04` as its midnight in UTC. An offset can lead out of the years 1 to 9999, which then is no instant.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let instant = OffsetDateTime::parse(&full, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
        let ms = i64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok()?;
        (1..=9_999).contains(&instant.year()).then_some(Self(ms))
    }

    /// Instants outside the years 1–9999 are clamped to the epoch: no clock of ours makes one.
    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self
            .date_time()
            .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"))
            .map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 instant"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_three_digits_of_milliseconds() {
        let instant = UnixMillis(1_793_812_159_899);
        assert_eq!(instant.to_string(), "2026-11-04T17:09:19.899Z");
        assert_eq!(UnixMillis::parse("2026-11-04T17:09:19.899Z"), Some(instant));
        assert_eq!(instant.to_table_text(), "2026-11-04 17:09:19");
        assert_eq!(UnixMillis(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_bare_date_is_its_midnight_and_nonsense_is_nothing() {
        assert_eq!(UnixMillis::parse("1970-01-02"), Some(UnixMillis(86_400_000)));
        for text in ["", "yesterday", "2026-13-01", "2026-11-04 17:09", "2026-11-04T17:09:19", "9999-12-31T23:59:59-23:59"] {
            assert_eq!(UnixMillis::parse(text), None, "{text}");
        }
    }
}
