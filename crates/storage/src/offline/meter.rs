//! A log file that reports each read, for progress bars; all other calls pass through to the file beneath.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::fs::{Lock, LogFile};

/// A file that tells how much of it is read.
pub(super) struct Meter<F> {
    file: Arc<dyn LogFile>,
    on_read: F,
}

impl<F: Fn(u64)> Meter<F> {
    pub(super) fn new(file: Arc<dyn LogFile>, on_read: F) -> Self {
        Self { file, on_read }
    }
}

impl<F: Fn(u64) + Send + Sync> LogFile for Meter<F> {
    fn try_lock(&self) -> io::Result<Lock> {
        self.file.try_lock()
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset)?;
        (self.on_read)(read as u64);
        Ok(read)
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
