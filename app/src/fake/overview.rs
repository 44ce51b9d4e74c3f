//! The fake's streams as their own pages show them.

use afterlive_domain::{AssetState, Mode, Permission, StreamId, StreamState};

use super::{NOW, ORIGIN, State, TOKEN};
use crate::backend::{
    Access, Answer, BackendError, IngestUrls, KeyInName, Level, LiveAudio, LiveFacts, LiveVideo, Loudness, Overview, PlayoutUrls,
    Push, PushState, RecordingRange, Recordings, RtmpsUrls,
};

impl State {
    fn live(&self) -> LiveFacts {
        let wave = |second: u64| 2_400_000 + (second * 7919) % 210_000 + if second % 60 < 5 { 400_000 } else { 0 };
        let history: Vec<u64> = (0..83 + self.asked * 2).map(wave).collect();
        LiveFacts {
            since: NOW.plus_ms(-83_000),
            mode: Mode::Rec,
            protocol: "rtmp".into(),
            video: Some(LiveVideo {
                codec: "h264".into(),
                width: 1280,
                height: 720,
                fps: 29.97,
                keyframe_interval_ms: Some(2000),
                is_reordered: false,
            }),
            audio: Some(LiveAudio { codec: "aac".into(), sample_rate_hz: 48_000, channels: 2 }),
            loudness: Some(Loudness {
                channels: vec![Level { peak_dbfs: -8.2, rms_dbfs: -21.4 }, Level { peak_dbfs: -9.0, rms_dbfs: -23.1 }],
                silent_s: 0,
                clipped_percent: 0,
            }),
            jitter_ms: Some(31),
            lasting_jitter_ms: Some(28),
            bitrate_bps: history.last().copied().unwrap_or(0),
            bytes_in: history.iter().sum::<u64>() / 8,
            bitrate_history_bps: history,
            still_url: Some("/live/8sKpm-x49nB/thumbnail.jpg".into()),
        }
    }

    pub(super) fn overview(&mut self, id: StreamId, range: RecordingRange, token: Option<&str>) -> Answer<Overview> {
        self.asked += 1;
        let role = match &self.access {
            Access::SignedIn(viewer) => Some(viewer.role),
            _ if self.settings.live_public || token == Some(TOKEN) => None,
            _ => return Err(BackendError::SignedOut),
        };
        let stream = self.streams.iter().find(|stream| stream.id == id).cloned().ok_or(BackendError::NotFound)?;
        let sees_recordings = role.is_some() || self.settings.vod_public || token.is_some();
        let all = if sees_recordings { self.recordings(&stream) } else { Vec::new() };
        let total = all.len() as u64;
        let newest_recording = all.iter().find(|row| row.state.is_playable()).map(|row| row.url.clone());
        let on_stage = all.iter().find(|row| row.state.is_playable() || row.state == AssetState::Recording).cloned();
        let rows = match range {
            RecordingRange::All => all,
            RecordingRange::Page(page) => all.into_iter().skip((page as usize - 1) * 10).take(10).collect(),
        };
        let renewals = self.key_renewals.get(&id).copied().unwrap_or_default();
        let (stream_key, key_in_name) =
            match (self.publish_key_required, role.is_some_and(|role| role.allows(Permission::EditStreams))) {
                (false, _) => (stream.streamname.to_string(), KeyInName::NotRequired),
                (true, true) => (format!("{}?key=fake{renewals}", stream.streamname), KeyInName::Shown),
                (true, false) => (stream.streamname.to_string(), KeyInName::Withheld),
            };
        let whip_name = stream_key.replace('?', "%3F").replace('=', "%3D");
        let ingest = IngestUrls {
            rec_url: "rtmp://localhost:1935/rec".into(),
            live_url: "rtmp://localhost:1935/live".into(),
            over_tls: Some(RtmpsUrls {
                rec_url: "rtmps://localhost:1937/rec".into(),
                live_url: "rtmps://localhost:1937/live".into(),
            }),
            default_mode: Mode::Rec,
            stream_key,
            key_in_name,
            whip_rec_url: format!("{ORIGIN}/p/webrtc?stream_name={whip_name}&stream_url=rtmp%3A%2F%2Flocalhost%3A1935%2Frec"),
            whip_live_url: format!("{ORIGIN}/p/webrtc?stream_name={whip_name}&stream_url=rtmp%3A%2F%2Flocalhost%3A1935%2Flive"),
        };
        Ok(Overview {
            default_mode: Mode::Rec,
            ingest: role.map(|_| ingest),
            playout: PlayoutUrls {
                page: format!("{ORIGIN}/playout/{id}"),
                embed: format!("{ORIGIN}/embed/{id}"),
                live_path: format!("/live/{}", stream.streamname),
                hls: format!("{ORIGIN}/live/{}/index.m3u8", stream.streamname),
                websocket: format!("{}/live/{}/ws", ORIGIN.replacen("http", "ws", 1), stream.streamname),
                whep: format!("{ORIGIN}/live/{}/whep", stream.streamname),
                rtmp: format!("rtmp://localhost:1935/play/{}", stream.streamname),
                newest_recording,
            },
            push: role.map(|_| {
                let url = self.push_urls.get(&id).filter(|url| !url.is_empty()).cloned();
                let pushing = PushState::Pushing { since: NOW, bytes: 7_000_000, without_sound: None };
                Push { state: url.as_ref().filter(|_| stream.state == StreamState::Live).map(|_| pushing), url }
            }),
            on_stage,
            live: (stream.state == StreamState::Live).then(|| self.live()),
            awaited_s: self.awaited_s.get(&id).copied(),
            recordings: Recordings { rows, total },
            recording_enabled: self.settings.recording_enabled,
            live_public: self.settings.live_public,
            vod_public: self.settings.vod_public,
            bin_days: 7,
            role,
            stream,
        })
    }
}
