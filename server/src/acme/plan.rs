//! When a certificate is ordered: what lies there is looked at, and failures have their waits. Decides, and does nothing.

use std::fmt;
use std::time::Duration;

use afterlive_domain::UnixMillis;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use x509_cert::der::Decode as _;

use crate::tls;

/// Of a certificate's life so much is left when it is renewed.
const RENEWED_WITH: f64 = 1.0 / 3.0;
/// And up to so much more, by chance: not all servers that were set up on one day come on one day.
const SPREAD: f64 = 1.0 / 30.0;
/// Each wait is so many times the one before. With the first of a minute there are four tries in the first hour, and authorities bear five.
const FACTOR: u32 = 4;
/// Up to so much longer, by chance.
const WAIT_SPREAD: f64 = 0.25;
/// So many names that were not believed are told to an authority in an hour, also by a server that is started anew all the time.
const MAX_REFUSED_AN_HOUR: usize = 4;
const HOUR_MS: i64 = 3_600_000;

/// What is known of a certificate whose key fits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub certificate: CertificateDer<'static>,
    /// The directory of the authority that gave it, where it was one.
    pub directory: Option<String>,
}

/// Why one is ordered now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    None,
    VouchesForItself,
    Unreadable,
    OtherAuthority(String),
    NotFor(String),
    Expired(UnixMillis),
    NearlyOver(UnixMillis),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there is none yet"),
            Self::VouchesForItself => f.write_str("there is only one that vouches for itself"),
            Self::Unreadable => f.write_str("the one that is there cannot be understood"),
            Self::OtherAuthority(directory) => write!(f, "the one that is there is by another authority, {directory}"),
            Self::NotFor(name) => write!(f, "the one that is there is not for {name}"),
            Self::Expired(until) => write!(f, "the one that is there expired at {} UTC", until.to_table_text()),
            Self::NearlyOver(until) => write!(f, "the one that is there expires at {} UTC", until.to_table_text()),
        }
    }
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    OrderNow(Why),
    /// What is there is good until then, and a while longer.
    RenewAt(UnixMillis),
}

/// `chance` is one of `0.0..1.0`, the same for as long as the server runs.
pub fn next(held: Option<&Held>, names: &[String], directory: &str, now: UnixMillis, chance: f64) -> Next {
    let Some(held) = held else { return Next::OrderNow(Why::None) };
    let Some(facts) = Facts::of(&held.certificate) else { return Next::OrderNow(Why::Unreadable) };
    if facts.vouches_for_itself {
        return Next::OrderNow(Why::VouchesForItself);
    }
    if held.directory.as_deref() != Some(directory) {
        return Next::OrderNow(Why::OtherAuthority(
            held.directory.clone().unwrap_or_else(|| "of which nothing is known".to_owned()),
        ));
    }
    if let Some(name) = missing_name(&held.certificate, names) {
        return Next::OrderNow(Why::NotFor(name));
    }
    let renewed_at = renewed_at(facts.from, facts.until, chance);
    match () {
        () if facts.until <= now => Next::OrderNow(Why::Expired(facts.until)),
        () if renewed_at <= now => Next::OrderNow(Why::NearlyOver(facts.until)),
        () => Next::RenewAt(renewed_at),
    }
}

struct Facts {
    from: UnixMillis,
    until: UnixMillis,
    vouches_for_itself: bool,
}

impl Facts {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(certificate).ok()?;
        let (from, until) = tls::validity(certificate)?;
        let vouches_for_itself = parsed.tbs_certificate().issuer() == parsed.tbs_certificate().subject();
        Some(Self { from, until, vouches_for_itself })
    }
}

/// The first of the names that it is not for.
fn missing_name(certificate: &CertificateDer<'_>, names: &[String]) -> Option<String> {
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return names.first().cloned() };
    let is_missing =
        |name: &&String| ServerName::try_from(name.as_str()).map_or(true, |name| verify_server_name(&parsed, &name).is_err());
    names.iter().find(is_missing).cloned()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds of years are far from either end")]
fn renewed_at(from: UnixMillis, until: UnixMillis, chance: f64) -> UnixMillis {
    let left = until.ms_since(from) as f64 * (RENEWED_WITH + SPREAD * chance);
    until.plus_ms(-(left as i64))
}

/// How long to wait after so many failures on end, from 1: `first`, and ever longer up to `longest`.
pub fn wait(failures: u32, first: Duration, longest: Duration, chance: f64) -> Duration {
    let factor = FACTOR.saturating_pow(failures.saturating_sub(1));
    first.saturating_mul(factor).min(longest).mul_f64(1.0 + WAIT_SPREAD * chance)
}

/// When the authority may be asked to look at names again, by when it has not believed them. `None`: now.
pub fn not_before(refused: &[UnixMillis], now: UnixMillis) -> Option<UnixMillis> {
    let recent = recent(refused, now);
    let spare = recent.len().checked_sub(MAX_REFUSED_AN_HOUR)?;
    recent.get(spare).map(|oldest| oldest.plus_ms(HOUR_MS))
}

/// Those of the last hour, the oldest first. Some that lie ahead are of a clock that was set back.
pub fn recent(refused: &[UnixMillis], now: UnixMillis) -> Vec<UnixMillis> {
    let mut recent: Vec<_> = refused.iter().copied().filter(|at| (0..HOUR_MS).contains(&now.ms_since(*at))).collect();
    recent.sort_unstable();
    recent
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    const DIRECTORY: &str = "https://ca.example/directory";
    const DAY_MS: i64 = 86_400_000;

    fn at(text: &str) -> UnixMillis {
        UnixMillis::parse(text).unwrap()
    }

    fn params(names: &[&str]) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 4, 1));
        params
    }

    /// Ninety days from the first of January 2026.
    fn held(names: &[&str]) -> Held {
        let mut authority = params(&[]);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "An Authority");
        let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
        let certificate = params(names).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        Held { certificate: certificate.der().clone(), directory: Some(DIRECTORY.to_owned()) }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_certificate_is_renewed_with_a_third_of_its_life_left_or_a_little_sooner() {
        let (held, names) = (held(&["a.example.com"]), names(&["a.example.com"]));
        let decided = |now: &str, chance| next(Some(&held), &names, DIRECTORY, at(now), chance);
        assert_eq!(decided("2026-01-01", 0.0), Next::RenewAt(at("2026-03-02")));
        assert_eq!(decided("2026-03-01", 0.0), Next::RenewAt(at("2026-03-02")));
        assert_eq!(decided("2026-03-02", 0.0), Next::OrderNow(Why::NearlyOver(at("2026-04-01"))));
        assert_eq!(decided("2026-01-01", 1.0), Next::RenewAt(at("2026-02-27")));
        assert_eq!(decided("2026-04-01", 0.0), Next::OrderNow(Why::Expired(at("2026-04-01"))));
        // On a machine whose clock has not been set yet.
        assert_eq!(decided("1970-01-01", 0.0), Next::RenewAt(at("2026-03-02")));
    }

    #[test]
    fn one_that_is_not_what_the_settings_say_is_replaced_at_once() {
        let now = at("2026-01-10");
        let decided = |held: Option<&Held>, wanted: &[&str], directory| next(held, &names(wanted), directory, now, 0.5);
        let both = held(&["a.example.com", "b.example.com"]);
        let is_good = |next| matches!(next, Next::RenewAt(_));
        assert!(is_good(decided(Some(&both), &["b.example.com", "a.example.com"], DIRECTORY)));
        // One name less is no reason.
        assert!(is_good(decided(Some(&both), &["a.example.com"], DIRECTORY)));
        let why = |held: Option<&Held>, wanted, directory| match decided(held, wanted, directory) {
            Next::OrderNow(why) => why,
            Next::RenewAt(at) => panic!("good until {at:?}"),
        };
        let all = &["a.example.com", "c.example.com"];
        assert_eq!(why(Some(&both), all, DIRECTORY), Why::NotFor("c.example.com".to_owned()));
        let other = "https://staging.example/directory";
        assert_eq!(why(Some(&both), &["a.example.com"], other), Why::OtherAuthority(DIRECTORY.to_owned()));
        assert_eq!(why(None, all, DIRECTORY), Why::None);
        let own = params(&["a.example.com"]).self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
        let own = Held { certificate: own, directory: Some(DIRECTORY.to_owned()) };
        assert_eq!(why(Some(&own), &["a.example.com"], DIRECTORY), Why::VouchesForItself);
        let broken = Held { certificate: vec![1, 2, 3].into(), directory: Some(DIRECTORY.to_owned()) };
        assert_eq!(why(Some(&broken), &["a.example.com"], DIRECTORY), Why::Unreadable);
    }

    #[test]
    fn waits_grow_from_a_minute_to_six_hours_and_leave_four_tries_in_an_hour() {
        let (first, longest) = (Duration::from_mins(1), Duration::from_hours(6));
        let minutes = |failures| wait(failures, first, longest, 0.0).as_secs() / 60;
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 1000].map(minutes), [1, 4, 16, 64, 256, 360, 360, 360]);
        assert_eq!(wait(1, first, longest, 1.0), Duration::from_secs(75));
        let tries = (0..).scan(0, |at, failures| {
            *at += if failures == 0 { 0 } else { minutes(failures) };
            Some(*at)
        });
        assert_eq!(tries.take_while(|at| *at < 60).count(), MAX_REFUSED_AN_HOUR);
    }

    #[test]
    fn a_server_that_is_started_anew_all_the_time_asks_no_more_often() {
        let now = at("2026-01-10");
        let ago = |minutes: i64| now.plus_ms(-minutes * 60_000);
        assert_eq!(not_before(&[ago(30), ago(20), ago(10)], now), None);
        assert_eq!(not_before(&[ago(10), ago(30), ago(20), ago(1)], now), Some(ago(30).plus_ms(HOUR_MS)));
        assert_eq!(not_before(&[ago(40), ago(30), ago(20), ago(10), ago(1)], now), Some(ago(30).plus_ms(HOUR_MS)));
        assert_eq!(not_before(&[ago(60), ago(20), ago(10), ago(1)], now), None);
        // By a clock that was a day ahead.
        assert_eq!(not_before(&[now.plus_ms(DAY_MS); 9], now), None);
    }
}
