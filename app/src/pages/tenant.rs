//! `/system/organisation/ID`: one organisation from above. What is in it is not shown: only who administers it, and how large it is.

use afterlive_domain::OrganisationId;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use super::skeleton;
use crate::backend::{self, Answer, BackendError, TenantAdministratorRow, TenantInvitationRow};
use crate::format;
use crate::live::{loaded, refresh_after};
use crate::server_fns::Flash;
use crate::server_fns::system::{InviteAdministrator, RenameOrganisation, ResumeOrganisation, SuspendOrganisation, load_tenant};
use crate::ui::confirm::Confirm;
use crate::ui::copy::CopyRow;
use crate::ui::icon::Icon;
use crate::ui::make_button::MakeButton;
use crate::ui::notice::clear_after;
use crate::ui::system::TenantState;
use crate::ui::when::When;

#[component]
pub fn TenantPage() -> impl IntoView {
    let params = use_params_map();
    let wanted = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse().ok())));
    view! {
        <Title text="Organisation" />
        {loaded(wanted, load, skeleton, |page| view! { <Content page /> })}
    }
}

async fn load(organisation: Option<OrganisationId>) -> Answer<backend::TenantPage> {
    match organisation {
        Some(organisation) => load_tenant(organisation).await,
        None => Err(BackendError::NotFound),
    }
}

type Page = Signal<backend::TenantPage>;

#[component]
fn Content(page: Page) -> impl IntoView {
    let is_suspended = Memo::new(move |_| page.with(|page| page.tenant.suspended_at.is_some()));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">
                    <a href="/system">"System"</a>
                </p>
                <h1 class="address">{move || page.with(|page| page.tenant.name.clone())}</h1>
                <p>
                    <TenantState is_suspended />
                </p>
            </div>
        </div>
        <div class="two-columns">
            <div class="overview-main">
                <Administrators page /> <Figures page />
            </div>
            <div class="overview-side">
                <Names page /> <Switch page />
            </div>
        </div>
    }
}

#[component]
fn Figures(page: Page) -> impl IntoView {
    let fact = move |name: &'static str, read: fn(&backend::TenantRow) -> String| {
        view! {
            <div>
                <dt>{name}</dt>
                <dd>{move || page.with(|page| read(&page.tenant))}</dd>
            </div>
        }
    };
    let created_at = page.with_untracked(|page| page.tenant.created_at);
    view! {
        <section class="card" aria-labelledby="figures">
            <h2 id="figures">"How large it is"</h2>
            <dl class="facts">
                {fact("Users", |tenant| format::thousands(tenant.users))}
                {fact("Streams", |tenant| format::thousands(tenant.streams))}
                {fact("Recordings", |tenant| format::thousands(tenant.recordings))}
                {fact("Storage, with the bin", |tenant| format::volume(tenant.size_bytes))} <div>
                    <dt>"Since " <small>"(UTC)"</small></dt>
                    <dd>
                        <When at=Signal::stored(created_at) />
                    </dd>
                </div>
            </dl>
        </section>
    }
}

#[component]
fn Administrators(page: Page) -> impl IntoView {
    let rows = Memo::new(move |_| page.with(|page| page.administrators.clone()));
    let invitations = Memo::new(move |_| page.with(|page| page.invitations.clone()));
    let (id, sends_mail) = page.with_untracked(|page| (page.tenant.id, page.sends_mail));
    view! {
        <section class="card" aria-labelledby="administrators">
            <h2 id="administrators">"Administrators"</h2>
            {move || {
                if rows.with(Vec::is_empty) {
                    view! {
                        <p class="muted small">"Nobody administers it yet: its first administrator has not used the link, or it has expired."</p>
                    }
                        .into_any()
                } else {
                    view! {
                        <p class="muted small">"They invite others and make links for lost passwords themselves."</p>
                        <ul class="plain administrators">{rows.get().into_iter().map(administrator).collect_view()}</ul>
                    }
                        .into_any()
                }
            }}
            {move || {
                (!invitations.with(Vec::is_empty))
                    .then(|| {
                        view! {
                            <h3>"Invited"</h3>
                            <ul class="plain administrators">{invitations.get().into_iter().map(invitation).collect_view()}</ul>
                        }
                    })
            }} {move || rows.with(Vec::is_empty).then(|| view! { <InviteForm id sends_mail /> })}
        </section>
    }
}

fn administrator(row: TenantAdministratorRow) -> impl IntoView {
    let TenantAdministratorRow { email, last_sign_in_at, is_system, .. } = row;
    view! {
        <li>
            <span class="address">
                {email} {is_system.then(|| view! { <small class="muted">"also a system administrator"</small> })}
            </span>
            <small class="muted">
                {match last_sign_in_at {
                    Some(at) => view! { "last signed in " <When at=Signal::stored(at) /> }.into_any(),
                    None => view! { "never signed in" }.into_any(),
                }}
            </small>
        </li>
    }
}

fn invitation(row: TenantInvitationRow) -> impl IntoView {
    let TenantInvitationRow { email, expires_at } = row;
    view! {
        <li>
            <span class="address">{email}</span>
            <small class="muted">"good until " <When at=Signal::stored(expires_at) /></small>
        </li>
    }
}

#[component]
fn InviteForm(id: OrganisationId, sends_mail: bool) -> impl IntoView {
    let action = ServerAction::<InviteAdministrator>::new();
    refresh_after(action);
    let form = NodeRef::new();
    clear_after(form, |flash| matches!(flash, Flash::AdministratorInvited { .. }));
    view! {
        <ActionForm action node_ref=form attr:class="inline-form">
            <input type="hidden" name="organisation" value=id.to_string() />
            <label class="grow">
                "E-mail address"
                <input type="email" name="email" required maxlength="254" placeholder="Who is to administer it" />
            </label>
            <MakeButton pending=action.pending()>
                {Icon::Person.draw()} "Invite"
            </MakeButton>
        </ActionForm>
        <p class="muted small">
            {if sends_mail { "A link is mailed, and shown to you once." } else { "You are shown a link, once, to hand over." }}
            " Another one for the same address takes its place."
        </p>
    }
}

#[component]
fn Names(page: Page) -> impl IntoView {
    let action = ServerAction::<RenameOrganisation>::new();
    refresh_after(action);
    let id = page.with_untracked(|page| page.tenant.id);
    view! {
        <section class="card" aria-labelledby="names">
            <h2 id="names">"Names"</h2>
            <ActionForm action>
                <input type="hidden" name="organisation" value=id.to_string() />
                <label>
                    "Name"
                    <input
                        type="text"
                        name="name"
                        required
                        maxlength="100"
                        value=move || page.with(|page| page.tenant.name.clone())
                    />
                </label>
                <button class="button">"Rename"</button>
            </ActionForm>
            <CopyRow label="Hash" value=Signal::derive(move || page.with(|page| page.tenant.hash.to_string())) />
            <CopyRow label="ID" value=id.to_string() />
        </section>
    }
}

#[component]
fn Switch(page: Page) -> impl IntoView {
    let id = page.with_untracked(|page| page.tenant.id);
    let is_own = page.with_untracked(|page| page.tenant.is_own);
    let since = Memo::new(move |_| page.with(|page| page.tenant.suspended_at));
    view! {
        <section class="card" aria-labelledby="suspension">
            <h2 id="suspension">"Suspension"</h2>
            {move || match (since.get(), is_own) {
                (Some(at), _) => {
                    view! {
                        <p>
                            "Suspended since " <When at=Signal::stored(at) />
                            ". Nobody of it is let in, and nothing of it plays. Nothing is deleted."
                        </p>
                        <Resume id />
                    }
                        .into_any()
                }
                (None, true) => view! { <p class="muted">"This is your own organisation, which others can suspend."</p> }.into_any(),
                (None, false) => view! { <Suspend id page /> }.into_any(),
            }}
        </section>
    }
}

#[component]
fn Resume(id: OrganisationId) -> impl IntoView {
    let resume = ServerAction::<ResumeOrganisation>::new();
    refresh_after(resume);
    view! {
        <ActionForm action=resume>
            <input type="hidden" name="organisation" value=id.to_string() />
            <button class="button primary">"Resume"</button>
        </ActionForm>
    }
}

#[component]
fn Suspend(id: OrganisationId, page: Page) -> impl IntoView {
    let suspend = ServerAction::<SuspendOrganisation>::new();
    refresh_after(suspend);
    let question = Signal::derive(move || {
        let name = page.with(|page| page.tenant.name.clone());
        format!(
            "People and programs of {name} are let in no more, encoders are refused, and what is on air ends; its recordings are finished, but play for nobody. Nothing is deleted, and all is back when you resume it."
        )
    });
    view! {
        <p class="muted small">"Keeps everybody of it out, for as long as you like. Nothing is deleted."</p>
        <Confirm label="Suspend" about="Suspend the organisation" question>
            <ActionForm action=suspend>
                <input type="hidden" name="organisation" value=id.to_string() />
                <button class="button danger solid">"Suspend the organisation"</button>
            </ActionForm>
        </Confirm>
    }
}
