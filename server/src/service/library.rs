//! The library: an organisation's recordings found, deleted, restored, and kept by legal hold. Deleting is a way to the bin; what empties the bin is
//! retention's, not a caller's.

use afterlive_domain::asset::{Hold, hold_note};
use afterlive_domain::{Act, AssetId, AssetState, Error as Refusal, Permission, UnixMillis};

use super::write::Note;
use super::{Caller, Identity, Result, Service};
use crate::db::asset_search::{self, Listed, Place, Search};
use crate::db::assets::{self, Asset};
use crate::db::counts::DAY_MS;
use crate::db::{api_keys, retention, users};
use crate::jobs::{self, Task};
use crate::storage::{Key, Restored};

/// The most recordings on a page.
pub const MAX_PAGE: u32 = 1_000;

/// Which page of which recordings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssetList {
    pub search: Search,
    /// Behind this place; `None` for the first page.
    pub after: Option<Place>,
    /// At most [`MAX_PAGE`] are given.
    pub limit: u32,
}

#[derive(Clone, PartialEq, Debug)]
pub struct AssetPage {
    /// Newest first.
    pub assets: Vec<Listed>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Place>,
}

impl Service {
    /// A page of the organisation's recordings; those in the bin where the search asks for the state `deleted`. What was removed for good is on none.
    ///
    /// # Errors
    /// `Denied` where the caller may not read; `TooMany` where too much is searched at once.
    pub async fn assets(&self, caller: &Caller, list: &AssetList) -> Result<AssetPage> {
        caller.require(Permission::Read)?;
        let limit = list.limit.min(MAX_PAGE);
        let _place = self.turn_to_search(caller, list.search.reads_far()).await?;
        let mut connection = self.db.read().await?;
        // One more than asked for tells whether there is a next page.
        let mut assets =
            asset_search::page(&mut connection, caller.organisation, &list.search, list.after.as_ref(), limit + 1).await?;
        let more = assets.len() > limit as usize;
        assets.truncate(limit as usize);
        let next = assets.last().filter(|_| more).map(Listed::place);
        Ok(AssetPage { assets, next })
    }

    /// How many recordings match, on all pages. Looks at each of them, so it is nothing to ask for every second.
    ///
    /// # Errors
    /// As [`Service::assets`].
    pub async fn count_assets(&self, caller: &Caller, search: &Search) -> Result<u64> {
        caller.require(Permission::Read)?;
        let _place = self.turn_to_search(caller, search.reads_far()).await?;
        Ok(asset_search::count(&mut self.db.read().await?, caller.organisation, search).await?)
    }

    /// One recording, whatever its state, also in the bin and after it was removed for good.
    ///
    /// # Errors
    /// `Denied` where the caller may not read; `NoSuchAsset`, also where it is another organisation's.
    pub async fn asset(&self, caller: &Caller, id: AssetId) -> Result<Listed> {
        caller.require(Permission::Read)?;
        let found = asset_search::by_id(&mut self.db.read().await?, id).await?;
        let found = found.filter(|found| found.asset.organisation == caller.organisation);
        Ok(found.ok_or(Refusal::NoSuchAsset { asset: id })?)
    }

    /// Takes a recording to the bin, where it can be restored until [`Service::restorable_until`]. Deleting a second time changes nothing.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchAsset`; `WrongState` while it is being recorded; `Held` while it is under legal hold.
    pub async fn delete_asset(&self, caller: &Caller, id: AssetId) -> Result<Listed> {
        let now = self.clock.now();
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if assets::delete(&mut tx, caller.organisation, id, now).await? {
            jobs::enqueue(&mut tx, Task::Place { asset: id }, now).await?;
            tx.commit(Note::of(Act::RecordingBinned, id)).await?;
            tracing::info!(asset = %id, by = %caller.identity, "a recording goes to the bin");
            let found = self.asset(caller, id).await?;
            self.with_restored(&found.asset, Restored::forget);
            return Ok(found);
        }
        tx.roll_back();
        let found = self.asset(caller, id).await?;
        match found.asset {
            Asset { state: AssetState::Deleted, .. } => Ok(found),
            Asset { hold: Some(_), .. } => Err(Refusal::Held { asset: id }.into()),
            Asset { state, .. } => Err(Refusal::WrongState { state: state.to_string() }.into()),
        }
    }

    /// Brings a recording back from the bin, under its name, as it was. Its age begins anew, so that retention does not take it again at once. Restoring
    /// what is not in the bin changes nothing.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchAsset`; `Purged` where it was removed for good.
    pub async fn restore_asset(&self, caller: &Caller, id: AssetId) -> Result<Listed> {
        let now = self.clock.now();
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if assets::restore(&mut tx, caller.organisation, id, now).await? {
            // Before anybody hears of it: whoever asks for the files then waits until the job has moved them.
            if let Some(asset) = assets::by_id(&mut tx, id).await? {
                self.with_restored(&asset, Restored::expect);
            }
            jobs::enqueue(&mut tx, Task::Place { asset: id }, now).await?;
            tx.commit(Note::of(Act::RecordingRestored, id)).await?;
            tracing::info!(asset = %id, by = %caller.identity, "a recording is restored from the bin");
        } else {
            tx.roll_back();
        }
        self.not_purged(caller, id).await
    }

    /// Puts a recording under legal hold: until it is lifted nobody deletes it, neither by itself nor with its stream, retention passes it over, and what is
    /// in the bin stays there and can be restored. Who and when of a hold that is there already stay; a note that is given replaces its note.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchAsset`; for `note` where it is too long; `Purged` where it was removed for good.
    pub async fn hold_asset(&self, caller: &Caller, id: AssetId, note: Option<&str>) -> Result<Listed> {
        caller.require(Permission::Administer)?;
        let note = hold_note(note.unwrap_or_default())?;
        let hold = Hold { at: self.clock.now(), by: self.name_of(caller).await?, note };
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if retention::hold(&mut tx, caller.organisation, id, &hold).await? {
            tx.commit(Note::of(Act::RecordingHeld, id).saying(hold.note.unwrap_or_default())).await?;
            tracing::info!(asset = %id, by = %caller.identity, "a recording is under legal hold");
        } else {
            tx.roll_back();
        }
        self.not_purged(caller, id).await
    }

    /// Ends a legal hold. Where there is none, nothing happens.
    ///
    /// # Errors
    /// `Denied` for all but admins; `NoSuchAsset`.
    pub async fn lift_hold(&self, caller: &Caller, id: AssetId) -> Result<Listed> {
        let mut tx = self.write_as(caller, Permission::Administer).await?;
        if retention::lift_hold(&mut tx, caller.organisation, id, self.clock.now()).await? {
            tx.commit(Note::of(Act::HoldLifted, id)).await?;
            tracing::info!(asset = %id, by = %caller.identity, "a recording's legal hold is lifted");
        } else {
            tx.roll_back();
        }
        self.asset(caller, id).await
    }

    /// Until when a recording in the bin can be restored: it is removed soon after, or earlier where its region runs out of room. `None` for what is not in
    /// the bin, or under legal hold, which has no end.
    #[must_use]
    pub fn restorable_until(&self, asset: &Asset) -> Option<UnixMillis> {
        let deleted_at = asset.deleted_at.filter(|_| asset.purged_at.is_none() && asset.hold.is_none())?;
        let days = i64::try_from(self.config.retention.bin_days).unwrap_or(0);
        Some(deleted_at.plus_ms(days * DAY_MS))
    }

    fn with_restored(&self, asset: &Asset, tell: impl FnOnce(&Restored, &Key)) {
        if let (Some(store), Some(key)) = (self.regions.get(&asset.region), Key::from_file_name(&asset.file_name)) {
            tell(store.restored(), &key);
        }
    }

    async fn not_purged(&self, caller: &Caller, id: AssetId) -> Result<Listed> {
        let found = self.asset(caller, id).await?;
        if found.asset.purged_at.is_some() { Err(Refusal::Purged { asset: id }.into()) } else { Ok(found) }
    }

    /// As people know the caller.
    pub(super) async fn name_of(&self, caller: &Caller) -> Result<String> {
        let mut connection = self.db.read().await?;
        Ok(match caller.identity {
            Identity::User(id) | Identity::Token(id) => {
                users::by_id(&mut connection, id).await?.map_or_else(|| id.to_string(), |user| user.email)
            }
            Identity::Key(id) => {
                let key = api_keys::by_id(&mut connection, caller.organisation, id).await?;
                format!("API key {}", key.map_or_else(|| id.to_string(), |key| key.label))
            }
            Identity::Operator => "the server's operator".to_owned(),
        })
    }
}
