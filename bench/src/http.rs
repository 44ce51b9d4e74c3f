//! As much of HTTP/1.1 as it takes: one connection, kept open, one request after the other, bodies of a known length.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, bail};

const BUFFER_BYTES: usize = 256 << 10;

pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    /// For bodies that nobody wants.
    scrap: Vec<u8>,
    /// The last that was set.
    cookie: Option<String>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(8 << 10, stream), scrap: vec![0; BUFFER_BYTES], cookie: None })
    }

    /// `head` is whole header lines. Gives the body.
    pub(crate) fn call(&mut self, method: &str, path: &str, head: &str, body: &str) -> Result<Vec<u8>> {
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {length}\r\n\r\n{body}");
        let left = self.ask(&request, 200)?;
        let mut answer = vec![0; left as usize];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    /// Sends a form, and gives the cookies that are set by the answer, which leads elsewhere.
    pub(crate) fn sign_in(&mut self, path: &str, form: &str) -> Result<String> {
        let head = "Host: localhost\r\nAccept: text/html\r\nReferer: http://localhost/x\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let request = format!("POST {path} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{form}", form.len());
        self.ask(&request, 302)?;
        self.cookie.clone().context("an answer without a cookie")
    }

    /// Gets something and throws it away; says how many bytes that were.
    pub(crate) fn fetch(&mut self, path: &str, range: Option<(u64, u64)>) -> Result<u64> {
        let (range, status) = match range {
            Some((first, last)) => (format!("Range: bytes={first}-{last}\r\n"), 206),
            None => (String::new(), 200),
        };
        let length = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{range}\r\n"), status)?;
        let mut left = length;
        while left > 0 {
            let most = self.scrap.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.stream.read(&mut self.scrap[..most])? {
                0 => bail!("{path} ends {left} bytes too early"),
                read => left -= read as u64,
            }
        }
        Ok(length)
    }

    /// Sends a request and reads the answer's head; gives the length of what follows.
    fn ask(&mut self, request: &str, expected: u16) -> Result<u64> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status: u16 = line.split(' ').nth(1).and_then(|text| text.parse().ok()).context("no HTTP answer")?;
        let mut length = None;
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? <= 2 {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("set-cookie")
            {
                // One may be for who signs in and another for the browser.
                let cookie = value.split(';').next().unwrap_or_default().trim();
                self.cookie = Some(self.cookie.take().map_or_else(|| cookie.to_owned(), |others| format!("{others}; {cookie}")));
            }
        }
        if status != expected {
            bail!("{} is answered with {status}", request.lines().next().unwrap_or_default());
        }
        length.context("an answer without a length")
    }
}
