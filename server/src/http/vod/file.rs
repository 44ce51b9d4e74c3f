//! Reading files for many viewers at once: shared descriptors, and reads that do not leave the async thread where the page cache has the bytes.
//!
//! No mmap: a file cut short under a map is a SIGBUS, and a page fault would stop a runtime thread.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};

use super::conditional::Validators;
use super::snapshots::Name;
use crate::http::sendfile::{Sendable, Sending, send_fast};
use crate::storage::{MediaPlace, MediaPlaces, RegionStore, SharedPlace, Turns};

/// What one read takes, and so what one viewer's answer holds in memory.
const CHUNK_BYTES: u64 = 128 * 1024;
/// Descriptors kept open for the next request. The least recently used one goes when there are more.
const MAX_OPEN_FILES: usize = 256;
/// For how long a name is taken to mean the file that it meant. A deleted recording can be seen for so much longer.
const FRESH: Duration = Duration::from_secs(1);
/// A descriptor that nobody has asked for so long is closed, with the next request for any or the next [`OpenFiles::tidy`]: the disk gets the room of a deleted file
/// back only then.
const IDLE: Duration = Duration::from_secs(60);

/// The kernel reads files into memory in runs of about as much, and forgets them in such runs.
const PROBE_BYTES: usize = 64 * 1024;

/// Something of which parts are sent.
pub(super) trait Readable: Send + Sync + 'static {
    /// Reads the beginning of the range, as much as is well sent at a time. Never nothing: what ends too early is an error.
    fn read(self: &Arc<Self>, range: &Range<u64>) -> impl Future<Output = io::Result<Bytes>> + Send;
}

/// The range's bytes, read as fast as the viewer takes them. The connection breaks off where they are not to be had.
pub(super) fn parts<T: Readable>(source: Arc<T>, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(range, move |range| {
        let source = Arc::clone(&source);
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let part = source.read(&range).await?;
            let rest = range.start + part.len() as u64..range.end;
            Ok(Some((part, rest)))
        }
    })
}

/// The range as a body. What one read brings is read before the head is sent: it needs no stream, goes out with the head in one write, and where the disk fails
/// the answer says so.
pub(super) async fn body<T: Readable>(source: Arc<T>, range: Range<u64>) -> io::Result<Body> {
    if range.is_empty() || range.end - range.start > CHUNK_BYTES {
        return Ok(Body::from_stream(parts(source, range)));
    }
    let first = source.read(&range).await?;
    let rest = range.start + first.len() as u64..range.end;
    if rest.is_empty() {
        return Ok(first.into());
    }
    Ok(Body::from_stream(stream::iter([Ok(first)]).chain(parts(source, rest))))
}

/// Room for what is read at a time of a range.
pub(super) fn buffer(range: &Range<u64>) -> Vec<u8> {
    vec![0; (range.end - range.start).min(CHUNK_BYTES) as usize]
}

/// Takes what is in memory already; `None` where the disk has to be asked.
#[cfg(target_os = "linux")]
pub(super) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut slices = [io::IoSliceMut::new(buffer)];
    preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT).ok().filter(|read| *read > 0)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn read_cached(_file: &File, _buffer: &mut [u8], _offset: u64) -> Option<usize> {
    None
}

/// Whether the range is in memory, as far as its ends and a byte in between every [`PROBE_BYTES`] tell.
fn is_cached(file: &File, range: &Range<u64>) -> bool {
    let mut places = (range.start..range.end).step_by(PROBE_BYTES).chain(range.end.checked_sub(1));
    places.all(|place| read_cached(file, &mut [0], place).is_some())
}

/// From the file to the socket. Waits for the disk, not for the socket.
#[cfg(target_os = "linux")]
fn send_file(socket: impl AsFd, file: &File, mut offset: u64, count: usize) -> io::Result<usize> {
    Ok(rustix::fs::sendfile(socket, file, Some(&mut offset), count)?)
}

#[cfg(not(target_os = "linux"))]
fn send_file(_socket: impl AsFd, _file: &File, _offset: u64, _count: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Runs what may have to wait for a disk, in its turn among the region's [reads](RegionStore::reads).
pub(super) async fn on_disk<T: Send + 'static>(
    reads: &Turns,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let turn = reads.take().await;
    // The read goes on where the viewer has gone, and its turn as long.
    let reading = move || {
        let _turn = turn;
        act()
    };
    tokio::task::spawn_blocking(reading).await.map_err(io::Error::other)?
}

/// A file, opened once for all who read it.
#[derive(Debug)]
pub struct OpenFile {
    reads: Turns,
    file: File,
    media: SharedPlace,
    /// Where its media lay when it was opened.
    opened: MediaPlace,
    opened_at: Instant,
    pub size_bytes: u64,
    pub validators: Validators,
}

impl OpenFile {
    /// `None` where there is no such file. `now` is a time before it is looked for.
    fn open(reads: Turns, path: &Path, places: &MediaPlaces, now: Instant) -> io::Result<Option<Self>> {
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
        let media = places.of(&facts);
        let opened = *media.read();
        // Strong: a finished file is written again only by an encoder that comes back, and then has another length.
        let etag = format!("\"{seconds:x}.{nanoseconds:x}-{size_bytes:x}\"");
        let validators = Validators::new(etag, modified);
        Ok(Some(Self { reads, file, media, opened, opened_at: now, size_bytes, validators }))
    }

    /// Whether its name can still be taken to mean it.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.opened_at) < FRESH
    }

    /// Reads from there on what is in memory already; `None` where there is something to wait for.
    pub fn read_at_once(&self, start: u64, buffer: &mut [u8]) -> Option<usize> {
        let now = self.media.try_read()?;
        read_cached(&self.file, buffer, self.find(start, &now).ok()?)
    }

    /// Where a byte lies now: an encoder may have come back since.
    fn find(&self, byte: u64, now: &MediaPlace) -> io::Result<u64> {
        now.find(byte, &self.opened).ok_or_else(|| io::Error::other("the recording has been gone on with"))
    }

    /// Does something with the file from where a byte of it lies now, which stays there meanwhile. Blocks while the media are being moved.
    fn at<T>(&self, byte: u64, act: impl FnOnce(&File, u64) -> io::Result<T>) -> io::Result<T> {
        let now = self.media.read();
        act(&self.file, self.find(byte, &now)?)
    }
}

impl Sendable for OpenFile {
    fn send(self: Arc<Self>, socket: Arc<OwnedFd>, range: Range<u64>) -> Sending {
        Box::pin(async move {
            let this = Arc::clone(&self);
            let send = move || {
                send_fast(&socket, range, |left| {
                    let count = (left.end - left.start) as usize;
                    this.at(left.start, |file, place| send_file(&socket, file, place, count))
                })
            };
            on_disk(&self.reads, send).await
        })
    }

    fn send_at_once(&self, socket: BorrowedFd<'_>, range: Range<u64>) -> Option<io::Result<usize>> {
        let now = self.media.try_read()?;
        let start = match self.find(range.start, &now) {
            Ok(start) => start,
            Err(gone) => return Some(Err(gone)),
        };
        let place = start..start + (range.end - range.start);
        is_cached(&self.file, &place).then(|| send_file(socket, &self.file, place.start, (place.end - place.start) as usize))
    }
}

impl Readable for OpenFile {
    async fn read(self: &Arc<Self>, range: &Range<u64>) -> io::Result<Bytes> {
        let (mut buffer, start) = (buffer(range), range.start);
        if let Some(read) = self.read_at_once(start, &mut buffer) {
            buffer.truncate(read);
            return Ok(buffer.into());
        }
        let this = Arc::clone(self);
        let read = move || this.at(start, |file, place| file.read_exact_at(&mut buffer, place)).map(|()| buffer);
        Ok(on_disk(&self.reads, read).await?.into())
    }
}

/// The files that were asked for lately.
#[derive(Default, Debug)]
pub struct OpenFiles {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_name: HashMap<Name, Entry>,
    swept_at: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    file: Arc<OpenFile>,
    used_at: Instant,
}

impl OpenFiles {
    /// The file as it is, or was less than [`FRESH`] before `now`; `None` where there is none.
    ///
    /// # Errors
    /// Where the disk fails.
    pub async fn get(&self, name: &Name, store: &RegionStore, now: Instant) -> io::Result<Option<Arc<OpenFile>>> {
        if let Some(file) = self.fresh(name, now) {
            return Ok(Some(file));
        }
        let (reads, path, places) = (store.reads().clone(), store.path(&name.key), store.media().clone());
        let file = on_disk(store.reads(), move || OpenFile::open(reads, &path, &places, now)).await?.map(Arc::new);
        self.keep(name, file.clone(), now);
        Ok(file)
    }

    /// Closes what nobody asks for any more.
    pub fn tidy(&self, now: Instant) {
        let closed = self.entries.lock().unwrap_or_else(PoisonError::into_inner).sweep(now);
        close(closed);
    }

    fn fresh(&self, name: &Name, now: Instant) -> Option<Arc<OpenFile>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = entries.sweep(now);
        let entry = entries.by_name.get_mut(name);
        let fresh = entry.and_then(|entry| {
            entry.used_at = now;
            entry.file.is_fresh(now).then(|| Arc::clone(&entry.file))
        });
        drop(entries);
        close(closed);
        fresh
    }

    fn keep(&self, name: &Name, file: Option<Arc<OpenFile>>, now: Instant) {
        let closed = {
            let by_name = &mut self.entries.lock().unwrap_or_else(PoisonError::into_inner).by_name;
            let before = match file {
                Some(file) => by_name.insert(name.clone(), Entry { file, used_at: now }),
                None => by_name.remove(name),
            };
            let oldest = by_name.iter().min_by_key(|(_, entry)| entry.used_at).map(|(name, _)| name.clone());
            let too_many = oldest.filter(|_| by_name.len() > MAX_OPEN_FILES).and_then(|oldest| by_name.remove(&oldest));
            before.into_iter().chain(too_many).collect()
        };
        close(closed);
    }
}

/// With the last descriptor of a deleted file its blocks are freed, which takes its time, and a disk that hangs takes for ever: nobody waits for that, nor for who holds
/// the list.
fn close(files: Vec<Entry>) {
    if !files.is_empty() {
        tokio::task::spawn_blocking(move || drop(files));
    }
}

impl Entries {
    /// Takes out what nobody has asked for lately.
    #[must_use]
    fn sweep(&mut self, now: Instant) -> Vec<Entry> {
        if now.duration_since(*self.swept_at.get_or_insert(now)) < IDLE {
            return Vec::new();
        }
        self.swept_at = Some(now);
        self.by_name.extract_if(|_, entry| now.duration_since(entry.used_at) >= IDLE).map(|(_, entry)| entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::TryStreamExt;

    use super::*;
    use crate::storage::{Key, RegionSettings, Regions};

    /// A region in a folder of its own.
    fn regions(folder: &Path) -> Regions {
        let vod_url = "http://localhost/vod-eu".parse().unwrap();
        Regions::open([RegionSettings { name: "eu".parse().unwrap(), storage: folder.to_owned(), vod_url }]).unwrap()
    }

    /// The stream's recording number `index`.
    fn name(store: &RegionStore, index: u32) -> Name {
        Name { region: store.name().clone(), key: Key::recording(&"8sKpm-x49nB".parse().unwrap(), index) }
    }

    fn write(store: &RegionStore, name: &Name, bytes: &[u8]) -> PathBuf {
        let path = store.path(&name.key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[tokio::test]
    async fn a_range_is_read_in_chunks_and_a_file_cut_short_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let path = write(store, &name(store, 1), &bytes);
        let file = OpenFiles::default().get(&name(store, 1), store, Instant::now()).await.unwrap().unwrap();

        let chunks: Vec<Bytes> = parts(Arc::clone(&file), 10..299_999).try_collect().await.unwrap();
        assert_eq!(chunks.concat(), bytes[10..299_999]);
        assert!(chunks.iter().all(|chunk| chunk.len() as u64 <= CHUNK_BYTES));

        File::options().write(true).open(&path).unwrap().set_len(200_000).unwrap();
        assert!(parts(file, 0..300_000).try_collect::<Vec<_>>().await.is_err());
    }

    #[tokio::test]
    async fn a_disk_that_hangs_keeps_no_reader_of_another_waiting() {
        const AT_ONCE: usize = 2;
        let (hanging, well) = (Turns::new(AT_ONCE), Turns::new(AT_ONCE));
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (ended, begun) = (Arc::new(Mutex::new(ended)), Arc::new(AtomicUsize::new(0)));
        let wait = || {
            let (reads, ended, begun) = (hanging.clone(), Arc::clone(&ended), Arc::clone(&begun));
            tokio::spawn(async move {
                let hang = move || {
                    begun.fetch_add(1, Ordering::Relaxed);
                    // Ends with its sender.
                    let _ = ended.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    Ok(())
                };
                on_disk(&reads, hang).await
            })
        };
        let readers: Vec<_> = (0..=AT_ONCE).map(|_| wait()).collect();
        while begun.load(Ordering::Relaxed) < AT_ONCE {
            tokio::task::yield_now().await;
        }
        assert_eq!(on_disk(&well, || Ok("read")).await.unwrap(), "read");
        drop(end);
        for reader in readers {
            reader.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn what_nobody_asks_for_any_more_is_closed_although_nobody_asks_for_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        write(store, &name(store, 1), b"x");
        let (files, now) = (OpenFiles::default(), Instant::now());
        let file = files.get(&name(store, 1), store, now).await.unwrap().unwrap();
        files.tidy(now + IDLE - Duration::from_secs(1));
        assert_eq!(Arc::strong_count(&file), 2);
        files.tidy(now + IDLE);
        while Arc::strong_count(&file) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_removed_file_is_gone_within_a_second_and_the_oldest_descriptor_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let regions = regions(folder.path());
        let store = regions.iter().next().unwrap();
        let name = |n: u32| name(store, n);
        let files = OpenFiles::default();
        let mut now = Instant::now();
        for n in 1..=MAX_OPEN_FILES as u32 + 1 {
            write(store, &name(n), b"x");
            assert!(files.get(&name(n), store, now).await.unwrap().is_some());
            now += Duration::from_millis(1);
        }
        assert_eq!(files.entries.lock().unwrap().by_name.len(), MAX_OPEN_FILES);
        assert!(!files.entries.lock().unwrap().by_name.contains_key(&name(1)));

        std::fs::remove_file(store.path(&name(7).key)).unwrap();
        assert!(files.get(&name(7), store, now).await.unwrap().is_some());
        now += FRESH;
        assert!(files.get(&name(7), store, now).await.unwrap().is_none());
        // A folder is no file.
        std::fs::create_dir(store.path(&name(7).key)).unwrap();
        assert!(files.get(&name(7), store, now).await.unwrap().is_none());

        now += IDLE;
        assert!(files.get(&name(8), store, now).await.unwrap().is_some());
        assert_eq!(files.entries.lock().unwrap().by_name.len(), 1, "what nobody asks for is closed");
    }
}
