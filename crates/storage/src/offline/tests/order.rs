//! Checks what is on the disk before what else is done.

use parking_lot::Mutex;

use super::*;
use crate::fs::{Directory, Lock, LogFile, Ownership};

/// The system's file system, which writes down what is done to it.
#[derive(Clone, Default)]
struct Recorder {
    steps: Arc<Mutex<Vec<String>>>,
}

struct RecordedDirectory {
    directory: Box<dyn Directory>,
    /// Name of a file in it.
    name: String,
    recorder: Recorder,
}

struct RecordedFile {
    file: Arc<dyn LogFile>,
    name: String,
    recorder: Recorder,
}

impl Recorder {
    /// The same step again is one step.
    fn note(&self, step: &str, path: &str) {
        let step = format!("{step} {path}");
        let mut steps = self.steps.lock();
        if steps.last() != Some(&step) {
            steps.push(step);
        }
    }

    fn file(&self, path: &Path, file: Arc<dyn LogFile>) -> Arc<dyn LogFile> {
        Arc::new(RecordedFile { file, name: name(path), recorder: self.clone() })
    }

    fn steps(&self) -> Vec<String> {
        self.steps.lock().clone()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

impl FileSystem for Recorder {
    fn resolve(&self, path: &Path) -> std::io::Result<PathBuf> {
        OsFileSystem.resolve(path)
    }

    fn open(&self, path: &Path) -> std::io::Result<Arc<dyn LogFile>> {
        OsFileSystem.open(path)
    }

    fn open_existing(&self, path: &Path, access: Access) -> std::io::Result<Arc<dyn LogFile>> {
        OsFileSystem.open_existing(path, access).map(|file| self.file(path, file))
    }

    fn create(&self, path: &Path, like: Option<Ownership>) -> std::io::Result<Arc<dyn LogFile>> {
        self.note("create", &name(path));
        OsFileSystem.create(path, like).map(|file| self.file(path, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.note("rename", &name(from));
        OsFileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.note("remove", &name(path));
        OsFileSystem.remove(path)
    }

    fn open_parent(&self, path: &Path) -> std::io::Result<Box<dyn Directory>> {
        self.note("open the directory of", &name(path));
        let directory = OsFileSystem.open_parent(path)?;
        Ok(Box::new(RecordedDirectory { directory, name: name(path), recorder: self.clone() }))
    }

    fn free_bytes(&self, path: &Path) -> std::io::Result<u64> {
        OsFileSystem.free_bytes(path)
    }
}

impl Directory for RecordedDirectory {
    fn sync(&self) -> std::io::Result<()> {
        self.recorder.note("sync the directory of", &self.name);
        self.directory.sync()
    }
}

impl LogFile for RecordedFile {
    fn try_lock(&self) -> std::io::Result<Lock> {
        self.file.try_lock()
    }

    fn len_bytes(&self) -> std::io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<usize> {
        self.recorder.note("write", &self.name);
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> std::io::Result<()> {
        self.recorder.note("sync", &self.name);
        self.file.sync()
    }

    fn set_len(&self, len_bytes: u64) -> std::io::Result<()> {
        self.recorder.note("cut", &self.name);
        self.file.set_len(len_bytes)
    }

    fn reserve(&self, offset: u64, len_bytes: u64) -> std::io::Result<()> {
        self.file.reserve(offset, len_bytes)
    }

    fn is_at(&self, path: &Path) -> std::io::Result<bool> {
        self.file.is_at(path)
    }
}

fn open(recorder: &Recorder, fixture: &Fixture) -> OfflineLog {
    OfflineLog::open_on(Arc::new(recorder.clone()), &fixture.path, Access::Write).unwrap()
}

#[test]
fn a_converted_log_is_synced_before_it_takes_the_name() {
    for (from, to) in [(LogFormat::Binary, LogFormat::Json), (LogFormat::Json, LogFormat::Binary)] {
        let (recorder, fixture) = (Recorder::default(), Fixture::written(from));
        open(&recorder, &fixture).convert(to).unwrap();
        let expected = [
            "remove vault.log.compacting",
            "create vault.log.compacting",
            "write vault.log.compacting",
            "sync vault.log.compacting",
            "open the directory of vault.log",
            "rename vault.log.compacting",
            "sync the directory of vault.log",
        ];
        assert_eq!(recorder.steps(), expected);
    }
}

#[test]
fn what_a_repair_cuts_is_synced_elsewhere_before_the_log_is_touched() {
    for format in FORMATS {
        let (recorder, fixture) = (Recorder::default(), Fixture::written(format));
        fixture.damage(|bytes| bytes[200] = b'?');
        let log = open(&recorder, &fixture);
        let cut = log.find_damage().unwrap().unwrap();
        log.repair(&cut).unwrap();
        let kept = name(cut.keep_in.as_ref().unwrap());
        let steps = recorder.steps();
        let expected = [
            format!("create {kept}"),
            format!("write {kept}"),
            format!("sync {kept}"),
            format!("open the directory of {kept}"),
            format!("sync the directory of {kept}"),
        ];
        assert_eq!(steps[..5], expected);
        assert!(steps[5..].iter().all(|step| step.ends_with(" vault.log")), "{steps:?}");
        assert_eq!(steps.last().map(String::as_str), Some("sync vault.log"));
    }
}
