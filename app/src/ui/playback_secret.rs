//! The organisation's playback tokens, all at once: they end when another secret signs them.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::confirm::Confirm;
use super::outcome::Outcome;
use crate::live::refresh_after;
use crate::server_fns::playback::RenewPlaybackSecret;

/// For administrators.
#[component]
pub fn PlaybackSecretCard() -> impl IntoView {
    let renew = ServerAction::<RenewPlaybackSecret>::new();
    refresh_after(renew);
    let question = "Every viewer who watches with a token is refused from then on, and new tokens must be made for them. What is public plays on. This cannot be undone.";
    view! {
        <section class="card" aria-labelledby="playback-secret">
            <h2 id="playback-secret">"Playback tokens"</h2>
            <Outcome card="playback-secret" />
            <p class="muted small">
                "Single tokens are revoked on the page of a stream, or by the API. If more of them are in wrong hands than you know, end them all: another secret signs new ones."
            </p>
            <Confirm label="End all" about="End all playback tokens" question=Signal::stored(question.to_owned())>
                <ActionForm action=renew>
                    <button class="button danger solid">"End all playback tokens"</button>
                </ActionForm>
            </Confirm>
        </section>
    }
}
