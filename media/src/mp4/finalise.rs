//! How a recording becomes a plain MP4: which bytes go where, in which order.
//!
//! Pure: the steps are data, and whoever has the file carries them out. Every plan keeps the promise that the file plays before and after each single
//! step, and so after a crash between any two of them.
//!
//! **In place.** The reserve is one free box. Into its body go the full moov, a free box that pads, and at its very end the header of an mdat that
//! spans all the rest of the file, old head and fragments included; all of it is invisible. Once that is synced, one aligned write of
//! 4 bytes shrinks the free box to end before the moov:
//!
//! ```text
//! ftyp | free(R)                          | moov+mvex | (moof mdat)*
//! ftyp | free | moov | free | mdat (64 bit) ----------------------->
//! ```
//!
//! **With room inserted.** Where the moov does not fit, the reserve is first enlarged by inserting a range of file system blocks
//! (`FALLOC_FL_INSERT_RANGE`), which moves all that follows without rewriting it. Fragments do not mind: their offsets are relative. But a box whose body grows
//! would end too early. So before `n` bytes are inserted at `p`, the header of a free box of `n` bytes is written `n` bytes before the reserve's
//! end `e`, where it is part of the free box's body. Inserting moves it to `e`, exactly behind the free box, which still has its old size;
//! and it ends where the head's moov now begins. Then the two free boxes are made one by a 4-byte write of the first one's size. `n` can be at most
//! `e − p`, so this is repeated, and doubles the reserve each time.
//!
//! ```text
//! ftyp | free(e) .......[p ... {free n}........ | moov+mvex | …      the header in braces is not seen
//! ftyp | free(e) .......[p 000000000000000000000|{free n}.......| moov+mvex | …
//! ```
//!
//! The one gap is the inserting itself: file systems journal it, but those that move many extents may do so in several transactions, so that a loss of power
//! (not of the process) within that one call can leave the file torn.
//!
//! **By copy.** Where neither works: a new file of ftyp, moov and mdat header, then the old file from the reserve's end on, then a rename. Both parts are
//! whole blocks, so that the copy can be a reflink.

use bytes::Bytes;

use super::boxes::{HEADER_BYTES, LARGE_HEADER_BYTES, free_header, ftyp, large_mdat_header};
use super::moov::{self, Placement};
use super::{Layout, Recording};

/// One thing to do to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write these bytes here. Four bytes are one write, which must not be split.
    Write { offset: u64, bytes: Bytes },
    /// `fdatasync`: what was done before must be on disk before what follows.
    Sync,
    /// `fallocate(FALLOC_FL_INSERT_RANGE)`: both are multiples of the file system's block size. Where the first of a plan fails for want
    /// of support, nothing has happened to the file, and the copy is to be taken.
    InsertRange { offset: u64, length: u64 },
}

impl Step {
    /// Does it to a file in memory: for tests and simulations.
    ///
    /// # Panics
    /// Where the step points beyond the end of the file.
    pub fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => file[*offset as usize..][..bytes.len()].copy_from_slice(bytes),
            Self::Sync => {}
            Self::InsertRange { offset, length } => {
                let at = *offset as usize;
                file.splice(at..at, std::iter::repeat_n(0, *length as usize));
            }
        }
    }
}

/// A new file: `head`, then the bytes of the old one in `source`. To be written beside it, synced, and renamed over it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyPlan {
    pub head: Bytes,
    pub source: std::ops::Range<u64>,
}

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FinalisePlan {
    /// The reserve holds the moov.
    InPlace(Vec<Step>),
    /// The reserve must grow first. Where the file system refuses, [`copy`] is the way.
    InsertRange(Vec<Step>),
    Copy(CopyPlan),
}

/// Why there is no plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// There is not one sample: nothing to make a file of.
    #[error("the recording has no samples")]
    Empty,
    /// The moov does not fit.
    #[error("the reserve would have to be {reserve_bytes} bytes")]
    NeedsRoom { reserve_bytes: u64 },
}

/// The cheapest plan. `file_length` is that of the file as it is, a torn last fragment included. `insert_block_bytes` is the block size of the file system, where that
/// may be able to insert a range.
///
/// # Errors
/// [`PlanError::Empty`].
pub fn plan(recording: &Recording, file_length: u64, insert_block_bytes: Option<u32>) -> Result<FinalisePlan, PlanError> {
    match in_place(recording, file_length) {
        Err(PlanError::NeedsRoom { .. }) => {}
        done => return done.map(FinalisePlan::InPlace),
    }
    if let Some(block_bytes) = insert_block_bytes {
        match with_insert_range(recording, file_length, block_bytes) {
            Err(PlanError::NeedsRoom { .. }) => {}
            done => return done.map(FinalisePlan::InsertRange),
        }
    }
    copy(recording, file_length, insert_block_bytes.unwrap_or(4_096)).map(FinalisePlan::Copy)
}

/// The steps that finalise within the reserve as it is.
///
/// # Errors
/// Where the recording is empty or the moov does not fit.
pub fn in_place(recording: &Recording, file_length: u64) -> Result<Vec<Step>, PlanError> {
    if recording.index.is_empty() {
        return Err(PlanError::Empty);
    }
    let mut steps = Vec::new();
    join_reserve(&recording.layout, &mut steps);
    let placement = Placement { media_offset: recording.layout.media_offset, wide: is_wide(file_length) };
    let moov = moov::full(&recording.index, placement);
    lay_into_reserve(recording.layout.reserve_offset, recording.layout.reserve_bytes, moov, file_length, &mut steps)?;
    Ok(steps)
}

/// The steps that finalise within a reserve that is enlarged before.
///
/// # Errors
/// Where the recording is empty or the reserve has not a whole block to begin with.
pub fn with_insert_range(recording: &Recording, file_length: u64, block_bytes: u32) -> Result<Vec<Step>, PlanError> {
    if recording.index.is_empty() {
        return Err(PlanError::Empty);
    }
    // What is inserted moves the media, which may widen the chunk offsets: so room for wide ones is made in any case.
    let largest = moov::full(&recording.index, Placement { media_offset: 0, wide: true }).len() as u64;
    let needed_bytes = reserve_for(largest);

    let mut steps = Vec::new();
    let mut layout = recording.layout;
    join_reserve(&layout, &mut steps);
    while let Some(missing) = needed_bytes.checked_sub(layout.reserve_bytes.into()).filter(|missing| *missing > 0) {
        let enlarged = insert(&layout, missing, block_bytes, &mut steps);
        layout = enlarged.ok_or(PlanError::NeedsRoom { reserve_bytes: needed_bytes })?;
    }
    let file_length = file_length + (layout.media_offset - recording.layout.media_offset);
    let placement = Placement { media_offset: layout.media_offset, wide: is_wide(file_length) };
    let moov = moov::full(&recording.index, placement);
    lay_into_reserve(layout.reserve_offset, layout.reserve_bytes, moov, file_length, &mut steps)?;
    Ok(steps)
}

/// The steps that bring a finished file back to what it was while it grew: one write of 4 bytes covers the index and the mdat's header with the reserve's
/// free box again. Fragments can then be appended, and the file be finalised anew. `layout` is what [`salvage`](super::salvage) found.
#[must_use]
pub fn reopen(layout: &Layout) -> Vec<Step> {
    vec![resize_free(layout.reserve_offset, layout.reserve_bytes), Step::Sync]
}

/// The reserve that a moov of so many bytes takes.
pub(super) fn reserve_for(moov_bytes: u64) -> u64 {
    moov_bytes + u64::from(2 * HEADER_BYTES + LARGE_HEADER_BYTES)
}

/// Adds the steps that enlarge the reserve, one free box so far, by at least `missing` bytes where that is possible, else to twice its size. Returns where
/// everything lies then; `None`, and no steps, where it cannot be enlarged.
pub(super) fn insert(layout: &Layout, missing: u64, block_bytes: u32, steps: &mut Vec<Step>) -> Option<Layout> {
    let block = u64::from(block_bytes.max(1));
    let insert_at = (layout.reserve_offset + u64::from(HEADER_BYTES)).next_multiple_of(block);
    let end = layout.reserve_end();
    let at_most = end.saturating_sub(insert_at) / block * block;
    let inserted = missing.min(at_most).next_multiple_of(block);
    if inserted < u64::from(HEADER_BYTES) {
        return None;
    }
    let inserted_32 = u32::try_from(inserted).ok()?;
    let joined = layout.reserve_bytes.checked_add(inserted_32)?;
    steps.push(Step::Write { offset: end - inserted, bytes: free_header(inserted_32) });
    steps.push(Step::Sync);
    steps.push(Step::InsertRange { offset: insert_at, length: inserted });
    steps.push(Step::Sync);
    steps.push(resize_free(layout.reserve_offset, joined));
    steps.push(Step::Sync);
    let media_offset = layout.media_offset + inserted;
    Some(Layout { reserve_bytes: joined, first_free_bytes: joined, media_offset, ..*layout })
}

/// The plan for a new file. `block_bytes` is what its parts are aligned to.
///
/// # Errors
/// Where the recording is empty.
pub fn copy(recording: &Recording, file_length: u64, block_bytes: u32) -> Result<CopyPlan, PlanError> {
    if recording.index.is_empty() {
        return Err(PlanError::Empty);
    }
    let block = u64::from(block_bytes.max(1));
    let source = recording.layout.reserve_end() / block * block..file_length;
    let mut head = ftyp(&recording.index);
    let largest = moov::full(&recording.index, Placement { media_offset: 0, wide: true }).len() as u64;
    let head_bytes = (head.len() as u64 + reserve_for(largest)).next_multiple_of(block);
    let length = head_bytes + (source.end - source.start);
    let media_offset = head_bytes + (recording.layout.media_offset - source.start);
    let placement = Placement { media_offset, wide: is_wide(length) };
    // By this box the file is reopened, as one that was finalised in place.
    head.extend_from_slice(&free_header(HEADER_BYTES));
    head.extend_from_slice(&moov::full(&recording.index, placement));
    let padding = head_bytes - head.len() as u64 - u64::from(LARGE_HEADER_BYTES);
    head.extend_from_slice(&free_header(padding as u32));
    head.resize((head_bytes - u64::from(LARGE_HEADER_BYTES)) as usize, 0);
    head.extend_from_slice(&large_mdat_header(length - head_bytes + u64::from(LARGE_HEADER_BYTES)));
    Ok(CopyPlan { head: Bytes::from(head), source })
}

/// Chunk offsets beyond 32 bits are possible in a file of this length.
fn is_wide(file_length: u64) -> bool {
    u32::try_from(file_length).is_err()
}

fn resize_free(offset: u64, bytes: u32) -> Step {
    Step::Write { offset, bytes: Bytes::copy_from_slice(&bytes.to_be_bytes()) }
}

/// Makes one free box of the several that a crash left.
fn join_reserve(layout: &Layout, steps: &mut Vec<Step>) {
    if layout.first_free_bytes != layout.reserve_bytes {
        steps.push(resize_free(layout.reserve_offset, layout.reserve_bytes));
        steps.push(Step::Sync);
    }
}

/// Fills the one free box at `offset` and uncovers what is in it.
fn lay_into_reserve(offset: u64, bytes: u32, moov: Vec<u8>, file_length: u64, steps: &mut Vec<Step>) -> Result<(), PlanError> {
    let needed_bytes = moov.len() as u64 + u64::from(HEADER_BYTES + LARGE_HEADER_BYTES);
    let Some(slack) = u64::from(bytes).checked_sub(needed_bytes) else {
        return Err(PlanError::NeedsRoom { reserve_bytes: needed_bytes });
    };
    let slack = slack as u32; // less than `bytes`
    // Padding of less than a header's length goes into the free box in front.
    let (front, padding) = if slack < HEADER_BYTES { (HEADER_BYTES + slack, 0) } else { (HEADER_BYTES, slack) };
    let mut body = moov;
    if padding > 0 {
        body.extend_from_slice(&free_header(padding));
    }
    let mdat = offset + u64::from(bytes - LARGE_HEADER_BYTES);
    steps.push(Step::Write { offset: offset + u64::from(front), bytes: Bytes::from(body) });
    steps.push(Step::Write { offset: mdat, bytes: Bytes::copy_from_slice(&large_mdat_header(file_length - mdat)) });
    steps.push(Step::Sync);
    steps.push(resize_free(offset, front));
    steps.push(Step::Sync);
    Ok(())
}
