//! `/account`: one's own account. Where one is signed in, which programs are, and the password.

use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::{Account, SessionRow, SessionTokenRow};
use crate::live::{loaded, refresh_after};
use crate::server_fns::Flash;
use crate::server_fns::account::{ChangePassword, EndOtherSessions, EndSession, EndSessionToken, load_account};
use crate::ui::confirm::Confirm;
use crate::ui::notice::clear_after;
use crate::ui::password::NewPasswordField;
use crate::ui::people::role_text;
use crate::ui::provider::ProviderCard;
use crate::ui::rows::keyed_rows;
use crate::ui::second_factor::SecondFactorCard;
use crate::ui::when::When;

#[component]
pub fn AccountPage() -> impl IntoView {
    view! {
        <Title text="Your account" />
        {loaded(Signal::stored(()), |()| load_account(), skeleton, |account| view! { <Content account /> })}
    }
}

#[component]
fn Content(account: Signal<Account>) -> impl IntoView {
    let role = Memo::new(move |_| account.with(|account| account.role));
    let sessions = Signal::derive(move || account.with(|account| account.sessions.clone()));
    let tokens = Signal::derive(move || account.with(|account| account.tokens.clone()));
    let has_password = Memo::new(move |_| account.with(|account| account.has_password));
    let email = Signal::derive(move || account.with(|account| account.email.clone()));
    let has_others = Memo::new(move |_| account.with(|account| account.sessions.len() + account.tokens.len() > 1));
    view! {
        <div class="page-head">
            <div>
                <p class="kicker">"Your account"</p>
                <h1 class="address">{move || account.with(|account| account.email.clone())}</h1>
                <p class="muted">
                    {move || account.with(|account| account.organisation_name.clone())} " · " {move || role_text(role.get())}
                </p>
            </div>
        </div>
        <div class="two-columns">
            <div class="overview-main">
                <Sessions sessions has_others />
                <Tokens tokens />
            </div>
            <div class="overview-side">
                <SecondFactorCard has_password />
                {move || has_password.get().then(|| view! { <PasswordForm email /> })}
                <ProviderCard has_password />
            </div>
        </div>
    }
}

#[component]
fn Sessions(sessions: Signal<Vec<SessionRow>>, has_others: Memo<bool>) -> impl IntoView {
    let end_others = ServerAction::<EndOtherSessions>::new();
    refresh_after(end_others);
    let row = |session: Signal<SessionRow>| view! { <SessionTableRow session /> }.into_any();
    view! {
        <section class="card" aria-labelledby="sessions">
            <div class="card-head">
                <h2 id="sessions">"Browsers that are signed in"</h2>
                {move || {
                    has_others
                        .get()
                        .then(|| {
                            view! {
                                <Confirm
                                    label="End all others"
                                    question=Signal::stored(
                                        "All other browsers and programs that are signed in as you are signed out at once. This browser stays."
                                            .to_owned(),
                                    )
                                >
                                    <ActionForm action=end_others>
                                        <button class="button danger solid">"End all others"</button>
                                    </ActionForm>
                                </Confirm>
                            }
                        })
                }}
            </div>
            <table class="key-table">
                <caption class="offscreen">"Browsers in which you are signed in, last used first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Browser"</th>
                        <th scope="col">"Signed in from"</th>
                        <th scope="col">"Since " <small>"(UTC)"</small></th>
                        <th scope="col">"Last used " <small>"(UTC)"</small></th>
                        <th scope="col">
                            <span class="offscreen">"End"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{keyed_rows(sessions, |session| session.id.clone(), row)}</tbody>
            </table>
        </section>
    }
}

#[component]
fn SessionTableRow(session: Signal<SessionRow>) -> impl IntoView {
    let end = ServerAction::<EndSession>::new();
    refresh_after(end);
    let used_at = Memo::new(move |_| session.with(|session| session.used_at));
    let SessionRow { id, browser, address, began_at, is_this, .. } = session.get_untracked();
    let about = format!("End the session of {browser} from {address}");
    view! {
        <tr>
            <td data-label="Browser">
                // One piece of text: on a phone the cell's pieces stand apart.
                <span>{browser} {is_this.then(|| view! { <strong>" (this one)"</strong> })}</span>
            </td>
            <td data-label="Signed in from" class="address">
                {address}
            </td>
            <td data-label="Since (UTC)">
                <When at=Signal::stored(began_at) />
            </td>
            <td data-label="Last used (UTC)">
                <When at=used_at />
            </td>
            <td class="row-actions">
                {(!is_this)
                    .then(|| {
                        view! {
                            <ActionForm action=end>
                                <input type="hidden" name="id" value=id />
                                <button class="button danger" aria-label=about>
                                    "End"
                                </button>
                            </ActionForm>
                        }
                    })}
            </td>
        </tr>
    }
}

#[component]
fn Tokens(tokens: Signal<Vec<SessionTokenRow>>) -> impl IntoView {
    let is_empty = Memo::new(move |_| tokens.with(Vec::is_empty));
    let row = |token: Signal<SessionTokenRow>| view! { <TokenTableRow token /> }.into_any();
    view! {
        <section class="card" aria-labelledby="tokens">
            <h2 id="tokens">"Programs that are signed in"</h2>
            {move || {
                if is_empty.get() {
                    return view! {
                        <p class="muted">
                            "None. A program that calls " <code>"POST /user/validate"</code>
                            " with your e-mail address and password gets a session token for twelve hours, which is listed here."
                        </p>
                    }
                        .into_any();
                }
                view! {
                    <table class="key-table">
                        <caption class="offscreen">"Session tokens, newest first"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Made " <small>"(UTC)"</small></th>
                                <th scope="col">"Good until " <small>"(UTC)"</small></th>
                                <th scope="col">"May at most"</th>
                                <th scope="col">
                                    <span class="offscreen">"End"</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>{keyed_rows(tokens, |token| token.id.clone(), row)}</tbody>
                    </table>
                }
                    .into_any()
            }}
        </section>
    }
}

#[component]
fn TokenTableRow(token: Signal<SessionTokenRow>) -> impl IntoView {
    let end = ServerAction::<EndSessionToken>::new();
    refresh_after(end);
    let SessionTokenRow { id, role, created_at, expires_at } = token.get_untracked();
    view! {
        <tr>
            <td data-label="Made (UTC)">
                <When at=Signal::stored(created_at) />
            </td>
            <td data-label="Good until (UTC)">
                <When at=Signal::stored(expires_at) />
            </td>
            <td data-label="May at most">{role.as_str()}</td>
            <td class="row-actions">
                <ActionForm action=end>
                    <input type="hidden" name="id" value=id />
                    <button class="button danger" aria-label=format!("End the session token of {}", created_at.to_table_text())>
                        "End"
                    </button>
                </ActionForm>
            </td>
        </tr>
    }
}

#[component]
fn PasswordForm(email: Signal<String>) -> impl IntoView {
    let action = ServerAction::<ChangePassword>::new();
    refresh_after(action);
    let form = NodeRef::new();
    clear_after(form, |flash| matches!(flash, Flash::PasswordChanged));
    view! {
        <section class="card" aria-labelledby="password">
            <h2 id="password">"Password"</h2>
            <p class="muted small">"A new one ends all your other sessions, in browsers and of programs."</p>
            <ActionForm action node_ref=form>
                // For password managers.
                <input type="email" class="offscreen" autocomplete="username" readonly tabindex="-1" aria-hidden="true" value=email />
                <label>
                    "Present password"
                    <input type="password" name="present" autocomplete="current-password" required maxlength="1024" />
                </label>
                <NewPasswordField problem=String::new() />
                <button class="button">"Change the password"</button>
            </ActionForm>
        </section>
    }
}
