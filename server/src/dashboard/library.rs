//! The library from the services' terms to the pages', and back: filters to searches, listed recordings to rows.

use afterlive_app::backend::{Answer, BackendError, Keeping, LibraryFilter, LibraryPage, LibraryRow, RecordingPage, Shelf};
use afterlive_domain::{AssetState, Role, StreamId};

use super::present::recording_row;
use crate::db::asset_search::{Listed, Search};
use crate::publish_key::bare_name;
use crate::service::playback::Pass;
use crate::service::{Accounted, AssetList, AssetPage, Service};

/// The page sizes that the library knows.
const PAGE_SIZES: [u32; 3] = [25, 50, 100];

/// What the filter asks of the service; `stream` is the one that its text names.
pub(super) fn asset_list(filter: LibraryFilter, stream: Option<StreamId>) -> AssetList {
    let LibraryFilter { shelf, stream: _, tag, region, search: text, from, to, page_size, cursor } = filter;
    AssetList {
        search: Search {
            stream,
            tags: tag.into_iter().collect(),
            region,
            state: shelf.and_then(Shelf::state),
            held: shelf == Some(Shelf::Held),
            text: text.map(|text| bare_name(&text).to_owned()),
            from,
            to,
        },
        after: cursor.and_then(|cursor| cursor.parse().ok()),
        limit: PAGE_SIZES.into_iter().rev().find(|size| *size <= page_size).unwrap_or(PAGE_SIZES[0]),
    }
}

pub(super) fn page(service: &Service, page: AssetPage, tags: Vec<String>, role: Role, pass: Option<&Pass>) -> LibraryPage {
    LibraryPage {
        rows: page.assets.into_iter().filter_map(|listed| row(service, listed, pass)).collect(),
        next: page.next.map(|place| place.to_string()),
        regions: service.regions().iter().map(|store| store.name().clone()).collect(),
        tags,
        bin_days: service.config().retention.bin_days,
        role,
    }
}

/// `None` where its region is not configured any more, so that it has no URL.
fn row(service: &Service, listed: Listed, pass: Option<&Pass>) -> Option<LibraryRow> {
    let Listed { asset, tags } = listed;
    let keeping = Keeping {
        hold: asset.hold.clone(),
        binned_at: asset.deleted_at.filter(|_| asset.state == AssetState::Deleted),
        restorable_until: service.restorable_until(&asset),
        purged_at: asset.purged_at,
    };
    let mut recording = recording_row(service, asset, pass, None)?;
    // Its poster lies in the bin too, where no URL leads.
    if keeping.binned_at.is_some() {
        recording.poster_url = None;
    }
    Some(LibraryRow { recording, tags, keeping })
}

pub(super) fn recording(
    service: &Service,
    listed: Listed,
    account: Accounted,
    has_stream: bool,
    role: Role,
    pass: Option<&Pass>,
) -> Answer<RecordingPage> {
    let ended_at = account.asset.ended_at.filter(|_| account.asset.state != AssetState::Recording);
    let row = row(service, listed, pass).ok_or(BackendError::NotFound)?;
    let bin_days = service.config().retention.bin_days;
    Ok(RecordingPage { row, has_stream, ended_at, report: account.report, bin_days, role })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_is_a_state_or_the_holds() {
        let search = |shelf| asset_list(LibraryFilter { shelf, ..LibraryFilter::default() }, None).search;
        assert_eq!(search(None), Search::default());
        assert_eq!(search(Some(Shelf::Bin)), Search { state: Some(AssetState::Deleted), ..Search::default() });
        assert_eq!(search(Some(Shelf::Held)), Search { held: true, ..Search::default() });
    }

    #[test]
    fn a_page_size_is_one_of_the_offered_and_a_broken_cursor_is_the_first_page() {
        let list = |page_size, cursor: &str| {
            asset_list(LibraryFilter { page_size, cursor: Some(cursor.to_owned()), ..LibraryFilter::default() }, None)
        };
        assert_eq!([0, 60, 1_000].map(|size| list(size, "x").limit), [25, 50, 100]);
        assert_eq!(list(25, "nonsense").after, None);
        let place = "1793812159000.5f86a12f-3801-415a-b450-6b6a46842349";
        assert_eq!(list(25, place).after.map(|place| place.to_string()).as_deref(), Some(place));
    }
}
