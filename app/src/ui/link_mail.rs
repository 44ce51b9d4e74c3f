//! What became of the mail with a link that opens an account. The link itself is shown beside it, whatever became of the mail.

use std::time::Duration;

use leptos::prelude::*;

use super::icon::Icon;
use crate::backend::{Answer, MailFate};
use crate::live::News;
use crate::server_fns::accounts::load_mail_fate;
use crate::server_fns::system::load_system_mail_fate;

/// An answer that says *on its way* has waited for some seconds already.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// So often it is asked about; then the table of invitations tells more when the page is loaded anew.
const MOST_QUESTIONS: u32 = 12;

/// In a few words, for a table.
#[must_use]
pub fn in_short(fate: &MailFate) -> String {
    match fate {
        MailFate::Waiting { problem: None } => "The mail is on its way".to_owned(),
        MailFate::Waiting { problem: Some(problem) } => format!("Not mailed yet: {problem}"),
        MailFate::Sent => "Mailed".to_owned(),
        MailFate::Failed { problem } => format!("Not mailed: {problem}"),
    }
}

/// Asked for by who was just shown the link, until it is settled. Nothing where no mail is sent.
#[component]
pub fn LinkMail(
    email: String,
    link: String,
    /// Asked for as a system administrator.
    is_system: bool,
) -> impl IntoView {
    let secret = link.rsplit('/').next().unwrap_or_default().to_owned();
    let questions = RwSignal::new(0_u32);
    let fate = Resource::new(move || questions.get(), move |_| ask(secret.clone(), is_system));
    let news = News::of_app();
    Effect::watch(
        move || fate.get(),
        move |fate, _, _| match fate {
            Some(Ok(Some(MailFate::Waiting { problem: None }))) if questions.get_untracked() < MOST_QUESTIONS => {
                let ask = move || {
                    questions.try_update(|count| *count += 1);
                };
                set_timeout(ask, ASK_AGAIN);
            }
            // The table of invitations says so too.
            Some(Ok(Some(_))) => news.refresh(),
            _ => {}
        },
        true,
    );
    view! {
        <Transition>
            {move || {
                let email = email.clone();
                Suspend::new(async move { fate.await.ok().flatten().map(|fate| view! { <Settled fate email /> }) })
            }}
        </Transition>
    }
}

async fn ask(secret: String, is_system: bool) -> Answer<Option<MailFate>> {
    if is_system { load_system_mail_fate(secret).await } else { load_mail_fate(secret).await }
}

#[component]
fn Settled(fate: MailFate, email: String) -> impl IntoView {
    let by_hand = "Copy the link, and hand it over yourself.";
    let (icon, before, after) = match fate {
        MailFate::Waiting { problem: None } => (Icon::Info, "A mail with this link is on its way to ", ".".to_owned()),
        MailFate::Waiting { problem: Some(problem) } => (
            Icon::Incomplete,
            "It could not be sent yet to ",
            format!(": {problem}. It is tried again for half an hour. {by_hand}"),
        ),
        MailFate::Sent => (Icon::Ready, "A mail with this link was sent to ", ".".to_owned()),
        MailFate::Failed { problem } => (Icon::Failed, "It could not be sent to ", format!(": {problem}. {by_hand}")),
    };
    view! {
        <p>
            {icon.draw()}
            <span>
                {before} <strong class="address">{email}</strong> {after}
            </span>
        </p>
    }
}
