//! Clients that ask for much and do not read: what they hold of what others overwrite meanwhile is bounded.

use std::time::Duration;

use rustvault_tests::{Daemon, Launch, Wire, resp_request, until};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const MAX_GROWTH_BYTES: u64 = 64 << 20;

fn mget(keys: usize) -> Vec<u8> {
    let keys: Vec<_> = (0..keys).map(|key| format!("k{key}")).collect();
    resp_request(&[&["MGET"], &keys.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat())
}

/// Stores a value of so many bytes, all the same one, under each key.
fn overwrite(wire: &mut Wire, keys: impl Iterator<Item = String>, value_bytes: usize, byte: char) {
    let value = byte.to_string().repeat(value_bytes);
    for key in keys {
        wire.ask(format!("SET {key} {value}\r\n"), "OK\r\n");
    }
}

/// What the daemon grows by while every value is overwritten three times.
fn growth_while_overwritten(
    daemon: &Daemon,
    key: impl Fn(usize) -> String,
    keys: usize,
    value_bytes: usize,
) -> u64 {
    let mut wire = daemon.wire();
    let before = daemon.resident_bytes();
    let mut highest = before;
    for byte in ['x', 'y', 'z'] {
        overwrite(&mut wire, (0..keys).map(&key), value_bytes, byte);
        highest = highest.max(daemon.resident_bytes());
    }
    println!("{keys} values of {value_bytes} bytes, overwritten: memory grew by {} bytes", highest - before);
    highest - before
}

#[test]
fn an_unread_mget_of_100_mib_beside_overwrites_holds_a_part_and_the_connection_ends_where_it_would_need_more()
{
    // On one thread: the allocator keeps what one thread has freed of another's until that one allocates again.
    let daemon = Launch::new().with_args("--threads 1 --fsync never --compact-min-bytes 8GiB").start();
    let mut other = daemon.wire();
    // Twice: buffers that writing takes are not what is measured.
    for _ in 0..2 {
        overwrite(&mut other, (0..100).map(|key| format!("k{key}")), MIB, 'a');
    }
    let mut unread = daemon.wire();
    unread.send(mget(100));
    unread.expect("*100\r\n$1048576\r\naaa");

    let grown = growth_while_overwritten(&daemon, |key| format!("k{key}"), 100, MIB);
    assert!(grown <= MAX_GROWTH_BYTES, "memory grew by {grown} bytes");

    let rest = read_to_end(&mut unread);
    assert!((30 * MIB..100 * MIB).contains(&rest.len()), "{} bytes came", rest.len());
    assert!(!rest.iter().any(|byte| b"xyz".contains(byte)), "values of several moments came");
    until("it is counted", || other.info_number("closed_output_limit") == 1);
    let line = daemon.wait_for_line("--max-output-bytes");
    assert!(line.contains("WARN"), "{line}");
    daemon.stop();
}

/// All that comes until the server ends the connection, cleanly or not.
fn read_to_end(wire: &mut Wire) -> Vec<u8> {
    let mut rest = Vec::new();
    while let Some(mut line) = wire.try_line() {
        rest.append(&mut line);
    }
    rest
}

#[test]
fn an_mget_of_more_than_is_held_comes_whole_if_nobody_writes() {
    let daemon = Launch::new().with_args("--fsync never --max-output-bytes 1MiB").start();
    let mut wire = daemon.wire();
    overwrite(&mut wire, (0..100).step_by(2).map(|key| format!("k{key}")), MIB, 'a');
    let value = format!("$1048576\r\n{}\r\n", "a".repeat(MIB));
    let mut resp = daemon.wire();
    for _ in 0..2 {
        resp.send(mget(100));
        resp.expect("*100\r\n");
        for key in 0..100 {
            resp.expect(if key % 2 == 0 { &value } else { "$-1\r\n" });
        }
    }
    resp.ask(resp_request(&["PING"]), "+PONG\r\n");
}

#[test]
fn what_an_mget_shows_is_of_one_moment_however_large_it_is() {
    let daemon = Launch::new().with_args("--fsync never --max-output-bytes 64KiB").start();
    let mset = |byte: &str| {
        let value = byte.repeat(MIB);
        let pairs: Vec<_> = (0..8).map(|key| format!("k{key}")).collect();
        let pairs: Vec<&str> = pairs.iter().flat_map(|key| [key.as_str(), &value]).collect();
        resp_request(&[&["MSET"], &pairs[..]].concat())
    };
    let mut writer = daemon.wire();
    writer.ask(mset("a"), "+OK\r\n");
    let (mut whole, mut ended) = (0, 0);
    for byte in ["b", "c", "d", "e", "f", "g"].repeat(5) {
        let mut reader = daemon.wire();
        reader.send(mget(8));
        writer.ask(mset(byte), "+OK\r\n");
        reader.finish_sending();
        let rest = read_to_end(&mut reader);
        let seen: std::collections::BTreeSet<_> =
            rest.iter().copied().filter(u8::is_ascii_lowercase).collect();
        assert!(seen.len() <= 1, "values of several moments: {seen:?}");
        if rest.len() > 8 * MIB { whole += 1 } else { ended += 1 }
    }
    println!("{whole} came whole, {ended} ended early");
    let mut reader = daemon.wire();
    reader.send(mget(8));
    reader.finish_sending();
    assert!(read_to_end(&mut reader).len() > 8 * MIB);
}

#[test]
fn unread_keys_hold_no_values() {
    let daemon = Launch::new().with_args("--threads 1 --fsync never --compact-min-bytes 8GiB").start();
    let key = |key| format!("{key:08}{}", "k".repeat(8 * KIB));
    let mut other = daemon.wire();
    overwrite(&mut other, (0..2000).map(key), 64 * KIB, 'a');
    let mut unread = daemon.wire();
    unread.send(resp_request(&["KEYS", "*"]));
    unread.expect("*2000\r\n$8200\r\n");
    let grown = growth_while_overwritten(&daemon, key, 2000, 64 * KIB);
    assert!(grown <= MAX_GROWTH_BYTES, "memory grew by {grown} bytes");
    for _ in 0..3999 {
        unread.line();
    }
    unread.ask(resp_request(&["PING"]), "+PONG\r\n");
}

#[test]
fn an_unread_page_of_a_scan_holds_no_values() {
    let daemon = Launch::new().with_args("--threads 1 --fsync never --compact-min-bytes 8GiB").start();
    let key = |key| format!("key:{key:028}");
    let mut other = daemon.wire();
    overwrite(&mut other, (0..5000).map(key), 32 * KIB, 'a');
    let unread = daemon.wire();
    unread.socket().set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut unread = unread;
    // Many, so that what the sockets hold is full and one waits.
    unread.send("SCAN 0 LIMIT 10000\r\n".repeat(500));
    unread.expect("LIST ");
    let grown = growth_while_overwritten(&daemon, key, 5000, 32 * KIB);
    assert!(grown <= MAX_GROWTH_BYTES, "memory grew by {grown} bytes");
}

#[test]
fn keys_that_take_more_than_is_held_are_refused_and_the_connection_stays() {
    let daemon = Launch::new().with_args("--fsync never --max-output-bytes 64KiB").start();
    let mut wire = daemon.wire();
    overwrite(&mut wire, (0..1000).map(|key| format!("{key}{}", "k".repeat(100))), 1, 'a');
    let mut resp = daemon.wire();
    resp.send(resp_request(&["KEYS", "*"]));
    let line = resp.line();
    assert!(
        line.starts_with("-TOOLARGE ") && line.contains("SCAN") && line.contains("--max-output-bytes"),
        "{line}"
    );
    resp.ask(resp_request(&["KEYS", "nothing*"]), "*0\r\n");
    resp.send(resp_request(&["KEYS", "99[0-9]k*"]));
    resp.expect("*10\r\n");
}
