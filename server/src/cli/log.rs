//! Where the log goes: to standard error, as text for people or as JSON for machines.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::rtc::LOG_OF_STRANGERS;

/// Of what comes in a handshake it warns each time, and of a certificate that is not believed it says so at each call, with an error: the former is for strangers
/// to choose, and we say the latter once in a while. With what begins so, as `rustls_platform_verifier`.
const LOG_OF_TLS: &str = "rustls=off";
/// Of a cookie whose session has ended, as after each sign-out in another window, or is made up, it warns each time: that is for strangers to choose.
const LOG_OF_SESSIONS: &str = "tower_sessions=error,tower_sessions_core=error";

/// Starts logging; a second start in one process is ignored.
pub(super) fn start(log: &Log, filter: &str) {
    let builder = tracing_subscriber::fmt().with_env_filter(quiet(filter)).with_writer(io::stderr);
    // The only failure is that it has been started before.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// The operator's filter, which comes last, may name the same otherwise.
fn quiet(filter: &str) -> EnvFilter {
    EnvFilter::new(format!("{LOG_OF_STRANGERS},{LOG_OF_TLS},{LOG_OF_SESSIONS},{filter}"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(filter: &str) -> Vec<String> {
        let paper = Paper::default();
        let writer = paper.clone();
        let log = tracing_subscriber::fmt()
            .with_env_filter(quiet(filter))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            tracing::warn!(target: "dimpl::dtls12::engine", "junk");
            tracing::warn!(target: "is::stun", "a request");
            tracing::error!(target: "rustls_platform_verifier::verification::others", "a certificate");
            tracing::warn!(target: "rustls::common_state", "an alert");
            tracing::warn!(target: "tower_sessions_core::session", "a cookie");
            tracing::info!(target: "afterlive_server", "ours");
            tracing::debug!(target: "afterlive_server", "detail");
        });
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.rsplit(": ").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn strangers_cannot_fill_the_log_unless_the_operator_asks_for_it() {
        assert_eq!(written("info"), ["ours"]);
        assert_eq!(written("info,dimpl=warn"), ["junk", "ours"]);
        assert_eq!(written("debug"), ["ours", "detail"]);
    }
}
