//! What an endpoint was told, or is to be: the log, and sending again.

use afterlive_domain::{DeliveryState, EndpointId};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::icon::Icon;
use super::rows::keyed_rows;
use super::when::When;
use crate::backend::{DeliveryRow, EndpointPage};
use crate::live::refresh_after;
use crate::query::with_query;
use crate::server_fns::events::ResendDelivery;

#[component]
pub fn Deliveries(page: Signal<EndpointPage>) -> impl IntoView {
    let id = page.with_untracked(|page| page.endpoint.id);
    let rows = Signal::derive(move || page.with(|page| page.deliveries.clone()));
    let is_empty = Memo::new(move |_| rows.with(Vec::is_empty));
    let next = Memo::new(move |_| page.with(|page| page.next.clone()));
    let is_enabled = Memo::new(move |_| page.with(|page| page.endpoint.enabled));
    let query = use_query_map();
    let is_older = Memo::new(move |_| query.with(|query| query.get("after").is_some_and(|after| !after.is_empty())));
    let path = move || format!("/organisation/events/{id}");
    let row = move |delivery: Signal<DeliveryRow>| view! { <Row delivery endpoint=id is_enabled /> }.into_any();
    view! {
        <section class="card" aria-labelledby="deliveries">
            <h2 id="deliveries">"What it was told"</h2>
            {move || {
                if is_empty.get() {
                    let text = if is_enabled.get() {
                        "Nothing yet. Send a test, or go live."
                    } else {
                        "Nothing yet, and nothing while it is switched off."
                    };
                    view! { <p class="muted">{text}</p> }.into_any()
                } else {
                    view! {
                        <table class="key-table">
                            <caption class="offscreen">"Deliveries, newest first"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">"Event"</th>
                                    <th scope="col">"Happened " <small>"(UTC)"</small></th>
                                    <th scope="col">"State"</th>
                                    <th scope="col">"Last try"</th>
                                    <th scope="col">
                                        <span class="offscreen">"Send again"</span>
                                    </th>
                                </tr>
                            </thead>
                            <tbody>{keyed_rows(rows, |delivery| delivery.id, row)}</tbody>
                        </table>
                    }
                        .into_any()
                }
            }}
            {move || {
                (is_older.get() || next.with(Option::is_some))
                    .then(|| {
                        view! {
                            <nav class="pager" aria-label="Pages">
                                {is_older
                                    .get()
                                    .then(|| {
                                        view! {
                                            <a class="button quiet" href=path()>
                                                {Icon::Previous.draw()}
                                                "Newest"
                                            </a>
                                        }
                                    })}
                                {next
                                    .get()
                                    .map(|after| {
                                        view! {
                                            <a class="button quiet" rel="next" href=with_query(&path(), &[("after", &after)])>
                                                {Icon::Next.draw()}
                                                "Older"
                                            </a>
                                        }
                                    })}
                            </nav>
                        }
                    })
            }}
        </section>
    }
}

fn state_icon(state: DeliveryState) -> (Icon, &'static str) {
    match state {
        DeliveryState::Queued => (Icon::Created, "created"),
        DeliveryState::Waiting => (Icon::Incomplete, "incomplete"),
        DeliveryState::Sending => (Icon::Recording, "ended"),
        DeliveryState::Delivered => (Icon::Ready, "ready"),
        DeliveryState::Failed => (Icon::Failed, "failed"),
    }
}

/// What came of the last try, in words.
fn last_try(row: &DeliveryRow) -> String {
    let tries = match row.attempts {
        0 => return row.last_reason.clone().unwrap_or_else(|| "none yet".to_owned()),
        1 => "1 try".to_owned(),
        more => format!("{more} tries"),
    };
    let what = match (&row.last_reason, row.last_status) {
        (Some(reason), _) => format!(": {reason}"),
        (None, Some(status)) => format!(": it answered {status}"),
        (None, None) => String::new(),
    };
    tries + &what
}

#[component]
fn Row(delivery: Signal<DeliveryRow>, endpoint: EndpointId, is_enabled: Memo<bool>) -> impl IntoView {
    let resend = ServerAction::<ResendDelivery>::new();
    refresh_after(resend);
    let first = delivery.get_untracked();
    let state = Memo::new(move |_| delivery.with(|row| row.state));
    let next_at = Memo::new(move |_| delivery.with(|row| row.next_at));
    let may_resend =
        Memo::new(move |_| is_enabled.get() && !matches!(state.get(), DeliveryState::Queued | DeliveryState::Sending));
    let (asset, stream) = (first.asset, first.stream);
    let has_stream = Memo::new(move |_| delivery.with(|row| row.has_stream));
    let about = move || match (asset, stream) {
        (Some(asset), _) => view! { <a href=format!("/vod/{asset}")>"recording"</a> }.into_any(),
        (None, Some(stream)) if has_stream.get() => view! { <a href=format!("/stream/{stream}")>"stream"</a> }.into_any(),
        (None, Some(_)) => "stream (deleted)".into_any(),
        (None, None) => ().into_any(),
    };
    let label = format!("Send {} again", first.kind);
    view! {
        <tr>
            <td data-label="Event">
                <code>{first.kind.clone()}</code>
                " "
                {about}
            </td>
            <td data-label="Happened (UTC)">
                <When at=Signal::stored(first.at) />
            </td>
            <td data-label="State">
                {move || {
                    let (icon, class) = state_icon(state.get());
                    view! { <span class=format!("pill {class}")>{icon.draw()} {state.get().as_str()}</span> }
                }}
            </td>
            <td data-label="Last try" class="address">
                {move || delivery.with(last_try)}
                {move || {
                    next_at.get().map(|at| view! { <small class="muted">" Next: " <When at=Signal::stored(at) /></small> })
                }}
            </td>
            <td class="row-actions">
                {move || {
                    let label = label.clone();
                    may_resend
                        .get()
                        .then(|| {
                            view! {
                                <ActionForm action=resend>
                                    <input type="hidden" name="delivery" value=first.id.to_string() />
                                    <input type="hidden" name="endpoint" value=endpoint.to_string() />
                                    <button class="button quiet" aria-label=label>
                                        "Send again"
                                    </button>
                                </ActionForm>
                            }
                        })
                }}
            </td>
        </tr>
    }
}
