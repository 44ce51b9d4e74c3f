//! Brightness and two colours are made of red, green and blue by one matrix or another, and a JPEG has but one: that of BT.601, over the full range (JFIF 1.02).
//! FFmpeg's scaler carries a film's colours over as they are, and those of BT.709 would be seen a little wrong.

use video_rs::ffmpeg::util::color::Space;
use video_rs::ffmpeg::util::frame::Video as Image;

/// From so many lines on, a film that does not say by which matrix it was made is taken for one of BT.709, below for one of BT.601: as players do.
const HIGH_DEFINITION_LINES: u32 = 720;

/// By how much red and blue weigh in the brightness; green has the rest.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Weights {
    red: f32,
    blue: f32,
}

/// ITU-R BT.601-7, 2.5.1.
const BT601: Weights = Weights { red: 0.299, blue: 0.114 };
/// ITU-R BT.709-6, 3.2.
const BT709: Weights = Weights { red: 0.2126, blue: 0.0722 };
/// ITU-R BT.2020-2, table 4.
const BT2020: Weights = Weights { red: 0.2627, blue: 0.0593 };
/// SMPTE 240M.
const SMPTE240: Weights = Weights { red: 0.212, blue: 0.087 };

/// `None` where it is that of JPEG already, or none that is known.
fn weights_of(image: &Image) -> Option<Weights> {
    match image.color_space() {
        Space::BT709 => Some(BT709),
        Space::BT2020NCL | Space::BT2020CL => Some(BT2020),
        Space::SMPTE240M => Some(SMPTE240),
        Space::Unspecified => (image.height() >= HIGH_DEFINITION_LINES).then_some(BT709),
        _ => None,
    }
}

/// Turns planes that were carried over from `source` (brightness, and both colours at half the size, of full range) into those of a JPEG.
pub(super) fn adapt(image: &mut Image, source: &Image) {
    let Some(weights) = weights_of(source) else { return };
    let change = Change::to_bt601(weights);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let strides = [0, 1, 2].map(|plane| image.stride(plane));
    for row in 0..height.div_ceil(2) {
        for column in 0..width.div_ceil(2) {
            let (blue_at, red_at) = (row * strides[1] + column, row * strides[2] + column);
            let (Some(&blue), Some(&red)) = (image.data(1).get(blue_at), image.data(2).get(red_at)) else { return };
            let (blue, red) = (f32::from(blue) - 128.0, f32::from(red) - 128.0);
            let [brighter, new_blue, new_red] = change.of(blue, red);
            image.data_mut(1)[blue_at] = stored(new_blue + 128.0);
            image.data_mut(2)[red_at] = stored(new_red + 128.0);
            for (down, right) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let (y, x) = (2 * row + down, 2 * column + right);
                if y < height
                    && x < width
                    && let Some(pixel) = image.data_mut(0).get_mut(y * strides[0] + x)
                {
                    *pixel = stored(f32::from(*pixel) + brighter);
                }
            }
        }
    }
}

fn stored(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// What of the two colours, as differences from grey, goes into the brightness and into each of them.
#[derive(Clone, Copy, Debug)]
struct Change([[f32; 2]; 3]);

impl Change {
    fn to_bt601(from: Weights) -> Self {
        let of = |blue: f32, red: f32| {
            // Without brightness: that goes through as it is.
            let (r, b) = (2.0 * (1.0 - from.red) * red, 2.0 * (1.0 - from.blue) * blue);
            let g = -(from.red * r + from.blue * b) / (1.0 - from.red - from.blue);
            let brightness = BT601.red * r + (1.0 - BT601.red - BT601.blue) * g + BT601.blue * b;
            [brightness, (b - brightness) / (2.0 * (1.0 - BT601.blue)), (r - brightness) / (2.0 * (1.0 - BT601.red))]
        };
        let (blue, red) = (of(1.0, 0.0), of(0.0, 1.0));
        Self([0, 1, 2].map(|part| [blue[part], red[part]]))
    }

    fn of(self, blue: f32, red: f32) -> [f32; 3] {
        self.0.map(|[of_blue, of_red]| of_blue * blue + of_red * red)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::canvas::blank;

    /// Brightness, blue and red of full range, of what is red, green and blue of 255.
    fn planes(weights: Weights, [r, g, b]: [f32; 3]) -> [f32; 3] {
        let y = weights.red * r + (1.0 - weights.red - weights.blue) * g + weights.blue * b;
        [y, (b - y) / (2.0 * (1.0 - weights.blue)), (r - y) / (2.0 * (1.0 - weights.red))]
    }

    #[test]
    fn a_colour_is_the_same_by_the_other_matrix() {
        for weights in [BT709, BT2020, SMPTE240, BT601] {
            for colour in [[255.0, 0.0, 0.0], [0.0, 255.0, 0.0], [0.0, 0.0, 255.0], [200.0, 120.0, 40.0], [90.0, 90.0, 90.0]] {
                let [y, blue, red] = planes(weights, colour);
                let [brighter, new_blue, new_red] = Change::to_bt601(weights).of(blue, red);
                let expected = planes(BT601, colour);
                for (is, expected) in [y + brighter, new_blue, new_red].into_iter().zip(expected) {
                    assert!((is - expected).abs() < 0.01, "{weights:?} {colour:?}: {is} is not {expected}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_say_by_which_matrix_it_was_made_is_told_by_its_lines() {
        let of = |height, space| {
            let mut image = blank(16, height);
            image.set_color_space(space);
            weights_of(&image)
        };
        assert_eq!(of(720, Space::Unspecified), Some(BT709));
        assert_eq!(of(718, Space::Unspecified), None);
        assert_eq!(of(480, Space::BT709), Some(BT709));
        assert_eq!((of(1_080, Space::SMPTE170M), of(1_080, Space::BT470BG), of(1_080, Space::RGB)), (None, None, None));
    }

    #[test]
    fn every_pixel_is_turned_and_grey_stays() {
        let mut source = blank(6, 6);
        source.set_color_space(Space::BT709);
        let [y, blue, red] = planes(BT709, [255.0, 0.0, 0.0]);
        let mut image = blank(6, 6);
        for (plane, value) in [(0, y), (1, blue + 128.0), (2, red + 128.0)] {
            image.data_mut(plane).fill(stored(value));
        }
        adapt(&mut image, &source);
        let expected = planes(BT601, [255.0, 0.0, 0.0]);
        for (plane, (size, expected)) in
            [(6, expected[0]), (3, expected[1] + 128.0), (3, expected[2] + 128.0)].into_iter().enumerate()
        {
            let stride = image.stride(plane);
            for pixel in image.data(plane).chunks(stride).take(size).flat_map(|row| &row[..size]) {
                assert!((f32::from(*pixel) - expected).abs() <= 1.5, "plane {plane}: {pixel} is not {expected}");
            }
        }

        let mut grey = blank(4, 4);
        grey.data_mut(0).fill(100);
        adapt(&mut grey, &source);
        assert_eq!((grey.data(0)[0], grey.data(1)[0], grey.data(2)[0]), (100, 128, 128));
    }
}
