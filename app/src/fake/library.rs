//! The fake's recordings: every stream's, each with an account of it.

use afterlive_domain::report::{Checksum, Gap, Reconnect, TrackReport};
use afterlive_domain::{AssetId, AssetState, Report, Role, StreamId, StreamState};
use uuid::Uuid;

use super::{DAY_MS, ENDED, ORIGIN, State};
use crate::backend::{
    Access, Answer, BackendError, Keeping, LibraryFilter, LibraryPage, LibraryRow, RecordingPage, RecordingRow, Shelf, StreamRow,
};

/// How long the bin keeps what is in it.
const BIN_DAYS: i64 = 30;

impl State {
    pub(super) fn recordings(&self, stream: &StreamRow) -> Vec<RecordingRow> {
        let all = (1..=u32::try_from(stream.recordings).unwrap_or(0)).rev().map(|index| self.recording(stream, index));
        all.filter(|row| self.keeping(row.id).binned_at.is_none()).collect()
    }

    pub(super) fn recording(&self, stream: &StreamRow, index: u32) -> RecordingRow {
        let is_growing = stream.state == StreamState::Live && u64::from(index) == stream.recordings;
        let (state, reason) = match (is_growing, stream.id == ENDED, index) {
            (true, ..) => (AssetState::Recording, None),
            (_, true, 2) => (AssetState::Incomplete, Some("The disk was full; the last 12 seconds are missing.".to_owned())),
            (_, true, 1) => (AssetState::Failed, Some("The encoder sent no picture before it left.".to_owned())),
            _ => (AssetState::Ready, None),
        };
        let file_name = stream.streamname.recording_file_name(index);
        let duration_ms = match state {
            AssetState::Recording => 83_000 + self.asked * 2000,
            AssetState::Failed => 0,
            _ => 1_800_000 + u64::from(index) * 613_450,
        };
        let region = if index % 7 == 3 { "us" } else { "eu" };
        let days_ago = i64::try_from(stream.recordings).unwrap_or(0) - i64::from(index);
        RecordingRow {
            id: asset_id(stream.id, index),
            stream: stream.id,
            streamname: stream.streamname.clone(),
            index,
            url: format!("{ORIGIN}/vod-{region}/8sKpm/{file_name}"),
            pass: (!self.settings.vod_public).then(|| "a.pass.token".to_owned()),
            poster_url: state
                .is_playable()
                .then(|| format!("/vod-{region}/8sKpm/thumbnails/{}.jpg", file_name.trim_end_matches(".mp4"))),
            still_url: is_growing.then(|| "/live/8sKpm-x49nB/thumbnail.jpg".to_owned()),
            storyboard_url: state
                .is_playable()
                .then(|| format!("/vod-{region}/8sKpm/thumbnails/{}-storyboard.vtt", file_name.trim_end_matches(".mp4"))),
            file_name,
            state,
            reason,
            created_at: stream.created_at.plus_ms(-days_ago * DAY_MS * 7 - 83_000),
            duration_ms,
            size_bytes: duration_ms * 316,
            region: region.parse().expect("a region"),
            width: Some(1280),
            height: Some(720),
            fps: Some(30.0),
            video_codec: Some("h264".into()),
            audio_codec: Some("aac".into()),
        }
    }

    pub(super) fn keeping(&self, asset: AssetId) -> Keeping {
        self.keeping.get(&asset).cloned().unwrap_or_default()
    }

    fn role(&self) -> Role {
        match &self.access {
            Access::SignedIn(viewer) => viewer.role,
            Access::SignedOut | Access::MustEnrol { .. } | Access::NotSetUp => Role::ReadOnly,
        }
    }

    fn library_row(&self, stream: &StreamRow, index: u32) -> LibraryRow {
        let mut recording = self.recording(stream, index);
        let mut keeping = self.keeping(recording.id);
        if let Some(binned_at) = keeping.binned_at {
            recording.state = AssetState::Deleted;
            recording.poster_url = None;
            keeping.restorable_until = Some(binned_at.plus_ms(BIN_DAYS * DAY_MS));
        }
        LibraryRow { recording, tags: stream.tags.clone(), keeping }
    }

    fn library_rows(&self) -> impl Iterator<Item = LibraryRow> {
        self.streams.iter().flat_map(|stream| {
            let indexes = (1..=u32::try_from(stream.recordings).unwrap_or(0)).rev();
            indexes.map(|index| self.library_row(stream, index))
        })
    }

    pub(super) fn library(&self, filter: &LibraryFilter) -> Answer<LibraryPage> {
        let mut rows: Vec<_> = self.library_rows().filter(|row| fits(filter, row)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.recording.created_at));
        let skipped: usize = filter.cursor.as_ref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let end = skipped + filter.page_size as usize;
        let next = (end < rows.len()).then(|| end.to_string());
        Ok(LibraryPage {
            rows: rows.into_iter().take(end).skip(skipped).collect(),
            next,
            regions: ["eu", "us", "au"].map(|region| region.parse().expect("a region")).to_vec(),
            tags: ["archive", "hall-2", "public", "rehearsal"].map(String::from).to_vec(),
            bin_days: BIN_DAYS.unsigned_abs(),
            role: self.role(),
        })
    }

    pub(super) fn recording_page(&self, asset: AssetId) -> Answer<RecordingPage> {
        let row = self.library_rows().find(|row| row.recording.id == asset).ok_or(BackendError::NotFound)?;
        let recording = &row.recording;
        let is_over = recording.state != AssetState::Recording;
        Ok(RecordingPage {
            ended_at: is_over.then(|| recording.created_at.plus_ms(i64::try_from(recording.duration_ms).unwrap_or(0))),
            report: (is_over && recording.state != AssetState::Failed).then(|| report(recording)),
            bin_days: BIN_DAYS.unsigned_abs(),
            role: self.role(),
            has_stream: true,
            row,
        })
    }
}

fn fits(filter: &LibraryFilter, row: &LibraryRow) -> bool {
    let LibraryRow { recording, tags, keeping } = row;
    let on_shelf = match filter.shelf {
        Some(Shelf::Held) => keeping.hold.is_some(),
        Some(shelf) => shelf.state() == Some(recording.state),
        None => recording.state != AssetState::Deleted,
    };
    on_shelf
        && filter
            .stream
            .as_ref()
            .is_none_or(|stream| *stream == recording.streamname.to_string() || *stream == recording.stream.to_string())
        && filter.tag.as_ref().is_none_or(|tag| tags.as_slice().contains(tag))
        && filter.region.as_ref().is_none_or(|region| recording.region == *region)
        && filter.search.as_ref().is_none_or(|part| recording.file_name.contains(part.as_str()))
        && filter.from.is_none_or(|from| recording.created_at >= from)
        && filter.to.is_none_or(|to| recording.created_at < to)
}

/// Whole, but for the stream [`ENDED`]: there the third recording had a difficult day, and the second met a full disk.
fn report(recording: &RecordingRow) -> Report {
    let is_difficult = recording.stream == ENDED && recording.index == 3;
    let lost_ms = if recording.stream == ENDED && recording.index == 2 { 12_400 } else { 0 };
    let left_out = if is_difficult { 14 } else { 0 };
    let track = |kind: &str, ms_a_frame: u64, share_percent: u64| {
        let stored_frames = recording.duration_ms / ms_a_frame;
        let is_video = kind == "video";
        let left_out = if is_video { left_out } else { 0 };
        let lost = lost_ms / ms_a_frame;
        let gap = |from_ms: u64| Gap { from_ms, to_ms: from_ms + 3_417 };
        let gaps = if is_difficult && is_video { vec![gap(361_012), gap(1_702_440)] } else { Vec::new() };
        TrackReport {
            kind: kind.into(),
            configurations: if is_difficult && is_video { 2 } else { 1 },
            received_frames: Some(stored_frames + left_out + lost),
            received_ms: Some(recording.duration_ms + lost_ms),
            stored_frames,
            left_out_frames: Some(left_out),
            dropped_frames: Some(lost),
            begins_ms: 0,
            lasts_ms: recording.duration_ms,
            media_bytes: recording.size_bytes * share_percent / 100,
            gap_count: gaps.len() as u64,
            gaps,
        }
    };
    let back = |after_ms: i64| Reconnect {
        at_ms: u64::try_from(after_ms).unwrap_or(0),
        left_at: recording.created_at.plus_ms(after_ms),
        back_at: recording.created_at.plus_ms(after_ms + 14_200),
    };
    Report {
        tracks: vec![track("video", 33, 93), track("audio", 21, 6)],
        checksum: Some(Checksum {
            last_bytes: recording.size_bytes - 4_096,
            sha256: "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7".into(),
        }),
        reconnects: if is_difficult { vec![back(901_300)] } else { Vec::new() },
        reconnect_count: is_difficult.into(),
        lost_frames: 0,
        server_died: false,
        av_begin_offset_ms: Some(-3),
        av_end_offset_ms: Some(if is_difficult { 9 } else { 4 }),
    }
}

/// Of the recording number `index` of `stream`.
#[must_use]
pub fn asset_id(stream: StreamId, index: u32) -> AssetId {
    AssetId(Uuid::from_u128(stream.0.as_u128().wrapping_mul(1000) + u128::from(index)))
}
