//! The provider by which people may sign in besides their passwords: its button, and what an account's page shows of it. Where there is none nothing shows.

use leptos::form::ActionForm;
use leptos::prelude::*;

use super::when::When;
use crate::backend::Connection;
use crate::live::refresh_after;
use crate::server_fns::provider::{Disconnect, load_connection, load_provider};

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
pub fn ProviderCard() -> impl IntoView {
    let connection = crate::live::loaded(
        Signal::stored(()),
        |()| load_connection(),
        || ().into_any(),
        |connection| move || connection.get().map(|connection| view! { <Card connection /> }),
    );
    view! { {connection} }
}

#[component]
fn Card(connection: Connection) -> impl IntoView {
    let disconnect = ServerAction::<Disconnect>::new();
    refresh_after(disconnect.version());
    let Connection { provider, connected_at, has_password } = connection;
    let heading = format!("Sign-in by {provider}");
    let password = || {
        view! {
            <label>
                "Present password"
                <input type="password" name="present" autocomplete="current-password" required maxlength="1024" />
            </label>
        }
    };
    let content = match (connected_at, has_password) {
        (Some(at), true) => view! {
            <p class="muted small">
                "You can sign in by " {provider.clone()} " besides your password. Connected on " <When at=Signal::stored(at) />
                " (UTC). To disconnect ends every sign-in that came that way; a new password disconnects too."
            </p>
            <ActionForm action=disconnect>
                {password()} <button class="button danger">{format!("Disconnect {provider}")}</button>
            </ActionForm>
        }
        .into_any(),
        (Some(at), false) => view! {
            <p class="muted small">
                "You sign in by " {provider} ", since " <When at=Signal::stored(at) />
                " (UTC), and have no password. An administrator can give you a link for one; then you can disconnect."
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
