//! Bugs put into a copy of the sources, one at a time: the tests must catch every one.
//!
//! `cargo test --workspace --test seeded_bugs -- --ignored --nocapture`
//!
//! `RUSTVAULT_BUG=rename` tries those alone whose name has that in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// A bug, and the tests that must catch it.
struct Bug {
    name: &'static str,
    /// In `crates/storage/src`.
    file: &'static str,
    /// Stands in the file exactly once.
    code: &'static str,
    instead: &'static str,
    suite: &'static str,
    /// Which tests of the suite run.
    filter: &'static str,
}

const BUGS: &[Bug] = &[
    Bug {
        name: "acknowledge before the sync",
        file: "wal/write/group_commit.rs",
        code: "SyncPolicy::Always => &self.synced,",
        instead: "SyncPolicy::Always => &self.written,",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "try a failed sync again",
        file: "wal/write/group_commit.rs",
        code: "self.histograms.sync.time(|| file.sync())",
        instead: "self.histograms.sync.time(|| file.sync()).or_else(|_| file.sync())",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "skip the sync of the directory",
        file: "recovery.rs",
        code: "log.check(\"sync the directory of\", sync_parent(&**fs, &log.target))?;\n    let len = log.len()?;",
        instead: "let len = log.len()?;",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "ignore the checksum of a batch",
        file: "wal/read/unit.rs",
        code: "if crc(crc_seed, payload) == header.payload_crc {",
        instead: "if crc(crc_seed, payload) == header.payload_crc || !payload.is_empty() {",
        suite: "recovery",
        filter: "flipped_bit",
    },
    Bug {
        name: "take every damage for a torn tail",
        file: "wal/read/judge.rs",
        code: "let reason = if synced >= place.chain.next_lsn {",
        instead: "let reason = if synced >= place.chain.next_lsn && synced == Lsn::ZERO {",
        suite: "recovery",
        filter: "zeroed",
    },
    Bug {
        name: "lose deletes in a replay",
        file: "wal/format/record.rs",
        code: "(KIND_DELETE, LoggedCommand::Delete(DeleteFields { key })) => Self::Delete { key },",
        instead: "(KIND_DELETE, LoggedCommand::Delete(_)) => Self::Delete { key: b\"\" },",
        suite: "recovery",
        filter: "reopen",
    },
    Bug {
        name: "forget the tombstone before the delete is durable",
        file: "keyspace/shard.rs",
        code: "if lsn <= watermark {",
        instead: "if lsn <= watermark || watermark < lsn {",
        suite: "log_before_reveal",
        filter: "",
    },
    Bug {
        name: "let a reply leave before what it depends on",
        file: "execute.rs",
        code: "Ok((Outcome::Value(entry.map(Value::of)), lsn))",
        instead: "Ok((Outcome::Value(entry.map(Value::of)), lsn.min(Lsn::ZERO)))",
        suite: "log_before_reveal",
        filter: "",
    },
    Bug {
        name: "let an error leave before the value that it tells of",
        file: "execute.rs",
        code: "let failed = |error| ExecuteError::Failed(error, seen);",
        instead: "let failed = |error| ExecuteError::Failed(error, seen.min(Lsn::ZERO));",
        suite: "log_before_reveal",
        filter: "whatever",
    },
    Bug {
        name: "let a condition that does not hold be told before what it tells of",
        file: "execute.rs",
        code: "return Ok((outcome, seen));",
        instead: "return Ok((outcome, seen.min(Lsn::ZERO)));",
        suite: "log_before_reveal",
        filter: "whatever",
    },
    Bug {
        name: "overwrite in place without the LSN of the record",
        file: "keyspace/entry.rs",
        code: "self.set_lsn(lsn);",
        instead: "let _ = lsn;",
        suite: "log_before_reveal",
        filter: "overwrite",
    },
    Bug {
        name: "use LSNs again after a crash",
        file: "recovery.rs",
        code: "let stride = if ending.is_closed { 0 } else { LSN_STRIDE };",
        instead: "let stride = if ending.is_closed { 0 } else { LSN_STRIDE * 0 };",
        suite: "recovery",
        filter: "lsns",
    },
    Bug {
        name: "leave the torn tail in the file",
        file: "recovery.rs",
        code: "if ending.torn_bytes > 0 {",
        instead: "if ending.torn_bytes > u64::MAX - 1 {",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "serve what the disk may not have",
        file: "recovery.rs",
        code: "while at < ending.offset {",
        instead: "while at < ending.offset && at == u64::MAX {",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "trust a file header that nothing proves",
        file: "wal/read/reader.rs",
        code: "unproven_from.unwrap_or(0)",
        instead: "unproven_from.unwrap_or(place.offset)",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "take a short write for a whole one",
        file: "fs.rs",
        code: "bytes = bytes.get(written..).unwrap_or_default();",
        instead: "bytes = &[];",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "take LSNs that are missing for a torn tail",
        file: "wal/read/scanner.rs",
        code: ".map_err(|reason| corrupted(reason.to_owned()))?;",
        instead: ".map_err(|reason| damaged(end, reason))?;",
        suite: "recovery",
        filter: "refused",
    },
    Bug {
        name: "take writes before the seal that begins the epoch",
        file: "wal/write/appender.rs",
        code: "self.opening_seal.is_some()",
        instead: "self.opening_seal.is_some() && self.offset == 0",
        suite: "recovery",
        filter: "lsns",
    },
    Bug {
        name: "skip the tombstone of a key that is not known yet in a replay",
        file: "keyspace/restore.rs",
        code: "Place::Vacant(place) => {",
        instead: "Place::Vacant(_) if past.value.is_none() => {}\n            Place::Vacant(place) => {",
        suite: "recovery",
        filter: "reopen",
    },
    Bug {
        name: "rename the successor before it is synced",
        file: "wal/rewrite/swap.rs",
        code: "self.successor.seal(written)?;\n        let _other = self.rename(&**syncing, may_restore)?;",
        instead: "let _other = self.rename(&**syncing, may_restore)?;\n        self.successor.seal(written)?;",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "skip the sync of the directory after the rename",
        file: "wal/rewrite/swap.rs",
        code: "if let Err(error) = directory.sync() {",
        instead: "if let Err(error) = Ok::<(), io::Error>(()) {",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "open the directory after the rename",
        file: "wal/rewrite/swap.rs",
        code: "if let Err(error) = directory.sync() {",
        instead: "drop(directory);
        if let Err(error) = self.location.fs.open_parent(&self.location.log).and_then(|opened| opened.sync()) {",
        suite: "recovery",
        filter: "every_fault",
    },
    Bug {
        name: "take over before the tail is complete",
        file: "wal/rewrite/swap.rs",
        code: "self.source.copy(appender.offset(), u64::MAX, &mut self.successor)?;",
        instead: "",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "leave a delete that comes during the walk out of the copy",
        file: "wal/rewrite/source.rs",
        code: "if header.kind == BatchKind::Records {",
        instead: "if header.kind == BatchKind::Records && (header.records > 1 || header.payload_bytes > 40) {",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "take entries that are newer than where the copy begins",
        file: "compaction/run.rs",
        code: "KeyspaceWalk::new(self.keyspace, rewrite.last_lsn(), MAX_HELD_BYTES)",
        instead: "KeyspaceWalk::new(self.keyspace, crate::Lsn::new(u64::MAX), MAX_HELD_BYTES)",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "copy before all that the walk saw is written",
        file: "compaction/run.rs",
        code: "self.log.commit()?;",
        instead: "",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "go on syncing the old file after the take-over",
        file: "wal/rewrite/swap.rs",
        code: "*syncing = Arc::clone(self.successor.file());",
        instead: "",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "go on appending to the old file after the take-over",
        file: "wal/rewrite/swap.rs",
        code: "let old_file = appender.switch_to(self.successor.end());",
        instead: "let old_file = Arc::clone(&*syncing);",
        suite: "crash",
        filter: "under_always",
    },
    Bug {
        name: "put a successor of lines in the log's place before its end is synced",
        file: "wal/rewrite/successor.rs",
        code: "Encoding::Json => {}",
        instead: "Encoding::Json => return self.out.flush(),",
        suite: "crash",
        filter: "of_a_log_of_lines_keeps_what_was_acknowledged",
    },
    Bug {
        name: "leave deletes that come during a compaction out of a log of lines",
        file: "wal/rewrite/successor.rs",
        code: "json::encode(change, self.last_timestamp_ms, &mut self.out.buffer);",
        instead: "if matches!(change, LoggedChange::Set { .. }) {
                    json::encode(change, self.last_timestamp_ms, &mut self.out.buffer);
                }",
        suite: "compaction",
        filter: "while_the_format_changes",
    },
    Bug {
        name: "ignore the checksum of a block of entries",
        file: "wal/read/unit.rs",
        code: "if crc(crc_seed, payload) == header.payload_crc {",
        instead: "if crc(crc_seed, payload) == header.payload_crc || header.kind == BatchKind::Entries {",
        suite: "compaction",
        filter: "damage_in_what_a_compaction_wrote",
    },
    Bug {
        name: "copy a batch into the successor without its checksum",
        file: "wal/rewrite/source.rs",
        code: "if own_crc == header.payload_crc {",
        instead: "if own_crc == header.payload_crc || end > 0 {",
        suite: "compaction",
        filter: "went_bad",
    },
    Bug {
        name: "take damage in a compacted log for a torn tail",
        file: "wal/read/reader.rs",
        code: "let is_compacted_part = place.chain.section != LogSection::Appended;",
        instead: "let is_compacted_part = place.chain.section == LogSection::Start;",
        suite: "compaction",
        filter: "damage_in_what_a_compaction_wrote",
    },
    // Defects found by reading. The tests named for them are left out: these suites must see them by themselves.
    Bug {
        name: "write at the log's end without looking for a failure",
        file: "wal/write/group_commit.rs",
        code: "        self.check()?;\n        work(&mut appender)",
        instead: "        work(&mut appender)",
        suite: "model",
        filter: "several_committers_lose_nothing",
    },
    Bug {
        name: "write at the log's end without looking for a failure, with real threads",
        file: "wal/write/group_commit.rs",
        code: "        self.check()?;\n        work(&mut appender)",
        instead: "        work(&mut appender)",
        suite: "recovery",
        filter: "two_committers",
    },
    Bug {
        name: "let go of the log's end before a failure is known",
        file: "wal/write/group_commit.rs",
        code: "work(&mut appender).inspect_err(|error| self.fail(error.clone()))",
        instead: "let done = work(&mut appender);
        drop((_guard, appender));
        done.inspect_err(|error| self.fail(error.clone()))",
        suite: "model",
        filter: "several_committers_lose_nothing",
    },
    Bug {
        name: "leave records that are held back to their submission when somebody waits for them",
        file: "wal/write/group_commit.rs",
        code: "if tail.first_lsn() <= lsn && tail.announce() {",
        instead: "if tail.first_lsn() > lsn && tail.announce() {",
        suite: "model",
        filter: "hold_back",
    },
    Bug {
        name: "seal while records are held back",
        file: "wal/write/writer.rs",
        code: "Some(if tail.is_empty() {",
        instead: "Some(if tail.is_empty() || idle >= IDLE_BEFORE_SEAL {",
        suite: "model",
        filter: "several_committers_lose_nothing",
    },
    Bug {
        name: "promise room that others have a claim on",
        file: "wal/write/space.rs",
        code: "room.claimed += bytes;",
        instead: "room.claimed += bytes.min(40);",
        suite: "model",
        filter: "full_disk",
    },
    Bug {
        name: "reserve nothing for who waits for room",
        file: "wal/write/group_commit.rs",
        code: "if is_short || wanted_bytes > 0 {
            self.reserve(appender, wanted_bytes)?;",
        instead: "if is_short {
            self.reserve(appender, 0)?;",
        suite: "model",
        filter: "room",
    },
    Bug {
        name: "go on writing to a log that was removed",
        file: "wal/write/admission.rs",
        code: "shared.file_watch.error().map_or(Ok(admission), Err)",
        instead: "Ok(admission)",
        suite: "model",
        filter: "removed_log_refuses_writes",
    },
    Bug {
        name: "take the room that a compaction needs",
        file: "wal/write/group_commit.rs",
        code: "if least > appender.reserved_end() && !self.size_limit.admits(least) {",
        instead: "if least == u64::MAX {",
        suite: "disk_full",
        filter: "overwrites_wait",
    },
    Bug {
        name: "leave a removed log alone when somebody asks for it",
        file: "compaction/mod.rs",
        code: "self.compact(!waiting.is_empty())",
        instead: "self.compact(false)",
        suite: "model",
        filter: "removed",
    },
];

/// What is run without any bug first: it must not fail by itself.
const SOUND: [(&str, &str); 4] = [
    ("recovery", "reopen"),
    ("log_before_reveal", ""),
    ("crash", "under_always"),
    ("compaction", "damage_in_what_a_compaction_wrote"),
];

/// Characters of what a failed test says that are shown.
const MAX_WORDS: usize = 160;

/// A copy of the workspace.
struct Copy {
    root: PathBuf,
    /// That of the real one: with `--workspace` here and there, no dependency is built again.
    target: &'static Path,
}

impl Copy {
    fn make() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // The same place each time: what is built there takes the place of what was.
        let root = temporary.join("seeded-bugs");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir(&root).unwrap();
        for part in ["Cargo.toml", "Cargo.lock", "crates", "benches", "tests"] {
            copy(&workspace.join(part), &root.join(part));
        }
        Self { root, target: temporary.parent().unwrap() }
    }

    fn source(&self, file: &str) -> PathBuf {
        self.root.join("crates/storage/src").join(file)
    }

    fn cargo_test(&self, suite: &str, filter: &str) -> Output {
        // As in CI: the same features of what it depends on, which is then there.
        let package: &[_] = match suite {
            "model" => &["--package", "rustvault-storage", "--features", "shuttle"],
            _ => &["--workspace"],
        };
        Command::new(env!("CARGO"))
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.target)
            .env("RUST_BACKTRACE", "0")
            // Fewer than in a run of its own: a bug shows early. The same ones each time, as far as can be.
            .env("RUSTVAULT_CRASH_STATES", "60000")
            .env("RUSTVAULT_CRASH_SEED", if filter.contains("lines") { "2" } else { "1" })
            .args(["test", "--locked", "--quiet"])
            .args(package)
            .args(["--test", suite, "--", filter])
            .output()
            .unwrap()
    }

    /// What the first of the bug's tests says that fails; `None` if none does.
    fn catch(&self, bug: &Bug) -> Option<String> {
        let path = self.source(bug.file);
        let sound = fs::read_to_string(&path).unwrap();
        assert_eq!(sound.matches(bug.code).count(), 1, "{}: {} has moved on", bug.name, bug.file);
        fs::write(&path, sound.replace(bug.code, bug.instead)).unwrap();
        let outcome = self.cargo_test(bug.suite, bug.filter);
        fs::write(&path, sound).unwrap();
        let output = String::from_utf8_lossy(&outcome.stdout);
        let has_run = output.contains("test result: ");
        assert!(has_run, "{}: {}", bug.name, String::from_utf8_lossy(&outcome.stderr));
        let mut lines = output.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
        let words = lines.next().unwrap_or("a test failed").chars().take(MAX_WORDS).collect();
        (!outcome.status.success()).then_some(words)
    }
}

impl Drop for Copy {
    /// What was built here is taken for the real workspace's, and for fresh as long as its sources are there.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        copy(&from.join(&name), &to.join(&name));
    }
}

#[test]
fn every_seeded_bug_stands_once_in_the_sources() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for bug in BUGS {
        let sound = fs::read_to_string(sources.join(bug.file)).unwrap_or_default();
        assert_eq!(sound.matches(bug.code).count(), 1, "{}: {} has moved on", bug.name, bug.file);
    }
}

#[test]
#[ignore = "builds the crate once for every bug"]
fn every_seeded_bug_is_caught() {
    let copy = Copy::make();
    for (suite, filter) in SOUND {
        assert!(copy.cargo_test(suite, filter).status.success(), "without any bug {suite} {filter} passes");
    }
    let mut missed = Vec::new();
    let only = std::env::var("RUSTVAULT_BUG").unwrap_or_default();
    let bugs: Vec<_> = BUGS.iter().filter(|bug| bug.name.contains(&only)).collect();
    for &bug in &bugs {
        let began = Instant::now();
        let caught = copy.catch(bug);
        let verdict = if caught.is_some() { "caught" } else { "MISSED" };
        println!("{verdict} by {} {} in {:.1?}: {}", bug.suite, bug.filter, began.elapsed(), bug.name);
        match caught {
            Some(words) => println!("    {words}"),
            None => missed.push(bug.name),
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
    println!("seeded bugs: all {} caught", bugs.len());
}
