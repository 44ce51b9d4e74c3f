//! Who asks, for the length of one request: the browser, its session, and who has signed in with it. What is answered is not decided here.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use afterlive_app::backend::{Answer, BackendError, Chosen};
use afterlive_domain::Error as Refusal;
use tower_sessions::Session;

use super::present;
use crate::db::users::User;
use crate::http::browser_session;
use crate::http::known_browser::KnownBrowser;
use crate::http::request::Asked;
use crate::http::unsent::RETRY_AFTER_S;
use crate::service::playback::Pass;
use crate::service::{self, Asker, Caller, Service, SignedIn};

/// What a page is given to reach the server, for the length of one request.
pub struct Dashboard {
    pub(super) service: Arc<Service>,
    pub(super) session: Session,
    /// The browser's, for the limit on attempts to sign in and for playback tokens.
    pub(super) address: IpAddr,
    /// The host of the page that asks.
    pub(super) site: Option<String>,
    /// What the browser says that it is.
    pub(super) browser: String,
    /// Under which the log has the cause of a failure.
    pub(super) request_id: String,
    /// What the browser asks for, without what may be a secret.
    pub(super) what: String,
    /// Is told who turned out to have signed in.
    asked: Asked,
    /// Whether somebody has signed in with this browser before.
    pub(super) known_browser: KnownBrowser,
    /// The browser came with a session in which nobody is signed in any more, though they did not sign out with it.
    pub(super) lost_session: AtomicBool,
}

impl Dashboard {
    #[must_use]
    pub fn new(
        service: Arc<Service>,
        session: Session,
        address: IpAddr,
        site: Option<String>,
        browser: String,
        request_id: String,
        what: String,
    ) -> Self {
        Self {
            service,
            session,
            address,
            site,
            browser,
            request_id,
            what,
            asked: Asked::default(),
            known_browser: KnownBrowser::default(),
            lost_session: AtomicBool::new(false),
        }
    }

    /// For a browser with which somebody has signed in before, or who may now.
    #[must_use]
    pub fn with_known_browser(self, known_browser: KnownBrowser) -> Self {
        Self { known_browser, ..self }
    }

    /// For a browser whose cookie names a session that is there no more.
    #[must_use]
    pub fn with_lost_session(self, is_lost: bool) -> Self {
        Self { lost_session: AtomicBool::new(is_lost), ..self }
    }

    /// Tells the rest of the request who has signed in.
    #[must_use]
    pub fn telling(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// Who has signed in, where somebody has.
    pub(super) async fn caller(&self) -> Answer<Option<Caller>> {
        let found = browser_session::caller(&self.service, &self.session).await.map_err(|error| self.error(&error))?;
        let caller = found.map(|caller| caller.at(self.address));
        if let Some(caller) = caller {
            // The same in all of one request.
            self.asked.tell(caller);
        } else if browser_session::had_signed_in(&self.session).await {
            self.lost_session.store(true, Ordering::Relaxed);
        }
        Ok(caller)
    }

    /// What lets the caller's pages load recordings; `None` where everybody can.
    pub(super) async fn pass(&self, caller: &Caller) -> Answer<Option<Pass>> {
        let organisation = self.service.organisation(caller).await.map_err(|error| self.error(&error))?;
        self.service.pass(caller, &organisation).await.map_err(|error| self.error(&error))
    }

    pub(super) async fn signed_in(&self) -> Answer<Caller> {
        self.caller().await?.ok_or(BackendError::SignedOut)
    }

    pub(super) async fn begin_session(&self, user: &User) -> Answer<()> {
        self.begin_session_by(user, None).await
    }

    /// As [`Dashboard::begin_session`]; `identity` is by what they came from the provider, where they did.
    pub(super) async fn begin_session_by(&self, user: &User, identity: Option<&str>) -> Answer<()> {
        let signed_in = SignedIn::new(user, self.service.clock().now(), self.address, &self.browser).by(identity);
        browser_session::begin(&self.session, &signed_in).await.map_err(|cause| self.failed(&cause))?;
        self.known_browser.remember(&self.service, user).await;
        Ok(())
    }

    /// Who asks to be let in.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker { address: self.address, browser: self.known_browser.secret() }
    }

    /// The browser session that asks.
    pub(super) fn session_id(&self) -> Option<String> {
        browser_session::id(&self.session)
    }

    /// Signs in who has chosen a password.
    pub(super) async fn begin_chosen(&self, chosen: service::Result<service::Chosen>) -> Answer<Chosen> {
        match chosen.map_err(|error| self.error(&error))? {
            // What was chosen stands, whatever comes of signing in; the log has why.
            service::Chosen::Done(user) => Ok(self.begin_session(&user).await.map_or(Chosen::NotSignedIn, |()| Chosen::Done)),
            service::Chosen::NeedsCode(half) => {
                Ok(self.ask_for_code(&half).await.map_or(Chosen::NotSignedIn, |()| Chosen::NeedsCode))
            }
            service::Chosen::WrongLink => Ok(Chosen::WrongLink),
            service::Chosen::Weak(weakness) => Ok(Chosen::Weak(weakness)),
        }
    }

    pub(super) fn error(&self, error: &service::Error) -> BackendError {
        match error {
            service::Error::Refused(refusal) => {
                if let (Refusal::Denied { .. } | Refusal::NotSystemAdministrator, Some(caller)) = (refusal, self.asked.caller()) {
                    self.service.note_denied(&caller, &self.what);
                }
                if let (true, Some(caller)) = (refusal.is_of_nothing(), self.asked.caller()) {
                    self.service.note_missing(&caller, &self.what);
                }
                present::refusal(refusal)
            }
            service::Error::Database(cause) if cause.is_no_room() => {
                tracing::error!(request_id = %self.request_id, %cause, "a page found no connection of the database");
                BackendError::NotNow { retry_after_s: RETRY_AFTER_S }
            }
            ours => self.failed(ours),
        }
    }

    /// A failure of ours: the log has its cause, the page only where to look.
    pub(super) fn failed(&self, cause: &dyn std::error::Error) -> BackendError {
        tracing::error!(request_id = %self.request_id, %cause, "a page could not be served");
        BackendError::Internal { request_id: self.request_id.clone() }
    }
}
