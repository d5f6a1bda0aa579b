//! What the benchmarks of this folder share: their data, and stores in folders that go away with them.

use std::io;
use std::path::Path;

use rustvault_storage::batch::Op;
use rustvault_storage::{DurableStore, Error, Options, SyncPolicy};
use tempfile::TempDir;

/// Length of every key, in bytes.
pub const KEY_BYTES: usize = 16;

/// Lengths that values have where the length matters, in bytes.
pub const VALUE_BYTES: [usize; 2] = [64, 16 * 1024];

/// A key; different numbers make different keys.
pub type Key = [u8; KEY_BYTES];

/// The key with this number: 16 hexadecimal digits.
pub fn key(number: u64) -> Key {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|index| DIGITS[(number >> (60 - 4 * index)) as usize & 15])
}

/// A value that the text protocol writes as it is.
pub fn bare_value(len_bytes: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(len_bytes).collect()
}

/// A value that the text protocol has to quote: lines of 32 bytes, their ends escaped.
pub fn quoted_value(len_bytes: usize) -> Vec<u8> {
    let line = (b'A'..=b'Z').cycle().take(31).chain([b'\n']);
    line.cycle().take(len_bytes).collect()
}

/// The operations that set each of `keys` to `value`.
pub fn sets<'a>(keys: &'a [Key], value: &'a [u8]) -> Vec<Op<'a>> {
    keys.iter().map(|key| Op::Set { key, value }).collect()
}

/// Whether `cargo bench` wants figures; otherwise, under `--test` or `cargo test`, the question is only
/// whether the benchmarks work.
pub fn is_measuring() -> bool {
    let has_argument = |name: &str| std::env::args().any(|argument| argument == name);
    has_argument("--bench") && !has_argument("--test")
}

/// `full` if something [is measured](is_measuring), else a thousandth of it, at least 1.
pub fn scaled(full: usize) -> usize {
    if is_measuring() { full } else { (full / 1000).max(1) }
}

/// A log in a folder of its own, which is removed on drop.
#[derive(Debug)]
pub struct ScratchLog {
    folder: TempDir,
}

impl ScratchLog {
    /// Makes the folder inside `parent`: `env!("CARGO_TARGET_TMPDIR")`, which is on the disk of `target/`
    /// and not, as the system's folder for temporary files may be, in memory.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new_in(parent: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { folder: tempfile::Builder::new().prefix("bench-").tempdir_in(parent)? })
    }

    /// Opens the log, with default limits.
    ///
    /// # Errors
    /// As [`DurableStore::open`].
    pub fn open(&self, sync_policy: SyncPolicy) -> Result<DurableStore, Error> {
        let mut options = Options::default();
        options.sync_policy = sync_policy;
        DurableStore::open(self.folder.path().join("vault.log"), options)
    }
}

#[cfg(test)]
mod tests {
    use rustvault_protocol::needs_quotes;

    use super::*;

    #[test]
    fn a_key_is_its_number_in_hexadecimal() {
        assert_eq!(&key(0x0123_4567_89ab_cdef), b"0123456789abcdef");
    }

    #[test]
    fn values_have_their_length_and_are_quoted_as_their_name_says() {
        for len_bytes in VALUE_BYTES {
            let (bare, quoted) = (bare_value(len_bytes), quoted_value(len_bytes));
            assert_eq!((bare.len(), quoted.len()), (len_bytes, len_bytes));
            assert_eq!((needs_quotes(&bare, false), needs_quotes(&quoted, false)), (false, true));
        }
    }

    #[test]
    fn the_folder_of_a_log_goes_away_with_it() {
        let parent = tempfile::tempdir().unwrap();
        let log = ScratchLog::new_in(&parent).unwrap();
        log.open(SyncPolicy::Never).unwrap().close().unwrap();
        drop(log);
        assert_eq!(parent.path().read_dir().unwrap().count(), 0);
    }
}
