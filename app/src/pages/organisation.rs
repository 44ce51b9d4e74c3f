//! `/organisation`: its name and switches, its regions, its API keys.

use afterlive_domain::Role;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::{self, ApiKeyRow};
use crate::live::{loaded, refresh_after};
use crate::server_fns::Flash;
use crate::server_fns::organisation::{CreateApiKey, RevokeApiKey, SaveOrganisation};
use crate::ui::confirm::Confirm;
use crate::ui::copy::CopyRow;
use crate::ui::embedding::EmbeddingForm;
use crate::ui::icon::Icon;
use crate::ui::make_button::MakeButton;
use crate::ui::notice::clear_after;
use crate::ui::outcome::{Outcome, is_refused, load_after_flash};
use crate::ui::people::{People, role_options};
use crate::ui::playback_secret::PlaybackSecretCard;
use crate::ui::publish_keys::PublishKeyForm;
use crate::ui::recording_settings::RecordingSettingsForm;
use crate::ui::rows::keyed_rows;
use crate::ui::second_factor::SecondFactorRuleForm;
use crate::ui::webhook::WebhookForm;
use crate::ui::when::When;

#[component]
pub fn OrganisationPage() -> impl IntoView {
    view! {
        <Title text="Organisation" />
        {loaded(Signal::stored(()), load_after_flash, skeleton, |page| view! { <Content page /> })}
    }
}

#[component]
fn Content(page: Signal<backend::OrganisationPage>) -> impl IntoView {
    let keys = Signal::derive(move || page.with(|page| page.keys.clone()));
    // Who sees the keys is an administrator, and only they may switch anything.
    let is_admin = Memo::new(move |_| keys.with(Option::is_some));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">"Organisation"</p>
                <h1>{move || page.with(|page| page.name.clone())}</h1>
            </div>
        </div>
        <div class="two-columns">
            <div class="overview-main">
                {move || {
                    if is_admin.get() {
                        view! {
                            // Beside what is loaded as it is: what is loaded in two closures gets other numbers here than in the browser.
                            <People />
                            <SecondFactorRuleForm />
                            <EventsCard />
                            <AuditCard />
                            <Keys keys=Signal::derive(move || keys.get().unwrap_or_default()) />
                        }
                            .into_any()
                    } else {
                        view! {
                            <section class="card">
                                <p class="muted">"Administrators see and change the settings, users and API keys here."</p>
                            </section>
                        }
                            .into_any()
                    }
                }} <Regions page />
            </div>
            <div class="overview-side">
                <section class="card" aria-labelledby="names">
                    <h2 id="names">"Names"</h2>
                    <CopyRow label="Hash" value=Signal::derive(move || page.with(|page| page.hash.to_string())) />
                    <CopyRow label="API base URL" value=Signal::derive(move || page.with(|page| page.api_url.clone())) />
                </section>
                {move || {
                    is_admin
                        .get()
                        .then(|| {
                            view! {
                                <Settings page />
                                <PublishKeyForm page />
                                <PlaybackSecretCard />
                                <WebhookForm page />
                                <EmbeddingForm page />
                                <RecordingSettingsForm page />
                            }
                        })
                }}
            </div>
        </div>
    }
}

#[component]
fn Settings(page: Signal<backend::OrganisationPage>) -> impl IntoView {
    let action = ServerAction::<SaveOrganisation>::new();
    refresh_after(action);
    let settings = Memo::new(move |_| page.with(|page| page.settings));
    let key_required = Memo::new(move |_| page.with(|page| page.publish_key_required));
    // The name is all that can be refused of it.
    let is_refused = is_refused("settings");
    view! {
        <section class="card" aria-labelledby="settings">
            <h2 id="settings">"Settings"</h2>
            <Outcome card="settings" />
            <ActionForm action>
                <label>
                    "Name"
                    <input
                        type="text"
                        name="name"
                        required
                        maxlength="100"
                        aria-invalid=move || is_refused.get().then_some("true")
                        aria-describedby=move || is_refused.get().then_some("settings-problem")
                        value=move || page.with(|page| page.name.clone())
                    />
                </label>
                <label class="choice">
                    <input
                        type="checkbox"
                        class="switch"
                        name="recording_enabled"
                        checked=move || settings.get().recording_enabled
                    />
                    <span>
                        <b>"Recording"</b>
                        <small class="muted">
                            "On: what is sent to " <code>"/rec"</code> " is kept. Off: " <code>"/rec"</code> " is live only."
                        </small>
                    </span>
                </label>
                <label class="choice">
                    <input type="checkbox" class="switch" name="live_public" checked=move || settings.get().live_public />
                    <span>
                        <b>"Live public"</b>
                        <small class="muted">
                            "On: what is live plays for who knows the stream's name, on every protocol, and playout pages open without signing in. "
                            "Off: a playback token, an API key or a sign-in of this organisation is needed."
                        </small>
                    </span>
                </label>
                <label class="choice">
                    <input type="checkbox" class="switch" name="vod_public" checked=move || settings.get().vod_public />
                    <span>
                        <b>"VOD public"</b>
                        <small class="muted">
                            "On: a recording plays for who has its URL, playout pages list recordings, and so do API answers without a key. "
                            "Off: the URL alone opens nothing; a playback token, an API key or a sign-in of this organisation is needed. "
                            {move || {
                                (!key_required.get())
                                    .then(|| {
                                        view! {
                                            <strong>
                                                "The streamname stands in playout answers and in the recordings' URLs, and it is all that it takes to publish: whoever sees it can send to the stream."
                                            </strong>
                                            " Require publish keys, or lock a stream when it is over."
                                        }
                                    })
                            }}
                        </small>
                    </span>
                </label>
                <p class="muted small">"Playback tokens are made on the page of a stream, under Code snippets, or by the API."</p>
                <button class="button">"Save"</button>
            </ActionForm>
        </section>
    }
}

#[component]
fn Regions(page: Signal<backend::OrganisationPage>) -> impl IntoView {
    let regions = Memo::new(move |_| page.with(|page| page.regions.clone()));
    let row = |region: backend::RegionRow| {
        view! {
            <li>
                <CopyRow
                    label=format!("{} · {}", region.region, region.region.title())
                    value=region.vod_url
                    note=if region.is_default { "recordings go here" } else { "" }
                />
            </li>
        }
    };
    view! {
        <section class="card" aria-labelledby="regions">
            <h2 id="regions">"Storage regions"</h2>
            <p class="muted small">"A recording is stored in the region that its encoder sends to; its URL begins with that region's."</p>
            <ul class="plain">{move || regions.get().into_iter().map(row).collect_view()}</ul>
        </section>
    }
}

#[component]
fn AuditCard() -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="audit">
            <div class="card-head">
                <h2 id="audit">"Audit log"</h2>
                <a class="button" href="/organisation/audit">
                    "Open the log"
                </a>
            </div>
            <p class="muted">"Who changed what, from where and when, and what was denied to whom."</p>
        </section>
    }
}

#[component]
fn EventsCard() -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="events">
            <div class="card-head">
                <h2 id="events">"Events"</h2>
                <a class="button" href="/organisation/events">
                    "Endpoints"
                </a>
            </div>
            <p class="muted">
                "Your programs can be told what happens, such as that a recording is ready, by signed webhooks."
            </p>
        </section>
    }
}

#[component]
fn Keys(#[prop(into)] keys: Signal<Vec<ApiKeyRow>>) -> impl IntoView {
    let action = ServerAction::<CreateApiKey>::new();
    refresh_after(action);
    let form = NodeRef::new();
    clear_after(form, |flash| matches!(flash, Flash::NewKey { .. }));
    let is_empty = Memo::new(move |_| keys.with(Vec::is_empty));
    view! {
        <section class="card" aria-labelledby="keys">
            <div class="card-head">
                <h2 id="keys">"API keys"</h2>
                <a class="small" href="/docs" rel="external">
                    "What programs can ask"
                </a>
            </div>
            <Outcome card="keys" />
            <p class="muted">
                {move || is_empty.get().then_some("No keys yet. ")} "Programs send one in the header " <code>"X-BINTU-APIKEY"</code>
                ", players a player key in " <code>"X-BINTU-PLAYERKEY"</code> "."
            </p>
            {move || (!is_empty.get()).then(|| view! { <KeyTable keys /> })}
            <ActionForm action node_ref=form attr:class="inline-form">
                <label class="grow">
                    "Label"
                    <input type="text" name="label" required maxlength="100" placeholder="Where it is used" />
                </label>
                <label>
                    "Role"
                    <select name="role">
                        {role_options(Role::User)} <option value="player">"player key: public, for players"</option>
                    </select>
                </label>
                <label>
                    "Good for days " <small class="muted">"(empty: until revoked)"</small>
                    <input type="number" name="days" min="1" max="3660" placeholder="until revoked" />
                </label>
                <MakeButton pending=action.pending()>
                    {Icon::Key.draw()} "Make a key"
                </MakeButton>
            </ActionForm>
        </section>
    }
}

#[component]
fn KeyTable(keys: Signal<Vec<ApiKeyRow>>) -> impl IntoView {
    let row = |key: Signal<ApiKeyRow>| view! { <KeyRow key_row=key /> }.into_any();
    view! {
        <table class="key-table">
            <caption class="offscreen">"API keys, newest first"</caption>
            <thead>
                <tr>
                    <th scope="col">"Label"</th>
                    <th scope="col">"Role"</th>
                    <th scope="col">"Begins with"</th>
                    <th scope="col">"Made " <small>"(UTC)"</small></th>
                    <th scope="col">"Last used " <small>"(UTC)"</small></th>
                    <th scope="col">"Good until " <small>"(UTC)"</small></th>
                    <th scope="col">
                        <span class="offscreen">"Revoke"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{keyed_rows(keys, |key| key.id, row)}</tbody>
        </table>
    }
}

#[component]
fn KeyRow(key_row: Signal<ApiKeyRow>) -> impl IntoView {
    let revoke = ServerAction::<RevokeApiKey>::new();
    refresh_after(revoke);
    let first = key_row.get_untracked();
    let used = Memo::new(move |_| key_row.with(|key| key.last_used_at));
    let has_expired = Memo::new(move |_| key_row.with(|key| key.has_expired));
    let question = format!("Programs that use the key “{}” are refused from then on. This cannot be undone.", first.label);
    view! {
        <tr>
            <td data-label="Label">{first.label.clone()}</td>
            <td data-label="Role">{first.role.map_or("player key", Role::as_str)}</td>
            <td data-label="Begins with">
                <code>{first.hint} "…"</code>
            </td>
            <td data-label="Made (UTC)">
                <When at=Signal::stored(first.created_at) />
            </td>
            <td data-label="Last used (UTC)">
                {move || match used.get() {
                    Some(at) => view! { <When at=Signal::stored(at) /> }.into_any(),
                    None => view! { <span class="muted">"never"</span> }.into_any(),
                }}
            </td>
            <td data-label="Good until (UTC)">
                {match first.expires_at {
                    Some(at) => view! { <When at=Signal::stored(at) /> }.into_any(),
                    None => view! { <span class="muted">"it is revoked"</span> }.into_any(),
                }} {move || has_expired.get().then(|| view! { <span class="muted">" (expired)"</span> })}
            </td>
            <td class="row-actions">
                <Confirm label="Revoke" about=format!("Revoke the key {}", first.label) question=Signal::stored(question)>
                    <ActionForm action=revoke>
                        <input type="hidden" name="key" value=first.id.to_string() />
                        <button class="button danger solid">"Revoke the key"</button>
                    </ActionForm>
                </Confirm>
            </td>
        </tr>
    }
}
