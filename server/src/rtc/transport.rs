//! The socket of all peers: what comes is handed to whom it is for, and offers become peers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use str0m::Candidate;
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::peer::Peer;
use super::table::{Datagram, Role, Table};
use super::{
    MAX_DATAGRAM_BYTES, MAX_MEDIA_SECTIONS, MAX_WAITING_DATAGRAMS, SOCKET_BUFFER_BYTES, Settings, candidates, canonical, new_rtc,
};

/// How long the socket is left alone after an error that is not about one datagram.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Why an offer becomes no peer.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    #[error("the SDP offer cannot be read")]
    Unreadable,
    #[error("the SDP offer cannot be accepted")]
    Unacceptable,
    #[error("the SDP offer has more than {MAX_MEDIA_SECTIONS} media sections")]
    TooManySections,
    #[error("the server has no room for another WebRTC session")]
    Full,
}

/// What goes back to the one who offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub sdp: String,
    /// Names the ICE session.
    pub ice_ufrag: String,
}

/// All peers of the node, and their socket. Clones are handles to the same.
#[derive(Clone)]
pub struct Transport {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) socket: UdpSocket,
    pub(super) local: SocketAddr,
    pub(super) candidates: Vec<SocketAddr>,
    /// One for all sessions of this run: making one takes longer than the rest of an answer.
    certificate: Option<DtlsCert>,
    table: Mutex<Table>,
}

impl Shared {
    /// Nothing panics while it holds the lock, so a poisoned one is as good as new.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport {
    /// # Errors
    /// Where the port is taken, or the node's addresses cannot be found out.
    pub async fn bind(settings: &Settings) -> io::Result<Self> {
        let socket = UdpSocket::bind(settings.listen).await?;
        let local = socket.local_addr()?;
        // As much as the kernel gives.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER_BYTES);
        let _ = sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER_BYTES);
        let crypto = str0m::crypto::from_feature_flags();
        let certificate = crypto.dtls_provider.generate_certificate();
        // A second one is refused, and is the same.
        crypto.install_process_default();
        let shared = Shared {
            certificate,
            candidates: candidates::candidates(&settings.host_candidates, local).await?,
            socket,
            local,
            table: Mutex::new(Table::new(settings.max_sessions)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What was bound.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.shared.local
    }

    /// What answers name.
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.shared.candidates
    }

    /// Peers at this moment.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.table().len()
    }

    /// Receives for all peers until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut buffer = [0; MAX_DATAGRAM_BYTES];
        loop {
            let received = tokio::select! {
                received = self.shared.socket.recv_from(&mut buffer) => received,
                () = stop.cancelled() => return,
            };
            match received {
                Ok((length, source)) => self.hand_over(canonical(source), &buffer[..length]),
                // The kernel's word that somebody is gone whom we have sent to.
                Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => debug!(%cause, "a peer is gone"),
                Err(cause) => {
                    warn!(%cause, "the WebRTC socket cannot be read");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            }
        }
    }

    fn hand_over(&self, source: SocketAddr, bytes: &[u8]) {
        let table = self.shared.table();
        if let Some(inbox) = table.inbox_of(source, bytes) {
            // A full inbox loses it, as the network would.
            let _ = inbox.try_send(Datagram { source, at: Instant::now(), bytes: bytes.into() });
        }
    }

    /// Makes a peer of an offer. It is to be driven by [`Peer::next`] from now on. `client` is who asks for it.
    ///
    /// # Errors
    /// [`NotAccepted`], without effect.
    pub fn accept(&self, offer: &str, role: Role, client: IpAddr) -> Result<(Peer, Answer), NotAccepted> {
        // Before there is any work.
        if !self.shared.table().has_room(role, client) {
            return Err(NotAccepted::Full);
        }
        if media_sections(offer) > MAX_MEDIA_SECTIONS {
            return Err(NotAccepted::TooManySections);
        }
        let offer = SdpOffer::from_sdp_string(offer).map_err(|cause| {
            // Not for strangers: a parser's words may have addresses of our memory in them.
            debug!(%cause, "an SDP offer cannot be read");
            NotAccepted::Unreadable
        })?;
        let mut rtc = new_rtc(Instant::now(), self.shared.certificate.clone());
        for candidate in &self.shared.candidates {
            if let Ok(candidate) = Candidate::host(*candidate, "udp") {
                rtc.add_local_candidate(candidate);
            }
        }
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|cause| {
            debug!(%cause, "an SDP offer cannot be accepted");
            NotAccepted::Unacceptable
        })?;
        let ice_ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        let (inbox, heard) = mpsc::channel(MAX_WAITING_DATAGRAMS);
        {
            let mut table = self.shared.table();
            if !table.has_room(role, client) {
                return Err(NotAccepted::Full);
            }
            table.enter(ice_ufrag.clone(), role, client, inbox);
        }
        let peer = Peer::new(rtc, Arc::clone(&self.shared), ice_ufrag.clone(), heard);
        Ok((peer, Answer { sdp: answer.to_sdp_string(), ice_ufrag }))
    }
}

/// However lines end: what is counted is no less than what is parsed.
fn media_sections(offer: &str) -> usize {
    offer.split(['\r', '\n']).filter(|line| line.trim_start().starts_with("m=")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_sections_are_counted_however_lines_end() {
        assert_eq!(media_sections("v=0\r\nm=video 9\r\na=m=x\r\nm=audio 9\r\n"), 2);
        assert_eq!(media_sections("m=video 9\n m=audio 9\rm=video 9"), 3);
        assert_eq!(media_sections(""), 0);
    }
}
