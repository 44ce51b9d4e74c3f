//! The provider by which people may sign in besides their passwords: its button, and what the pages of an account and of people show of it. Where there is none nothing shows.

use afterlive_domain::UserId;
use leptos::form::ActionForm;
use leptos::prelude::*;

use super::confirm::Confirm;
use super::when::When;
use crate::backend::{Connection, ProviderAccount};
use crate::live::refresh_after;
use crate::server_fns::provider::{Disconnect, DisconnectUser, load_connection, load_provider};

/// What became of a way there and back, where the pages of strangers say it.
#[must_use]
pub fn problem(code: &str) -> Option<&'static str> {
    Some(match code {
        "oidc-away" => {
            "The sign-in provider cannot be reached at the moment. Please try again later, or sign in with your password."
        }
        "oidc-stale" => "This sign-in was begun in another browser, or too long ago. Please try again.",
        "oidc-cancelled" => "You left the sign-in provider without signing in. Please try again.",
        "oidc-failed" => "What the sign-in provider answered could not be checked. Please try again; the server's log says why.",
        "oidc-wait" => "There were too many attempts. Please wait a minute, then try again.",
        "oidc-unknown" => {
            "The sign-in provider knows you, but no account here is connected with you there. If you have an account, sign in with your password and connect it under Your account. If you have none, ask an administrator of your organisation for an invitation."
        }
        "oidc-address" => {
            "The sign-in provider does not say that this e-mail address is yours. Choose a password instead, or ask for an invitation to the address that it knows you by."
        }
        _ => return None,
    })
}

/// The button below a form. `action` is where it leads, and the field says what for.
#[component]
pub fn ProviderButton(
    action: &'static str,
    field: &'static str,
    /// Of the field.
    #[prop(into)]
    value: Signal<String>,
    /// In front of the provider's name.
    verb: &'static str,
) -> impl IntoView {
    let provider = OnceResource::new(load_provider());
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let name = provider.await.ok().flatten()?;
                Some(
                    view! {
                        <div class="or">
                            <span>"or"</span>
                        </div>
                        // A plain form: it leads out of this site.
                        <form method="post" action=action>
                            <input type="hidden" name=field value=move || value.get() />
                            <button class="button">{format!("{verb} {name}")}</button>
                        </form>
                    },
                )
            })}
        </Suspense>
    }
}

/// On the page of one's own account.
#[component]
pub fn ProviderCard(#[prop(into)] has_password: Signal<bool>) -> impl IntoView {
    let connection = crate::live::loaded(
        Signal::stored(()),
        |()| load_connection(),
        || ().into_any(),
        move |connection| {
            move || connection.get().map(|connection| view! { <Card connection has_password=has_password.get() /> })
        },
    );
    view! { {connection} }
}

#[component]
fn Card(connection: Connection, has_password: bool) -> impl IntoView {
    let disconnect = ServerAction::<Disconnect>::new();
    refresh_after(disconnect);
    let Connection { provider, account } = connection;
    let heading = format!("Sign-in by {provider}");
    let password = || {
        view! {
            <label>
                "Present password"
                <input type="password" name="present" autocomplete="current-password" required maxlength="1024" />
            </label>
        }
    };
    let since = |ProviderAccount { called, connected_at }: ProviderAccount| {
        view! {
            <p>
                "Connected with " <strong class="address">{called}</strong> " since " <When at=Signal::stored(connected_at) />
                " (UTC)."
            </p>
        }
    };
    let content = match (account, has_password) {
        (Some(account), true) => view! {
            {since(account)}
            <p class="muted small">
                "You can sign in by " {provider.clone()}
                " besides your password. To disconnect ends every sign-in that came that way; a new password disconnects too."
            </p>
            <ActionForm action=disconnect>
                {password()} <button class="button danger">{format!("Disconnect {provider}")}</button>
            </ActionForm>
        }
        .into_any(),
        (Some(account), false) => view! {
            {since(account)}
            <p class="muted small">
                "You sign in by " {provider}
                ", and have no password. An administrator can give you a link for one; then you can disconnect."
            </p>
        }
        .into_any(),
        (None, true) => view! {
            <p class="muted small">{format!("Connect your account with yours at {provider}, and sign in either way.")}</p>
            // A plain form: it leads out of this site.
            <form method="post" action="/oidc/connect">
                {password()} <button class="button">{format!("Connect {provider}")}</button>
            </form>
        }
        .into_any(),
        (None, false) => view! {
            <p class="muted small">"You have no password. An administrator can give you a link for one."</p>
        }
        .into_any(),
    };
    view! {
        <section class="card" aria-labelledby="provider">
            <h2 id="provider">{heading}</h2>
            {content}
        </section>
    }
}

/// In the row of a user who is connected: takes that way in away.
#[component]
pub fn DisconnectUserButton(
    id: UserId,
    email: String,
    provider: String,
    /// Whether they have another way in.
    has_password: bool,
) -> impl IntoView {
    let disconnect = ServerAction::<DisconnectUser>::new();
    refresh_after(disconnect);
    let then = if has_password {
        "Their password goes on, and with it they can connect again."
    } else {
        "They have no password: they cannot sign in any more until you make them a link for one, by “New password”."
    };
    let about = format!("Disconnect {email} from {provider}");
    let question = format!("What {email} has open by {provider} ends at once, and they cannot come in by it. {then}");
    view! {
        <Confirm label="Disconnect" about question=Signal::stored(question)>
            <ActionForm action=disconnect>
                <input type="hidden" name="user" value=id.to_string() />
                <button class="button danger solid">{format!("Disconnect from {provider}")}</button>
            </ActionForm>
        </Confirm>
    }
}
