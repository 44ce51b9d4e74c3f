//! The organisation as the API writes it.

use afterlive_domain::organisation::{RecordingRules, RecordingSettings};
use afterlive_domain::{OrganisationHash, OrganisationId, Region, UnixMillis};
use serde::Serialize;

use crate::db::organisations::Organisation;
use crate::service::{Caller, Service};

#[derive(Serialize)]
pub struct OrganisationJson {
    id: OrganisationId,
    name: String,
    hash: OrganisationHash,
    /// Only admins see what stands behind its host.
    webhook: Option<String>,
    publish_key: PublishKey,
    vod: Vod,
    live: Live,
    recording: Recording,
    region: Region,
    created_at: UnixMillis,
    updated_at: UnixMillis,
}

#[derive(Serialize)]
struct PublishKey {
    required: bool,
}

#[derive(Serialize)]
struct Vod {
    enabled: bool,
    public: bool,
}

#[derive(Serialize)]
struct Live {
    public: bool,
}

/// What is set, null where nothing is, and beside it what holds.
#[derive(Serialize)]
struct Recording {
    #[serde(flatten)]
    settings: RecordingSettings,
    effective: RecordingRules,
    /// So long what is deleted can be restored; the server's alone to say.
    bin_days: u64,
}

impl OrganisationJson {
    pub fn new(service: &Service, caller: &Caller, organisation: Organisation) -> Self {
        Self {
            id: organisation.id,
            webhook: Service::shown_webhook(caller.role, &organisation),
            publish_key: PublishKey { required: organisation.publish_secret.is_some() },
            name: organisation.name,
            hash: organisation.hash,
            vod: Vod { enabled: organisation.settings.recording_enabled, public: organisation.settings.vod_public },
            live: Live { public: organisation.settings.live_public },
            recording: Recording {
                settings: organisation.recording,
                effective: organisation.recording.over(service.recording_rules()),
                bin_days: service.config().retention.bin_days,
            },
            region: service.config().region.clone(),
            created_at: organisation.created_at,
            updated_at: organisation.updated_at,
        }
    }
}
