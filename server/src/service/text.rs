//! The short texts that people type: names, labels, e-mail addresses.

use afterlive_domain::Error;

/// The most characters of a name or a label.
pub const MAX_NAME_CHARS: usize = 100;
/// The most bytes of an e-mail address (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_EMAIL_BYTES: usize = 254;

/// A trimmed name or label for people.
pub(super) fn name(parameter: &str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::ParameterRequired { parameter: parameter.to_owned() });
    }
    if text.chars().count() > MAX_NAME_CHARS || text.chars().any(char::is_control) {
        let expected = format!("at most {MAX_NAME_CHARS} characters, none of them a control character");
        return Err(Error::WrongType { parameter: parameter.to_owned(), expected });
    }
    Ok(text.to_owned())
}

/// An address as it is stored and compared: trimmed, in lower case. Only mail sent to it could tell whether it is one.
pub(super) fn email(text: &str) -> Result<String, Error> {
    let email = text.trim().to_lowercase();
    if email.is_empty() {
        return Err(Error::ParameterRequired { parameter: "email".to_owned() });
    }
    let parts = email.rsplit_once('@');
    let fine = parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && email.len() <= MAX_EMAIL_BYTES
        && !email.chars().any(|c| c.is_control() || c.is_whitespace());
    if fine {
        Ok(email)
    } else {
        Err(Error::WrongType { parameter: "email".to_owned(), expected: "an e-mail address".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_in_lower_case() {
        assert_eq!(email(" Ada@Example.COM\n").unwrap(), "ada@example.com");
        for bad in ["", "ada", "@example.com", "ada@", "a da@example.com", "ada@ex\u{0}ample.com"] {
            assert!(email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_trimmed_and_short() {
        assert_eq!(name("name", "  St. Mary ").unwrap(), "St. Mary");
        assert_eq!(name("name", " \t"), Err(Error::ParameterRequired { parameter: "name".to_owned() }));
        assert!(name("name", &"ä".repeat(100)).is_ok());
        assert!(name("name", &"ä".repeat(101)).is_err());
    }
}
