//! Letters that tell of something that was done, without a link that opens anything.

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
