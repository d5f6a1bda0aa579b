//! The log of JSON lines: any file is either refused and left as it is, or opens, takes a write, and holds the same
//! and that write when it is opened again.
#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use rustvault_storage::fs::{Directory, FileSystem, Lock, LogFile, Ownership};
use rustvault_storage::{DurableStore, Error, LogFormat, Options, SyncPolicy};

fuzz_target!(|content: &[u8]| {
    let file = MemoryFile(Arc::new(Mutex::new(content.to_vec())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match open(&file) {
        Err(error) => {
            assert!(error.is_bad_log(), "{error}");
            assert_eq!(*file.lock(), content);
        }
        Ok(store) => runtime.block_on(async {
            let mut expected = state(&store).await;
            store.set(b"\xffnew", b"value").await.expect("it takes a write");
            expected.insert(b"\xffnew".to_vec(), b"value".to_vec());
            store.close().expect("it closes");
            assert_eq!(state(&open(&file).expect("what was opened opens again")).await, expected);
        }),
    }
});

fn open(file: &MemoryFile) -> Result<DurableStore, Error> {
    let mut options = Options::default();
    options.sync_policy = SyncPolicy::Never;
    options.log_format = Some(LogFormat::Json);
    DurableStore::open_on(Arc::new(file.clone()), "the.log", options)
}

async fn state(store: &DurableStore) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut state, mut cursor) = (BTreeMap::new(), 0);
    loop {
        let page = store.scan(cursor, b"", 1000).await.expect("a scan");
        for key in &page.keys {
            let value = store.get(key).await.expect("a read").expect("the key is there");
            state.insert(key.to_vec(), value.to_vec());
        }
        cursor = page.next_cursor;
        if cursor == 0 {
            return state;
        }
    }
}

#[derive(Clone)]
struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl MemoryFile {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("nobody panicked")
    }
}

impl FileSystem for MemoryFile {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn open(&self, _: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(self.clone()))
    }

    fn create(&self, _: &Path, _: Option<Ownership>) -> io::Result<Arc<dyn LogFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn open_parent(&self, _: &Path) -> io::Result<Box<dyn Directory>> {
        Ok(Box::new(NoNames))
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// The directory of a file that nothing else lies beside.
struct NoNames;

impl Directory for NoNames {
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl LogFile for MemoryFile {
    fn try_lock(&self) -> io::Result<Lock> {
        Ok(Lock::Taken)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.lock();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<usize> {
        let mut bytes = self.lock();
        let end = offset as usize + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(new.len())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.lock().resize(len_bytes as usize, 0);
        Ok(())
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn is_at(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }
}
