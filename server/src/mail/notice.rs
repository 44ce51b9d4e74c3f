//! Letters that tell of something that was done, without a link that opens anything.

use std::net::IpAddr;

use afterlive_domain::UnixMillis;

use super::letter::{Letter, one_line};

/// To whose second factor an administrator or the operator has taken away.
#[must_use]
pub fn second_factor_reset(to: &str, organisation: &str, site: &str) -> Letter {
    let name = one_line(organisation);
    Letter {
        to: to.to_owned(),
        subject: "Your second factor for Afterlive was reset".to_owned(),
        body: format!(
            "An administrator of \"{name}\" has reset the second factor of your account, on the Afterlive server at\n{site}\n\n\
             Your password alone signs you in now, and all your sessions have ended. Set up a second factor anew under \"Your account\".\n\n\
             You did not ask for this? Then ask the administrator, and set a new password.\n"
        ),
    }
}

/// Wrong codes of a second factor, in a row.
#[derive(Clone, Copy)]
pub struct WrongCodes<'a> {
    pub in_a_row: i64,
    /// The app's codes are taken no more.
    pub are_over: bool,
    /// When the last of them was given, and from where.
    pub at: UnixMillis,
    pub from: Option<IpAddr>,
    /// By which people may sign in besides their passwords.
    pub provider: Option<&'a str>,
}

/// To at whose second factor somebody guesses, who may be themselves.
#[must_use]
pub fn wrong_codes(to: &str, organisation: &str, site: &str, seen: WrongCodes<'_>) -> Letter {
    let WrongCodes { in_a_row, are_over, at, from, provider } = seen;
    let (name, at) = (one_line(organisation), at.to_table_text());
    let from = from.map_or_else(String::new, |address| format!(", from {}", address.to_canonical()));
    let (who, then_there) = match provider.map(one_line) {
        Some(provider) => (
            format!("your password, or your account at {provider}"),
            format!(" Change the password of your account at {provider} too, or ask who runs that."),
        ),
        None => ("your password".to_owned(), String::new()),
    };
    let state = if are_over {
        "The codes of your app are not taken any more, until you sign in with one of your recovery codes. If you have none, ask an administrator."
    } else {
        "Nobody has come in by these. From now on each further try has to wait, and a recovery code signs you in at once."
    };
    Letter {
        to: to.to_owned(),
        subject: "Wrong codes for your Afterlive account".to_owned(),
        body: format!(
            "Somebody was asked for the second factor of your account with \"{name}\", and has given {in_a_row} wrong codes in a row, \
             on the Afterlive server at\n{site}\n\n\
             The last one was at {at} UTC{from}.\n\n{state}\n\n\
             It was you? Then see that the clock of the phone is right, and wait for the next code.\n\n\
             It was not you? Then somebody has {who}. Set a new password at once, under \"Your account\"; \
             that ends all other sessions too.{then_there}\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(from: Option<IpAddr>, provider: Option<&str>) -> WrongCodes<'_> {
        // 2026-11-04T17:09:19.899Z.
        WrongCodes { in_a_row: 5, are_over: false, at: UnixMillis(1_793_812_159_899), from, provider }
    }

    fn body(seen: WrongCodes<'_>) -> String {
        wrong_codes("a@example.com", "Chapel\r\nBcc: eve@example.com", "https://live.example.com", seen).body
    }

    #[test]
    fn wrong_codes_are_told_with_when_and_from_where_and_what_to_do() {
        let mapped = "::ffff:192.0.2.7".parse().unwrap();
        let told = body(seen(Some(mapped), None));
        for text in [
            "5 wrong codes in a row",
            "at\nhttps://live.example.com\n",
            "at 2026-11-04 17:09:19 UTC, from 192.0.2.7.",
            "Then somebody has your password. Set a new password at once",
        ] {
            assert!(told.contains(text), "{text:?} is not in {told}");
        }
        assert!(told.lines().all(|line| !line.starts_with("Bcc")), "{told}");
        let told = body(seen(None, Some("Example Login")));
        assert!(told.contains("17:09:19 UTC.\n") && told.contains("your password, or your account at Example Login."), "{told}");
        let told = body(WrongCodes { in_a_row: 100, are_over: true, ..seen(None, None) });
        assert!(
            told.contains("100 wrong codes")
                && told.contains("are not taken any more, until you sign in with one of your recovery codes")
        );
    }
}
