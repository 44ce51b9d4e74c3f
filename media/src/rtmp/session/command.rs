//! Commands of a client, §7.2, and those that encoders use beside the specification.

use super::{Active, Connect, Error, Event, Name, Pending, Phase, Session, Value};
use crate::rtmp::amf0;

impl Session {
    pub(super) fn command(&mut self, stream_id: u32, payload: &[u8]) -> Result<Option<Event>, Error> {
        let mut values = amf0::Reader::new(payload);
        let name = values.string()?;
        let transaction = values.number()?;
        // The command object, which means something in `connect` only.
        let object = values.next_value()?;
        match (name.as_str(), &self.phase) {
            ("connect", Phase::Greeted) => {
                self.pending = Some(Pending::Connect { transaction });
                return Ok(Some(Event::Connect(Connect::new(&object.unwrap_or(Value::Null)))));
            }
            ("connect", _) => return Err(Error::OutOfPlace { command: "connect" }),
            (_, Phase::Greeted) => return Err(Error::OutOfPlace { command: "before connect" }),
            _ => {}
        }
        match name.as_str() {
            "publish" => {
                let name = Name::new(&values.string()?);
                if self.active.is_some() {
                    self.replies.refuse_publish(stream_id, "this connection publishes or plays already");
                    return Ok(None);
                }
                self.pending = Some(Pending::Publish { stream_id });
                return Ok(Some(Event::Publish(name)));
            }
            "play" => {
                let name = Name::new(&values.string()?);
                if self.active.is_some() {
                    self.replies.refuse_play(stream_id, "this connection publishes or plays already");
                    return Ok(None);
                }
                self.pending = Some(Pending::Play { stream_id });
                return Ok(Some(Event::Play(name)));
            }
            "createStream" => {
                let created = self.next_stream_id;
                // Ids are nothing but a number to us; after four thousand million of them the first comes again.
                self.next_stream_id = self.next_stream_id.checked_add(1).unwrap_or(1);
                self.replies.result(transaction, Value::Number(created.into()));
            }
            "FCPublish" => {
                self.replies.on_fc_publish();
                self.replies.result(transaction, Value::Null);
            }
            "FCUnpublish" => return Ok(self.unpublish(|_| true)),
            "deleteStream" => {
                let deleted = values.number()?;
                return Ok(self.unpublish(|stream_id| f64::from(stream_id) == deleted));
            }
            "closeStream" => return Ok(self.unpublish(|active| active == stream_id)),
            "getStreamLength" => self.replies.result(transaction, Value::Number(0.0)),
            "releaseStream" | "FCSubscribe" | "_checkbw" => self.replies.result(transaction, Value::Null),
            // pause, seek, receiveAudio, receiveVideo: a live stream goes on. The rest nobody waits for.
            _ => {}
        }
        Ok(None)
    }

    /// Ends the publish or play in progress, where it is the one meant.
    fn unpublish(&mut self, is_meant: impl Fn(u32) -> bool) -> Option<Event> {
        match self.active {
            Some(Active::Publish { stream_id }) if is_meant(stream_id) => {
                self.leave();
                self.replies.unpublished(stream_id);
                Some(Event::Unpublish)
            }
            Some(Active::Play { stream_id }) if is_meant(stream_id) => {
                self.leave();
                Some(Event::StopPlay)
            }
            _ => None,
        }
    }
}
