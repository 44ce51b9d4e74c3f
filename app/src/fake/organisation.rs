//! The fake's organisation.

use afterlive_domain::Role;
use afterlive_domain::organisation::RecordingRules;

use super::{ORIGIN, State};
use crate::backend::{Access, Answer, BackendError, OrganisationPage, RegionRow};

impl State {
    pub(super) fn organisation(&self) -> Answer<OrganisationPage> {
        let Access::SignedIn(viewer) = &self.access else { return Err(BackendError::SignedOut) };
        let region = |name: &str, is_default| RegionRow {
            region: name.parse().expect("a region"),
            vod_url: format!("{ORIGIN}/vod-{name}"),
            is_default,
        };
        Ok(OrganisationPage {
            name: self.name.clone(),
            hash: viewer.organisation_hash.clone(),
            settings: self.settings,
            recording: self.recording,
            recording_rules: RecordingRules { reconnect_window_s: 30, ..RecordingRules::default() },
            embed_domains: self.embed_domains.clone(),
            webhook: self.webhook.as_ref().filter(|_| viewer.role == Role::Admin).map(|url| url.as_str().to_owned()),
            publish_key_required: self.publish_key_required,
            bin_days: 7,
            regions: vec![region("eu", true), region("us", false), region("au", false)],
            keys: (viewer.role == Role::Admin).then(|| self.keys.clone()),
            api_url: ORIGIN.into(),
        })
    }
}
