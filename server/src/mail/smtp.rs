//! One letter handed to the mail server: a connection of its own, encrypted and signed in as the settings say. Waits for nothing but this one try, and never
//! writes what was sent into the log: neither a link nor a password nor an address.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::address::AddressError;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::rustls;
use url::{Host, Url};
use uuid::Uuid;

use super::Letter;
use super::heard::Heard;
use crate::config::{Encryption, Mail, Password};

/// It takes no longer until a letter can be handed over. Mail servers look senders up before they greet them.
const PATIENCE: Duration = Duration::from_secs(30);
/// And no longer until it is taken: some look letters through before they do, and who gives up then sends it twice.
const TAKING_PATIENCE: Duration = Duration::from_mins(2);
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The letter is taken by then: a server that is slow to say goodbye does not make it a failure.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(1);
/// The longest text of a mail server's that people are shown, in characters.
const MAX_ANSWER_CHARS: usize = 200;
/// Longer words of it are not shown. A link's secret is 64.
const MAX_WORD_BYTES: usize = 24;
/// All that a mail server says on a connection is less, its handshake included: the library reads lines of any length.
pub(super) const MAX_HEARD_BYTES: usize = 256 * 1024;

/// From whom mail is: an address, with a name where there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender(Mailbox);

impl FromStr for Sender {
    type Err = AddressError;

    /// One address and nothing behind it, which the library's own reading passes over.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mailbox: Mailbox = text.parse()?;
        let is_whole = text.trim_end().trim_end_matches('>').ends_with(mailbox.email.as_ref() as &str);
        if is_whole && !text.contains(char::is_control) { Ok(Self(mailbox)) } else { Err(AddressError::InvalidInput) }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a letter was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failed {
    #[error("this is no address that mail can be sent to")]
    Address,
    #[error("the mail server cannot be reached: {0}")]
    Unreachable(String),
    #[error("TLS with the mail server does not come about: {0}")]
    Tls(String),
    /// With its code alone: some servers say over again what they were sent, and that was a password.
    #[error("the mail server does not let this server in{}", code.map_or_else(String::new, |code| format!(": it answered {code}")))]
    NotLetIn { code: Option<u16> },
    #[error("the mail server's answer cannot be understood")]
    NotUnderstood,
    /// With a code of RFC 5321, from 400 on.
    #[error("the mail server answered {code}: {text}")]
    Answered { code: u16, text: String },
    #[error("the mail server does not do what is needed: {0}")]
    Unable(String),
    #[error("the mail server did not answer in time")]
    TooSlow,
}

impl Failed {
    /// Whether another try would end no differently.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Address | Self::Unable(_) => true,
            Self::Answered { code, .. } => *code >= 500,
            // Somebody may be mending it.
            Self::Unreachable(_) | Self::Tls(_) | Self::NotLetIn { .. } | Self::NotUnderstood | Self::TooSlow => false,
        }
    }

    /// For who administers an organisation, and need not know where the mail server is. The log has the rest.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Unreachable(_) => "the mail server cannot be reached".to_owned(),
            Self::Tls(_) => "TLS with the mail server does not come about".to_owned(),
            Self::NotLetIn { .. } => "the mail server does not let this server in".to_owned(),
            Self::Unable(_) => "the mail server cannot take mail for this address".to_owned(),
            Self::Address | Self::Answered { .. } | Self::NotUnderstood | Self::TooSlow => self.to_string(),
        }
    }

    /// For the log: of what the mail server said of an address the code alone, as the address stands in it as often as not.
    #[must_use]
    pub fn without_address(&self) -> String {
        match self {
            Self::Answered { code, .. } => format!("the mail server answered {code}"),
            other => other.to_string(),
        }
    }
}

/// At what a try was when it failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Encrypting,
    SigningIn,
    Sending,
}

/// Hands letters to the mail server.
pub struct Smtp {
    mail: Mail,
    hello: ClientId,
    /// The authorities that are believed are the system's, read with the first letter.
    tls: OnceCell<TlsParameters>,
}

impl Smtp {
    /// `public_url` says by what name this server greets.
    #[must_use]
    pub fn new(mail: &Mail, public_url: &str) -> Self {
        Self { mail: mail.clone(), hello: hello(public_url), tls: OnceCell::new() }
    }

    /// One try. Says what the server answered.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn send(&self, letter: &Letter) -> Result<String, Failed> {
        let message = self.message(letter)?;
        let mut connection = in_time(PATIENCE, self.connect()).await?;
        let formatted = message.formatted();
        let sending = connection.send(message.envelope(), &formatted);
        let taking = async { sending.await.map_err(|error| failed(Stage::Sending, &error)) };
        let answer = in_time(TAKING_PATIENCE, taking).await?;
        let _ = timeout(GOODBYE_PATIENCE, connection.abort()).await;
        Ok(in_words(&answer))
    }

    /// Whether the server would be talked to: all but a letter.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn check(&self) -> Result<(), Failed> {
        let mut connection = in_time(PATIENCE, self.connect()).await?;
        let _ = timeout(GOODBYE_PATIENCE, connection.abort()).await;
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failed> {
        let Mail { host, port, encryption, sign_in, .. } = &self.mail;
        let tls = match encryption {
            Encryption::None => None,
            Encryption::StartTls | Encryption::Tls => Some(self.tls.get_or_try_init(|| tls(host.clone())).await?.clone()),
        };
        let connected = match (encryption, &tls) {
            // Who is heard here is the operator's server, by its certificate.
            (Encryption::Tls, Some(tls)) => {
                let address = (host.as_str(), *port);
                AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_PATIENCE), &self.hello, Some(tls.clone()), None).await
            }
            _ => AsyncSmtpConnection::connect_with_transport(Box::new(Heard::of(host, *port).await?), &self.hello).await,
        };
        let mut connection = connected.map_err(|error| failed(Stage::Connecting, &error))?;
        if let (Encryption::StartTls, Some(tls)) = (encryption, tls) {
            connection.starttls(tls, &self.hello).await.map_err(|error| failed(Stage::Encrypting, &error))?;
        }
        if let Some((user, Password(password))) = sign_in {
            let credentials = Credentials::new(user.clone(), password.clone());
            let signing_in = connection.auth(DEFAULT_MECHANISMS, &credentials);
            signing_in.await.map_err(|error| failed(Stage::SigningIn, &error))?;
        }
        Ok(connection)
    }

    /// The header's lines are the library's to write: no text of users makes one.
    fn message(&self, letter: &Letter) -> Result<Message, Failed> {
        let to = letter.to.parse::<Address>().map_err(|_| Failed::Address)?;
        let Sender(from) = &self.mail.from;
        // Where no name of ours stands that strangers could look up.
        let id = format!("<{}@{}>", Uuid::new_v4(), from.email.domain());
        let message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.as_str())
            .date(SystemTime::now())
            .message_id(Some(id))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body.clone());
        message.map_err(|_| Failed::Address)
    }
}

async fn in_time<T>(patience: Duration, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    timeout(patience, work).await.unwrap_or(Err(Failed::TooSlow))
}

/// `Auto-Submitted` (RFC 3834): nobody's holiday notice answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A host name where there is one: some mail servers take nothing from who calls themselves by an address.
fn hello(public_url: &str) -> ClientId {
    match Url::parse(public_url).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => ClientId::Domain(name.to_owned()),
        Some(Host::Ipv4(address)) => ClientId::Ipv4(address),
        Some(Host::Ipv6(address)) => ClientId::Ipv6(address),
        None => ClientId::Domain("localhost".to_owned()),
    }
}

async fn tls(host: String) -> Result<TlsParameters, Failed> {
    let read = tokio::task::spawn_blocking(|| TlsParameters::new_rustls(host)).await;
    read.map_err(|panic| Failed::Tls(panic.to_string()))?.map_err(|error| Failed::Tls(cause(&error)))
}

fn failed(stage: Stage, error: &SmtpError) -> Failed {
    let text = cause(error);
    if error.is_tls() || is_of_handshake(error) {
        return Failed::Tls(text);
    }
    match (stage, error.status()) {
        (_, None) if error.is_response() => Failed::NotUnderstood,
        (Stage::Encrypting, _) => Failed::Tls(text),
        (Stage::SigningIn, code) if code.is_some() || error.is_client() => Failed::NotLetIn { code: code.map(Into::into) },
        (_, Some(code)) => Failed::Answered { code: code.into(), text },
        (_, None) if error.is_client() => Failed::Unable(text),
        (_, None) => Failed::Unreachable(text),
    }
}

/// From what is behind an error to what is behind that.
fn causes(error: &SmtpError) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// With TLS from the first byte a handshake that fails is told as a connection that does.
fn is_of_handshake(error: &SmtpError) -> bool {
    let within = |cause: &(dyn std::error::Error + 'static)| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    };
    causes(error).any(within)
}

/// The last thing behind an error, or what the server said, short and on one line.
fn cause(error: &SmtpError) -> String {
    shortened(&causes(error).last().map_or_else(|| error.to_string(), ToString::to_string))
}

fn in_words(answer: &Response) -> String {
    let text: Vec<&str> = answer.message().collect();
    shortened(&format!("{} {}", answer.code(), text.join(" ")))
}

/// Without what may be a link, an address or a secret: filters quote what they refuse, and in the letter is a link that opens an account.
fn shortened(text: &str) -> String {
    let may_be_secret = |word: &str| word.len() > MAX_WORD_BYTES || word.contains("://") || word.contains('@');
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| if may_be_secret(word) { "…" } else { word }).collect();
    words.join(" ").chars().take(MAX_ANSWER_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(from: &str) -> Smtp {
        let from = from.parse().unwrap();
        let mail = Mail { host: "mail.example.com".into(), port: 587, encryption: Encryption::StartTls, sign_in: None, from };
        Smtp::new(&mail, "https://live.example.com")
    }

    fn written(to: &str, subject: &str, body: &str) -> Result<String, Failed> {
        let letter = Letter { to: to.into(), subject: subject.into(), body: body.into() };
        let message = smtp("Live <noreply@example.com>").message(&letter)?;
        assert_eq!(message.envelope().to().len(), 1);
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    fn header(mail: &str) -> Vec<String> {
        let header = mail.split_once("\r\n\r\n").unwrap().0.replace("\r\n ", " ");
        header.split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn no_text_of_users_writes_a_line_of_the_header() {
        let usual = header(&written("ada@example.com", "Invitation", "x\n").unwrap()).len();
        for subject in [
            "Chapel\r\nBcc: eve@example.com",
            "Chapel\nBcc: eve@example.com",
            "Chapel\u{85}Bcc: eve@example.com",
            "Ka\u{308}pelle\r\n\r\nHello",
        ] {
            let lines = header(&written("ada@example.com", subject, "x\n").unwrap());
            assert_eq!(lines.len(), usual, "{subject:?}: {lines:?}");
            assert!(!lines.iter().any(|line| line.starts_with("Bcc")), "{lines:?}");
        }
        for to in [
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@example.com, eve@example.com",
            "ada@example.com>\r\nRCPT TO:<eve@example.com",
            "<ada@example.com>",
            "ada",
            "a da@example.com",
        ] {
            assert_eq!(written(to, "Invitation", "x"), Err(Failed::Address), "{to:?}");
        }
        let mail = written("ada@example.com", "x", "x\n").unwrap();
        for line in ["From: Live <noreply@example.com>", "To: ada@example.com", "Auto-Submitted: auto-generated"] {
            assert!(header(&mail).iter().any(|found| found == line), "{line} is not in {mail}");
        }
        assert!(mail.contains("Message-ID: <") && mail.contains("@example.com>\r\n"), "{mail}");
        assert!(mail.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{mail}");
    }

    #[test]
    fn this_server_greets_by_its_name() {
        let greets = |url: &str| hello(url).to_string();
        assert_eq!(greets("https://live.example.com"), "live.example.com");
        assert_eq!(greets("http://192.0.2.7:3000"), "[192.0.2.7]");
        assert_eq!(greets("nowhere"), "localhost");
    }

    #[test]
    fn what_is_said_to_whom() {
        let refused = Failed::Answered { code: 550, text: "5.1.1 <eve@example.com> unknown".into() };
        assert!(refused.is_final() && !Failed::Answered { code: 451, text: String::new() }.is_final());
        assert!(refused.words().contains("answered 550"));
        let link = format!("5.7.1 blocked URL https://live.example.com/invitation/{}", "e4".repeat(32));
        assert_eq!(shortened(&link), "5.7.1 blocked URL …");
        assert_eq!(shortened(&format!("x{}\r\ny", "e4".repeat(32))), "… y");
        assert!(!refused.without_address().contains("eve"));
        let away = Failed::Unreachable("10.0.0.7 refused".into());
        assert!(!away.is_final() && !away.words().contains("10.0.0.7") && away.without_address().contains("10.0.0.7"));
    }
}
