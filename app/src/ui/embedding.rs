//! The form for which sites may show the player in a frame.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::outcome::{Outcome, described_by, is_refused};
use crate::backend::OrganisationPage;
use crate::live::refresh_after;
use crate::server_fns::organisation::SaveEmbedDomains;

#[component]
pub fn EmbeddingForm(page: Signal<OrganisationPage>) -> impl IntoView {
    let action = ServerAction::<SaveEmbedDomains>::new();
    refresh_after(action);
    let (is_refused, described_by) = (is_refused("embedding"), described_by("embedding"));
    let domains = Memo::new(move |_| page.with(|page| page.embed_domains.clone()));
    view! {
        <section class="card" aria-labelledby="embedding">
            <h2 id="embedding">"Embedding"</h2>
            <Outcome card="embedding" />
            <ActionForm action>
                <label>
                    "Sites that may show the player"
                    <input
                        type="text"
                        name="domains"
                        placeholder="every site"
                        autocapitalize="none"
                        spellcheck="false"
                        aria-invalid=move || is_refused.get().then_some("true")
                        aria-describedby=described_by
                        value=move || domains.get().to_string()
                    />
                </label>
                <p class="muted small" id="embedding-hint">
                    "Host names with spaces between them, such as " <code>"example.com *.example.org"</code>
                    ". Browsers show the player in frames of these sites only. Empty: everywhere."
                </p>
                <button class="button">"Save"</button>
            </ActionForm>
        </section>
    }
}
