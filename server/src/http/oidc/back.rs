//! `GET /oidc/callback`: a browser comes back from the provider, with a code or without. It leads to a page in every case, and never has a page of its own: its address
//! has the code in it.

use std::net::IpAddr;
use std::sync::Arc;

use afterlive_app::query::with_query;
use afterlive_app::request::local_path;
use afterlive_app::server_fns::Flash;
use afterlive_app::server_fns::second_factor::CODE;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CACHE_CONTROL, REFERRER_POLICY, SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use tower_sessions::Session;
use url::form_urlencoded;

use super::super::known_browser::KnownBrowser;
use super::super::request::ClientAddress;
use super::super::{browser_session, second_step};
use super::leaving::failed;
use super::{flow_of, set_cookie, take_permit};
use crate::db::users::User;
use crate::oidc::{Flow, Person, Provider, Purpose};
use crate::service::{ByProvider, Caller, Connected, HalfSignIn, Joined, Service, SignedIn};

pub(super) const ACCOUNT: &str = "/account";
pub(super) const TOO_MANY: &str = "There were too many attempts. Please wait a minute, then try again.";
/// No code, and no other parameter, is longer.
const MAX_PARAMETER_BYTES: usize = 4 * 1024;

/// Why somebody did not come in, as the page that they are led to is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    /// Begun in another browser, too long ago, or come back already.
    Stale,
    /// They did not go through with it there.
    Cancelled,
    Away,
    /// What came back is not to be believed.
    Failed,
    Wait,
    Unknown,
    Suspended,
    OtherAddress,
    Taken,
}

impl Why {
    fn code(self) -> &'static str {
        match self {
            Self::Stale => "oidc-stale",
            Self::Cancelled => "oidc-cancelled",
            Self::Away => "oidc-away",
            Self::Failed => "oidc-failed",
            Self::Wait => "oidc-wait",
            Self::Unknown => "oidc-unknown",
            Self::Suspended => "suspended",
            Self::OtherAddress => "oidc-address",
            Self::Taken => "taken",
        }
    }

    /// For the audit log of who wanted to connect their account.
    fn noted(self) -> &'static str {
        match self {
            Self::Stale => "it was begun elsewhere, too long ago, or before what ended the session",
            Self::Cancelled => "they left it without signing in",
            Self::Away => "it could not be reached",
            Self::Wait => "there were too many attempts",
            Self::Failed | Self::Unknown | Self::Suspended | Self::OtherAddress | Self::Taken => {
                "its answer could not be checked"
            }
        }
    }

    /// For who is signed in, and wanted to connect their account.
    fn sentence(self, provider: &str) -> String {
        match self {
            Self::Stale => {
                "This was begun in another browser, or too long ago. Nothing was changed; please try again.".to_owned()
            }
            Self::Cancelled => format!("{provider} was left without signing in. Nothing was changed."),
            Self::Away => format!("{provider} cannot be reached at the moment. Nothing was changed; please try again later."),
            Self::Wait => TOO_MANY.to_owned(),
            Self::Failed | Self::Unknown | Self::Suspended | Self::OtherAddress => {
                format!("What {provider} answered could not be checked. Nothing was changed; the server's log says why.")
            }
            Self::Taken => format!("Your account at {provider} is connected with another user here. Nothing was changed."),
        }
    }
}

/// What the provider says by the browser.
struct Said {
    code: Option<String>,
    state: String,
    sender: Option<String>,
    error: Option<String>,
}

impl Said {
    /// `None` where anything is said twice, or is too long.
    fn read(query: &str) -> Option<Self> {
        let once = |name: &str| {
            let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
            let first = found.next().map(|(_, value)| value.into_owned());
            let is_fine = found.next().is_none() && first.as_ref().is_none_or(|value| value.len() <= MAX_PARAMETER_BYTES);
            is_fine.then_some(first)
        };
        Some(Self { code: once("code")?, state: once("state")?.unwrap_or_default(), sender: once("iss")?, error: once("error")? })
    }
}

pub(super) async fn handle(State(service): State<Arc<Service>>, session: Session, request: Parts) -> Response {
    let Some(provider) = service.provider() else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = match own_way(&service, &request) {
        Some((flow, said)) => {
            let mut response = come_back(&service, provider, &session, &request, flow, said).await;
            // It has come back: nobody comes back by it again.
            if let Some(cookie) = set_cookie(&service, None) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            response
        }
        None => on_no_way(&service, &session).await,
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The way that this browser is on, where it is that one that comes back.
fn own_way(service: &Service, request: &Parts) -> Option<(Flow, Said)> {
    let (flow, said) = (flow_of(service, &request.headers)?, Said::read(request.uri.query().unwrap_or_default())?);
    flow.is_answered_by(&said.state).then_some((flow, said))
}

/// A link of anybody's may lead here: nothing is written, and no way that the browser is on is ended.
async fn on_no_way(service: &Service, session: &Session) -> Response {
    let to = match browser_session::caller(service, session).await {
        Ok(Some(_)) => with_query(ACCOUNT, &[("notice", Why::Stale.code())]),
        Ok(None) => with_query("/auth", &[("error", Why::Stale.code())]),
        Err(error) => return failed(&error),
    };
    Redirect::to(&to).into_response()
}

async fn come_back(
    service: &Service,
    provider: &Provider,
    session: &Session,
    request: &Parts,
    flow: Flow,
    said: Said,
) -> Response {
    let ClientAddress(from) = ClientAddress::of(request);
    // Only who connects their account is somebody before.
    let caller = match flow.purpose {
        Purpose::Connect => match browser_session::caller(service, session).await {
            Ok(caller) => caller.map(|caller| caller.at(from)),
            Err(error) => return failed(&error),
        },
        Purpose::SignIn | Purpose::Accept { .. } => None,
    };
    if service.pass_to_provider(from).is_err() {
        return not_in(service, session, caller.as_ref(), &flow, Why::Wait).await;
    }
    if !provider.is_first(&said.state) {
        return on_no_way(service, session).await;
    }
    let permit = match flow.purpose {
        Purpose::Connect => match take_permit(session).await {
            Ok(permit) => permit.filter(|permit| permit.is_for(&flow)),
            Err(cause) => {
                tracing::error!(%cause, "whether somebody may connect their account cannot be read");
                return Redirect::to("/auth?error=server").into_response();
            }
        },
        Purpose::SignIn | Purpose::Accept { .. } => None,
    };
    let person = match person(provider, &flow, said, from).await {
        Ok(person) => person,
        Err(why) => return not_in(service, session, caller.as_ref(), &flow, why).await,
    };
    let outcome = match &flow.purpose {
        Purpose::SignIn => match service.sign_in_by_provider(&person, from).await {
            Ok(ByProvider::Known(user, identity)) => Ok(Some((user, identity))),
            Ok(ByProvider::NeedsCode(half)) => return ask_for_code(service, session, &half, from, &flow.next).await,
            Ok(ByProvider::Suspended) => Err(Why::Suspended),
            Ok(ByProvider::Unknown) => Err(Why::Unknown),
            Err(error) => return failed(&error),
        },
        Purpose::Accept { secret } => match service.accept_invitation_by_provider(secret, &person, from).await {
            Ok(Joined::Done(user, identity)) => Ok(Some((user, identity))),
            // The page says so by itself.
            Ok(Joined::WrongLink) => return Redirect::to(&invitation(secret)).into_response(),
            Ok(Joined::OtherAddress) => Err(Why::OtherAddress),
            Ok(Joined::Taken) => Err(Why::Taken),
            Err(error) => return failed(&error),
        },
        Purpose::Connect => match (&caller, permit, browser_session::id(session)) {
            (Some(caller), Some(permit), Some(id)) => match service.connect_identity(caller, &person, &permit, &id).await {
                Ok(Connected::Done) => Ok(None),
                Ok(Connected::Over) => Err(Why::Stale),
                Ok(Connected::Others) => Err(Why::Taken),
                Ok(Connected::Another) => {
                    let problem =
                        format!("You are connected with another account at {} already. Disconnect that first.", provider.name());
                    return tell_account(service, session, problem).await;
                }
                Err(error) => return failed(&error),
            },
            _ => Err(Why::Stale),
        },
    };
    match outcome {
        Ok(Some((user, identity))) => begin(service, session, request, (&user, &identity), &flow.next).await,
        Ok(None) => {
            service.came_by_provider(from);
            Redirect::to(&with_query(ACCOUNT, &[("notice", "connected")])).into_response()
        }
        Err(why) => not_in(service, session, caller.as_ref(), &flow, why).await,
    }
}

/// Who came back. The state has been found to be the browser's.
async fn person(provider: &Provider, flow: &Flow, said: Said, from: IpAddr) -> Result<Person, Why> {
    let read = async {
        provider.check_sender(said.sender.as_deref()).await?;
        match (said.code, &said.error) {
            (Some(code), None) => provider.redeem(flow, &code).await.map(Some),
            _ => Ok(None),
        }
    };
    match read.await {
        Ok(Some(person)) => Ok(person),
        Ok(None) => {
            let error = said.error.unwrap_or_default();
            let is_left = error == "access_denied";
            tracing::info!(%from, error = crate::oidc::word(&error), "somebody came back from the OIDC provider without a code");
            Err(if is_left { Why::Cancelled } else { Why::Failed })
        }
        Err(cause) => {
            tracing::warn!(%from, %cause, "who came back from the OIDC provider is nobody");
            Err(if cause.is_away() { Why::Away } else { Why::Failed })
        }
    }
}

/// Signs in who the provider says it is: of whom nothing more is asked.
async fn begin(service: &Service, session: &Session, request: &Parts, (user, identity): (&User, &str), next: &str) -> Response {
    let ClientAddress(from) = ClientAddress::of(request);
    let browser = request.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed_in = SignedIn::new(user, service.clock().now(), from, browser).by(Some(identity));
    match browser_session::begin(session, &signed_in).await {
        Ok(()) => {
            service.came_by_provider(from);
            KnownBrowser::of(&request.extensions).remember(service, user).await;
            Redirect::to(local_path(next)).into_response()
        }
        Err(cause) => {
            tracing::error!(%cause, "who came from the OIDC provider could not be signed in");
            Redirect::to("/auth?error=server").into_response()
        }
    }
}

/// Leads who has a second factor to where its code is asked for, as who has given the right password.
async fn ask_for_code(service: &Service, session: &Session, half: &HalfSignIn, from: IpAddr, next: &str) -> Response {
    match second_step::begin(session, half).await {
        Ok(()) => {
            service.came_by_provider(from);
            Redirect::to(&with_query(CODE, &[("next", local_path(next))])).into_response()
        }
        Err(cause) => {
            tracing::error!(%cause, "who came from the OIDC provider could not be asked for a code");
            Redirect::to("/auth?error=server").into_response()
        }
    }
}

/// Leads to the page where it began, which says why.
async fn not_in(service: &Service, session: &Session, caller: Option<&Caller>, flow: &Flow, why: Why) -> Response {
    match (&flow.purpose, caller) {
        (Purpose::Accept { secret }, _) => {
            Redirect::to(&with_query(&invitation(secret), &[("error", why.code())])).into_response()
        }
        (Purpose::Connect, Some(caller)) => {
            let name = service.provider().map_or("The provider", Provider::name);
            // What the service refused it has noted itself.
            if why != Why::Taken {
                service.note_refused_connection(caller, why.noted());
            }
            tell_account(service, session, why.sentence(name)).await
        }
        (Purpose::Connect | Purpose::SignIn, _) => Redirect::to(&with_query("/auth", &[("error", why.code())])).into_response(),
    }
}

fn invitation(secret: &str) -> String {
    local_path(&format!("/invitation/{secret}")).to_owned()
}

/// Shows who is signed in a sentence on their account's page.
pub(super) async fn tell_account(service: &Service, session: &Session, problem: String) -> Response {
    let told = async {
        let flash = serde_json::to_string(&Flash::Problem(problem)).map_err(|cause| cause.to_string())?;
        browser_session::put_flash(service.db(), session, &flash).await.map_err(|cause| cause.to_string())
    };
    match told.await {
        Ok(()) => Redirect::to(&with_query(ACCOUNT, &[("notice", "flash")])).into_response(),
        Err(cause) => {
            tracing::error!(cause, "what came of the OIDC provider could not be told");
            Redirect::to(ACCOUNT).into_response()
        }
    }
}
