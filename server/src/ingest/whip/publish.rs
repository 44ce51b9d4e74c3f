//! An admitted publish: what the peer sends into the hub, until one of the many ends.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use str0m::media::KeyframeRequestKind;
use str0m::{Event, IceConnectionState};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::tracks::Tracks;
use crate::db::sessions::EndReason;
use crate::hub::Publisher;
use crate::ingest::gate::Grant;
use crate::rtc::{Closed, Peer};

/// A peer of which nothing is heard for so long is gone. Until then it may come back by itself, over another network too.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// When nothing has been heard for so long another encoder may have the stream: this one has lost its network, and is back, or another is there.
const GIVE_WAY_AFTER: Duration = Duration::from_secs(2);
/// A peer that is there but sends no media is cut.
const NO_MEDIA_LIMIT: Duration = Duration::from_secs(60);
/// How often the above is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A picture that all others depend on is missing: it is asked for again after so long. Browsers make one each 300 ms at most.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Browsers send keyframes only when asked. Viewers can begin, and be brought back, no more often than at each; recordings can be wound to them.
const KEYFRAMES_FOR_VIEWERS: Duration = Duration::from_secs(2);
const KEYFRAMES_FOR_RECORDING: Duration = Duration::from_secs(4);
/// So much is taken at most of what a publisher had sent before it ended its publish: two seconds of an encoder's frames and packets of sound.
const MOST_WAITING: usize = 256;

/// What others have to say about a publish.
pub(super) struct Orders {
    /// By the publisher itself.
    pub(super) deleted: CancellationToken,
    pub(super) server_stops: CancellationToken,
}

/// Why a publish is over.
#[derive(Debug)]
enum End {
    Deleted,
    Closed(Closed),
    NeverConnected,
    Silent,
    GaveWay,
    NoMedia,
    /// By an operator.
    Stopped,
    /// By the organisation's webhook.
    Withdrawn,
    ServerStopped,
}

impl End {
    fn reason(&self) -> EndReason {
        match self {
            Self::Deleted | Self::Closed(Closed::Peer) => EndReason::Unpublished,
            Self::Closed(Closed::Broken(_)) => EndReason::ProtocolError,
            Self::NeverConnected | Self::Silent | Self::GaveWay => EndReason::Disconnected,
            Self::NoMedia => EndReason::Idle,
            Self::Stopped => EndReason::Stopped,
            Self::Withdrawn => EndReason::Withdrawn,
            Self::ServerStopped => EndReason::ServerStopped,
        }
    }
}

/// Publishes until it is over; then gives the peer back, to be told. Not where the server stops: a browser that loses its connection without a word comes
/// back by itself.
pub(super) async fn run(mut peer: Peer, address: SocketAddr, mut grant: Grant, orders: Orders) -> Option<Peer> {
    let stream = grant.publisher().stream();
    let mut tracks = Tracks::new(std::time::Instant::now());
    let Err(end) = publish(&mut peer, grant.publisher(), &mut tracks, &orders).await;
    debug!(%address, %stream, ?end, "a WebRTC publish has ended");
    let lost = tracks.lost();
    if lost.any() {
        info!(%address, %stream, interruptions = lost.interruptions, pictures_passed_over = lost.pictures, "a WebRTC publish has lost packets on the way");
    }
    grant.end(end.reason());
    (!matches!(end, End::ServerStopped)).then_some(peer)
}

/// What had come when the order to end did: it is the end of the recording.
fn take_waiting(peer: &mut Peer, publisher: &mut Publisher, tracks: &mut Tracks) {
    for _ in 0..MOST_WAITING {
        match peer.next().now_or_never() {
            Some(Ok(Event::MediaData(data))) => tracks.take(&data, publisher),
            Some(Ok(Event::SenderFeedback(feedback))) => tracks.report(feedback.mid, &feedback.sender_info),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

async fn publish(
    peer: &mut Peer,
    publisher: &mut Publisher,
    tracks: &mut Tracks,
    orders: &Orders,
) -> Result<std::convert::Infallible, End> {
    let heard = peer.heard();
    let (mut connected, mut last_media, mut asked_at) = (false, Instant::now(), None::<Instant>);
    let mut stop_requested = pin!(publisher.stop_requested());
    // Browsers are heard 50 times a second.
    let last_heard = peer.heard();
    let mut gives_way = pin!(publisher.gives_way(Box::new(move || last_heard.silent_for() >= GIVE_WAY_AFTER)));
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = peer.next() => match event.map_err(End::Closed)? {
                Event::Connected => connected = true,
                Event::IceConnectionStateChange(state) => {
                    debug!(?state, "ICE");
                    // Whoever is back, perhaps over another network, has missed something.
                    if state != IceConnectionState::Disconnected {
                        asked_at = None;
                    }
                }
                Event::MediaAdded(media) => tracks.add(media.mid, media.kind),
                Event::SenderFeedback(feedback) => tracks.report(feedback.mid, &feedback.sender_info),
                Event::MediaData(data) => {
                    last_media = Instant::now();
                    tracks.take(&data, publisher);
                }
                _ => {}
            },
            () = &mut stop_requested => return Err(if publisher.is_withdrawn() { End::Withdrawn } else { End::Stopped }),
            () = orders.server_stops.cancelled() => return Err(End::ServerStopped),
            () = orders.deleted.cancelled() => {
                take_waiting(peer, publisher, tracks);
                return Err(End::Deleted);
            }
            () = &mut gives_way => return Err(End::GaveWay),
            _ = look.tick() => {
                if peer.is_overdue() {
                    return Err(End::NeverConnected);
                }
                if heard.silent_for() >= SILENCE_LIMIT {
                    return Err(End::Silent);
                }
                if last_media.elapsed() >= NO_MEDIA_LIMIT {
                    return Err(End::NoMedia);
                }
            }
        }
        let wanted_every = if publisher.has_viewers() { KEYFRAMES_FOR_VIEWERS } else { KEYFRAMES_FOR_RECORDING };
        let wanted = connected && tracks.wants_keyframe(wanted_every);
        let again = if tracks.waits_for_keyframe() { ASK_AGAIN } else { KEYFRAMES_FOR_VIEWERS };
        if wanted && asked_at.is_none_or(|asked_at| asked_at.elapsed() >= again) {
            if let Some(mid) = tracks.video()
                && let Some(mut writer) = peer.rtc().writer(mid)
            {
                // Before the first packet there is nobody to ask.
                let _ = writer.request_keyframe(None, KeyframeRequestKind::Pli);
            }
            asked_at = Some(Instant::now());
        }
    }
}
