//! A finished recording that everybody may watch, of which further pieces are asked for on the same connection. Here it is decided whether the answer would
//! still be the same in all but the piece; everything that takes longer than a look is left to the next whole request.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Instant;

use afterlive_domain::OrganisationHash;
use http::request::Parts;

use super::conditional::is_conditional;
use super::file::OpenFile;
use super::guard::Guard;
use super::range::{Asked, asked};
use super::snapshots::Name;
use crate::http::repeat::{PieceOf, Ranged};
use crate::http::request::is_each_logged;
use crate::http::sendfile::Sendable;
use crate::record::Growing;

/// A file, and what it is answered by.
struct Pieces {
    /// A connection that stands idle keeps no file open: how many are open is limited elsewhere.
    file: Weak<OpenFile>,
    name: Name,
    /// Of the name, put together once.
    file_name: String,
    organisation: OrganisationHash,
    guard: Arc<dyn Guard>,
    growing: Growing,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Pieces").field(&self.name).finish()
    }
}

/// `None` where an answer hangs on more than the range.
pub(super) fn of(
    file: &Arc<OpenFile>,
    name: &Name,
    request: &Parts,
    guard: &Arc<dyn Guard>,
    growing: &Growing,
) -> Option<PieceOf> {
    if is_conditional(&request.headers) {
        return None;
    }
    let (file, name, guard, growing) = (Arc::downgrade(file), name.clone(), Arc::clone(guard), growing.clone());
    let (file_name, organisation) = (name.key.file_name(), name.key.streamname().organisation_hash());
    Some(PieceOf(Arc::new(Pieces { file, name, file_name, organisation, guard, growing })))
}

impl Ranged for Pieces {
    fn piece(&self, range: &str) -> Option<(Range<u64>, u64)> {
        let file = self.file.upgrade()?;
        let is_same = file.is_fresh(Instant::now())
            && self.guard.is_public(&self.organisation) == Some(true)
            && self.growing.file(&self.name.region, &self.file_name).is_none();
        // Who wants a line for each request gets one.
        if !is_same || is_each_logged() {
            return None;
        }
        match asked(range, file.size_bytes) {
            Asked::Part(piece) => Some((piece, file.size_bytes)),
            Asked::Whole | Asked::Unsatisfiable => None,
        }
    }

    fn file(&self) -> Option<Arc<dyn Sendable>> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        self.file.upgrade().map(|file| file as _)
    }

    fn read(&self, start: u64, buffer: &mut [u8]) -> bool {
        self.file.upgrade().and_then(|file| file.read_at_once(start, buffer)) == Some(buffer.len())
    }
}
