//! `afterlive mail-test`: one letter, and what the mail server said to it.

use std::io::{self, Write as _};

use super::Failure;
use crate::config::Config;
use crate::mail::{self, Smtp};

/// Needs neither the server nor the database. Tries once.
pub(super) async fn send(config: &Config, to: &str) -> Result<(), Failure> {
    let Some(settings) = &config.mail else {
        return Err("no mail server is set: see mail.host in docs/configuration.md".into());
    };
    let site = &config.http.public_url;
    if !config.http.has_public_url() {
        writeln!(io::stderr(), "note: links in mails lead to {site}, where nobody else may come: set http.public_url")?;
    }
    let answer = Smtp::new(settings, site).send(&mail::test(to, site)).await?;
    Ok(writeln!(io::stdout(), "{}:{} took the mail: {answer}", settings.host, settings.port)?)
}
