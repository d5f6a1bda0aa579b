//! A file system in memory that records everything that is done to it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use rustvault_storage::batch::BatchStore;
use rustvault_storage::fs::{Directory, FileSystem, Lock, LogFile, Ownership};
use rustvault_storage::{DurableStore, Lsn};
use tokio::sync::Notify;

use crate::content::{Content, Image, SECTOR_BYTES, SectorRef};

/// Bytes of the start of a write that are kept: a batch header.
pub(crate) const KEPT_BYTES: usize = 48;

/// A file, whatever its names.
pub(crate) type Node = usize;

/// What was done to the disk, as far as a crash can take it back.
pub(crate) enum Operation {
    /// Bytes were written, or the file was cut or extended.
    Change {
        node: Node,
        sectors: Vec<(usize, SectorRef)>,
        /// The sizes that the file went through.
        sizes: Vec<u64>,
        /// The first bytes that were written.
        head: Vec<u8>,
    },
    /// The file was synced: what the first `began` operations did to it is durable.
    Sync { node: Node, began: usize },
    /// Names were given to other files, or taken away.
    Names { names: Vec<(PathBuf, Option<Node>)> },
    /// The directory was synced, as `Sync`.
    SyncNames { began: usize },
    /// Room was reserved: nothing that a reader could see.
    Reserve,
}

/// An operation, and what the store had promised when it began.
pub(crate) struct Recorded {
    pub(crate) operation: Operation,
    /// Replies up to here could have left before.
    pub(crate) acknowledged: Lsn,
}

/// Clones are the same file system.
#[derive(Clone, Default)]
pub(crate) struct SimFileSystem(Arc<Shared>);

#[derive(Default)]
struct Shared {
    disk: Mutex<Disk>,
    /// Whose promises are recorded.
    watched: Mutex<Option<DurableStore>>,
    is_creation_held: Mutex<bool>,
    creation_released: Condvar,
    creation_begun: Notify,
}

/// Holds back the making of files while it lives.
pub(crate) struct Gate<'a>(&'a SimFileSystem);

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        *self.0.0.is_creation_held.lock().unwrap() = false;
        self.0.0.creation_released.notify_all();
    }
}

#[derive(Default)]
struct Disk {
    nodes: Vec<Content>,
    names: BTreeMap<PathBuf, Node>,
    recorded: Vec<Recorded>,
    /// How many operations were taken out of `recorded`.
    taken: usize,
}

impl SimFileSystem {
    /// A disk that was found like this.
    pub(crate) fn of(image: &Image) -> Self {
        let fs = Self::default();
        let mut disk = fs.disk();
        for (node, (name, content)) in image.files.iter().enumerate() {
            disk.nodes.push(content.clone());
            disk.names.insert(name.clone(), node);
        }
        drop(disk);
        fs
    }

    /// Asks `store` before every operation how far replies may leave.
    pub(crate) fn watch(&self, store: &DurableStore) {
        *self.0.watched.lock().unwrap() = Some(store.clone());
    }

    /// Lets go of the store.
    pub(crate) fn unwatch(&self) {
        drop(self.0.watched.lock().unwrap().take());
    }

    /// Whoever makes a file waits from now on until the gate is dropped.
    pub(crate) fn hold_creation(&self) -> Gate<'_> {
        *self.0.is_creation_held.lock().unwrap() = true;
        Gate(self)
    }

    /// Ends once somebody waits to make a file.
    pub(crate) async fn creation_begun(&self) {
        self.0.creation_begun.notified().await;
    }

    fn wait_for_creation(&self) {
        let held = self.0.is_creation_held.lock().unwrap();
        if *held {
            self.0.creation_begun.notify_one();
            drop(self.0.creation_released.wait_while(held, |held| *held).unwrap());
        }
    }

    /// How many operations there were so far.
    pub(crate) fn operations(&self) -> usize {
        let disk = self.disk();
        disk.taken + disk.recorded.len()
    }

    /// What was recorded since the last call.
    pub(crate) fn take_recorded(&self) -> Vec<Recorded> {
        let mut disk = self.disk();
        disk.taken += disk.recorded.len();
        std::mem::take(&mut disk.recorded)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.disk.lock().unwrap()
    }

    fn acknowledged(&self) -> Lsn {
        self.0.watched.lock().unwrap().as_ref().map_or(Lsn::ZERO, BatchStore::reply_watermark)
    }

    fn file(&self, node: Node) -> Arc<dyn LogFile> {
        Arc::new(SimFile { fs: self.clone(), node })
    }

    /// Carries `operation` out and records it.
    fn record<T>(&self, operation: impl FnOnce(&mut Disk) -> io::Result<(T, Operation)>) -> io::Result<T> {
        let acknowledged = self.acknowledged();
        let mut disk = self.disk();
        let (result, operation) = operation(&mut disk)?;
        disk.recorded.push(Recorded { operation, acknowledged });
        Ok(result)
    }
}

impl Recorded {
    /// Whether zeros were put behind the end of a file, for later writes to overwrite.
    pub(crate) fn is_extension(&self) -> bool {
        match &self.operation {
            Operation::Change { sizes, head, .. } => {
                !sizes.is_empty() && !head.is_empty() && head.iter().all(|&byte| byte == 0)
            }
            _ => false,
        }
    }
}

impl FileSystem for SimFileSystem {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let node = self.disk().names.get(path).copied();
        node.map_or_else(|| self.create(path, None), |node| Ok(self.file(node)))
    }

    fn create(&self, path: &Path, _: Option<Ownership>) -> io::Result<Arc<dyn LogFile>> {
        self.wait_for_creation();
        let node = self.record(|disk| {
            if disk.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            disk.nodes.push(Content::default());
            let node = disk.nodes.len() - 1;
            disk.names.insert(path.to_owned(), node);
            Ok((node, Operation::Names { names: vec![(path.to_owned(), Some(node))] }))
        })?;
        Ok(self.file(node))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.record(|disk| {
            let node = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            disk.names.insert(to.to_owned(), node);
            let names = vec![(from.to_owned(), None), (to.to_owned(), Some(node))];
            Ok(((), Operation::Names { names }))
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.record(|disk| {
            disk.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
            Ok(((), Operation::Names { names: vec![(path.to_owned(), None)] }))
        })
    }

    fn open_parent(&self, _: &Path) -> io::Result<Box<dyn Directory>> {
        Ok(Box::new(self.clone()))
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// The only directory.
impl Directory for SimFileSystem {
    fn sync(&self) -> io::Result<()> {
        let began = self.operations();
        self.record(|_| Ok(((), Operation::SyncNames { began })))
    }
}

struct SimFile {
    fs: SimFileSystem,
    node: Node,
}

impl LogFile for SimFile {
    fn try_lock(&self) -> io::Result<Lock> {
        Ok(Lock::Taken)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.fs.disk().nodes[self.node].len)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self.fs.disk().nodes[self.node].read_at(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.fs.record(|disk| {
            let content = &mut disk.nodes[self.node];
            let sizes = sizes_between(content.len, offset + bytes.len() as u64);
            let changed = content.write_at(bytes, offset);
            let head = bytes[..bytes.len().min(KEPT_BYTES)].to_vec();
            Ok((bytes.len(), change(self.node, content, &changed, sizes, head)))
        })
    }

    fn sync(&self) -> io::Result<()> {
        let acknowledged = self.fs.acknowledged();
        let began = self.fs.operations();
        let operation = Operation::Sync { node: self.node, began };
        self.fs.disk().recorded.push(Recorded { operation, acknowledged });
        Ok(())
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.fs.record(|disk| {
            let content = &mut disk.nodes[self.node];
            let changed = content.set_len(len_bytes);
            Ok(((), change(self.node, content, &changed, vec![len_bytes], Vec::new())))
        })
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        self.fs.record(|_| Ok(((), Operation::Reserve)))
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(self.fs.disk().names.get(path) == Some(&self.node))
    }
}

fn change(node: Node, content: &Content, changed: &[usize], sizes: Vec<u64>, head: Vec<u8>) -> Operation {
    let sectors = changed.iter().map(|&index| (index, content.sectors.get(index).cloned().flatten()));
    Operation::Change { node, sectors: sectors.collect(), sizes, head }
}

/// A file that grows by a write may be caught by a crash at the end of any of its sectors.
fn sizes_between(from: u64, to: u64) -> Vec<u64> {
    let step = SECTOR_BYTES as u64;
    let mut sizes: Vec<u64> = ((from / step + 1)..=(to / step)).map(|sector| sector * step).collect();
    if to > from && sizes.last() != Some(&to) {
        sizes.push(to);
    }
    sizes
}
