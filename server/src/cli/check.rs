//! `afterlive check`: tries everything that a start needs, and says of each what is wrong and how to mend it. Where nothing is there yet it makes nothing.

use std::io::{self, Write};

use url::Url;

use super::missing::{NoDatabase, could_be_made, from_root};
use crate::acme;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, Location, jobs};
use crate::mail::Smtp;
use crate::oidc::Provider;
use crate::run;
use crate::storage::{self, RegionSettings, Regions};
use crate::tls;

/// The most jobs that are named.
const MAX_JOBS: u32 = 20;

/// Says whether all is well. The settings have been read by now, which is the first thing to check.
pub(super) async fn check(config: &Config, out: &mut impl Write) -> io::Result<bool> {
    writeln!(out, "ok      configuration")?;
    if let Some(warning) = config.http.unreachable_url() {
        writeln!(out, "note    {warning}")?;
    }
    let mut well = true;
    let missing = NoDatabase::of(config);
    let database = async {
        if missing.is_some() {
            could_be_made(&config.data_dir).map_err(|problem| format!("{problem}. Change data_dir, or its owner."))?;
            return Ok(Vec::new());
        }
        run::make_data_dir(config).map_err(|error| error.to_string())?;
        let db = Db::open(&config.database).await.map_err(|error| run::Error::from(error).to_string())?;
        let mut tx = db.write().await.map_err(|error| error.to_string())?;
        crate::db::organisations::any(&mut tx).await.map_err(|error| error.to_string())?;
        let given_up = jobs::dead(&mut tx, MAX_JOBS).await.map_err(|error| error.to_string())?;
        drop(tx);
        db.close().await;
        Ok(given_up)
    };
    let (database, given_up) = match database.await {
        Ok(given_up) => (Ok(()), given_up),
        Err(problem) => (Err(problem), Vec::new()),
    };
    well &= match (database, &missing) {
        (Ok(()), Some(NoDatabase { path, .. })) => not_there_yet(out, &format!("database {}", path.display()))?,
        (database, _) => report(out, &database_name(&config.database), database)?,
    };
    if let Some(acme) = config.tls.as_ref().and_then(|tls| tls.acme.as_ref()) {
        let result = acme::try_authority(&acme.into()).await;
        if let Ok(Some(terms)) = &result {
            writeln!(out, "note    tls.acme.agree_to_terms means these: {terms}")?;
        }
        let what = format!("certificate's authority {}", acme.directory);
        well &= report(out, &what, result.map(|_| ()).map_err(|error| format!("{error}. Change the section tls.acme.")))?;
    }
    if let Some(tls) = config.tls.as_ref().filter(|tls| tls.acme.is_some() && !acme::is_given(&config.data_dir)) {
        not_there_yet(out, &format!("certificate {}", from_root(&tls.certificate).display()))?;
    } else if let Some(files) = &config.tls {
        let (files, hosts) = (tls::Files::from(files), config.tls_hosts());
        let read = files.read(&hosts);
        if let Ok(pair) = &read {
            for warning in pair.warnings(Clock::system().now()) {
                writeln!(out, "note    {warning}")?;
            }
        }
        let what = read
            .as_ref()
            .map_or_else(|_| "certificate".to_owned(), |pair| format!("certificate, valid until {}", pair.valid_until()));
        well &= report(out, &what, read.map(|_| ()).map_err(|error| error.to_string()))?;
    }
    if let Some(mail) = &config.mail {
        let result = Smtp::new(mail, &config.http.public_url).check().await;
        let what = format!("mail server {}:{}", mail.host, mail.port);
        well &=
            report(out, &what, result.map_err(|error| format!("{error}. Change the section mail, or start the mail server.")))?;
        if !config.http.has_public_url() {
            writeln!(out, "note    links in mails lead to {}: set http.public_url", config.http.public_url)?;
        }
    }
    if let Some(oidc) = &config.oidc {
        let provider = Provider::new(oidc, &config.http.public_url, Clock::system());
        let what = format!("OIDC provider {}", provider.issuer());
        let result = provider.check().await;
        well &= report(out, &what, result.map_err(|error| format!("{error}. Change the section oidc, or start the provider.")))?;
        writeln!(out, "note    the provider must know {} as where people come back to", provider.redirect_uri())?;
    }
    for job in given_up {
        writeln!(out, "note    a job was given up, {}: {}", job.payload, job.error)?;
    }
    for (name, region) in &config.regions {
        let is_made_later = missing.is_some() && storage::is_new(&region.storage);
        let result = async {
            if is_made_later {
                return could_be_made(&region.storage);
            }
            let settings = RegionSettings {
                name: name.clone(),
                storage: region.storage.clone(),
                vod_url: Url::parse(&region.vod_url).map_err(|error| error.to_string())?,
            };
            let regions = Regions::open([settings]).map_err(|error| error.to_string())?;
            for store in regions.iter() {
                store.check().await.map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        let result = result.await.map_err(|error: String| {
            let storage = region.storage.display();
            format!("{error}. Give this user the right to write to {storage}, or change regions.{name}.storage.")
        });
        well &= match result {
            Ok(()) if is_made_later => not_there_yet(out, &format!("region {name} {}", from_root(&region.storage).display()))?,
            result => report(out, &format!("region {name}"), result)?,
        };
    }
    Ok(well)
}

/// With its path: who has run this in the wrong folder sees it there. An address in the network stands in the settings alone, beside its password.
fn database_name(database: &Location) -> String {
    match database {
        Location::Sqlite(path) => format!("database {}", from_root(path).display()),
        Location::Postgres(_) => "database".to_owned(),
    }
}

/// No failure: before the first start nothing is there.
fn not_there_yet(out: &mut impl Write, what: &str) -> io::Result<bool> {
    writeln!(out, "note    {what}: not there yet, `afterlive serve` makes it").map(|()| true)
}

fn report(out: &mut impl Write, what: &str, result: Result<(), String>) -> io::Result<bool> {
    match result {
        Ok(()) => writeln!(out, "ok      {what}").map(|()| true),
        Err(problem) => writeln!(out, "FAILED  {what}: {problem}").map(|()| false),
    }
}
