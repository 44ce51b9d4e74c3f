//! The process in which sound is decoded, from outside: one a stream for all who want to hear it, started by the first and killed after the last.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use afterlive_domain::StreamId;
use afterlive_media::codec::aac::adts;
use afterlive_media::frame::{CodecConfig, Frame, TrackKind};
use afterlive_media::time::rescale;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::worker::{PROTOCOL, head, parse_head};
use super::{MAX_FRAME_BYTES, SAMPLE_RATE};
use crate::hub::{Hub, Message, ViewerSubscription};

/// Packets of 20 ms that wait for a listener; who is slower loses the oldest.
const MAX_WAITING_PACKETS: usize = 100;
/// How long a process that died is not started anew: what brought it down may be in each frame.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Makes Opus of the AAC of live streams. Clones are handles to the same.
#[derive(Clone)]
pub struct Interpreter {
    hub: Hub,
    program: PathBuf,
    streams: Arc<Mutex<HashMap<StreamId, Weak<Running>>>>,
}

struct Running {
    packets: broadcast::Sender<Frame>,
    _stop: DropGuard,
}

/// One listener's end.
pub struct Interpretation {
    packets: broadcast::Receiver<Frame>,
    _running: Arc<Running>,
}

impl Interpretation {
    /// The next packet of Opus; its time is in 48 000 ticks a second, of the stream's timeline. Never ends by itself. Safe to cancel.
    pub async fn next(&mut self) -> Frame {
        loop {
            match self.packets.recv().await {
                Ok(packet) => return packet,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                // The stream is over; its listeners hear that from the hub.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Interpreter {
    /// `program` is the binary `afterlive`.
    #[must_use]
    pub fn new(hub: Hub, program: impl Into<PathBuf>) -> Self {
        Self { hub, program: program.into(), streams: Arc::default() }
    }

    /// Listens to a stream. The process is started for the first who does, and ends after the last.
    #[must_use]
    pub fn listen(&self, stream: StreamId) -> Interpretation {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, running| running.strong_count() > 0);
        let running = streams.get(&stream).and_then(Weak::upgrade).unwrap_or_else(|| {
            let (packets, _) = broadcast::channel(MAX_WAITING_PACKETS);
            let stop = CancellationToken::new();
            let work = interpret(self.hub.clone(), self.program.clone(), stream, packets.clone());
            let stopped = stop.clone();
            tokio::spawn(async move { stopped.run_until_cancelled(work).await });
            let running = Arc::new(Running { packets, _stop: stop.drop_guard() });
            streams.insert(stream, Arc::downgrade(&running));
            running
        });
        Interpretation { packets: running.packets.subscribe(), _running: running }
    }
}

/// Until the stream is over.
async fn interpret(hub: Hub, program: PathBuf, stream: StreamId, packets: broadcast::Sender<Frame>) {
    while let Some(subscription) = hub.subscribe(stream) {
        // Who listens is counted where they watch.
        subscription.headcount().set(0);
        match run_process(&program, subscription, &packets).await {
            Ok(()) => return,
            Err(cause) => {
                warn!(%stream, %cause, "viewers by WebRTC hear nothing for a while: the process that decodes sound has ended");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }
}

async fn run_process(program: &PathBuf, subscription: ViewerSubscription, packets: &broadcast::Sender<Frame>) -> io::Result<()> {
    let mut command = Command::new(program);
    // No secret of ours may be in what a decoder can read.
    command.args(["sound", "--protocol", &PROTOCOL.to_string()]).env_clear().current_dir("/").kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no pipes"));
    };
    tokio::select! {
        fed = feed(subscription, to) => fed,
        heard = hear(from, packets) => heard,
    }
}

/// Until the stream is over.
async fn feed(mut subscription: ViewerSubscription, mut to: ChildStdin) -> io::Result<()> {
    let mut track = None;
    // What is kept for viewers to come is past: who hears it now would hear all that follows as late.
    while let Some(kept) = subscription.try_next() {
        match kept {
            Message::TrackChanged(changed) if changed.codec.kind() == TrackKind::Audio => track = Some(changed),
            Message::Ended => return Ok(()),
            Message::TrackChanged(_) | Message::Frame(_) => {}
        }
    }
    loop {
        match subscription.next().await {
            Message::TrackChanged(changed) if changed.codec.kind() == TrackKind::Audio => track = Some(changed),
            Message::Frame(frame) if frame.kind == TrackKind::Audio => {
                let Some(track) = &track else { continue };
                let CodecConfig::Aac { asc, .. } = &track.codec else { continue };
                let Some(header) = adts(asc, frame.data.len()) else { continue };
                let at = rescale(frame.pts(), track.timescale, SAMPLE_RATE);
                to.write_all(&head(header.len() + frame.data.len(), at)).await?;
                to.write_all(&header).await?;
                to.write_all(&frame.data).await?;
            }
            Message::Ended => return Ok(()),
            Message::TrackChanged(_) | Message::Frame(_) => {}
        }
    }
}

async fn hear(from: ChildStdout, packets: &broadcast::Sender<Frame>) -> io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        let mut head = [0; 12];
        from.read_exact(&mut head).await?;
        let (length, at) = parse_head(head);
        if length > MAX_FRAME_BYTES {
            return Err(io::Error::other("its answer is too long"));
        }
        let mut packet = vec![0; length as usize];
        from.read_exact(&mut packet).await?;
        // Nobody may listen at this moment.
        let _ = packets.send(Frame { kind: TrackKind::Audio, dts: at, pts_offset: 0, keyframe: true, data: Bytes::from(packet) });
    }
}
