//! What a `Range` header asks of a file (RFC 9110 §14.1–14.2). Pure: knows sizes, not files, and no other module, since the fuzz targets compile this file too.

use std::ops::Range;

/// What is to be sent of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// All of it, as if nothing had been asked.
    Whole,
    /// These bytes: never none, never beyond the end.
    Part(Range<u64>),
    /// Nothing of it can be sent: 416.
    Unsatisfiable,
}

/// Reads the value of a `Range` header for a file of `size` bytes.
///
/// One range is answered. Several are answered with the whole file, and so are other units and values that break the grammar: §14.2
/// lets a server ignore the header, no player asks for several, and assembling many small parts is work that a stranger could ask for cheaply.
#[must_use]
pub fn asked(value: &str, size: u64) -> Asked {
    let Some((unit, set)) = value.split_once('=') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    // Empty list elements are to be read over (§5.6.1.2).
    let mut specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return Asked::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Asked::Whole };
    match (first, position(first), last, position(last)) {
        ("", _, _, Some(suffix)) => match (size.min(suffix), size) {
            (0, 1..) => Asked::Unsatisfiable,
            (0, 0) if suffix == 0 => Asked::Unsatisfiable,
            // A suffix of an empty file is satisfiable, but no Content-Range can name it.
            (0, 0) => Asked::Whole,
            (length, _) => Asked::Part(size - length..size),
        },
        (_, Some(first), "", _) if first < size => Asked::Part(first..size),
        (_, Some(first), _, Some(last)) if last < first => Asked::Whole,
        (_, Some(first), _, Some(last)) if first < size => Asked::Part(first..last.saturating_add(1).min(size)),
        (_, Some(_), "", _) | (_, Some(_), _, Some(_)) => Asked::Unsatisfiable,
        _ => Asked::Whole,
    }
}

/// A decimal number; one too large for us is beyond every file's end all the same.
fn position(digits: &str) -> Option<u64> {
    let fine = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    fine.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_mean_what_the_rfc_says() {
        let size = 10_000;
        for (value, meant) in [
            ("bytes=0-499", Asked::Part(0..500)),
            ("bytes=500-999", Asked::Part(500..1_000)),
            ("bytes=-500", Asked::Part(9_500..10_000)),
            ("bytes=9500-", Asked::Part(9_500..10_000)),
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=-1", Asked::Part(9_999..10_000)),
            ("bytes=0-", Asked::Part(0..10_000)),
            ("BYTES=0-1", Asked::Part(0..2)),
            ("bytes= 0-1 , ", Asked::Part(0..2)),
            ("bytes=9999-99999999999999999999999", Asked::Part(9_999..10_000)),
            ("bytes=-99999999999999999999999", Asked::Part(0..10_000)),
            ("bytes=10000-", Asked::Unsatisfiable),
            ("bytes=10000-10001", Asked::Unsatisfiable),
            ("bytes=99999999999999999999999-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=0-0,-1", Asked::Whole),
            ("bytes=5-4", Asked::Whole),
            ("bytes=", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=1-2-3", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=--1", Asked::Whole),
            ("items=0-1", Asked::Whole),
            ("bytes", Asked::Whole),
        ] {
            assert_eq!(asked(value, size), meant, "{value}");
        }
        assert_eq!(asked("bytes=-5", 0), Asked::Whole);
        assert_eq!(asked("bytes=0-", 0), Asked::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_beyond_the_end(
            value in "(bytes)?=?[ ,]{0,2}[0-9]{0,21}-?[0-9]{0,21}[ ,-]{0,2}|.{0,30}",
            size: u64,
        ) {
            if let Asked::Part(part) = asked(&value, size) {
                prop_assert!(part.start < part.end && part.end <= size);
            }
        }

        #[test]
        fn first_and_last_are_taken_as_sent(first: u64, length in 1..u64::MAX, size: u64) {
            let last = first.saturating_add(length - 1);
            let meant = if first < size { Asked::Part(first..last.saturating_add(1).min(size)) } else { Asked::Unsatisfiable };
            prop_assert_eq!(asked(&format!("bytes={first}-{last}"), size), meant);
        }
    }
}
