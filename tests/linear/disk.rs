//! Disks that fail a server in this process: one write or sync, or everything from that one on.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustvault_storage::fs::{FileSystem, OsFileSystem};
use tempfile::TempDir;

use rustvault_tests::files::{Crash, LOG, MemoryDisk};
use rustvault_tests::files::{FileCall, Hooked, WHOLE};

const EIO: i32 = 5;

/// No disk writes less than this, and no kernel cuts a write within it.
const SECTOR_BYTES: u64 = 512;

/// The duration of a sync of a disk in memory: that of a fast real one, so that records gather meanwhile.
const SYNC_TIME: Duration = Duration::from_micros(100);

/// The storage below a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskKind {
    /// A folder: the next start finds all that was written.
    Folder,
    /// Memory: the next start finds what was synced and nothing else, as after a power loss.
    Memory,
}

/// The call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// A write fails and has written nothing.
    Write,
    /// A write takes the sectors that its first half fills, and the next one fails.
    TornWrite,
    /// A sync fails.
    Sync,
}

/// A failure that a disk is to have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// Set: all writes and syncs after it fail as well.
    pub(crate) is_lasting: bool,
    /// The duration of the failing call.
    pub(crate) delay: Duration,
    /// Calls of the kind that still succeed once the fault is armed.
    pub(crate) calls_before: u32,
}

/// A disk that fails once that is asked of it.
pub(crate) struct Disk {
    files: Files,
    trigger: Arc<Trigger>,
}

#[derive(Clone)]
enum Files {
    Folder(Arc<TempDir>),
    Memory(MemoryDisk),
}

#[derive(Default)]
struct Trigger {
    mode: Mutex<Mode>,
}

#[derive(Clone, Copy, Default)]
enum Mode {
    #[default]
    Sound,
    Armed(Fault),
    /// A write was cut short.
    Torn(Fault),
    /// Everything fails.
    Broken,
}

impl Disk {
    pub(crate) fn new(kind: DiskKind) -> Self {
        let files = match kind {
            DiskKind::Folder => Files::Folder(Arc::new(tempfile::tempdir().expect("a temporary folder"))),
            DiskKind::Memory => Files::Memory(MemoryDisk::default()),
        };
        Self { files, trigger: Arc::default() }
    }

    /// Returns the path of the log.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.files {
            Files::Folder(folder) => folder.path().join("vault.log"),
            Files::Memory(_) => LOG.into(),
        }
    }

    pub(crate) fn file_system(&self) -> Arc<dyn FileSystem> {
        let trigger = Arc::clone(&self.trigger);
        match &self.files {
            Files::Folder(_) => {
                Arc::new(Hooked::new(OsFileSystem, move |operation| trigger.before(operation.call)))
            }
            Files::Memory(disk) => {
                let memory = disk.clone();
                Arc::new(Hooked::new(disk.clone(), move |operation| {
                    if operation.call != FileCall::Sync {
                        return trigger.before(operation.call);
                    }
                    thread::sleep(SYNC_TIME);
                    trigger.before(operation.call).or_else(|error| {
                        memory.fail_next_sync(error);
                        Ok(WHOLE)
                    })
                }))
            }
        }
    }

    /// Arms a fault, unless one is armed already.
    pub(crate) fn arm(&self, fault: Fault) {
        let mut mode = self.trigger.mode.lock().unwrap();
        if matches!(*mode, Mode::Sound) {
            *mode = Mode::Armed(fault);
        }
    }

    /// Returns the disk as the next start finds it; it is sound.
    pub(crate) fn restarted(self) -> Self {
        let files = match self.files {
            Files::Folder(folder) => Files::Folder(folder),
            Files::Memory(disk) => Files::Memory(disk.after(Crash::PowerLoss)),
        };
        Self { files, trigger: Arc::default() }
    }
}

impl Trigger {
    fn before(&self, call: FileCall) -> io::Result<usize> {
        let (result, delay) = self.decide(call);
        // Not with the lock held: the calls of other threads go on meanwhile.
        thread::sleep(delay);
        result
    }

    /// Decides what comes of a call, and after how long.
    fn decide(&self, call: FileCall) -> (io::Result<usize>, Duration) {
        let mut mode = self.mode.lock().unwrap();
        let failure = || Err(io::Error::from_raw_os_error(EIO));
        match (*mode, call) {
            (Mode::Armed(fault), call) if fault.kind.is_about(call) => match (fault.calls_before, call) {
                (0, FileCall::Write { offset, len })
                    if fault.kind == FaultKind::TornWrite && whole_sectors(offset, len) > 0 =>
                {
                    *mode = Mode::Torn(fault);
                    (Ok(whole_sectors(offset, len)), Duration::ZERO)
                }
                (0, _) => {
                    *mode = fault.aftermath();
                    (failure(), fault.delay)
                }
                (calls_before, _) => {
                    *mode = Mode::Armed(Fault { calls_before: calls_before - 1, ..fault });
                    (Ok(WHOLE), Duration::ZERO)
                }
            },
            (Mode::Torn(fault), FileCall::Write { .. }) => {
                *mode = fault.aftermath();
                (failure(), fault.delay)
            }
            (Mode::Broken, FileCall::Write { .. } | FileCall::Sync) => (failure(), Duration::ZERO),
            _ => (Ok(WHOLE), Duration::ZERO),
        }
    }
}

impl Fault {
    const fn aftermath(&self) -> Mode {
        if self.is_lasting { Mode::Broken } else { Mode::Sound }
    }
}

impl FaultKind {
    const fn is_about(self, call: FileCall) -> bool {
        match self {
            Self::Write | Self::TornWrite => matches!(call, FileCall::Write { .. }),
            Self::Sync => matches!(call, FileCall::Sync),
        }
    }
}

/// The bytes of a write up to the last end of a sector in its first half.
fn whole_sectors(offset: u64, len: usize) -> usize {
    let end = (offset + len as u64 / 2) / SECTOR_BYTES * SECTOR_BYTES;
    end.saturating_sub(offset) as usize
}
