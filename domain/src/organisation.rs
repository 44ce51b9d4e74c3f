//! Organisations: the settings their admins make.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The shortest limit of a recording's length: less would be a file for nearly each keyframe.
pub const MIN_DURATION_S: u64 = 10;
/// The smallest limit of a recording's size.
pub const MIN_BYTES: u64 = 1 << 20;
/// The longest time in which an encoder may come back into its recording.
pub const MAX_RECONNECT_WINDOW_S: u64 = 3_600;
/// The longest time that recordings can be kept, other than for ever: a hundred years.
pub const MAX_RETENTION_DAYS: u64 = 36_500;
/// No limit is larger: databases count to 2⁶³.
pub const MAX_LIMIT: u64 = i64::MAX as u64;

/// What an organisation's admins switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Off: `/rec` behaves as `/live`.
    pub recording_enabled: bool,
    /// On: recordings are listed in answers without a key, and their files play for who has the URL. Off: neither without a playback token, a key or a
    /// sign-in of the organisation.
    pub vod_public: bool,
    /// On: what is live plays for who knows the stream's name, on every protocol. Off: with a playback token, a key or a sign-in of the organisation only.
    pub live_public: bool,
}

impl Default for Settings {
    /// Recording is what people come for, so it is on; a URL that is copied into a player plays there.
    fn default() -> Self {
        Self { recording_enabled: true, vod_public: true, live_public: true }
    }
}

/// What an organisation's admins set for its recordings. `None` is the server's default; zero is none: no limit, no window, kept for ever.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordingSettings {
    pub max_duration_s: Option<u64>,
    pub max_bytes: Option<u64>,
    pub reconnect_window_s: Option<u64>,
    pub retention_days: Option<u64>,
}

/// What holds for recordings, of a server or, with its own settings over the server's, of an organisation. Zero is none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordingRules {
    /// In media time; the stream's next recording goes on.
    pub max_duration_s: u64,
    /// Of the file; the stream's next recording goes on.
    pub max_bytes: u64,
    /// An encoder that comes back by then goes on in the same recording.
    pub reconnect_window_s: u64,
    /// So long after its end, or after it was restored, a recording goes to the bin.
    pub retention_days: u64,
}

impl RecordingSettings {
    /// # Errors
    /// `WrongType` for the first field that cannot be. Zero always can.
    pub fn check(&self) -> Result<(), Error> {
        let (shortest, smallest, longest, oldest) = (MIN_DURATION_S, MIN_BYTES, MAX_RECONNECT_WINDOW_S, MAX_RETENTION_DAYS);
        for (field, value, range, expected) in [
            (
                "max_duration_s",
                self.max_duration_s,
                shortest..=MAX_LIMIT,
                format!("0 or at least {shortest} seconds as the longest recording"),
            ),
            (
                "max_bytes",
                self.max_bytes,
                smallest..=MAX_LIMIT,
                format!("0 or at least {smallest} bytes as the largest recording"),
            ),
            (
                "reconnect_window_s",
                self.reconnect_window_s,
                1..=longest,
                format!("at most {longest} seconds as the reconnect window"),
            ),
            ("retention_days", self.retention_days, 1..=oldest, format!("at most {oldest} days to keep recordings")),
        ] {
            if value.is_some_and(|value| value != 0 && !range.contains(&value)) {
                return Err(Error::WrongType { parameter: field.to_owned(), expected });
            }
        }
        Ok(())
    }

    /// These over a server's.
    #[must_use]
    pub fn over(&self, server: RecordingRules) -> RecordingRules {
        RecordingRules {
            max_duration_s: self.max_duration_s.unwrap_or(server.max_duration_s),
            max_bytes: self.max_bytes.unwrap_or(server.max_bytes),
            reconnect_window_s: self.reconnect_window_s.unwrap_or(server.reconnect_window_s),
            retention_days: self.retention_days.unwrap_or(server.retention_days),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_absent_are_always_fine_and_every_other_value_has_a_range() {
        let check = |field: usize, value| {
            let mut values = [None; 4];
            values[field] = Some(value);
            let [max_duration_s, max_bytes, reconnect_window_s, retention_days] = values;
            RecordingSettings { max_duration_s, max_bytes, reconnect_window_s, retention_days }.check()
        };
        assert_eq!(RecordingSettings::default().check(), Ok(()));
        for (field, good, bad) in [
            (0, [0, 10, i64::MAX as u64], [1, 9, u64::MAX]),
            (1, [0, 1 << 20, i64::MAX as u64], [1, (1 << 20) - 1, u64::MAX]),
            (2, [0, 1, 3_600], [3_601, 100_000, u64::MAX]),
            (3, [0, 1, 36_500], [36_501, 100_000, u64::MAX]),
        ] {
            for value in good {
                assert_eq!(check(field, value), Ok(()), "{field} {value}");
            }
            for value in bad {
                let names = ["max_duration_s", "max_bytes", "reconnect_window_s", "retention_days"];
                let Err(Error::WrongType { parameter, .. }) = check(field, value) else { panic!("{field} {value}") };
                assert_eq!(parameter, names[field]);
            }
        }
    }

    #[test]
    fn what_an_organisation_says_wins_also_where_it_says_none() {
        let server = RecordingRules { max_duration_s: 3_600, max_bytes: 0, reconnect_window_s: 30, retention_days: 90 };
        assert_eq!(RecordingSettings::default().over(server), server);
        let own = RecordingSettings {
            max_duration_s: Some(0),
            max_bytes: Some(1 << 30),
            reconnect_window_s: None,
            retention_days: Some(0),
        };
        let rules = RecordingRules { max_duration_s: 0, max_bytes: 1 << 30, reconnect_window_s: 30, retention_days: 0 };
        assert_eq!(own.over(server), rules);
    }
}
