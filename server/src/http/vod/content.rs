//! What an answer is made of: a file as it lies there, or a recording as it was at some instant.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;

use super::conditional::Validators;
use super::file::{OpenFile, body};
use super::snapshot::Snapshot;
use super::snapshots::{Name, Snapshots};
use crate::http::sendfile::{FilePart, MIN_BYTES};

#[derive(Debug)]
pub enum Content<'a> {
    File(Arc<OpenFile>),
    Snapshot { snapshot: Arc<Snapshot>, all: &'a Snapshots, name: &'a Name },
}

impl Content<'_> {
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::File(file) => file.size_bytes,
            Self::Snapshot { snapshot, .. } => snapshot.size_bytes(),
        }
    }

    pub fn validators(&self) -> &Validators {
        match self {
            Self::File(file) => &file.validators,
            Self::Snapshot { snapshot, .. } => &snapshot.validators,
        }
    }

    /// The range as what a connection can send by itself, where that is worth while.
    pub fn part(&self, range: &Range<u64>) -> Option<FilePart> {
        match self {
            Self::File(file) if cfg!(target_os = "linux") && range.end - range.start >= MIN_BYTES => {
                Some(FilePart { file: Arc::clone(file) as _, range: range.clone() })
            }
            Self::File(_) | Self::Snapshot { .. } => None,
        }
    }

    /// The range's bytes; `None` where they are not to be had any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] where there is no room for them just now.
    pub async fn body(self, range: Range<u64>) -> io::Result<Option<Body>> {
        match self {
            Self::File(file) => Ok(Some(body(file, range).await?)),
            Self::Snapshot { snapshot, all, name } => {
                let front = if snapshot.begins_in_front(&range) {
                    match all.front(name, &snapshot, Instant::now()).await? {
                        None => return Ok(None),
                        front => front,
                    }
                } else {
                    None
                };
                Ok(Some(snapshot.body(front, range)))
            }
        }
    }
}
