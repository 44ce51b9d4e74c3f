//! An accepted play: from the hub to a player, who may be slow.

use afterlive_media::rtmp::Event;
use bytes::Buf;

use super::connection::{Connection, Outcome};
use super::wire::Closed;
use crate::sound::AacViewer;
use crate::tagger::{Tagger, Told};

/// How much is handed to the socket at a time. What waits beyond it waits in the hub's queue, where it can still be skipped.
const MAX_OUTPUT_BYTES: usize = 256 << 10;

/// Plays until it is over, or `withdrawn` completes, with the reason why the player may not watch any more.
pub(super) async fn run(
    connection: &mut Connection,
    subscription: AacViewer,
    withdrawn: impl Future<Output = String>,
) -> Result<Outcome, Closed> {
    // Around all of it: a player whose socket is full is asked no less. What has been written of a message is gone, and the rest waits before the last words.
    let reason = tokio::select! {
        biased;
        reason = withdrawn => reason,
        outcome = play(connection, subscription) => return outcome,
    };
    connection.wire.session().deny_play(&reason);
    Ok(Outcome::Farewell)
}

async fn play(connection: &mut Connection, mut subscription: AacViewer) -> Result<Outcome, Closed> {
    let Connection { wire, stop, .. } = connection;
    let mut tagger = Tagger::default();
    loop {
        while wire.session().output().remaining() < MAX_OUTPUT_BYTES
            && let Some(message) = subscription.try_next()
        {
            if tagger.tell(wire.session(), message) == Told::Ended {
                wire.session().end_play();
                return Ok(Outcome::Farewell);
            }
        }
        wire.flush().await?;
        tokio::select! {
            message = subscription.next() => if tagger.tell(wire.session(), message) == Told::Ended {
                wire.session().end_play();
                return Ok(Outcome::Farewell);
            },
            received = wire.receive() => {
                received?;
                while let Some(event) = wire.received_event()? {
                    if event == Event::StopPlay {
                        return Ok(Outcome::Again);
                    }
                }
            }
            () = stop.cancelled() => {
                wire.session().end_play();
                return Ok(Outcome::Farewell);
            }
        }
    }
}
