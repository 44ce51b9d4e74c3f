//! Reading finished files for many viewers at once: shared descriptors, and reads that do not leave the async thread where the page cache has the bytes.
//!
//! No mmap: a file cut short under a map is a SIGBUS, and a page fault would stop a runtime thread.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use tokio::sync::Semaphore;

use super::conditional::Validators;

/// What one read takes, and so what one viewer's answer holds in memory.
const CHUNK_BYTES: u64 = 128 * 1024;
/// Descriptors kept open for the next request. The least recently used one goes when there are more.
const MAX_OPEN_FILES: usize = 256;
/// Reads that wait for a disk at a time. The recorder's writes use the same threads, and find one free however slow the disk is.
const DISK_READS_AT_ONCE: usize = 64;
/// For how long a name is taken to mean the file that it meant. A deleted recording can be seen for so much longer.
const FRESH: Duration = Duration::from_secs(1);

static DISK_READS: Semaphore = Semaphore::const_new(DISK_READS_AT_ONCE);

/// Runs what may have to wait for the disk.
async fn on_disk<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let place = DISK_READS.acquire().await.map_err(io::Error::other)?;
    // The read goes on where the viewer has gone, and keeps its place as long.
    let reading = move || {
        let _place = place;
        act()
    };
    tokio::task::spawn_blocking(reading).await.map_err(io::Error::other)?
}

/// A file, opened once for all who read it.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    pub size_bytes: u64,
    pub validators: Validators,
}

impl OpenFile {
    /// `None` where there is no such file.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Ok(None);
        }
        let (seconds, nanoseconds, size_bytes) = (facts.mtime(), facts.mtime_nsec(), facts.len());
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        // Strong: a finished file is never written again, and one that took its place would have another time to the nanosecond.
        let etag = format!("\"{seconds:x}.{nanoseconds:x}-{size_bytes:x}\"");
        Ok(Some(Self { file, size_bytes, validators: Validators { etag, modified } }))
    }

    /// Reads up to [`CHUNK_BYTES`] of the range. Never nothing: a file that ends too early is an error.
    async fn read(self: &Arc<Self>, range: &Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from((range.end - range.start).min(CHUNK_BYTES)).map_err(io::Error::other)?;
        let mut buffer = vec![0; length];
        if let Some(read) = self.read_cached(&mut buffer, range.start) {
            buffer.truncate(read);
            return Ok(buffer.into());
        }
        let (this, start) = (Arc::clone(self), range.start);
        Ok(on_disk(move || this.file.read_exact_at(&mut buffer, start).map(|()| buffer)).await?.into())
    }

    /// Takes what is in memory already; `None` where the disk has to be asked.
    #[cfg(target_os = "linux")]
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> Option<usize> {
        use rustix::io::{ReadWriteFlags, preadv2};
        let mut slices = [io::IoSliceMut::new(buffer)];
        preadv2(&self.file, &mut slices, offset, ReadWriteFlags::NOWAIT).ok().filter(|read| *read > 0)
    }

    #[cfg(not(target_os = "linux"))]
    fn read_cached(&self, _buffer: &mut [u8], _offset: u64) -> Option<usize> {
        None
    }

    /// The range's bytes, read as fast as the viewer takes them. The connection breaks off where the file does not hold them.
    pub fn body(self: Arc<Self>, range: Range<u64>) -> Body {
        Body::from_stream(stream::try_unfold(range, move |range| {
            let file = Arc::clone(&self);
            async move {
                if range.is_empty() {
                    return Ok::<_, io::Error>(None);
                }
                let chunk = file.read(&range).await?;
                let rest = range.start + chunk.len() as u64..range.end;
                Ok(Some((chunk, rest)))
            }
        }))
    }
}

/// The files that were asked for lately.
#[derive(Debug, Default)]
pub struct OpenFiles {
    entries: Mutex<HashMap<PathBuf, Entry>>,
}

#[derive(Debug)]
struct Entry {
    file: Arc<OpenFile>,
    opened_at: Instant,
    used_at: Instant,
}

impl OpenFiles {
    /// The file as it is, or was less than [`FRESH`] before `now`; `None` where there is none.
    ///
    /// # Errors
    /// Where the disk fails.
    pub async fn get(&self, path: PathBuf, now: Instant) -> io::Result<Option<Arc<OpenFile>>> {
        if let Some(file) = self.fresh(&path, now) {
            return Ok(Some(file));
        }
        let (path, file) = on_disk(move || OpenFile::open(&path).map(|file| (path, file))).await?;
        let file = file.map(Arc::new);
        self.keep(path, file.clone(), now);
        Ok(file)
    }

    fn fresh(&self, path: &Path, now: Instant) -> Option<Arc<OpenFile>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get_mut(path)?;
        entry.used_at = now;
        (now.duration_since(entry.opened_at) < FRESH).then(|| Arc::clone(&entry.file))
    }

    fn keep(&self, path: PathBuf, file: Option<Arc<OpenFile>>, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file else {
            entries.remove(&path);
            return;
        };
        entries.insert(path, Entry { file, opened_at: now, used_at: now });
        if entries.len() > MAX_OPEN_FILES
            && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| entry.used_at).map(|(path, _)| path.clone())
        {
            entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    #[tokio::test]
    async fn a_range_is_read_in_chunks_and_a_file_cut_short_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        std::fs::write(&path, &bytes).unwrap();
        let files = OpenFiles::default();
        let file = files.get(path.clone(), Instant::now()).await.unwrap().unwrap();

        let chunks: Vec<Bytes> = Arc::clone(&file).body(10..299_999).into_data_stream().try_collect().await.unwrap();
        assert_eq!(chunks.concat(), bytes[10..299_999]);
        assert!(chunks.iter().all(|chunk| chunk.len() as u64 <= CHUNK_BYTES));

        File::options().write(true).open(&path).unwrap().set_len(200_000).unwrap();
        assert!(file.body(0..300_000).into_data_stream().try_collect::<Vec<_>>().await.is_err());
    }

    #[tokio::test]
    async fn a_removed_file_is_gone_within_a_second_and_the_oldest_descriptor_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |n: usize| folder.path().join(n.to_string());
        let files = OpenFiles::default();
        let mut now = Instant::now();
        for n in 0..=MAX_OPEN_FILES {
            std::fs::write(path(n), b"x").unwrap();
            assert!(files.get(path(n), now).await.unwrap().is_some());
            now += Duration::from_millis(1);
        }
        assert_eq!(files.entries.lock().unwrap().len(), MAX_OPEN_FILES);
        assert!(!files.entries.lock().unwrap().contains_key(&path(0)));

        std::fs::remove_file(path(7)).unwrap();
        assert!(files.get(path(7), now).await.unwrap().is_some());
        now += FRESH;
        assert!(files.get(path(7), now).await.unwrap().is_none());
        assert!(files.get(folder.path().to_owned(), now).await.unwrap().is_none());
    }
}
