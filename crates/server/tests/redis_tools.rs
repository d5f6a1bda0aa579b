//! `INFO` and `MEMORY` for Redis's tools: docs/redis-tools.md names the fields, and these are right.
#![cfg(test)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use rustvault_testkit::{Wire, resp_request, until};
use support::start;

const DOCUMENT: &str = include_str!("../../../docs/redis-tools.md");

/// A row of the document's tables.
#[derive(Debug)]
struct Row {
    name: &'static str,
    /// Word or words of the document: `served`, `constant …` or `not served`.
    here: &'static str,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for line in DOCUMENT.lines() {
        let cells: Vec<_> = line.split(" | ").collect();
        let [names, here, _] = cells[..] else { continue };
        if ["served", "constant", "not served"].iter().any(|known| here.starts_with(known)) {
            rows.extend(names.split('`').skip(1).step_by(2).map(|name| Row { name, here }));
        }
    }
    rows
}

/// Sends a request in RESP, and returns the reply as it stands on the wire.
fn ask(wire: &mut Wire, words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
    String::from_utf8(wire.call(&words)).expect("it is text")
}

/// Asks for sections of `INFO`; returns the fields of Redis's sections, by name.
fn info(wire: &mut Wire, section: &str) -> BTreeMap<String, String> {
    let text = ask(wire, &["INFO", section]);
    let of_redis = text.split("# RustVault").next().unwrap_or_default();
    let mut fields = BTreeMap::new();
    for (name, value) in of_redis.lines().filter_map(|line| line.split_once(':')) {
        assert_eq!(fields.insert(name.to_owned(), value.to_owned()), None, "{name} is there twice");
    }
    fields
}

/// Returns the name that the document has for a field: names with a command or an error in them have one example each.
fn documented(name: &str) -> &str {
    let examples = ["cmdstat_get", "latency_percentiles_usec_get", "errorstat_ERR"];
    let prefix = |example: &&str| name.starts_with(example.trim_end_matches(char::is_alphabetic));
    examples.into_iter().find(prefix).unwrap_or(name)
}

#[test]
fn info_has_the_names_that_the_document_promises_and_no_others() {
    let server = start();
    let mut wire = server.wire();
    wire.ask(resp_request(&["SET", "k", "v"]), "+OK\r\n");
    wire.ask(resp_request(&["GET", "k"]), "$1\r\nv\r\n");
    ask(&mut wire, &["NONSENSE"]);
    let mut observer = server.wire();
    until("the errors are counted", || info(&mut observer, "errorstats").contains_key("errorstat_ERR"));
    let fields = info(&mut observer, "everything");
    let rows = rows();
    for Row { name, here } in &rows {
        let expected = here.strip_prefix("constant ").map(|value| value.trim_matches('`'));
        match fields.get(*name) {
            None => assert_eq!(*here, "not served", "{name}"),
            Some(value) => {
                assert_ne!(*here, "not served", "{name}");
                assert!(expected.is_none_or(|expected| value == expected), "{name}:{value}, not {here}");
            }
        }
    }
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "a name is in two rows");
    let missing: Vec<_> = fields.keys().filter(|name| !names.contains(documented(name))).collect();
    assert!(missing.is_empty(), "docs/redis-tools.md lacks {missing:?}");
}

#[test]
fn statistics_of_commands_count_calls_rejections_failures_and_time() {
    let server = start();
    let mut wire = server.wire();
    for (request, times) in [
        (&["SET", "k", "word"][..], 3),
        (&["SET", "k"], 2),
        (&["INCR", "k"], 1),
        (&["GET", "k"], 5),
        (&["CONFIG", "GET", "databases"], 1),
        (&["NONSENSE"], 1),
    ] {
        (0..times).for_each(|_| drop(ask(&mut wire, request)));
    }
    // INFO is one command for tools, whatever protocol it came by.
    let mut text = server.wire();
    text.info("version");
    let mut observer = server.wire();
    let field = |observer: &mut Wire, name: &str| {
        info(observer, "everything").remove(name).unwrap_or_else(|| panic!("no {name}"))
    };
    until("all are counted", || {
        info(&mut observer, "errorstats").get("errorstat_ERR").is_some_and(|n| n == "count=4")
    });
    for (name, calls, rejected, failed) in
        [("set", 3, 2, 0), ("incr", 1, 0, 1), ("get", 5, 0, 0), ("config|get", 1, 0, 0)]
    {
        let value = field(&mut observer, &format!("cmdstat_{name}"));
        let figures: Vec<_> = value.split(',').filter_map(|part| part.split_once('=')).collect();
        let names: Vec<_> = figures.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["calls", "usec", "usec_per_call", "rejected_calls", "failed_calls"], "{value}");
        let number = |at: usize| figures[at].1.parse::<f64>().unwrap();
        assert_eq!(
            [number(0), number(3), number(4)],
            [calls, rejected, failed].map(f64::from),
            "{name}: {value}"
        );
        assert!(number(1) > 0.0 && (number(1) / number(0) - number(2)).abs() < 0.01, "{name}: {value}");
        let percentiles = field(&mut observer, &format!("latency_percentiles_usec_{name}"));
        let us: Vec<f64> =
            percentiles.split(',').map(|part| part.split_once('=').unwrap().1.parse().unwrap()).collect();
        assert!(us.len() == 3 && us[0] > 0.0 && us.is_sorted(), "{name}: {percentiles}");
    }
    let calls_of_info = |observer: &mut Wire| {
        let value = field(observer, "cmdstat_info");
        value.split([',', '=']).nth(1).unwrap().parse::<u64>().unwrap()
    };
    assert!(calls_of_info(&mut observer) > 8);
    observer.ask(resp_request(&["CONFIG", "RESETSTAT"]), "+OK\r\n");
    let fields = info(&mut observer, "everything");
    assert!(!fields.contains_key("cmdstat_get") && !fields.contains_key("errorstat_ERR"), "{fields:?}");
}

#[test]
fn look_ups_are_counted_by_whether_the_key_was_there() {
    let server = start();
    let (mut wire, mut observer) = (server.wire(), server.wire());
    for command in ["SET a 1", "GET a", "GET a", "GET b", "EXISTS a b", "MGET a b c d"] {
        ask(&mut wire, &command.split(' ').collect::<Vec<_>>());
    }
    let mut number = |name: &str| info(&mut observer, "stats")[name].parse::<u64>().unwrap();
    until("every look-up is counted", || (number("keyspace_hits"), number("keyspace_misses")) == (3, 4));
    ask(&mut wire, &["CONFIG", "RESETSTAT"]);
    assert_eq!((number("keyspace_hits"), number("keyspace_misses")), (0, 0));
}

#[test]
fn bytes_of_the_network_and_rates_are_counted() {
    let server = start();
    let mut wire = server.wire();
    let value = "v".repeat(100_000);
    wire.ask(resp_request(&["SET", "k", &value]), "+OK\r\n");
    wire.ask(resp_request(&["STRLEN", "k"]), ":100000\r\n");
    (0..3).for_each(|_| drop(ask(&mut wire, &["GET", "k"])));
    let mut observer = server.wire();
    let mut number = |name: &str| info(&mut observer, "stats")[name].parse::<f64>().unwrap();
    until("all is counted", || {
        (100_000.0..200_000.0).contains(&number("total_net_input_bytes"))
            && (300_000.0..400_000.0).contains(&number("total_net_output_bytes"))
    });
    // Since the start, which may have been long ago on a busy machine.
    assert!(number("instantaneous_input_kbps") > 0.0 && number("instantaneous_output_kbps") > 0.0);
}

#[test]
fn memory_is_reported_in_every_protocol() {
    let server = start();
    let mut wire = server.wire();
    wire.ask(resp_request(&["SET", "k", "v"]), "+OK\r\n");
    let resp2 = ask(&mut wire, &["MEMORY", "STATS"]);
    assert!(resp2.starts_with("*34\r\n$14\r\npeak.allocated\r\n:"), "{resp2}");
    assert!(resp2.contains("\r\n$10\r\nkeys.count\r\n:1\r\n"), "{resp2}");
    ask(&mut wire, &["HELLO", "3"]);
    let resp3 = ask(&mut wire, &["MEMORY", "STATS"]);
    assert!(resp3.starts_with("%17\r\n") && resp3.contains("\r\n$13\r\nfragmentation\r\n,"), "{resp3}");
    let doctor = "Nothing is wrong with the memory of this server.\n";
    wire.ask(resp_request(&["MEMORY", "DOCTOR"]), format!("={}\r\ntxt:{doctor}\r\n", doctor.len() + 4));
    wire.ask(resp_request(&["MEMORY", "PURGE"]), "+OK\r\n");
    let no_statistics = "Stats not supported for the current allocator";
    let verbatim = format!("={}\r\ntxt:{no_statistics}\r\n", no_statistics.len() + 4);
    wire.ask(resp_request(&["MEMORY", "MALLOC-STATS"]), verbatim);

    let mut text = server.wire();
    text.ask("MEMORY DOCTOR\r\n", format!("VALUE {doctor:?}\r\n"));
    text.send("MEMORY STATS\r\n");
    let figures = text.list();
    assert!(figures.chunks(2).any(|pair| pair == ["keys.count", "1"]), "{figures:?}");
    text.ask_error("MEMORY STATS k\r\n", "SYNTAX");
}
