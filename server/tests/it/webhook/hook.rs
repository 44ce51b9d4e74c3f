//! An organisation's own server: takes what it is asked, and answers when and as the test says.

use std::net::SocketAddr;
use std::time::Duration;

use afterlive_domain::OrganisationId;
use afterlive_server::db::{Db, organisations};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::fixture::database::NOW;

/// Longer than anything here takes, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Makes that URL the organisation's webhook, as no setting forbids it.
pub async fn point_to(db: &Db, organisation: OrganisationId, url: &str) {
    let mut tx = db.write().await.unwrap();
    assert!(organisations::set_webhook(&mut tx, organisation, Some(&url.parse().unwrap()), NOW).await.unwrap());
    tx.commit().await.unwrap();
}

pub struct Hook {
    listener: TcpListener,
    pub address: SocketAddr,
}

/// One request, which waits for its answer.
pub struct Call {
    stream: TcpStream,
    pub head: String,
    /// As it was sent.
    pub form: String,
}

impl Hook {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}/publish?secret=1", self.address)
    }

    /// The next one that comes.
    pub async fn call(&self) -> Call {
        let (mut stream, _) = timeout(PATIENCE, self.listener.accept()).await.expect("somebody asks").unwrap();
        let mut received = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&received).into_owned();
            if let Some((head, form)) = text.split_once("\r\n\r\n") {
                let length: Option<usize> =
                    head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if form.len() == length.expect("a length") {
                    return Call { stream, head: head.to_owned(), form: form.to_owned() };
                }
            }
            let more = timeout(PATIENCE, stream.read_buf(&mut received)).await.expect("the request comes").unwrap();
            assert_ne!(more, 0, "a whole request");
        }
    }

    /// The same, answered with 200.
    pub async fn allow(&self) -> Call {
        let mut call = self.call().await;
        call.answer("200 OK", "").await;
        call
    }

    /// Whether nobody is asking at this moment.
    pub async fn is_left_alone(&self) -> bool {
        timeout(Duration::from_millis(50), self.listener.accept()).await.is_err()
    }
}

impl Call {
    pub async fn answer(&mut self, status: &str, headers: &str) {
        let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 2\r\n\r\nok");
        // Whoever has gone reads nothing.
        let _ = self.stream.write_all(answer.as_bytes()).await;
    }

    pub async fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// What stands in a field; the test fails where it is not there exactly once.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let values: Vec<String> = url::form_urlencoded::parse(self.form.as_bytes())
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .collect();
        let [value] = &values[..] else { panic!("{name} in {}", self.form) };
        value.clone()
    }

    /// Waits until the asker has closed.
    pub async fn left(mut self) {
        let mut rest = Vec::new();
        // A reset is as good.
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("the asker leaves");
    }
}
