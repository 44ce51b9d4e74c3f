//! What letters say: plain text, short, without a picture or a pixel. To whom they go is not checked here.

use std::fmt;

use afterlive_domain::{Role, UnixMillis};

/// A mail to one person, as it is to be read. It may have a link in it that opens an account: it lies in memory alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub body: String,
}

impl fmt::Debug for Letter {
    /// Neither the address nor the link, which belong in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(…)")
    }
}

/// What is in a letter with a link.
#[derive(Clone, Copy)]
pub struct Link<'a> {
    pub url: &'a str,
    pub expires_at: UnixMillis,
    /// Of the organisation: users' text.
    pub organisation: &'a str,
    /// Where the server is.
    pub site: &'a str,
}

impl Link<'_> {
    fn organisation(&self) -> String {
        one_line(self.organisation)
    }

    fn until(&self) -> String {
        self.expires_at
            .to_table_text()
            .rsplit_once(':')
            .map_or_else(String::new, |(to_the_minute, _)| format!("{to_the_minute} UTC"))
    }
}

/// Nobody's name begins a line of its own.
pub(super) fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.replace(breaks, " ")
}

/// To who is to become a user.
#[must_use]
pub fn invitation(to: &str, role: Role, link: Link<'_>) -> Letter {
    let (name, until, Link { url, site, .. }) = (link.organisation(), link.until(), link);
    Letter {
        to: to.to_owned(),
        subject: format!("Invitation to join {name}"),
        body: format!(
            "You are invited to join \"{name}\" as {role}, on the Afterlive server at\n{site}\n\n\
             Choose a password by this link, and you are signed in:\n\n{url}\n\n\
             It works once, until {until}. Whoever has it can use it, so pass it on to nobody.\n\n\
             You did not expect this? Then do nothing: unless the link is used, no account is made.\n"
        ),
    }
}

/// To a user for whom an administrator has made a link.
#[must_use]
pub fn new_password(to: &str, link: Link<'_>) -> Letter {
    let name = link.organisation();
    let why = format!("An administrator of \"{name}\" has made a link by which you set a new password");
    let if_not = "You did not ask for this? Then do nothing, and ask the administrator: your present password goes on.";
    password(to, &why, if_not, link)
}

/// To a user who has asked for a link at the sign-in, or for whom somebody else has.
#[must_use]
pub fn asked_for(to: &str, link: Link<'_>) -> Letter {
    let name = link.organisation();
    let why = format!("Somebody, you we hope, has asked for a new password of your account with \"{name}\"");
    let if_not = "It was not you? Then do nothing: your present password goes on, and who asked sees nothing of this mail.";
    password(to, &why, if_not, link)
}

fn password(to: &str, why: &str, if_not: &str, link: Link<'_>) -> Letter {
    let (until, Link { url, site, .. }) = (link.until(), link);
    Letter {
        to: to.to_owned(),
        subject: "A new password for Afterlive".to_owned(),
        body: format!(
            "{why}, on the Afterlive server at\n{site}\n\n\
             Set it by this link; all your sessions end then, and you are signed in:\n\n{url}\n\n\
             It works once, until {until}. Whoever has it can use it, so pass it on to nobody.\n\n{if_not}\n"
        ),
    }
}

/// From the terminal, to see whether mail arrives.
#[must_use]
pub fn test(to: &str, site: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: "A test of Afterlive's mail".to_owned(),
        body: format!(
            "This is a test that somebody sent at the terminal of the Afterlive server at\n{site}\n\n\
             It has arrived: invitations and links for new passwords will too. You need not do anything.\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://live.example.com/invitation/e41f50f4";

    fn link(organisation: &str) -> Link<'_> {
        // 2026-11-04T17:09:19.899Z.
        Link { url: URL, expires_at: UnixMillis(1_793_812_159_899), organisation, site: "https://live.example.com" }
    }

    #[test]
    fn each_says_from_where_it_is_until_when_and_what_to_do_if_it_was_not_asked_for() {
        let link = link("Chapel");
        for letter in
            [invitation("a@example.com", Role::User, link), new_password("a@example.com", link), asked_for("a@example.com", link)]
        {
            for text in ["\"Chapel\"", "at\nhttps://live.example.com\n", "until 2026-11-04 17:09 UTC", "? Then do nothing"] {
                assert!(letter.body.contains(text), "{text:?} is not in {}", letter.body);
            }
            // A line of its own, so that no program that makes it a link takes more or less.
            assert!(letter.body.contains(&format!("\n\n{URL}\n\n")), "{}", letter.body);
            assert!(letter.body.lines().all(|line| line.len() < 160), "{}", letter.body);
            assert!(!format!("{letter:?}").contains("e41f"));
        }
    }

    #[test]
    fn an_organisations_name_adds_no_line() {
        let letter =
            invitation("a@example.com", Role::User, link("Chapel\r\nBcc: eve@example.com\u{2028}\n\nhttps://evil.example/"));
        assert_eq!(letter.subject.lines().count(), 1);
        assert!(letter.body.lines().all(|line| !line.starts_with("Bcc") && !line.starts_with("https://evil")), "{}", letter.body);
    }
}
