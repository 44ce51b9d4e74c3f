//! The fake's streams as the start page and the list show them.

use afterlive_domain::StreamState;

use super::{DAY_MS, NOW, State};
use crate::backend::{
    DayTraffic, Home, LatestRecording, RegionUse, StateCounts, StreamFilter, StreamPage, StreamRow, StreamSort,
};
use crate::ui::overview::title_of;

impl State {
    fn counts(&self) -> StateCounts {
        let of = |state| self.streams.iter().filter(|stream| stream.state == state).count() as u64;
        let deleted = of(StreamState::Deleted);
        StateCounts {
            all: self.streams.len() as u64 - deleted,
            live: of(StreamState::Live),
            created: of(StreamState::Created),
            ended: of(StreamState::Ended),
            locked: of(StreamState::Locked),
            deleted,
        }
    }

    pub(super) fn home(&self) -> Home {
        let usage = |region: &str, recordings, bytes| RegionUse { region: region.parse().expect("a region"), recordings, bytes };
        let day = |n: i64| DayTraffic {
            day: NOW.plus_ms((n - 13) * DAY_MS).to_string().chars().take(10).collect(),
            bytes: if n % 7 == 2 { 0 } else { (n as u64 * 7_919 % 13 + 2) * 410_000_000 },
        };
        let titled = |stream: &StreamRow| {
            let title = title_of(&stream.tags);
            self.recordings(stream).into_iter().map(move |recording| LatestRecording { recording, title: title.clone() })
        };
        let mut recordings: Vec<_> = self.streams.iter().flat_map(titled).collect();
        recordings.sort_by_key(|row| std::cmp::Reverse(row.recording.created_at));
        recordings.truncate(5);
        Home {
            counts: self.counts(),
            storage: vec![usage("eu", 61, 214_400_000_000), usage("us", 9, 31_100_000_000), usage("au", 0, 0)],
            ingest: (0..14).map(day).collect(),
            streams: self.streams.iter().take(5).cloned().collect(),
            recordings,
        }
    }

    pub(super) fn page_of_streams(&self, filter: &StreamFilter) -> StreamPage {
        let fits = |stream: &&StreamRow| {
            filter.state.map_or(stream.state != StreamState::Deleted, |state| stream.state == state)
                && filter.tag.as_ref().is_none_or(|tag| stream.tags.as_slice().contains(tag))
                && filter.search.as_ref().is_none_or(|part| stream.streamname.as_str().contains(part.as_str()))
        };
        let mut rows: Vec<_> = self.streams.iter().filter(fits).cloned().collect();
        if filter.sort == StreamSort::Name {
            rows.sort_by(|a, b| a.streamname.cmp(&b.streamname));
        }
        let total = rows.len() as u64;
        let size = filter.page_size as usize;
        let rows = rows.into_iter().skip((filter.page as usize - 1) * size).take(size).collect();
        let tags = ["archive", "hall-2", "public", "rehearsal"].map(String::from).to_vec();
        StreamPage { rows, total, counts: self.counts(), tags }
    }
}
