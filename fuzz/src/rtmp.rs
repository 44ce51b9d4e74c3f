//! A connection of an encoder. A byte of choices, a byte of answers, the length of the pieces in which the rest arrives, and the rest.

use afterlive_media::rtmp::{Error, Event, Limits, Session};
use bytes::Buf;

use crate::script::Script;

/// The peer has been through the handshake: three kilobytes that a fuzzer need not invent.
const GREETED: u8 = 1;
/// The server's limits are small.
const NARROW: u8 = 2;
/// The publish is ended from this side after some media.
const STOPPED: u8 = 4;
const STOPPED_AFTER: usize = 3;
const HANDSHAKE_BYTES: usize = 1 + 2 * 1536;

/// All that a conversation showed.
#[derive(Default)]
struct Told {
    events: Vec<Event>,
    end: Option<Error>,
}

pub(crate) fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let (choices, answers, piece_bytes) = (script.byte(), script.byte(), usize::from(script.byte()) + 1);
    let input = script.rest();
    let whole = converse(choices, answers, [input]);
    let cut = converse(choices, answers, input.chunks(piece_bytes));
    // However the network cuts the bytes, they mean the same.
    assert_eq!(whole.end, cut.end);
    assert_eq!(whole.events.len(), cut.events.len());
    for (one, other) in whole.events.iter().zip(&cut.events) {
        match (one, other) {
            // A number in it may be none, which differs from itself.
            (Event::Metadata(one), Event::Metadata(other)) => assert_eq!(format!("{one:?}"), format!("{other:?}")),
            _ => assert_eq!(one, other),
        }
    }
}

fn converse<'a>(choices: u8, answers: u8, pieces: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let narrow = Limits { chunk_streams: 3, command_bytes: 200, media_bytes: 300, partial_bytes: 250, partial_media_bytes: 400 };
    let mut session = Session::new(if choices & NARROW == 0 { Limits::default() } else { narrow });
    if choices & GREETED != 0 {
        let mut hello = [0; HANDSHAKE_BYTES];
        hello[0] = 3;
        assert_eq!(session.input(&mut &hello[..]), Ok(None));
    }
    let mut told = Told::default();
    let (mut asked, mut media) = (0_u32, 0);
    for mut input in pieces {
        loop {
            match session.input(&mut input) {
                Ok(Some(event)) => {
                    match event {
                        Event::Connect(_) | Event::Publish(_) | Event::Play(_) => {
                            // The eighth bit answers all that come after the seventh.
                            if answers >> asked.min(7) & 1 == 0 {
                                session.accept();
                            } else {
                                session.refuse("no");
                            }
                            asked += 1;
                        }
                        Event::Media { .. } => {
                            media += 1;
                            if choices & STOPPED != 0 && media == STOPPED_AFTER {
                                session.end_publish("enough");
                            }
                        }
                        Event::Metadata(_) | Event::Unpublish | Event::StopPlay => {}
                    }
                    told.events.push(event);
                }
                Ok(None) => {
                    assert!(input.is_empty(), "every request has been answered");
                    break;
                }
                Err(error) => {
                    told.end = Some(error);
                    return told;
                }
            }
            let output = session.output();
            output.advance(output.remaining());
        }
    }
    told
}
