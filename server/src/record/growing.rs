//! How far the recordings of this process have come, for who shows them: read from memory, so that a growing recording costs the database nothing.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use afterlive_domain::AssetId;

use crate::db::assets::Facts;

/// The recordings that grow in this process. Clones are handles to the same list.
#[derive(Clone, Default, Debug)]
pub struct Growing {
    entries: Arc<RwLock<HashMap<AssetId, State>>>,
}

#[derive(Clone, Default, Debug)]
struct State {
    facts: Facts,
    stalled: bool,
}

/// A recording's place in the list; dropping it takes it out.
#[derive(Debug)]
pub(super) struct Entry {
    list: Growing,
    asset: AssetId,
}

impl Growing {
    /// What is safe on disk so far; `None` for what does not grow here.
    #[must_use]
    pub fn facts(&self, asset: AssetId) -> Option<Facts> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&asset).map(|state| state.facts.clone())
    }

    /// How many of them wait for their storage.
    #[must_use]
    pub fn stalled(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).values().filter(|state| state.stalled).count()
    }

    pub(super) fn enter(&self, asset: AssetId, facts: Facts) -> Entry {
        let entry = Entry { list: self.clone(), asset };
        entry.set(facts);
        entry
    }
}

impl Entry {
    pub(super) fn set(&self, facts: Facts) {
        self.change(|state| state.facts = facts);
    }

    pub(super) fn set_stalled(&self, stalled: bool) {
        self.change(|state| state.stalled = stalled);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(self.list.entries.write().unwrap_or_else(PoisonError::into_inner).entry(self.asset).or_default());
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.list.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&self.asset);
    }
}
