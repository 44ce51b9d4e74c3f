//! The fake's second factor.

use afterlive_domain::{Role, UserId};
use async_trait::async_trait;

use super::state::{State, viewer};
use super::{Fake, NOW, PASSWORD};
use crate::backend::{Access, Answer, BackendError, Offer, Proof, SecondFactor, SecondFactorRule, SecondFactors};

/// What the app shows, always.
pub const APP_CODE: &str = "287082";
/// One of ten that are alike.
pub const RECOVERY_CODE: &str = "abcd-efgh-ijkl-mnop-qrst-uvwx";

impl Fake {
    /// Whoever signs in has a second factor, with so many recovery codes left.
    #[must_use]
    pub fn with_second_factor(self, codes_left: u64) -> Self {
        self.state().second_factor = Some(codes_left);
        self
    }

    fn proven(&self, present: &str, code: &str, change: impl FnOnce(&mut State) -> Proof) -> Answer<Proof> {
        let mut state = self.signed_in_state()?;
        if present != PASSWORD {
            return Ok(Proof::WrongPassword);
        }
        Ok(if code == APP_CODE { change(&mut state) } else { Proof::WrongCode })
    }
}

fn codes() -> Proof {
    Proof::Codes(vec![RECOVERY_CODE.to_owned(); 10])
}

#[async_trait]
impl SecondFactors for Fake {
    async fn is_code_asked(&self) -> Answer<bool> {
        Ok(self.state().is_code_asked)
    }

    async fn sign_in_with_code(&self, code: &str) -> Answer<Proof> {
        let mut state = self.state();
        Ok(match code {
            _ if !state.is_code_asked => Proof::Over,
            "too often" => Proof::TooManyAttempts { retry_after_s: 30 },
            "exhausted" => Proof::Exhausted,
            APP_CODE | RECOVERY_CODE => {
                state.access = Access::SignedIn(viewer(Role::Admin));
                state.is_code_asked = false;
                Proof::Done
            }
            _ => Proof::WrongCode,
        })
    }

    async fn second_factor(&self) -> Answer<SecondFactor> {
        let own = self.signed_in_state()?.second_factor;
        Ok(own.map_or(SecondFactor::Off, |codes_left| SecondFactor::On { since: NOW, codes_left }))
    }

    async fn begin_second_factor(&self, present: &str) -> Answer<Proof> {
        let mut state = self.state();
        match &state.access {
            Access::SignedIn(_) | Access::MustEnrol { .. } if present == PASSWORD => {
                state.has_offer = true;
                Ok(Proof::Done)
            }
            Access::SignedIn(_) | Access::MustEnrol { .. } => Ok(Proof::WrongPassword),
            Access::SignedOut | Access::NotSetUp => Err(BackendError::SignedOut),
        }
    }

    async fn second_factor_offer(&self) -> Answer<Option<Offer>> {
        let state = self.state();
        if matches!(state.access, Access::SignedOut | Access::NotSetUp) {
            return Err(BackendError::SignedOut);
        }
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned();
        Ok(state.has_offer.then(|| Offer { secret, qr_size: 9, qr_path: "M4 4h1v1h-1z".to_owned() }))
    }

    async fn confirm_second_factor(&self, code: &str) -> Answer<Proof> {
        let mut state = self.state();
        Ok(match code {
            _ if !state.has_offer => Proof::Over,
            APP_CODE => {
                state.has_offer = false;
                state.second_factor = Some(10);
                state.access = Access::SignedIn(viewer(Role::Admin));
                codes()
            }
            _ => Proof::WrongCode,
        })
    }

    async fn renew_recovery_codes(&self, present: &str, code: &str) -> Answer<Proof> {
        self.proven(present, code, |state| {
            state.second_factor = Some(10);
            codes()
        })
    }

    async fn remove_second_factor(&self, present: &str, code: &str) -> Answer<Proof> {
        self.proven(present, code, |state| {
            state.second_factor = None;
            Proof::Done
        })
    }

    async fn reset_second_factor(&self, user: UserId) -> Answer<()> {
        self.change(|state| {
            let users = state.users.iter_mut().filter(|row| row.id == user);
            users.for_each(|row| row.has_second_factor = false);
        })
    }

    async fn second_factor_rule(&self) -> Answer<SecondFactorRule> {
        let state = self.signed_in_state()?;
        Ok(SecondFactorRule { is_required: state.is_second_factor_required, has_own: state.second_factor.is_some() })
    }

    async fn require_second_factor(&self, is_required: bool) -> Answer<()> {
        self.change(|state| state.is_second_factor_required = is_required)
    }
}
