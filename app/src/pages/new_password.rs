//! `/password/SECRET`: a new password for who has lost theirs, by a link of an administrator.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;

use super::skeleton;
use crate::live::loaded;
use crate::server_fns::accounts::{ChoosePassword as Choose, load_password_link};
use crate::ui::password::{ChoosePassword, DeadLink, secret_of_link};

#[component]
pub fn NewPasswordPage() -> impl IntoView {
    let secret = secret_of_link();
    view! {
        <Title text="New password" />
        {loaded(secret, load_password_link, skeleton, move |email| move || match email.get() {
            None => view! { <DeadLink what="A link for a new password" /> }.into_any(),
            Some(email) => view! {
                <ChoosePassword
                    title="Set a new password"
                    action=Choose::url()
                    button="Set the password"
                    secret=secret.get_untracked()
                    email
                >
                    <p>"All your sessions end, on every device, and you are signed in here."</p>
                </ChoosePassword>
            }
            .into_any(),
        })}
    }
}
