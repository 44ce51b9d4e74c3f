//! The command line: arguments to exit code. Standard output has what was asked for and nothing else; all talk goes to standard error.

mod check;
mod log;
mod mail_test;
mod missing;
mod system;

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{OrganisationHash, Role};
use clap::{Parser, Subcommand};
use serde_json::json;

use self::missing::NoDatabase;
use self::system::{OrganisationCommand, SystemAdministratorCommand};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::finalise::{RecoveredFile, recover_file};
use crate::hub::Hub;
use crate::lifecycle::Lifecycle;
use crate::pictures;
use crate::record::Growing;
use crate::run::{self, Started};
use crate::service::playback::Expiry;
use crate::service::{Caller, Opens, Service, SetUp, SetUpForm};
use crate::sound;
use crate::storage::Regions;

/// How long work that nobody waits for any more may hold up the end of the process.
const LEFT_BEHIND_TIME: Duration = Duration::from_secs(1);
/// No password is longer; what else is on standard input stays there.
const MAX_PASSWORD_INPUT_BYTES: u64 = 4 * 1024;
const SECONDS_A_DAY: u64 = 86_400;

/// Live recording and video on demand, on your own machine.
#[derive(Parser, Debug)]
#[command(name = "afterlive", version, arg_required_else_help = true)]
struct Arguments {
    /// Settings in TOML; `afterlive.toml` where there is one, else the defaults. `AFTERLIVE__…` variables win over it.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server.
    Serve,
    /// Try the settings, the database and each region's storage, and say what to mend.
    Check,
    /// Make the first organisation and its admin; prints one JSON object.
    Setup {
        #[arg(long)]
        email: String,
        /// Read the password from standard input.
        #[arg(long, required = true)]
        password_stdin: bool,
        #[arg(long, value_name = "NAME", default_value = "My organisation")]
        organisation: String,
    },
    /// Users.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Organisations: for who administers the installation.
    Organisation {
        #[command(subcommand)]
        command: OrganisationCommand,
    },
    /// Who administers the installation.
    SystemAdministrator {
        #[command(subcommand)]
        command: SystemAdministratorCommand,
    },
    /// API keys.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Send a test by the mail server of the settings, and print what it answered.
    MailTest {
        /// To whom.
        address: String,
    },
    /// Make a playable MP4 of a recording that was left behind or cut short; the file itself is left as it is.
    Recover {
        file: PathBuf,
        /// Where the MP4 is to be: beside the file, unless named.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make pictures for the server that asks on standard input.
    #[command(hide = true)]
    Pictures {
        #[arg(long)]
        protocol: u32,
    },
    /// Make Opus of AAC, or AAC of Opus, for the server that asks on standard input.
    #[command(hide = true)]
    Sound {
        #[arg(long)]
        protocol: u32,
        #[arg(long)]
        target: sound::Target,
    },
    /// Print the version.
    Version,
}

#[derive(Subcommand, Debug)]
enum UserCommand {
    /// Add a user to an organisation; prints one JSON object.
    Add {
        /// The organisation's hash.
        #[arg(long, value_name = "HASH")]
        org: OrganisationHash,
        #[arg(long)]
        email: String,
        /// Read the password from standard input.
        #[arg(long, required = true)]
        password_stdin: bool,
        /// nanoAdmin, nanoUser or nanoReadOnly.
        #[arg(long, default_value = "nanoUser")]
        role: Role,
    },
    /// Print a link by which a user sets a new password, for who is locked out; it works once, for 24 hours, and is never shown again.
    PasswordLink {
        #[arg(long)]
        email: String,
    },
    /// Take a user's second factor away, for who has lost app and recovery codes; the password stays, and all their sessions end.
    ResetSecondFactor {
        #[arg(long)]
        email: String,
    },
}

#[derive(Subcommand, Debug)]
enum KeyCommand {
    /// Make an API key or a player key; prints the key alone. It is never shown again.
    Add {
        /// The organisation's hash.
        #[arg(long, value_name = "HASH")]
        org: OrganisationHash,
        /// nanoAdmin, nanoUser or nanoReadOnly.
        #[arg(long, required_unless_present = "player")]
        role: Option<Role>,
        /// In place of a role: a player key, which shows what players see, and may stand in a page for everybody to have.
        #[arg(long, conflicts_with = "role")]
        player: bool,
        /// What the key is for.
        #[arg(long)]
        label: String,
        /// After so many days it is good for nothing; without this it is good until it is revoked.
        #[arg(long, value_name = "DAYS")]
        days: Option<u64>,
    },
}

/// Why a command failed, as a sentence for the person at the terminal.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Reads the arguments, does what they say, and gives the exit code: 0 done, 1 failed, 2 wrong arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Before anything else takes memory or starts threads.
    let work = match arguments.command {
        Command::Pictures { protocol } => Some(pictures::work(protocol)),
        Command::Sound { protocol, target } => Some(sound::work(protocol, target)),
        _ => None,
    };
    if let Some(done) = work {
        return done.map_or_else(|error| failed(&error.into()), |()| ExitCode::SUCCESS);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return failed(&cause.into()),
    };
    let code = match runtime.block_on(execute(arguments)) {
        Ok(code) => code,
        Err(failure) => failed(&failure),
    };
    // All that must be done is done. What still waits for a disk would keep the process for as long as that takes.
    runtime.shutdown_timeout(LEFT_BEHIND_TIME);
    code
}

/// As many open files as the system allows us: each connection and each recording is one, and many systems begin with 1,024.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it was");
    }
}

fn failed(failure: &Failure) -> ExitCode {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "afterlive: {failure}");
    ExitCode::FAILURE
}

async fn execute(Arguments { config, command }: Arguments) -> Result<ExitCode, Failure> {
    if let Command::Version = command {
        writeln!(io::stdout(), "afterlive {}", env!("CARGO_PKG_VERSION"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Recover { file, output } = command {
        return recover(&file, output).await;
    }
    let config = Config::load(config.as_deref())?;
    match command {
        Command::Serve => {
            log::start(&config.log, &config.log.filter);
            if let Some(warning) = config.http.unreachable_url() {
                tracing::warn!("{warning}");
            }
            raise_open_files();
            let lifecycle = Lifecycle::default();
            lifecycle.watch_signals().map_err(run::Error::Signals)?;
            run::serve(config, &lifecycle, welcome).await?;
        }
        Command::Check => {
            log::start(&config.log, "error");
            return Ok(if check::check(&config, &mut io::stdout()).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Setup { email, organisation, .. } => set_up(config, &email, &organisation).await?,
        Command::User { command: UserCommand::Add { org, email, role, .. } } => add_user(config, &org, &email, role).await?,
        Command::User { command: UserCommand::PasswordLink { email } } => print_password_link(config, &email).await?,
        Command::Organisation { command } => system::organisation(config, command).await?,
        Command::SystemAdministrator { command } => system::administrator(config, command).await?,
        Command::User { command: UserCommand::ResetSecondFactor { email } } => reset_second_factor(config, &email).await?,
        Command::Key { command: KeyCommand::Add { org, role, label, days, .. } } => {
            add_key(config, &org, role.map_or(Opens::Playout, Opens::Role), &label, days).await?;
        }
        Command::MailTest { address } => {
            log::start(&config.log, "error");
            mail_test::send(&config, &address).await?;
        }
        Command::Version | Command::Recover { .. } | Command::Pictures { .. } | Command::Sound { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Needs no settings and no server, and disturbs none that runs.
async fn recover(file: &Path, output: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let path = file.to_owned();
    match tokio::task::spawn_blocking(move || recover_file(&path, output)).await?? {
        RecoveredFile::WasFinished => {
            writeln!(io::stderr(), "{} is a finished recording: there is nothing to recover", file.display())?;
            writeln!(io::stdout(), "{}", file.display())?;
        }
        RecoveredFile::Recovered { place, duration_ms, lost_bytes } => {
            let seconds = Duration::from_millis(duration_ms).as_secs_f64();
            writeln!(io::stderr(), "recovered {seconds:.3} s; {lost_bytes} bytes at the end were no whole fragment")?;
            writeln!(io::stdout(), "{}", place.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The use cases over the database alone: none of these commands records, plays or stores anything. Nor do they make a database that is not there.
async fn service(config: Config) -> Result<Service, Failure> {
    match NoDatabase::of(&config) {
        Some(missing) => Err(missing.to_string().into()),
        None => service_or_new(config).await,
    }
}

/// The same, with a new database where there is none.
async fn service_or_new(config: Config) -> Result<Service, Failure> {
    log::start(&config.log, "error");
    run::make_data_dir(&config)?;
    let db = Db::open(&config.database).await?;
    Ok(Service::new(db, Clock::system(), Arc::new(config), Regions::open([])?, Hub::new(), Growing::default()))
}

async fn operator(service: &Service, hash: &OrganisationHash) -> Result<Caller, Failure> {
    service.operator(hash).await?.ok_or_else(|| format!("there is no organisation with the hash {hash}").into())
}

async fn set_up(config: Config, email: &str, organisation_name: &str) -> Result<(), Failure> {
    let password = read_password()?;
    let service = service_or_new(config).await?;
    let form = SetUpForm { organisation_name, email, password: &password };
    match service.set_up(form).await.map_err(explain)? {
        SetUp::WrongLink => Err("set-up has been done: there is an organisation already".into()),
        SetUp::Done(made) => {
            let answer = json!({
                "organisation": { "id": made.organisation.id, "hash": made.organisation.hash, "name": made.organisation.name },
                "user": { "id": made.user.id, "email": made.user.email },
                "api_key": made.api_key.map(|key| key.secret),
            });
            service.db().close().await;
            Ok(writeln!(io::stdout(), "{answer}")?)
        }
    }
}

async fn add_user(config: Config, hash: &OrganisationHash, email: &str, role: Role) -> Result<(), Failure> {
    let password = read_password()?;
    let service = service(config).await?;
    let caller = operator(&service, hash).await?;
    let user = service.add_user(&caller, email, &password, role).await.map_err(explain)?;
    service.db().close().await;
    Ok(writeln!(io::stdout(), "{}", json!({ "id": user.id, "email": user.email, "role": user.role }))?)
}

async fn print_password_link(config: Config, email: &str) -> Result<(), Failure> {
    let service = service(config).await?;
    let link = service.operators_password_link(email).await.map_err(explain)?;
    service.db().close().await;
    let link = link.ok_or_else(|| format!("there is no user with the e-mail address {email}"))?;
    Ok(writeln!(io::stdout(), "{link}")?)
}

async fn reset_second_factor(config: Config, email: &str) -> Result<(), Failure> {
    let service = service(config).await?;
    let is_user = service.operators_second_factor_reset(email).await.map_err(explain)?;
    service.db().close().await;
    if is_user { Ok(()) } else { Err(format!("there is no user with the e-mail address {email}").into()) }
}

async fn add_key(config: Config, hash: &OrganisationHash, opens: Opens, label: &str, days: Option<u64>) -> Result<(), Failure> {
    let service = service(config).await?;
    let caller = operator(&service, hash).await?;
    let expiry = days.map(|days| Expiry::In(days.saturating_mul(SECONDS_A_DAY)));
    let key = service.create_api_key(&caller, label, opens, expiry).await.map_err(explain)?;
    service.db().close().await;
    Ok(writeln!(io::stdout(), "{}", key.secret)?)
}

/// The first line of standard input.
fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin().take(MAX_PASSWORD_INPUT_BYTES).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A refusal in words that name the argument; the API's messages name it beside the message.
fn explain(error: crate::service::Error) -> Failure {
    use crate::service::Error;
    use afterlive_domain::Error as Refusal;
    match error {
        Error::Refused(Refusal::WrongType { parameter, expected }) => format!("{parameter}: {expected} is asked for").into(),
        Error::Refused(Refusal::ParameterRequired { parameter }) => format!("{parameter} is missing").into(),
        Error::Refused(Refusal::NoSuchOrganisation { organisation }) => {
            format!("there is no organisation with the id {organisation}").into()
        }
        Error::Refused(Refusal::NotUnique { parameter }) => format!("this {parameter} is taken").into(),
        other => other.into(),
    }
}

/// What a person wants to know first.
fn welcome(started: &Started) {
    let Started { dashboard_url, ingest_url, set_up_link } = started;
    let (bold, plain) = if io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut text = format!(
        "\nAfterlive {}\n\n  Dashboard  {bold}{dashboard_url}{plain}\n  Ingest     {bold}{ingest_url}{plain}\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(link) = set_up_link {
        text.push_str(&format!(
            "\nThis is the first start. Open this link to make your organisation and your account:\n\n  {bold}{link}{plain}\n\n\
             The link works once, until the server stops. Then create a stream there, and paste its URL and\n\
             stream key into OBS: what you send is recorded, and plays a second after you stop.\n"
        ));
    }
    text.push_str("\nCtrl+C stops the server.\n");
    // A server whose standard output is closed serves all the same.
    let _ = writeln!(io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
