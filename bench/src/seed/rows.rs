//! What stands in a full database. The same for each run, but for what is counted back from now.

use std::time::{SystemTime, UNIX_EPOCH};

use super::bulk::Cell::{Null, Number, Text};
use super::bulk::{Bulk, Table};
use super::{BIG, TAGS};

const ORGANISATIONS: u64 = 100;
const RECORDINGS_A_STREAM: u64 = 5;
const DAY_MS: i64 = 86_400_000;
/// Since when there are streams.
const AGE_MS: i64 = 2 * 365 * DAY_MS;

pub(super) struct Rows {
    noise: u64,
    now: i64,
    recordings: u64,
    streams: u64,
    organisations: Vec<(String, String)>,
    next: u64,
}

impl Rows {
    pub(super) fn new(recordings: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let streams = (recordings / RECORDINGS_A_STREAM).max(ORGANISATIONS);
        Self { noise: 7, now, recordings, streams, organisations: Vec::new(), next: 0 }
    }

    /// A statement's worth more of them; false where there are none left.
    pub(super) fn write_some(&mut self, bulk: &mut Bulk) -> bool {
        if self.organisations.is_empty() {
            self.write_organisations(bulk);
        }
        let is_done = self.next == self.streams;
        while self.next < self.streams && !bulk.is_full() {
            self.write_stream(bulk, self.next);
            self.next += 1;
        }
        !is_done
    }

    fn write_organisations(&mut self, bulk: &mut Bulk) {
        for number in 0..ORGANISATIONS {
            let hash = if number == 0 { BIG.to_owned() } else { format!("b{number:04}") };
            let id = self.uuid();
            let made = Number(self.now - AGE_MS);
            bulk.add(Table::Organisations, &[Text(&id), Text(&hash), Text("Full"), Number(1), Number(1), made, made]);
            self.organisations.push((id, hash));
        }
    }

    fn write_stream(&mut self, bulk: &mut Bulk, number: u64) {
        let of = if number.is_multiple_of(10) { 0 } else { 1 + number as usize % 99 };
        let (organisation, hash) = self.organisations[of].clone();
        let id = self.uuid();
        let name = format!("{hash}-{number:05x}");
        let made = self.now - AGE_MS + (AGE_MS as u64 / self.streams * number) as i64;
        let state = match self.below(1_000) {
            ..20 => "created",
            20..40 => "locked",
            40..70 => "deleted",
            _ => "ended",
        };
        let recordings = match number {
            _ if state == "created" => 0,
            // One that records every day, and so has more than all others.
            10 => self.recordings / 1_000,
            _ => 1 + self.below(2 * RECORDINGS_A_STREAM - 1),
        };
        let live = if recordings > 0 { Number(made) } else { Null };
        let gone = if state == "deleted" { Number(self.now) } else { Null };
        bulk.add(
            Table::Streams,
            &[
                Text(&id),
                Text(&organisation),
                Text(&name),
                Text(state),
                Text("rec"),
                live,
                live,
                Number(recordings as i64 + 1),
                Number(made),
                Number(made),
                gone,
            ],
        );
        let (title, site) = (format!("title:Service {number}"), format!("site:{}", self.below(50)));
        let [service, rare, old] = TAGS;
        let mut tags = vec![title.as_str(), site.as_str()];
        if self.below(10) < 6 {
            tags.push(service);
        }
        if number < self.streams / 20 {
            tags.push(old);
        }
        // Of every tenth, as the first organisation has them.
        if number.is_multiple_of((self.streams / 300).max(1).next_multiple_of(10)) {
            tags.push(rare);
        }
        for (position, tag) in (0..).zip(tags) {
            bulk.add(Table::StreamTags, &[Text(&id), Text(&organisation), Text(tag), Number(position)]);
        }
        for index in 1..=recordings as i64 {
            self.write_recording(bulk, [&id, &organisation, &name], index, made);
        }
    }

    fn write_recording(&mut self, bulk: &mut Bulk, [stream, organisation, name]: [&str; 3], index: i64, made: i64) {
        let (session, id) = (self.uuid(), self.uuid());
        let began = made + self.below((self.now - made) as u64) as i64;
        let long = 60_000 + self.below(3 * 3_600_000) as i64;
        let over = began + long;
        let region = match self.below(100) {
            ..80 => "eu",
            80..99 => "us",
            _ => "au",
        };
        let (from, to) = (Number(began), Number(over));
        let (session, id, stream, organisation) = (Text(&session), Text(&id), Text(stream), Text(organisation));
        let (mode, protocol, peer, why) = (Text("rec"), Text("rtmp"), Text("127.0.0.1:1935"), Text("unpublished"));
        bulk.add(
            Table::Sessions,
            &[session, organisation, stream, mode, Text(region), protocol, peer, from, to, why, Number(long * 300)],
        );
        let file_name = if index == 1 { format!("{name}.mp4") } else { format!("{name}-{index}.mp4") };
        let (state, reason) = match self.below(1_000) {
            ..40 => ("incomplete", Text("the connection broke")),
            40..60 => ("failed", Text("nothing arrived")),
            60..90 => ("deleted", Null),
            _ => ("ready", Null),
        };
        let (length, bytes) = if state == "failed" { (0, 0) } else { (long, long * 300) };
        let binned = if state == "deleted" { Number(self.now) } else { Null };
        let purged = if state == "deleted" && self.below(2) == 0 { Number(self.now) } else { Null };
        let held = if state == "ready" && self.below(500) == 0 { Number(self.now) } else { Null };
        bulk.add(
            Table::Assets,
            &[
                id,
                organisation,
                stream,
                session,
                Number(index),
                Text(region),
                Text(&file_name),
                Text(state),
                reason,
                from,
                to,
                to,
                Number(length),
                Number(bytes),
                Number(1_280),
                Number(720),
                Number(30),
                Text("h264"),
                Text("aac"),
                Number(i64::from(state == "ready")),
                binned,
                purged,
                held,
            ],
        );
    }

    /// Of splitmix64.
    fn next_noise(&mut self) -> u64 {
        self.noise = self.noise.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.noise ^ (self.noise >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next_noise() % limit.max(1)
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.next_noise(), self.next_noise());
        let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        format!("{a:08x}-{b:04x}-4{c:03x}-a{:03x}-{:012x}", low >> 48 & 0xfff, low & 0xffff_ffff_ffff)
    }
}
