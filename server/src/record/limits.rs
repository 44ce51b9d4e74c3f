//! Where a recording ends although its publish goes on, by the server's settings and the organisation's own.

use std::time::Duration;

use afterlive_domain::organisation::RecordingSettings;

use crate::config;

/// Where a recording ends although the publish goes on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Limits {
    /// In media time.
    pub max_duration: Option<Duration>,
    /// Of the growing file.
    pub max_bytes: Option<u64>,
    /// With less room than this on the storage nothing new is recorded: what is being recorded needs it.
    pub begin_free_bytes: u64,
    /// With less room than this what is being recorded is brought to its end, while there is still room to finish it.
    pub go_on_free_bytes: u64,
    /// An encoder that comes back by then goes on in the same recording. Zero: none does.
    pub reconnect_window: Duration,
}

impl Limits {
    /// These, where the organisation has set nothing else.
    #[must_use]
    pub fn of_organisation(self, settings: &RecordingSettings) -> Self {
        let limit = |own: u64| (own > 0).then_some(own);
        Self {
            max_duration: settings.max_duration_s.map_or(self.max_duration, |own| limit(own).map(Duration::from_secs)),
            max_bytes: settings.max_bytes.map_or(self.max_bytes, limit),
            reconnect_window: settings.reconnect_window_s.map_or(self.reconnect_window, Duration::from_secs),
            ..self
        }
    }
}

impl From<&config::Record> for Limits {
    fn from(config: &config::Record) -> Self {
        Self {
            max_duration: config.max_duration,
            max_bytes: config.max_bytes,
            begin_free_bytes: config.min_free_bytes,
            go_on_free_bytes: config.min_free_bytes / 4,
            reconnect_window: config.reconnect_window,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisations_limits_win_over_the_servers_also_where_they_are_none() {
        let server = Limits {
            max_duration: Some(Duration::from_secs(3_600)),
            max_bytes: Some(1 << 40),
            begin_free_bytes: 7,
            go_on_free_bytes: 5,
            reconnect_window: Duration::from_secs(30),
        };
        assert_eq!(server.of_organisation(&RecordingSettings::default()), server);
        let none = RecordingSettings {
            max_duration_s: Some(0),
            max_bytes: Some(0),
            reconnect_window_s: Some(0),
            retention_days: Some(0),
        };
        let limits = server.of_organisation(&none);
        assert_eq!((limits.max_duration, limits.max_bytes, limits.reconnect_window), (None, None, Duration::ZERO));
        assert_eq!((limits.begin_free_bytes, limits.go_on_free_bytes), (7, 5), "the disk is the server's");
        let own = RecordingSettings { max_duration_s: Some(60), max_bytes: Some(1 << 30), ..RecordingSettings::default() };
        let limits = server.of_organisation(&own);
        assert_eq!((limits.max_duration, limits.max_bytes), (Some(Duration::from_secs(60)), Some(1 << 30)));
        assert_eq!(limits.reconnect_window, server.reconnect_window);
    }
}
