//! `afterlive organisation` and `afterlive system-administrator`: what a system administrator does in the dashboard, for the operator without a browser. A server
//! that runs hears of it by the database.

use std::io::{self, Write as _};

use afterlive_domain::{OrganisationHash, OrganisationId};
use clap::Subcommand;
use serde_json::json;

use super::{Failure, explain, service};
use crate::config::Config;
use crate::service::{Caller, Listed, ORGANISATIONS_A_PAGE, Service};

#[derive(Subcommand, Debug)]
pub(super) enum OrganisationCommand {
    /// List the organisations by name; prints one JSON object a line.
    List,
    /// Make an organisation; prints one JSON object with the link by which its first administrator comes in. The link works once, for seven days.
    Create {
        name: String,
        /// Of its first administrator.
        #[arg(long, value_name = "EMAIL")]
        administrator: String,
    },
    /// Let nobody of it in any more: people, programs, encoders, viewers. What is on air ends within seconds. Nothing is deleted.
    Suspend {
        /// Its id or its hash.
        #[arg(value_name = "ID")]
        organisation: String,
    },
    /// Let them in again.
    Resume {
        /// Its id or its hash.
        #[arg(value_name = "ID")]
        organisation: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum SystemAdministratorCommand {
    /// Make a user a system administrator.
    Grant { email: String },
    /// Make a user a system administrator no more; the last one stays.
    Revoke { email: String },
}

pub(super) async fn organisation(config: Config, command: OrganisationCommand) -> Result<(), Failure> {
    let service = service(config).await?;
    let lines = match command {
        OrganisationCommand::List => list(&service).await?,
        OrganisationCommand::Create { name, administrator } => {
            let made = service.create_organisation(None, &name, &administrator).await.map_err(explain)?;
            let organisation = made.organisation;
            let made = json!({ "id": organisation.id, "hash": organisation.hash, "name": organisation.name, "link": made.link });
            vec![made.to_string()]
        }
        OrganisationCommand::Suspend { organisation } => {
            let id = id_of(&service, &organisation).await?;
            service.suspend_organisation(&Caller::operator(id), id).await.map_err(explain)?;
            Vec::new()
        }
        OrganisationCommand::Resume { organisation } => {
            let id = id_of(&service, &organisation).await?;
            service.resume_organisation(&Caller::operator(id), id).await.map_err(explain)?;
            Vec::new()
        }
    };
    service.db().close().await;
    let mut out = io::stdout();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

pub(super) async fn administrator(config: Config, command: SystemAdministratorCommand) -> Result<(), Failure> {
    let service = service(config).await?;
    match command {
        SystemAdministratorCommand::Grant { email } => drop(service.give_system_role(None, &email).await.map_err(explain)?),
        SystemAdministratorCommand::Revoke { email } => service.operator_takes_system_role(&email).await.map_err(explain)?,
    }
    service.db().close().await;
    Ok(())
}

async fn list(service: &Service) -> Result<Vec<String>, Failure> {
    // The operator's organisation is looked at by nobody here.
    let operator = Caller::operator(OrganisationId(uuid::Uuid::nil()));
    let mut lines = Vec::new();
    for page in 1.. {
        let found = service.installation(&operator, page).await.map_err(explain)?.organisations;
        let is_last = found.len() < ORGANISATIONS_A_PAGE as usize;
        lines.extend(found.into_iter().map(line));
        if is_last {
            break;
        }
    }
    Ok(lines)
}

fn line(Listed { organisation, figures }: Listed) -> String {
    let line = json!({
        "id": organisation.id,
        "hash": organisation.hash,
        "name": organisation.name,
        "suspended_at": organisation.suspended_at.map(|at| at.to_string()),
        "users": figures.users,
        "streams": figures.streams,
        "recordings": figures.recordings,
        "size_bytes": figures.size_bytes,
    });
    line.to_string()
}

async fn id_of(service: &Service, text: &str) -> Result<OrganisationId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let none = || format!("there is no organisation with the id or the hash {text}");
    let hash: OrganisationHash = text.parse().map_err(|_| none())?;
    Ok(service.organisation_of_hash(&hash).await?.ok_or_else(none)?)
}
