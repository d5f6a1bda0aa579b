//! A disk in memory: opening thousands of damaged logs costs nothing, and what a power loss leaves is known.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustvault_storage::fs::{Directory, FileSystem, Lock, LogFile, Ownership};

/// The name of the log on such a disk.
pub const LOG: &str = "/the.log";

/// A disk that clones share; a file system of one directory.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    names: Arc<Mutex<MemoryNames>>,
    /// The error that the next sync fails with.
    sync_error: Arc<Mutex<Option<io::Error>>>,
}

#[derive(Default)]
struct MemoryNames {
    now: BTreeMap<PathBuf, MemoryFile>,
    /// The names as of the last sync of the directory.
    durable: BTreeMap<PathBuf, MemoryFile>,
}

#[derive(Clone, Default)]
struct MemoryFile(Arc<Mutex<MemoryContent>>);

#[derive(Clone, Default)]
struct MemoryContent {
    now: Vec<u8>,
    /// The bytes on the platter.
    durable: Vec<u8>,
    /// The ranges that the next sync brings there.
    dirty: Vec<Range<usize>>,
    is_len_dirty: bool,
}

/// End of a store from one moment to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process ends: the system keeps what was written.
    Kill,
    /// Nothing is left that was not synced.
    PowerLoss,
}

impl MemoryFile {
    fn durable(bytes: &[u8]) -> Self {
        let content =
            MemoryContent { now: bytes.to_vec(), durable: bytes.to_vec(), ..MemoryContent::default() };
        Self(Arc::new(Mutex::new(content)))
    }
}

impl MemoryDisk {
    /// Makes a disk with nothing but a log of these bytes, all durable.
    pub fn of(log: &[u8]) -> Self {
        Self::with(BTreeMap::from([(LOG.into(), MemoryFile::durable(log))]))
    }

    /// Returns the log's file.
    pub fn bytes(&self) -> Vec<u8> {
        let names = self.names.lock().unwrap();
        names.now.get(Path::new(LOG)).map(|file| file.0.lock().unwrap().now.clone()).unwrap_or_default()
    }

    /// Returns the log's file without the zeros that the log may keep ahead of its end.
    pub fn log(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        let len = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(len);
        bytes
    }

    /// Makes the next sync fail, and forgets what it should have made durable: a later sync does not include it.
    pub fn fail_next_sync(&self, error: io::Error) {
        *self.sync_error.lock().unwrap() = Some(error);
    }

    /// Returns a copy of the disk as a crash leaves it.
    pub fn after(&self, crash: Crash) -> Self {
        let names = self.names.lock().unwrap();
        let left = match crash {
            Crash::Kill => &names.now,
            Crash::PowerLoss => &names.durable,
        };
        let copy = |(path, file): (&PathBuf, &MemoryFile)| {
            let content = file.0.lock().unwrap();
            let bytes = match crash {
                Crash::Kill => &content.now,
                Crash::PowerLoss => &content.durable,
            };
            (path.clone(), MemoryFile::durable(bytes))
        };
        Self::with(left.iter().map(copy).collect())
    }

    fn with(names: BTreeMap<PathBuf, MemoryFile>) -> Self {
        let names = MemoryNames { now: names.clone(), durable: names };
        Self { names: Arc::new(Mutex::new(names)), ..Self::default() }
    }

    fn file(&self, path: &Path) -> io::Result<MemoryFile> {
        self.names.lock().unwrap().now.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl FileSystem for MemoryDisk {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let file = self.names.lock().unwrap().now.entry(path.to_owned()).or_default().clone();
        Ok(Arc::new(OpenMemoryFile { disk: self.clone(), file }))
    }

    fn create(&self, path: &Path, _: Option<Ownership>) -> io::Result<Arc<dyn LogFile>> {
        if self.file(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names.lock().unwrap();
        let file = names.now.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.now.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.names.lock().unwrap().now.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_parent(&self, _: &Path) -> io::Result<Box<dyn Directory>> {
        Ok(Box::new(self.clone()))
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// The only directory of such a disk.
impl Directory for MemoryDisk {
    fn sync(&self) -> io::Result<()> {
        let mut names = self.names.lock().unwrap();
        names.durable = names.now.clone();
        Ok(())
    }
}

struct OpenMemoryFile {
    disk: MemoryDisk,
    file: MemoryFile,
}

impl LogFile for OpenMemoryFile {
    fn try_lock(&self) -> io::Result<Lock> {
        Ok(Lock::Taken)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.file.0.lock().unwrap().now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.file.0.lock().unwrap();
        let rest = content.now.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut content = self.file.0.lock().unwrap();
        let range = offset as usize..offset as usize + bytes.len();
        if content.now.len() < range.end {
            content.now.resize(range.end, 0);
            content.is_len_dirty = true;
        }
        content.now[range.clone()].copy_from_slice(bytes);
        content.dirty.push(range);
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        let content = &mut *self.file.0.lock().unwrap();
        if let Some(error) = self.disk.sync_error.lock().unwrap().take() {
            content.dirty.clear();
            return Err(error);
        }
        if std::mem::take(&mut content.is_len_dirty) {
            content.durable.resize(content.now.len(), 0);
        }
        for range in content.dirty.drain(..) {
            let end = range.end.min(content.now.len()).min(content.durable.len());
            let range = range.start.min(end)..end;
            content.durable[range.clone()].copy_from_slice(&content.now[range]);
        }
        Ok(())
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        let mut content = self.file.0.lock().unwrap();
        let (old, new) = (content.now.len(), len_bytes as usize);
        content.now.resize(new, 0);
        content.dirty.push(old.min(new)..old.max(new));
        content.is_len_dirty = true;
        Ok(())
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(Arc::ptr_eq(&self.disk.file(path)?.0, &self.file.0))
    }
}
