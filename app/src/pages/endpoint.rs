//! `/organisation/events/ID`: one endpoint, its secret, and what it was told.

use afterlive_domain::{DeliveryState, EndpointId};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::skeleton;
use crate::backend::{self, Answer, BackendError};
use crate::live::{follow_growth, leave_after, loaded, refresh_after};
use crate::server_fns::events::{
    ChangeEndpoint, DeleteEndpoint, RotateEndpointSecret, SwitchEndpoint, TestEndpoint, load_endpoint,
};
use crate::ui::confirm::Confirm;
use crate::ui::copy::CopyRow;
use crate::ui::deliveries::Deliveries;
use crate::ui::endpoints::{EndpointFields, EndpointState, heading};
use crate::ui::when::When;

/// Which endpoint, and where the page of its log begins.
type Wanted = (Option<EndpointId>, Option<String>);

#[component]
pub fn EndpointPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let wanted = Memo::new(move |_| {
        let id = params.with(|params| params.get("id").and_then(|id| id.parse().ok()));
        (id, query.with(|query| query.get("after").filter(|after| !after.is_empty())))
    });
    view! {
        <Title text="Endpoint" />
        {loaded(wanted, load, skeleton, |page| view! { <Content page /> })}
    }
}

async fn load((id, after): Wanted) -> Answer<backend::EndpointPage> {
    match id {
        Some(id) => load_endpoint(id, after).await,
        None => Err(BackendError::NotFound),
    }
}

type Page = Signal<backend::EndpointPage>;

#[component]
fn Content(page: Page) -> impl IntoView {
    let id = page.with_untracked(|page| page.endpoint.id);
    let endpoint = Signal::derive(move || page.with(|page| page.endpoint.clone()));
    let is_readable = Memo::new(move |_| page.with(|page| page.endpoint.is_readable));
    let may_test = Memo::new(move |_| page.with(|page| page.endpoint.enabled && page.endpoint.is_readable));
    // Nothing tells pages of deliveries.
    follow_growth(Signal::derive(move || {
        page.with(|page| page.deliveries.iter().any(|row| !matches!(row.state, DeliveryState::Delivered | DeliveryState::Failed)))
    }));
    let test = ServerAction::<TestEndpoint>::new();
    refresh_after(test);
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">
                    <a href="/organisation/events">"Events"</a>
                </p>
                <h1 class="address">{move || endpoint.with(heading)}</h1>
                <p class="endpoint-state">
                    <EndpointState endpoint />
                </p>
            </div>
            {move || {
                may_test
                    .get()
                    .then(|| {
                        view! {
                            <ActionForm action=test>
                                <input type="hidden" name="id" value=id.to_string() />
                                <button class="button">"Send a test"</button>
                            </ActionForm>
                        }
                    })
            }}
        </div>
        <div class="two-columns">
            <div class="overview-main">
                <Deliveries page />
            </div>
            <div class="overview-side">
                {move || {
                    if is_readable.get() {
                        view! { <Settings page id /> <Secret page id /> <Switch page id /> }.into_any()
                    } else {
                        view! { <Unreadable /> }.into_any()
                    }
                }} <Delete id />
            </div>
        </div>
    }
}

/// In place of what could be changed.
#[component]
fn Unreadable() -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="unreadable">
            <h2 id="unreadable">"This endpoint cannot be read"</h2>
            <p>
                "Its URL or its signing secret is none that this version of the server knows: a later version has written it, or somebody has changed the database by hand. The server's log says which of the two it is."
            </p>
            <p>
                "It is told nothing meanwhile. What happens is kept for it, and tried for a day. Run the version that wrote it, or restore its row from a backup of the database, and it goes on by itself. Or delete it here and make another: your program then needs the new secret."
            </p>
        </section>
    }
}

#[component]
fn Settings(page: Page, id: EndpointId) -> impl IntoView {
    let action = ServerAction::<ChangeEndpoint>::new();
    refresh_after(action);
    view! {
        <section class="card" aria-labelledby="settings">
            <h2 id="settings">"Settings"</h2>
            <ActionForm action>
                <input type="hidden" name="id" value=id.to_string() />
                <EndpointFields endpoint=Signal::derive(move || page.with(|page| Some(page.endpoint.clone()))) />
                <button class="button">"Save"</button>
            </ActionForm>
        </section>
    }
}

#[component]
fn Switch(page: Page, id: EndpointId) -> impl IntoView {
    let switch = ServerAction::<SwitchEndpoint>::new();
    refresh_after(switch);
    let is_enabled = Memo::new(move |_| page.with(|page| page.endpoint.enabled));
    let question = "It is told nothing then: what waits is given up, and what happens meanwhile is not told later.";
    view! {
        <section class="card" aria-labelledby="switch">
            <h2 id="switch">"On and off"</h2>
            {move || {
                if is_enabled.get() {
                    view! {
                        <Confirm label="Switch off" about="Switch the endpoint off" question=Signal::stored(question.to_owned())>
                            <ActionForm action=switch>
                                <input type="hidden" name="id" value=id.to_string() />
                                <input type="hidden" name="enabled" value="false" />
                                <button class="button danger solid">"Switch it off"</button>
                            </ActionForm>
                        </Confirm>
                    }
                        .into_any()
                } else {
                    view! {
                        <ActionForm action=switch>
                            <input type="hidden" name="id" value=id.to_string() />
                            <input type="hidden" name="enabled" value="true" />
                            <button class="button">"Switch it on"</button>
                        </ActionForm>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

#[component]
fn Secret(page: Page, id: EndpointId) -> impl IntoView {
    let rotate = ServerAction::<RotateEndpointSecret>::new();
    refresh_after(rotate);
    let old_until = Memo::new(move |_| page.with(|page| page.old_secret_until));
    let question = "From now on a new secret signs, and for 24 hours this one too: give the new one to your program until then.";
    view! {
        <section class="card signing-secret" aria-labelledby="secret">
            <h2 id="secret">"Signing secret"</h2>
            <p class="muted small">
                "Everything is signed by the Standard Webhooks convention. Your program checks the signature with this, and believes nothing else."
            </p>
            <details>
                <summary>"Show the secret"</summary>
                <CopyRow label="Signing secret" value=Signal::derive(move || page.with(|page| page.secret.clone())) />
            </details>
            {move || {
                old_until
                    .get()
                    .map(|at| view! { <p class="muted small">"The one before signs too, until " <When at=Signal::stored(at) /> "."</p> })
            }}
            <Confirm label="Rotate" about="Rotate the signing secret" question=Signal::stored(question.to_owned()) calm=true>
                <ActionForm action=rotate>
                    <input type="hidden" name="id" value=id.to_string() />
                    <button class="button primary">"Rotate the secret"</button>
                </ActionForm>
            </Confirm>
        </section>
    }
}

#[component]
fn Delete(id: EndpointId) -> impl IntoView {
    let delete = ServerAction::<DeleteEndpoint>::new();
    let is_sent = Memo::new(move |_| delete.input().with(Option::is_some));
    leave_after(is_sent, delete);
    let question = "It is told nothing any more, what waits is not sent, and its log goes too. This cannot be undone.";
    view! {
        <section class="card" aria-labelledby="delete">
            <h2 id="delete">"Delete"</h2>
            <Confirm label="Delete" about="Delete the endpoint" question=Signal::stored(question.to_owned())>
                <ActionForm action=delete>
                    <input type="hidden" name="id" value=id.to_string() />
                    <button class="button danger solid">"Delete the endpoint"</button>
                </ActionForm>
            </Confirm>
        </section>
    }
}
