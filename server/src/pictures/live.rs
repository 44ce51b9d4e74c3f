//! A still picture of each stream that is live, anew each ten seconds: of the newest keyframe that the hub has, and kept there.
//!
//! One at a time for the whole server, in a process of low priority, with pauses between: neither publishers nor recorders wait for it.

use std::collections::HashMap;
use std::time::Duration;

use afterlive_domain::StreamId;
use afterlive_media::mp4::RecordingWriter;
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Darkroom, DarkroomError, Session};
use crate::clock::Clock;
use crate::hub::{Hub, Keyframe, Still};

/// How old a still becomes before the next one is made.
const EVERY: Duration = Duration::from_secs(10);
/// After a failure the stream is left alone for so long.
const AFTER_FAILURE: Duration = Duration::from_mins(1);
/// How often it is looked for streams that want one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After each still it rests so many times as long as that took: a quarter of one processor is the most that all of them cost. Where that
/// is not enough for all streams each ten seconds, each gets one less often.
const REST: u32 = 3;
/// The longest rest: a still that was long in coming waited for a processor.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// A still that is not there by then is not made: the others wait.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// A process makes so many stills, and then another one takes over: none comes to its limit of processor time, nor grows.
const STILLS_A_PROCESS: u32 = 200;
/// The most bytes of a still.
const MAX_STILL_BYTES: usize = 512 << 10;

/// Makes the stills.
pub struct LiveStills {
    hub: Hub,
    clock: Clock,
    darkroom: Darkroom,
}

impl LiveStills {
    #[must_use]
    pub fn new(hub: Hub, clock: Clock, darkroom: Darkroom) -> Self {
        Self { hub, clock, darkroom: darkroom.with_time_limit(TIME_LIMIT) }
    }

    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut due: HashMap<StreamId, Instant> = HashMap::new();
        let (mut session, mut made_by_it) = (None, 0);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let live = self.hub.live_streams();
            due.retain(|stream, _| live.contains(stream));
            if live.is_empty() {
                // Nobody needs the process.
                session = None;
                continue;
            }
            let now = Instant::now();
            let mut waiting: Vec<(Instant, StreamId)> =
                live.into_iter().map(|stream| (*due.entry(stream).or_insert(now), stream)).filter(|(at, _)| *at <= now).collect();
            // Who has waited longest comes first.
            waiting.sort_by_key(|(at, _)| *at);
            for (_, stream) in waiting {
                let Some(keyframe) = self.hub.newest_keyframe(stream) else { continue };
                if session.is_none() || made_by_it >= STILLS_A_PROCESS {
                    (session, made_by_it) = (None, 0);
                }
                made_by_it += 1;
                let began = Instant::now();
                let made = tokio::select! {
                    () = stop.cancelled() => return,
                    made = self.make(&mut session, &keyframe) => made,
                };
                due.insert(stream, began + if made.is_ok() { EVERY } else { AFTER_FAILURE });
                match made {
                    Ok(jpeg) => keyframe.show(Still { jpeg, taken_at: self.clock.now() }),
                    Err(error) => {
                        if error.ends_session() {
                            session = None;
                        }
                        tracing::warn!(%stream, %error, "there is no still of a live stream");
                    }
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep((began.elapsed() * REST).min(LONGEST_REST)) => {}
                }
            }
        }
    }

    async fn make(&self, session: &mut Option<Session>, keyframe: &Keyframe) -> Result<Bytes, DarkroomError> {
        let session = match session {
            Some(session) => session,
            None => session.insert(self.darkroom.open()?),
        };
        let jpeg = session.still(&mp4(keyframe)).await?;
        if jpeg.len() > MAX_STILL_BYTES {
            let reason = format!("the picture takes more than {MAX_STILL_BYTES} bytes");
            return Err(DarkroomError::Media { reason, is_of_the_file: true });
        }
        Ok(jpeg)
    }
}

/// The keyframe as a recording of one picture: so every codec that can be recorded has stills.
fn mp4(keyframe: &Keyframe) -> Vec<Bytes> {
    let (mut writer, head) = RecordingWriter::new(std::slice::from_ref(&keyframe.track), 0);
    let mut parts = vec![head];
    // Refuses nothing in a file of one frame, which no message is too long for.
    if writer.push(keyframe.frame.clone()).is_ok() {
        parts.extend(writer.finish().0.into_iter().flat_map(|fragment| fragment.parts));
    }
    parts
}
