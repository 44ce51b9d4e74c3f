//! What is amiss with what an encoder sends, and how to mend it, in plain words. Judges by the figures of a live stream alone; what is not known is not
//! found fault with.

use crate::backend::{LiveFacts, LiveVideo, Loudness};
use crate::format;

/// Who joins waits for a keyframe, and so does every segment of HLS.
const LONGEST_KEYFRAME_INTERVAL_MS: u64 = 4_000;
/// More keyframes than this take bits from the picture.
const SHORTEST_KEYFRAME_INTERVAL_MS: u64 = 450;
/// Frames that come more unevenly, and go on to, make viewers wait, or stand further behind.
const MOST_JITTER_MS: u64 = 400;
/// What many lines and most phones do not carry for long.
const MOST_BPS: u64 = 12_000_000;
/// Below this, by the second, the line or the encoder has stopped for a moment: a part of what is usual.
const DROP: f64 = 0.35;
/// The seconds that are looked at for it.
const DROP_WINDOW_S: usize = 30;
/// Nobody speaks for so long now and then; longer is a fault.
const LONGEST_SILENCE_S: u32 = 10;
/// Loud music has moments at full scale; what is there half of the time is too loud for the encoder.
const MOST_CLIPPED_PERCENT: u8 = 50;
/// Fewer than any common rate: cameras of browsers give 15 or 20.
const LEAST_FPS: f64 = 14.5;
const MOST_FPS: f64 = 61.0;

/// One thing to mend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advice {
    /// What is seen, as a sentence.
    pub finding: String,
    /// What to do, as a sentence.
    pub mend: &'static str,
}

fn advice_of(finding: impl Into<String>, mend: &'static str) -> Advice {
    Advice { finding: finding.into(), mend }
}

/// Everything worth mending, the worst first.
#[must_use]
pub fn advice(facts: &LiveFacts) -> Vec<Advice> {
    let mut all = Vec::new();
    all.extend(facts.video.as_ref().and_then(|video| codec(&video.codec)));
    all.extend(facts.audio.as_ref().and_then(|audio| codec(&audio.codec)));
    match &facts.video {
        Some(video) => all.extend(picture(video)),
        None => {
            all.push(advice_of("No picture arrives.", "If there should be one, look whether the encoder has a video source."));
        }
    }
    all.extend(arrival(facts));
    if facts.audio.is_none() {
        all.push(advice_of(
            "No sound arrives.",
            "If there should be some, look whether the encoder has an audio source, and is not muted.",
        ));
    }
    all.extend(facts.loudness.as_ref().and_then(loudness));
    if let Some(audio) = facts.audio.as_ref().filter(|audio| audio.channels > 2) {
        all.push(advice_of(
            format!("The sound has {} channels.", audio.channels),
            "Many browsers and phones mix them badly: set the encoder to stereo.",
        ));
    }
    all
}

/// What a figure of the page is, what is good, and what to do where it is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Help {
    /// As the page calls it.
    pub figure: &'static str,
    pub text: String,
}

/// For the figures that say nothing by themselves, in the order of the page.
#[must_use]
pub fn help(has_loudness: bool) -> Vec<Help> {
    let mut all = Vec::new();
    if has_loudness {
        all.push(Help {
            figure: "Loudness and peak",
            text: "The bar is how loud it is over the last 3 s, the peak its loudest moment, in decibels below the most there is, which is 0. Good for speech are \
             −24 to −16 dB with peaks between −12 and −3 dB. Peaks at 0 dB are cut off and crackle: turn the gain down. Below −30 dB viewers turn up their \
             own noise: turn it up, or move the microphone nearer."
                .to_owned(),
        });
    }
    all.push(Help {
        figure: "Keyframe interval",
        text: format!(
            "How often a picture comes with which a viewer can begin. Good is 1 to 2 s; above {} who joins waits, and HLS runs behind. It is a setting of \
             the encoder.",
            format::seconds(LONGEST_KEYFRAME_INTERVAL_MS)
        ),
    });
    all.push(Help {
        figure: "Unevenness",
        text: format!(
            "How much later than the earliest frame the latest came in the last 10 s. Below 100 ms is good; a moment above that is harmless. What stays above \
             {MOST_JITTER_MS} ms makes viewers wait: use a cable instead of Wi-Fi, lower the encoder's bitrate, and end what else uses the line or the \
             encoder's computer."
        ),
    });
    all
}

/// Where it plays what has no [`advice`].
#[must_use]
pub fn praise(facts: &LiveFacts) -> &'static str {
    if facts.audio.as_ref().is_some_and(|audio| audio.codec == "opus") {
        "Nothing to mend: it plays in current browsers, and by RTMP with its sound as AAC. Some HLS players elsewhere do not play Opus."
    } else {
        "Nothing to mend: it plays everywhere."
    }
}

fn codec(name: &str) -> Option<Advice> {
    match name {
        "h265" | "hevc" => Some(advice_of(
            "HEVC does not play in Firefox, nor in Chromium on most computers.",
            "Set the encoder to H.264 to reach everyone.",
        )),
        other if format::browsers_play(other) => None,
        other => {
            Some(advice_of(format!("Not every browser plays {}.", format::codec(other)), "Send H.264 and AAC to reach everyone."))
        }
    }
}

fn loudness(loudness: &Loudness) -> Option<Advice> {
    if loudness.silent_s >= LONGEST_SILENCE_S {
        return Some(advice_of("The sound is silent.", "Unmute the encoder's source, or choose another one."));
    }
    (loudness.clipped_percent >= MOST_CLIPPED_PERCENT)
        .then(|| advice_of("The sound is too loud, and clipped.", "Turn down the gain of the encoder's source."))
}

fn picture(video: &LiveVideo) -> Vec<Advice> {
    let mut all = Vec::new();
    match video.keyframe_interval_ms {
        Some(ms) if ms > LONGEST_KEYFRAME_INTERVAL_MS => all.push(advice_of(
            format!("Keyframes come every {}.", format::seconds(ms)),
            "Set the encoder's keyframe interval to 2 s: so long who joins waits for a picture, and HLS runs behind.",
        )),
        Some(ms) if ms < SHORTEST_KEYFRAME_INTERVAL_MS => all.push(advice_of(
            format!("Keyframes come every {}.", format::seconds(ms)),
            "Set the encoder's keyframe interval to 1 or 2 s: the picture gets better at the same bitrate.",
        )),
        _ => {}
    }
    if video.is_reordered {
        all.push(advice_of(
            "There are B-frames.",
            "Set them to 0, or the encoder's tuning to “zero latency”: WebRTC viewers cannot be sent them, and everybody sees the picture later.",
        ));
    }
    if video.fps > 0.0 && video.fps < LEAST_FPS {
        all.push(advice_of(
            format!("{} frames a second arrive.", format::fps(video.fps)),
            "If more are set, the encoder's computer cannot keep up: choose a faster preset or a smaller picture.",
        ));
    } else if video.fps > MOST_FPS {
        all.push(advice_of(
            format!("{} frames a second arrive.", format::fps(video.fps)),
            "Set 30 or 60: many screens and decoders do no more.",
        ));
    }
    if video.width % 2 == 1 || video.height % 2 == 1 {
        all.push(advice_of(
            format!("The picture is {} × {}.", video.width, video.height),
            "Set even numbers: some decoders refuse others.",
        ));
    }
    all
}

fn arrival(facts: &LiveFacts) -> Vec<Advice> {
    let mut all = Vec::new();
    let recent = &facts.bitrate_history_bps[facts.bitrate_history_bps.len().saturating_sub(DROP_WINDOW_S)..];
    let has_dropped = recent.len() == DROP_WINDOW_S && {
        #[expect(clippy::cast_precision_loss, reason = "bitrates fit a double")]
        let low = |least: u64, usual: u64| (least as f64) < usual as f64 * DROP;
        let mut sorted = recent.to_vec();
        sorted.sort_unstable();
        low(sorted[0], sorted[DROP_WINDOW_S / 2])
    };
    if let Some(ms) = facts.lasting_jitter_ms.filter(|ms| *ms > MOST_JITTER_MS) {
        all.push(advice_of(
            format!("Frames arrive unevenly, by {} again and again.", format::seconds(ms)),
            "The line from the encoder or its computer is overloaded: lower the bitrate, use a cable instead of Wi-Fi, or a faster preset.",
        ));
    } else if has_dropped {
        all.push(advice_of(
            "The bitrate has broken in within the last half minute.",
            "The line from the encoder does not carry it all the time: lower the bitrate, or use a cable instead of Wi-Fi.",
        ));
    }
    if facts.bitrate_bps > MOST_BPS {
        all.push(advice_of(
            format!("{} are sent to every viewer as they come.", format::bitrate(facts.bitrate_bps)),
            "Lower the bitrate to 6 Mbit/s or less: many viewers' lines do not carry more.",
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use afterlive_domain::{Mode, UnixMillis};

    use super::*;
    use crate::backend::{Level, LiveAudio};

    fn good() -> LiveFacts {
        LiveFacts {
            since: UnixMillis(0),
            mode: Mode::Live,
            protocol: "rtmp".into(),
            video: Some(LiveVideo {
                codec: "h264".into(),
                width: 1280,
                height: 720,
                fps: 30.0,
                keyframe_interval_ms: Some(2_000),
                is_reordered: false,
            }),
            audio: Some(LiveAudio { codec: "aac".into(), sample_rate_hz: 48_000, channels: 2 }),
            loudness: heard(0, 0),
            bitrate_bps: 2_500_000,
            bitrate_history_bps: vec![2_500_000; 60],
            jitter_ms: Some(60),
            lasting_jitter_ms: Some(50),
            bytes_in: 0,
            still_url: None,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the figures have it")]
    fn heard(silent_s: u32, clipped_percent: u8) -> Option<Loudness> {
        Some(Loudness { channels: vec![Level { peak_dbfs: -6.0, rms_dbfs: -20.0 }; 2], silent_s, clipped_percent })
    }

    fn video(change: impl FnOnce(&mut LiveVideo)) -> LiveFacts {
        let mut facts = good();
        change(facts.video.as_mut().unwrap());
        facts
    }

    fn only(facts: &LiveFacts) -> (String, &'static str) {
        let [Advice { finding, mend }] = &advice(facts)[..] else { panic!("{:?}", advice(facts)) };
        (finding.clone(), mend)
    }

    #[test]
    fn figures_that_say_nothing_by_themselves_are_explained_where_they_are_shown() {
        let names = |has_loudness| help(has_loudness).into_iter().map(|help| help.figure).collect::<Vec<_>>();
        assert_eq!(names(true), ["Loudness and peak", "Keyframe interval", "Unevenness"]);
        assert_eq!(names(false), ["Keyframe interval", "Unevenness"]);
        let unevenness = help(false).pop().map(|help| help.text).unwrap_or_default();
        assert!(unevenness.contains("above 400 ms") && !unevenness.contains("  "), "{unevenness}");
    }

    #[test]
    fn what_is_well_is_left_alone_also_where_little_is_known() {
        assert_eq!(advice(&good()), []);
        assert_eq!(advice(&LiveFacts { loudness: heard(9, 45), ..good() }), []);
        let mut young = video(|video| (video.fps, video.keyframe_interval_ms) = (0.0, None));
        young.loudness = None;
        (young.jitter_ms, young.lasting_jitter_ms, young.bitrate_history_bps) = (None, None, vec![0, 2_500_000]);
        assert_eq!(advice(&young), []);
        // One pause is no fault of the line.
        assert_eq!(advice(&LiveFacts { jitter_ms: Some(1_200), ..good() }), []);
    }

    #[test]
    fn opus_is_well_and_not_said_to_play_everywhere() {
        let audio = LiveAudio { codec: "opus".into(), sample_rate_hz: 48_000, channels: 2 };
        let by_browser = LiveFacts { protocol: "whip".into(), audio: Some(audio), ..good() };
        assert_eq!(advice(&by_browser), []);
        assert!(praise(&by_browser).contains("current browsers") && !praise(&by_browser).contains("everywhere"));
        assert!(praise(&good()).contains("everywhere"));
    }

    #[test]
    fn each_fault_is_named_with_its_mend() {
        let (finding, mend) = only(&video(|video| video.keyframe_interval_ms = Some(8_000)));
        assert!(finding == "Keyframes come every 8.0 s." && mend.contains("2 s"), "{finding} {mend}");
        let (finding, mend) = only(&video(|video| video.codec = "hevc".into()));
        assert!(finding.contains("Chromium") && mend.contains("H.264"), "{finding} {mend}");
        let (finding, mend) = only(&video(|video| video.is_reordered = true));
        assert!(finding.contains("B-frames") && mend.contains("WebRTC"), "{finding} {mend}");
        let (finding, _) = only(&video(|video| video.fps = 11.5));
        assert_eq!(finding, "11.5 frames a second arrive.");
        let (finding, _) = only(&LiveFacts { lasting_jitter_ms: Some(1_200), ..good() });
        assert_eq!(finding, "Frames arrive unevenly, by 1.2 s again and again.");
        let (finding, _) = only(&LiveFacts { bitrate_bps: 20_000_000, ..good() });
        assert!(finding.starts_with("20.00 Mbit/s"), "{finding}");
        let (finding, mend) = only(&LiveFacts { loudness: heard(10, 0), ..good() });
        assert!(finding == "The sound is silent." && mend.contains("Unmute"), "{finding} {mend}");
        let (finding, mend) = only(&LiveFacts { loudness: heard(0, 50), ..good() });
        assert!(finding.contains("clipped") && mend.contains("gain"), "{finding} {mend}");
        let (finding, _) = only(&LiveFacts { audio: None, ..good() });
        assert_eq!(finding, "No sound arrives.");
    }

    #[test]
    fn a_second_without_frames_is_seen_for_half_a_minute() {
        let with_gap_at = |at: usize| {
            let mut facts = good();
            facts.bitrate_history_bps[at] = 100_000;
            facts
        };
        assert_eq!(advice(&with_gap_at(10)), []);
        assert!(only(&with_gap_at(45)).0.starts_with("The bitrate has broken in"));
    }
}
