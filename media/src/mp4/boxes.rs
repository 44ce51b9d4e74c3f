//! Writing boxes: sizes are filled in when a box closes.

use bytes::Bytes;

use super::index::SampleIndex;
use crate::frame::{CodecConfig, TrackKind};

/// The brands of growing and finished files. `iso5` and `iso6` stand for default-base-is-moof and 64-bit decode times. Between them and the last
/// comes the one of the video codec.
const BRANDS: [&[u8; 4]; 4] = [b"isom", b"iso5", b"iso6", b"mp41"];

/// Bytes of a box header with a 32-bit size.
pub(super) const HEADER_BYTES: u32 = 8;
/// Bytes of a box header with a 64-bit size.
pub(super) const LARGE_HEADER_BYTES: u32 = 16;

/// Boxes being written one into another.
#[derive(Default)]
pub(super) struct BoxWriter {
    out: Vec<u8>,
}

impl BoxWriter {
    /// A box with what `body` writes. Its size must fit 32 bits, which the limits on samples and fragments ensure.
    pub(super) fn boxed(&mut self, kind: &[u8; 4], body: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        self.u32(0);
        self.bytes(kind);
        body(self);
        let size = u32::try_from(self.out.len() - start).unwrap_or(u32::MAX);
        self.out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// A box with version and flags.
    pub(super) fn full(&mut self, kind: &[u8; 4], version: u8, flags: u32, body: impl FnOnce(&mut Self)) {
        self.boxed(kind, |w| {
            w.u32(u32::from(version) << 24 | flags);
            body(w);
        });
    }

    /// A full box of a 32-bit entry count and what `entries` writes; that returns the count.
    pub(super) fn table(&mut self, kind: &[u8; 4], version: u8, entries: impl FnOnce(&mut Self) -> u32) {
        self.full(kind, version, 0, |w| {
            let at = w.out.len();
            w.u32(0);
            let count = entries(w);
            w.out[at..at + 4].copy_from_slice(&count.to_be_bytes());
        });
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn zeroes(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, 0);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Writes over four bytes at `at`.
    pub(super) fn patch_u32(&mut self, at: usize, value: u32) {
        self.out[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        self.out
    }
}

/// Of the same length whatever the tracks are.
pub(super) fn ftyp(index: &SampleIndex) -> Vec<u8> {
    let codec = index.track(TrackKind::Video).and_then(|track| track.descriptions().first());
    let video: &[u8; 4] = match codec {
        Some(CodecConfig::Hevc { .. }) => b"hvc1",
        Some(CodecConfig::Av1 { .. }) => b"av01",
        _ => b"avc1",
    };
    let [major, iso5, iso6, last] = BRANDS;
    let mut w = BoxWriter::default();
    w.boxed(b"ftyp", |w| {
        w.bytes(major);
        w.u32(0x200);
        [major, iso5, iso6, video, last].iter().for_each(|brand| w.bytes(*brand));
    });
    w.into_vec()
}

/// The header of a free box of `bytes` in all, at least 8.
pub(super) fn free_header(bytes: u32) -> Bytes {
    header(b"free", bytes)
}

/// A header with a 32-bit size.
pub(super) fn header(kind: &[u8; 4], bytes: u32) -> Bytes {
    Bytes::from([bytes.to_be_bytes(), *kind].concat())
}

/// An mdat header with a 64-bit size, of `bytes` in all.
pub(super) fn large_mdat_header(bytes: u64) -> [u8; 16] {
    let mut header = [0; 16];
    header[..4].copy_from_slice(&1_u32.to_be_bytes());
    header[4..8].copy_from_slice(b"mdat");
    header[8..].copy_from_slice(&bytes.to_be_bytes());
    header
}
