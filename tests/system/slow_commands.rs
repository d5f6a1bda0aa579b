//! Slow commands of a daemon: the message on each, and what links it to the client and to the slow log.

use rustvault_tests::{Launch, resp_request};

/// Returns a field of a message in JSON.
fn field(message: &serde_json::Value, name: &str) -> String {
    let value = &message["fields"][name];
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[test]
fn a_slow_command_is_reported_with_what_links_it_to_its_client() {
    let daemon = Launch::new().with_args("--message-format json --slow-ms 0.001").start();
    let mut wire = daemon.wire();
    let id = String::from_utf8(wire.call(&[b"CLIENT", b"ID"])).unwrap();
    let id = id.trim_start_matches(':').trim_end();
    wire.call(&[b"SET", b"user:1", b"a secret value"]);
    let pipeline =
        [resp_request(&["GET", "a"]), resp_request(&["GET", "b"]), resp_request(&["MGET", "user:1", "c"])];
    wire.send(pipeline.concat());
    (0..3).for_each(|_| drop(wire.reply()));
    let set: serde_json::Value = serde_json::from_str(&daemon.wait_for_line("SET")).unwrap();
    assert_eq!((&set["level"], &set["target"]), (&"INFO".into(), &"slow".into()));
    for (name, value) in [
        ("message", "slow command"),
        ("command", "SET"),
        ("key", "user:1"),
        ("client", id),
        ("request", &format!("{id}-2")),
        ("peer", &wire.local_addr().to_string()),
        ("slow_log_id", "1"),
        ("others", "null"),
    ] {
        assert_eq!(field(&set, name), value, "{name} of {set}");
    }
    assert!(set["fields"]["duration_ms"].as_f64().unwrap() > 0.0, "{set}");
    let many: serde_json::Value = serde_json::from_str(&daemon.wait_for_line("MGET")).unwrap();
    assert_eq!([field(&many, "request"), field(&many, "others")], [format!("{id}-5"), "2".to_owned()]);
    assert!(daemon.log_lines().iter().all(|line| !line.contains("a secret value")));
}

#[test]
fn of_many_slow_commands_ten_a_minute_are_reported() {
    let daemon = Launch::new().with_args("--slow-ms 0.001").start();
    let mut wire = daemon.wire();
    (0..1000).for_each(|_| wire.ask("PING\r\n", "PONG\r\n"));
    daemon.wait_for_line("slow command");
    let reported = daemon.log_lines().iter().filter(|line| line.contains("slow command")).count();
    assert!((1..=20).contains(&reported), "{reported} lines");
}

#[test]
fn nothing_is_reported_unless_it_is_slow() {
    for args in ["--slow-ms 0", "--slow-ms 3600000"] {
        let daemon = Launch::new().with_args(args).start();
        let mut wire = daemon.wire();
        (0..100).for_each(|_| wire.ask("SET k v\r\n", "OK\r\n"));
        wire.ask("SLOWLOG LEN\r\n", "VALUE 0\r\n");
        assert!(daemon.log_lines().iter().all(|line| !line.contains("slow command")), "{args}");
    }
}
