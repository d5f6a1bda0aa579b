//! How much of the disk a log takes that is overwritten again and again.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustvault_tests::{Daemon, Launch, Wire, open_files};

const MIB: u64 = 1024 * 1024;
const MAX_BYTES: u64 = 100 * MIB;
const KEYS: usize = 1000;
const VALUE_BYTES: usize = 100;
const OVERWRITES: usize = 1_000_000;
const WRITERS: usize = 4;

const SAMPLE_INTERVAL: Duration = Duration::from_millis(2);

/// Bytes of all files of a folder, by their sizes and by the blocks that the disk gives them: those in it,
/// and those that have no name there any more and that the daemon has still open.
fn bytes_in(folder: &Path, daemon: &Daemon) -> (u64, u64) {
    let named = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let open = open_files(daemon.pid()).into_iter().filter(|file| file.name.starts_with(folder));
    let files: BTreeMap<u64, Metadata> = named
        .chain(open.map(|file| file.handle))
        .filter_map(|path| fs::metadata(path).ok().map(|file| (file.ino(), file)))
        .collect();
    (files.values().map(Metadata::len).sum(), files.values().map(|file| file.blocks() * 512).sum())
}

/// The most that was seen until `is_over`.
fn most_bytes(launch: &Launch, daemon: &Daemon, is_over: &AtomicBool) -> (u64, u64, u32) {
    let (mut most, mut samples) = ((0, 0), 0);
    while !is_over.load(Ordering::Relaxed) {
        let (size, blocks) = bytes_in(launch.folder(), daemon);
        most = (most.0.max(size), most.1.max(blocks));
        samples += 1;
        thread::sleep(SAMPLE_INTERVAL);
    }
    (most.0, most.1, samples)
}

fn overwrite(mut wire: Wire, first_round: usize) {
    for round in 0..OVERWRITES / KEYS / WRITERS {
        let value = format!("{first_round}.{round}.");
        let sets = (0..KEYS).map(|key| format!("SET key:{key} {value:x<VALUE_BYTES$}\r\n"));
        wire.ask(sets.collect::<String>(), "OK\r\n".repeat(KEYS));
    }
}

#[test]
fn a_million_overwrites_of_1000_keys_of_100_bytes_take_100_mib_at_most() {
    let launch = Launch::new();
    let daemon = launch.start();
    let is_over = AtomicBool::new(false);
    let (size, blocks, samples) = thread::scope(|scope| {
        let watching = scope.spawn(|| most_bytes(&launch, &daemon, &is_over));
        let writing: Vec<_> = (0..WRITERS)
            .map(|n| (n, daemon.wire()))
            .map(|(n, wire)| scope.spawn(move || overwrite(wire, n)))
            .collect();
        let results: Vec<_> = writing.into_iter().map(|thread| thread.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        results.into_iter().for_each(|result| result.unwrap());
        watching.join().unwrap()
    });
    let mut wire = daemon.wire();
    let compactions = wire.info_number("compactions");
    println!(
        "{OVERWRITES} overwrites: at most {} MiB of files, {} MiB of blocks, in {samples} looks; {compactions} compactions",
        size / MIB,
        blocks / MIB
    );
    assert_eq!(wire.info_number("keys"), KEYS as u64);
    assert!(size.max(blocks) <= MAX_BYTES, "{size} bytes, {blocks} in blocks");
    assert!(compactions > 0);
    daemon.stop();
}
