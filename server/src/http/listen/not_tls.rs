//! The one sentence for who speaks something else where TLS is spoken. Reads no request.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the peer may take to hear it.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// What is read and dropped at a time.
const DROP_BYTES: usize = 4 << 10;
const SENTENCE: &str = "This port speaks HTTPS: the address begins with https://\n";

/// As for a client that speaks HTTP, which most do who come without TLS. What it sends is read and dropped for a while: closing over unread bytes would reset the
/// connection, and the sentence would be lost.
pub(super) async fn answer(mut stream: TcpStream) {
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{SENTENCE}", SENTENCE.len());
    let farewell = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut dropped = [0; DROP_BYTES];
        while stream.read(&mut dropped).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // However it ends, the connection is over.
    let _ = timeout(FAREWELL_TIMEOUT, farewell).await;
}
