//! A file system that asks a hook before everything it does: faults, held syncs and recordings are hooks.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustvault_storage::fs::{Directory, FileSystem, Lock, LogFile, Ownership};

/// Call of a file system that is about to happen.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// The name that the file had when it was opened; of a rename the new one.
    pub path: &'a Path,
    /// The call.
    pub call: FileCall,
}

/// Calls of a file system, its directories and its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named as the functions of those traits")]
pub enum FileCall {
    Resolve,
    Open,
    Create,
    Rename,
    Remove,
    OpenParent,
    SyncParent,
    FreeBytes,
    Lock,
    Len,
    Read { offset: u64, len: usize },
    Write { offset: u64, len: usize },
    Sync,
    SetLen { len: u64 },
    Reserve { offset: u64, len: u64 },
    IsAt,
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call {
            FileCall::Read { offset, len } => write!(f, "Read of {len} bytes at {offset}")?,
            FileCall::Write { offset, len } => write!(f, "Write of {len} bytes at {offset}")?,
            FileCall::SetLen { len } => write!(f, "SetLen to {len} bytes")?,
            FileCall::Reserve { offset, len } => write!(f, "Reserve of {len} bytes at {offset}")?,
            other => write!(f, "{other:?}")?,
        }
        write!(f, " on {}", self.path.display())
    }
}

/// Answer of a hook that lets an operation happen whole; of a smaller number a read or write takes that many bytes
/// only.
pub const WHOLE: usize = usize::MAX;

type Hook = Arc<dyn Fn(Operation<'_>) -> io::Result<usize> + Send + Sync>;

/// File system that asks a hook before each call: it may wait there, fail, or be cut short.
pub struct Hooked<F> {
    inner: F,
    hook: Hook,
}

impl<F: FileSystem> Hooked<F> {
    /// Puts a hook before every call of `inner`.
    pub fn new(inner: F, hook: impl Fn(Operation<'_>) -> io::Result<usize> + Send + Sync + 'static) -> Self {
        Self { inner, hook: Arc::new(hook) }
    }

    fn ask(&self, path: &Path, call: FileCall) -> io::Result<usize> {
        (self.hook)(Operation { path, call })
    }

    fn hooked(&self, path: &Path, file: Arc<dyn LogFile>) -> Arc<dyn LogFile> {
        Arc::new(HookedFile { file, path: path.to_owned(), hook: Arc::clone(&self.hook) })
    }
}

impl<F: FileSystem> FileSystem for Hooked<F> {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.ask(path, FileCall::Resolve)?;
        self.inner.resolve(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        self.ask(path, FileCall::Open)?;
        Ok(self.hooked(path, self.inner.open(path)?))
    }

    fn create(&self, path: &Path, like: Option<Ownership>) -> io::Result<Arc<dyn LogFile>> {
        self.ask(path, FileCall::Create)?;
        Ok(self.hooked(path, self.inner.create(path, like)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(to, FileCall::Rename)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(path, FileCall::Remove)?;
        self.inner.remove(path)
    }

    fn open_parent(&self, path: &Path) -> io::Result<Box<dyn Directory>> {
        self.ask(path, FileCall::OpenParent)?;
        let directory = self.inner.open_parent(path)?;
        Ok(Box::new(HookedDirectory { directory, path: path.to_owned(), hook: Arc::clone(&self.hook) }))
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.ask(path, FileCall::FreeBytes)?;
        self.inner.free_bytes(path)
    }
}

struct HookedDirectory {
    directory: Box<dyn Directory>,
    /// The file that it was opened for.
    path: PathBuf,
    hook: Hook,
}

impl Directory for HookedDirectory {
    fn sync(&self) -> io::Result<()> {
        (self.hook)(Operation { path: &self.path, call: FileCall::SyncParent })?;
        self.directory.sync()
    }
}

struct HookedFile {
    file: Arc<dyn LogFile>,
    path: PathBuf,
    hook: Hook,
}

impl HookedFile {
    fn ask(&self, call: FileCall) -> io::Result<usize> {
        (self.hook)(Operation { path: &self.path, call })
    }
}

impl LogFile for HookedFile {
    fn try_lock(&self) -> io::Result<Lock> {
        self.ask(FileCall::Lock)?;
        self.file.try_lock()
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.ask(FileCall::Len)?;
        self.file.len_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = buffer.len();
        let len = self.ask(FileCall::Read { offset, len })?.min(len);
        self.file.read_at(&mut buffer[..len], offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let len = bytes.len();
        let len = self.ask(FileCall::Write { offset, len })?.min(len);
        self.file.write_at(&bytes[..len], offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.ask(FileCall::Sync)?;
        self.file.sync()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.ask(FileCall::SetLen { len })?;
        self.file.set_len(len)
    }

    fn reserve(&self, offset: u64, len: u64) -> io::Result<()> {
        self.ask(FileCall::Reserve { offset, len })?;
        self.file.reserve(offset, len)
    }

    fn ownership(&self) -> io::Result<Option<Ownership>> {
        self.file.ownership()
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.ask(FileCall::IsAt)?;
        self.file.is_at(path)
    }
}
