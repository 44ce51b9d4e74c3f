//! Decoders of what encoders send, each opened when it is first needed. In the process of the `worker`; what cannot be decoded gives nothing.

use video_rs::ffmpeg::codec::{self, Id, decoder};
use video_rs::ffmpeg::util::frame::Audio;
use video_rs::ffmpeg::{self, Packet};

/// What a frame is coded in; the byte in front of it on its way to the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coding {
    /// AAC behind an ADTS header.
    Adts = 0,
    /// A packet of Opus of one or two channels. Without a configuration it is decoded to two.
    Opus = 1,
}

impl Coding {
    pub(super) fn of(byte: u8) -> Option<Self> {
        [Self::Adts, Self::Opus].into_iter().find(|coding| *coding as u8 == byte)
    }
}

#[derive(Default)]
pub(super) struct Decoders([Option<decoder::Audio>; 2]);

impl Decoders {
    /// # Errors
    /// Where FFmpeg has no such decoder, or `take` fails.
    pub(super) fn decode(
        &mut self,
        coding: Coding,
        frame: &[u8],
        mut take: impl FnMut(&Audio) -> Result<(), ffmpeg::Error>,
    ) -> Result<(), ffmpeg::Error> {
        let decoder = match &mut self.0[coding as usize] {
            Some(decoder) => decoder,
            none => none.insert(open(coding)?),
        };
        if decoder.send_packet(&Packet::copy(frame)).is_ok() {
            let mut decoded = Audio::empty();
            while decoder.receive_frame(&mut decoded).is_ok() {
                take(&decoded)?;
            }
        }
        Ok(())
    }
}

fn open(coding: Coding) -> Result<decoder::Audio, ffmpeg::Error> {
    let id = match coding {
        Coding::Adts => Id::AAC,
        Coding::Opus => Id::OPUS,
    };
    let codec = decoder::find(id).ok_or(ffmpeg::Error::DecoderNotFound)?;
    codec::Context::new_with_codec(codec).decoder().open_as(codec)?.audio()
}
