//! `/account/second-factor`: the secret is taken into an app, and a code of it shows that it was.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;

use super::skeleton;
use crate::backend::Offer;
use crate::live::loaded;
use crate::server_fns::second_factor::{ConfirmSecondFactor, load_offer};
use crate::ui::copy::CopyRow;
use crate::ui::second_factor::CodeField;

#[component]
pub fn SecondFactorPage() -> impl IntoView {
    view! {
        <Title text="Set up a second factor" />
        {loaded(Signal::stored(()), |()| load_offer(), skeleton, |offer| move || match offer.get() {
            Some(offer) => view! { <Steps offer /> }.into_any(),
            None => view! { <Anew /> }.into_any(),
        })}
    }
}

#[component]
fn Steps(offer: Offer) -> impl IntoView {
    let Offer { secret, qr_size, qr_path } = offer;
    view! {
        <section class="gate wide">
            <h1>"Set up a second factor"</h1>
            <ol class="steps">
                <li>
                    <p>
                        "Scan this with an app for codes on your phone, such as Google Authenticator, Aegis, 2FAS or a password manager."
                    </p>
                    <QrCode size=qr_size path=qr_path />
                    <p class="muted small">"No camera? Type or copy this secret into the app. The codes are of six digits, by time."</p>
                    <CopyRow label="Secret" value=secret />
                </li>
                <li>
                    <p>"Type the code that the app shows now."</p>
                    // A plain form: who had to do this first sees another header on the next page.
                    <form method="post" action=ConfirmSecondFactor::url()>
                        <CodeField autofocus=false />
                        <button class="button primary">"Switch it on"</button>
                    </form>
                </li>
            </ol>
            <p class="muted small">
                "From then on signing in takes a code too, and all your other sessions end. You are shown recovery codes, for the day when the phone is gone. "
                <a href="/account">"Not now"</a>
            </p>
        </section>
    }
}

/// Dark on white, whatever the page's colours are: scanners take no other.
#[component]
fn QrCode(size: u64, path: String) -> impl IntoView {
    view! {
        <svg
            class="qr"
            viewBox=format!("0 0 {size} {size}")
            shape-rendering="crispEdges"
            role="img"
            aria-label="QR code of the secret, which is written below"
        >
            <rect width=size.to_string() height=size.to_string() fill="#fff" />
            <path d=path fill="#000" />
        </svg>
    }
}

/// It took too long, was begun in another browser, or is done.
#[component]
fn Anew() -> impl IntoView {
    view! {
        <section class="gate">
            <h1>"Nothing to set up here"</h1>
            <p>"A second factor is begun under your account, with your password, and set up within a quarter of an hour."</p>
            <p class="actions">
                <a class="button primary" href="/account">
                    "To your account"
                </a>
            </p>
        </section>
    }
}
