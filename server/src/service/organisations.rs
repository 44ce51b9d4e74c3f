//! The caller's organisation: what it is, and its switches.

use std::collections::BTreeMap;

use afterlive_domain::organisation::{RecordingRules, RecordingSettings, Settings};
use afterlive_domain::{Act, EmbedDomains, Error as Refusal, OrganisationHash, Permission, Role, WebhookUrl};

use serde::Serialize;

use super::write::{Note, difference};
use super::{Caller, Result, Service, text};
use crate::db::organisations::Organisation;
use crate::db::{self, Connection};
use crate::dial::{self, Reach};
use crate::post::PUBLIC_URL;
use crate::publish_key::{PublishKeys, PublishSecret};

/// An organisation's name, as settings differ in it.
pub(super) fn named(name: &str) -> impl Serialize {
    BTreeMap::from([("name", name)])
}

impl Service {
    /// The operator at the server's terminal, as an admin of the organisation; `None` where there is none with this hash.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn operator(&self, hash: &OrganisationHash) -> Result<Option<Caller>> {
        let found = db::organisations::by_hash(&mut self.db.read().await?, hash).await?;
        Ok(found.map(|organisation| Caller::operator(organisation.id)))
    }

    /// # Errors
    /// `Denied` where the caller may not read.
    pub async fn organisation(&self, caller: &Caller) -> Result<Organisation> {
        caller.require(Permission::Read)?;
        organisation_of(&mut self.db.read().await?, caller).await
    }

    /// Changes name and switches. What is being recorded goes on; the next publish follows the new setting. Who may watch what
    /// is asked anew with the next request.
    ///
    /// # Errors
    /// `Denied` for all but admins; for `name` where it is empty or too long.
    pub async fn save_organisation(&self, caller: &Caller, name: &str, settings: Settings) -> Result<Organisation> {
        caller.require(Permission::Administer)?;
        let name = text::name("name", name)?;
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let before = organisation_of(&mut tx, caller).await?;
        if before.name == name && before.settings == settings {
            tx.roll_back();
            return Ok(before);
        }
        let changes = [difference(&named(&before.name), &named(&name)), difference(&before.settings, &settings)];
        let changes = changes.into_iter().filter(|changes| !changes.is_empty()).collect::<Vec<_>>().join("; ");
        db::organisations::update(&mut tx, caller.organisation, &name, settings, self.clock.now()).await?;
        tx.commit(Note::of(Act::OrganisationChanged, caller.organisation).saying(changes)).await?;
        let saved = self.organisation(caller).await?;
        self.forget_policy(&saved.hash);
        Ok(saved)
    }

    /// Changes limits, reconnect window and retention of the organisation's recordings. A publish that goes on keeps the limits it began with; retention
    /// follows within a minute.
    ///
    /// # Errors
    /// `Denied` for all but admins; for the field that cannot be.
    pub async fn change_recording_settings(
        &self,
        caller: &Caller,
        change: impl FnOnce(RecordingSettings) -> RecordingSettings + Send,
    ) -> Result<Organisation> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let before = db::organisations::recording_settings(&mut tx, caller.organisation).await?;
        let settings = change(before);
        settings.check()?;
        if before == settings {
            tx.roll_back();
            return self.organisation(caller).await;
        }
        let changes = difference(&before, &settings);
        db::organisations::set_recording(&mut tx, caller.organisation, &settings, self.clock.now()).await?;
        tx.commit(Note::of(Act::RecordingRulesChanged, caller.organisation).saying(changes)).await?;
        tracing::info!(organisation = %caller.organisation, by = %caller.identity, ?settings, "changed the settings of recordings");
        self.organisation(caller).await
    }

    /// Changes which sites may show the player in a frame. A frame that is open already stays.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn set_embed_domains(&self, caller: &Caller, domains: &EmbedDomains) -> Result<()> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if organisation_of(&mut tx, caller).await?.embed_domains == *domains {
            tx.roll_back();
            return Ok(());
        }
        db::organisations::set_embed_domains(&mut tx, caller.organisation, domains, self.clock.now()).await?;
        let sites = if domains.is_open() { "every site".to_owned() } else { domains.to_string() };
        tx.commit(Note::of(Act::EmbedDomainsChanged, caller.organisation).saying(sites)).await
    }

    /// Changes who is asked before an encoder may publish; `None`: nobody. What is on air goes on, with whom it began.
    ///
    /// # Errors
    /// `Denied` for all but admins; `WrongType` where it is plain that it could never be asked.
    pub async fn set_webhook(&self, caller: &Caller, webhook: Option<&WebhookUrl>) -> Result<Organisation> {
        caller.require(Permission::Administer)?;
        let reach = Reach::with_private(self.config.webhook.allow_private);
        if webhook.is_some_and(|url| dial::is_out_of_reach(url.host(), reach)) {
            let expected = PUBLIC_URL.to_owned();
            return Err(Refusal::WrongType { parameter: "webhook".to_owned(), expected }.into());
        }
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let before = organisation_of(&mut tx, caller).await?;
        if before.webhook.as_ref() == webhook {
            tx.roll_back();
            return Ok(before);
        }
        db::organisations::set_webhook(&mut tx, caller.organisation, webhook, self.clock.now()).await?;
        // What stands behind the host may be a secret.
        let asked = webhook.map_or("nobody is asked".to_owned(), WebhookUrl::without_target);
        tx.commit(Note::of(Act::WebhookChanged, caller.organisation).saying(asked)).await?;
        tracing::info!(organisation = %caller.organisation, by = %caller.identity, ?webhook, "changed the webhook");
        self.organisation(caller).await
    }

    /// The webhook as the caller may see it: only admins with what may be a secret in it.
    #[must_use]
    pub fn shown_webhook(role: Role, organisation: &Organisation) -> Option<String> {
        let shown = |webhook: &WebhookUrl| match role {
            Role::Admin => webhook.as_str().to_owned(),
            Role::User | Role::ReadOnly => webhook.without_target(),
        };
        organisation.webhook.as_ref().map(shown)
    }

    /// Sets whether encoders must show their stream's publish key. What is on air goes on; the next publish follows the new setting. Keys stay the same when it is
    /// switched, unless all are renewed.
    ///
    /// # Errors
    /// `Denied` for all but admins.
    pub async fn require_publish_key(&self, caller: &Caller, is_required: bool, renews_all: bool) -> Result<Organisation> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        let before = organisation_of(&mut tx, caller).await?;
        let is_so = match before.publish_keys {
            PublishKeys::Off => !is_required,
            PublishKeys::On(_) => is_required,
            // What they are made of is drawn anew.
            PublishKeys::Lost => false,
        };
        if is_so && !renews_all {
            tx.roll_back();
            return Ok(before);
        }
        let drawn = PublishSecret::draw();
        let now = self.clock.now();
        db::organisations::require_publish_key(&mut tx, caller.organisation, is_required, renews_all, &drawn, now).await?;
        let what = match (is_required, renews_all) {
            (true, false) => "required",
            (true, true) => "required, and all renewed",
            (false, false) => "not required",
            (false, true) => "not required, and all renewed",
        };
        tx.commit(Note::of(Act::PublishKeysChanged, caller.organisation).saying(what)).await?;
        let (organisation, by) = (caller.organisation, &caller.identity);
        tracing::info!(%organisation, %by, is_required, renews_all, "changed whether a publish key is required");
        self.organisation(caller).await
    }

    /// What holds for recordings of an organisation that has set nothing.
    #[must_use]
    pub fn recording_rules(&self) -> RecordingRules {
        self.config.recording_rules()
    }
}

/// The caller's, who was found to be allowed to read.
pub(super) async fn organisation_of(connection: &mut Connection, caller: &Caller) -> Result<Organisation> {
    let found = db::organisations::by_id(connection, caller.organisation).await?;
    // A caller's organisation is never deleted; were it, the credential would be worth nothing.
    Ok(found.ok_or(Refusal::BadCredentials)?)
}
