//! What is asked of the authority over HTTPS: a connection a question, bounded in size and time, and no redirect is followed. Knows nothing of what is asked.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::dial::{self, Dial, Lookups, Reach};
use crate::post;

/// For all of one question, from looking the name up to the last byte of the answer. An authority may check a name before it answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest head of an answer.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The longest body: a chain of certificates, or an order for a hundred names.
const MAX_BODY_BYTES: usize = 1 << 20;
/// By whom a name is looked up, among users' webhooks and the like.
const ASKER: &str = "acme";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("{host}: {cause}")]
    Dial { host: String, cause: dial::Error },
    #[error("TLS with {host} does not come about: {cause}")]
    Tls { host: String, cause: io::Error },
    #[error("certificates of authorities cannot be read: {0}")]
    Roots(String),
    #[error("{path}, which tls.acme.ca_file names, has no certificate that can be read: {cause}")]
    CaFile { path: String, cause: String },
    #[error("{host} does not speak HTTP: {cause}")]
    Http { host: String, cause: hyper::Error },
    #[error("no request can be made of {0}: it is not https://")]
    NotHttps(Uri),
    #[error("the answer of {host} is longer than {MAX_BODY_BYTES} bytes, or ends too early")]
    Body { host: String },
    #[error("{host} answers {status}, and not as an authority does")]
    Status { host: String, status: StatusCode },
    #[error("{host} does not answer as an authority does at that URL: is it that of its directory?")]
    NoAuthority { host: String },
    #[error("{host} does not answer within {} s", PATIENCE.as_secs())]
    TooLate { host: String },
}

/// What asks. Clones share what they know.
#[derive(Clone)]
pub(super) struct Wire(Arc<Inner>);

struct Inner {
    /// Where the authority is: the operator's word.
    host: String,
    /// The authorities that are believed to say that it is it, in place of those of the system.
    ca_file: Option<PathBuf>,
    lookups: Lookups,
    tls: OnceCell<TlsConnector>,
}

impl Wire {
    pub(super) fn new(directory: &Url, ca_file: Option<PathBuf>) -> Self {
        let host = directory.host_str().unwrap_or_default().to_owned();
        Self(Arc::new(Inner { host, ca_file, lookups: Lookups::default(), tls: OnceCell::new() }))
    }

    /// Where the terms of the authority with this directory stand, where it has any.
    pub(super) async fn terms(&self, directory: &Url) -> Result<Option<String>, Failed> {
        let host = self.0.host.clone();
        let request = Request::get(directory.as_str()).header(USER_AGENT, "afterlive").body(BodyWrapper::default());
        let request = request.map_err(|_| Failed::NoAuthority { host: host.clone() })?;
        let body = self.clone().ask(request).await?.into_body().collect().await.unwrap_or_default().to_bytes();
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        if said["newOrder"].is_string() {
            Ok(said["meta"]["termsOfService"].as_str().map(str::to_owned))
        } else {
            Err(Failed::NoAuthority { host })
        }
    }

    async fn ask(self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>, Failed> {
        let uri = request.uri().clone();
        let Some(host) = uri.host().filter(|_| uri.scheme_str() == Some("https")).map(str::to_owned) else {
            return Err(Failed::NotHttps(uri));
        };
        timeout(PATIENCE, self.exchange(host.clone(), request)).await.unwrap_or(Err(Failed::TooLate { host }))
    }

    async fn exchange(&self, host: String, mut request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>, Failed> {
        let Some((authority, target)) = parts_of(request.uri()) else { return Err(Failed::NotHttps(request.uri().clone())) };
        let port = request.uri().port_u16().unwrap_or(443);
        request.headers_mut().insert(HOST, authority);
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        *request.uri_mut() = target;

        // Another host is the authority's word, which does not lead the server into a private network.
        let reach = if host == self.0.host { Reach::Anywhere } else { Reach::Public };
        let bare = host.trim_matches(['[', ']']).to_owned();
        let dial = Dial { lookups: &self.0.lookups, asker: ASKER, reach, patience: PATIENCE };
        let socket = dial.connect(&bare, port).await.map_err(|cause| Failed::Dial { host: host.clone(), cause })?;
        let connector = self.0.tls.get_or_try_init(|| connector(self.0.ca_file.clone())).await?;
        let tls = |cause| Failed::Tls { host: host.clone(), cause };
        let name = ServerName::try_from(bare).map_err(|cause| tls(io::Error::other(cause)))?;
        let socket = connector.connect(name, socket).await.map_err(tls)?;

        let http = |cause| Failed::Http { host: host.clone(), cause };
        let handshake = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(socket));
        let (mut sender, connection) = handshake.await.map_err(http)?;
        let asking = async {
            let (head, body) = sender.send_request(request).await.map_err(http)?.into_parts();
            if !(head.status.is_success() || is_json(&head.headers)) {
                return Err(Failed::Status { host: host.clone(), status: head.status });
            }
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|_| Failed::Body { host: host.clone() })?;
            Ok(Response::from_parts(head, Full::new(body.to_bytes())))
        };
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            answer = &mut asking => answer,
            // Over, as with a server that closes behind its answer; all of that has come by now, or the reason why not.
            _ = connection => asking.await,
        }
    }
}

impl HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            let answer = this.ask(request).await.map_err(|failed| instant_acme::Error::Other(failed.into()))?;
            Ok(BytesResponse::from(answer))
        })
    }
}

/// What stands in `Host`, and what is asked for there.
fn parts_of(uri: &Uri) -> Option<(HeaderValue, Uri)> {
    let authority = HeaderValue::try_from(uri.authority()?.as_str()).ok()?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    Some((authority, target.parse().ok()?))
}

/// As authorities say what is wrong. A proxy in front of one says it in HTML.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.contains("json"))
}

async fn connector(ca_file: Option<PathBuf>) -> Result<TlsConnector, Failed> {
    let Some(path) = ca_file else {
        return post::tls().await.map_err(|failed| Failed::Roots(failed.to_string()));
    };
    let shown = path.display().to_string();
    let failed = |cause: String| Failed::CaFile { path: shown, cause };
    let read = move || {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|cause| format!("{cause:?}"))? {
            let certificate = certificate.map_err(|cause| format!("{cause:?}"))?;
            roots.add(certificate).map_err(|cause| cause.to_string())?;
        }
        if roots.is_empty() {
            return Err("there is none".to_owned());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|cause| cause.to_string())?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(config)) => Ok(TlsConnector::from(Arc::new(config))),
        Ok(Err(cause)) => Err(failed(cause)),
        Err(panic) => Err(failed(panic.to_string())),
    }
}
