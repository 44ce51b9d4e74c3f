//! The form for who is asked before an encoder may publish.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::outcome::{Outcome, described_by, is_refused};
use crate::backend::OrganisationPage;
use crate::live::refresh_after;
use crate::server_fns::organisation::SaveWebhook;

#[component]
pub fn WebhookForm(page: Signal<OrganisationPage>) -> impl IntoView {
    let action = ServerAction::<SaveWebhook>::new();
    refresh_after(action);
    let (is_refused, described_by) = (is_refused("webhook"), described_by("webhook"));
    let url = Memo::new(move |_| page.with(|page| page.webhook.clone().unwrap_or_default()));
    view! {
        <section class="card" aria-labelledby="webhook">
            <h2 id="webhook">"Webhook"</h2>
            <Outcome card="webhook" />
            <ActionForm action>
                <label>
                    "URL that decides who may publish"
                    <input
                        type="url"
                        name="url"
                        maxlength="2048"
                        placeholder="nobody is asked"
                        autocapitalize="none"
                        autocomplete="off"
                        spellcheck="false"
                        aria-invalid=move || is_refused.get().then_some("true")
                        aria-describedby=described_by
                        value=move || url.get()
                    />
                </label>
                <p class="muted small" id="webhook-hint">
                    "Before an encoder goes live this URL is sent a POST with the stream's name; only the answer 200 within 5 s lets it in. "
                    "While it does not answer, nobody can go live. Empty: nobody is asked."
                </p>
                <button class="button">"Save"</button>
            </ActionForm>
        </section>
    }
}
