//! What somebody is shown who may watch by nothing but the token they came with: each URL has it, as what they copy is to open for them.

use afterlive_app::backend::RecordingRow;

use crate::service::playback::Secret;
use crate::service::playback::token::with_token;

/// With the token that a guest came with.
pub(super) fn for_guest(url: String, guest: Option<&Secret>) -> String {
    match guest {
        Some(Secret(token)) => with_token(&url, token),
        None => url,
    }
}

/// The row as a guest is shown it, whose pass is the token they came with. An insider's pass is for these pages alone, and stands in nothing that is copied.
pub(super) fn recording_for_guest(mut row: RecordingRow) -> RecordingRow {
    let Some(token) = row.pass.take() else { return row };
    let own = |url: String| with_token(&url, &token);
    RecordingRow { url: own(row.url), poster_url: row.poster_url.map(own), storyboard_url: row.storyboard_url.map(own), ..row }
}

#[cfg(test)]
mod tests {
    use afterlive_domain::{AssetId, AssetState, Region, StreamId, UnixMillis};
    use uuid::Uuid;

    use super::*;

    fn row(pass: Option<&str>) -> RecordingRow {
        RecordingRow {
            id: AssetId(Uuid::from_u128(1)),
            stream: StreamId(Uuid::from_u128(2)),
            streamname: "8sKpm-x49nB".parse().unwrap(),
            index: 1,
            url: "https://v.example/8sKpm-x49nB.mp4".to_owned(),
            pass: pass.map(str::to_owned),
            poster_url: Some("https://v.example/8sKpm-x49nB.jpg".to_owned()),
            still_url: None,
            storyboard_url: None,
            file_name: "8sKpm-x49nB.mp4".to_owned(),
            state: AssetState::Ready,
            reason: None,
            created_at: UnixMillis(0),
            duration_ms: 1_000,
            size_bytes: 1,
            region: "eu".parse::<Region>().unwrap(),
            width: None,
            height: None,
            fps: None,
            video_codec: None,
            audio_codec: None,
        }
    }

    #[test]
    fn what_a_guest_copies_has_their_token_once_and_what_is_public_has_none() {
        let shown = recording_for_guest(row(Some("a.b.c")));
        assert_eq!(shown.url, "https://v.example/8sKpm-x49nB.mp4?token=a.b.c");
        assert_eq!(shown.play_url(), shown.url);
        assert_eq!(shown.download_url(), "https://v.example/8sKpm-x49nB.mp4?token=a.b.c&download");
        let poster = shown.poster_url.as_deref().map(|url| shown.to_load(url));
        assert_eq!(poster.as_deref(), Some("https://v.example/8sKpm-x49nB.jpg?token=a.b.c"));
        assert_eq!(recording_for_guest(row(None)), row(None));
    }

    #[test]
    fn a_live_url_is_the_guests_own() {
        let guest = Secret("a.b.c".to_owned());
        let url = || "rtmp://live.example/play/8sKpm-x49nB".to_owned();
        assert_eq!(for_guest(url(), Some(&guest)), "rtmp://live.example/play/8sKpm-x49nB?token=a.b.c");
        assert_eq!(for_guest(url(), None), url());
    }
}
