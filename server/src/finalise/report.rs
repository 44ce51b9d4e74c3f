//! What is told of a finished recording: its facts, and the proof that it has all that came. Pure.

use afterlive_domain::report::{self, Checksum, Gap, Report, TrackReport};
use afterlive_media::frame::TrackKind;
use afterlive_media::mp4::SampleIndex;

use crate::db::assets::Facts;

/// What a recorder counted while it wrote.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Account {
    /// Of pictures and of sound; absent where an earlier part of the recording was never counted.
    pub received: Option<[Received; 2]>,
    /// Frames that were lost between the encoder and us.
    pub lost_frames: u64,
    /// Of all that lies behind the head; absent where an earlier part of it was written by another process.
    pub checksum: Option<Checksum>,
    /// Whether the server died while it was recorded.
    pub server_died: bool,
}

/// What came of a track.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Received {
    pub frames: u64,
    /// Of them, those that could not be shown: there was no keyframe yet.
    pub left_out_frames: u64,
    /// From the first frame that was not left out to the end of the last, by the encoder's clock.
    pub lasts_ms: u64,
}

/// What the index says of a recording beside what its recorder counted.
pub(super) fn report_of(index: &SampleIndex, account: Option<Account>) -> Report {
    let Account { received, lost_frames, checksum, server_died } = account.unwrap_or_default();
    let span = |kind: TrackKind| {
        let of_kind = index.tracks().iter().zip(index.spans_ms()).find(|(track, _)| track.kind() == kind && track.samples() > 0);
        of_kind.map(|(_, (begins_ms, lasts_ms))| (begins_ms as i64, (begins_ms + lasts_ms) as i64))
    };
    let apart = span(TrackKind::Video).zip(span(TrackKind::Audio)).map(|(video, audio)| (audio.0 - video.0, audio.1 - video.1));
    let tracks = index.tracks().iter().zip(index.spans_ms()).map(|(track, (begins_ms, lasts_ms))| {
        let gaps =
            || track.gaps(report::GAP_MS).map(|(from_ms, to_ms)| Gap { from_ms: begins_ms + from_ms, to_ms: begins_ms + to_ms });
        let received = received.map(|received| received[track.kind() as usize]);
        let stored_frames = u64::from(track.samples());
        TrackReport {
            kind: match track.kind() {
                TrackKind::Video => "video".to_owned(),
                TrackKind::Audio => "audio".to_owned(),
            },
            configurations: track.descriptions().len() as u32,
            received_frames: received.map(|received| received.frames),
            stored_frames,
            left_out_frames: received.map(|received| received.left_out_frames),
            dropped_frames: received.map(|received| received.frames.saturating_sub(received.left_out_frames + stored_frames)),
            received_ms: received.map(|received| received.lasts_ms),
            begins_ms,
            lasts_ms,
            media_bytes: track.media_bytes(),
            gaps: gaps().take(report::MAX_LISTED).collect(),
            gap_count: gaps().count() as u64,
        }
    });
    Report {
        tracks: tracks.collect(),
        checksum,
        lost_frames,
        server_died,
        av_begin_offset_ms: apart.map(|(begin, _)| begin),
        av_end_offset_ms: apart.map(|(_, end)| end),
        ..Report::default()
    }
}

/// What the index says of a recording; its size in the file system is left out.
#[must_use]
pub fn facts_of(index: &SampleIndex) -> Facts {
    let described = |kind: TrackKind| {
        let track = index.track(kind).filter(|track| track.samples() > 0)?;
        Some((track, track.descriptions().first()?))
    };
    let video = described(TrackKind::Video);
    let size = video.and_then(|(_, codec)| codec.picture());
    let fps = video.and_then(|(track, _)| track.samples_a_second());
    Facts {
        duration_ms: index.duration_ms(),
        size_bytes: 0,
        width: size.map(|size| size.width.into()),
        height: size.map(|size| size.height.into()),
        fps: fps.map(|fps| (fps * 1_000.0).round() / 1_000.0),
        video_codec: video.map(|(_, codec)| codec.name().to_owned()),
        audio_codec: described(TrackKind::Audio).map(|(_, codec)| codec.name().to_owned()),
    }
}
