//! The size of a picture, as codecs describe it.

/// The widest and highest picture taken, in pixels: twice 8K.
pub(super) const MAX_SIDE_PIXELS: u32 = 16_384;

/// Pixels as shown, after cropping. The sample aspect ratio is not applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PictureSize {
    pub width: u16,
    pub height: u16,
}

/// What is left of `units` when `before` and `after` are cropped off; `None` where that is nothing or too much.
pub(super) fn shown(units: u32, unit_pixels: u32, before: u32, after: u32, crop_pixels: u32) -> Option<u16> {
    let coded = units.checked_mul(unit_pixels).filter(|coded| *coded <= MAX_SIDE_PIXELS)?;
    let cropped = before.checked_add(after)?.checked_mul(crop_pixels)?;
    let shown = coded.checked_sub(cropped)?;
    u16::try_from(shown).ok().filter(|shown| *shown > 0)
}
