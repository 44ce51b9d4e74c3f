//! What a server that is to be reached over TLS says of that, before any route is looked for: who comes without it is led there, and browsers are told to
//! come by it from then on. Makes no connection.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http::header::{CACHE_CONTROL, HOST, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, StatusCode};
use tower::{Service, ServiceExt as _};
use url::{Host, Url};

use super::acme;
use crate::acme::Challenges;
use crate::address::Networks;
use crate::config::Config;

/// Asked for on the machine itself, without a certificate's name, by what decides about a restart.
const FOR_WATCHDOGS: [&str; 2] = ["/healthz", "/readyz"];

/// By which listener a request came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Plain,
    Tls,
}

/// What is said.
#[derive(Debug)]
pub struct Policy {
    /// Origins by the host names that lead to them, `None` for a name that is to be reached without TLS; and where all others are led. `None` where nobody is.
    led_to: Option<(BTreeMap<String, Option<String>>, String)>,
    /// What browsers are told; `None`: nothing.
    hsts: Option<HeaderValue>,
    /// To ACME's challenges, without TLS as with it.
    acme: acme::Answers,
    /// Behind these people come by TLS, whatever the last part of the way is.
    trusted_proxies: Networks,
}

impl From<&Config> for Policy {
    fn from(config: &Config) -> Self {
        let http = &config.http;
        let is_led = http.redirects_to_tls && http.tls_listen.is_some() && http.is_secure() && http.has_public_url();
        let urls = config.regions.values().map(|region| &region.vod_url).chain([&http.public_url]);
        let origin = |url: &Url| (url.scheme() == "https").then(|| url.origin().ascii_serialization());
        let origins =
            urls.filter_map(|url| Url::parse(url).ok()).filter_map(|url| Some((url.host_str()?.to_owned(), origin(&url))));
        let hsts = format!("max-age={}", http.hsts_max_age.as_secs());
        Self {
            led_to: is_led.then(|| (origins.collect(), http.public_url.clone())),
            hsts: if has_hsts(config) { HeaderValue::try_from(hsts).ok() } else { None },
            acme: acme::Answers { webroot: http.acme_webroot.clone(), challenges: None },
            trusted_proxies: http.trusted_proxies.clone(),
        }
    }
}

/// Only where a browser that keeps it for a year does no harm: it holds for all ports of the host, and turns the URL of another server there, or of this one
/// without TLS, into one at which nothing answers.
fn has_hsts(config: &Config) -> bool {
    let Ok(url) = Url::parse(&config.http.public_url) else { return false };
    let is_name = matches!(url.host(), Some(Host::Domain(name)) if name != "localhost" && !name.ends_with(".localhost"));
    url.scheme() == "https" && url.port_or_known_default() == Some(443) && is_name && !config.http.hsts_max_age.is_zero()
}

impl Policy {
    /// The same with the answers of this server's own orders.
    #[must_use]
    pub fn with_challenges(mut self, challenges: Option<Challenges>) -> Self {
        self.acme.challenges = challenges;
        self
    }

    /// Where the request is led, `None` where it is to be answered.
    fn elsewhere(&self, way: Way, request: &Request) -> Option<String> {
        let (origins, public) = self.led_to.as_ref()?;
        if way == Way::Tls || self.is_from_proxy(request) || FOR_WATCHDOGS.contains(&request.uri().path()) {
            return None;
        }
        // Never where it says itself: of the names that lead here all are known.
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = Url::parse(&format!("http://{host}/")).ok().and_then(|url| url.host_str().map(str::to_owned));
        let origin = match name.and_then(|name| origins.get(&name)) {
            Some(None) => return None,
            Some(Some(origin)) => origin,
            None => public,
        };
        let target = request.uri().path_and_query().filter(|target| target.as_str().starts_with('/'));
        Some(format!("{origin}{}", target.map_or("/", |target| target.as_str())))
    }

    fn is_from_proxy(&self, request: &Request) -> bool {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        peer.is_some_and(|ConnectInfo(peer)| self.trusted_proxies.have(peer.ip()))
    }
}

/// The service with what the policy says around it, for one listener.
pub fn secured<S>(
    service: S,
    policy: &Arc<Policy>,
    way: Way,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + use<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let policy = Arc::clone(policy);
    tower::service_fn(move |request: Request| {
        let (service, policy) = (service.clone(), Arc::clone(&policy));
        async move {
            if let Some(answer) = acme::answer(&policy.acme, &request) {
                return Ok(answer.await);
            }
            if let Some(target) = policy.elsewhere(way, &request) {
                return Ok(lead_to(&target));
            }
            let hsts = policy.hsts.clone().filter(|_| way == Way::Tls || policy.is_from_proxy(&request));
            let mut response = service.oneshot(request).await?;
            if let Some(hsts) = hsts {
                response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts);
            }
            Ok(response)
        }
    })
}

/// By the same method. Not to be remembered: the server may be set otherwise tomorrow.
fn lead_to(target: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match HeaderValue::try_from(target) {
        Ok(target) => {
            response.headers_mut().insert(LOCATION, target);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(settings: &[(&str, &str)]) -> Policy {
        let files = [("TLS__CERTIFICATE", "a"), ("TLS__KEY", "b")];
        let settings = files.iter().chain(settings).map(|(name, value)| (format!("AFTERLIVE__{name}"), (*value).to_owned()));
        Policy::from(&Config::from_sources(None, settings).unwrap())
    }

    fn request(peer: [u8; 4], host: &str, target: &str) -> Request {
        let mut request = Request::builder().uri(target).header(HOST, host).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 50_000))));
        request
    }

    const PUBLIC: (&str, &str) = ("HTTP__PUBLIC_URL", "https://live.example.com");

    #[test]
    fn who_comes_without_tls_is_led_to_a_name_of_ours_and_never_to_their_own() {
        let policy = policy(&[
            PUBLIC,
            ("REGIONS__EU__VOD_URL", "https://vod-eu.example.com/x"),
            ("REGIONS__US__VOD_URL", "http://vod-us.example.com"),
            ("HTTP__TRUSTED_PROXIES", "192.0.2.9"),
        ]);
        let led = |peer, host: &str, target: &str| policy.elsewhere(Way::Plain, &request(peer, host, target));
        let someone = [192, 0, 2, 1];
        assert_eq!(led(someone, "live.example.com", "/stream?x=1").as_deref(), Some("https://live.example.com/stream?x=1"));
        assert_eq!(led(someone, "VOD-EU.example.com:80", "/a.mp4").as_deref(), Some("https://vod-eu.example.com/a.mp4"));
        for strange in ["evil.example", "", "a b", "evil.example/?", "192.0.2.7:3000"] {
            assert_eq!(
                led(someone, strange, "//evil.example/x").as_deref(),
                Some("https://live.example.com//evil.example/x"),
                "{strange}"
            );
        }
        assert_eq!(led(someone, "vod-us.example.com", "/a.mp4"), None, "its URLs are without TLS");
        assert_eq!(led(someone, "live.example.com", "/healthz"), None);
        assert_eq!(led([192, 0, 2, 9], "live.example.com", "/"), None, "a proxy has spoken TLS already");
        assert_eq!(policy.elsewhere(Way::Tls, &request(someone, "live.example.com", "/")), None);
    }

    #[test]
    fn nobody_is_led_where_the_server_does_not_speak_tls_or_is_not_to() {
        for settings in [
            &[PUBLIC, ("HTTP__TLS_LISTEN", "off")][..],
            &[PUBLIC, ("HTTP__REDIRECT_TO_TLS", "false")],
            &[("HTTP__PUBLIC_URL", "http://live.example.com")],
            // Who comes from another machine finds nothing at this one's localhost.
            &[],
        ] {
            assert_eq!(policy(settings).elsewhere(Way::Plain, &request([192, 0, 2, 1], "x", "/")), None, "{settings:?}");
        }
    }

    #[test]
    fn browsers_keep_no_rule_that_could_lock_them_out() {
        assert_eq!(policy(&[PUBLIC]).hsts.unwrap(), "max-age=31536000");
        for url in [
            "https://localhost",
            "https://live.example.com:3443",
            "https://192.0.2.1",
            "https://a.localhost",
            "http://live.example.com",
        ] {
            assert_eq!(policy(&[("HTTP__PUBLIC_URL", url)]).hsts, None, "{url}");
        }
        assert_eq!(policy(&[PUBLIC, ("HTTP__HSTS_MAX_AGE_S", "0")]).hsts, None);
    }
}
