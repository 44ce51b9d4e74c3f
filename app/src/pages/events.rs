//! `/organisation/events`: where the organisation's programs are told of events.

use afterlive_domain::endpoint::MAX_ENDPOINTS;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::EndpointRow;
use crate::live::{loaded, refresh_after};
use crate::server_fns::events::{CreateEndpoint, load_endpoints};
use crate::ui::endpoints::{EndpointFields, EndpointState, endpoint_path};
use crate::ui::icon::Icon;
use crate::ui::make_button::MakeButton;
use crate::ui::rows::keyed_rows;

#[component]
pub fn EventsPage() -> impl IntoView {
    view! {
        <Title text="Events" />
        {loaded(Signal::stored(()), |()| load_endpoints(), skeleton, |endpoints| view! { <Content endpoints /> })}
    }
}

#[component]
fn Content(endpoints: Signal<Vec<EndpointRow>>) -> impl IntoView {
    let count = Memo::new(move |_| endpoints.with(Vec::len));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">
                    <a href="/organisation">"Organisation"</a>
                </p>
                <h1>"Events"</h1>
            </div>
        </div>
        <div class="two-columns">
            <div class="overview-main">
                <section class="card" aria-labelledby="endpoints">
                    <h2 id="endpoints">"Endpoints"</h2>
                    {move || {
                        if count.get() == 0 {
                            view! {
                                <p class="muted">
                                    "None yet. An endpoint is a URL of yours that is told what happens, such as that a recording is ready: by a signed POST, at once, and again until it answers."
                                </p>
                            }
                                .into_any()
                        } else {
                            view! { <EndpointTable endpoints /> }.into_any()
                        }
                    }}
                </section>
            </div>
            <div class="overview-side">
                {move || {
                    if count.get() < MAX_ENDPOINTS {
                        view! { <CreateForm /> }.into_any()
                    } else {
                        view! {
                            <section class="card">
                                <p class="muted">{format!("There are {MAX_ENDPOINTS}, which is the most.")}</p>
                            </section>
                        }
                            .into_any()
                    }
                }}
            </div>
        </div>
    }
}

#[component]
fn CreateForm() -> impl IntoView {
    let action = ServerAction::<CreateEndpoint>::new();
    refresh_after(action);
    view! {
        <section class="card" aria-labelledby="new-endpoint">
            <h2 id="new-endpoint">"Add an endpoint"</h2>
            <ActionForm action>
                <EndpointFields endpoint=Signal::stored(None) />
                <MakeButton pending=action.pending()>
                    {Icon::Plus.draw()} "Add the endpoint"
                </MakeButton>
            </ActionForm>
        </section>
    }
}

#[component]
fn EndpointTable(endpoints: Signal<Vec<EndpointRow>>) -> impl IntoView {
    let row = |endpoint: Signal<EndpointRow>| view! { <EndpointTableRow endpoint /> }.into_any();
    view! {
        <table class="key-table">
            <caption class="offscreen">"Endpoints, oldest first"</caption>
            <thead>
                <tr>
                    <th scope="col">"URL"</th>
                    <th scope="col">"Told of"</th>
                    <th scope="col">"State"</th>
                    <th scope="col">
                        <span class="offscreen">"Open"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{keyed_rows(endpoints, |endpoint| endpoint.id, row)}</tbody>
        </table>
    }
}

#[component]
fn EndpointTableRow(endpoint: Signal<EndpointRow>) -> impl IntoView {
    let text = move |of: fn(&EndpointRow) -> String| move || endpoint.with(of);
    view! {
        <tr>
            <td data-label="URL" class="address">
                {text(|row| row.url.clone())}
            </td>
            <td data-label="Told of">{text(|row| row.kinds.to_string().replace(' ', ", "))}</td>
            <td data-label="State">
                <EndpointState endpoint />
            </td>
            <td class="row-actions">
                <a class="button" href=text(endpoint_path) aria-label=text(|row| format!("Open {}", row.url))>
                    "Open"
                </a>
            </td>
        </tr>
    }
}
