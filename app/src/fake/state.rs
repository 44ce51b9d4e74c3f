//! What the fake knows, and with what it begins.

use std::collections::BTreeMap;

use afterlive_domain::organisation::{RecordingSettings, Settings};
use afterlive_domain::{AssetId, EmbedDomains, KeyId, Role, StreamId, StreamState, Tags, WebhookUrl};
use uuid::Uuid;

use super::system::System;
use super::{CREATED, DAY_MS, ENDED, LIVE, NOW, accounts, events};
use crate::backend::{
    Access, ApiKeyRow, Connection, DeliveryRow, EndpointRow, InvitationRow, Keeping, MailFate, PlaybackTokenRow, SessionRow,
    SessionTokenRow, StreamRow, UserRow, Viewer,
};

pub(super) struct State {
    pub(super) access: Access,
    pub(super) has_lost_session: bool,
    /// There is no room for changes.
    pub(super) is_busy: bool,
    pub(super) streams: Vec<StreamRow>,
    pub(super) keys: Vec<ApiKeyRow>,
    pub(super) tokens: Vec<PlaybackTokenRow>,
    pub(super) users: Vec<UserRow>,
    pub(super) invitations: Vec<InvitationRow>,
    /// What becomes of each mail; `None` where none is sent.
    pub(super) mail: Option<MailFate>,
    /// `None` where there is no provider.
    pub(super) connection: Option<Connection>,
    pub(super) has_password: bool,
    pub(super) sessions: Vec<SessionRow>,
    pub(super) session_tokens: Vec<SessionTokenRow>,
    pub(super) push_urls: BTreeMap<StreamId, String>,
    /// Streams whose encoder was cut off, and for how much longer it is waited for.
    pub(super) awaited_s: BTreeMap<StreamId, u64>,
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) recording: RecordingSettings,
    pub(super) embed_domains: EmbedDomains,
    pub(super) webhook: Option<WebhookUrl>,
    pub(super) publish_key_required: bool,
    pub(super) endpoints: Vec<EndpointRow>,
    pub(super) endpoints_are_readable: bool,
    pub(super) deliveries: Vec<DeliveryRow>,
    pub(super) secret_rotations: u32,
    pub(super) key_renewals: BTreeMap<StreamId, u32>,
    pub(super) flash: Option<String>,
    /// How many recovery codes are left; `None`: there is no second factor.
    pub(super) second_factor: Option<u64>,
    pub(super) is_code_asked: bool,
    pub(super) has_offer: bool,
    pub(super) is_second_factor_required: bool,
    /// How often [`Backend::overview`](crate::backend::Backend::overview) was asked: what grows, grows with it.
    pub(super) asked: u64,
    pub(super) keeping: BTreeMap<AssetId, Keeping>,
    pub(super) system: System,
}

pub(super) fn viewer(role: Role) -> Viewer {
    Viewer {
        email: "ada@northlight.example".into(),
        role,
        system_administrator: false,
        organisation_name: "Northlight Events".into(),
        organisation_hash: "8sKpm".parse().expect("a hash"),
        settings: Settings::default(),
    }
}

pub(super) fn stream(id: StreamId, name: &str, state: StreamState, days_ago: i64, tags: &[&str], recordings: u64) -> StreamRow {
    let created_at = NOW.plus_ms(-days_ago * DAY_MS);
    StreamRow {
        id,
        streamname: format!("8sKpm-{name}").parse().expect("a streamname"),
        state,
        created_at,
        updated_at: created_at.plus_ms(3_600_000),
        tags: Tags::new(tags).expect("tags"),
        recordings,
    }
}

impl State {
    pub(super) fn new(access: Access) -> Self {
        let mut streams = vec![
            stream(LIVE, "x49nB", StreamState::Live, 0, &["title:Sunday service", "hall-2"], 24),
            stream(ENDED, "Q7wLd", StreamState::Ended, 2, &["title:Council meeting", "public"], 3),
            stream(CREATED, "m3RtZ", StreamState::Created, 3, &[], 0),
            stream(StreamId(Uuid::from_u128(4)), "b8HhK", StreamState::Locked, 9, &["rehearsal"], 1),
        ];
        streams.extend((5..40).map(|n: u32| {
            let name = format!("s{n:04}");
            stream(StreamId(Uuid::from_u128(n.into())), &name, StreamState::Ended, n.into(), &["archive"], u64::from(n) % 4)
        }));
        let key = |n: u128, label: &str, role: Role, last_used_at| ApiKeyRow {
            id: KeyId(Uuid::from_u128(n)),
            label: label.into(),
            role: Some(role),
            hint: "al_7Hq".into(),
            created_at: NOW.plus_ms(-20 * DAY_MS),
            last_used_at,
            expires_at: None,
            has_expired: false,
        };
        Self {
            access,
            has_lost_session: false,
            is_busy: false,
            streams,
            keys: vec![key(2, "Website", Role::ReadOnly, Some(NOW)), key(1, "Scheduler", Role::Admin, None)],
            tokens: Vec::new(),
            users: accounts::users(),
            invitations: Vec::new(),
            mail: None,
            connection: None,
            has_password: true,
            sessions: accounts::sessions(),
            session_tokens: accounts::tokens(),
            push_urls: BTreeMap::new(),
            awaited_s: BTreeMap::new(),
            name: "Northlight Events".into(),
            settings: Settings::default(),
            recording: RecordingSettings { max_duration_s: Some(7_200), ..RecordingSettings::default() },
            embed_domains: EmbedDomains::default(),
            webhook: None,
            publish_key_required: false,
            endpoints_are_readable: true,
            endpoints: Vec::new(),
            deliveries: events::deliveries(),
            secret_rotations: 0,
            key_renewals: BTreeMap::new(),
            flash: None,
            second_factor: None,
            is_code_asked: false,
            has_offer: false,
            is_second_factor_required: false,
            asked: 0,
            keeping: BTreeMap::new(),
            system: System::default(),
        }
    }
}
