//! Whether what the database says lies in the folders and what lies there agree: told in the log at each start, beside all else. Nothing is changed or removed by it: which of
//! the two is wrong a person must say.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use afterlive_domain::Region;
use tokio::task::spawn_blocking;

use super::{FinaliseError, Finaliser};
use crate::db::asset_mending::{known_names, playable_after};
use crate::storage::{Key, RegionStore};

/// So many are looked at before others have their turn.
const BATCH: usize = 500;
/// So many of a kind are named in the log; of all others the number.
const NAMED: usize = 20;

/// What does not agree.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stock {
    /// Recordings that can be played, as the database has it, and whose file is not in its place.
    pub rows_without_file: usize,
    /// Files with a recording's name that no row has.
    pub files_without_row: usize,
}

/// Looks at each recording of each region. Takes as long as a look at each file's name, and stops where it is dropped.
///
/// # Errors
/// Where the database or a folder cannot be read.
pub async fn take_stock(finaliser: &Finaliser) -> Result<Stock, FinaliseError> {
    let mut stock = Stock::default();
    for store in finaliser.regions.iter() {
        rows(finaliser, store, &mut stock).await?;
        files(finaliser, store, &mut stock).await?;
    }
    if stock != Stock::default() {
        let Stock { rows_without_file, files_without_row } = stock;
        tracing::error!(rows_without_file, files_without_row, "what the database says and what the folders have does not agree");
    }
    Ok(stock)
}

async fn rows(finaliser: &Finaliser, store: &RegionStore, stock: &mut Stock) -> Result<(), FinaliseError> {
    let mut last = None;
    loop {
        let some = playable_after(&mut finaliser.db.read().await?, store.name(), last, BATCH).await?;
        let Some((id, _)) = some.last() else { return Ok(()) };
        last = Some(*id);
        let missing = in_region(finaliser, store.name(), move |store| {
            let is_missing = |name: &str| Key::from_file_name(name).is_some_and(|key| !store.path(&key).exists());
            Ok(some.into_iter().filter(|(_, name)| is_missing(name)).collect::<Vec<_>>())
        });
        for (id, name) in missing.await? {
            // It may have been deleted since, or moved to another disk that is away.
            if store.require().is_err() || !finaliser.read(id).await?.is_some_and(|asset| asset.state.is_playable()) {
                continue;
            }
            stock.rows_without_file += 1;
            if stock.rows_without_file <= NAMED {
                tracing::error!(asset = %id, file = name, region = %store.name(), "the file of a recording is not in its place: bring it back from a copy, or delete the recording");
            }
        }
    }
}

async fn files(finaliser: &Finaliser, store: &RegionStore, stock: &mut Stock) -> Result<(), FinaliseError> {
    let folders = in_region(finaliser, store.name(), |store| names_in(store.folder(), |name| !name.starts_with('.'))).await?;
    for folder in folders {
        let listed = folder.clone();
        let listing = in_region(finaliser, store.name(), move |store| {
            names_in(&store.folder().join(&listed), |name| Key::parse(&format!("{listed}/{name}")).is_some())
        });
        for names in listing.await?.chunks(BATCH) {
            let known: HashSet<String> = known_names(&mut finaliser.db.read().await?, names).await?.into_iter().collect();
            for name in names.iter().filter(|name| !known.contains(*name)) {
                stock.files_without_row += 1;
                if stock.files_without_row <= NAMED {
                    tracing::error!(file = %store.folder().join(&folder).join(name).display(), "the database knows nothing of this recording, whose name no other gets: was the database restored from an older copy?");
                }
            }
        }
    }
    Ok(())
}

/// The names in a folder; none where it is no folder.
fn names_in(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| wanted(name)));
    }
    Ok(names)
}

async fn in_region<T: Send + 'static>(
    finaliser: &Finaliser,
    region: &Region,
    look: impl FnOnce(&RegionStore) -> io::Result<T> + Send + 'static,
) -> Result<T, FinaliseError> {
    let (regions, region) = (finaliser.regions.clone(), region.clone());
    let looking = spawn_blocking(move || match regions.get(&region) {
        Some(store) => look(store),
        None => Err(io::ErrorKind::NotFound.into()),
    });
    Ok(looking.await.map_err(io::Error::other)??)
}
