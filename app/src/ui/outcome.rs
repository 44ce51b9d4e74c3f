//! What came of a form, in the card that the form stands in, or in the form itself: on a long page one would not see it on top.

use leptos::prelude::*;

use super::icon::Icon;
use super::notice::{Done, LastFlash, done};
use crate::backend::{Answer, OrganisationPage};
use crate::browser;
use crate::live::News;
use crate::server_fns::Flash;
use crate::server_fns::organisation::load_organisation;

/// The card of invitations, whose flash has what was typed too.
const PEOPLE: &str = "people";

/// What was refused of the last form.
#[derive(Clone, PartialEq)]
struct Refused {
    card: String,
    /// The sentence that belongs into it.
    problem: String,
    /// What was typed cannot be. Else nothing is wrong with that.
    of_value: bool,
    /// What was typed, where the form is to have it again.
    typed: Option<String>,
    /// Which form since the page was opened: the same may be refused twice.
    form: u32,
}

#[derive(Clone, Copy)]
struct LastRefusal(Memo<Option<Refused>>);

/// Beside the flash itself, for who cannot wait for it: by [`flash_is_known`] it has come before the page is there.
pub(super) fn provide(flash: Resource<Option<Flash>>) {
    let news = News::of_app();
    // What lies below the resource: that itself warns of a read that nothing waits for.
    provide_context(LastRefusal(Memo::new(move |_| {
        let flash = (*flash).get().flatten()?;
        in_card(flash, untrack(|| news.answered()))
    })));
}

fn in_card(flash: Flash, form: u32) -> Option<Refused> {
    match flash {
        Flash::ProblemInCard { card, problem, of_value, typed } => Some(Refused { card, problem, of_value, typed, form }),
        Flash::NotInvited { problem, .. } => {
            Some(Refused { card: PEOPLE.to_owned(), problem, of_value: true, typed: None, form })
        }
        _ => None,
    }
}

/// Resolves once it is known what came of the form before. What is loaded after that the server renders together with it, and the cards need not
/// wait, which in two closures would number what is loaded otherwise than in the browser.
pub fn flash_is_known() -> impl Future<Output = ()> + Send + 'static {
    // There is none where the page is fetched anew: then what shows it follows by itself.
    let flash = use_context::<LastFlash>();
    async move {
        if let Some(LastFlash(flash)) = flash {
            flash.await;
        }
    }
}

/// The organisation's page, after [`flash_is_known`].
pub fn load_after_flash((): ()) -> impl Future<Output = Answer<OrganisationPage>> + Send + 'static {
    let is_known = flash_is_known();
    async move {
        is_known.await;
        load_organisation().await
    }
}

/// Whether the last form was one of `card`'s, and was refused for what was typed.
#[must_use]
pub fn is_refused(card: &'static str) -> Memo<bool> {
    let LastRefusal(last) = expect_context();
    Memo::new(move |_| last.with(|last| last.as_ref().is_some_and(|refused| refused.card == card && refused.of_value)))
}

/// What was typed into the last form, where that was `card`'s and failed: without scripts the page is another one, and the form is to have it again.
#[must_use]
pub fn typed(card: &'static str) -> Memo<Option<String>> {
    let LastRefusal(last) = expect_context();
    Memo::new(move |_| last.with(|last| last.as_ref().filter(|refused| refused.card == card)?.typed.clone()))
}

/// For the field of a card that has one: `aria-describedby` with the refusal before the hint.
pub fn described_by(card: &'static str) -> impl Fn() -> String + Copy + Send + Sync + 'static {
    let is_refused = is_refused(card);
    move || if is_refused.get() { format!("{card}-problem {card}-hint") } else { format!("{card}-hint") }
}

/// The sentence, below the card's heading. `card` is the id of that, or of what the form stands in.
#[component]
pub fn Outcome(card: &'static str) -> impl IntoView {
    let LastRefusal(last) = expect_context();
    let refused = move || last.with(|last| last.clone().filter(|refused| refused.card == card));
    let done = done(Some(card));
    // The router goes to the card before what was refused, and perhaps the page itself, is there.
    let shown = NodeRef::<leptos::html::P>::new();
    Effect::new(move |_| {
        if shown.get().is_some() {
            browser::scroll_to(card);
        }
    });
    let paragraph = move |refused: Refused| {
        view! {
            <p class="notice failed in-card" role="alert" id=format!("{card}-problem") node_ref=shown>
                {Icon::Failed.draw()}
                {refused.problem}
            </p>
        }
    };
    view! {
        {move || done.get().map(|text| view! { <Done text in_card=true /> })}
        // Another one for each form, as who hears the page is told of new ones only.
        <For each=refused key=|refused: &Refused| (refused.form, refused.problem.clone()) children=paragraph />
    }
}
