//! What only the server compiles of server functions: how a form ends, and what is read out of one. The functions' own bodies are left out of the browser's half
//! by themselves.

use afterlive_domain::endpoint::{TOLD, endpoint_url};
use afterlive_domain::{EndpointId, Error, OrganisationId, StreamId, Tags, ToldKinds};

use super::Flash;
use super::second_factor::CODE;
use super::streams::MAX_NAME_CHARS;
use crate::backend::{Answer, BackendError, Chosen, EndpointForm, Proof};
use crate::format::too_many_attempts;
use crate::query::{sign_in_url, with_query};
use crate::request::{backend, has_lost_session, keep_typed_email, local_path, redirect, set_status};
use crate::ui::overview::title_of;

/// The pages that forms lead back to.
pub(super) const ACCOUNT: &str = "/account";
pub(super) const EVENTS: &str = "/organisation/events";
pub(super) const ORGANISATION: &str = "/organisation";
pub(super) const SYSTEM: &str = "/system";
/// Where a password was set, and signing in with it failed.
pub(super) const SIGN_IN_ANEW: &str = "/auth?notice=password-set";

/// Gives the answer of a function that reads the HTTP status of its error; else every refusal would count as a failure of the server.
pub(super) fn with_status<T>(answer: Answer<T>) -> Answer<T> {
    answer.inspect_err(|error| set_status(error.status()))
}

/// Goes to `page`, which shows the short `notice`.
pub(super) fn tell(page: &str, notice: &str) {
    redirect(&with_query(page, &[("notice", notice)]));
}

/// Goes to `page`, which shows `flash`.
pub(super) async fn tell_flash(page: &str, flash: Flash) -> Answer<()> {
    tell_flash_at(&with_query(page, &[("notice", "flash")]), flash).await
}

/// Goes to `url`, which says that there is a flash.
async fn tell_flash_at(url: &str, flash: Flash) -> Answer<()> {
    let text = serde_json::to_string(&flash).map_err(|_| BackendError::Internal { request_id: String::new() })?;
    backend().put_flash(text).await?;
    redirect(url);
    Ok(())
}

/// Ends a form that failed: back to `page`, with the reason; to the sign-in where that is what is missing.
pub(super) async fn tell_error(page: &str, error: BackendError) -> Answer<()> {
    if error == BackendError::SignedOut {
        redirect(&sign_in_url(page, has_lost_session()));
        return Ok(());
    }
    tell_flash(page, Flash::Problem(error.to_string())).await
}

/// Ends a form: to `done` with `notice` where it worked, else back to `page`.
pub(super) async fn tell_outcome(outcome: Answer<()>, page: &str, done: &str, notice: &str) -> Answer<()> {
    match outcome {
        Ok(()) => {
            tell(done, notice);
            Ok(())
        }
        Err(error) => tell_error(page, error).await,
    }
}

/// Ends a form of the organisation's page: back in its `card`, with `notice` where it worked, else with the reason. The page is long, and one would
/// see neither elsewhere.
pub(super) async fn tell_in_card(outcome: Answer<()>, card: &str, notice: &str) -> Answer<()> {
    match outcome {
        Ok(()) => {
            redirect(&format!("{}#{card}", with_query(ORGANISATION, &[("notice", notice), ("card", card)])));
            Ok(())
        }
        Err(error) => tell_error_in_card(card, error).await,
    }
}

/// As [`tell_in_card`], of a form that failed.
pub(super) async fn tell_error_in_card(card: &str, error: BackendError) -> Answer<()> {
    match error {
        // Who may not, does not see the card either.
        BackendError::SignedOut | BackendError::Denied => tell_error(ORGANISATION, error).await,
        error => tell_flash_in_card(card, problem_in(card, None, &error)).await,
    }
}

/// Goes to the `card` of the organisation's page, by the id of its heading; it shows `flash`.
pub(super) async fn tell_flash_in_card(card: &str, flash: Flash) -> Answer<()> {
    tell_flash_at(&flash_url(ORGANISATION, card), flash).await
}

/// Ends a form that is folded away on a stream's page: on top of that with `notice` where it worked, else back in the form, with what was `typed`.
/// `id` is that of what it is folded into.
pub(super) async fn tell_in_form(outcome: Answer<()>, page: &str, id: &str, typed: String, notice: &str) -> Answer<()> {
    match outcome {
        Ok(()) => {
            tell(page, notice);
            Ok(())
        }
        // Who may not, does not see the form either, nor is there one where there is no stream.
        Err(error @ (BackendError::SignedOut | BackendError::Denied | BackendError::NotFound)) => tell_error(page, error).await,
        Err(error) => tell_flash_at(&flash_url(page, id), problem_in(id, Some(typed), &error)).await,
    }
}

fn problem_in(card: &str, typed: Option<String>, error: &BackendError) -> Flash {
    let of_value = matches!(error, BackendError::Refused(_));
    Flash::ProblemInCard { card: card.to_owned(), problem: error.to_string(), of_value, typed }
}

/// Of the `card` on `page`, which shows a flash.
fn flash_url(page: &str, card: &str) -> String {
    format!("{}#{card}", with_query(page, &[("notice", "flash")]))
}

/// Ends a form that asked for a password, a code, or both: to `done` with `notice` where it worked, or to one's account where there are recovery codes to be shown;
/// else back to `page`.
pub(super) async fn tell_proof(proof: Answer<Proof>, page: &str, done: &str, notice: &str) -> Answer<()> {
    let problem = match proof {
        Ok(Proof::Done) => {
            tell(done, notice);
            return Ok(());
        }
        Ok(Proof::Codes(codes)) => return tell_flash(ACCOUNT, Flash::RecoveryCodes { codes }).await,
        Ok(Proof::NotSignedIn) => {
            tell("/auth", "second-factor-done");
            return Ok(());
        }
        Ok(Proof::Over) => {
            tell(ACCOUNT, "second-factor-anew");
            return Ok(());
        }
        Ok(Proof::WrongPassword) => "This is not your password. Nothing was changed.".to_owned(),
        Ok(Proof::NoPassword) => {
            "You have no password, which this takes. Ask an administrator for a link for one first.".to_owned()
        }
        Ok(Proof::WrongCode) => {
            "This code is wrong, or has been used. Please wait for the next one that your app shows, and see that the phone's clock is right.".to_owned()
        }
        Ok(Proof::TooManyAttempts { retry_after_s }) => too_many_attempts(retry_after_s),
        Ok(Proof::Exhausted) => {
            "There were too many wrong codes: those of your app are not taken any more. Use a recovery code, or ask an administrator.".to_owned()
        }
        Err(error) => return tell_error(page, error).await,
    };
    tell_error(page, BackendError::Refused(problem)).await
}

/// Goes on to `done`, or back to the page of the link with what is wrong: who has not signed in has no session to keep that in.
pub(super) fn tell_chosen(chosen: Answer<Chosen>, page: &str, done: &str) {
    if matches!(chosen, Ok(Chosen::Done | Chosen::NeedsCode | Chosen::NotSignedIn)) {
        // Of whoever tried to sign in here before.
        keep_typed_email("");
    }
    let problem = match chosen {
        Ok(Chosen::Done) => return redirect(done),
        Ok(Chosen::NeedsCode) => return redirect(&with_query(CODE, &[("next", done), ("notice", "password-set-code")])),
        Ok(Chosen::NotSignedIn) => return redirect(SIGN_IN_ANEW),
        // The page says so by itself.
        Ok(Chosen::WrongLink) => return redirect(local_path(page)),
        Ok(Chosen::Weak(weakness)) => weakness.as_str(),
        Ok(Chosen::Taken) => "taken",
        Err(_) => "server",
    };
    redirect(&with_query(local_path(page), &[("error", problem)]));
}

/// The page that a form of the stream stands on, to lead back to: what is live from a page must not end because something on it was saved. The stream's own
/// where the form does not say, or names none of ours.
pub(super) fn page_of_form(stream: StreamId, back: &str) -> String {
    match local_path(back) {
        "/" => format!("/stream/{stream}"),
        back => back.to_owned(),
    }
}

/// The tags that were typed, with the name as their `title:`, unless they have one already.
pub(super) fn named_tags(name: &str, tags: &str) -> Result<Tags, BackendError> {
    let typed = Tags::from_comma_separated(tags).map_err(|error| refused(&error))?;
    let name = name.trim();
    if name.is_empty() || title_of(&typed).is_some() {
        return Ok(typed);
    }
    // It would be two tags when they are edited next.
    if name.contains(',') {
        return Err(BackendError::Refused(
            "Please give a name without commas: it is kept as a tag, and commas separate those.".to_owned(),
        ));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(BackendError::Refused(format!("Please give a name of at most {MAX_NAME_CHARS} characters.")));
    }
    let title = format!("title:{name}");
    Tags::new(std::iter::once(&title).chain(typed.as_slice())).map_err(|error| refused(&error))
}

/// What is wrong with a field, as a sentence.
pub(super) fn refused(error: &Error) -> BackendError {
    BackendError::Refused(match error {
        Error::WrongType { expected, .. } => format!("Please give {expected}."),
        other => other.to_string(),
    })
}

/// The page of one endpoint.
pub(super) fn endpoint_page(id: EndpointId) -> String {
    format!("{EVENTS}/{id}")
}

/// The page of one organisation, from above.
pub(super) fn tenant_page(id: OrganisationId) -> String {
    format!("{SYSTEM}/organisation/{id}")
}

/// What was typed and ticked; `ticked` as in [`TOLD`].
pub(super) fn endpoint_form(url: &str, ticked: [Option<String>; 6]) -> Result<EndpointForm, BackendError> {
    let url = endpoint_url(url).map_err(|error| refused(&error))?;
    let kinds = TOLD.into_iter().zip(ticked).filter(|(_, ticked)| ticked.is_some()).map(|(kind, _)| kind.as_str());
    let kinds = ToldKinds::new(kinds).map_err(|_| BackendError::Refused("Please tick at least one kind of event.".to_owned()))?;
    Ok(EndpointForm { url, kinds })
}
