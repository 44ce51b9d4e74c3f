//! Codec parameter sets and the framing inside an access unit: what must be read of a codec to store and deliver it.
//!
//! No decoding, and nothing of containers or protocols, which stand in `flv` and `mp4`.

pub mod aac;
pub mod annex_b;
pub mod av1;
pub mod avc;
mod bits;
pub mod entrance;
pub mod hevc;
pub mod in_band;
pub mod nal;
pub mod opus;
mod picture;
mod rfc6381;

pub use picture::PictureSize;
pub use rfc6381::codec_string;

/// Why bytes are not the parameter set or access unit they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes end before the structure does.
    #[error("the data ends too early")]
    Truncated,
    /// A field has a value that its specification forbids or that no real encoder sends.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// Right, but a kind of the codec that is not handled.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}
