//! An organisation's people on its page, for administrators: who may sign in, as what, and since when.

use afterlive_domain::Role;
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::confirm::Confirm;
use super::icon::Icon;
use super::link_mail::in_short;
use super::make_button::MakeButton;
use super::notice::{LastFlash, clear_after};
use super::outcome::Outcome;
use super::provider::DisconnectUserButton;
use super::rows::keyed_rows;
use super::when::When;
use crate::backend::{self, InvitationRow, UserRow};
use crate::live::{loaded, refresh_after};
use crate::server_fns::Flash;
use crate::server_fns::accounts::{ChangeRole, Invite, MakePasswordLink, RemoveUser, RevokeInvitation, load_people};
use crate::server_fns::second_factor::ResetSecondFactor;

/// What a role may, in a few words.
#[must_use]
pub fn role_text(role: Role) -> &'static str {
    match role {
        Role::Admin => "nanoAdmin: everything",
        Role::User => "nanoUser: make streams, tags, tokens",
        Role::ReadOnly => "nanoReadOnly: read",
    }
}

/// The options of a choice of roles.
pub fn role_options(chosen: Role) -> impl IntoView {
    Role::ALL
        .map(|role| {
            view! {
                <option value=role.as_str() selected=role == chosen>
                    {role_text(role)}
                </option>
            }
        })
        .into_iter()
        .collect_view()
}

#[component]
pub fn People() -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="people">
            <div class="card-head">
                <h2 id="people">"Users"</h2>
            </div>
            <Outcome card="people" />
            {loaded(Signal::stored(()), |()| load_people(), || ().into_any(), |people| view! { <Content people /> })}
        </section>
    }
}

#[component]
fn Content(people: Signal<backend::People>) -> impl IntoView {
    let users = Signal::derive(move || people.with(|people| people.users.clone()));
    let invitations = Signal::derive(move || people.with(|people| people.invitations.clone()));
    let sends_mail = people.with_untracked(|people| people.sends_mail);
    let provider = people.with_untracked(|people| people.provider.clone());
    let has_invitations = Memo::new(move |_| invitations.with(|invitations| !invitations.is_empty()));
    view! {
        <UserTable users sends_mail provider />
        {move || has_invitations.get().then(|| view! { <InvitationTable invitations /> })}
        <InviteForm sends_mail />
    }
}

#[component]
fn InviteForm(sends_mail: bool) -> impl IntoView {
    let action = ServerAction::<Invite>::new();
    refresh_after(action);
    let form = NodeRef::new();
    clear_after(form, |flash| matches!(flash, Flash::Invitation { .. }));
    let LastFlash(flash) = expect_context();
    view! {
        // Without scripts the page is another one: what was typed and refused stands in it again.
        <Transition>
            {move || Suspend::new(async move {
                let typed = match flash.await {
                    Some(Flash::NotInvited { email, .. }) => email,
                    _ => String::new(),
                };
                let is_refused = !typed.is_empty();
                view! {
                    <ActionForm action node_ref=form attr:class="inline-form">
                        <label class="grow">
                            "E-mail address"
                            <input
                                type="email"
                                name="email"
                                required
                                maxlength="254"
                                aria-invalid=is_refused.then_some("true")
                                aria-describedby=is_refused.then_some("people-problem")
                                value=typed
                                placeholder="Who is to join"
                            />
                        </label>
                        <label>
                            "Role"
                            <select name="role">{role_options(Role::User)}</select>
                        </label>
                        <MakeButton pending=action.pending()>
                            {Icon::Person.draw()} "Invite"
                        </MakeButton>
                    </ActionForm>
                }
            })}
        </Transition>
        <p class="muted small">
            {if sends_mail {
                "A link is mailed to this address. You are shown it too, once, should the mail not arrive. It works for seven days."
            } else {
                "No mail is sent: you are shown a link, once, to hand over yourself. It works for seven days."
            }}
        </p>
    }
}

#[component]
fn InvitationTable(invitations: Signal<Vec<InvitationRow>>) -> impl IntoView {
    let row = |invitation: Signal<InvitationRow>| view! { <InvitationTableRow invitation /> }.into_any();
    view! {
        <h3>"Invited"</h3>
        <table class="key-table">
            <caption class="offscreen">"Invitations that were not used yet, newest first"</caption>
            <thead>
                <tr>
                    <th scope="col">"E-mail address"</th>
                    <th scope="col">"Role"</th>
                    <th scope="col">"Invited " <small>"(UTC)"</small></th>
                    <th scope="col">"Good until " <small>"(UTC)"</small></th>
                    <th scope="col">
                        <span class="offscreen">"Revoke"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{keyed_rows(invitations, |invitation| invitation.id, row)}</tbody>
        </table>
    }
}

#[component]
fn InvitationTableRow(invitation: Signal<InvitationRow>) -> impl IntoView {
    let revoke = ServerAction::<RevokeInvitation>::new();
    refresh_after(revoke);
    let InvitationRow { id, email, role, created_at, expires_at, .. } = invitation.get_untracked();
    let mail = Memo::new(move |_| invitation.with(|invitation| invitation.mail.clone()));
    let question = format!("The link that was made for {email} opens nothing any more. You can invite them again.");
    view! {
        <tr>
            <td data-label="E-mail address" class="address">
                {email.clone()}
                {move || mail.get().map(|fate| view! { <small class="mail-fate muted">{in_short(&fate)}</small> })}
            </td>
            <td data-label="Role">{role.as_str()}</td>
            <td data-label="Invited (UTC)">
                <When at=Signal::stored(created_at) />
            </td>
            <td data-label="Good until (UTC)">
                <When at=Signal::stored(expires_at) />
            </td>
            <td class="row-actions">
                <Confirm label="Revoke" about=format!("Revoke the invitation of {email}") question=Signal::stored(question)>
                    <ActionForm action=revoke>
                        <input type="hidden" name="invitation" value=id.to_string() />
                        <button class="button danger solid">"Revoke the invitation"</button>
                    </ActionForm>
                </Confirm>
            </td>
        </tr>
    }
}

#[component]
fn UserTable(users: Signal<Vec<UserRow>>, sends_mail: bool, provider: Option<String>) -> impl IntoView {
    let row = move |user: Signal<UserRow>| view! { <UserTableRow user sends_mail provider=provider.clone() /> }.into_any();
    view! {
        <table class="key-table">
            <caption class="offscreen">"Users, by their addresses"</caption>
            <thead>
                <tr>
                    <th scope="col">"E-mail address"</th>
                    <th scope="col">"Role"</th>
                    <th scope="col">"Last signed in " <small>"(UTC)"</small></th>
                    <th scope="col">"Since " <small>"(UTC)"</small></th>
                    <th scope="col">
                        <span class="offscreen">"Change"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{keyed_rows(users, |user| user.id, row)}</tbody>
        </table>
    }
}

#[component]
fn UserTableRow(user: Signal<UserRow>, sends_mail: bool, provider: Option<String>) -> impl IntoView {
    let change = ServerAction::<ChangeRole>::new();
    let remove = ServerAction::<RemoveUser>::new();
    let reset = ServerAction::<MakePasswordLink>::new();
    refresh_after(change);
    refresh_after(remove);
    refresh_after(reset);
    let take_away = ServerAction::<ResetSecondFactor>::new();
    refresh_after(take_away);
    let first = user.get_untracked();
    let (id, email) = (first.id, first.email);
    let role = Memo::new(move |_| user.with(|user| user.role));
    let last_sign_in = Memo::new(move |_| user.with(|user| user.last_sign_in_at));
    let question = if first.is_self {
        "This is you: you are signed out everywhere at once, and another administrator must invite you again.".to_owned()
    } else {
        format!(
            "{email} is signed out everywhere at once, and may not sign in again. Streams and recordings stay, and so do API keys and playback tokens."
        )
    };
    let about_removal = format!("Remove {email}");
    let about_password = format!("Make a link for a new password of {email}");
    let has_second_factor = Memo::new(move |_| user.with(|user| user.has_second_factor));
    let is_other = !first.is_self;
    let (about_factor, of_factor) = (
        format!("Reset the second factor of {email}"),
        format!(
            "For who has lost app and recovery codes. Be sure that it is {email} who asks: their password alone signs them in then. All their sessions end."
        ),
    );
    // Without a provider nobody is connected.
    let provider = provider.unwrap_or_default();
    let account = Memo::new(move |_| user.with(|user| user.provider_account.clone()));
    let by_provider = format!("By {provider}: ");
    let disconnect = {
        let email = email.clone();
        move || {
            let has_password = user.with(|user| user.has_password);
            let (email, provider) = (email.clone(), provider.clone());
            (is_other && account.get().is_some()).then(|| view! { <DisconnectUserButton id email provider has_password /> })
        }
    };
    let about_role = format!("Change the role of {email}");
    let of_role = format!("What may {email} do, from now on?");
    let of_password = if sends_mail {
        format!("Mails {email} a link for a new password. You are shown it too, once, should the mail not arrive.")
    } else {
        format!("Makes a link by which {email} sets a new password. You are shown it once, and hand it over yourself.")
    };
    view! {
        <tr>
            <td data-label="E-mail address" class="address">
                // One piece of text: on a phone the cell's pieces stand apart.
                <span>
                    {email.clone()} {first.is_self.then(|| view! { <span class="muted">" (you)"</span> })}
                    {move || {
                        has_second_factor.get().then(|| view! { <small class="has-second-factor muted">"Second factor"</small> })
                    }}
                    {move || {
                        account
                            .get()
                            .map(|account| view! { <small class="provider-account muted">{by_provider.clone()} {account}</small> })
                    }}
                </span>
            </td>
            <td data-label="Role">{move || role.get().as_str()}</td>
            <td data-label="Last signed in (UTC)">
                {move || match last_sign_in.get() {
                    Some(at) => view! { <When at=Signal::stored(at) /> }.into_any(),
                    None => view! { <span class="muted">"never"</span> }.into_any(),
                }}
            </td>
            <td data-label="Since (UTC)">
                <When at=Signal::stored(first.created_at) />
            </td>
            <td class="row-actions">
                <Confirm
                    label="Role"
                    about=about_role
                    question=Signal::stored(of_role)
                    calm=true
                >
                    <ActionForm action=change>
                        <input type="hidden" name="user" value=id.to_string() />
                        <label>
                            "Role"
                            <select name="role">{move || role_options(role.get())}</select>
                        </label>
                        <button class="button primary">"Change the role"</button>
                    </ActionForm>
                </Confirm>
                <Confirm
                    label="New password"
                    about=about_password
                    question=Signal::stored(of_password)
                    calm=true
                >
                    <ActionForm action=reset>
                        <input type="hidden" name="user" value=id.to_string() />
                        <input type="hidden" name="email" value=email />
                        <button class="button primary">"Make the link"</button>
                    </ActionForm>
                </Confirm>
                {move || {
                    (is_other && has_second_factor.get())
                        .then(|| {
                            view! {
                                <Confirm
                                    label="Reset second factor"
                                    about=about_factor.clone()
                                    question=Signal::stored(of_factor.clone())
                                >
                                    <ActionForm action=take_away>
                                        <input type="hidden" name="user" value=id.to_string() />
                                        <button class="button danger solid">"Reset the second factor"</button>
                                    </ActionForm>
                                </Confirm>
                            }
                        })
                }}
                {disconnect}
                <Confirm label="Remove" about=about_removal question=Signal::stored(question)>
                    <ActionForm action=remove>
                        <input type="hidden" name="user" value=id.to_string() />
                        <button class="button danger solid">"Remove the user"</button>
                    </ActionForm>
                </Confirm>
            </td>
        </tr>
    }
}
