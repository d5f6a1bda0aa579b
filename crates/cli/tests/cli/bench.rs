//! The load generator: its report and its exit codes.

use crate::support::{FakeServer, cli, refusing_addr};
use serde_json::Value;

fn report(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn json_report_accounts_for_every_request() {
    let server = FakeServer::start();
    let load =
        "bench --json --clients 7 --pipeline 5 --requests 1003 --value-bytes 1KiB --keys 10 --reads 30";
    let output = server.cli().args(load.split(' ')).output().unwrap();
    let report = report(&output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&report["errors"], &report["first_error"]), (&0.into(), &Value::Null));
    let counts = report["commands"].as_array().unwrap();
    assert_eq!(counts.iter().map(|command| command["requests"].as_u64().unwrap()).sum::<u64>(), 1003);
    for command in counts {
        let [p50, p95, p99, max] = ["p50", "p95", "p99", "max"]
            .map(|name| command[format!("{name}_microseconds")].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p95 && p95 <= p99 && p99 <= max, "{command}");
    }
    assert_eq!(server.value("bench:0000000003").map(|value| value.len()), Some(1024));
}

#[test]
fn reads_percent_decides_the_mix() {
    let server = FakeServer::start();
    for (reads, only) in [("0", "SET"), ("100", "GET")] {
        let output =
            server.cli().args(["bench", "--json", "--requests", "200", "--reads", reads]).output().unwrap();
        let report = report(&output);
        assert_eq!(report["commands"].as_array().unwrap().len(), 1, "{report}");
        assert_eq!(report["commands"][0]["command"], only);
    }
}

#[test]
fn the_same_load_is_put_on_a_server_that_speaks_resp() {
    let server = FakeServer::start_resp();
    let load =
        "bench --json --protocol resp --clients 3 --pipeline 8 --requests 1001 --value-bytes 1KiB --keys 50";
    let output = server.cli().args(load.split(' ')).output().unwrap();
    let report = report(&output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&report["protocol"], &report["errors"]), (&"resp".into(), &0.into()));
    let [gets, sets] = &report["commands"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!(gets["requests"].as_u64().unwrap() + sets["requests"].as_u64().unwrap(), 1001);
    assert!(gets["not_found"].as_u64().unwrap() < 100, "{gets}");
    assert_eq!(server.value("bench:0000000003").map(|value| value.len()), Some(1024));
}

#[test]
fn a_server_of_the_other_protocol_is_an_error() {
    let load = "bench --clients 2 --requests 4 --protocol";
    for (server, protocol) in [(FakeServer::start_text(), "resp"), (FakeServer::start_resp(), "text")] {
        let output = server.cli().args(load.split(' ')).args([protocol, "--timeout", "1s"]).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn table_has_a_row_for_each_kind_of_command() {
    let server = FakeServer::start();
    let output = server.cli().args(["bench", "--requests", "500", "--clients", "2"]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    for text in ["500 requests, 2 clients", " 0 errors", "p50", "p95", "p99", "max", "\nGET ", "\nSET "] {
        assert!(table.contains(text), "{text:?} is missing in:\n{table}");
    }
    assert!(output.stderr.is_empty(), "no progress bar without a terminal");
}

#[test]
fn long_pipelines_of_large_values_do_not_deadlock() {
    let server = FakeServer::start();
    let load = "bench --clients 1 --pipeline 400 --requests 800 --value-bytes 100KiB --keys 1";
    server.cli().args(load.split(' ')).assert().code(0);
}

#[test]
fn wrong_answers_are_errors_with_exit_code_1() {
    let server = FakeServer::start_mixing_up();
    let output =
        server.cli().args(["bench", "--json", "--requests", "100", "--reads", "100"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(report(&output)["errors"], 100);
    assert!(String::from_utf8_lossy(&output.stderr).contains("wrong answer to Get"), "{output:?}");
}

#[test]
fn error_answers_are_counted_and_the_first_is_shown() {
    let server = FakeServer::start();
    let load = "bench --clients 1 --requests 3 --reads 0 --value-bytes 17MiB";
    let output = server.cli().args(load.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("3 of 3 requests failed") && stderr.contains("TOO_LARGE"), "{stderr}");
}

#[test]
fn requests_that_were_never_sent_are_no_errors() {
    let server = FakeServer::start_hanging_up();
    let load = ["bench", "--clients", "2", "--pipeline", "3", "--requests", "100", "--reads", "100"];
    let output = server.cli().args(load).arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = report(&output);
    assert_eq!((&report["errors"], &report["not_sent"]), (&6.into(), &94.into()), "{report}");
    let output = server.cli().args(load).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("6 of 100 requests failed, 94 requests never sent; the first: "), "{stderr}");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("6 errors, 94 requests never sent\n"), "{table}");
}

#[test]
fn no_server_is_exit_code_4() {
    cli().args(["--addr", &refusing_addr(), "bench"]).assert().code(4);
}

#[test]
fn absurd_memory_needs_are_a_usage_error() {
    cli().args(["bench", "--pipeline", "100000", "--value-bytes", "1GiB"]).assert().code(2);
}
