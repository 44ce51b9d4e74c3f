//! `/system`: all organisations of the installation, for who administers it. Which page of them lives in the URL's query.

use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::skeleton;
use crate::backend;
use crate::format;
use crate::live::{loaded, refresh_after};
use crate::query::page_number;
use crate::server_fns::Flash;
use crate::server_fns::system::{CreateOrganisation, load_system};
use crate::ui::icon::Icon;
use crate::ui::make_button::MakeButton;
use crate::ui::notice::{LastFlash, clear_after};
use crate::ui::pager::Pager;
use crate::ui::system::{SystemAdministrators, TenantTable};

#[component]
pub fn SystemPage() -> impl IntoView {
    let query = use_query_map();
    let page = Memo::new(move |_| query.with(|query| page_number(query, "page")));
    view! {
        <Title text="System" />
        {loaded(page, load_system, skeleton, |page| view! { <Content page /> })}
    }
}

#[component]
fn Content(page: Signal<backend::SystemPage>) -> impl IntoView {
    let rows = Signal::derive(move || page.with(|page| page.organisations.clone()));
    let administrators = Signal::derive(move || page.with(|page| page.administrators.clone()));
    let sends_mail = page.with_untracked(|page| page.sends_mail);
    let is_empty = Memo::new(move |_| rows.with(Vec::is_empty));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">"System"</p>
                <h1>"Organisations"</h1>
            </div>
        </div>
        <div class="two-columns">
            <div class="overview-main">
                <section class="card" aria-label="Organisations">
                    <p class="muted about-shelf">
                        {move || format::count(page.with(|page| page.total), "organisation", "organisations")}
                        ". Storage is that of all regions, with the bin."
                    </p>
                    {move || {
                        if is_empty.get() {
                            view! {
                                <div class="empty">
                                    <p>"There are not so many pages. " <a href="/system">"To the first one"</a></p>
                                </div>
                            }
                                .into_any()
                        } else {
                            view! { <TenantTable rows /> }.into_any()
                        }
                    }}
                    <Pager
                        page=Signal::derive(move || page.with(|page| page.page))
                        pages=Signal::derive(move || page.with(|page| page.pages))
                        url=|page| format!("/system?page={page}")
                    />
                </section>
            </div>
            <div class="overview-side">
                <CreateForm sends_mail />
                <SystemAdministrators rows=administrators />
            </div>
        </div>
    }
}

#[component]
fn CreateForm(sends_mail: bool) -> impl IntoView {
    let action = ServerAction::<CreateOrganisation>::new();
    refresh_after(action);
    let form = NodeRef::new();
    clear_after(form, |flash| matches!(flash, Flash::AdministratorInvited { .. }));
    let LastFlash(flash) = expect_context();
    view! {
        <section class="card" aria-labelledby="create">
            <h2 id="create">"New organisation"</h2>
            // Without scripts the page is another one: what was typed and refused stands in it again.
            <Transition>
                {move || Suspend::new(async move {
                    let (name, email) = match flash.await {
                        Some(Flash::NotCreated { name, email, .. }) => (name, email),
                        _ => (String::new(), String::new()),
                    };
                    view! {
                        <ActionForm action node_ref=form>
                            <label>"Name" <input type="text" name="name" required maxlength="100" value=name /></label>
                            <label>
                                "E-mail address of its first administrator"
                                <input type="email" name="email" required maxlength="254" value=email />
                            </label>
                            <p class="muted small">
                                {if sends_mail {
                                    "A link is mailed to this address. You are shown it too, once, should the mail not arrive. It works for seven days."
                                } else {
                                    "No mail is sent: you are shown a link, once, to hand over yourself. It works for seven days."
                                }}
                            </p>
                            <MakeButton pending=action.pending() primary=true>
                                {Icon::Plus.draw()} "Create the organisation"
                            </MakeButton>
                        </ActionForm>
                    }
                })}
            </Transition>
        </section>
    }
}
