//! Every tool on every kind of file: what it exits with, and what becomes of the file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use rustvault_storage::LogFormat;

use crate::fixture::{Fixture, take_turn};

/// Each with the options that make it do what it can.
const TOOLS: [&[&str]; 6] = [
    &["inspect", "--batches"],
    &["verify"],
    &["dump"],
    &["convert", "--to", "json"],
    &["repair", "--yes"],
    &["load"],
];

/// Exit codes in the order of [`TOOLS`].
type Codes = [i32; 6];

const SOUND: Codes = [0; 6];
const DAMAGED: Codes = [3, 3, 3, 3, 0, 3];
const NO_LOG: Codes = [3; 6];
const REFUSED_BY_SYSTEM: Codes = [1; 6];

/// A kind of file: how to make one at a path, the exit codes, and what every failure says.
struct Kind {
    name: &'static str,
    make: fn(&Path),
    codes: Codes,
    words: &'static str,
}

const KINDS: &[Kind] = &[
    Kind { name: "sound", make: |path| write(path, &BINARY), codes: SOUND, words: "" },
    Kind { name: "sound, of lines", make: |path| write(path, &LINES), codes: SOUND, words: "" },
    Kind { name: "compacted", make: |path| write(path, &COMPACTED), codes: SOUND, words: "" },
    Kind { name: "torn", make: |path| write(path, cut(&BINARY, 60)), codes: SOUND, words: "" },
    Kind { name: "torn, of lines", make: |path| write(path, cut(&LINES, 10)), codes: SOUND, words: "" },
    Kind { name: "empty", make: |path| write(path, b""), codes: SOUND, words: "" },
    Kind { name: "zeros", make: |path| write(path, &[0; 70_000]), codes: SOUND, words: "" },
    Kind {
        name: "corrupt",
        make: |path| write(path, &flipped(&BINARY, 1000)),
        codes: DAMAGED,
        words: "is corrupt at byte ",
    },
    Kind {
        name: "corrupt, of lines",
        make: |path| write(path, &bad_lines()),
        codes: DAMAGED,
        words: "is corrupt at byte ",
    },
    Kind {
        name: "compacted, an entry corrupt",
        make: |path| write(path, &flipped(&COMPACTED, 200)),
        codes: DAMAGED,
        words: "is corrupt at byte 64:",
    },
    Kind {
        name: "header corrupt",
        make: |path| write(path, &flipped(&BINARY, 20)),
        codes: NO_LOG,
        words: "is corrupt at byte 0:",
    },
    Kind {
        name: "cut in the header",
        make: |path| write(path, &BINARY[..20]),
        codes: NO_LOG,
        words: "is corrupt at byte 0:",
    },
    Kind {
        name: "newer",
        make: |path| write(path, &newer()),
        codes: NO_LOG,
        words: "has log format 9, this version reads formats up to 1; use a newer RustVault",
    },
    Kind {
        name: "foreign text",
        make: |path| write(path, b"dear diary,\n"),
        codes: NO_LOG,
        words: "is not a RustVault log",
    },
    Kind {
        name: "foreign bytes",
        make: |path| write(path, &[0x7f, b'E', b'L', b'F', 2, 1, 1, 0].repeat(100)),
        codes: NO_LOG,
        words: "is not a RustVault log",
    },
    Kind {
        name: "directory",
        make: |path| fs::create_dir(path).unwrap(),
        codes: REFUSED_BY_SYSTEM,
        words: "cannot open ",
    },
    Kind {
        name: "pipe",
        make: |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        codes: REFUSED_BY_SYSTEM,
        words: "not a regular file",
    },
    Kind {
        name: "unreadable",
        make: |path| write_with_mode(path, 0o000),
        codes: REFUSED_BY_SYSTEM,
        words: "Permission denied",
    },
    Kind {
        name: "read-only",
        make: |path| write_with_mode(path, 0o444),
        codes: [0, 0, 0, 1, 1, 1],
        words: "Permission denied",
    },
    Kind { name: "absent", make: |_| {}, codes: [1, 1, 1, 1, 1, 0], words: "No such file" },
];

static BINARY: LazyLock<Vec<u8>> = LazyLock::new(|| Fixture::written(LogFormat::Binary).bytes());
static LINES: LazyLock<Vec<u8>> = LazyLock::new(|| Fixture::written(LogFormat::Json).bytes());
static COMPACTED: LazyLock<Vec<u8>> = LazyLock::new(|| Fixture::compacted().bytes());

fn newer() -> Vec<u8> {
    let mut bytes = BINARY.clone();
    bytes[8] = 9;
    bytes
}

fn cut(bytes: &[u8], missing: usize) -> &[u8] {
    &bytes[..bytes.len() - missing]
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

/// With its second line spoilt: what begins with no line is no log.
fn bad_lines() -> Vec<u8> {
    let first_end = LINES.iter().position(|&byte| byte == b'\n').unwrap();
    flipped(&LINES, first_end + 1)
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

fn write_with_mode(path: &Path, mode: u32) {
    write(path, &BINARY);
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The program for somebody who is not root, whom no permission stops.
struct Program {
    folder: tempfile::TempDir,
    path: PathBuf,
    is_root: bool,
}

/// `nobody` on most systems; that there is such a user is not needed.
const NOBODY: u32 = 65534;

impl Program {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("rustvault-cli");
        fs::copy(env!("CARGO_BIN_EXE_rustvault-cli"), &path).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        Self { folder, path, is_root }
    }

    /// A folder that the program may write to.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        self.give(&folder);
        folder
    }

    fn give(&self, path: &Path) {
        if self.is_root && path.exists() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    fn run(&self, tool: &[&str], log: &Path) -> Output {
        let mut command = Command::new(&self.path);
        command.arg("wal").arg(tool[0]).arg(log).args(&tool[1..]).stdin(std::process::Stdio::null());
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    }
}

#[test]
fn every_tool_tells_every_kind_of_file_and_changes_none_that_it_refuses() {
    let _turn = take_turn();
    let program = Program::new();
    for (number, kind) in KINDS.iter().enumerate() {
        for (tool, code) in TOOLS.iter().zip(kind.codes) {
            let context = format!("{} of {}", tool[0], kind.name);
            let folder = program.folder(&format!("{number}-{}", tool[0]));
            let log = folder.join("vault.log");
            (kind.make)(&log);
            program.give(&log);
            let (before, mode) = (content_of(&log), mode_of(&log));
            let output = program.run(tool, &log);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{context}: {stderr}");
            if code == 0 {
                assert_eq!(stderr, "", "{context}");
                continue;
            }
            assert!(stderr.lines().count() == 1 && stderr.contains(kind.words), "{context}: {stderr}");
            assert!(stderr.contains(log.to_str().unwrap()), "{context}: {stderr}");
            assert!(before == content_of(&log) && mode == mode_of(&log), "{context}: it was changed");
            let others = fs::read_dir(&folder).unwrap().filter(|file| file.as_ref().unwrap().path() != log);
            assert_eq!(others.count(), 0, "{context}: it left something behind");
        }
    }
}

/// Of a file: reading a pipe would wait for a writer.
fn content_of(path: &Path) -> Option<Vec<u8>> {
    if path.is_file() { fs::read(path).ok() } else { None }
}

fn mode_of(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|file| file.permissions().mode())
}
