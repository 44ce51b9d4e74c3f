//! The port's part of second factors over `service/`.

use afterlive_app::backend::{Access, Answer, BackendError, Offer, Proof, SecondFactor, SecondFactorRule, SecondFactors};
use afterlive_domain::UserId;

use super::asking::Dashboard;
use crate::db::users::User;
use crate::http::{browser_session, second_step};
use crate::second_factor::RecoveryCodes;
use crate::service::{Caller, CodeSignIn, Enrolled, FactorChange, HalfSignIn, Offered};

fn shown(RecoveryCodes(codes): &RecoveryCodes) -> Proof {
    Proof::Codes(codes.iter().map(|code| code.as_str().to_owned()).collect())
}

impl Dashboard {
    /// Who has signed in, also who must set up a second factor before anything else.
    async fn enrolling(&self) -> Answer<Caller> {
        let found = browser_session::enrolling(&self.service, &self.session).await.map_err(|error| self.error(&error))?;
        found.map(|(caller, _)| caller.at(self.address)).ok_or(BackendError::SignedOut)
    }

    /// As [`Dashboard::enrolling`], where it is enough that there is somebody.
    pub(super) async fn is_enrolling(&self) -> Answer<bool> {
        match self.enrolling().await {
            Ok(_) => Ok(true),
            Err(BackendError::SignedOut) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Who has not signed in, or has and may do nothing yet.
    pub(super) async fn access_of_stranger(&self, needs_set_up: bool) -> Answer<Access> {
        let found = browser_session::enrolling(&self.service, &self.session).await.map_err(|error| self.error(&error))?;
        Ok(match found {
            Some((_, user)) => Access::MustEnrol { has_password: user.has_password(), email: user.email },
            None if needs_set_up => Access::NotSetUp,
            None => Access::SignedOut,
        })
    }

    /// Asks who has given the right password for a code.
    pub(super) async fn ask_for_code(&self, half: &HalfSignIn) -> Answer<()> {
        second_step::begin(&self.session, half).await.map_err(|cause| self.failed(&cause))
    }

    async fn half(&self) -> Answer<Option<HalfSignIn>> {
        let half = second_step::half(&self.session).await.map_err(|cause| self.failed(&cause))?;
        Ok(half.filter(|half| !half.is_over(self.service.clock().now())))
    }

    /// What was done stands, whatever comes of signing in; the log has why.
    async fn begin_anew(&self, user: &User, done: Proof) -> Answer<Proof> {
        Ok(self.begin_session(user).await.map_or(Proof::NotSignedIn, |()| done))
    }

    async fn changed(&self, change: FactorChange) -> Answer<Proof> {
        Ok(match change {
            FactorChange::Codes(codes) => shown(&codes),
            FactorChange::Off(user) => return self.begin_anew(&user, Proof::Done).await,
            FactorChange::WrongPassword => Proof::WrongPassword,
            FactorChange::WrongCode => Proof::WrongCode,
            FactorChange::TooManyAttempts { retry_after_s } => Proof::TooManyAttempts { retry_after_s },
            FactorChange::Exhausted => Proof::Exhausted,
            FactorChange::Over => Proof::Over,
        })
    }
}

#[async_trait::async_trait]
impl SecondFactors for Dashboard {
    async fn is_code_asked(&self) -> Answer<bool> {
        Ok(self.half().await?.is_some())
    }

    async fn sign_in_with_code(&self, code: &str) -> Answer<Proof> {
        let Some(half) = self.half().await? else { return Ok(Proof::Over) };
        match self.service.finish_sign_in(&half, code, self.asker()).await.map_err(|error| self.error(&error))? {
            CodeSignIn::Done(user) => self.begin_session_by(&user, half.identity()).await.map(|()| Proof::Done),
            CodeSignIn::WrongCode => Ok(Proof::WrongCode),
            CodeSignIn::TooManyAttempts { retry_after_s } => Ok(Proof::TooManyAttempts { retry_after_s }),
            CodeSignIn::Exhausted => Ok(Proof::Exhausted),
            CodeSignIn::Over => {
                second_step::end(&self.session).await.map_err(|cause| self.failed(&cause))?;
                Ok(Proof::Over)
            }
        }
    }

    async fn second_factor(&self) -> Answer<SecondFactor> {
        let caller = self.signed_in().await?;
        let own = self.service.own_second_factor(&caller).await.map_err(|error| self.error(&error))?;
        Ok(own.map_or(SecondFactor::Off, |own| SecondFactor::On { since: own.since, codes_left: own.codes_left }))
    }

    async fn begin_second_factor(&self, present: &str) -> Answer<Proof> {
        let caller = self.enrolling().await?;
        match self.service.offer_second_factor(&caller, present).await.map_err(|error| self.error(&error))? {
            Offered::Made(offer) => {
                second_step::put_offer(&self.session, &offer).await.map_err(|cause| self.failed(&cause))?;
                Ok(Proof::Done)
            }
            Offered::WrongPassword => Ok(Proof::WrongPassword),
            Offered::NoPassword => Ok(Proof::NoPassword),
            Offered::TooManyAttempts { retry_after_s } => Ok(Proof::TooManyAttempts { retry_after_s }),
        }
    }

    async fn second_factor_offer(&self) -> Answer<Option<Offer>> {
        let caller = self.enrolling().await?;
        let offer = second_step::offer(&self.session).await.map_err(|cause| self.failed(&cause))?;
        let Some(offer) = offer else { return Ok(None) };
        let shown = self.service.show_offer(&caller, &offer).await.map_err(|error| self.error(&error))?;
        Ok(shown.map(|shown| Offer { secret: shown.secret, qr_size: shown.qr.size as u64, qr_path: shown.qr.path }))
    }

    async fn confirm_second_factor(&self, code: &str) -> Answer<Proof> {
        let caller = self.enrolling().await?;
        let offer = second_step::offer(&self.session).await.map_err(|cause| self.failed(&cause))?;
        let Some(offer) = offer else { return Ok(Proof::Over) };
        let enrolled = self.service.enrol(&caller, &offer, code, self.session_id().as_deref()).await;
        match enrolled.map_err(|error| self.error(&error))? {
            Enrolled::Done(user, codes) => self.begin_anew(&user, shown(&codes)).await,
            Enrolled::WrongCode => Ok(Proof::WrongCode),
            Enrolled::Over => {
                second_step::end_offer(&self.session).await.map_err(|cause| self.failed(&cause))?;
                Ok(Proof::Over)
            }
        }
    }

    async fn renew_recovery_codes(&self, present: &str, code: &str) -> Answer<Proof> {
        let caller = self.signed_in().await?;
        let change = self.service.renew_recovery_codes(&caller, present, code).await;
        self.changed(change.map_err(|error| self.error(&error))?).await
    }

    async fn remove_second_factor(&self, present: &str, code: &str) -> Answer<Proof> {
        let caller = self.signed_in().await?;
        let change = self.service.remove_second_factor(&caller, present, code, self.session_id().as_deref()).await;
        self.changed(change.map_err(|error| self.error(&error))?).await
    }

    async fn reset_second_factor(&self, user: UserId) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.reset_second_factor(&caller, user).await.map_err(|error| self.error(&error))
    }

    async fn second_factor_rule(&self) -> Answer<SecondFactorRule> {
        let caller = self.signed_in().await?;
        let is_required = self.service.requires_second_factor(&caller).await.map_err(|error| self.error(&error))?;
        let own = self.service.own_second_factor(&caller).await.map_err(|error| self.error(&error))?;
        Ok(SecondFactorRule { is_required, has_own: own.is_some() })
    }

    async fn require_second_factor(&self, is_required: bool) -> Answer<()> {
        let caller = self.signed_in().await?;
        self.service.require_second_factor(&caller, is_required).await.map_err(|error| self.error(&error))
    }
}
