//! `POST /oidc/sign-in`, `/oidc/connect` and `/oidc/accept`: a browser is sent to the provider.

use std::sync::Arc;

use afterlive_app::format::{attribute, too_many_attempts};
use afterlive_app::query::with_query;
use afterlive_app::request::local_path;
use afterlive_domain::Error as Refusal;
use axum::extract::{RawForm, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use tower_sessions::Session;
use url::form_urlencoded;

use super::super::request::ClientAddress;
use super::super::{browser_session, ui};
use super::back::{ACCOUNT, TOO_MANY, tell_account};
use super::{put_permit, set_cookie};
use crate::oidc::{Flow, Provider, Purpose};
use crate::service::{Confirmed, Error, Permit, Service};

/// Nothing on it but a link.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn field(form: &[u8], name: &str) -> String {
    form_urlencoded::parse(form).find(|(found, _)| found == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

pub(super) async fn to_sign_in(
    State(service): State<Arc<Service>>,
    ClientAddress(from): ClientAddress,
    RawForm(form): RawForm,
) -> Response {
    let Some(provider) = service.provider() else { return StatusCode::NOT_FOUND.into_response() };
    let next = field(&form, "next");
    let next = local_path(&next);
    let page = |code: &str| with_query("/auth", &[("error", code), ("next", next)]);
    if service.pass_to_provider(from).is_err() {
        return Redirect::to(&page("oidc-wait")).into_response();
    }
    let flow = Flow::begin(Purpose::SignIn, next, service.clock().now());
    lead(&service, provider, &flow).await.unwrap_or_else(|code| Redirect::to(&page(code)).into_response())
}

pub(super) async fn to_accept(
    State(service): State<Arc<Service>>,
    ClientAddress(from): ClientAddress,
    RawForm(form): RawForm,
) -> Response {
    let Some(provider) = service.provider() else { return StatusCode::NOT_FOUND.into_response() };
    let secret = field(&form, "secret");
    let path = format!("/invitation/{secret}");
    let page = |code: &str| with_query(local_path(&path), &[("error", code)]);
    if service.pass_to_provider(from).is_err() {
        return Redirect::to(&page("oidc-wait")).into_response();
    }
    let flow = Flow::begin(Purpose::Accept { secret }, "/?notice=joined", service.clock().now());
    lead(&service, provider, &flow).await.unwrap_or_else(|code| Redirect::to(&page(code)).into_response())
}

pub(super) async fn to_connect(
    State(service): State<Arc<Service>>,
    session: Session,
    ClientAddress(from): ClientAddress,
    RawForm(form): RawForm,
) -> Response {
    let Some(provider) = service.provider() else { return StatusCode::NOT_FOUND.into_response() };
    let caller = match browser_session::caller(&service, &session).await {
        Ok(Some(caller)) => caller.at(from),
        Ok(None) => return Redirect::to(&with_query("/auth", &[("next", ACCOUNT)])).into_response(),
        Err(error) => return failed(&error),
    };
    let user = match service.confirm(&caller, &field(&form, "present")).await {
        Ok(Confirmed::Yes(user)) => user,
        Ok(refused) => return tell_account(&service, &session, not_confirmed(&refused)).await,
        Err(Error::Refused(Refusal::TooMany { .. })) => {
            return tell_account(&service, &session, "The server has a lot to do. Please try again in a moment.".to_owned())
                .await;
        }
        Err(error) => return failed(&error),
    };
    if service.pass_to_provider(from).is_err() {
        return tell_account(&service, &session, TOO_MANY.to_owned()).await;
    }
    let flow = Flow::begin(Purpose::Connect, ACCOUNT, service.clock().now());
    if let Err(cause) = put_permit(&session, &Permit::new(&user, &flow)).await {
        tracing::error!(%cause, "that somebody may connect their account could not be kept");
        return Redirect::to("/auth?error=server").into_response();
    }
    match lead(&service, provider, &flow).await {
        Ok(page) => page,
        Err(_) => {
            let problem =
                format!("{} cannot be reached at the moment. Nothing was changed; please try again later.", provider.name());
            tell_account(&service, &session, problem).await
        }
    }
}

fn not_confirmed(refused: &Confirmed) -> String {
    match refused {
        Confirmed::TooManyAttempts { retry_after_s } => too_many_attempts(*retry_after_s),
        Confirmed::NoPassword => "You have no password. Ask an administrator for a link for one.".to_owned(),
        Confirmed::Yes(_) | Confirmed::WrongPassword => "This is not your present password. Nothing was changed.".to_owned(),
    }
}

/// The page that leads on.
///
/// # Errors
/// A code of the sign-in page.
async fn lead(service: &Service, provider: &Provider, flow: &Flow) -> Result<Response, &'static str> {
    let Some(cookie) = set_cookie(service, Some(flow)) else { return Err("oidc-failed") };
    let url = provider.sign_in_url(flow).await.map_err(|cause| {
        tracing::warn!(%cause, "nobody can sign in by the OIDC provider");
        "oidc-away"
    })?;
    let (url, name) = (attribute(&url), attribute(provider.name()));
    let styles = ui::style_sheet();
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><meta name=\"color-scheme\" content=\"light dark\"><title>To {name} · Afterlive</title>\
         <meta http-equiv=\"refresh\" content=\"0;url={url}\"><link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"/{styles}\"></head><body><main id=\"main\"><section class=\"gate\"><h1>On to {name}</h1>\
         <p><a class=\"button primary\" href=\"{url}\" rel=\"noreferrer\">Continue</a></p></section></main></body></html>"
    );
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    headers.insert(SET_COOKIE, cookie);
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// A failure of ours: the log has its cause.
pub(super) fn failed(cause: &Error) -> Response {
    tracing::error!(%cause, "a way to or from the OIDC provider could not be gone");
    Redirect::to("/auth?error=server").into_response()
}
