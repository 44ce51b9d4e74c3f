//! How figures are written: durations, sizes, rates, codecs. Nothing here knows of the page they stand on.

use std::fmt::Display;

/// Sound that is less loud is none.
const SILENCE_DBFS: f64 = -95.0;

/// `h:mm:ss`, cut to the full second.
#[must_use]
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// What who has tried too often is told.
#[must_use]
pub fn too_many_attempts(seconds: impl Display) -> String {
    format!("There were too many attempts. Please wait {seconds} seconds, then try again.")
}

/// `h:mm:ss.mmm`, where the milliseconds count.
#[must_use]
pub fn precise_duration(ms: u64) -> String {
    format!("{}.{:03}", duration(ms), ms % 1000)
}

/// Megabytes of 1,000,000 bytes with two digits.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    format!("{}.{:02} MB", thousands(bytes / 1_000_000), bytes % 1_000_000 / 10_000)
}

/// Megabytes for a field that is read back: every byte counts, and no digit is there for nothing.
#[must_use]
pub fn exact_megabytes(bytes: u64) -> String {
    let text = format!("{}.{:06}", bytes / 1_000_000, bytes % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Reads what [`exact_megabytes`] writes, and what people type: `1.5`, `0.25`, `.25`. `None` for what is no number, or is finer than a byte.
#[must_use]
pub fn bytes_of_megabytes(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part)
}

/// For sums, where megabytes are too fine: `812.40 MB`, `1.21 GB`, `3.05 TB`.
#[must_use]
pub fn volume(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "GB"),
        _ => (1_000_000_000_000, "TB"),
    };
    format!("{}.{:02} {name}", bytes / unit, bytes % unit / (unit / 100))
}

/// `640 kbit/s` below a megabit, `2.50 Mbit/s` above.
#[must_use]
pub fn bitrate(bps: u64) -> String {
    if bps < 1_000_000 {
        format!("{} kbit/s", bps / 1000)
    } else {
        format!("{}.{:02} Mbit/s", bps / 1_000_000, bps % 1_000_000 / 10_000)
    }
}

/// `30`, `29.97`.
#[must_use]
pub fn fps(fps: f64) -> String {
    let text = format!("{fps:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Decibels of full scale, which are mostly below zero: `−20 dB`; the least of all is silence.
#[must_use]
pub fn decibels(dbfs: f64) -> String {
    if dbfs <= SILENCE_DBFS {
        return "silent".to_owned();
    }
    // What is decoded may lie a little above full scale; there it is cut off, and nothing is louder.
    let rounded = dbfs.round().min(0.0);
    let sign = if rounded < 0.0 { "−" } else { "" };
    format!("{sign}{:.0} dB", rounded.abs())
}

/// Seconds with one digit.
#[must_use]
pub fn seconds(ms: u64) -> String {
    let tenths = ms.saturating_add(50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// Milliseconds with their sign: `+12 ms`, `−3 ms`, `0 ms`.
#[must_use]
pub fn offset(ms: i64) -> String {
    let sign = match ms.signum() {
        1 => "+",
        -1 => "−",
        _ => "",
    };
    format!("{sign}{} ms", thousands(ms.unsigned_abs()))
}

/// `12,345`
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 recording`, `2 recordings`.
#[must_use]
pub fn count(number: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { singular } else { plural })
}

/// The name people know a codec by.
#[must_use]
pub fn codec(name: &str) -> String {
    match name {
        "h264" => "H.264".into(),
        "h265" | "hevc" => "HEVC".into(),
        "av1" => "AV1".into(),
        "vp9" => "VP9".into(),
        "aac" => "AAC".into(),
        "opus" => "Opus".into(),
        "mp3" => "MP3".into(),
        other => other.to_owned(),
    }
}

/// Whether browsers in general play it; what only some play counts as no.
#[must_use]
pub fn browsers_play(codec: &str) -> bool {
    !matches!(codec, "h265" | "hevc")
}

/// Text as the value of an HTML attribute between double quotes, for the snippets that people copy.
#[must_use]
pub fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_in_megabytes_is_read_back_to_the_byte() {
        for bytes in [0, 1, 999_999, 1_000_000, 1_048_577, 5_368_709_120, u64::MAX] {
            assert_eq!(bytes_of_megabytes(&exact_megabytes(bytes)), Some(bytes));
        }
        assert_eq!((exact_megabytes(1_500_000).as_str(), exact_megabytes(20_000_000).as_str()), ("1.5", "20"));
        assert_eq!((bytes_of_megabytes(".25"), bytes_of_megabytes("5.")), (Some(250_000), Some(5_000_000)));
        for bad in ["", ".", "1,5", "-1", "1e3", "1.0000001", "18446744073710", " 1"] {
            assert_eq!(bytes_of_megabytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_have_hours_always() {
        assert_eq!(duration(0), "0:00:00");
        assert_eq!(duration(83_450), "0:01:23");
        assert_eq!(duration(36_000_000 + 61_999), "10:01:01");
        assert_eq!(precise_duration(61_007), "0:01:01.007");
    }

    #[test]
    fn sizes_have_two_digits() {
        assert_eq!(megabytes(26_411_008), "26.41 MB");
        assert_eq!(megabytes(1_070_000_000), "1,070.00 MB");
        assert_eq!(megabytes(9_999), "0.00 MB");
        assert_eq!(volume(999_000_000), "999.00 MB");
        assert_eq!(volume(1_219_999_999), "1.21 GB");
        assert_eq!(volume(3_050_000_000_000), "3.05 TB");
    }

    #[test]
    fn rates_are_short() {
        assert_eq!(bitrate(128_000), "128 kbit/s");
        assert_eq!(bitrate(2_500_000), "2.50 Mbit/s");
        assert_eq!(fps(30.0), "30");
        assert_eq!(fps(29.97), "29.97");
        assert_eq!(fps(24000.0 / 1001.0), "23.98");
    }

    #[test]
    fn offsets_show_their_direction() {
        assert_eq!([0, 12, -1_203].map(offset), ["0 ms", "+12 ms", "−1,203 ms"]);
    }

    #[test]
    fn loudness_has_its_sign_and_silence_its_word() {
        assert_eq!([-20.4, -0.3, 1.6, -96.0].map(decibels), ["−20 dB", "0 dB", "0 dB", "silent"]);
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(1, "recording", "recordings"), "1 recording");
        assert_eq!(count(1_234_567, "recording", "recordings"), "1,234,567 recordings");
    }
}
