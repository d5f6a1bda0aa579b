//! The log's file is removed, replaced or truncated under a store that has it open.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustvault_storage::{DurableStore, Error, LogFormat, Options};
use tempfile::TempDir;

/// How soon after the next write others are refused; the store promises a second.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);

struct Case {
    /// Holds the folder.
    _folder: TempDir,
    log: PathBuf,
    store: DurableStore,
}

impl Case {
    fn new(format: LogFormat) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("vault.log");
        let mut options = Options::default();
        options.log_format = Some(format);
        let store = DurableStore::open(&log, options).unwrap();
        Self { _folder: folder, log, store }
    }

    async fn fill(&self) {
        for number in 0..100_u32 {
            self.store.set(&number.to_be_bytes(), b"before").await.unwrap();
        }
    }

    /// Writes until that is refused; returns with what.
    async fn refusal(&self) -> Error {
        let began = Instant::now();
        loop {
            match self.store.set(b"acknowledged", b"after").await {
                Ok(()) => assert!(began.elapsed() < REFUSED_WITHIN, "writes are still taken"),
                Err(error) => return error,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn check_heals(self) {
        assert!(self.store.stats().await.unwrap().is_log_removed);
        assert_eq!(self.store.get(&7_u32.to_be_bytes()).await.unwrap().as_deref(), Some(&b"before"[..]));
        assert!(matches!(self.store.delete(&7_u32.to_be_bytes()).await, Err(Error::LogRemoved { .. })));
        self.store.compact().await.unwrap();
        assert!(!self.store.stats().await.unwrap().is_log_removed);
        self.store.set(b"healed", b"v").await.unwrap();
        self.store.close().unwrap();
        let keys = self.store.count().await.unwrap();
        drop(self.store);
        let store = DurableStore::open(&self.log, Options::default()).unwrap();
        assert_eq!(store.count().await.unwrap(), keys);
        assert_eq!(store.get(b"acknowledged").await.unwrap().as_deref(), Some(&b"after"[..]));
        assert!(store.exists(b"healed").await.unwrap());
    }
}

/// Does this to the log of a store that is in use, and checks what it says and that a compaction heals it.
async fn check(spoil: impl Fn(&Path), reason: &str) {
    for format in [LogFormat::Binary, LogFormat::Json] {
        let case = Case::new(format);
        case.fill().await;
        spoil(&case.log);
        // One that was acknowledged is in memory, if nowhere else.
        case.store.set(b"acknowledged", b"after").await.unwrap();
        let refusal = case.refusal().await;
        assert!(matches!(refusal, Error::LogRemoved { .. }), "{format}: {refusal}");
        let message = refusal.to_string();
        assert!(message.starts_with("log removed: ") && message.contains(reason), "{format}: {message}");
        assert!(message.contains("COMPACT"), "{message}");
        case.check_heals().await;
    }
}

#[tokio::test]
async fn a_log_that_was_removed_takes_no_writes_until_a_compaction_has_written_it_anew() {
    check(|log| fs::remove_file(log).unwrap(), "is not there any more").await;
}

#[tokio::test]
async fn a_log_that_was_renamed_takes_no_writes_until_a_compaction_has_written_it_anew() {
    check(|log| fs::rename(log, log.with_extension("old")).unwrap(), "is not there any more").await;
}

#[tokio::test]
async fn a_log_that_was_truncated_takes_no_writes_until_a_compaction_has_written_it_anew() {
    let cut_to =
        |len| move |log: &Path| fs::OpenOptions::new().write(true).open(log).unwrap().set_len(len).unwrap();
    check(cut_to(0), "was truncated").await;
    check(cut_to(1000), "was truncated").await;
}

#[tokio::test]
async fn a_log_that_was_overwritten_in_place_takes_no_writes_until_a_compaction_has_written_it_anew() {
    check(|log| fs::write(log, vec![b'x'; 4 * 1024 * 1024]).unwrap(), "was overwritten").await;
}

#[tokio::test]
async fn a_file_that_has_taken_the_place_of_the_log_is_kept_when_a_compaction_writes_that_anew() {
    let case = Case::new(LogFormat::Binary);
    case.fill().await;
    let kept = |number| fs::read(case.log.with_file_name(format!("vault.log.replaced-{number}")));
    for (number, content) in [(1, "one"), (2, "two")] {
        let other = case.log.with_extension("other");
        fs::write(&other, content).unwrap();
        fs::rename(&other, &case.log).unwrap();
        let message = case.refusal().await.to_string();
        assert!(message.contains("is another file now"), "{message}");
        case.store.compact().await.unwrap();
        assert_eq!(kept(number).unwrap(), content.as_bytes());
    }
    case.store.set(b"acknowledged", b"after").await.unwrap();
    drop(case.store);
    let store = DurableStore::open(&case.log, Options::default()).unwrap();
    assert_eq!(store.count().await.unwrap(), 101);
}

#[tokio::test]
async fn a_log_that_another_store_has_made_in_the_meantime_is_not_taken_from_it() {
    let case = Case::new(LogFormat::Binary);
    case.fill().await;
    fs::remove_file(&case.log).unwrap();
    let other = DurableStore::open(&case.log, Options::default()).unwrap();
    other.set(b"its own", b"v").await.unwrap();
    let refusal = case.refusal().await;
    assert!(refusal.to_string().contains("is another file now"), "{refusal}");
    assert!(matches!(case.store.compact().await, Err(Error::Locked { .. })));
    other.set(b"its own too", b"v").await.unwrap();
    drop(other);
    assert_eq!(DurableStore::open(&case.log, Options::default()).unwrap().count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_log_that_is_back_takes_writes_again() {
    let case = Case::new(LogFormat::Binary);
    case.fill().await;
    let away = case.log.with_extension("away");
    fs::rename(&case.log, &away).unwrap();
    case.refusal().await;
    fs::rename(&away, &case.log).unwrap();
    let began = Instant::now();
    while case.store.set(b"acknowledged", b"after").await.is_err() {
        assert!(began.elapsed() < REFUSED_WITHIN, "writes are still refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    case.store.close().unwrap();
    drop(case.store);
    let store = DurableStore::open(&case.log, Options::default()).unwrap();
    assert!(store.exists(b"acknowledged").await.unwrap());
}

#[tokio::test]
async fn closing_a_store_whose_log_was_removed_is_an_error_and_leaves_what_is_there_alone() {
    let case = Case::new(LogFormat::Binary);
    case.fill().await;
    fs::OpenOptions::new().write(true).open(&case.log).unwrap().set_len(1000).unwrap();
    let left = fs::read(&case.log).unwrap();
    assert!(matches!(case.store.close(), Err(Error::LogRemoved { .. })));
    assert!(fs::read(&case.log).unwrap() == left);
}

#[tokio::test]
async fn a_compaction_of_its_own_does_not_restore_a_log_that_was_removed() {
    let case = Case::new(LogFormat::Binary);
    case.fill().await;
    fs::remove_file(&case.log).unwrap();
    case.refusal().await;
    // It looks every second whether one is due; one that nobody asked for would have brought the file back.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!case.log.exists());
}

/// Cuts the middle out, whose end the next write makes whole again, as far as the size goes.
#[tokio::test]
async fn a_log_that_was_truncated_stays_so_however_long_later_writes_make_it() {
    for (format, value_bytes) in [(LogFormat::Binary, 1), (LogFormat::Binary, 100_000), (LogFormat::Json, 1)]
    {
        let case = Case::new(format);
        case.fill().await;
        fs::OpenOptions::new().write(true).open(&case.log).unwrap().set_len(500).unwrap();
        case.store.set(b"large", &vec![b'v'; value_bytes]).await.unwrap();
        case.refusal().await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let refused = case.store.set(b"later", b"v").await;
        assert!(matches!(refused, Err(Error::LogRemoved { .. })), "{format}, {value_bytes}: {refused:?}");
        case.store.set(b"acknowledged", b"after").await.unwrap_err();
        case.store.compact().await.unwrap();
        case.store.set(b"acknowledged", b"after").await.unwrap();
        drop(case.store);
        let store = DurableStore::open(&case.log, Options::default()).unwrap();
        assert_eq!(store.get(b"large").await.unwrap().map(|value| value.len()), Some(value_bytes));
    }
}

#[tokio::test]
async fn a_log_that_is_cut_while_nothing_is_written_is_not_sealed_as_if_it_were_whole() {
    let case = Case::new(LogFormat::Binary);
    // A large batch makes the file no longer than it is itself.
    case.store.set(b"acknowledged", &vec![b'v'; 300_000]).await.unwrap();
    fs::OpenOptions::new().write(true).open(&case.log).unwrap().set_len(1000).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(matches!(case.store.set(b"k", b"v").await, Err(Error::LogRemoved { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_that_is_written_anew_is_for_those_whom_the_old_one_was_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (own, others) in [(0o600, 0o666), (0o640, 0o600)] {
        let case = Case::new(LogFormat::Binary);
        case.fill().await;
        fs::set_permissions(&case.log, fs::Permissions::from_mode(own)).unwrap();
        let other = case.log.with_extension("other");
        fs::write(&other, "somebody's").unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(others)).unwrap();
        fs::rename(&other, &case.log).unwrap();
        case.store.compact().await.unwrap();
        assert_eq!(mode(&case.log), own);
        fs::remove_file(&case.log).unwrap();
        case.store.compact().await.unwrap();
        assert_eq!(mode(&case.log), own);
    }
}

#[tokio::test]
async fn what_was_copied_into_the_log_is_kept_when_a_compaction_writes_that_anew() {
    let case = Case::new(LogFormat::Binary);
    case.fill().await;
    fs::write(&case.log, vec![b'x'; 4 * 1024 * 1024]).unwrap();
    case.refusal().await;
    case.store.compact().await.unwrap();
    let kept = fs::read(case.log.with_file_name("vault.log.replaced-1")).unwrap();
    assert!(kept.starts_with(&[b'x'; 1000]));
    drop(case.store);
    assert!(DurableStore::open(&case.log, Options::default()).unwrap().count().await.unwrap() >= 100);
}
