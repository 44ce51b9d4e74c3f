//! The section `[mail]`: the one server through which mail goes, and from whom it is.

use std::fmt;
use std::net::IpAddr;

use toml::Value;
use url::Host;

use super::reader::{Reader, Setting, from_text};
use crate::mail::Sender;

/// Where mail is handed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// A host name or an address. It is the operator's word, so that it may lead into a private network.
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    /// User and password. `None`: the server takes mail from this one as it is.
    pub sign_in: Option<(String, Password)>,
    pub from: Sender,
}

/// How the way to the mail server is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encryption {
    /// By STARTTLS, which is insisted on.
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

/// Shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Encryption {
    /// Where such a server listens (RFC 8314, RFC 5321).
    fn default_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

impl Mail {
    /// `None` where no server is named, and where something is wrong, which is refused.
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        // All keys are read, so that one with a fault is told also where it does not count.
        let is_given = |reader: &Reader, key: &str| !reader.place(key).is_empty();
        let (names_host, names_from) = (is_given(reader, "mail.host"), is_given(reader, "mail.from"));
        let host: Option<MailHost> = reader.take_option("mail.host");
        let encryption = reader.take("mail.encryption", Encryption::StartTls);
        let port = reader.take_in("mail.port", u64::from(encryption.default_port()), 1..=65_535);
        let may_be_plain = reader.take("mail.allow_unencrypted", false);
        let user: Option<String> = reader.take_option("mail.user");
        let password = reader.take_secret("mail.password").map(Password);
        let from: Option<Sender> = reader.take_option("mail.from");
        let Some(MailHost(host)) = host else {
            if !names_host && (user.is_some() || password.is_some() || from.is_some()) {
                reader.refuse("mail.host", "the mail server must be named too");
            }
            return None;
        };
        if encryption == Encryption::None && !may_be_plain && !is_this_machine(&host) {
            reader.refuse(
                "mail.encryption",
                format!("{host} is another machine: without encryption whoever listens on the way reads links that open accounts. Use starttls or tls, or set mail.allow_unencrypted"),
            );
        }
        let sign_in = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (Some(_), None) => {
                reader.refuse("mail.password", "the password of mail.user must be given too, here or by mail.password_file");
                None
            }
            (None, Some(_)) => {
                reader.refuse("mail.user", "whose mail.password it is must be given too");
                None
            }
            (None, None) => None,
        };
        let Some(from) = from else {
            if !names_from {
                reader.refuse("mail.from", "from whom mail is must be given too, such as \"Afterlive <noreply@example.com>\"");
            }
            return None;
        };
        Some(Self { host, port: u16::try_from(port).unwrap_or_default(), encryption, sign_in, from })
    }
}

/// Whether nothing that is sent there leaves the machine.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A host name, or an address, without the brackets that URLs put around one of version 6.
struct MailHost(String);

impl Setting for MailHost {
    fn from_value(value: &Value) -> Result<Self, String> {
        let wrong = || format!("{value} is not a host name or an address, such as mail.example.com; the port is mail.port");
        let text = value.as_str().map(str::trim).ok_or_else(wrong)?;
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) => Ok(Self(name)),
            _ => Err(wrong()),
        }
    }
}

impl Setting for Sender {
    fn from_value(value: &Value) -> Result<Self, String> {
        from_text(value, "an e-mail address, such as noreply@example.com or \"Afterlive <noreply@example.com>\"")
    }
}

impl Setting for Encryption {
    fn from_value(value: &Value) -> Result<Self, String> {
        match value.as_str() {
            Some("starttls") => Ok(Self::StartTls),
            Some("tls") => Ok(Self::Tls),
            Some("none") => Ok(Self::None),
            _ => Err(format!("{value} is not starttls, tls or none")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Error};
    use super::*;

    fn read(text: &str) -> Result<Option<Mail>, Error> {
        Config::from_sources(Some(("afterlive.toml".to_owned(), text)), []).map(|config| config.mail)
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        let Err(Error(problems)) = read(text) else { panic!("it is taken: {text}") };
        let [problem] = problems.try_into().unwrap_or_else(|problems| panic!("{problems:?}"));
        problem.to_string()
    }

    #[test]
    fn a_server_is_named_in_three_lines_and_encryption_says_the_port() {
        assert_eq!(read("").unwrap(), None);
        let mail = |encryption: &str| {
            let text = format!("[mail]\nhost = \"Mail.Example.com\"\nfrom = \"Live <noreply@example.com>\"\n{encryption}");
            read(&text).unwrap().unwrap()
        };
        let first = mail("");
        assert_eq!((first.host.as_str(), first.port, first.encryption), ("mail.example.com", 587, Encryption::StartTls));
        assert_eq!((first.from.to_string().as_str(), first.sign_in), ("Live <noreply@example.com>", None));
        assert_eq!(mail("encryption = \"tls\"").port, 465);
        assert_eq!(mail("encryption = \"none\"\nallow_unencrypted = true").port, 25);
        assert_eq!(mail("port = 2525").port, 2525);
    }

    #[test]
    fn without_encryption_mail_leaves_this_machine_only_where_somebody_said_so() {
        let text = |host: &str| format!("[mail]\nhost = \"{host}\"\nfrom = \"a@example.com\"\nencryption = \"none\"\n");
        for here in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"] {
            read(&text(here)).unwrap().unwrap();
        }
        for elsewhere in ["mail.example.com", "192.168.1.2", "10.0.0.1", "fe80::1", "localhost.example.com"] {
            let problem = refused(&text(elsewhere));
            assert!(problem.starts_with("mail.encryption:") && problem.contains("mail.allow_unencrypted"), "{problem}");
            read(&(text(elsewhere) + "allow_unencrypted = true\n")).unwrap().unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_a_password_is_repeated_nowhere() {
        for (key, text) in [
            ("mail.from", "host = \"a\""),
            ("mail.host", "from = \"a@example.com\""),
            ("mail.host", "host = \"mail.example.com:587\"\nfrom = \"a@example.com\""),
            ("mail.host", "host = \"smtp://mail.example.com\"\nfrom = \"a@example.com\""),
            ("mail.from", "host = \"a\"\nfrom = \"a@example.com\\r\\nBcc: b@example.com\""),
            ("mail.from", "host = \"a\"\nfrom = \"nobody\""),
            ("mail.from", "host = \"a\"\nfrom = \"a@example.com, b@example.com\""),
            ("mail.encryption", "host = \"a\"\nfrom = \"a@example.com\"\nencryption = \"ssl\""),
            ("mail.port", "host = \"a\"\nfrom = \"a@example.com\"\nport = 65536"),
            ("mail.password", "host = \"a\"\nfrom = \"a@example.com\"\nuser = \"u\""),
            ("mail.user", "host = \"a\"\nfrom = \"a@example.com\"\npassword = \"hunter2hunter2\""),
        ] {
            let problem = refused(&format!("[mail]\n{text}\n"));
            assert!(problem.starts_with(key), "{text}: {problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        let text = "[mail]\nhost = \"a\"\nfrom = \"a@example.com\"\nuser = \"u\"\npassword = \"hunter2hunter2\"\n";
        let config = Config::from_sources(Some(("afterlive.toml".to_owned(), text)), []).unwrap();
        assert_eq!(config.mail.as_ref().unwrap().sign_in, Some(("u".to_owned(), Password("hunter2hunter2".to_owned()))));
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }
}
