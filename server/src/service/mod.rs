//! Use cases and permissions: what a caller may do, and what then happens. API and dashboard both come through here, so that they cannot differ.
//! Knows neither HTTP nor HTML.

pub mod account;
mod account_links;
mod api_keys;
mod audit;
mod caller;
mod embedded;
mod endpoints;
mod error;
#[cfg(test)]
mod fixture;
mod guessable;
mod identities;
mod jwt;
mod known_browsers;
mod library;
mod mails;
mod organisations;
mod overview;
mod passwords;
pub mod playback;
mod readiness;
mod recordings;
mod second_factor;
mod seen;
pub mod session_tokens;
mod set_up;
mod sign_in;
mod stills;
mod streams;
mod system;
mod text;
mod traffic;
mod turns;
mod users;
mod write;
mod wrong_links;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::events::Bell;
use crate::hub::Hub;
use crate::mail::Mailer;
use crate::oidc::Provider;
use crate::push::Pushes;
use crate::record::Growing;
use crate::second_factor::Keyring;
use crate::sound::Meters;
use crate::storage::Regions;

pub use account::{Confirmed, OpenAccount, OpenSession, PasswordChange, SignedIn};
pub use account_links::Chosen;
pub use api_keys::{MAX_KEY_LIFETIME_S, MAX_KEYS, NewApiKey, Opens, RevokedKey};
pub use audit::{AuditExport, AuditPage, MAX_EXPORT, MAX_SHOWN};
pub use caller::{Caller, Holder, Identity, Player};
pub use embedded::{Embedded, EmbeddedRecording};
pub use endpoints::{DeliveryPage, EndpointChange, MAX_DELIVERY_PAGE, OLD_SECRET_FOR_MS, too_many as too_many_endpoints};
pub use error::{Error, Result};
pub use identities::{ByProvider, Connected, Joined, Permit};
pub use known_browsers::{Asker, KNOWN_FOR_MS};
pub use library::{AssetList, AssetPage};
pub use mails::Asked;
pub use overview::{CountedStream, Glance, OnAir, Overview, RecordingSlice, StreamTable};
pub use playback::Viewer;
pub use recordings::{Accounted, Shown};
pub use second_factor::{
    CodeCheck, CodeSignIn, Enrolled, FactorChange, HalfSignIn, MAX_WRONG_CODES, Offer, Offered, OwnSecondFactor, Proven,
    ShownOffer,
};
pub use seen::{MAX_PLAYER_PAGE, PlayerList, StreamWithOrganisation};
pub use set_up::{FirstSteps, SetUp, SetUpForm};
pub use sign_in::{MAX_CREDENTIAL_BYTES, SignIn};
pub use streams::{MAX_LISTED_TAGS, MAX_PAGE, NewStream, StreamList, StreamPage};
pub use system::{Created, Installation, Listed, ORGANISATIONS_A_PAGE, Tenant};
pub use text::MAX_NAME_CHARS;
pub use users::{MAX_PEOPLE, Who};

/// The use cases, over everything that they need. One for the whole process.
pub struct Service {
    db: Db,
    clock: Clock,
    config: Arc<Config>,
    regions: Regions,
    hub: Hub,
    growing: Growing,
    pushes: Pushes,
    bell: Bell,
    audit: Audit,
    changes: turns::FairTurns,
    sign_ins: Arc<Semaphore>,
    meters: Option<Meters>,
    mailer: Option<Mailer>,
    mail_limits: mails::Limits,
    provider: Option<Provider>,
    doors: playback::Doors,
    passwords: passwords::Passwords,
    readiness: readiness::Readiness,
    sign_in_limits: sign_in::Limits,
    player_lists: turns::FairTurns,
    audit_pages: turns::FairTurns,
    searches: turns::FairTurns,
    long_lists: turns::FairTurns,
    set_up_token: set_up::Token,
    unknown_links: wrong_links::Unknown,
    keyring: Arc<Keyring>,
}

impl Service {
    #[must_use]
    pub fn new(db: Db, clock: Clock, config: Arc<Config>, regions: Regions, hub: Hub, growing: Growing) -> Self {
        let provider = config.oidc.as_ref().map(|oidc| Provider::new(oidc, &config.http.public_url, clock.clone()));
        let keyring = Arc::new(Keyring::new(config.second_factor.key.clone(), &config.data_dir));
        Self {
            db,
            clock,
            config,
            regions,
            hub,
            growing,
            pushes: Pushes::default(),
            bell: Bell::default(),
            audit: Audit::default(),
            changes: turns::FairTurns::new(write::CHANGES_AT_ONCE),
            sign_ins: Arc::new(Semaphore::new(write::SIGN_INS_AT_ONCE)),
            meters: None,
            mailer: None,
            mail_limits: mails::Limits::default(),
            provider,
            doors: playback::Doors::default(),
            passwords: passwords::Passwords::default(),
            readiness: readiness::Readiness::default(),
            sign_in_limits: sign_in::Limits::default(),
            player_lists: turns::FairTurns::default(),
            audit_pages: turns::FairTurns::default(),
            searches: turns::FairTurns::default(),
            long_lists: turns::FairTurns::default(),
            set_up_token: set_up::Token::default(),
            unknown_links: wrong_links::Unknown::default(),
            keyring,
        }
    }

    /// With what is pushed to other servers.
    #[must_use]
    pub fn with_pushes(self, pushes: Pushes) -> Self {
        Self { pushes, ..self }
    }

    /// With what wakes who tells endpoints of events.
    #[must_use]
    pub fn with_bell(self, bell: Bell) -> Self {
        Self { bell, ..self }
    }

    /// With what is noted for the audit log, for who writes it.
    #[must_use]
    pub fn with_audit(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    /// With what measures how loud live streams are.
    #[must_use]
    pub fn with_meters(self, meters: Meters) -> Self {
        Self { meters: Some(meters), ..self }
    }

    /// For what only reads, such as the sums on the start page, and for the event stream.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What waits to be written to the audit log.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    #[must_use]
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    /// How far the recordings of this process have come.
    #[must_use]
    pub fn growing(&self) -> &Growing {
        &self.growing
    }
}
