//! Decoded images: fitted into a box, judged, laid side by side, and written as JPEG.

use bytes::Bytes;
use video_rs::ffmpeg::codec::{self, encoder};
use video_rs::ffmpeg::format::Pixel;
use video_rs::ffmpeg::software::scaling::{Context as Scaler, Flags};
use video_rs::ffmpeg::util::frame::Video as Image;
use video_rs::ffmpeg::{self, Packet, Rational};

use super::{PictureError, matrix};

/// FFmpeg's scale from 2 (best) to 31.
const JPEG_QUALITY: i32 = 4;
/// What all images here are made of: JPEG's planes, of full range, the two of colour of half the size.
const FORMAT: Pixel = Pixel::YUVJ420P;
/// A pixel is black up to this brightness, of 255, and an image is where 98 of 100 of its pixels are: what FFmpeg's `blackdetect` takes for black.
const BLACK_UP_TO: u8 = 25;
const BLACK_PER_CENT: usize = 98;
/// No pixel is taken for wider or higher than so many times the other way.
const MAX_PIXEL_RATIO: f64 = 8.0;

/// The image as players show it, no larger than `box_size` and never enlarged, with an even number of pixels each way.
pub(super) fn scaled(image: &Image, box_size: (u32, u32)) -> Result<Image, ffmpeg::Error> {
    let (width, height) = fit(image, box_size);
    let mut scaler = Scaler::get(image.format(), image.width(), image.height(), FORMAT, width, height, Flags::BILINEAR)?;
    let mut fitted = Image::empty();
    scaler.run(image, &mut fitted)?;
    matrix::adapt(&mut fitted, image);
    Ok(fitted)
}

fn fit(image: &Image, (box_width, box_height): (u32, u32)) -> (u32, u32) {
    let ratio = Some(image.aspect_ratio()).filter(|ratio| ratio.numerator() > 0 && ratio.denominator() > 0);
    let ratio = ratio.map_or(1.0, f64::from).clamp(1.0 / MAX_PIXEL_RATIO, MAX_PIXEL_RATIO);
    let (width, height) = (f64::from(image.width()) * ratio, f64::from(image.height()));
    let scale = (f64::from(box_width) / width).min(f64::from(box_height) / height).min(1.0);
    let even = |length: f64, most: u32| ((length * scale / 2.0).round() as u32 * 2).clamp(2, most);
    (even(width, box_width), even(height, box_height))
}

/// Whether there is something to be seen in a [`scaled`] image, and how bright it is, of 255.
pub(super) fn judge(image: &Image) -> (bool, u64) {
    let (mut black, mut sum, mut count) = (0, 0, 0);
    let rows = image.data(0).chunks(image.stride(0).max(1)).take(image.height() as usize);
    for pixel in rows.flat_map(|row| row.iter().take(image.width() as usize)) {
        count += 1;
        sum += u64::from(*pixel);
        black += usize::from(*pixel <= BLACK_UP_TO);
    }
    (black * 100 < count * BLACK_PER_CENT, sum / (count as u64).max(1))
}

/// A black image.
pub(super) fn blank(width: u32, height: u32) -> Image {
    let mut image = Image::new(FORMAT, width, height);
    for (plane, value) in [(0, 0), (1, 128), (2, 128)] {
        image.data_mut(plane).fill(value);
    }
    image
}

/// Lays a [`scaled`] tile into the sheet, with its upper left corner at even coordinates. What would lie outside is left out.
pub(super) fn lay(sheet: &mut Image, tile: &Image, x: u32, y: u32) {
    for plane in 0..3 {
        let halved = |length: u32| if plane == 0 { length as usize } else { length as usize / 2 };
        let (x, y) = (halved(x), halved(y));
        let width = halved(tile.width()).min(halved(sheet.width()).saturating_sub(x));
        let height = halved(tile.height()).min(halved(sheet.height()).saturating_sub(y));
        let (from_stride, to_stride) = (tile.stride(plane), sheet.stride(plane));
        let from = tile.data(plane);
        let to = sheet.data_mut(plane);
        for row in 0..height {
            let (source, target) = (row * from_stride, (y + row) * to_stride + x);
            to[target..target + width].copy_from_slice(&from[source..source + width]);
        }
    }
}

/// # Errors
/// Where FFmpeg cannot.
pub(super) fn jpeg(image: &Image) -> Result<Bytes, PictureError> {
    let mut image = image.clone();
    image.set_pts(Some(0));
    let codec = encoder::find(codec::Id::MJPEG).ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut settings = codec::Context::new_with_codec(codec).encoder().video()?;
    settings.set_width(image.width());
    settings.set_height(image.height());
    settings.set_format(FORMAT);
    settings.set_time_base(Rational(1, 25));
    settings.set_flags(codec::Flags::QSCALE);
    settings.set_global_quality(JPEG_QUALITY * ffmpeg::ffi::FF_QP2LAMBDA);
    let mut encoder = settings.open()?;
    encoder.send_frame(&image)?;
    encoder.send_eof()?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet)?;
    packet.data().map(Bytes::copy_from_slice).ok_or(PictureError::Ffmpeg(ffmpeg::Error::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_fits_its_box_and_keeps_its_shape() {
        for (size, expected) in [
            ((1920, 1080), (640, 360)),
            ((1080, 1920), (202, 360)),
            ((320, 180), (320, 180)),
            ((16_384, 2), (640, 2)),
            ((3, 3), (4, 4)),
        ] {
            assert_eq!(fit(&blank(size.0, size.1), (640, 360)), expected, "{size:?}");
        }
    }

    #[test]
    fn what_has_a_little_light_in_it_is_not_black() {
        let mut image = blank(160, 90);
        assert_eq!(judge(&image), (false, 0));
        let mut light = blank(160, 2);
        light.data_mut(0).fill(200);
        lay(&mut image, &light, 0, 40);
        assert!(judge(&image).0);
        // Dark grey all over is black all the same.
        image.data_mut(0).fill(BLACK_UP_TO);
        assert_eq!(judge(&image), (false, u64::from(BLACK_UP_TO)));
    }

    #[test]
    fn a_tile_lies_where_it_was_laid_and_never_outside() {
        let mut sheet = blank(32, 32);
        let mut tile = blank(8, 4);
        tile.data_mut(0).fill(99);
        lay(&mut sheet, &tile, 28, 30);
        let stride = sheet.stride(0);
        let lit: usize = sheet.data(0).chunks(stride).map(|row| row[..32].iter().filter(|pixel| **pixel == 99).count()).sum();
        assert_eq!(lit, 4 * 2);
        assert_eq!(sheet.data(0)[30 * stride + 28], 99);
        assert_eq!(&jpeg(&sheet).unwrap()[..2], [0xFF, 0xD8]);
    }
}
