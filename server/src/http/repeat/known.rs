//! What is remembered of a request and its answer, by which the next is known to be the same but for its range, and answered.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE};

use super::{Piece, Ranged};
use crate::http::request::{RequestId, X_REQUEST_ID};

/// The longest decimal number of 64 bits.
const MAX_DIGITS: usize = 20;

thread_local! {
    /// A second since 1970, and how the header says it.
    static LAST_DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

pub(super) struct Known {
    /// The request as it came, without the value of its `Range`.
    before: Vec<u8>,
    after: Vec<u8>,
    /// The answer's status line, and all headers that are the same for each piece.
    head: Vec<u8>,
    pub(super) of: Arc<dyn Ranged>,
}

impl Known {
    /// `None` where the request is not one that can be told by its bytes, or these are not the ones that hyper has read it from.
    pub(super) fn new(request: &[u8], Piece { of, headers, line }: Piece) -> Option<Self> {
        let value = value_of_range(request)?;
        if !request.starts_with(line.as_bytes()) {
            return None;
        }
        let mut head = b"HTTP/1.1 206 Partial Content\r\n".to_vec();
        for (name, value) in &headers {
            if [CONTENT_LENGTH, CONTENT_RANGE, DATE, X_REQUEST_ID].contains(name) {
                continue;
            }
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        Some(Self { before: request[..value.start].to_vec(), after: request[value.end..].to_vec(), head, of })
    }

    /// The value of the `Range` header of a request that is the same in all else.
    pub(super) fn range<'a>(&self, request: &'a [u8]) -> Option<&'a str> {
        let value = request.strip_prefix(self.before.as_slice())?.strip_suffix(self.after.as_slice())?;
        // Nothing that could end the header, or be read over.
        let is_plain = value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'-'));
        is_plain.then(|| str::from_utf8(value).ok()).flatten()
    }

    /// Puts the head of the answer with this piece, of so many bytes in all, behind what is there. By hand: formatting takes as long as all the rest of it.
    pub(super) fn put_head(&self, head: &mut Vec<u8>, piece: &Range<u64>, whole: u64) {
        head.extend_from_slice(&self.head);
        head.extend_from_slice(b"x-request-id: ");
        head.extend_from_slice(RequestId::random_text(&mut [0; RequestId::CHARS]).as_bytes());
        head.extend_from_slice(b"\r\ncontent-length: ");
        put_number(head, piece.end - piece.start);
        head.extend_from_slice(b"\r\ncontent-range: bytes ");
        put_number(head, piece.start);
        head.push(b'-');
        put_number(head, piece.end - 1);
        head.push(b'/');
        put_number(head, whole);
        head.extend_from_slice(b"\r\ndate: ");
        put_date(head, SystemTime::now());
        head.extend_from_slice(b"\r\n\r\n");
    }
}

fn put_number(text: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; MAX_DIGITS];
    let mut begin = MAX_DIGITS;
    loop {
        begin -= 1;
        digits[begin] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[begin..]);
}

fn put_date(text: &mut Vec<u8>, now: SystemTime) {
    let second = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST_DATE.with_borrow_mut(|(of, date)| {
        if *of != second || date.is_empty() {
            (*of, *date) = (second, httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(second)));
        }
        text.extend_from_slice(date.as_bytes());
    });
}

/// Where the value of a request's one `Range` header lies in it.
fn value_of_range(request: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut start = 0;
    for line in request.split_inclusive(|byte| *byte == b'\n') {
        let name_bytes = b"range:".len();
        if line.get(..name_bytes).is_some_and(|name| name.eq_ignore_ascii_case(b"range:")) {
            if found.is_some() {
                return None;
            }
            let (from, to) = (start + name_bytes, start + line.strip_suffix(b"\r\n")?.len());
            let spaces = request[from..to].iter().take_while(|byte| **byte == b' ').count();
            found = Some(from + spaces..to);
        }
        start += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_value_of_a_range_is_found_where_it_stands(name in "[Rr][Aa][Nn][Gg][Ee]", spaces in " {0,3}", value in "[a-z0-9=-]{0,20}") {
            let request = format!("GET / HTTP/1.1\r\nX: range:\r\n{name}:{spaces}{value}\r\nY: z\r\n\r\n");
            prop_assert_eq!(value_of_range(request.as_bytes()).map(|at| &request[at]), Some(value.as_str()));
        }

        #[test]
        fn numbers_and_dates_are_written_as_others_write_them(number: u64, seconds in proptest::collection::vec(0..4_000_000_000_u64, 1..4)) {
            let mut text = Vec::new();
            put_number(&mut text, number);
            prop_assert_eq!(text, number.to_string().into_bytes());
            for second in seconds {
                let (mut text, at) = (Vec::new(), SystemTime::UNIX_EPOCH + Duration::from_secs(second));
                put_date(&mut text, at + Duration::from_millis(999));
                prop_assert_eq!(text, httpdate::fmt_http_date(at).into_bytes());
            }
        }
    }

    #[test]
    fn the_ends_of_what_numbers_there_are_are_written_too() {
        for number in [0, 9, 10, u64::MAX] {
            let mut text = b"x".to_vec();
            put_number(&mut text, number);
            assert_eq!(text, format!("x{number}").into_bytes());
        }
    }
}
