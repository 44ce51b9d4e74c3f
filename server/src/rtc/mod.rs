//! WebRTC's transport: one UDP socket for all peers of the node, and ICE, DTLS and SRTP for each of them, by str0m.
//! Knows nothing of streams, frames and HTTP: what comes over a peer and what goes is for `ingest/whip` and `live/whep` to say.

mod candidates;
mod peer;
mod sessions;
mod stun;
mod table;
mod transport;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use str0m::config::DtlsCert;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Rtc, RtcConfig};

pub use self::peer::{Closed, Peer};
pub use self::sessions::{Place, Sessions};
pub use self::table::Role;
pub use self::transport::{Answer, NotAccepted, Transport};
use crate::config;

/// The most bytes of a datagram; none of a browser's is larger than a packet of Ethernet.
const MAX_DATAGRAM_BYTES: usize = 2_000;
/// The most datagrams that wait for one peer, some 100 ms of 40 Mbit/s. What comes on top is lost, as it would be in the network.
const MAX_WAITING_DATAGRAMS: usize = 512;
/// What the kernel is asked to hold for all peers; it gives what its own limit allows.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// The most addresses a peer may be reached at: those of its networks.
const MAX_ADDRESSES_PER_PEER: usize = 16;
/// The most addresses of ours that an answer names.
const MAX_CANDIDATES: usize = 16;
/// The longest SDP taken. A browser's with all its codecs has 8 KiB at most.
pub const MAX_SDP_BYTES: usize = 16 << 10;
/// The most media sections of an offer: pictures, sound, and what else a page may have asked for. Each costs some KB of ours.
const MAX_MEDIA_SECTIONS: usize = 4;
/// A peer that has not shown by then that it is to be reached somewhere, by ICE, is dropped: its offer may come from somebody who cannot reach us, or
/// never wanted to.
const FIND_TIMEOUT: Duration = Duration::from_secs(3);
/// The same where it has, and does not get through with DTLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer that is told the end may be waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Packets of a track that may still be asked for again: a keyframe of some MB.
const SEND_BUFFER_PACKETS: usize = 4_000;
/// The most packets of a picture that wait for one that is missing; more than the largest keyframe has.
const REORDERED_PICTURES: usize = 60;

/// What a log filter says of the libraries behind: they warn of each datagram that they cannot read, and anybody can send those.
pub const LOG_OF_STRANGERS: &str = "str0m=error,dimpl=error,is::=error";

/// How the node is reached, and by how many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    /// Addresses or host names that peers reach the socket at, each with a port where it is another one. Empty: those of this machine.
    pub host_candidates: Vec<String>,
    /// Peers at a time.
    pub max_sessions: usize,
}

impl From<&config::WebRtc> for Settings {
    fn from(config: &config::WebRtc) -> Self {
        Self { listen: config.listen, host_candidates: config.host_candidates.clone(), max_sessions: config.max_sessions }
    }
}

/// What packets say beside their media. Not how a phone is held: who cannot say so turns the picture, and recordings need no turning.
fn extensions() -> ExtensionMap {
    let mut extensions = ExtensionMap::empty();
    extensions.set(2, Extension::AbsoluteSendTime);
    extensions.set(3, Extension::TransportSequenceNumber);
    extensions.set(4, Extension::RtpMid);
    extensions
}

/// H.264 and Opus, and nothing else: what cannot be recorded or shown everywhere is not asked for. The levels are the highest, since they are the limits
/// of what we take; `packetization-mode=1`, without which each slice would have to fit into a packet.
fn new_rtc(now: Instant, certificate: Option<DtlsCert>) -> Rtc {
    let mut config = RtcConfig::new()
        .set_ice_lite(true)
        .clear_codecs()
        .enable_opus(true, false)
        .set_extension_map(extensions())
        .set_reordering_size_video(REORDERED_PICTURES)
        .set_send_buffer_video(SEND_BUFFER_PACKETS);
    let profiles = [
        (108, 109, 0x0042_e034),
        (127, 121, 0x0042_0034),
        (123, 119, 0x004d_0034),
        (114, 115, 0x0064_0034),
        (118, 117, 0x0064_0c34),
    ];
    for (payload, resent, profile_level_id) in profiles {
        config.codec_config().add_h264(payload.into(), Some(resent.into()), true, profile_level_id);
    }
    if let Some(certificate) = certificate {
        config = config.set_dtls_cert(certificate);
    }
    config.build(now)
}

/// As it is written in IPv4, where it is one.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// As a socket of ours must be told it: one that listens on `[::]` knows IPv4 as a part of IPv6 only.
fn for_socket(local: SocketAddr, destination: SocketAddr) -> SocketAddr {
    match (local, destination.ip()) {
        (SocketAddr::V6(_), IpAddr::V4(ip)) => SocketAddr::new(ip.to_ipv6_mapped().into(), destination.port()),
        _ => destination,
    }
}
