//! The short texts that people type: names, labels, e-mail addresses.

use afterlive_domain::Error;
use unicode_normalization::UnicodeNormalization as _;

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

/// What is not seen, or turns around what is: with it two addresses that look alike would be two users. Unicode's *Default_Ignorable_Code_Point*, the marks of
/// interlinear text, and an empty pattern of Braille.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// An address as it is stored and compared: trimmed, in lower case, an ä in one letter, and letters of full width as the plain ones (NFKC). Only mail sent to it could tell whether it is one.
pub(super) fn email(text: &str) -> Result<String, Error> {
    let email: String = text.trim().nfkc().collect::<String>().to_lowercase().nfkc().collect();
    if email.is_empty() {
        return Err(Error::ParameterRequired { parameter: "email".to_owned() });
    }
    let parts = email.rsplit_once('@');
    let fine = parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && email.len() <= MAX_EMAIL_BYTES
        && !email.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c));
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
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a da@example.com",
            "ada@ex\u{0}ample.com",
            "ad\u{200b}a@example.com",
            "ada\u{fe0f}@example.com",
            "ada@ex\u{3164}ample.com",
            "ada@moc\u{202e}.example",
        ] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert_eq!(email("\u{ff21}da@example.com").unwrap(), "ada@example.com");
        assert_eq!(email("ja\u{308}n@example.com"), email("J\u{c4}N@example.com"));
    }

    #[test]
    fn a_name_is_trimmed_and_short() {
        assert_eq!(name("name", "  St. Mary ").unwrap(), "St. Mary");
        assert_eq!(name("name", " \t"), Err(Error::ParameterRequired { parameter: "name".to_owned() }));
        assert!(name("name", &"ä".repeat(100)).is_ok());
        assert!(name("name", &"ä".repeat(101)).is_err());
    }
}
