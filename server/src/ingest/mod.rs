//! From encoders to the hub: the gate that all protocols pass, and one module a protocol. No SQL and no files.

pub mod gate;
pub mod key_check;
mod refusals;
pub mod rtmp;
mod turned_away;
pub mod usher;
pub mod webhook;
pub mod whip;

use afterlive_domain::Streamname;

/// What an encoder named, as it may be logged: people paste keys where a stream's name belongs, so that of what is no name only the length is told.
fn logged_name(name: &str) -> String {
    match name.parse::<Streamname>() {
        Ok(name) => name.to_string(),
        Err(_) => format!("{} bytes that are no stream's name", name.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_streams_name_is_logged() {
        assert_eq!(logged_name("8sKpm-x49nB"), "8sKpm-x49nB");
        assert_eq!(logged_name("8sKpm-x49nB&passcode=secret"), "27 bytes that are no stream's name");
        assert_eq!(logged_name(&"0f".repeat(32)), "64 bytes that are no stream's name");
    }
}
