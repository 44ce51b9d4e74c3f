//! What the pages above the organisations are built of: the table of them, their state, and who administers the installation.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::confirm::Confirm;
use super::icon::Icon;
use super::rows::keyed_rows;
use crate::backend::{SystemAdministratorRow, TenantRow};
use crate::format;
use crate::live::refresh_after;
use crate::server_fns::system::{GiveSystemRole, TakeSystemRole};

/// Where an organisation's page is.
#[must_use]
pub fn tenant_url(tenant: &TenantRow) -> String {
    format!("/system/organisation/{}", tenant.id)
}

#[component]
pub fn TenantState(#[prop(into)] is_suspended: Signal<bool>) -> impl IntoView {
    move || {
        if is_suspended.get() {
            view! { <span class="pill locked">{Icon::Locked.draw()} "suspended"</span> }.into_any()
        } else {
            view! { <span class="pill ready">{Icon::Ready.draw()} "active"</span> }.into_any()
        }
    }
}

#[component]
pub fn TenantTable(rows: Signal<Vec<TenantRow>>) -> impl IntoView {
    view! {
        <table class="tenant-table">
            <caption class="offscreen">"Organisations, by name"</caption>
            <thead>
                <tr>
                    <th scope="col">"Name"</th>
                    <th scope="col">"State"</th>
                    <th scope="col" class="number">
                        "Users"
                    </th>
                    <th scope="col" class="number">
                        "Streams"
                    </th>
                    <th scope="col" class="number">
                        "Recordings"
                    </th>
                    <th scope="col" class="number">
                        "Storage"
                    </th>
                </tr>
            </thead>
            <tbody>{keyed_rows(rows, |row| row.id, |row| view! { <Row row /> }.into_any())}</tbody>
        </table>
    }
}

#[component]
fn Row(row: Signal<TenantRow>) -> impl IntoView {
    let first = row.get_untracked();
    let number = move |read: fn(&TenantRow) -> u64| move || format::thousands(row.with(read));
    view! {
        <tr>
            <td data-label="Name" class="address">
                <span>
                    <a href=tenant_url(&first)>{move || row.with(|row| row.name.clone())}</a>
                    {first.is_own.then(|| view! { <span class="muted">" (yours)"</span> })}
                </span>
            </td>
            <td data-label="State">
                <TenantState is_suspended=Signal::derive(move || row.with(|row| row.suspended_at.is_some())) />
            </td>
            <td class="number" data-label="Users">
                {number(|row| row.users)}
            </td>
            <td class="number" data-label="Streams">
                {number(|row| row.streams)}
            </td>
            <td class="number" data-label="Recordings">
                {number(|row| row.recordings)}
            </td>
            <td class="number" data-label="Storage">
                {move || format::volume(row.with(|row| row.size_bytes))}
            </td>
        </tr>
    }
}

#[component]
pub fn SystemAdministrators(rows: Signal<Vec<SystemAdministratorRow>>) -> impl IntoView {
    let give = ServerAction::<GiveSystemRole>::new();
    refresh_after(give);
    view! {
        <section class="card" aria-labelledby="administrators">
            <h2 id="administrators">"System administrators"</h2>
            <p class="muted small">
                "They make, suspend and resume organisations, and say who else does. Of what is in other organisations than their own they see nothing."
            </p>
            <ul class="plain administrators">
                {keyed_rows(rows, |row| row.id, |row| view! { <Administrator row=row.get_untracked() /> }.into_any())}
            </ul>
            <ActionForm action=give attr:class="inline-form">
                <label class="grow">
                    "E-mail address of a user"
                    <input type="email" name="email" required maxlength="254" placeholder="Of any organisation" />
                </label>
                <button class="button">{Icon::Person.draw()} "Give the role"</button>
            </ActionForm>
        </section>
    }
}

#[component]
fn Administrator(row: SystemAdministratorRow) -> impl IntoView {
    let take = ServerAction::<TakeSystemRole>::new();
    refresh_after(take);
    let SystemAdministratorRow { id, email, organisation_name, is_suspended, is_self } = row;
    let about = format!("Take away the role of system administrator from {email}");
    let question = if is_self {
        "This is you: from then on this page is not yours any more.".to_owned()
    } else {
        format!(
            "{email} administers the installation no more, from their next request on. In their own organisation nothing changes for them."
        )
    };
    view! {
        <li>
            <span class="address">
                <span>{email} {is_self.then(|| view! { <span class="muted">" (you)"</span> })}</span>
                <small class="muted">
                    {organisation_name} {is_suspended.then_some(", which is suspended")}
                </small>
            </span>
            <Confirm label="Take away" about question=Signal::stored(question)>
                <ActionForm action=take>
                    <input type="hidden" name="user" value=id.to_string() />
                    <button class="button danger solid">"Take the role"</button>
                </ActionForm>
            </Confirm>
        </li>
    }
}
