//! The section `[oidc]`: the one provider by which people may sign in besides their passwords.

use std::net::IpAddr;

use toml::Value;
use url::Url;

use super::mail::Password;
use super::reader::{Reader, Setting, from_text};

/// What is asked for where the settings say nothing else.
const SCOPES: &str = "openid email";

/// An OpenID provider that the operator trusts to say who somebody is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Oidc {
    pub issuer: Issuer,
    pub client_id: String,
    pub client_secret: Password,
    /// What people call it, on buttons.
    pub name: String,
    /// With spaces between them.
    pub scopes: String,
    /// Whether a user is who the provider says has the user's address: the operator's word that the provider lets nobody claim somebody else's.
    pub match_verified_email: bool,
    /// Whether the provider asks people for a second factor, by the operator's word: where an organisation asks everybody for one, who comes by the provider need not
    /// set one up here.
    pub asks_second_factor: bool,
}

/// As the provider writes it itself, letter for letter, and as a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issuer {
    pub text: String,
    pub url: Url,
}

impl Oidc {
    /// `None` where no issuer is named, and where something is wrong, which is refused.
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        // All keys are read, so that one with a fault is told also where it does not count.
        let names_issuer = !reader.place("oidc.issuer").is_empty();
        let issuer: Option<Issuer> = reader.take_option("oidc.issuer");
        let client_id: Option<String> = reader.take_option("oidc.client_id");
        let client_secret = reader.take_secret("oidc.client_secret").map(Password);
        let name: String = reader.take("oidc.name", "single sign-on".to_owned());
        let scopes: String = reader.take("oidc.scopes", SCOPES.to_owned());
        let match_verified_email = reader.take("oidc.match_verified_email", false);
        let asks_second_factor = reader.take("oidc.asks_second_factor", false);
        let Some(issuer) = issuer else {
            if !names_issuer && (client_id.is_some() || client_secret.is_some()) {
                reader.refuse("oidc.issuer", "the provider must be named too");
            }
            return None;
        };
        if !scopes.split(' ').any(|scope| scope == "openid") {
            reader.refuse("oidc.scopes", "openid must be among them");
        }
        if name.trim().is_empty() || name.chars().count() > 40 || name.chars().any(char::is_control) {
            reader.refuse("oidc.name", "it must be a name of 40 characters at most, such as Example Login");
        }
        let mut given = |key: &str, value: Option<String>| {
            let value = value.filter(|value| !value.is_empty());
            if value.is_none() {
                reader.refuse(key, "the provider gives it to who is registered there, and it must be given too");
            }
            value
        };
        let client_id = given("oidc.client_id", client_id);
        let client_secret = given("oidc.client_secret", client_secret.map(|Password(secret)| secret)).map(Password);
        let (client_id, client_secret) = (client_id?, client_secret?);
        Some(Self {
            issuer,
            client_id,
            client_secret,
            name: name.trim().to_owned(),
            scopes,
            match_verified_email,
            asks_second_factor,
        })
    }
}

impl Issuer {
    /// Whether it is on this machine, where nobody listens in between.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        is_this_machine(&self.url)
    }
}

/// Whether the URL leads to this machine whatever names are looked up.
#[must_use]
pub fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

impl Setting for Issuer {
    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = "an https:// URL without a query, such as https://login.example.com (http:// only on this machine)";
        let url: Url = from_text(value, expected)?;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_this_machine(&url);
        let text = value.as_str().map(str::trim).unwrap_or_default().to_owned();
        if is_plain && is_safe && url.has_host() { Ok(Self { text, url }) } else { Err(format!("it is not {expected}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Error};
    use super::*;

    fn read(text: &str) -> Result<Option<Oidc>, Error> {
        Config::from_sources(Some(("afterlive.toml".to_owned(), text)), []).map(|config| config.oidc)
    }

    #[track_caller]
    fn refused(text: &str) -> Vec<String> {
        let Err(Error(problems)) = read(text) else { panic!("it is taken: {text}") };
        problems.iter().map(|problem| problem.key.clone()).collect()
    }

    #[test]
    fn a_provider_is_named_in_three_lines_and_its_name_for_itself_is_kept_letter_for_letter() {
        assert_eq!(read("").unwrap(), None);
        let text = "[oidc]\nissuer = \"https://Login.Example.com/\"\nclient_id = \"afterlive\"\nclient_secret = \"s\"\n";
        let oidc = read(text).unwrap().unwrap();
        assert_eq!(
            (oidc.issuer.text.as_str(), oidc.issuer.url.as_str()),
            ("https://Login.Example.com/", "https://login.example.com/")
        );
        assert_eq!(
            (oidc.name.as_str(), oidc.scopes.as_str(), oidc.match_verified_email, oidc.asks_second_factor),
            ("single sign-on", "openid email", false, false)
        );
        assert!(!format!("{oidc:?}").contains("\"s\""));
    }

    #[test]
    fn who_listens_on_the_way_is_kept_out_and_what_is_missing_is_said() {
        let whole = |issuer: &str| format!("[oidc]\nissuer = \"{issuer}\"\nclient_id = \"a\"\nclient_secret = \"s\"\n");
        for fine in ["https://a.example.com/realms/x", "http://localhost:8080/realms/x", "http://127.0.0.1:1", "http://[::1]:1"] {
            assert!(read(&whole(fine)).unwrap().is_some(), "{fine}");
        }
        for wrong in
            ["http://a.example.com", "http://localhost.example.com", "https://u:p@a.example.com", "https://a.example.com?x", "a"]
        {
            assert_eq!(refused(&whole(wrong)), ["oidc.issuer"], "{wrong}");
        }
        assert_eq!(refused("[oidc]\nclient_id = \"a\"\n"), ["oidc.issuer"]);
        assert_eq!(refused("[oidc]\nissuer = \"https://a.example.com\"\n"), ["oidc.client_id", "oidc.client_secret"]);
        assert_eq!(refused(&format!("{}scopes = \"email\"\n", whole("https://a.example.com"))), ["oidc.scopes"]);
    }
}
