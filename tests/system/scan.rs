//! Walking over all keys, page by page.

use std::collections::BTreeSet;

use rustvault_tests::{Launch, Wire};

const KEYS: usize = 3000;

/// All keys of a scan as they stand on the wire; asks for them with these options.
fn scan(wire: &mut Wire, options: &str, mut between: impl FnMut(usize)) -> Vec<String> {
    let (mut keys, mut cursor, mut pages) = (Vec::new(), "0".to_owned(), 0);
    loop {
        wire.send(format!("SCAN {cursor}{options}\r\n"));
        let mut page = wire.list();
        keys.extend(page.drain(1..));
        cursor = page.remove(0);
        assert!(cursor.parse::<u64>().unwrap() < 1 << 53, "{cursor}");
        if cursor == "0" {
            return keys;
        }
        pages += 1;
        between(pages);
    }
}

fn set_keys(wire: &mut Wire, keys: impl Iterator<Item = String>) {
    let commands: Vec<_> = keys.map(|key| format!("SET {key} v\r\n")).collect();
    wire.ask(commands.concat(), "OK\r\n".repeat(commands.len()));
}

fn set_of(keys: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    keys.into_iter().collect()
}

#[test]
fn pages_of_any_size_together_have_every_key_and_no_other() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    set_keys(&mut wire, (0..KEYS).map(|n| format!("key:{n}")));
    for options in ["", " LIMIT 1", " LIMIT 7", " LIMIT 10000", " PREFIX key:", " PREFIX \"\" LIMIT 1000"] {
        let keys = scan(&mut wire, options, |_| ());
        assert_eq!(keys.len(), KEYS, "{options}: without writes no key comes twice");
        assert_eq!(set_of(keys), set_of((0..KEYS).map(|n| format!("key:{n}"))), "{options}");
    }
}

#[test]
fn a_prefix_keeps_the_keys_that_start_with_it() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    set_keys(&mut wire, (0..200).flat_map(|n| [format!("a:{n}"), format!("b:{n}"), format!("\"c c:{n}\"")]));
    let of = |prefix: &str| set_of((0..200).map(|n| format!("{prefix}{n}")));
    assert_eq!(set_of(scan(&mut wire, " PREFIX a: LIMIT 30", |_| ())), of("a:"));
    assert_eq!(set_of(scan(&mut wire, " LIMIT 30 PREFIX b:", |_| ())), of("b:"));
    assert_eq!(
        set_of(scan(&mut wire, " PREFIX \"c c\"", |_| ())),
        of("c c:"),
        "a server's key may hold a space"
    );
    assert!(scan(&mut wire, " PREFIX d", |_| ()).is_empty());
}

#[test]
fn keys_that_stay_are_found_while_others_come_and_go() {
    let daemon = Launch::new().start();
    let (mut wire, mut other) = (daemon.wire(), daemon.wire());
    set_keys(&mut wire, (0..1000).flat_map(|n| [format!("stays:{n}"), format!("goes:{n}")]));
    let mut next = 0;
    let found = scan(&mut wire, " LIMIT 10", |_| {
        // Faster than the scan goes on, but not without an end.
        if next < 20_000 {
            set_keys(&mut other, (next..next + 400).map(|n| format!("comes:{n}")));
            other.send(format!("DELETE goes:{}\r\n", next / 20));
            other.line();
            next += 400;
        }
    });
    let stayed = found.into_iter().filter(|key| key.starts_with("stays:"));
    assert_eq!(set_of(stayed), set_of((0..1000).map(|n| format!("stays:{n}"))));
}

#[test]
fn a_cursor_is_good_after_a_restart() {
    let launch = Launch::new();
    let daemon = launch.start();
    let mut wire = daemon.wire();
    set_keys(&mut wire, (0..500).map(|n| format!("key:{n}")));
    wire.send("SCAN 0 LIMIT 100\r\n");
    let first = wire.list();
    daemon.stop();
    let daemon = launch.start();
    let mut wire = daemon.wire();
    wire.send(format!("SCAN {} LIMIT 10000\r\n", first[0]));
    let rest = wire.list();
    assert_eq!(rest[0], "0");
    let keys = first[1..].iter().chain(&rest[1..]).cloned();
    assert_eq!(set_of(keys), set_of((0..500).map(|n| format!("key:{n}"))));
}
