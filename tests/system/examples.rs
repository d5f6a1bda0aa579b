//! Every example of the workspace runs, and does what it says.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use rustvault_tests::{Launch, PATIENCE, Wire, example, examples, wait_for_exit};

#[test]
fn there_is_a_test_here_for_every_example() {
    assert_eq!(
        examples(),
        ["bulk_load", "embedded", "embedded_server", "rate_limiter", "service", "session_cache"]
    );
}

#[test]
fn embedded_counts_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    for run in 1..=3 {
        let output = example("embedded").arg(folder.path().join("runs.log")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.starts_with(&format!("run number {run},")), "{output:?}");
    }
}

#[test]
fn service_keeps_its_links_in_the_daemon() {
    let daemon = Launch::new().start();
    let output = example("service").arg(daemon.addr().to_string()).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"SHORTEN "), "{output:?}");
    assert!(daemon.wire().info_number("durable_lsn") >= 2, "it has written and deleted");
}

#[test]
fn session_cache_and_rate_limiter_find_what_they_expect() {
    let daemon = Launch::new().start();
    for (name, expected) in [
        ("session_cache", "ada is Some(\"ada\")\nbob is None: away for too long\n1 session removed\n"),
        ("rate_limiter", "100 of 200 requests admitted, the limit is 100\n"),
    ] {
        // Twice: what the first run left behind is no trouble for the second.
        for _ in 0..2 {
            let output = example(name).env("RUSTVAULT_ADDR", daemon.addr().to_string()).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.starts_with(expected), "{output:?}");
        }
    }
}

#[test]
fn bulk_load_loads_as_many_keys_as_it_says() {
    let daemon = Launch::new().start();
    let output = example("bulk_load").args([&daemon.addr().to_string(), "30500"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.starts_with("25000 of 30500 keys, "), "{output:?}");
    assert!(text.ends_with("the server had 0 keys, and has 30500\n"), "{text}");
    assert_eq!(daemon.wire().info_number("keys"), 30_500);
}

#[test]
fn embedded_server_serves_until_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = example("embedded_server");
    let mut process = command
        .arg(folder.path().join("vault.log"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
    Wire::connect(addr.parse().unwrap()).ask("SET k v\r\nGET k\r\n", "OK\r\nVALUE v\r\n");
    kill_process(Pid::from_child(&process), Signal::INT).unwrap();
    let status = wait_for_exit(&mut process, PATIENCE);
    assert!(status.success(), "{status}");
}
