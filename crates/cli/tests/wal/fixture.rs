//! Logs to try the tools on, and the tools as processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assert_cmd::Command;
use rustvault_storage::{DurableStore, LogFormat, Options};
use serde_json::Value;

/// Ends a test that hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Held by the test that runs. A process that another one starts would, until it is the program, keep the
/// locks of the logs that this one has open.
static TURN: Mutex<()> = Mutex::new(());

pub(crate) fn take_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A log in a folder of its own.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Fixture {
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.log");
        Self { folder, path }
    }

    /// A closed log with 20 keys, in as many batches, and one of them deleted.
    pub(crate) fn written(format: LogFormat) -> Self {
        let fixture = Self::empty();
        let store = fixture.store(format);
        run(async {
            for number in 0_u8..20 {
                store.set(&[b'k', number], &[0xff, number]).await.unwrap();
            }
            store.delete(&[b'k', 3]).await.unwrap();
        });
        store.close().unwrap();
        fixture
    }

    pub(crate) fn compacted() -> Self {
        let fixture = Self::written(LogFormat::Binary);
        let store = fixture.store(LogFormat::Binary);
        run(store.compact()).unwrap();
        run(store.set(b"after", b"compaction")).unwrap();
        store.close().unwrap();
        fixture
    }

    pub(crate) fn store(&self, format: LogFormat) -> DurableStore {
        let mut options = Options::default();
        options.log_format = Some(format);
        DurableStore::open(&self.path, options).unwrap()
    }

    pub(crate) fn keys(&self) -> u64 {
        run(self.store(LogFormat::Binary).count()).unwrap()
    }

    /// The command `wal NAME LOG`.
    pub(crate) fn wal(&self, name: &str) -> Command {
        wal(name, &self.path)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    /// Changes a byte of the third batch with records; returns where that batch begins.
    pub(crate) fn damage(&self) -> u64 {
        let output = self.wal("inspect").args(["--batches", "--json"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let batches = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let offset = |batch: Value| batch["batch"]["offset"].as_u64();
        let offset =
            batches.filter(|line| line["batch"]["kind"] == "records").nth(2).and_then(offset).unwrap();
        let mut bytes = self.bytes();
        bytes[offset as usize + 60] ^= 1;
        fs::write(&self.path, bytes).unwrap();
        offset
    }
}

pub(crate) fn cli() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rustvault-cli"));
    command.timeout(DEADLINE);
    command
}

pub(crate) fn wal(name: &str, path: &Path) -> Command {
    let mut command = cli();
    command.args(["wal", name]).arg(path);
    command
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The exit code, and the one line on standard error.
pub(crate) fn failure(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code(), text)
}

pub(crate) fn json(command: &mut Command) -> Value {
    let output = command.arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
