//! One POST to a server that users name: a connection of its own to an address that was looked at, and the status of the answer. Follows no redirect, goes through
//! no proxy, reads nothing of the answer but its head, and knows nothing of what is told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use afterlive_domain::{OrganisationId, WebhookUrl};
use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, StatusCode, request};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::dial::{self, Dial, Lookups, Reach};

/// The longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Why there is no answer. None has the URL in it.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("{0}")]
    Dial(#[from] dial::Error),
    #[error("certificates of authorities cannot be read: {0}")]
    Roots(String),
    #[error("TLS does not come about: {0}")]
    Tls(io::Error),
    #[error("it does not speak HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("no request can be made of the URL: {0}")]
    Request(#[from] http::Error),
}

impl Failed {
    /// For who knows nothing of the server but that there is one. The log has all of it.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Dial(dial::Error::NoSuchHost) => "its host cannot be found",
            Self::Dial(dial::Error::Private) => {
                "its host is in a private network, which is only allowed with webhook.allow_private = true"
            }
            Self::Dial(dial::Error::ThisMachine) => {
                "its host is this machine, which is only allowed with webhook.allow_private = true"
            }
            Self::Dial(dial::Error::NoConnection(_) | dial::Error::NotInTime) => "no connection to it could be made",
            Self::Roots(_) | Self::Tls(_) => "TLS with it does not come about",
            Self::Http(_) | Self::Request(_) => "it does not speak HTTP",
        }
    }
}

/// What is asked for where the URL of something that is to be posted to leads to where nothing may be, as a refusal has it.
pub const PUBLIC_URL: &str = "a URL on a public address: addresses of this machine and of private networks are not allowed here; \
                              the operator may allow them with webhook.allow_private = true";

/// What posts. The authorities that it believes are those of the system, read when the first `https` URL is called.
#[derive(Default)]
pub struct Postman {
    lookups: Lookups,
    tls: OnceCell<TlsConnector>,
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// A connection to such a server that has not been told anything yet. To drop it closes it.
pub struct Line {
    socket: Box<dyn Socket>,
    request: request::Builder,
}

impl Postman {
    /// Waits for as long as it takes: the limit is the caller's.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn open(
        &self,
        url: &WebhookUrl,
        organisation: OrganisationId,
        reach: Reach,
        patience: Duration,
    ) -> Result<Line, Failed> {
        let request =
            Request::post(url.target()).header(HOST, url.authority()).header(USER_AGENT, "afterlive").header(CONNECTION, "close");
        let dial = Dial { lookups: &self.lookups, asker: &organisation.to_string(), reach, patience };
        let socket = dial.connect(url.host(), url.port()).await?;
        if !url.is_https() {
            return Ok(Line { socket: Box::new(socket), request });
        }
        let tls = self.tls.get_or_try_init(tls).await?;
        let name = ServerName::try_from(url.host().to_owned()).map_err(|cause| Failed::Tls(io::Error::other(cause)))?;
        let socket = tls.connect(name, socket).await.map_err(Failed::Tls)?;
        Ok(Line { socket: Box::new(socket), request })
    }
}

impl Line {
    /// Waits for as long as it takes, as [`Postman::open`].
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn post(
        self,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<StatusCode, Failed> {
        let request = headers.into_iter().fold(self.request, |request, (name, value)| request.header(name, value));
        let request = request.body(Full::new(body))?;
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(self.socket)).await?;
        let mut answer = std::pin::pin!(sender.send_request(request));
        let answer = tokio::select! {
            answer = &mut answer => answer,
            // Over, as with a server that closes behind its answer; that has come by now, or the reason why not.
            _ = connection => answer.await,
        };
        Ok(answer?.status())
    }
}

/// What speaks TLS with whoever has a certificate by an authority of the system's.
pub(crate) async fn tls() -> Result<TlsConnector, Failed> {
    let read = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok::<_, rustls::Error>(config.with_platform_verifier()?.with_no_client_auth())
    };
    let config = tokio::task::spawn_blocking(read).await.map_err(|panic| Failed::Roots(panic.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.map_err(|cause| Failed::Roots(cause.to_string()))?)))
}
