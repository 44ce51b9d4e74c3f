//! A growing recording at one instant, as a plain MP4: the index so far in front of the media so far. Its bytes never change, however the recording goes on.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::conditional::Validators;
use super::file::{Readable, buffer, on_disk, parts, read_cached};
use crate::record::GrowingFile;
use crate::storage::Turns;

/// What is known of it beside its front, which is many times larger and made again where it is wanted again.
#[derive(Debug)]
pub struct Snapshot {
    reads: Turns,
    file: GrowingFile,
    media_bytes: u64,
    front_bytes: u64,
    pub validators: Validators,
}

impl Snapshot {
    /// `seen_at` is when somebody was first told of it.
    pub fn new(reads: Turns, file: GrowingFile, media_bytes: u64, front_bytes: u64, seen_at: SystemTime) -> Self {
        let seconds = seen_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let etag = format!("\"{media_bytes:x}-{front_bytes:x}-upto\"");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Self { reads, file, media_bytes, front_bytes, validators: Validators::new(etag, modified) }
    }

    pub fn media_bytes(&self) -> u64 {
        self.media_bytes
    }

    pub fn front_bytes(&self) -> u64 {
        self.front_bytes
    }

    pub fn size_bytes(&self) -> u64 {
        self.front_bytes + self.media_bytes
    }

    /// Whether some of the range lies in the front.
    pub fn begins_in_front(&self, range: &Range<u64>) -> bool {
        range.start < self.front_bytes
    }

    /// The range's bytes. `front` is wanted where the range begins in it, and let go as soon as it has been handed on.
    pub fn body(self: Arc<Self>, front: Option<Bytes>, range: Range<u64>) -> Body {
        let in_front = range.start.min(self.front_bytes) as usize..range.end.min(self.front_bytes) as usize;
        let front = front.map(|front| Ok(front.slice(in_front)));
        let in_media = range.start.max(self.front_bytes) - self.front_bytes..range.end.max(self.front_bytes) - self.front_bytes;
        Body::from_stream(stream::iter(front).chain(parts(self, in_media)))
    }
}

/// Ranges are of the media.
impl Readable for Snapshot {
    async fn read(self: &Arc<Self>, range: &Range<u64>) -> io::Result<Bytes> {
        let (mut buffer, start) = (buffer(range), range.start);
        // Where the recorder is just moving the media, that is waited for on a thread that may wait.
        if let Some(Some(read)) = self.file.try_read(|file, begin| read_cached(file, &mut buffer, begin + start)) {
            buffer.truncate(read);
            return Ok(buffer.into());
        }
        let this = Arc::clone(self);
        let read = move || this.file.read_exact_at(&mut buffer, start).map(|()| buffer);
        Ok(on_disk(&self.reads, read).await?.into())
    }
}
