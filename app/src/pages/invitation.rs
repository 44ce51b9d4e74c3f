//! `/invitation/SECRET`: who was invited chooses a password, and is signed in.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;

use super::skeleton;
use crate::live::loaded;
use crate::server_fns::accounts::{AcceptInvitation, load_invitation};
use crate::ui::password::{ChoosePassword, DeadLink, secret_of_link};
use crate::ui::people::role_text;
use crate::ui::provider::ProviderButton;

#[component]
pub fn InvitationPage() -> impl IntoView {
    let secret = secret_of_link();
    view! {
        <Title text="Invitation" />
        {loaded(secret, load_invitation, skeleton, move |invited| move || match invited.get() {
            None => view! { <DeadLink what="An invitation" /> }.into_any(),
            Some(invited) => view! {
                <ChoosePassword
                    title="You are invited"
                    action=AcceptInvitation::url()
                    button="Make my account"
                    secret=secret.get_untracked()
                    email=invited.email
                    below=view! { <ProviderButton action="/oidc/accept" field="secret" value=secret verb="Join by" /> }.into_any()
                >
                    <p>
                        "To join " <strong>{invited.organisation_name}</strong> " as " {role_text(invited.role)} "."
                    </p>
                </ChoosePassword>
            }
            .into_any(),
        })}
    }
}
