//! Repeats on a connection that can send files by itself: what is written, and what is left to it.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::*;
use crate::http::listen::stalled::CutStalled;
use crate::http::sendfile::{FileStream, Parts, Sending, send_fast};

/// Numbers that lie in a file.
#[derive(Debug)]
struct Filed {
    numbers: Arc<Numbers>,
    file: Arc<File>,
}

#[derive(Debug)]
struct File {
    numbers: Arc<Numbers>,
    sent_bytes: AtomicU64,
}

impl Ranged for Filed {
    fn piece(&self, range: &str) -> Option<(Range<u64>, u64)> {
        self.numbers.piece(range)
    }

    fn file(&self) -> Option<Arc<dyn Sendable>> {
        Some(Arc::clone(&self.file) as _)
    }

    fn read(&self, start: u64, buffer: &mut [u8]) -> bool {
        self.numbers.read(start, buffer)
    }
}

impl Sendable for File {
    fn send(self: Arc<Self>, socket: Arc<OwnedFd>, range: Range<u64>) -> Sending {
        Box::pin(async move {
            send_fast(&socket, range, |left| {
                let sent = rustix::io::write(&socket, &self.numbers.bytes[left.start as usize..left.end as usize])?;
                self.sent_bytes.fetch_add(sent as u64, Ordering::Relaxed);
                Ok(sent)
            })
        })
    }

    fn send_at_once(&self, socket: BorrowedFd<'_>, range: Range<u64>) -> Option<io::Result<usize>> {
        if !self.numbers.is_at_hand.load(Ordering::Relaxed) {
            return None;
        }
        let sent = rustix::io::write(socket, &self.numbers.bytes[range.start as usize..range.end as usize]);
        self.sent_bytes.fetch_add(sent.unwrap_or(0) as u64, Ordering::Relaxed);
        Some(sent.map_err(Into::into))
    }
}

/// A client, and the file that it is sent of. The socket takes little at a time where its buffer is said to be small.
async fn connect_to_sender(numbers: &Arc<Numbers>, send_buffer_bytes: Option<usize>) -> (TcpStream, Arc<File>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    if let Some(bytes) = send_buffer_bytes {
        rustix::net::sockopt::set_socket_send_buffer_size(&server, bytes).unwrap();
    }
    let file = Arc::new(File { numbers: Arc::clone(numbers), sent_bytes: AtomicU64::new(0) });
    let filed = Arc::new(Filed { numbers: Arc::clone(numbers), file: Arc::clone(&file) });
    let (parts, repeats) = (Parts::default(), Repeats::default());
    let stream = FileStream::new(CutStalled::new(server, IDLE), parts.clone(), Some(Handle::current()));
    let stream = Shared::new(Repeating::new(stream, repeats.clone()));
    let ahead = stream.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut answer = filed.numbers.answer(&request);
        answer.extensions_mut().insert(PieceOf(Arc::clone(&filed) as _));
        let answer = repeats.outgoing(parts.outgoing(answer), Asked::new(&request));
        async { Ok::<_, Infallible>(answer) }
    });
    tokio::spawn(ahead.serve_ahead(async move {
        let _ = http1::Builder::new().serve_connection(stream, service).await;
    }));
    (client, file)
}

async fn body(client: &mut TcpStream) -> Vec<u8> {
    let mut unread = Vec::new();
    let end = loop {
        if let Some(end) = end_of_head(&unread) {
            break end;
        }
        assert_ne!(client.read_buf(&mut unread).await.unwrap(), 0);
    };
    let head = String::from_utf8(unread.drain(..end).collect()).unwrap();
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    while unread.len() < length {
        assert_ne!(client.read_buf(&mut unread).await.unwrap(), 0);
    }
    assert_eq!(unread.len(), length, "nothing comes behind it");
    unread
}

#[tokio::test]
async fn a_short_piece_is_written_and_a_long_one_or_one_that_is_not_at_hand_is_sent() {
    let numbers = Numbers::new(2_000_000);
    let (mut client, file) = connect_to_sender(&numbers, None).await;
    let long = MAX_PIECE_BYTES as usize;
    for (first, last, is_at_hand, is_sent) in [
        (0, 9, true, false),
        (10, 19, true, false),
        (1_000, 1_000 + long - 1, true, false),
        (1_000, 1_000 + long, true, true),
        (0, 1_999_999, true, true),
        (5, 70_000, false, true),
        (5, 1_500_000, false, true),
        (7, 7, true, false),
    ] {
        numbers.is_at_hand.store(is_at_hand, Ordering::Relaxed);
        let before = file.sent_bytes.load(Ordering::Relaxed);
        client.write_all(piece(first, last).as_bytes()).await.unwrap();
        assert!(body(&mut client).await == numbers.bytes[first..=last], "{first} to {last}");
        let sent = file.sent_bytes.load(Ordering::Relaxed) - before;
        // A short one is written as far as there is room.
        let most = if is_sent { last - first + 1 } else { long - 1 };
        assert!(sent as usize <= most && (!is_sent || sent as usize == most), "{first} to {last}: {sent} sent");
    }
    assert_eq!(numbers.asked(), 1);
}

#[tokio::test]
async fn what_the_socket_has_no_room_for_of_a_short_piece_is_sent_as_well() {
    let numbers = Numbers::new(200_000);
    let (mut client, file) = connect_to_sender(&numbers, Some(4_096)).await;
    client.write_all(piece(0, 9).as_bytes()).await.unwrap();
    body(&mut client).await;
    let last = MAX_PIECE_BYTES as usize - 1;
    for n in 0..3 {
        client.write_all(piece(n, n + last).as_bytes()).await.unwrap();
        assert!(body(&mut client).await == numbers.bytes[n..=n + last], "{n}");
    }
    let sent = file.sent_bytes.load(Ordering::Relaxed);
    assert!((1..3 * MAX_PIECE_BYTES).contains(&sent) && numbers.asked() == 1, "{sent} sent");
}
