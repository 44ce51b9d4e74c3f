//! Mail to people, through the one server that the operator names: what a letter says, how it is handed over by SMTP, and the queue in which it waits. Who gets
//! one, and why, is `service`'s; what becomes of it is written beside the link that is in it.
//!
//! The mail server is the operator's word, so `dial`, which keeps users' URLs out of private networks, is not asked.

mod heard;
mod letter;
mod notice;
mod outbox;
mod smtp;

pub use letter::{Letter, Link, asked_for, invitation, new_password, test};
pub use notice::{WrongCodes, second_factor_reset, wrong_codes};
pub use outbox::{LOST_AFTER_MS, Mailer, Outbox, Posting, Settings};
pub use smtp::{Failed, Sender, Smtp};
