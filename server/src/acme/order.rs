//! One order, from an account to a certificate with its key, by `http-01`. Tries once: when it is tried again is not known here.

use std::io;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};

use super::challenges::{Challenges, Put};
use super::store::{self, Store};
use super::wire::Wire;

/// For an authority to look at the names, and to make the certificate.
const POLLS: RetryPolicy = RetryPolicy::new().backoff(1.5).timeout(Duration::from_mins(2));
/// What an authority says of an account that it does not have.
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
/// What it says where it was asked too much.
const LIMITED: &str = "urn:ietf:params:acme:error:rateLimited";

/// What it says of a name, and nothing else.
const OF_NAMES: [&str; 7] = ["caa", "connection", "dns", "incorrectResponse", "rejectedIdentifier", "tls", "unauthorized"];

/// Why there is no certificate. Each says which name it is, or what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Names that it looked at and did not believe.
    #[error("{}", .0.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    #[error("the authority offers no http-01 for {name}, which is all that this server answers")]
    NoHttp01 { name: String },
    #[error("the authority does not go on with the order: {0:?}")]
    Stuck(OrderStatus),
    #[error("{}", told(.0))]
    Authority(#[from] instant_acme::Error),
    #[error("what it gave cannot be kept: {0}. Is the disk of data_dir full?")]
    Store(#[from] io::Error),
    #[error("it took longer than {} min", super::ORDER_PATIENCE.as_secs() / 60)]
    TooLate,
    #[error("it gave a certificate that is of no use: {0}")]
    Useless(super::plan::Why),
}

impl Failed {
    /// Whether the authority was asked too much, and says so.
    pub(super) fn is_limit(&self) -> bool {
        matches!(self, Self::Authority(instant_acme::Error::Api(problem)) if is_of_kind(problem, LIMITED))
    }
}

/// Why a name was not believed to be this server's.
#[derive(Debug)]
pub struct Refusal {
    name: String,
    said: String,
    /// How often this server was asked for its answer.
    asked: u64,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, said, asked } = self;
        write!(f, "{name} is not believed to be this server's: {said}. ")?;
        match asked {
            0 => write!(
                f,
                "This server was not asked: port 80 of {name}, by each of its addresses in DNS, must lead to http.listen, also through a firewall"
            ),
            1 => write!(f, "This server was asked once and answered: another one may listen at an address that {name} has too"),
            asked => write!(
                f,
                "This server was asked {asked} times and answered: another one may listen at an address that {name} has too"
            ),
        }
    }
}

/// What is wanted of whom.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub names: Vec<String>,
    pub email: Option<String>,
    pub directory: String,
}

/// A certificate with those of its authorities behind it, and its key, in PEM.
pub(super) struct Issued {
    pub chain: String,
    pub key: String,
}

/// # Errors
/// [`Failed`].
pub(super) async fn order(wanted: &Wanted, wire: &Wire, store: &Store, challenges: &Challenges) -> Result<Issued, Failed> {
    let identifiers: Vec<Identifier> = wanted.names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = match begun(wanted, &identifiers, wire, store).await {
        Err(Failed::Authority(instant_acme::Error::Api(problem))) if is_of_kind(&problem, NO_ACCOUNT) => {
            tracing::warn!(directory = wanted.directory, "the authority does not know the account any more: another one is made");
            let directory = wanted.directory.clone();
            store.on(move |store| store.drop_account(&directory)).await??;
            begun(wanted, &identifiers, wire, store).await?
        }
        order => order?,
    };
    // To the end of the order: an authority may look from several places.
    let mut put = challenges.put();
    prove(&mut order, &mut put).await?;
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&POLLS).await?;
    Ok(Issued { chain, key })
}

async fn begun(wanted: &Wanted, identifiers: &[Identifier], wire: &Wire, store: &Store) -> Result<Order, Failed> {
    let account = account(wanted, wire, store).await?;
    Ok(account.new_order(&NewOrder::new(identifiers)).await?)
}

/// Answers all challenges, and waits until the authority has looked.
async fn prove(order: &mut Order, put: &mut Put) -> Result<(), Failed> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // One that was believed some days ago may be believed still.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let Some(mut challenge) = authorization.challenge(ChallengeType::Http01) else { return Err(Failed::NoHttp01 { name }) };
        put.add(name.clone(), challenge.token.clone(), challenge.key_authorization().as_str().to_owned());
        match challenge.set_ready().await {
            Err(instant_acme::Error::Api(problem)) if is_of_name(&problem) => {
                return Err(Failed::Refused(vec![Refusal { asked: put.asked(&name), said: in_words(&problem), name }]));
            }
            done => done?,
        }
    }
    match order.poll_ready(&POLLS).await {
        Ok(OrderStatus::Ready) => Ok(()),
        outcome => {
            let refusals = refusals(order, put).await;
            match outcome {
                _ if !refusals.is_empty() => Err(Failed::Refused(refusals)),
                Ok(status) => Err(Failed::Stuck(status)),
                Err(cause) => Err(cause.into()),
            }
        }
    }
}

/// Of each name what the authority says, where it says that it does not believe it.
async fn refusals(order: &mut Order, put: &Put) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) else { continue };
        let name = state.identifier().to_string();
        refusals.push(Refusal { asked: put.asked(&name), said: in_words(problem), name });
    }
    refusals
}

/// The one that is kept, else a new one, which is kept before it is used.
async fn account(wanted: &Wanted, wire: &Wire, store: &Store) -> Result<Account, Failed> {
    let contact = wanted.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let builder = Account::builder_with_http(Box::new(wire.clone()));
    let directory = wanted.directory.clone();
    let keep = async |credentials| {
        let (directory, kept) = (wanted.directory.clone(), store::Account { email: wanted.email.clone(), credentials });
        store.on(move |store| store.put_account(&directory, &kept)).await?
    };
    if let Some(kept) = store.on(move |store| store.account(&directory)).await?? {
        if kept.email == wanted.email {
            return Ok(builder.from_credentials(kept.credentials).await?);
        }
        // They are not to be cloned otherwise.
        let again = serde_json::to_value(&kept.credentials).and_then(serde_json::from_value).map_err(io::Error::from)?;
        let account = builder.from_credentials(kept.credentials).await?;
        account.update_contacts(&contact).await?;
        keep(again).await?;
        return Ok(account);
    }
    // The settings are refused where nobody has agreed.
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&new, wanted.directory.clone(), None).await?;
    keep(credentials).await?;
    tracing::info!(account = account.id(), directory = wanted.directory, "there is an account at the certificate's authority");
    Ok(account)
}

/// With what stands behind it: "client error" alone helps nobody.
fn told(error: &instant_acme::Error) -> String {
    match error {
        instant_acme::Error::Api(problem) => format!("the authority says: {}", in_words(problem)),
        instant_acme::Error::Other(cause) => format!("the authority cannot be asked: {cause}"),
        other => format!("the order failed: {other}"),
    }
}

fn is_of_kind(problem: &Problem, kind: &str) -> bool {
    problem.r#type.as_deref() == Some(kind)
}

fn is_of_name(problem: &Problem) -> bool {
    let kind = problem.r#type.as_deref().and_then(|kind| kind.strip_prefix("urn:ietf:params:acme:error:"));
    kind.is_some_and(|kind| OF_NAMES.contains(&kind))
}

fn in_words(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or("no type");
    let mut words = format!("{} ({kind})", problem.detail.as_deref().unwrap_or("nothing more"));
    for part in &problem.subproblems {
        words.push_str(&format!(", {part}"));
    }
    words
}
