//! What waits to be written, counted: what is alike is one. Bounded whatever comes: by organisation, so that a flood at one takes no other's place, and in all.

use std::collections::HashMap;
use std::net::IpAddr;

use afterlive_domain::{Act, ThingKind, UnixMillis, WhoKind};

use super::{Seen, Whose};
use crate::address::subscriber;
use crate::db::audit::{Thing, Who};

/// Rows of attempts denied at one organisation at a time, which anybody can make; what is more is one row more for each act, which does not say who it was, or of the server's own doings on what.
pub const MAX_OF_ORGANISATION: usize = 30;
/// Rows at a time of what an organisation's callers were let do and what is counted all the same, such as playback tokens without a label: apart from those, so that what was let in
/// hides behind nobody's attempts, and takes no place of other organisations.
const MAX_ALLOWED_OF_ORGANISATION: usize = 100;
/// Rows at a time of what the server did of its own at one organisation, such as what retention took: of more it is not said on what.
const MAX_OWN_OF_ORGANISATION: usize = 1_000;
/// Rows at a time of names that may be nobody's: who makes them up takes no place of those that are somebody's.
const MAX_OF_HASHES: usize = 500;
/// Rows at a time in all, without those that do not say who it was. Each takes some 500 bytes.
pub const MAX_WAITING: usize = 5_000;

/// What is alike has the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    whose: Whose,
    act: Act,
    who: (WhoKind, Option<String>),
    from: Option<IpAddr>,
    on: Option<(ThingKind, Option<String>)>,
    reason: Option<String>,
}

/// Something that is to be written, as often as it was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Written {
    pub(super) whose: Whose,
    pub(super) first_at: UnixMillis,
    pub(super) at: UnixMillis,
    pub(super) times: u64,
    pub(super) act: Act,
    pub(super) who: Who,
    pub(super) from: Option<IpAddr>,
    pub(super) on: Option<Thing>,
    pub(super) detail: Option<String>,
}

/// What has places of its own among an organisation's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Share {
    Denied,
    Allowed,
    /// The server's own.
    Own,
}

impl Share {
    fn places(self) -> usize {
        match self {
            Self::Denied => MAX_OF_ORGANISATION,
            Self::Allowed => MAX_ALLOWED_OF_ORGANISATION,
            Self::Own => MAX_OWN_OF_ORGANISATION,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_key: HashMap<Key, Written>,
    /// Of those that say who it was.
    of_whose: HashMap<(Whose, Share), usize>,
    of_hashes: usize,
    in_all: usize,
    lost: u64,
}

impl Written {
    fn key(&self) -> Key {
        Key {
            whose: self.whose.clone(),
            act: self.act,
            who: (self.who.kind, self.who.id.clone()),
            from: self.from.map(subscriber),
            on: self.on.as_ref().map(|on| (on.kind, on.id.clone())),
            // What was asked for is many things, all of them denied; why an encoder is refused is few.
            reason: self.detail.clone().filter(|_| self.act == Act::PublishRefused),
        }
    }

    /// Of the server's own doings without on what, of all others without who.
    fn summed(self) -> Self {
        let kind = if self.who.kind == WhoKind::Server { WhoKind::Server } else { WhoKind::Several };
        Self { who: Who::nobody(kind), from: None, on: None, detail: None, ..self }
    }

    fn share(&self) -> Share {
        match self.who.kind {
            _ if self.act.is_denied() => Share::Denied,
            WhoKind::Server => Share::Own,
            _ => Share::Allowed,
        }
    }

    fn is_summed(&self) -> bool {
        self.on.is_none() && matches!(self.who.kind, WhoKind::Server | WhoKind::Several)
    }

    fn join(&mut self, other: &Self) {
        self.times = self.times.saturating_add(other.times);
        self.first_at = self.first_at.min(other.first_at);
        self.at = self.at.max(other.at);
    }
}

impl From<Seen> for Written {
    fn from(seen: Seen) -> Self {
        let Seen { whose, at, act, who, from, on, detail } = seen;
        Self { whose, first_at: at, at, times: 1, act, who, from, on, detail }
    }
}

impl Waiting {
    pub(super) fn add(&mut self, seen: Seen) {
        self.put(seen.into());
    }

    /// What could not be written.
    pub(super) fn give_back(&mut self, written: impl Iterator<Item = Written>) {
        written.for_each(|written| self.put(written));
    }

    fn put(&mut self, written: Written) {
        let key = written.key();
        if let Some(before) = self.by_key.get_mut(&key) {
            return before.join(&written);
        }
        if !written.is_summed() && self.has_place(&written) {
            *self.of_whose.entry((written.whose.clone(), written.share())).or_default() += 1;
            self.of_hashes += usize::from(matches!(written.whose, Whose::Hash(_)));
            self.in_all += 1;
            self.by_key.insert(key, written);
            return;
        }
        // Of organisations alone, which are not made up; they are as many as there are.
        if matches!(written.whose, Whose::Hash(_)) || self.by_key.len() >= 2 * MAX_WAITING {
            self.lost = self.lost.saturating_add(written.times);
            return;
        }
        let written = written.summed();
        match self.by_key.get_mut(&written.key()) {
            Some(before) => before.join(&written),
            None => drop(self.by_key.insert(written.key(), written)),
        }
    }

    fn has_place(&self, written: &Written) -> bool {
        let of_kind = match written.whose {
            Whose::Organisation(_) => true,
            Whose::Hash(_) => self.of_hashes < MAX_OF_HASHES,
        };
        let share = written.share();
        let of_whose = self.of_whose.get(&(written.whose.clone(), share)).copied().unwrap_or(0);
        of_kind && self.in_all < MAX_WAITING && of_whose < share.places()
    }

    /// All of it, what began first first; and how much was lost.
    pub(super) fn take(&mut self) -> (Vec<Written>, u64) {
        let Self { by_key, lost, .. } = std::mem::take(self);
        let mut written: Vec<Written> = by_key.into_values().collect();
        written.sort_by_key(|written| (written.first_at, written.act));
        (written, lost)
    }
}

#[cfg(test)]
mod tests {
    use afterlive_domain::OrganisationId;
    use uuid::Uuid;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_793_812_159_899);

    fn seen(organisation: u128, act: Act, from: &str, after_ms: i64) -> Seen {
        Seen {
            whose: Whose::Organisation(OrganisationId(Uuid::from_u128(organisation))),
            at: NOW.plus_ms(after_ms),
            act,
            who: Who::nobody(WhoKind::Stranger),
            from: Some(from.parse().unwrap()),
            on: None,
            detail: Some(format!("{after_ms}")),
        }
    }

    #[test]
    fn what_is_alike_is_one_with_how_often_and_from_when_till_when() {
        let mut waiting = Waiting::default();
        for ms in 0..1_000 {
            waiting.add(seen(1, Act::RequestDenied, &format!("2001:db8:1:2::{ms:x}"), ms));
        }
        waiting.add(seen(1, Act::RequestDenied, "192.0.2.7", 0));
        waiting.add(seen(1, Act::KeyRefused, "192.0.2.7", 0));
        waiting.add(seen(2, Act::KeyRefused, "192.0.2.7", 0));
        for reason in 0..3 {
            waiting.add(seen(2, Act::PublishRefused, "192.0.2.7", reason));
        }
        let (rows, lost) = waiting.take();
        assert_eq!((rows.len(), lost), (7, 0));
        let many = rows.iter().find(|row| row.times == 1_000).unwrap();
        assert_eq!((many.first_at, many.at), (NOW, NOW.plus_ms(999)));
        assert_eq!(waiting.take().0, []);
    }

    #[test]
    fn a_flood_at_one_organisation_is_so_many_rows_and_takes_no_others_place() {
        let mut waiting = Waiting::default();
        let address = |n: u32| std::net::Ipv4Addr::from(n).to_string();
        for n in 0..10_000 {
            waiting.add(seen(1, Act::KeyRefused, &address(n), 0));
        }
        waiting.add(seen(2, Act::KeyRefused, "192.0.2.7", 0));
        let (rows, lost) = waiting.take();
        assert_eq!((rows.len(), lost), (MAX_OF_ORGANISATION + 2, 0));
        let several = rows.iter().find(|row| row.who.kind == WhoKind::Several).unwrap();
        assert_eq!((several.times, several.from), (10_000 - MAX_OF_ORGANISATION as u64, None));
        assert_eq!(rows.iter().map(|row| row.times).sum::<u64>(), 10_001);
    }

    #[test]
    fn what_one_organisation_is_let_do_takes_no_others_place_and_hides_no_attempt() {
        let mut waiting = Waiting::default();
        let address = |n: u32| std::net::Ipv4Addr::from(n).to_string();
        let own = |n: u32| Seen {
            who: Who::nobody(WhoKind::Server),
            on: Some(Thing::new(ThingKind::Recording, n, "")),
            ..seen(1, Act::RecordingPurged, "192.0.2.7", 0)
        };
        for n in 0..10_000 {
            waiting.add(seen(1, Act::PlaybackTokenMade, &address(n), 0));
            waiting.add(own(n));
        }
        waiting.add(seen(1, Act::KeyRefused, "192.0.2.7", 0));
        for organisation in 2..=3_500 {
            waiting.add(seen(organisation, Act::PlaybackTokenMade, "192.0.2.7", 0));
        }
        let (rows, lost) = waiting.take();
        assert_eq!((rows.len(), lost), (MAX_ALLOWED_OF_ORGANISATION + 1 + MAX_OWN_OF_ORGANISATION + 1 + 1 + 3_499, 0));
        let times = |act: Act| rows.iter().filter(|row| row.act == act).map(|row| row.times).sum::<u64>();
        assert_eq!((times(Act::PlaybackTokenMade), times(Act::RecordingPurged)), (10_000 + 3_499, 10_000));
        assert!(rows.iter().filter(|row| row.act == Act::KeyRefused).all(|row| row.who.kind == WhoKind::Stranger));
        assert!(
            rows.iter()
                .filter(|row| row.whose != seen(1, Act::KeyRefused, "::", 0).whose)
                .all(|row| row.who.kind == WhoKind::Stranger)
        );
    }

    #[test]
    fn there_is_an_end_to_it_and_what_is_beyond_it_is_counted() {
        let mut waiting = Waiting::default();
        for n in 0..30_000 {
            waiting.add(seen(n, Act::KeyRefused, "192.0.2.7", 0));
        }
        let hash = |n: u32| Whose::Hash(format!("{n:05}").parse().unwrap());
        for n in 0..1_000 {
            waiting.add(Seen { whose: hash(n), ..seen(0, Act::PublishRefused, "192.0.2.7", 0) });
        }
        let (rows, lost) = waiting.take();
        assert_eq!((rows.len(), lost), (2 * MAX_WAITING, 20_000 + 1_000));
        for n in 0..1_000 {
            waiting.add(Seen { whose: hash(n), ..seen(0, Act::PublishRefused, "192.0.2.7", 0) });
        }
        let (rows, lost) = waiting.take();
        assert_eq!((rows.len(), lost), (MAX_OF_HASHES, 500));
    }

    #[test]
    fn what_could_not_be_written_is_counted_on() {
        let mut waiting = Waiting::default();
        waiting.add(seen(1, Act::KeyRefused, "192.0.2.7", 0));
        let (rows, _) = waiting.take();
        waiting.add(seen(1, Act::KeyRefused, "192.0.2.7", 500));
        waiting.give_back(rows.into_iter());
        let (rows, _) = waiting.take();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.times, row.first_at, row.at), (2, NOW, NOW.plus_ms(500)));
    }
}
