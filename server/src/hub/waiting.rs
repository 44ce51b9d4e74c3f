//! What waits for all recorders together. Each queue has its own bound, but a storage that stands still holds up every recording on it, and of two hundred such
//! queues the memory would be full: the server would be killed, with all that waits. So beyond half of the memory those recordings lose frames, loudly and
//! accounted for, of which more waits than of the others.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the system does not say how much memory there is.
const MEMORY_BYTES: usize = 2 << 30;
/// What may have less than the machine: a container's bound, by both kinds of control groups.
const BOUNDS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

#[derive(Debug)]
pub(super) struct Waiting {
    bytes: AtomicUsize,
    queues: AtomicUsize,
    most_bytes: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        // With what each may have besides it is no more than half.
        Self::at_most(memory_bytes() / 4)
    }
}

impl Waiting {
    pub(super) fn at_most(most_bytes: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), queues: AtomicUsize::new(0), most_bytes }
    }
}

/// One queue's part. Whatever is left of it is given back with it.
#[derive(Debug)]
pub(super) struct Part {
    of: Arc<Waiting>,
    bytes: AtomicUsize,
}

impl Part {
    pub(super) fn new(of: &Arc<Waiting>) -> Self {
        of.queues.fetch_add(1, Ordering::Relaxed);
        Self { of: Arc::clone(of), bytes: AtomicUsize::new(0) }
    }

    /// Whether so much more may wait: always where it is no more than each of them may have.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let own = self.bytes.load(Ordering::Relaxed) + bytes;
        let fair = self.of.most_bytes / self.of.queues.load(Ordering::Relaxed).max(1);
        own <= fair || self.of.bytes.load(Ordering::Relaxed) + bytes <= self.of.most_bytes
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.of.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.of.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
        self.of.queues.fetch_sub(1, Ordering::Relaxed);
    }
}

fn memory_bytes() -> usize {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let bounds = BOUNDS.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    bounds.chain(machine).min().unwrap_or(MEMORY_BYTES)
}

fn total_of(meminfo: &str) -> Option<usize> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        assert_eq!(total_of("MemTotal:       24576000 kB\nMemFree: 1 kB\n"), Some(24_576_000 << 10));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
        assert!(memory_bytes() > 64 << 20);
    }

    #[test]
    fn beyond_what_all_may_have_each_has_its_fair_part_and_no_more() {
        let waiting = Arc::new(Waiting::at_most(1_000));
        let (large, small) = (Part::new(&waiting), Part::new(&waiting));
        large.add(900);
        assert!(large.has_room(100) && !large.has_room(101));
        small.add(100);
        assert!(!large.has_room(1), "it has more than its part");
        assert!(small.has_room(400) && !small.has_room(401), "whatever the other one has");
        large.remove(800);
        assert!(small.has_room(800) && !small.has_room(801));
        drop(small);
        drop(large);
        assert_eq!((waiting.bytes.load(Ordering::Relaxed), waiting.queues.load(Ordering::Relaxed)), (0, 0));
    }
}
