//! What the server's log says of publishes that were refused: anybody may try as often as they like, so it is one line in a while for an address.

use std::net::{IpAddr, SocketAddr};

use tracing::info;

use super::gate::Refusal;
use super::logged_name;
use crate::address::subscriber;
use crate::hush::Hush;

/// By address. Clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(Hush<IpAddr>);

impl Refusals {
    pub(super) fn tell(&self, peer: SocketAddr, streamname: &str, refusal: &Refusal) {
        if let Some(unsaid) = self.0.says(subscriber(peer.ip())) {
            info!(%peer, stream = logged_name(streamname), %refusal, unsaid, "a publish was refused");
        }
    }
}
