//! What a recovery that takes long tells meanwhile.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::fs::{Directory, FileSystem, Lock, LogFile, OsFileSystem, Ownership};
use rustvault_storage::{DurableStore, LogFormat, Options, RecoveryPhase, RecoveryProgress, SyncPolicy};

/// A file system whose disk takes more than a second for each of a few reads.
struct SlowDisk;

struct SlowFile {
    file: Arc<dyn LogFile>,
    slow_reads: AtomicU32,
}

impl FileSystem for SlowDisk {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        OsFileSystem.resolve(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(SlowFile { file: OsFileSystem.open(path)?, slow_reads: AtomicU32::new(0) }))
    }

    fn create(&self, path: &Path, like: Option<Ownership>) -> io::Result<Arc<dyn LogFile>> {
        OsFileSystem.create(path, like)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsFileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.remove(path)
    }

    fn open_parent(&self, path: &Path) -> io::Result<Box<dyn Directory>> {
        OsFileSystem.open_parent(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        OsFileSystem.free_bytes(path)
    }
}

impl LogFile for SlowFile {
    fn try_lock(&self) -> io::Result<Lock> {
        self.file.try_lock()
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        // In a log of lines the end is looked at before anything else is read.
        if offset > 1024 * 1024 && self.slow_reads.fetch_add(1, Ordering::Relaxed) < 3 {
            std::thread::sleep(Duration::from_millis(1100));
        }
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)
    }

    fn reserve(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        self.file.reserve(offset, len_bytes)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.file.is_at(path)
    }
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Returns the messages on the progress of recoveries.
    fn progress(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("reading the log")).map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_slow_recovery_tells_how_far_it_is_and_a_quick_one_does_not() {
    let lines = Lines::default();
    let writer = lines.clone();
    // For all threads: those of the recovery, too. That is why this test has a process of its own.
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    for format in [LogFormat::Binary, LogFormat::Json] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.log");
        let mut options = Options::default();
        options.sync_policy = SyncPolicy::Never;
        options.log_format = Some(format);
        write_log(&path, &options).await;

        let told_before = lines.progress().len();
        let store = DurableStore::open_on(Arc::new(SlowDisk), &path, options.clone()).unwrap();
        let told = lines.progress();
        let [line, ..] = &told[told_before..] else { panic!("{told:?}") };
        assert!(["records=", "percent=", "seconds_left="].iter().all(|field| line.contains(field)), "{line}");
        assert_eq!(store.count().await.unwrap(), KEYS);
        drop(store);

        let progress = RecoveryProgress::default();
        assert_eq!((progress.phase(), progress.percent()), (RecoveryPhase::Opening, 0));
        DurableStore::open_watched(&path, options, &progress).unwrap();
        // Lines are decoded slowly in debug builds, on a busy machine for longer than a second.
        if format == LogFormat::Binary {
            assert_eq!(lines.progress().len(), told.len(), "a quick recovery has nothing to tell");
        }
        assert_eq!((progress.phase(), progress.percent()), (RecoveryPhase::Finishing, 100));
        assert_eq!((progress.records(), progress.read_bytes()), (KEYS, progress.len_bytes()));
    }
}

const KEYS: u64 = 5000;

async fn write_log(path: &Path, options: &Options) {
    let store = DurableStore::open(path, options.clone()).unwrap();
    let value = [7; 1000];
    let keys: Vec<_> = (0..KEYS).map(u64::to_le_bytes).collect();
    for keys in keys.chunks(100) {
        let ops: Vec<_> = keys.iter().map(|key| Op::Set { key, value: &value }).collect();
        let mut replies = Vec::new();
        store.submit(&ops, usize::MAX, &mut replies).await;
        store.wait(replies.last().unwrap().depends_on).await.unwrap();
    }
    store.close().unwrap();
}
