//! What the provider says of itself (OpenID Connect Discovery 1.0), and what of that is believed. Asks nobody.

use serde::Deserialize;
use url::Url;

use super::wire::Wire;
use crate::config::Issuer;

/// Below the issuer.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What is used of it. All URLs were found to be safe.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether what comes back by the browser names who sends it (RFC 9207).
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    pub(super) names_itself: bool,
}

/// How we say who we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClientSays {
    Basic,
    InForm,
}

/// Where it says that.
pub(super) fn url(issuer: &Issuer) -> Option<Url> {
    format!("{}{WELL_KNOWN}", issuer.text.trim_end_matches('/')).parse().ok()
}

impl Metadata {
    /// # Errors
    /// A clause that says what is wrong.
    pub(super) fn read(document: &[u8], issuer: &Issuer, wire: &Wire) -> Result<Self, String> {
        let read: Self =
            serde_json::from_slice(document).map_err(|_| "it is no JSON with what OpenID Connect asks for".to_owned())?;
        // Else one provider could speak for another (Discovery §4.3).
        if read.issuer != issuer.text {
            return Err(format!("it calls itself {:?}, and oidc.issuer must be that, letter for letter", shown(&read.issuer)));
        }
        let urls = [
            ("authorization_endpoint", Some(&read.authorization_endpoint)),
            ("token_endpoint", Some(&read.token_endpoint)),
            ("jwks_uri", Some(&read.jwks_uri)),
            ("userinfo_endpoint", read.userinfo_endpoint.as_ref()),
            ("end_session_endpoint", read.end_session_endpoint.as_ref()),
        ];
        let unsafe_one = urls.into_iter().find(|(_, url)| url.is_some_and(|url| !wire.is_safe(url))).map(|(name, _)| name);
        unsafe_one.map_or(Ok(read), |name| Err(format!("its {name} is not reached by https")))
    }

    /// By the first of the two that it knows; a provider that says nothing knows the first (Discovery §3).
    pub(super) fn client_says(&self) -> ClientSays {
        let knows = |method: &str| {
            self.token_endpoint_auth_methods_supported.as_ref().is_none_or(|known| known.iter().any(|known| known == method))
        };
        if !knows("client_secret_basic") && knows("client_secret_post") { ClientSays::InForm } else { ClientSays::Basic }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn issuer(text: &str) -> Issuer {
        Issuer { text: text.to_owned(), url: text.parse().unwrap() }
    }

    fn document(base: &str) -> Value {
        json!({
            "issuer": base, "authorization_endpoint": format!("{base}/auth"), "token_endpoint": format!("{base}/token"),
            "jwks_uri": format!("{base}/jwks"), "something_else": [1, 2],
        })
    }

    fn read(issuer: &Issuer, document: &Value) -> Result<Metadata, String> {
        Metadata::read(document.to_string().as_bytes(), issuer, &Wire::new(issuer.clone()))
    }

    #[test]
    fn it_is_asked_below_its_name_with_or_without_a_slash() {
        for text in ["https://a.example.com/realms/x", "https://a.example.com/realms/x/"] {
            let found = url(&issuer(text)).unwrap();
            assert_eq!(found.as_str(), "https://a.example.com/realms/x/.well-known/openid-configuration");
        }
    }

    #[test]
    fn who_calls_itself_otherwise_or_leads_out_of_tls_is_not_believed() {
        let ours = issuer("https://a.example.com");
        let fine = read(&ours, &document("https://a.example.com")).unwrap();
        assert_eq!((fine.client_says(), fine.names_itself), (ClientSays::Basic, false));
        assert!(read(&ours, &document("https://a.example.com/")).unwrap_err().contains("oidc.issuer"));
        assert!(read(&ours, &json!({ "issuer": "https://a.example.com" })).is_err());
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"] {
            for url in [
                "http://a.example.com/x",
                "http://127.0.0.1/x",
                "file:///etc/passwd",
                "javascript:alert(1)",
                "https://u:p@a.example.com",
            ] {
                let mut wrong = document("https://a.example.com");
                wrong[name] = json!(url);
                assert!(read(&ours, &wrong).unwrap_err().contains(name), "{name} {url}");
            }
        }
        // On this machine there is nobody in between, and from there nothing leads elsewhere without TLS.
        let here = issuer("http://127.0.0.1:9");
        assert!(read(&here, &document("http://127.0.0.1:9")).is_ok());
        let mut elsewhere = document("http://127.0.0.1:9");
        elsewhere["jwks_uri"] = json!("http://169.254.169.254/latest");
        assert!(read(&here, &elsewhere).unwrap_err().contains("jwks_uri"));
    }

    #[test]
    fn the_secret_goes_where_the_provider_takes_it() {
        let ours = issuer("https://a.example.com");
        let says = |methods: Value| {
            let mut document = document("https://a.example.com");
            document["token_endpoint_auth_methods_supported"] = methods;
            read(&ours, &document).unwrap().client_says()
        };
        assert_eq!(says(json!(["client_secret_post"])), ClientSays::InForm);
        assert_eq!(says(json!(["client_secret_post", "client_secret_basic"])), ClientSays::Basic);
        assert_eq!(says(Value::Null), ClientSays::Basic);
    }
}
