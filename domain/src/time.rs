//! Wall-clock instants and how they are written.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

/// Where an instant's digits stand.
const TEMPLATE: &[u8; 24] = b"0000-00-00T00:00:00.000Z";

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
        let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok();
        instant.filter(|instant| (1..=9_999).contains(&instant.year())).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Digit by digit: a list has hundreds of instants, and a formatter that goes by a description takes ten times as long for each.
    fn write(self, text: &mut [u8; TEMPLATE.len()]) -> &str {
        *text = *TEMPLATE;
        let instant = self.date_time();
        let mut put = |places: Range<usize>, mut number: u32| {
            for place in places.rev() {
                text[place] = b"0123456789"[(number % 10) as usize];
                number /= 10;
            }
        };
        put(0..4, instant.year().unsigned_abs());
        put(5..7, u8::from(instant.month()).into());
        put(8..10, instant.day().into());
        put(11..13, instant.hour().into());
        put(14..16, instant.minute().into());
        put(17..19, instant.second().into());
        put(20..23, instant.millisecond().into());
        // All of it is ASCII.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write(&mut [0; TEMPLATE.len()]))
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut [0; TEMPLATE.len()]))
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
        assert_eq!(serde_json::to_string(&instant).unwrap(), "\"2026-11-04T17:09:19.899Z\"");
    }

    #[test]
    fn is_written_as_a_formatter_would() {
        let description = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let first = UnixMillis::parse("0001-01-01").unwrap().0;
        let last = UnixMillis::parse("9999-12-31T23:59:59.999Z").unwrap().0;
        // A step of no whole number of days, hours or seconds.
        for ms in (first..=last).step_by(86_400_000 * 97 + 12_345_678).chain([-1, 951_782_399_999, 951_782_400_000, last]) {
            let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap();
            assert_eq!(UnixMillis(ms).to_string(), instant.format(description).unwrap());
        }
    }

    #[test]
    fn what_no_clock_makes_is_the_epoch() {
        let (before, after) = (UnixMillis::parse("0001-01-01").unwrap(), UnixMillis::parse("9999-12-31T23:59:59.999Z").unwrap());
        for instant in [before.plus_ms(-1), after.plus_ms(1), UnixMillis(i64::MIN), UnixMillis(i64::MAX)] {
            assert_eq!(instant.to_string(), UnixMillis(0).to_string());
        }
    }

    #[test]
    fn a_bare_date_is_its_midnight_and_nonsense_is_nothing() {
        assert_eq!(UnixMillis::parse("1970-01-02"), Some(UnixMillis(86_400_000)));
        for text in ["", "yesterday", "2026-13-01", "2026-11-04 17:09", "2026-11-04T17:09:19", "9999-12-31T23:59:59-23:59"] {
            assert_eq!(UnixMillis::parse(text), None, "{text}");
        }
    }
}
