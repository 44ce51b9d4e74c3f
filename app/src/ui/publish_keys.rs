//! Publish keys: the organisation's switch, and a stream's renewal. The key itself stands in what is copied into encoders, with the ingest.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::confirm::Confirm;
use super::icon::Icon;
use super::outcome::Outcome;
use crate::backend::{KeyInName, OrganisationPage, Overview};
use crate::live::refresh_after;
use crate::server_fns::organisation::RequirePublishKey;
use crate::server_fns::streams::RenewPublishKey;

#[component]
pub fn PublishKeyForm(page: Signal<OrganisationPage>) -> impl IntoView {
    let action = ServerAction::<RequirePublishKey>::new();
    refresh_after(action);
    let is_required = Memo::new(move |_| page.with(|page| page.publish_key_required));
    let is_recommended = Memo::new(move |_| {
        page.with(|page| !page.publish_key_required && (page.settings.live_public || page.settings.vod_public))
    });
    view! {
        <section class="card" aria-labelledby="publish-keys">
            <h2 id="publish-keys">"Publish keys"</h2>
            <Outcome card="publish-keys" />
            {move || {
                is_recommended
                    .get()
                    .then(|| {
                        view! {
                            <p class="notice warn">
                                {Icon::Info.draw()}
                                <span>
                                    "Recommended, since playback is public: the URLs and answers that viewers get have the stream's name in them, and whoever sees it can send to the stream."
                                </span>
                            </p>
                        }
                    })
            }}
            <ActionForm action>
                <label class="choice">
                    <input type="checkbox" class="switch" name="required" checked=move || is_required.get() />
                    <span>
                        <b>"Publish key required"</b>
                        <small class="muted">
                            "On: an encoder needs the stream's own key behind the name, as the stream's page shows both in one. Off: the name is enough."
                        </small>
                    </span>
                </label>
                <p class="muted small">
                    "What is on air goes on. Encoders that were set up before need the new stream key for their next publish, or are refused and told so."
                </p>
                <button class="button">"Save"</button>
            </ActionForm>
        </section>
    }
}

/// For administrators; absent where there is no key.
#[component]
pub fn PublishKeyRenewal(overview: Signal<Overview>) -> impl IntoView {
    let renew = ServerAction::<RenewPublishKey>::new();
    refresh_after(renew);
    let id = overview.with_untracked(|overview| overview.stream.id.to_string());
    let has_key = Memo::new(move |_| {
        overview.with(|overview| overview.ingest.as_ref().is_some_and(|ingest| ingest.key_in_name == KeyInName::Shown))
    });
    let question = "What is on air goes on. From their next connection on, encoders with the old stream key are refused.";
    move || {
        let id = id.clone();
        has_key.get().then(|| {
            view! {
                <Confirm label="Renew key" question=Signal::stored(question.to_owned())>
                    <ActionForm action=renew>
                        <input type="hidden" name="stream" value=id />
                        <button class="button danger solid">"Renew the publish key"</button>
                    </ActionForm>
                </Confirm>
            }
        })
    }
}
