//! One peer: datagrams in, datagrams out, and what happens on the way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use str0m::net::{Protocol, Receive, Transmit};
use str0m::{Event, Input, Output, Rtc, RtcError};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

use super::table::Datagram;
use super::transport::Shared;
use super::{CLOSE_TIMEOUT, CONNECT_TIMEOUT, FIND_TIMEOUT, canonical, for_socket};
use crate::heard::Heard;

/// Why a peer is over.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    #[error("the peer closed the connection")]
    Peer,
    #[error("the connection broke: {0}")]
    Broken(#[from] RtcError),
}

/// A peer, from its offer on. Nothing moves but within [`Peer::next`] and [`Peer::close`]; dropping it ends it without a word.
pub struct Peer {
    rtc: Rtc,
    shared: Arc<Shared>,
    name: String,
    inbox: mpsc::Receiver<Datagram>,
    /// Waits for room in the socket.
    unsent: Option<Transmit>,
    /// Where the peer was last found.
    found_at: Option<SocketAddr>,
    heard: Heard,
    is_connected: bool,
}

impl Peer {
    pub(super) fn new(rtc: Rtc, shared: Arc<Shared>, name: String, inbox: mpsc::Receiver<Datagram>) -> Self {
        Self { rtc, shared, name, inbox, unsent: None, found_at: None, heard: Heard::new(), is_connected: false }
    }

    /// For what is to be sent or asked for; it goes out with the next [`Peer::next`].
    pub fn rtc(&mut self) -> &mut Rtc {
        &mut self.rtc
    }

    #[must_use]
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// Whether it should have connected by now.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        let allowed = match (self.is_connected, self.found_at) {
            (true, _) => return false,
            (false, Some(_)) => CONNECT_TIMEOUT,
            (false, None) => FIND_TIMEOUT,
        };
        self.heard.age() >= allowed
    }

    /// Drives the peer until something happens. Safe to cancel.
    ///
    /// # Errors
    /// [`Closed`]: nothing will happen any more.
    pub async fn next(&mut self) -> Result<Event, Closed> {
        loop {
            self.send_unsent().await;
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => self.unsent = Some(transmit),
                Output::Event(Event::Closed) => return Err(Closed::Peer),
                Output::Event(event) => {
                    if matches!(event, Event::Connected) {
                        self.is_connected = true;
                        self.shared.table().connected(&self.name);
                    }
                    return Ok(event);
                }
                Output::Timeout(_) if !self.rtc.is_alive() => return Err(Closed::Peer),
                Output::Timeout(at) => self.wait(at).await?,
            }
        }
    }

    /// Until a datagram has come, or `at`.
    async fn wait(&mut self, at: Instant) -> Result<(), RtcError> {
        let received = tokio::select! {
            biased;
            received = self.inbox.recv() => received,
            () = tokio::time::sleep_until(at.into()) => None,
        };
        match received {
            Some(datagram) => {
                self.receive(&datagram);
                Ok(())
            }
            None => self.rtc.handle_input(Input::Timeout(Instant::now())),
        }
    }

    /// What cannot be read is passed over: anybody can send anything with a forged sender.
    fn receive(&mut self, datagram: &Datagram) {
        // Peers do not say which of our addresses they took, and the socket need not have it: behind a router it has another one.
        let ours = self.shared.candidates.iter().find(|ours| ours.is_ipv4() == datagram.source.is_ipv4());
        let Some(ours) = ours else { return };
        let Ok(receive) = Receive::new(Protocol::Udp, datagram.source, *ours, &datagram.bytes) else { return };
        self.heard.now();
        if let Err(cause) = self.rtc.handle_input(Input::Receive(datagram.at, receive)) {
            debug!(%cause, source = %datagram.source, "a datagram is passed over");
        }
    }

    async fn send_unsent(&mut self) {
        while let Some(transmit) = &self.unsent {
            let destination = canonical(transmit.destination);
            if self.found_at != Some(destination) {
                // What is sent answers what was checked to be the peer's.
                self.shared.table().found_at(&self.name, destination);
                self.found_at = Some(destination);
            }
            match self.shared.socket.try_send_to(&transmit.contents, for_socket(self.shared.local, destination)) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    // An error shows when it is tried again.
                    let _ = self.shared.socket.writable().await;
                }
                Err(cause) => {
                    debug!(%cause, %destination, "a datagram could not be sent");
                    self.unsent = None;
                }
                Ok(_) => self.unsent = None,
            }
        }
    }

    /// Tells the peer that it is over.
    pub async fn close(mut self) {
        if self.rtc.close().is_err() {
            return;
        }
        let last_words = async {
            loop {
                self.send_unsent().await;
                match self.rtc.poll_output() {
                    Ok(Output::Transmit(transmit)) => self.unsent = Some(transmit),
                    Ok(Output::Event(_)) => {}
                    Ok(Output::Timeout(_)) if !self.rtc.is_alive() => return,
                    Ok(Output::Timeout(at)) if self.wait(at).await.is_ok() => {}
                    Ok(Output::Timeout(_)) | Err(_) => return,
                }
            }
        };
        // However it ends, it is over.
        let _ = timeout(CLOSE_TIMEOUT, last_words).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.table().leave(&self.name);
    }
}
