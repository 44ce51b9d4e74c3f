//! The fragments of a stream, each once, and the cursors by which many read them. Keeps no clock and waits for nobody.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::message::Init;

/// A viewer for whom fragments have waited for longer goes on at the newest keyframe, where there is one that is newer.
pub const MAX_LAG: Duration = Duration::from_secs(3);
/// How much a viewer is given at a time: what it has not been given can still be skipped.
const MAX_BATCH_BYTES: usize = 256 << 10;
const MAX_BATCH_FRAGMENTS: usize = 64;

#[derive(Clone)]
pub struct Entry {
    pub bytes: Bytes,
    /// What must come before it.
    pub init: Arc<Init>,
    /// A decoder can begin here.
    pub joins: bool,
    pub arrived: Instant,
}

/// Fragments by their number: the first of a feed is 0.
#[derive(Default)]
pub struct Ring {
    entries: VecDeque<Entry>,
    first: u64,
    bytes: usize,
    newest_join: Option<u64>,
}

/// How far a viewer has read.
#[derive(Clone, Default)]
pub struct Cursor {
    /// `None`: it begins at the first place to join from `from` on.
    next: Option<u64>,
    from: u64,
    /// What it has been given last.
    init: Option<Arc<Init>>,
}

/// What a viewer is to be sent, in this order.
#[derive(Clone)]
pub enum Item {
    Init(Arc<Init>),
    Fragment(Bytes),
}

#[derive(Default)]
pub struct Batch {
    /// Something was left out before it.
    pub skipped: bool,
    pub items: Vec<Item>,
}

impl Ring {
    /// One behind the last.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn push(&mut self, entry: Entry) {
        if entry.joins {
            self.newest_join = Some(self.end());
        }
        self.bytes += entry.bytes.len();
        self.entries.push_back(entry);
    }

    /// Forgets what comes before the fragment of this number.
    pub fn forget_before(&mut self, number: u64) {
        while self.first < number
            && let Some(entry) = self.entries.pop_front()
        {
            self.first += 1;
            self.bytes -= entry.bytes.len();
        }
    }

    /// A publish has ended: who comes now does not begin with what is left of it.
    pub fn close(&mut self) {
        self.newest_join = None;
    }

    /// `None` where some of them are gone, or are not there yet.
    #[must_use]
    pub fn get(&self, range: Range<u64>) -> Option<Vec<Bytes>> {
        if range.start < self.first || range.end > self.end() {
            return None;
        }
        let at = |number: u64| (number - self.first) as usize;
        Some(self.entries.range(at(range.start)..at(range.end)).map(|entry| entry.bytes.clone()).collect())
    }

    /// Whoever comes now: begins at the newest keyframe, or waits for the next.
    #[must_use]
    pub fn join(&self) -> Cursor {
        let from = self.newest_join.filter(|join| *join >= self.first).unwrap_or(self.end());
        Cursor { next: None, from, init: None }
    }

    /// The next fragments for this viewer; none where it has all that there are.
    pub fn read(&self, cursor: &mut Cursor) -> Batch {
        let mut batch = Batch::default();
        if let Some(next) = cursor.next
            && self.is_lost(next)
        {
            batch.skipped = true;
            *cursor = Cursor { init: cursor.init.take(), ..self.join() };
        }
        if cursor.next.is_none() {
            cursor.next = self.next_join(cursor.from);
            cursor.from = self.end();
        }
        let Some(next) = cursor.next.as_mut() else { return batch };
        let mut bytes = 0;
        for entry in self.entries.range((*next - self.first) as usize..).take(MAX_BATCH_FRAGMENTS) {
            if cursor.init.as_ref().is_none_or(|init| !Arc::ptr_eq(init, &entry.init)) {
                cursor.init = Some(Arc::clone(&entry.init));
                batch.items.push(Item::Init(Arc::clone(&entry.init)));
            }
            batch.items.push(Item::Fragment(entry.bytes.clone()));
            *next += 1;
            bytes += entry.bytes.len();
            if bytes >= MAX_BATCH_BYTES {
                break;
            }
        }
        batch
    }

    fn next_join(&self, from: u64) -> Option<u64> {
        let from = from.max(self.first);
        let mut entries = self.entries.range((from - self.first) as usize..);
        entries.position(|entry| entry.joins).map(|at| from + at as u64)
    }

    /// Whether this viewer has read all.
    #[must_use]
    pub fn is_read(&self, cursor: &Cursor) -> bool {
        cursor.next.is_none_or(|next| next >= self.end())
    }

    /// Whether a viewer that is to read this fragment next has fallen behind.
    fn is_lost(&self, next: u64) -> bool {
        if next < self.first {
            return true;
        }
        let waited = || {
            let waiting = self.entries.get((next - self.first) as usize)?;
            Some(self.entries.back()?.arrived.saturating_duration_since(waiting.arrived))
        };
        self.newest_join.is_some_and(|join| join > next) && waited().is_some_and(|waited| waited > MAX_LAG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fragments of one byte, their number, ten a second, of which each tenth is a keyframe.
    fn fill(ring: &mut Ring, init: &Arc<Init>, numbers: Range<u8>, start: Instant) {
        for number in numbers {
            ring.push(Entry {
                bytes: Bytes::copy_from_slice(&[number]),
                init: Arc::clone(init),
                joins: number.is_multiple_of(10),
                arrived: start + Duration::from_millis(100) * number.into(),
            });
        }
    }

    fn read(ring: &Ring, cursor: &mut Cursor) -> (bool, usize, Vec<Bytes>) {
        let Batch { skipped, items } = ring.read(cursor);
        let mut inits = 0;
        let bytes = items.into_iter().filter_map(|item| match item {
            Item::Init(_) => {
                inits += 1;
                None
            }
            Item::Fragment(bytes) => Some(bytes),
        });
        let bytes = bytes.collect();
        (skipped, inits, bytes)
    }

    fn numbers(fragments: &[Bytes]) -> Vec<u8> {
        fragments.iter().map(|bytes| bytes[0]).collect()
    }

    #[test]
    fn all_viewers_read_the_same_bytes_and_these_exist_once() {
        let (mut ring, init, start) = (Ring::default(), Init::empty(), Instant::now());
        fill(&mut ring, &init, 0..15, start);
        let (mut one, mut other) = (ring.join(), ring.join());
        let (_, inits, first) = read(&ring, &mut one);
        assert_eq!((inits, numbers(&first)), (1, vec![10, 11, 12, 13, 14]));
        let (_, _, second) = read(&ring, &mut other);
        assert!(first.iter().zip(&second).all(|(a, b)| a.as_ptr() == b.as_ptr()), "the same memory");
        assert!(ring.is_read(&one) && read(&ring, &mut one).2.is_empty());
        fill(&mut ring, &init, 15..17, start);
        let (skipped, inits, more) = read(&ring, &mut one);
        assert_eq!((skipped, inits, numbers(&more)), (false, 0, vec![15, 16]));
    }

    #[test]
    fn a_viewer_that_falls_behind_goes_on_at_the_newest_keyframe() {
        let (mut ring, init, start) = (Ring::default(), Init::empty(), Instant::now());
        fill(&mut ring, &init, 0..5, start);
        let mut slow = ring.join();
        assert_eq!(read(&ring, &mut slow).2.len(), 5);
        fill(&mut ring, &init, 5..31, start);
        assert_eq!(numbers(&read(&ring, &mut slow.clone()).2)[0], 5, "two seconds and a half are no delay");
        fill(&mut ring, &init, 31..47, start);
        let (skipped, inits, rest) = read(&ring, &mut slow);
        assert_eq!((skipped, inits, numbers(&rest)), (true, 0, (40..47).collect()));
    }

    #[test]
    fn what_is_forgotten_is_skipped_and_without_a_keyframe_there_is_nothing() {
        let (mut ring, init, start) = (Ring::default(), Init::empty(), Instant::now());
        fill(&mut ring, &init, 0..5, start);
        let mut viewer = ring.join();
        assert_eq!(read(&ring, &mut viewer).2.len(), 5);
        fill(&mut ring, &init, 5..9, start);
        ring.forget_before(7);
        assert_eq!(ring.bytes(), 2);
        let (skipped, _, rest) = read(&ring, &mut viewer);
        assert!(skipped && rest.is_empty());
        let mut newcomer = ring.join();
        assert!(read(&ring, &mut newcomer).2.is_empty());
        fill(&mut ring, &init, 9..12, start);
        for cursor in [&mut viewer, &mut newcomer] {
            let (skipped, _, rest) = read(&ring, cursor);
            assert_eq!((skipped, numbers(&rest)), (false, vec![10, 11]));
        }
        assert_eq!(ring.get(7..9).map(|bytes| numbers(&bytes)), Some(vec![7, 8]));
        assert_eq!((ring.get(6..9), ring.get(11..13)), (None, None));
    }

    #[test]
    fn other_tracks_bring_their_init_segment() {
        let (mut ring, start) = (Ring::default(), Instant::now());
        let mut viewer = ring.join();
        fill(&mut ring, &Init::empty(), 0..2, start);
        fill(&mut ring, &Init::empty(), 10..11, start);
        let (skipped, inits, fragments) = read(&ring, &mut viewer);
        assert_eq!((skipped, inits, numbers(&fragments)), (false, 2, vec![0, 1, 10]));
    }
}
