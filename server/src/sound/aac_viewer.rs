//! A viewer of the hub who gets sound that all of RTMP has: where the stream's is Opus, AAC in its place, with the same times. Pictures never wait for it.

use afterlive_domain::StreamId;
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::time::rescale;
use bytes::Bytes;

use super::{CHANNELS, Interpretation, Interpreter, SAMPLE_RATE, Target};
use crate::hub::{Message, ViewerSubscription};

/// AAC-LC, 48 kHz, two channels.
const ASC: &[u8] = &[0x11, 0x90];

/// What the other end can hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// What RTMP always had.
    Aac,
    /// Opus too, by Enhanced RTMP: sound is left as it is.
    Opus,
}

/// Reads as the subscription in it does.
pub struct AacViewer {
    subscription: ViewerSubscription,
    interpreter: Interpreter,
    stream: StreamId,
    takes: Takes,
    video_timescale: u32,
    audio_timescale: u32,
    sound: Sound,
    /// Of sound that is interpreted: the next packet.
    packet: Option<Frame>,
    /// The time of the first frame of all, in ticks of 48 000 a second: earlier sound is not told.
    first: Option<i64>,
    /// The time of the last picture told.
    shown: i64,
}

/// What becomes of the stream's sound.
enum Sound {
    /// It is passed on.
    AsItIs,
    Interpreted(Interpretation),
    /// It cannot be interpreted.
    LeftOut,
}

impl AacViewer {
    #[must_use]
    pub fn new(subscription: ViewerSubscription, interpreter: Interpreter, stream: StreamId, takes: Takes) -> Self {
        Self {
            subscription,
            interpreter,
            stream,
            takes,
            video_timescale: 1,
            audio_timescale: 1,
            sound: Sound::AsItIs,
            packet: None,
            first: None,
            shown: i64::MIN,
        }
    }

    /// Waits for the next message. Safe to cancel: no message is lost.
    pub async fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.try_next() {
                return message;
            }
            tokio::select! {
                packet = next_of(&mut self.sound), if self.first.is_some() => self.packet = Some(packet),
                message = self.subscription.next() => if let Some(message) = self.pass(message) {
                    return message;
                }
            }
        }
    }

    /// The next message, where one waits. Sound that waits goes before later pictures, and does not wait for pictures.
    pub fn try_next(&mut self) -> Option<Message> {
        loop {
            self.look_for_sound();
            if let Some(packet) = self.packet.take_if(|packet| packet.dts <= self.shown) {
                return Some(Message::Frame(packet));
            }
            match self.subscription.try_next() {
                Some(message) => match self.pass(message) {
                    None => {}
                    message => return message,
                },
                None => return self.packet.take().map(Message::Frame),
            }
        }
    }

    /// Why the stream's sound is left out at the moment, in words for people.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match &self.sound {
            Sound::AsItIs => None,
            Sound::Interpreted(interpretation) => interpretation.failure(),
            Sound::LeftOut => Some("Opus of more than two channels cannot be made AAC: set the encoder to stereo".to_owned()),
        }
    }

    fn look_for_sound(&mut self) {
        let (Sound::Interpreted(interpretation), Some(first)) = (&mut self.sound, self.first) else { return };
        while self.packet.as_ref().is_none_or(|packet| packet.dts < first) {
            match interpretation.try_next() {
                Some(packet) => self.packet = Some(packet),
                None => {
                    self.packet = None;
                    return;
                }
            }
        }
    }

    /// What the viewer is told of a message of the hub's.
    fn pass(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::TrackChanged(track) if track.codec.kind() == TrackKind::Audio => self.set_audio(track),
            Message::TrackChanged(track) => {
                self.video_timescale = track.timescale;
                Some(Message::TrackChanged(track))
            }
            Message::Frame(frame) => {
                let timescale = match frame.kind {
                    TrackKind::Video => self.video_timescale,
                    TrackKind::Audio => self.audio_timescale,
                };
                let at = rescale(frame.dts, timescale, SAMPLE_RATE);
                self.first.get_or_insert(at);
                match frame.kind {
                    TrackKind::Video => self.shown = at,
                    TrackKind::Audio if !matches!(self.sound, Sound::AsItIs) => return None,
                    TrackKind::Audio => {}
                }
                Some(Message::Frame(frame))
            }
            Message::Ended => Some(Message::Ended),
        }
    }

    fn set_audio(&mut self, track: TrackConfig) -> Option<Message> {
        self.audio_timescale = track.timescale;
        self.packet = None;
        match track.codec {
            CodecConfig::Opus { .. } if self.takes == Takes::Aac => {
                if !Target::Aac.is_made_of(&track.codec) {
                    self.sound = Sound::LeftOut;
                    return None;
                }
                let is_new = !matches!(self.sound, Sound::Interpreted(_));
                if is_new {
                    self.sound = Sound::Interpreted(self.interpreter.listen(self.stream, Target::Aac));
                }
                is_new.then(|| Message::TrackChanged(interpreted()))
            }
            _ => {
                self.sound = Sound::AsItIs;
                Some(Message::TrackChanged(track))
            }
        }
    }
}

/// For ever where nothing is interpreted.
async fn next_of(sound: &mut Sound) -> Frame {
    match sound {
        Sound::Interpreted(interpretation) => interpretation.next().await,
        Sound::AsItIs | Sound::LeftOut => std::future::pending().await,
    }
}

fn interpreted() -> TrackConfig {
    let codec = CodecConfig::Aac { asc: Bytes::from_static(ASC), sample_rate: SAMPLE_RATE, channels: CHANNELS as u8 };
    TrackConfig { codec, timescale: SAMPLE_RATE }
}
