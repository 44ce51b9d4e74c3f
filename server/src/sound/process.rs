//! One process in which sound is decoded, from outside: started, fed with a stream's frames, and given up where nothing comes back. Decides nothing about when.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use afterlive_media::codec::aac::adts;
use afterlive_media::frame::{CodecConfig, Frame, TrackConfig, TrackKind};
use afterlive_media::time::rescale;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::decoder::Coding;
use super::worker::{PROTOCOL, head, parse_head};
use super::{MAX_FRAME_BYTES, SAMPLE_RATE, Target};
use crate::hub::{Message, ViewerSubscription};

/// How long it may take to take a frame.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// It is given up where so many frames came back as nothing, over so long at least: what waits of a group of pictures goes in at once.
const MOST_UNANSWERED: u32 = 250;
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// Why a stream has no sound in the other codec for a while.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the process that decodes the sound cannot be used: {0}")]
    Process(io::Error),
    #[error("the process that decodes the sound has died over it")]
    Died,
    #[error("the process that decodes the sound hangs")]
    Hangs,
    #[error("nothing of the sound can be decoded")]
    Undecodable,
    #[error("the process that decodes the sound gave an answer that is too long")]
    TooLong,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionReset | UnexpectedEof => Self::Died,
            _ => Self::Process(error),
        }
    }
}

/// Until the stream is over. `with_kept`: also what the hub keeps for viewers to come.
pub(super) async fn run(
    program: &Path,
    target: Target,
    with_kept: bool,
    subscription: ViewerSubscription,
    packets: impl FnMut(Frame),
) -> Result<(), Failed> {
    let mut command = Command::new(program);
    command.args(["sound", "--protocol", &PROTOCOL.to_string(), "--target", target.name()]);
    // No secret of ours may be in what a decoder can read.
    command.env_clear().current_dir("/").kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no pipes").into());
    };
    let answered = AtomicBool::new(true);
    let feeder = Feeder { target, to, track: None, answered: &answered, unanswered: 0, silent_since: Instant::now() };
    tokio::select! {
        fed = feeder.feed(subscription, with_kept) => fed,
        heard = hear(from, &answered, packets) => heard,
    }
}

struct Feeder<'a> {
    target: Target,
    to: ChildStdin,
    track: Option<TrackConfig>,
    /// Something has come back since this was last looked at.
    answered: &'a AtomicBool,
    unanswered: u32,
    silent_since: Instant,
}

impl Feeder<'_> {
    async fn feed(mut self, mut subscription: ViewerSubscription, with_kept: bool) -> Result<(), Failed> {
        while !with_kept && let Some(kept) = subscription.try_next() {
            match kept {
                Message::TrackChanged(track) => self.set_track(track),
                Message::Ended => return Ok(()),
                Message::Frame(_) => {}
            }
        }
        loop {
            match subscription.next().await {
                Message::TrackChanged(track) => self.set_track(track),
                Message::Frame(frame) => self.put(&frame).await?,
                Message::Ended => return Ok(()),
            }
        }
    }

    fn set_track(&mut self, track: TrackConfig) {
        if track.codec.kind() == TrackKind::Audio {
            self.track = Some(track).filter(|track| self.target.is_made_of(&track.codec));
        }
    }

    async fn put(&mut self, frame: &Frame) -> Result<(), Failed> {
        let Some(track) = self.track.as_ref().filter(|_| frame.kind == TrackKind::Audio) else { return Ok(()) };
        let (coding, header) = match &track.codec {
            // It needs no configuration beside it then.
            CodecConfig::Aac { asc, .. } => match adts(asc, frame.data.len()) {
                Some(header) => (Coding::Adts, Bytes::copy_from_slice(&header)),
                None => return Ok(()),
            },
            _ => (Coding::Opus, Bytes::new()),
        };
        let at = rescale(frame.pts(), track.timescale, SAMPLE_RATE);
        let length = 1 + header.len() + frame.data.len();
        if length > MAX_FRAME_BYTES as usize {
            return Ok(());
        }
        self.look_for_answers()?;
        let write = async {
            for part in [&head(length, at)[..], &[coding as u8], &header, &frame.data] {
                self.to.write_all(part).await?;
            }
            Ok(())
        };
        timeout(WRITE_TIMEOUT, write).await.map_err(|_| Failed::Hangs)?
    }

    fn look_for_answers(&mut self) -> Result<(), Failed> {
        if self.answered.swap(false, Ordering::Relaxed) {
            (self.unanswered, self.silent_since) = (0, Instant::now());
        }
        self.unanswered += 1;
        let given_up = self.unanswered > MOST_UNANSWERED && self.silent_since.elapsed() > LONGEST_SILENCE;
        if given_up { Err(Failed::Undecodable) } else { Ok(()) }
    }
}

async fn hear(from: ChildStdout, answered: &AtomicBool, mut packets: impl FnMut(Frame)) -> Result<(), Failed> {
    let mut from = BufReader::new(from);
    loop {
        let mut head = [0; 12];
        from.read_exact(&mut head).await?;
        let (length, at) = parse_head(head);
        if length > MAX_FRAME_BYTES {
            return Err(Failed::TooLong);
        }
        let mut packet = vec![0; length as usize];
        from.read_exact(&mut packet).await?;
        answered.store(true, Ordering::Relaxed);
        packets(Frame { kind: TrackKind::Audio, dts: at, pts_offset: 0, keyframe: true, data: Bytes::from(packet) });
    }
}
