//! Whole conversations, with a client that says what encoders say.

use proptest::prelude::*;

use super::*;
use crate::flv::{config_tag, frame_tag};
use crate::frame::{CodecConfig, Frame, TrackConfig};
use crate::rtmp::amf0::object;
use crate::rtmp::chunk::{ChunkWriter, Header};

const STREAM: u32 = 1;
const HANDSHAKE_ANSWER_BYTES: usize = 1 + 2 * 1536;

/// Writes what a client sends.
struct Client(Output);

impl Client {
    /// With the handshake.
    fn new() -> Self {
        let mut output = Output::default();
        output.write(&[3]);
        output.write(&[0; 2 * 1536]);
        Self(output)
    }

    fn message(mut self, kind: u8, stream_id: u32, timestamp: u32, payload: &[u8]) -> Self {
        let header = Header { chunk_stream: 3 + kind % 8, kind, stream_id, timestamp };
        ChunkWriter::new(128).write(&mut self.0, header, payload, Bytes::new());
        self
    }

    fn command(self, stream_id: u32, values: &[Value]) -> Self {
        let mut payload = Vec::new();
        values.iter().for_each(|value| value.write(&mut payload));
        self.message(kind::COMMAND, stream_id, 0, &payload)
    }

    fn connect(self) -> Self {
        let properties = [("app", "rec/?a=b".into()), ("tcUrl", "rtmp://ingest-us.example.com:1935/rec".into())];
        self.command(0, &["connect".into(), 1.0.into(), object(properties)])
    }

    fn call(self, stream_id: u32, name: &str, arguments: &[Value]) -> Self {
        let values = [&[name.into(), 5.0.into(), Value::Null], arguments].concat();
        self.command(stream_id, &values)
    }

    /// Up to and with `publish`.
    fn publish() -> Self {
        Self::new()
            .connect()
            .call(0, "releaseStream", &["8sKpm-x49nB".into()])
            .call(0, "FCPublish", &["8sKpm-x49nB".into()])
            .call(0, "createStream", &[])
            .call(STREAM, "publish", &["8sKpm-x49nB?key=secret".into(), "live".into()])
    }

    fn bytes(mut self) -> Bytes {
        self.0.copy_to_bytes(self.0.remaining())
    }
}

/// Feeds a session, says yes to all, and gives what happened and what was said.
fn converse(session: &mut Session, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for piece in pieces {
        let mut input = piece.as_ref();
        loop {
            if let Some(event) = session.input(&mut input)? {
                events.push(event);
            } else if input.is_empty() {
                break;
            }
            session.accept();
        }
    }
    Ok(events)
}

/// The commands in a session's output, as values.
fn said(session: &mut Session) -> Vec<Vec<Value>> {
    let output = session.output();
    let bytes = output.copy_to_bytes(output.remaining());
    let mut rest = &bytes[HANDSHAKE_ANSWER_BYTES..];
    let mut reader = ChunkReader::new(Limits::default());
    let mut commands = Vec::new();
    while let Some(message) = reader.read(&mut rest).unwrap() {
        match message.kind {
            kind::SET_CHUNK_SIZE => {
                reader.set_chunk_size(u32::from_be_bytes(*message.payload.first_chunk().unwrap())).unwrap();
            }
            kind::COMMAND => {
                let mut values = amf0::Reader::new(&message.payload);
                commands.push(std::iter::from_fn(|| values.next_value().unwrap()).collect());
            }
            _ => {}
        }
    }
    commands
}

fn status(command: &[Value]) -> (&str, &str, &str, &str) {
    let text = |name| command[3].get(name).and_then(Value::as_str).unwrap();
    (command[0].as_str().unwrap(), text("level"), text("code"), text("description"))
}

fn media(kind: TrackKind, timestamp_ms: i64, payload: &'static [u8]) -> Event {
    Event::Media { kind, timestamp_ms, payload: Bytes::from_static(payload) }
}

#[test]
fn an_encoder_connects_publishes_and_leaves() {
    let client = Client::publish()
        .message(
            kind::DATA,
            STREAM,
            0,
            b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x08\0\0\0\0\0\x05width\0\x40\x94\0\0\0\0\0\0\0\0\x09",
        )
        .message(kind::VIDEO, STREAM, 0, b"picture")
        .message(kind::AUDIO, STREAM, 23, b"sound")
        .call(0, "FCUnpublish", &["8sKpm-x49nB".into()])
        .call(0, "deleteStream", &[1.0.into()])
        .message(kind::VIDEO, STREAM, 40, b"late");
    let mut session = Session::new(Limits::default());
    let events = converse(&mut session, [client.bytes()]).unwrap();
    let connect = Connect {
        app: Name { name: "rec".to_owned(), query: Some("a=b".to_owned()) },
        host: Some("ingest-us.example.com".to_owned()),
        page_host: None,
        software: None,
        takes_opus: false,
    };
    let name = Name { name: "8sKpm-x49nB".to_owned(), query: Some("key=secret".to_owned()) };
    let Event::Metadata(metadata) = &events[2] else { panic!("{events:?}") };
    assert_eq!(metadata.get("width"), Some(&Value::Number(1280.0)));
    assert_eq!(events[..2], [Event::Connect(connect), Event::Publish(name)]);
    let rest = [media(TrackKind::Video, 0, b"picture"), media(TrackKind::Audio, 23, b"sound"), Event::Unpublish];
    assert_eq!(events[3..], rest);

    let said = said(&mut session);
    let names: Vec<_> = said.iter().map(|command| command[0].as_str().unwrap()).collect();
    let expected = ["_result", "_result", "onFCPublish", "_result", "_result", "onStatus", "onStatus"];
    assert_eq!(names, expected);
    assert_eq!(status(&said[0]).2, "NetConnection.Connect.Success");
    let Some(Value::StrictArray(codecs)) = said[0][2].get("fourCcList") else { panic!("{:?}", said[0]) };
    assert_eq!(*codecs, ["avc1", "hvc1", "av01", "mp4a", "Opus"].map(Value::from), "what Enhanced RTMP may send");
    assert_eq!(said[0][2].get("videoFourCcInfoMap").and_then(|map| map.get("av01")), Some(&Value::Number(5.0)));
    assert_eq!(said[4][3], Value::Number(1.0), "the stream's id");
    assert_eq!(status(&said[5]).2, "NetStream.Publish.Start");
    assert_eq!(status(&said[6]).2, "NetStream.Unpublish.Success");
}

#[test]
fn a_refusal_is_said_in_words_and_closes() {
    let client = Client::publish().message(kind::VIDEO, STREAM, 0, &[0; 100]).bytes();
    let mut session = Session::new(Limits::default());
    let mut input = &client[..];
    assert!(matches!(session.input(&mut input), Ok(Some(Event::Connect(_)))));
    session.accept();
    assert!(matches!(session.input(&mut input), Ok(Some(Event::Publish(_)))));
    let left = input.len();
    assert_eq!(session.input(&mut input), Ok(None));
    assert_eq!(input.len(), left, "nothing is read before the answer");
    session.refuse("stream is locked");
    assert!(session.is_closing());
    assert_eq!(session.input(&mut input), Ok(None));
    assert!(input.is_empty(), "nothing more is heard");
    let said = said(&mut session);
    assert_eq!(status(said.last().unwrap()), ("onStatus", "error", "NetStream.Publish.BadName", "stream is locked"));
}

#[test]
fn an_application_can_be_refused() {
    let mut session = Session::new(Limits::default());
    let client = Client::new().connect().bytes();
    assert!(matches!(session.input(&mut &client[..]), Ok(Some(Event::Connect(_)))));
    session.refuse("there is no application of this name");
    let said = said(&mut session);
    let reason = "there is no application of this name";
    assert_eq!(status(&said[0]), ("_error", "error", "NetConnection.Connect.Rejected", reason));
    assert_eq!(status(&said[1]), ("onStatus", "error", "NetConnection.Connect.InvalidApp", reason));
    assert!(session.is_closing());
}

#[test]
fn a_second_publish_on_the_connection_is_refused_and_the_first_goes_on() {
    let client = Client::publish()
        .call(0, "createStream", &[])
        .call(2, "publish", &["other".into(), "live".into()])
        .message(kind::VIDEO, 2, 0, b"other")
        .message(kind::VIDEO, STREAM, 0, b"picture");
    let mut session = Session::new(Limits::default());
    let events = converse(&mut session, [client.bytes()]).unwrap();
    assert_eq!(events[2..], [media(TrackKind::Video, 0, b"picture")]);
    assert_eq!(status(said(&mut session).last().unwrap()).2, "NetStream.Publish.BadName");
    assert!(!session.is_closing());
}

#[test]
fn each_way_to_end_a_publish_ends_it_once_and_another_can_follow() {
    for end in [("FCUnpublish", Value::from("x")), ("deleteStream", 1.0.into()), ("closeStream", Value::Null)] {
        let client = Client::publish()
            .message(kind::VIDEO, STREAM, 90_000, b"picture")
            .call(STREAM, end.0, &[end.1])
            .call(STREAM, "closeStream", &[])
            .call(STREAM, "publish", &["again".into()])
            .message(kind::VIDEO, STREAM, 7, b"again");
        let events = converse(&mut Session::new(Limits::default()), [client.bytes()]).unwrap();
        let [_, _, _, Event::Unpublish, Event::Publish(name), last] = &events[..] else { panic!("{events:?}") };
        assert_eq!(name.name, "again");
        assert_eq!(*last, media(TrackKind::Video, 7, b"again"), "time begins anew");
    }
}

#[test]
fn time_goes_on_when_32_bits_are_over() {
    let client = Client::publish()
        .message(kind::VIDEO, STREAM, u32::MAX - 10, b"v")
        .message(kind::AUDIO, STREAM, 5, b"a")
        .message(kind::VIDEO, STREAM, 29, b"v");
    let events = converse(&mut Session::new(Limits::default()), [client.bytes()]).unwrap();
    let base = 1_i64 << 32;
    let expected = [
        media(TrackKind::Video, base - 11, b"v"),
        media(TrackKind::Audio, base + 5, b"a"),
        media(TrackKind::Video, base + 29, b"v"),
    ];
    assert_eq!(events[2..], expected);
}

#[test]
fn an_aggregate_message_is_taken_apart() {
    let mut aggregate = Vec::new();
    for (kind, timestamp, payload) in [(kind::VIDEO, 1_000_u32, b"one"), (kind::AUDIO, 1_023, b"two")] {
        let [t3, t0, t1, t2] = timestamp.to_be_bytes();
        aggregate.extend([kind, 0, 0, 3, t0, t1, t2, t3, 0, 0, 0]);
        aggregate.extend(payload);
        aggregate.extend([0, 0, 0, 14]);
    }
    aggregate.extend([kind::VIDEO, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1]);
    let client = Client::publish().message(kind::AGGREGATE, STREAM, 5_000, &aggregate);
    let events = converse(&mut Session::new(Limits::default()), [client.bytes()]).unwrap();
    assert_eq!(events[2..], [media(TrackKind::Video, 5_000, b"one"), media(TrackKind::Audio, 5_023, b"two")]);
}

#[test]
fn pings_are_answered_and_bytes_acknowledged_but_not_while_an_encoder_sends() {
    let client = Client::publish()
        .message(kind::WINDOW_ACKNOWLEDGEMENT_SIZE, 0, 0, &[0, 0, 0x40, 0])
        .message(kind::USER_CONTROL, 0, 0, &[0, 6, 1, 2, 3, 4])
        .message(kind::VIDEO, STREAM, 0, &[0; 20_000]);
    let bytes = client.bytes();
    let mut session = Session::new(Limits::default());
    converse(&mut session, [&bytes]).unwrap();
    let output = session.output();
    let output = output.copy_to_bytes(output.remaining());
    let pong = [2, 0, 0, 0, 0, 0, 6, kind::USER_CONTROL, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4];
    assert!(output.windows(pong.len()).any(|window| window == pong));
    let acknowledgement = [&[2, 0, 0, 0, 0, 0, 4, kind::ACKNOWLEDGEMENT, 0, 0, 0, 0], &(bytes.len() as u32).to_be_bytes()[..]];
    assert!(!output.windows(12).any(|window| window == acknowledgement[0]));
    session.acknowledge();
    let output = session.output();
    assert_eq!(output.copy_to_bytes(output.remaining()), acknowledgement.concat());
    session.acknowledge();
    assert!(!session.output().has_remaining(), "once");
}

#[test]
fn commands_out_of_place_are_errors() {
    let early = Client::new().call(0, "createStream", &[]);
    let outcome = converse(&mut Session::new(Limits::default()), [early.bytes()]);
    assert_eq!(outcome, Err(Error::OutOfPlace { command: "before connect" }));
    let twice = Client::new().connect().connect();
    let outcome = converse(&mut Session::new(Limits::default()), [twice.bytes()]);
    assert_eq!(outcome, Err(Error::OutOfPlace { command: "connect" }));
    let outcome = converse(&mut Session::new(Limits::default()), ["GET / HTTP/1.1"]);
    assert_eq!(outcome, Err(Error::NotRtmp(b'G')));
}

#[test]
fn media_without_a_publish_goes_nowhere() {
    let client = Client::new().connect().message(kind::VIDEO, STREAM, 0, b"picture").message(kind::DATA, 0, 0, b"junk");
    assert_eq!(converse(&mut Session::new(Limits::default()), [client.bytes()]).unwrap().len(), 1);
}

#[test]
fn a_player_is_sent_tags_and_told_the_end() {
    let client = Client::new().connect().call(0, "createStream", &[]).call(STREAM, "play", &["8sKpm-x49nB".into()]);
    let mut session = Session::new(Limits::default());
    let events = converse(&mut session, [client.bytes()]).unwrap();
    assert!(matches!(&events[1], Event::Play(name) if name.name == "8sKpm-x49nB"));
    let output = session.output();
    output.advance(output.remaining());

    let asc = Bytes::from_static(&[0x12, 0x10]);
    let track = TrackConfig { codec: CodecConfig::Aac { asc, sample_rate: 44_100, channels: 2 }, timescale: 44_100 };
    session.send_tag(config_tag(&track));
    let body = Bytes::from(vec![9; 100_000]);
    let avcc = Bytes::from_static(b"avcc");
    let picture = TrackConfig { codec: CodecConfig::H264 { avcc, width: 640, height: 360 }, timescale: 1_000 };
    let frame = Frame { kind: TrackKind::Video, dts: (1 << 32) + 7, pts_offset: 0, keyframe: true, data: body.clone() };
    session.send_tag(frame_tag(&frame, &picture));
    session.end_play();
    assert!(session.is_closing());
    let output = session.output();
    let bytes = output.copy_to_bytes(output.remaining());
    let mut reader = ChunkReader::new(Limits::default());
    reader.takes_media(true);
    reader.set_chunk_size(64 << 10).unwrap();
    let mut rest = &bytes[..];
    let sound = reader.read(&mut rest).unwrap().unwrap();
    assert_eq!((sound.kind, sound.timestamp, &sound.payload[..]), (kind::AUDIO, 0, &[0xaf, 0, 0x12, 0x10][..]));
    let picture = reader.read(&mut rest).unwrap().unwrap();
    assert_eq!((picture.kind, picture.stream_id, picture.timestamp), (kind::VIDEO, STREAM, 7));
    assert_eq!(picture.payload, [&[0x17, 1, 0, 0, 0], &body[..]].concat());
    let end = reader.read(&mut rest).unwrap().unwrap();
    assert_eq!((end.kind, &end.payload[..]), (kind::USER_CONTROL, &[0, 1, 0, 0, 0, 1][..]));
}

proptest! {
    #[test]
    fn any_split_of_the_input_gives_the_same_events(sizes in prop::collection::vec(1_usize..700, 1..30)) {
        let client = Client::publish()
            .message(kind::SET_CHUNK_SIZE, 0, 0, &[0, 0, 0, 128])
            .message(kind::VIDEO, STREAM, 0xff_fff0, &[1; 1_000])
            .message(kind::AUDIO, STREAM, 0x100_0000, &[2; 300])
            .call(0, "FCUnpublish", &["x".into()])
            .bytes();
        let whole = converse(&mut Session::new(Limits::default()), [&client]).unwrap();
        prop_assert_eq!(whole.len(), 5);
        let mut pieces = Vec::new();
        let mut rest = &client[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        prop_assert_eq!(converse(&mut Session::new(Limits::default()), pieces).unwrap(), whole);
    }

    #[test]
    fn no_bytes_bring_it_down(
        stage in 0_usize..3,
        noise in prop::collection::vec(any::<u8>(), 0..3_000),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let client = [Client(Output::default()), Client::new().connect(), Client::publish()].into_iter().nth(stage).unwrap();
        let mut bytes = client.bytes().to_vec();
        for (place, bits) in flips {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] ^= bits;
            }
        }
        bytes.extend(noise);
        let _ = converse(&mut Session::new(Limits::default()), bytes.chunks(97));
    }
}
