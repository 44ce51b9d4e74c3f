//! What the account of a recording comes to, in plain words. Judges only by what the account says: what is not known is said to be not known.

use afterlive_domain::asset::without_waiting;
use afterlive_domain::report::{GAP_MS, TrackReport};
use afterlive_domain::{AssetState, Report};

use crate::backend::RecordingPage;
use crate::format;

/// How the reader should take it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// All is there.
    Good,
    /// Something is missing, or not known.
    Caution,
    /// There is nothing.
    Bad,
    /// It is not over yet.
    Busy,
}

impl Tone {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Caution => "caution",
            Self::Bad => "bad",
            Self::Busy => "busy",
        }
    }
}

/// One sentence that answers "is it all there?", and what else should be known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub tone: Tone,
    pub headline: String,
    pub remarks: Vec<String>,
}

/// What stands above a recording's account.
#[must_use]
pub fn verdict(page: &RecordingPage) -> Verdict {
    let recording = &page.row.recording;
    let (reason, waits) = recording.reason.as_deref().map_or((None, false), without_waiting);
    let mut verdict = of_recording(page, reason.map(|reason| reason.trim_end_matches('.')));
    if waits {
        if verdict.tone == Tone::Good {
            verdict.tone = Tone::Caution;
        }
        verdict.remarks.push("Its index is not in front yet, so that some players take long to open it: the storage lacks the room. It is finished when there is room.".to_owned());
    }
    verdict
}

fn of_recording(page: &RecordingPage, reason: Option<&str>) -> Verdict {
    let recording = &page.row.recording;
    let simple = |tone, headline: String, remark: &str| Verdict { tone, headline, remarks: vec![remark.to_owned()] };
    match (recording.state, &page.report) {
        (AssetState::Recording, _) => simple(
            Tone::Busy,
            "It is being recorded.".into(),
            "What arrives is on disk within about a second. The account is drawn up when the encoder stops.",
        ),
        // In the bin, too: only a failed recording has no duration.
        (AssetState::Failed, _) | (AssetState::Deleted, None) if recording.duration_ms == 0 => {
            let why = reason.unwrap_or("nothing that plays came of what the encoder sent");
            simple(Tone::Bad, format!("There is nothing to play: {why}."), "What bytes there are were set aside, not deleted.")
        }
        (_, None) => {
            let headline = reason.map_or_else(
                || "It is whole as far as can be told: there is no account of what arrived.".to_owned(),
                |reason| format!("It stopped before the encoder did: {reason}."),
            );
            simple(
                Tone::Caution,
                headline,
                "The server ended while it recorded or finished this, and the account with it. The file itself plays.",
            )
        }
        (_, Some(report)) => of_report(report, reason),
    }
}

fn of_report(report: &Report, reason: Option<&str>) -> Verdict {
    let sums = Sums::of(report);
    let (tone, headline) = match reason {
        Some(reason) => (Tone::Caution, stopped_early(report, reason)),
        None => match sums.missing {
            None => (Tone::Caution, "What is in the file is accounted for; how much arrived is not known.".to_owned()),
            Some(0) if report.lost_frames > 0 => {
                (Tone::Caution, "Everything that arrived is in the file; some was lost on the way here.".to_owned())
            }
            Some(0) if sums.left_out == 0 => (Tone::Good, "Everything the encoder sent is in the file.".to_owned()),
            Some(0) => (Tone::Good, "Everything the encoder sent is in the file, from its first keyframe on.".to_owned()),
            Some(missing) => (Tone::Caution, format!("{} that arrived {} not in the file.", frames(missing), is_are(missing))),
        },
    };
    let mut remarks = Vec::new();
    if report.server_died {
        let missing = if report.reconnect_count == 0 { "at its end" } else { "before that" };
        remarks.push(format!("The server stopped while this was recorded; up to about a second {missing} may be missing."));
    } else if sums.missing.is_none() {
        remarks.push(
            "The server ended while it recorded this, and the count of what arrived with it. What was on disk is in the file."
                .to_owned(),
        );
    }
    if sums.left_out > 0 {
        remarks.push(format!(
            "{} came before the first keyframe. No player can show {}, so {} left out.",
            frames(sums.left_out),
            if sums.left_out == 1 { "it" } else { "them" },
            if sums.left_out == 1 { "it was" } else { "they were" },
        ));
    }
    if report.lost_frames > 0 {
        remarks.push(format!(
            "At least {} {} lost on the network, before the server had {}: the encoder sent by WebRTC, which gives up what is too late.",
            frames(report.lost_frames),
            if report.lost_frames == 1 { "was" } else { "were" },
            if report.lost_frames == 1 { "it" } else { "them" },
        ));
    }
    remarks.extend(reconnects(report));
    remarks.extend(gaps(report));
    if report.checksum.is_none() {
        remarks.push("There is no checksum: a crash or a failing disk came in between.".to_owned());
    }
    Verdict { tone, headline, remarks }
}

/// Over all tracks.
struct Sums {
    /// Frames that came before the first keyframe.
    left_out: u64,
    /// Frames that arrived, could have been shown and are not in the file; `None` where not every track knows.
    missing: Option<u64>,
}

impl Sums {
    fn of(report: &Report) -> Self {
        Self {
            left_out: report.tracks.iter().filter_map(|track| track.left_out_frames).sum(),
            missing: report.tracks.iter().map(missing).sum(),
        }
    }
}

/// Frames of the track that are neither stored nor left out for a reason, whether they were counted as dropped or nothing tells of them.
#[must_use]
pub fn missing(track: &TrackReport) -> Option<u64> {
    let accounted = track.stored_frames + track.left_out_frames.unwrap_or(0);
    let unaccounted = track.received_frames?.saturating_sub(accounted);
    Some(unaccounted.max(track.dropped_frames.unwrap_or(0)))
}

fn frames(number: u64) -> String {
    format::count(number, "frame", "frames")
}

fn is_are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

fn stopped_early(report: &Report, reason: &str) -> String {
    let short = |track: &TrackReport| Some(track.received_ms?.saturating_sub(track.lasts_ms));
    let lost_ms = report.tracks.iter().filter_map(short).max().unwrap_or(0);
    // What is shorter than a frame or two says nothing.
    if lost_ms >= 100 {
        format!("Ends {} before the encoder did: {reason}.", format::seconds(lost_ms))
    } else {
        format!("Stopped before the encoder did: {reason}.")
    }
}

fn reconnects(report: &Report) -> Option<String> {
    match report.reconnect_count {
        0 => None,
        1 => {
            let away_ms = report.reconnects.first().map_or(0, |reconnect| reconnect.back_at.ms_since(reconnect.left_at));
            let away = format::seconds(u64::try_from(away_ms).unwrap_or(0));
            Some(format!("The encoder left once and came back after {away}: the recording went on in the same file."))
        }
        times => Some(format!("The encoder left {times} times and came back: the recording went on in the same file.")),
    }
}

fn gaps(report: &Report) -> Option<String> {
    let count: u64 = report.tracks.iter().map(|track| track.gap_count).sum();
    let longest = report.tracks.iter().flat_map(|track| &track.gaps).map(|gap| gap.to_ms.saturating_sub(gap.from_ms)).max()?;
    let least = GAP_MS / 1000;
    Some(if count == 1 {
        format!("Once nothing arrived on a track for more than {least} s: for {}.", format::seconds(longest))
    } else {
        format!("{count} times nothing arrived on a track for more than {least} s; the longest was {}.", format::seconds(longest))
    })
}

#[cfg(test)]
mod tests {
    use afterlive_domain::UnixMillis;
    use afterlive_domain::report::{Checksum, Gap, Reconnect};

    use super::*;

    fn track(received: u64, stored: u64) -> TrackReport {
        TrackReport {
            kind: "video".into(),
            configurations: 1,
            received_frames: Some(received),
            received_ms: Some(received * 40),
            stored_frames: stored,
            left_out_frames: Some(0),
            dropped_frames: Some(0),
            begins_ms: 0,
            lasts_ms: stored * 40,
            media_bytes: 1_000,
            gaps: Vec::new(),
            gap_count: 0,
        }
    }

    fn report(tracks: Vec<TrackReport>) -> Report {
        let checksum = Some(Checksum { last_bytes: 1, sha256: "00".repeat(32) });
        Report { tracks, checksum, ..Report::default() }
    }

    #[test]
    fn what_is_whole_is_said_to_be_whole_and_nothing_else() {
        let verdict = of_report(&report(vec![track(100, 100), track(200, 200)]), None);
        assert_eq!(
            verdict,
            Verdict { tone: Tone::Good, headline: "Everything the encoder sent is in the file.".into(), remarks: vec![] }
        );
    }

    #[test]
    fn frames_before_the_first_keyframe_are_explained_and_not_held_against_it() {
        let verdict = of_report(&report(vec![TrackReport { left_out_frames: Some(12), ..track(112, 100) }]), None);
        assert_eq!(verdict.tone, Tone::Good);
        assert_eq!(verdict.headline, "Everything the encoder sent is in the file, from its first keyframe on.");
        assert_eq!(
            verdict.remarks,
            ["12 frames came before the first keyframe. No player can show them, so they were left out."]
        );
    }

    #[test]
    fn a_frame_that_nothing_explains_is_told_whether_or_not_it_was_counted() {
        let dropped = of_report(&report(vec![TrackReport { dropped_frames: Some(1), ..track(101, 100) }]), None);
        assert_eq!((dropped.tone, dropped.headline.as_str()), (Tone::Caution, "1 frame that arrived is not in the file."));
        let lost = of_report(&report(vec![track(103, 100), track(10, 10)]), None);
        assert_eq!((lost.tone, lost.headline.as_str()), (Tone::Caution, "3 frames that arrived are not in the file."));
    }

    #[test]
    fn what_is_not_known_is_not_called_whole() {
        let unknown = TrackReport {
            received_frames: None,
            received_ms: None,
            left_out_frames: None,
            dropped_frames: None,
            ..track(1, 100)
        };
        let verdict = of_report(&report(vec![track(5, 5), unknown]), None);
        assert_eq!(verdict.tone, Tone::Caution);
        assert_eq!(verdict.headline, "What is in the file is accounted for; how much arrived is not known.");
    }

    #[test]
    fn that_the_server_died_is_told_with_what_it_may_have_cost() {
        let uncounted = TrackReport { received_frames: None, received_ms: None, ..track(1, 100) };
        let mut account = Report { server_died: true, ..report(vec![uncounted]) };
        let verdict = of_report(&account, None);
        assert_eq!(verdict.tone, Tone::Caution);
        assert_eq!(
            verdict.remarks,
            ["The server stopped while this was recorded; up to about a second at its end may be missing."]
        );
        account.add_reconnect(Reconnect { at_ms: 5_000, left_at: UnixMillis(10_000), back_at: UnixMillis(24_000) });
        assert_eq!(
            of_report(&account, None).remarks[0],
            "The server stopped while this was recorded; up to about a second before that may be missing."
        );
    }

    #[test]
    fn an_early_end_is_measured_and_says_why() {
        let verdict = of_report(&report(vec![track(180, 100), track(100, 100)]), Some("the storage is full: 0 MiB are free"));
        assert_eq!(verdict.tone, Tone::Caution);
        assert_eq!(verdict.headline, "Ends 3.2 s before the encoder did: the storage is full: 0 MiB are free.");
        let unmeasured = of_report(&report(vec![track(100, 100)]), Some("the disk failed"));
        assert_eq!(unmeasured.headline, "Stopped before the encoder did: the disk failed.");
    }

    #[test]
    fn reconnects_gaps_and_a_missing_checksum_are_remarked() {
        let reconnect = |from: i64, to: i64| Reconnect { at_ms: 5_000, left_at: UnixMillis(from), back_at: UnixMillis(to) };
        let gaps = vec![Gap { from_ms: 1_000, to_ms: 4_400 }, Gap { from_ms: 9_000, to_ms: 10_500 }];
        let mut account = report(vec![TrackReport { gaps, gap_count: 2, ..track(100, 100) }]);
        account.add_reconnect(reconnect(10_000, 24_000));
        account.checksum = None;
        assert_eq!(
            of_report(&account, None).remarks,
            [
                "The encoder left once and came back after 14.0 s: the recording went on in the same file.",
                "2 times nothing arrived on a track for more than 1 s; the longest was 3.4 s.",
                "There is no checksum: a crash or a failing disk came in between.",
            ]
        );
        account.add_reconnect(reconnect(30_000, 31_500));
        assert_eq!(
            of_report(&account, None).remarks[0],
            "The encoder left 2 times and came back: the recording went on in the same file."
        );
    }
}
