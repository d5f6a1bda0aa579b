//! redis-py's own tests against the daemon: the outcome of each is compared with the one that is recorded.
//!
//! `RUSTVAULT_BLESS=1` records the outcomes. A test passes, is skipped by the suite, or stops at what
//! `docs/protocol.md` says is not served; anything else is a defect, and is not accepted as recorded.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;

use rustvault_tests::Launch;

use crate::other_clients::said;
use crate::python::{Environment, environment};

/// Runs the suite with pytest, each test with a time limit.
const RUNNER: &str = include_str!("clients/redis_py_suite.py");

/// The recorded outcomes, a line for each test.
const RECORD: &str = "redis/redis_py_suite.txt";

#[test]
fn each_test_of_redis_py_has_the_recorded_outcome() {
    let Some(environment) = environment() else { return };
    let outcomes = run_suite(environment);
    let record = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(RECORD);
    if std::env::var("RUSTVAULT_BLESS").as_deref() == Ok("1") {
        std::fs::write(&record, &outcomes).expect("the record can be written");
    }
    let recorded = std::fs::read_to_string(record).expect("the record can be read");
    let changes = changes(&recorded, &outcomes);
    assert!(changes.is_empty(), "{RECORD} (-) has other outcomes than there are (+):\n{changes}");
    let defects = outcomes.lines().filter(|line| line.contains(": FAILED ")).collect::<Vec<_>>();
    assert!(defects.is_empty(), "nothing that is not served explains these: {defects:#?}");
}

/// Runs the suite against a daemon of its own; returns a line for each test.
fn run_suite(environment: &Environment) -> String {
    let daemon = Launch::new().start();
    let outcomes = daemon.launch().folder().join("outcomes.txt");
    let mut runner = environment.python();
    runner.args(["-c", RUNNER]).current_dir(environment.suite()).stdin(Stdio::null());
    runner.env("PORT", daemon.addr().port().to_string()).env("OUTCOMES", &outcomes);
    // Neither another order of sets nor a plugin of the machine's may change an outcome.
    runner.env("PYTHONHASHSEED", "0").env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1").env_remove("PYTEST_ADDOPTS");
    runner.env_remove("RE_CLUSTER");
    let output = runner.output().expect("it can be run");
    assert!(output.status.success(), "the suite does not run to its end: {}", said(&output));
    let outcomes = std::fs::read_to_string(outcomes).expect("the runner writes it");
    daemon.stop();
    outcomes
}

/// Returns the lines that only one of the two has, in the order of their tests.
fn changes(recorded: &str, outcomes: &str) -> String {
    let [before, after] = [recorded, outcomes].map(|text| text.lines().collect::<BTreeSet<_>>());
    let sign = |line| if after.contains(line) { '+' } else { '-' };
    before.symmetric_difference(&after).map(|line| format!("{} {line}\n", sign(*line))).collect()
}
