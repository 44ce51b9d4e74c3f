//! What is answered ahead of hyper, against what hyper answers, head by head.

use super::*;

/// Heads as clients and others send them, each of which could be taken for a repeat of [`piece`].
fn heads() -> Vec<String> {
    let usual = piece(3, 40);
    let with = |line: &str| usual.replace("Accept: */*", line);
    let range = |value: &str| usual.replace("bytes=3-40", value);
    vec![
        usual.clone(),
        usual.replace("Range: ", "Range:"),
        usual.replace("Range", "rANGE"),
        usual.replace("bytes=3-40", "bytes=3-40 "),
        range("bytes=3-"),
        range("bytes=-3"),
        range("bytes=3-40,50-60"),
        range("bytes=3-40, 50-60"),
        range("bytes=40-3"),
        range("bytes=3-4000000"),
        range("bytes=99999999999999999999999-"),
        range("items=3-40"),
        range("BYTES=3-40"),
        range(""),
        range("bytes=3-40\r\n folded"),
        range("bytes=3-40\r\nRange: bytes=5-6"),
        range("bytes=3-40\nRange: bytes=5-6"),
        range("bytes=3-40\rX: y"),
        range("bytes=3-40\0"),
        with("If-Range: \"x\""),
        with("If-None-Match: *"),
        with("Connection: close"),
        with("Connection: keep-alive"),
        with("Content-Length: 0"),
        with("Content-Length: 5\r\n\r\nGET /"),
        with("Transfer-Encoding: chunked\r\n\r\n0"),
        with("Expect: 100-continue"),
        with("X: y\r\nAccept: */*"),
        with("Accept : */*"),
        with("Accept: */*\r\n"),
        usual.replace("\r\n", "\n"),
        usual.replacen("\r\n", "\n", 1),
        usual.replacen("\r\n", " \r\n", 1),
        usual.replace("HTTP/1.1", "HTTP/1.0"),
        usual.replace("HTTP/1.1", "HTTP/1.0").replace("Accept: */*", "Connection: keep-alive"),
        usual.replace("HTTP/1.1", "HTTP/2.0"),
        usual.replace("GET", "HEAD"),
        usual.replace("GET", "POST"),
        usual.replace("GET", "get"),
        usual.replace("/numbers", "http://x/numbers"),
        usual.replace("/numbers", "/numbers?"),
        usual.replace("/numbers", "/%6eumbers"),
        usual.replace("Host: x", "Host: y"),
        usual.replace("Host: x\r\n", ""),
        format!("\r\n{usual}"),
        format!("{usual}\r\n"),
        usual.repeat(2),
        format!("{usual}{}", piece(70, 80)),
        format!("{}{usual}", piece(70, 80)),
    ]
}

/// All that comes back when this is sent in these parts, and nothing behind it, on a connection that has had two pieces before.
async fn all_answers(parts: &[&[u8]], has_body: bool, repeats: bool) -> Vec<Answer> {
    let numbers = Numbers::new(6_000);
    let mut client = connect(&numbers, 1 << 20, repeats);
    for (first, last) in [(0, 9), (10, 19)] {
        client.ask(&piece(first, last)).await;
    }
    for part in parts {
        // It may have been ended.
        let _ = client.stream.write_all(part).await;
        tokio::task::yield_now().await;
    }
    let _ = client.stream.shutdown().await;
    let mut answers = Vec::new();
    while let Some(answer) = client.answer_to(has_body).await {
        answers.push(answer);
    }
    assert_eq!(client.unread, b"", "the beginning of an answer");
    answers
}

#[tokio::test]
async fn each_head_is_answered_as_hyper_answers_it_wherever_it_is_cut() {
    for head in heads() {
        let has_body = !head.starts_with("HEAD");
        let cut = (0..head.len()).map(|at| head.as_bytes().split_at(at)).map(|(front, rest)| vec![front, rest]);
        for parts in cut.chain([head.as_bytes().chunks(1).collect()]) {
            // Where a body is unread hyper closes the connection or does not, by what of it has come.
            let (ours, plain) = (all_answers(&parts, has_body, true).await, all_answers(&parts, has_body, false).await);
            assert_eq!(ours, plain, "{head:?} in {} parts, the first of {}", parts.len(), parts[0].len());
        }
    }
}

#[tokio::test]
async fn hyper_is_polled_for_what_is_no_repeat_and_for_nothing_else() {
    let numbers = Numbers::new(100_000);
    let mut client = connect(&numbers, 512, true);
    client.ask(&piece(0, 9)).await;
    let polled = client.polled.load(Ordering::Relaxed);
    for first in 0..10 {
        // Longer than what there is room for.
        assert_eq!(client.ask(&piece(first, first + 5_000)).await.1, numbers.bytes[first..=first + 5_000]);
    }
    assert_eq!((numbers.asked(), client.polled.load(Ordering::Relaxed)), (1, polled));
    client.ask("GET /other HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(numbers.asked() == 2 && client.polled.load(Ordering::Relaxed) > polled);
}

#[tokio::test]
async fn what_has_arrived_behind_an_answer_is_not_begun_after_a_stop() {
    let numbers = Numbers::new(100_000);
    let mut client = connect(&numbers, 512, true);
    client.ask(&piece(0, 3)).await;
    client.send(&piece(0, 50_000)).await;
    let begun = client.stream.read_buf(&mut client.unread).await.unwrap();
    client.send(&piece(7, 9)).await;
    client.stop.cancel();
    assert_eq!(client.answer().await.unwrap().1, numbers.bytes[..=50_000]);
    assert_eq!((begun > 0, client.answer().await), (true, None));
}

#[tokio::test]
async fn who_stands_idle_between_repeats_is_ended_at_a_stop() {
    let numbers = Numbers::new(1_000);
    let mut client = connect(&numbers, 1 << 20, true);
    for first in 0..3 {
        client.ask(&piece(first, 9)).await;
    }
    client.stop.cancel();
    assert_eq!(client.answer().await, None);
}

#[tokio::test]
async fn who_repeats_nothing_for_too_long_is_ended() {
    let numbers = Numbers::new(1_000);
    let idle = Duration::from_secs(1);
    let mut client = connect_for(&numbers, 1 << 20, true, idle);
    client.ask(&piece(0, 9)).await;
    let since = Instant::now();
    client.ask(&piece(1, 9)).await;
    assert_eq!((client.answer().await, numbers.asked()), (None, 1));
    assert!(since.elapsed() >= idle, "{:?}", since.elapsed());
}

/// A change to a head that somebody might make to have it read otherwise.
#[derive(Clone, Debug)]
enum Change {
    Put(usize, u8),
    Insert(usize, u8),
    Cut(usize, usize),
    Twice(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let byte = prop_oneof![proptest::sample::select(b"\r\n\0 \t:=-,/Hh0\x7f\xff".to_vec()), any::<u8>()];
    let at = 0..100_usize;
    prop_oneof![
        (at.clone(), byte.clone()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (at.clone(), byte).prop_map(|(at, byte)| Change::Insert(at, byte)),
        (at.clone(), 1..20_usize).prop_map(|(at, count)| Change::Cut(at, count)),
        (at, 1..60_usize).prop_map(|(at, count)| Change::Twice(at, count)),
    ]
}

fn changed(mut head: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = head.len();
        match *change {
            Change::Put(at, byte) if at < length => head[at] = byte,
            Change::Insert(at, byte) => head.insert(at.min(length), byte),
            Change::Cut(at, count) => drop(head.drain(at.min(length)..(at + count).min(length))),
            Change::Twice(at, count) => {
                let part = head[at.min(length)..(at + count).min(length)].to_vec();
                head.splice(at.min(length)..at.min(length), part);
            }
            Change::Put(..) => {}
        }
    }
    head
}

proptest! {
    #[test]
    fn whatever_is_done_to_heads_is_answered_as_hyper_answers_it(
        sent in proptest::collection::vec((0..100_usize, 0..200_usize, proptest::collection::vec(change(), 0..3)), 1..5),
    ) {
        let heads: Vec<_> =
            sent.iter().map(|(first, count, changes)| changed(piece(*first, first + count).into_bytes(), changes)).collect();
        let parts: Vec<_> = heads.iter().map(Vec::as_slice).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (ours, plain) = runtime.block_on(async { (all_answers(&parts, true, true).await, all_answers(&parts, true, false).await) });
        prop_assert_eq!(ours, plain);
    }
}
