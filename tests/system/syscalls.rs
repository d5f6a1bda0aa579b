//! What the daemon asks of the kernel: one write for a batch of answers, one sync for a group of writes.

use std::path::Path;

use rustvault_tests::{Launch, Wire, need_strace};

/// What a batch of answers is written with, and what the log is.
const CALLS: &str = "write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync";

const SOCKET_WRITES: [&str; 4] = ["write", "writev", "sendto", "sendmsg"];
const SYNCS: [&str; 2] = ["fsync", "fdatasync"];

/// Which lines of a trace show the start of one of these calls, with this in its arguments.
fn find(trace: &str, calls: &[&str], argument: &str) -> Vec<usize> {
    let is_wanted =
        |line: &str| calls.iter().any(|call| line.contains(&format!(" {call}("))) && line.contains(argument);
    let lines = trace.lines().enumerate();
    lines.filter(|(_, line)| is_wanted(line)).map(|(number, _)| number).collect()
}

fn count(trace: &Path, calls: &[&str], argument: &str) -> usize {
    find(&std::fs::read_to_string(trace).unwrap(), calls, argument).len()
}

#[test]
fn a_pipeline_of_a_thousand_sets_costs_a_few_writes_and_a_few_syncs() {
    if !need_strace() {
        return;
    }
    const COMMANDS: usize = 1000;
    let launch = Launch::new();
    let trace = launch.folder().join("trace");
    let daemon = launch.clone().traced(CALLS, &trace).start();
    let mut wire = daemon.wire();
    wire.ask("PING\r\n", "PONG\r\n");
    wire.ask("SET k v\r\n".repeat(COMMANDS), "OK\r\n".repeat(COMMANDS));
    daemon.stop();
    let trace = std::fs::read_to_string(trace).unwrap();
    let before = find(&trace, &SOCKET_WRITES, r#""PONG"#)[0];
    let answers = find(&trace, &SOCKET_WRITES, r#""OK\r\n"#);
    let last = *answers.last().unwrap();
    let syncs = find(&trace, &SYNCS, "").into_iter().filter(|line| (before..last).contains(line)).count();
    println!("{COMMANDS} SETs at once: {} writes to the socket, {syncs} syncs", answers.len());
    assert!(answers.len() <= 5, "{} writes to the socket", answers.len());
    assert!((1..=5).contains(&syncs), "{syncs} syncs");
}

#[test]
fn a_pipeline_of_gets_is_answered_with_a_write_per_batch_and_no_sync() {
    if !need_strace() {
        return;
    }
    let launch = Launch::new();
    let trace = launch.folder().join("trace");
    let daemon = launch.clone().traced(CALLS, &trace).start();
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\n", "OK\r\n");
    let syncs_before = wire.info_number("syncs");
    wire.ask("GET k\r\n".repeat(1000), "VALUE v\r\n".repeat(1000));
    assert_eq!(wire.info_number("syncs"), syncs_before);
    daemon.stop();
    let writes = count(&trace, &SOCKET_WRITES, r#""VALUE v\r\n"#);
    println!("1000 GETs at once: {writes} writes to the socket");
    assert!((1..=5).contains(&writes), "{writes} writes to the socket");
}

#[test]
fn writes_of_many_clients_share_syncs() {
    if !need_strace() {
        return;
    }
    const CLIENTS: usize = 50;
    const ROUNDS: usize = 20;
    let launch = Launch::new();
    let trace = launch.folder().join("trace");
    let daemon = launch.clone().traced(CALLS, &trace).start();
    let mut wires: Vec<Wire> = (0..CLIENTS).map(|_| daemon.wire()).collect();
    for round in 0..ROUNDS {
        for (client, wire) in wires.iter_mut().enumerate() {
            wire.send(format!("SET key:{client} {round}\r\n"));
        }
        for wire in &mut wires {
            wire.expect("OK\r\n");
        }
    }
    drop(wires);
    daemon.stop();
    let (syncs, writes) = (count(&trace, &SYNCS, ""), CLIENTS * ROUNDS);
    println!("{writes} SETs of {CLIENTS} clients: {syncs} syncs");
    assert!(syncs * 3 < writes, "{syncs} syncs for {writes} writes");
}
