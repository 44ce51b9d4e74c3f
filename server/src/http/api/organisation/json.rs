//! The organisation as the API writes it.

use afterlive_domain::organisation::{RecordingRules, RecordingSettings};
use afterlive_domain::{OrganisationHash, OrganisationId, Region, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::db::organisations::Organisation;
use crate::service::{Caller, Service};

/// An organisation, and what it has set.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Organisation", example = example())]
pub struct OrganisationJson {
    id: OrganisationId,
    name: String,
    /// The first half of its streams' names.
    hash: OrganisationHash,
    /// Who is asked before an encoder may publish; null: nobody. Only administrators see what stands behind its host.
    webhook: Option<String>,
    publish_key: PublishKey,
    vod: Vod,
    live: Live,
    recording: Recording,
    /// Where it is recorded.
    region: Region,
    created_at: UnixMillis,
    updated_at: UnixMillis,
}

#[derive(JsonSchema, Serialize)]
struct PublishKey {
    /// Whether an encoder must have a key behind its stream's name.
    required: bool,
}

#[derive(JsonSchema, Serialize)]
struct Vod {
    /// Whether what is published to `/rec` is recorded.
    enabled: bool,
    /// Whether recordings play for everybody who has their URL.
    public: bool,
}

#[derive(JsonSchema, Serialize)]
struct Live {
    /// Whether what is live plays for everybody who knows the stream's name.
    public: bool,
}

/// What is set, null where nothing is, and beside it what holds.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "RecordingSetting")]
struct Recording {
    #[serde(flatten)]
    settings: RecordingSettings,
    /// What holds: the organisation's over the server's.
    effective: RecordingRules,
    /// So many days what is deleted can be restored; the server's alone to say.
    bin_days: u64,
}

impl OrganisationJson {
    pub fn new(service: &Service, caller: &Caller, organisation: Organisation) -> Self {
        Self {
            id: organisation.id,
            webhook: Service::shown_webhook(caller.role, &organisation),
            publish_key: PublishKey { required: organisation.publish_keys.are_required() },
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

/// The example in the document.
fn example() -> Value {
    json!({
        "id": "8d0b4a4e-52a3-4f49-8f0c-6d2f2f2ed6c7",
        "name": "Chapel",
        "hash": "8sKpm",
        "webhook": "https://example.com/may-publish",
        "publish_key": { "required": false },
        "vod": { "enabled": true, "public": true },
        "live": { "public": true },
        "recording": {
            "max_duration_s": null,
            "max_bytes": null,
            "reconnect_window_s": 30,
            "retention_days": null,
            "effective": { "max_duration_s": 0, "max_bytes": 0, "reconnect_window_s": 30, "retention_days": 0 },
            "bin_days": 30,
        },
        "region": "eu",
        "created_at": "2026-11-04T17:09:19.899Z",
        "updated_at": "2026-11-04T17:09:19.899Z",
    })
}
