//! A text as a QR code: which squares are dark. In which colours, and how large, is the page's.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// So wide stays the border, in squares (ISO/IEC 18004).
const QUIET: usize = 4;

/// As an SVG has it, a square a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qr {
    /// Of one side, with the quiet border around it.
    pub size: usize,
    /// The `d` of a path that covers what is dark.
    pub path: String,
}

impl Qr {
    /// `None` where the text is too long for any.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (y, row) in code.to_colors().chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] == Color::Dark {
                    // Writing to a text does not fail.
                    let _ = write!(path, "M{} {}h{length}v1h-{length}z", x + QUIET, y + QUIET, length = run.len());
                }
                x += run.len();
            }
        }
        Some(Self { size: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a camera sees what the path covers, so many pixels a square.
    fn seen(qr: &Qr) -> String {
        const SCALE: usize = 4;
        let mut dark = vec![false; qr.size * qr.size];
        for run in qr.path.split('z').filter(|run| !run.is_empty()) {
            let numbers = run.trim_start_matches('M').replace(['h', 'v', '-'], " ");
            let numbers: Vec<usize> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
            let [x, y, length, 1, back] = numbers[..] else { panic!("{run}") };
            assert_eq!(length, back);
            dark[y * qr.size + x..][..length].fill(true);
        }
        let is_dark = |x: usize, y: usize| dark[y / SCALE * qr.size + x / SCALE];
        let side = qr.size * SCALE;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if is_dark(x, y) { 0 } else { 255 });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn what_is_drawn_is_read_back() {
        let long = format!("otpauth://totp/Afterlive:{}%40example.com?secret=GEZDGNBVGY3TQOJQ&issuer=Afterlive", "a".repeat(254));
        for text in ["otpauth://totp/Afterlive:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", &long] {
            assert_eq!(seen(&Qr::of(text).unwrap()), text);
        }
        assert_eq!(Qr::of(&"x".repeat(4_000)), None);
    }
}
