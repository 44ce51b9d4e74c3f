//! The second factor, wherever it stands: on one's account, before everything else where it is asked of everybody, and on the organisation's page.

use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use super::confirm::Confirm;
use super::icon::{Icon, Logo};
use super::outcome::Outcome;
use super::when::When;
use crate::backend::{SecondFactor, SecondFactorRule};
use crate::live::{loaded, refresh_after};
use crate::server_fns::access::SignOut;
use crate::server_fns::second_factor::{
    BeginSecondFactor, RemoveSecondFactor, RenewRecoveryCodes, RequireSecondFactor, load_rule, load_second_factor,
};

/// With fewer left one is told to make new ones.
const FEW_CODES: u64 = 4;

/// No code is longer, however it is spaced: the server sees by its shape which kind it is.
const MAX_CODE: &str = "64";

/// The field for a code of the app: phones show a keypad of digits alone, and fill in what they know. A recovery code is typed elsewhere, with letters; one that
/// is pasted here is taken too.
#[component]
pub fn CodeField(autofocus: bool) -> impl IntoView {
    view! {
        <label>
            "Code"
            <input
                type="text"
                name="code"
                class="mono code"
                inputmode="numeric"
                autocomplete="one-time-code"
                autocapitalize="none"
                spellcheck="false"
                required
                maxlength=MAX_CODE
                autofocus=autofocus
            />
        </label>
    }
}

/// One's own, on one's account.
#[component]
pub fn SecondFactorCard(#[prop(into)] has_password: Signal<bool>) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="second-factor">
            <h2 id="second-factor">"Second factor"</h2>
            {loaded(Signal::stored(()), |()| load_second_factor(), || ().into_any(), move |state| move || match state.get() {
                SecondFactor::Off => view! {
                    <p class="muted small">
                        "With it, signing in takes a code that an app on your phone shows, beside the password: who learns the password alone does not come in."
                    </p>
                    <Begin has_password=has_password.get() back="/account" />
                }
                .into_any(),
                SecondFactor::On { since, codes_left } => view! { <On since codes_left /> }.into_any(),
            })}
        </section>
    }
}

/// The form that begins, or why there is none.
#[component]
fn Begin(has_password: bool, back: &'static str) -> impl IntoView {
    if has_password {
        view! { <BeginForm back /> }.into_any()
    } else {
        view! {
            <p class="muted small">
                "To set one up takes your password, and you have none yet. An administrator of your organisation can give you a link for one."
            </p>
        }
        .into_any()
    }
}

/// Asks for the password once more, and leads to the secret.
#[component]
fn BeginForm(back: &'static str) -> impl IntoView {
    view! {
        <form method="post" action=BeginSecondFactor::url()>
            <input type="hidden" name="back" value=back />
            <label>
                "Your password"
                <input type="password" name="present" autocomplete="current-password" required maxlength="1024" />
            </label>
            <button class="button">"Set up a second factor"</button>
        </form>
    }
}

#[component]
fn On(since: afterlive_domain::UnixMillis, codes_left: u64) -> impl IntoView {
    let renew = ServerAction::<RenewRecoveryCodes>::new();
    let remove = ServerAction::<RemoveSecondFactor>::new();
    refresh_after(renew);
    refresh_after(remove);
    let of_codes = "Makes ten new ones, which you are shown once. Those before are worth nothing then.";
    let of_removal = "Your password alone signs you in then. All your other sessions end, in browsers and of programs.";
    view! {
        <p>"On since " <When at=Signal::stored(since) /> " (UTC)."</p>
        {if codes_left < FEW_CODES {
            view! {
                <p class="notice warn">
                    {Icon::Info.draw()}
                    <span>{codes_left_text(codes_left)} " Make new ones: they are your way in when the phone is gone."</span>
                </p>
            }
                .into_any()
        } else {
            view! { <p class="muted small">{codes_left_text(codes_left)}</p> }.into_any()
        }}
        <div class="factor-actions">
            <Confirm label="New recovery codes" question=Signal::stored(of_codes.to_owned()) calm=true>
                <ActionForm action=renew>
                    <ProofFields />
                    <button class="button primary">"Make recovery codes"</button>
                </ActionForm>
            </Confirm>
            <Confirm label="Switch off" about="Switch off the second factor" question=Signal::stored(of_removal.to_owned())>
                <ActionForm action=remove>
                    <ProofFields />
                    <button class="button danger solid">"Switch it off"</button>
                </ActionForm>
            </Confirm>
        </div>
    }
}

fn codes_left_text(left: u64) -> String {
    match left {
        0 => "No recovery code is left.".to_owned(),
        1 => "One recovery code is left.".to_owned(),
        left => format!("{left} recovery codes are left."),
    }
}

/// What proves that it is the user, and not who found their browser open.
#[component]
fn ProofFields() -> impl IntoView {
    view! {
        <label>
            "Your password"
            <input type="password" name="present" autocomplete="current-password" required maxlength="1024" />
        </label>
        <label>
            "Code of the app, or a recovery code"
            <input
                type="text"
                name="code"
                class="mono"
                autocomplete="one-time-code"
                autocapitalize="none"
                spellcheck="false"
                required
                maxlength=MAX_CODE
            />
        </label>
    }
}

/// For who has signed in, and may do nothing before this.
#[component]
pub fn MustEnrol(email: String, has_password: bool) -> impl IntoView {
    view! {
        <section class="gate">
            <Logo />
            <h1>"First a second factor"</h1>
            <p>
                "You are signed in as " <strong class="address">{email}</strong>
                ". Your organisation asks everybody for a second factor: a code that an app on your phone shows, beside the password."
            </p>
            <Begin has_password back="/auth" />
            <form method="post" action=SignOut::url()>
                <button class="button quiet">"Sign out"</button>
            </form>
        </section>
    }
}

/// Whether everybody needs one, for administrators.
#[component]
pub fn SecondFactorRuleForm() -> impl IntoView {
    let action = ServerAction::<RequireSecondFactor>::new();
    refresh_after(action);
    view! {
        <section class="card" aria-labelledby="second-factor-rule">
            <h2 id="second-factor-rule">"Second factor"</h2>
            <Outcome card="second-factor-rule" />
            {loaded(Signal::stored(()), |()| load_rule(), || ().into_any(), move |rule| {
                let is_closed = Memo::new(move |_| rule.with(|SecondFactorRule { is_required, has_own }| !is_required && !has_own));
                view! {
                    <ActionForm action>
                        <label class="choice">
                            <input
                                type="checkbox"
                                class="switch"
                                name="required"
                                checked=move || rule.with(|rule| rule.is_required)
                                disabled=move || is_closed.get()
                            />
                            <span>
                                <b>"Everybody needs a second factor"</b>
                                <small class="muted">
                                    "On: who has none sets one up when they next do something, and can do nothing else before; their session tokens are refused until then. API keys go on."
                                </small>
                            </span>
                        </label>
                        {move || {
                            is_closed
                                .get()
                                .then(|| {
                                    view! {
                                        <p class="muted small">
                                            "To ask it of others, set one up yourself first, under " <a href="/account">"your account"</a> "."
                                        </p>
                                    }
                                })
                        }}
                        <button class="button" disabled=move || is_closed.get()>
                            "Save"
                        </button>
                    </ActionForm>
                }
            })}
        </section>
    }
}
