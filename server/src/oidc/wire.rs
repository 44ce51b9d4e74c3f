//! Questions to the provider over HTTP: bounded in size and time, over connections of their own, and no redirect is followed. Knows nothing of what is asked.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

use crate::config::{Issuer, is_this_machine};
use crate::dial::{self, Dial, Lookups, Reach};
use crate::post;

/// For all of one question, from looking the name up to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of an answer.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The longest body of an answer. What Google or Entra say of themselves and their keys is a tenth of it.
const MAX_BODY_BYTES: usize = 256 << 10;
/// By whom a name is looked up, among users' webhooks and the like.
const ASKER: &str = "oidc";

/// Why there is no answer. None has in it what was asked or answered.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("{0}")]
    Dial(#[from] dial::Error),
    #[error("TLS does not come about: {0}")]
    Tls(io::Error),
    #[error("certificates of authorities cannot be read: {0}")]
    Roots(String),
    #[error("it does not speak HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("no request can be made of it: {0}")]
    Request(#[from] http::Error),
    #[error("its answer is longer than {MAX_BODY_BYTES} bytes, or ends too early")]
    Body,
    #[error("it answers {0}, and where that leads is not followed")]
    Redirect(StatusCode),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it does not answer within {} s", PATIENCE.as_secs())]
    TooLate,
    #[error("its answer is no JSON of the kind that is expected")]
    NoJson,
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// What asks.
pub(super) struct Wire {
    issuer: Issuer,
    lookups: Lookups,
    tls: OnceCell<TlsConnector>,
}

/// What is sent with a question.
pub(super) enum Asked {
    Get,
    /// With an access token.
    GetAs(HeaderValue),
    /// A form, with an `Authorization` where it is not in the form.
    Form(String, Option<HeaderValue>),
}

impl Wire {
    pub(super) fn new(issuer: Issuer) -> Self {
        Self { issuer, lookups: Lookups::default(), tls: OnceCell::new() }
    }

    /// Whether a URL that the provider names may be asked, or opened in a browser: over TLS, unless it is this machine's as the issuer is.
    pub(super) fn is_safe(&self, url: &Url) -> bool {
        let is_plain = url.scheme() == "http" && self.issuer.is_this_machine() && is_this_machine(url);
        url.has_host() && (url.scheme() == "https" || is_plain) && url.username().is_empty() && url.password().is_none()
    }

    /// Where the issuer is, is the operator's word, also in a private network. Another host is the provider's word, which does not lead the server into one.
    fn reach(&self, url: &Url) -> Reach {
        if url.host_str() == self.issuer.url.host_str() { Reach::Anywhere } else { Reach::Public }
    }

    /// The body of an answer with a status of success.
    ///
    /// # Errors
    /// [`Failed`].
    pub(super) async fn ask(&self, url: &Url, asked: Asked) -> Result<Bytes, Failed> {
        match self.answer(url, asked).await? {
            (status, body) if status.is_success() => Ok(body),
            (status, _) if status.is_redirection() => Err(Failed::Redirect(status)),
            (status, _) => Err(Failed::Status(status)),
        }
    }

    /// Whatever it answers.
    ///
    /// # Errors
    /// [`Failed`].
    pub(super) async fn answer(&self, url: &Url, asked: Asked) -> Result<(StatusCode, Bytes), Failed> {
        timeout(PATIENCE, self.exchange(url, asked)).await.unwrap_or(Err(Failed::TooLate))
    }

    async fn exchange(&self, url: &Url, asked: Asked) -> Result<(StatusCode, Bytes), Failed> {
        let request = request(url, asked)?;
        let socket = self.connect(url).await?;
        let (mut sender, connection) = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(socket)).await?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_BODY_BYTES).collect().await.map_err(|_| Failed::Body)?;
            Ok((status, body.to_bytes()))
        };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            done = &mut exchange => done,
            // Over, as with a server that closes behind its answer; all of that has come by now, or the reason why not.
            _ = connection => exchange.await,
        }
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Socket>, Failed> {
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().unwrap_or(443);
        let dial = Dial { lookups: &self.lookups, asker: ASKER, reach: self.reach(url), patience: PATIENCE };
        let socket = dial.connect(host, port).await?;
        if url.scheme() != "https" {
            return Ok(Box::new(socket));
        }
        let tls =
            self.tls.get_or_try_init(|| async { post::tls().await.map_err(|failed| Failed::Roots(failed.to_string())) }).await?;
        let name = ServerName::try_from(host.to_owned()).map_err(|cause| Failed::Tls(io::Error::other(cause)))?;
        Ok(Box::new(tls.connect(name, socket).await.map_err(Failed::Tls)?))
    }
}

fn request(url: &Url, asked: Asked) -> Result<Request<Full<Bytes>>, http::Error> {
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let request = Request::builder()
        .uri(target)
        .header(HOST, authority)
        .header(USER_AGENT, "afterlive")
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    match asked {
        Asked::Get => request.body(Full::default()),
        Asked::GetAs(authorization) => request.header(AUTHORIZATION, authorization).body(Full::default()),
        Asked::Form(form, authorization) => {
            let request = request.method(Method::POST).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = match authorization {
                Some(authorization) => request.header(AUTHORIZATION, authorization),
                None => request,
            };
            request.body(Full::from(form))
        }
    }
}
