//! From the services' terms to the pages': rows with their URLs, and refusals as sentences. Decides nothing and reads nothing.

mod guest;

use afterlive_app::backend::{
    Answer, ApiKeyRow, BackendError, DayTraffic, Home, IngestUrls, KeyInName, LatestRecording, Level, LiveAudio, LiveFacts,
    LiveVideo, Loudness, OrganisationPage, Overview, PlaybackTokenRow, PlayoutUrls, Push, PushState, RecordingRange,
    RecordingRow, Recordings, RegionRow, RegionUse, RtmpsUrls, SetUp, StateCounts, StreamFilter, StreamPage, StreamRow,
    StreamSort, TokenScope,
};
use afterlive_app::ui::overview::title_of;
use afterlive_domain::{AssetState, Error as Refusal, Mode, Role, StreamId, StreamState, Streamname, UnixMillis};

use self::guest::{for_guest, recording_for_guest};
use crate::db::api_keys::ApiKey;
use crate::db::assets::Asset;
use crate::db::organisations::Organisation;
use crate::db::stream_search::{Order, Search};
use crate::db::streams::Stream;
use crate::publish_key::{PublishKeys, bare_name};
use crate::push::PushStatus;
use crate::service::playback::token::{Scope, network_text};
use crate::service::playback::{IssuedToken, Pass, Secret};
use crate::service::{self, CountedStream, OnAir, RecordingSlice, Service};
use crate::sound;
use crate::storage::{Key, KeyKind};
use url::form_urlencoded;

/// Recordings a page in a stream's table.
const RECORDINGS_A_PAGE: u32 = 10;
/// The page sizes that the list of streams knows.
const PAGE_SIZES: [u32; 4] = [25, 50, 100, 150];

/// What the reader can do about a refusal.
pub(super) fn refusal(refusal: &Refusal) -> BackendError {
    match refusal {
        Refusal::BadCredentials => BackendError::SignedOut,
        Refusal::Denied { .. } | Refusal::NotSystemAdministrator => BackendError::Denied,
        Refusal::PlaybackDenied { reason } => BackendError::Refused(format!("This cannot be watched: {reason}.")),
        Refusal::NoSuchStream { .. } | Refusal::NoSuchAsset { .. } | Refusal::NoSuchKey { .. } => BackendError::NotFound,
        Refusal::NoSuchUser { .. } | Refusal::NoSuchInvitation { .. } => BackendError::NotFound,
        Refusal::NoSuchEndpoint { .. } | Refusal::NoSuchDelivery { .. } | Refusal::NoSuchOrganisation { .. } => {
            BackendError::NotFound
        }
        Refusal::TooMany { retry_after_s } | Refusal::NoRoom { retry_after_s } => {
            BackendError::NotNow { retry_after_s: *retry_after_s }
        }
        other => BackendError::Refused(sentence(other)),
    }
}

fn sentence(refusal: &Refusal) -> String {
    match refusal {
        Refusal::ParameterRequired { parameter } => format!("Please fill in the {parameter}."),
        Refusal::NotUnique { parameter } => format!("This {parameter} is taken."),
        Refusal::WrongType { expected, .. } => format!("Please give {expected}."),
        Refusal::WrongState { state } => format!("It is {state}, which does not allow this."),
        Refusal::LastAdmin { .. } => {
            "This is the organisation's last administrator, who cannot be removed or given another role. Make another user one first.".to_owned()
        }
        Refusal::LastSystemAdministrator => {
            "It would leave no system administrator who can sign in. Make somebody of another organisation one first.".to_owned()
        }
        Refusal::Held { .. } => "It is under legal hold, and stays. End the hold first.".to_owned(),
        Refusal::Purged { .. } => "It was removed from the bin for good, and cannot be brought back.".to_owned(),
        Refusal::BodyTooLarge { limit_bytes } => format!("This is too long: at most {limit_bytes} bytes are taken."),
        other => format!("{other}."),
    }
}

/// The set-up form's word for a field that was refused; any other refusal is the whole form's.
pub(super) fn bad_field(refused: &Refusal) -> Answer<SetUp> {
    match refused {
        Refusal::ParameterRequired { parameter } | Refusal::WrongType { parameter, .. } | Refusal::NotUnique { parameter } => {
            let field = if parameter == "organisation" { "organisation_name" } else { parameter };
            Ok(SetUp::BadField { field: field.to_owned(), problem: sentence(refused) })
        }
        other => Err(refusal(other)),
    }
}

/// What the list's filter asks of the service: which streams, how many, and from which on.
pub(super) fn search(filter: StreamFilter) -> (Search, u32, u64) {
    let limit = PAGE_SIZES.into_iter().rev().find(|size| *size <= filter.page_size).unwrap_or(PAGE_SIZES[0]);
    let offset = u64::from(filter.page.saturating_sub(1)) * u64::from(limit);
    let order = match filter.sort {
        StreamSort::Created => Order::NewestFirst,
        StreamSort::Updated => Order::LastUpdatedFirst,
        StreamSort::Name => Order::ByName,
    };
    let StreamFilter { state, tag, search: text, from, to, .. } = filter;
    let text = text.map(|text| bare_name(&text).to_owned());
    (Search { state, tags: tag.into_iter().collect(), text, from, to, order }, limit, offset)
}

pub(super) fn slice(range: RecordingRange) -> RecordingSlice {
    match range {
        RecordingRange::All => RecordingSlice::ALL,
        RecordingRange::Page(page) => {
            RecordingSlice { limit: RECORDINGS_A_PAGE, offset: page.saturating_sub(1).saturating_mul(RECORDINGS_A_PAGE) }
        }
    }
}

pub(super) fn home(service: &Service, glance: service::Glance, pass: Option<&Pass>) -> Home {
    let stored = |region: &_| glance.stored.iter().find(|used| used.region == *region);
    let storage = service.regions().iter().map(|store| {
        let used = stored(store.name());
        RegionUse {
            region: store.name().clone(),
            recordings: used.map_or(0, |used| used.recordings),
            bytes: used.map_or(0, |used| used.bytes),
        }
    });
    let latest = |asset: Asset| {
        let title = glance.tags.get(&asset.stream).and_then(title_of);
        Some(LatestRecording { title, recording: recording_row(service, asset, pass, None)? })
    };
    Home {
        counts: state_counts(&glance.by_state),
        storage: storage.collect(),
        ingest: glance
            .days
            .iter()
            .map(|day| DayTraffic { day: day.begins_at.to_string().chars().take("2026-11-04".len()).collect(), bytes: day.bytes })
            .collect(),
        streams: glance.streams.into_iter().map(stream_row).collect(),
        recordings: glance.recordings.into_iter().filter_map(latest).collect(),
    }
}

fn state_counts(by_state: &[(StreamState, u64)]) -> StateCounts {
    let of = |state: StreamState| by_state.iter().find(|(other, _)| *other == state).map_or(0, |(_, count)| *count);
    let all = by_state.iter().filter(|(state, _)| *state != StreamState::Deleted).map(|(_, count)| count).sum();
    StateCounts {
        all,
        live: of(StreamState::Live),
        created: of(StreamState::Created),
        ended: of(StreamState::Ended),
        locked: of(StreamState::Locked),
        deleted: of(StreamState::Deleted),
    }
}

pub(super) fn stream_page(table: service::StreamTable) -> StreamPage {
    StreamPage {
        rows: table.rows.into_iter().map(stream_row).collect(),
        total: table.total,
        counts: state_counts(&table.by_state),
        tags: table.tags,
    }
}

fn stream_row(counted: CountedStream) -> StreamRow {
    let CountedStream { stream, recordings } = counted;
    StreamRow {
        id: stream.id,
        streamname: stream.streamname,
        state: stream.state,
        created_at: stream.created_at,
        updated_at: stream.updated_at,
        tags: stream.tags,
        recordings,
    }
}

/// `None` where its region is not configured any more, so that it has no URL.
/// `guest` as in [`overview`].
pub(super) fn recording_row(
    service: &Service,
    asset: Asset,
    pass: Option<&Pass>,
    guest: Option<&Secret>,
) -> Option<RecordingRow> {
    let key = Key::from_file_name(&asset.file_name)?;
    let store = service.regions().get(&asset.region)?;
    // The row knows nothing of a recording's length before it is finished.
    let facts = service.growing().facts_of(&asset);
    Some(RecordingRow {
        id: asset.id,
        stream: asset.stream,
        streamname: key.streamname().clone(),
        index: asset.index,
        url: store.url(&key),
        pass: pass.map(|pass| pass.token(asset.stream, key.streamname())),
        poster_url: asset.has_poster.then(|| store.url(&key.to_thumbnail())),
        still_url: (asset.state == AssetState::Recording)
            .then(|| still_url(service, asset.stream, key.streamname(), guest))
            .flatten(),
        storyboard_url: asset.has_storyboard.then(|| store.url(&key.to(KeyKind::Storyboard))),
        file_name: asset.file_name,
        state: asset.state,
        reason: asset.reason,
        created_at: asset.created_at,
        duration_ms: facts.duration_ms,
        size_bytes: facts.size_bytes,
        region: asset.region,
        width: facts.width,
        height: facts.height,
        fps: facts.fps,
        video_codec: facts.video_codec,
        audio_codec: facts.audio_codec,
    })
}

/// What who has that role in the organisation copies into an encoder.
fn ingest_urls(service: &Service, role: Role, organisation: &Organisation, stream: &Stream, default_mode: Mode) -> IngestUrls {
    let config = service.config();
    let urls = |server: &String| [Mode::Rec, Mode::Live].map(|mode| format!("{server}/{}", mode.as_str()));
    let [rec_url, live_url] = urls(&config.rtmp.public_url);
    let over_tls = config.rtmp.tls_public_url.as_ref().map(urls).map(|[rec_url, live_url]| RtmpsUrls { rec_url, live_url });
    let (stream_key, key_in_name) = match Service::shown_publish_key(role, organisation, stream) {
        Some(key) => (key.behind(&stream.streamname), KeyInName::Shown),
        None => {
            let key_in_name = match organisation.publish_keys {
                PublishKeys::Off => KeyInName::NotRequired,
                PublishKeys::On(_) => KeyInName::Withheld,
                PublishKeys::Lost => KeyInName::Lost,
            };
            (stream.streamname.to_string(), key_in_name)
        }
    };
    let [whip_rec_url, whip_live_url] = [&rec_url, &live_url].map(|url| whip_url(&config.http.public_url, &stream_key, url));
    IngestUrls { rec_url, live_url, over_tls, default_mode, stream_key, key_in_name, whip_rec_url, whip_live_url }
}

/// Where an encoder that speaks WHIP sends to. `ingest_url` says whether it is recorded, and in which region.
fn whip_url(public_url: &str, stream_key: &str, ingest_url: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("stream_name", stream_key)
        .append_pair("stream_url", ingest_url)
        .finish();
    format!("{public_url}/p/webrtc?{query}")
}

/// `guest` is the token of who may watch live by nothing else. Outsiders' `pass` is the token of who may watch recordings by nothing else.
pub(super) fn overview(service: &Service, seen: service::Overview, pass: Option<&Pass>, guest: Option<&Secret>) -> Overview {
    let is_outside = seen.role.is_none();
    // What a guest copies is to open for them.
    let recording_row = |asset| {
        let row = recording_row(service, asset, pass, guest)?;
        Some(if is_outside { recording_for_guest(row) } else { row })
    };
    let live_facts = |on_air| live_facts(service, &seen.stream, on_air, seen.role.is_some(), guest);
    let config = service.config();
    let settings = seen.organisation.settings;
    let default_mode = if settings.recording_enabled { seen.stream.default_mode } else { Mode::Live };
    let name = seen.stream.streamname.clone();
    let newest = seen.newest_finished.and_then(recording_row);
    let for_guest = |url| for_guest(url, guest);
    let newest_recording = newest.as_ref().map(|row| row.url.clone());
    let growing = seen.growing.and_then(recording_row).filter(|row| row.duration_ms > 0);
    Overview {
        default_mode,
        ingest: seen.role.map(|role| ingest_urls(service, role, &seen.organisation, &seen.stream, default_mode)),
        playout: PlayoutUrls {
            page: for_guest(format!("{}/playout/{}", config.http.public_url, seen.stream.id)),
            embed: for_guest(format!("{}/embed/{}", config.http.public_url, seen.stream.id)),
            live_path: format!("/live/{name}"),
            hls: for_guest(format!("{}/live/{name}/index.m3u8", config.http.public_url)),
            websocket: for_guest(format!("{}/live/{name}/ws", web_socket_origin(&config.http.public_url))),
            whep: for_guest(format!("{}/live/{name}/whep", config.http.public_url)),
            rtmp: for_guest(format!("{}/play/{name}", config.rtmp.public_url)),
            newest_recording,
        },
        push: seen.role.map(|role| Push {
            url: Service::shown_push_url(role, &seen.stream),
            state: service.push_status(&seen.stream).map(push_state),
        }),
        on_stage: growing.or(newest),
        live: seen.on_air.map(live_facts),
        awaited_s: seen.awaited.map(|left| left.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)),
        recordings: Recordings {
            rows: seen.recordings.into_iter().filter_map(recording_row).collect(),
            total: seen.recordings_total,
        },
        recording_enabled: settings.recording_enabled,
        live_public: settings.live_public,
        vod_public: settings.vod_public,
        bin_days: config.retention.bin_days,
        role: seen.role,
        stream: stream_row(CountedStream { stream: seen.stream, recordings: seen.recordings_total }),
    }
}

fn push_state(status: PushStatus) -> PushState {
    match status {
        PushStatus::Connecting => PushState::Connecting,
        PushStatus::Pushing { since, bytes, without_sound } => PushState::Pushing { since, bytes, without_sound },
        PushStatus::Failed { reason, next_try_at } => PushState::Failed { reason, next_try_at },
    }
}

/// `is_insider`: the figures that cost something are not for everybody.
fn live_facts(service: &Service, stream: &Stream, on_air: OnAir, is_insider: bool, guest: Option<&Secret>) -> LiveFacts {
    let OnAir { mode, protocol, stats } = on_air;
    LiveFacts {
        still_url: still_url(service, stream.id, &stream.streamname, guest),
        since: stats.started_at,
        mode,
        protocol,
        video: stats.video.map(|video| LiveVideo {
            codec: video.codec.to_owned(),
            width: video.width.into(),
            height: video.height.into(),
            fps: video.frames_per_second.unwrap_or_default().into(),
            keyframe_interval_ms: video.keyframe_interval_ms.map(u64::from),
            is_reordered: video.is_reordered,
        }),
        audio: stats.audio.map(|audio| LiveAudio {
            codec: audio.codec.to_owned(),
            sample_rate_hz: audio.sample_rate,
            channels: audio.channels,
        }),
        loudness: is_insider.then(|| service.loudness(stream.id)).flatten().map(loudness),
        jitter_ms: stats.jitter_ms.map(u64::from),
        lasting_jitter_ms: stats.lasting_jitter_ms.map(u64::from),
        bitrate_bps: stats.bitrate_bps.unwrap_or_default().into(),
        bitrate_history_bps: stats.bitrate_history_bps.into_iter().map(u64::from).collect(),
        bytes_in: stats.bytes_in,
    }
}

fn loudness(measured: sound::Loudness) -> Loudness {
    // Pages need no more digits.
    let rounded = |dbfs: f32| (f64::from(dbfs) * 10.0).round() / 10.0;
    let level = |level: &sound::Level| Level { peak_dbfs: rounded(level.peak_dbfs), rms_dbfs: rounded(level.rms_dbfs) };
    Loudness {
        channels: measured.channels.iter().map(level).collect(),
        silent_s: measured.silent_s,
        clipped_percent: measured.clipped_percent,
    }
}

/// `ws` for `http`, `wss` for `https`.
fn web_socket_origin(public_url: &str) -> String {
    public_url.strip_prefix("http").map_or_else(|| public_url.to_owned(), |rest| format!("ws{rest}"))
}

/// Below our own origin whatever name that is visited by; each still under a URL of its own, so that the page shows the new one.
fn still_url(service: &Service, stream: StreamId, streamname: &Streamname, guest: Option<&Secret>) -> Option<String> {
    let still = service.hub().still(stream)?;
    Some(for_guest(format!("/live/{streamname}/thumbnail.jpg?taken={}", still.taken_at.0), guest))
}

pub(super) fn organisation(
    service: &Service,
    role: Role,
    organisation: Organisation,
    keys: Option<Vec<ApiKey>>,
) -> OrganisationPage {
    let config = service.config();
    let region = |store: &crate::storage::RegionStore| RegionRow {
        region: store.name().clone(),
        vod_url: store.vod_url().as_str().trim_end_matches('/').to_owned(),
        is_default: *store.name() == config.region,
    };
    OrganisationPage {
        webhook: Service::shown_webhook(role, &organisation),
        publish_key_required: organisation.publish_keys.are_required(),
        name: organisation.name,
        hash: organisation.hash,
        settings: organisation.settings,
        recording: organisation.recording,
        recording_rules: service.recording_rules(),
        embed_domains: organisation.embed_domains,
        bin_days: config.retention.bin_days,
        regions: service.regions().iter().map(region).collect(),
        keys: keys.map(|keys| keys.into_iter().map(|key| api_key_row(key, service.clock().now())).collect()),
        api_url: config.http.public_url.clone(),
    }
}

pub(super) fn playback_token(issued: IssuedToken) -> PlaybackTokenRow {
    let claims = issued.claims;
    PlaybackTokenRow {
        id: claims.id,
        label: issued.label,
        scope: match claims.scope {
            Scope::Organisation => TokenScope::Organisation,
            Scope::Stream { .. } => TokenScope::Stream,
            Scope::Tags(tags) => TokenScope::Tags(tags),
        },
        not_before: claims.not_before,
        expires_at: claims.expires_at,
        ips: claims.networks.iter().map(network_text).collect(),
        domains: claims.sites.into_iter().map(String::from).collect(),
        made_by: issued.made_by,
        created_at: issued.created_at,
    }
}

fn api_key_row(key: ApiKey, now: UnixMillis) -> ApiKeyRow {
    let (role, has_expired) = (key.shown_role(), key.has_expired(now));
    ApiKeyRow {
        id: key.id,
        label: key.label,
        role,
        hint: key.hint,
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        expires_at: key.expires_at,
        has_expired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_size_is_brought_to_the_nearest_below() {
        let limit_and_offset = |page_size, page| {
            let (_, limit, offset) = search(StreamFilter { page_size, page, ..StreamFilter::default() });
            (limit, offset)
        };
        assert_eq!(limit_and_offset(0, 0), (25, 0));
        assert_eq!(limit_and_offset(99, 3), (50, 100));
        assert_eq!(limit_and_offset(u32::MAX, u32::MAX), (150, 150 * u64::from(u32::MAX - 1)));
    }

    #[test]
    fn what_is_copied_into_an_encoder_is_searched_for_without_its_key() {
        let copied = StreamFilter { search: Some("8sKpm-x49nB?key=0f3c".to_owned()), ..StreamFilter::default() };
        assert_eq!(search(copied).0.text.as_deref(), Some("8sKpm-x49nB"));
    }

    #[test]
    fn a_page_of_recordings_has_ten() {
        assert_eq!(slice(RecordingRange::Page(3)), RecordingSlice { limit: 10, offset: 20 });
        assert_eq!(slice(RecordingRange::Page(u32::MAX)).offset, u32::MAX);
    }

    #[test]
    fn the_deleted_are_not_among_all() {
        let counts = state_counts(&[(StreamState::Live, 2), (StreamState::Deleted, 7), (StreamState::Ended, 1)]);
        assert_eq!((counts.all, counts.live, counts.ended, counts.created, counts.deleted), (3, 2, 1, 0, 7));
    }

    #[test]
    fn a_refused_field_of_the_set_up_is_told_by_its_name_in_the_form() {
        let short = Refusal::WrongType { parameter: "password".into(), expected: "a password of 12 characters".into() };
        let problem = "Please give a password of 12 characters.".to_owned();
        assert_eq!(bad_field(&short), Ok(SetUp::BadField { field: "password".into(), problem }));
        assert_eq!(bad_field(&Refusal::Denied { needed: Role::Admin }), Err(BackendError::Denied));
    }
}
