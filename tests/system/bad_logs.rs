//! Logs that cannot be opened, and those that can be although they look bad.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustvault_tests::{Launch, Refusal};

/// A refused start: this exit code, one line on standard error with these words in it, and the file as it was.
#[track_caller]
fn assert_refused(launch: &Launch, code: i32, words: &[&str]) -> Refusal {
    let before = fs::read(launch.wal()).ok();
    let refusal = launch.refused();
    assert_eq!((refusal.code, refusal.lines.len()), (code, 1), "{:#?}", refusal.lines);
    let line = &refusal.lines[0];
    for word in words {
        assert!(line.contains(word), "no {word:?} in {line:?}");
    }
    assert!(!line.contains("panicked") && !line.contains("RUST_BACKTRACE"), "{line}");
    assert!(before == fs::read(launch.wal()).ok(), "the file was changed");
    refusal
}

fn path_of(launch: &Launch) -> &str {
    launch.wal().to_str().unwrap()
}

/// A log with a thousand keys, stopped cleanly, and what was written.
fn sealed_log() -> (Launch, Vec<u8>) {
    let launch = Launch::new();
    let daemon = launch.start();
    let mut wire = daemon.wire();
    // One batch each, so that there is much between the records to damage.
    for n in 0..200 {
        wire.ask(format!("SET key:{n} value-{n}\r\n"), "OK\r\n");
    }
    daemon.stop();
    let bytes = fs::read(launch.wal()).unwrap();
    (launch, bytes)
}

#[test]
fn a_directory_is_refused_with_1() {
    let launch = Launch::new();
    fs::create_dir(launch.wal()).unwrap();
    assert_refused(&launch, 1, &[path_of(&launch)]);
    assert!(fs::read_dir(launch.wal()).unwrap().next().is_none());
}

#[test]
fn a_log_in_a_folder_that_is_not_there_is_refused_with_1() {
    let launch = Launch::new();
    let launch = launch.clone().with_wal(launch.folder().join("missing/vault.log"));
    assert_refused(&launch, 1, &[path_of(&launch)]);
}

#[test]
fn an_empty_file_and_one_of_zeros_become_new_logs() {
    for bytes in [0, 1, 100, 4096] {
        let launch = Launch::new();
        fs::write(launch.wal(), vec![0; bytes]).unwrap();
        let daemon = launch.start();
        daemon.wire().ask("COUNT\r\nSET k v\r\n", "VALUE 0\r\nOK\r\n");
        daemon.kill();
        launch.start().wire().ask("GET k\r\n", "VALUE v\r\n");
    }
}

#[test]
fn a_text_file_is_refused_with_3() {
    for text in ["x", "dear diary,\n", &"a long text\n".repeat(1000)] {
        let launch = Launch::new();
        fs::write(launch.wal(), text).unwrap();
        assert_refused(&launch, 3, &[path_of(&launch)]);
    }
}

#[test]
fn random_bytes_are_refused_with_3() {
    let mut rng = fastrand::Rng::with_seed(7);
    for len in [1, 20, 128, 10_000] {
        let launch = Launch::new();
        let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(1..)).take(len).collect();
        fs::write(launch.wal(), bytes).unwrap();
        assert_refused(&launch, 3, &[path_of(&launch)]);
    }
}

#[test]
fn a_flipped_bit_in_a_sealed_log_is_refused_with_3_and_told_with_its_place() {
    let (launch, bytes) = sealed_log();
    for n in 1..=12 {
        let at = bytes.len() * n / 13;
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(launch.wal(), &damaged).unwrap();
        let refusal = assert_refused(&launch, 3, &[path_of(&launch), "at byte "]);
        let offset = refusal.lines[0].split("at byte ").nth(1).unwrap();
        let offset: usize = offset.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        assert!(offset <= at, "the damage is at {at}: {}", refusal.lines[0]);
    }
    fs::write(launch.wal(), &bytes).unwrap();
    launch.start().wire().ask("COUNT\r\n", "VALUE 200\r\n");
}

#[test]
fn a_log_that_was_cut_opens_with_a_prefix_of_its_history() {
    let (launch, bytes) = sealed_log();
    let mut last_keys = 200;
    for n in (1..=10).rev() {
        let end = bytes.len() * n / 11;
        fs::write(launch.wal(), &bytes[..end]).unwrap();
        let daemon = launch.start();
        let mut wire = daemon.wire();
        let keys = wire.info_number("keys");
        assert!(keys < last_keys, "{end} of {} bytes: {keys} keys", bytes.len());
        for n in 0..keys {
            wire.ask(format!("GET key:{n}\r\n"), format!("VALUE value-{n}\r\n"));
        }
        wire.ask("SET new v\r\n", "OK\r\n");
        daemon.kill();
        launch.start().wire().ask("GET new\r\nCOUNT\r\n", format!("VALUE v\r\nVALUE {}\r\n", keys + 1));
        last_keys = keys;
    }
}

#[test]
fn a_log_that_was_cut_within_its_header_is_refused_with_3() {
    let (launch, bytes) = sealed_log();
    for end in [1, 8, 20] {
        fs::write(launch.wal(), &bytes[..end]).unwrap();
        assert_refused(&launch, 3, &[path_of(&launch)]);
    }
}

#[test]
fn a_log_that_is_in_use_is_refused_within_a_second_naming_path_and_process() {
    let launch = Launch::new();
    let daemon = launch.start();
    daemon.wire().ask("SET k v\r\n", "OK\r\n");
    let refusal = launch.refused();
    let line = &refusal.lines[0];
    assert_eq!((refusal.code, refusal.lines.len()), (1, 1), "{:#?}", refusal.lines);
    assert!(line.contains(path_of(&launch)) && line.contains(&daemon.pid().to_string()), "{line}");
    assert!(refusal.elapsed < Duration::from_secs(1), "{:?}", refusal.elapsed);
    // A link to it is the same log.
    let link = launch.folder().join("link.log");
    std::os::unix::fs::symlink(launch.wal(), &link).unwrap();
    assert_eq!(launch.clone().with_wal(&link).refused().code, 1);
    daemon.wire().ask("GET k\r\n", "VALUE v\r\n");
    daemon.kill();
    launch.start().wire().ask("GET k\r\n", "VALUE v\r\n");
}

#[test]
fn a_taken_port_is_found_out_before_the_log_is_touched() {
    let daemon = Launch::new().start();
    let launch = Launch::new().with_bind(daemon.addr());
    assert_refused(&launch, 1, &[&daemon.addr().to_string()]);
    assert!(!launch.wal().exists());
    let text = Launch::new().with_bind(daemon.addr());
    fs::write(text.wal(), "no log\n").unwrap();
    assert_refused(&text, 1, &[&daemon.addr().to_string()]);
}

#[test]
fn only_the_log_itself_is_written() {
    let launch = Launch::new();
    let daemon = launch.start();
    daemon.wire().ask("SET k v\r\n".repeat(1000), "OK\r\n".repeat(1000));
    daemon.kill();
    launch.start().stop();
    let files: Vec<_> = fs::read_dir(launch.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [Path::new(launch.wal())]);
}
