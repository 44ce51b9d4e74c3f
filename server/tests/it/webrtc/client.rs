//! A WebRTC client over a real socket, by str0m too but not lite, as a browser is: it offers, sends, and keeps what it receives.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use afterlive_media::codec::annex_b::Packer;
use afterlive_media::frame::TrackKind;
use afterlive_server::hub::Message;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, KeyframeRequestKind, MediaData, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    mids: [Mid; 2],
    pending: Option<SdpPendingOffer>,
    pub offer: String,
    pub connected: bool,
    /// The server has said that it is over, or is not heard any more.
    pub closed: bool,
    pub received: Vec<MediaData>,
    /// When what has been handed over and has not left yet was due.
    unsent_since: Option<Instant>,
    /// How late the first frames of what was sent have left.
    late: Duration,
}

impl Client {
    pub async fn new(direction: Direction) -> Self {
        Self::with(direction, RtcConfig::new()).await
    }

    pub async fn with(direction: Direction, config: RtcConfig) -> Self {
        str0m::crypto::from_feature_flags().install_process_default();
        let mut rtc = config.build(Instant::now());
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let mut changes = rtc.sdp_api();
        let mids = [MediaKind::Video, MediaKind::Audio].map(|kind| changes.add_media(kind, direction, None, None, None));
        let (offer, pending) = changes.apply().unwrap();
        let offer = offer.to_sdp_string();
        Self {
            rtc,
            socket,
            local,
            mids,
            pending: Some(pending),
            offer,
            connected: false,
            closed: false,
            received: Vec::new(),
            unsent_since: None,
            late: Duration::ZERO,
        }
    }

    /// `via` stands between the two, where there is one.
    pub async fn connect(&mut self, answer: &str, via: Option<SocketAddr>) {
        let answer = via.map_or_else(|| answer.to_owned(), |via| with_candidate(answer, via));
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).unwrap();
        let began = Instant::now();
        while !self.connected {
            assert!(began.elapsed() < PATIENCE, "it does not connect");
            self.drive(Duration::from_millis(5)).await;
        }
    }

    /// Sends the frames at the pace that their times say; returns when the last has been sent, with how late the first of a track
    /// has left at most: who receives them takes their arrivals for their times until there is a report of both tracks.
    pub async fn send(&mut self, messages: &[Message]) -> Duration {
        let (start, mut packer) = (Instant::now(), None);
        let (mut scales, mut begun) = ([1; 2], [false; 2]);
        self.late = Duration::ZERO;
        let mut first_us = None;
        for message in messages {
            let frame = match message {
                Message::TrackChanged(track) => {
                    scales[track.codec.kind() as usize] = track.timescale;
                    packer = Packer::of(&track.codec).or(packer);
                    continue;
                }
                Message::Frame(frame) => frame,
                Message::Ended => continue,
            };
            let us = u64::try_from(frame.dts * 1_000_000 / i64::from(scales[frame.kind as usize])).unwrap();
            let first_us = *first_us.get_or_insert(us);
            let due = start + Duration::from_micros(us.saturating_sub(first_us));
            self.drive(due.saturating_duration_since(Instant::now())).await;
            let (codec, ticks, data) = match frame.kind {
                TrackKind::Video => (Codec::H264, 90_000, packer.as_ref().unwrap().pack(&frame.data, frame.keyframe)),
                TrackKind::Audio => (Codec::Opus, 48_000, frame.data.to_vec()),
            };
            let Some(writer) = self.rtc.writer(self.mids[frame.kind as usize]) else { continue };
            let payload = writer.payload_params().find(|params| params.spec().codec == codec).unwrap().pt();
            // Each clock begins somewhere, the pictures' shortly before it begins anew.
            let begin = if frame.kind == TrackKind::Video { 0xffff_0000 } else { 4_711 };
            let time = MediaTime::new(begin + us * ticks / 1_000_000, Frequency::new(ticks as u32).unwrap());
            writer.write(payload, due, time, data).unwrap();
            if !std::mem::replace(&mut begun[frame.kind as usize], true) {
                self.unsent_since.get_or_insert(due);
            }
        }
        self.drive(Duration::from_millis(50)).await;
        self.late
    }

    /// Asks for a keyframe, as a browser does that has lost something.
    pub fn ask_for_keyframe(&mut self) {
        let mut writer = self.rtc.writer(self.mids[TrackKind::Video as usize]).unwrap();
        writer.request_keyframe(None, KeyframeRequestKind::Pli).unwrap();
    }

    /// What has come of a track.
    pub fn received(&self, kind: TrackKind) -> impl Iterator<Item = &MediaData> {
        let mid = self.mids[kind as usize];
        self.received.iter().filter(move |data| data.mid == mid)
    }

    /// Lives for so long, or until it is over.
    pub async fn drive(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut buffer = vec![0; 2_000];
        while !self.closed {
            let wake = match self.rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    self.socket.send_to(&transmit.contents, transmit.destination).await.unwrap();
                    continue;
                }
                Output::Event(event) => {
                    match event {
                        Event::Connected => self.connected = true,
                        Event::MediaData(data) => self.received.push(data),
                        Event::Closed | Event::IceConnectionStateChange(IceConnectionState::Disconnected) => self.closed = true,
                        _ => {}
                    }
                    continue;
                }
                Output::Timeout(wake) => {
                    // Nothing waits to be done: all that was handed over has left.
                    if wake > Instant::now()
                        && let Some(due) = self.unsent_since.take()
                    {
                        self.late = self.late.max(due.elapsed());
                    }
                    wake.min(end)
                }
            };
            let wait = wake.saturating_duration_since(Instant::now());
            match timeout(wait, self.socket.recv_from(&mut buffer)).await {
                Ok(received) => {
                    let (length, source) = received.unwrap();
                    let receive = Receive::new(Protocol::Udp, source, self.local, &buffer[..length]).unwrap();
                    self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
                }
                Err(_) => self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap(),
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    /// As a browser's `close()` does.
    pub async fn close(mut self) {
        self.rtc.close().unwrap();
        while self.rtc.is_alive() {
            match self.rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    self.socket.send_to(&transmit.contents, transmit.destination).await.unwrap();
                }
                Output::Event(_) => {}
                Output::Timeout(_) => self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap(),
            }
        }
    }
}

/// The first of the answer's candidates.
pub fn candidate(answer: &str) -> SocketAddr {
    let line = answer.lines().find(|line| line.starts_with("a=candidate:")).unwrap();
    let fields: Vec<&str> = line.split(' ').collect();
    format!("{}:{}", fields[4], fields[5]).parse().unwrap()
}

fn with_candidate(answer: &str, address: SocketAddr) -> String {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let lines = answer.lines().map(|line| {
        if !line.starts_with("a=candidate:") {
            return line.to_owned();
        }
        let mut fields: Vec<&str> = line.split(' ').collect();
        (fields[4], fields[5]) = (&ip, &port);
        fields.join(" ")
    });
    lines.collect::<Vec<_>>().join("\r\n") + "\r\n"
}
