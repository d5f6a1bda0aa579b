//! The daemon as a service: what it reports to the service manager, here a stand-in for systemd.

use std::time::Duration;

use rustix::process::Signal;
use rustvault_tests::{Launch, PATIENCE, ServiceManager, need_strace};

const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A configuration file with one option, which a reload may change.
fn write_config(launch: &Launch, lines: &str) -> String {
    let file = launch.folder().join("rustvault.toml");
    std::fs::write(&file, lines).unwrap();
    format!("--config {}", file.display())
}

#[test]
fn the_service_manager_learns_of_the_start_and_the_stop() {
    let manager = ServiceManager::new();
    let mut daemon = manager.of(Launch::new()).start();
    let ready = manager.report_with("READY=1");
    assert_eq!(ready["STATUS"], "serving");
    daemon.wire().ask("PING\r\n", "PONG\r\n");
    daemon.signal(Signal::TERM);
    let stopping = manager.report_with("STOPPING=1");
    assert!(stopping["STATUS"].starts_with("stopping"), "{stopping:?}");
    assert!(daemon.wait(STOP_LIMIT).success());
}

#[test]
fn a_service_manager_may_listen_at_an_abstract_name() {
    let (manager, name) = ServiceManager::abstract_name();
    let daemon = Launch::new().with_variable("NOTIFY_SOCKET", name).start();
    manager.report_with("READY=1");
    daemon.stop();
}

#[test]
fn a_long_recovery_reports_its_progress_and_asks_for_time_before_it_is_ready() {
    if !need_strace() {
        return;
    }
    let launch = Launch::new();
    let daemon = launch.start();
    daemon.wire().ask("SET a 1\r\n", "OK\r\n");
    daemon.stop();
    let manager = ServiceManager::new();
    // The thread that recovers syncs the log before the server serves.
    let trace = launch.folder().join("trace");
    let fault = "fdatasync,fsync:delay_enter=2500000:when=1";
    let daemon = manager.of(launch.with_fault(fault, &trace)).start();
    let reports = manager.reports_until("READY=1");
    let (ready, before) = reports.split_last().unwrap();
    assert!(before.len() >= 2, "one at once, and one after each second: {reports:#?}");
    for report in before {
        assert_eq!(report["EXTEND_TIMEOUT_USEC"], "30000000", "{reports:#?}");
    }
    let last = &before.last().unwrap()["STATUS"];
    assert!(last.starts_with("recovering the log: ") && last.ends_with(" % read, 1 records"), "{last}");
    assert!(!ready.contains_key("EXTEND_TIMEOUT_USEC"), "{ready:?}");
    daemon.stop();
}

#[test]
fn every_reload_is_reported_from_its_beginning_to_its_end_taken_over_or_not() {
    let launch = Launch::new();
    let config = write_config(&launch, "max-connections = 50\n");
    let manager = ServiceManager::new();
    let daemon = manager.of(launch.clone().with_args(&config)).start();
    manager.report_with("READY=1");
    let mut earlier_us = 0;
    for (lines, message) in [
        ("max-connections = 60\n", "the configuration is reloaded"),
        ("max-connections = \"many\"\n", "the reload is refused"),
    ] {
        write_config(&launch, lines);
        daemon.signal(Signal::HUP);
        let reloading = manager.report_with("RELOADING=1");
        let now_us: u64 = reloading["MONOTONIC_USEC"].parse().unwrap();
        assert!(now_us > earlier_us, "{reloading:?}");
        earlier_us = now_us;
        manager.report_with("READY=1");
        daemon.wait_for_line(message);
    }
    // A client's request is one, too.
    write_config(&launch, "max-connections = 70\n");
    let mut wire = daemon.wire();
    wire.send("CONFIG RELOAD\r\n");
    manager.report_with("RELOADING=1");
    manager.report_with("READY=1");
    daemon.stop();
}

#[test]
fn signs_of_life_come_as_long_as_the_daemon_lives_and_end_when_it_hangs() {
    let manager = ServiceManager::new();
    let launch = manager.of(Launch::new()).with_variable("WATCHDOG_USEC", "100000");
    let daemon = launch.start();
    manager.report_with("READY=1");
    for _ in 0..3 {
        manager.report_with("WATCHDOG=1");
    }
    daemon.signal(Signal::STOP);
    manager.reports_until_silence(Duration::from_millis(500));
    daemon.signal(Signal::CONT);
    manager.report_with("WATCHDOG=1");
    daemon.stop();
}

#[test]
fn signs_of_life_of_another_process_are_not_sent() {
    let manager = ServiceManager::new();
    let launch = manager.of(Launch::new()).with_variable("WATCHDOG_USEC", "1000");
    let mut daemon = launch.with_variable("WATCHDOG_PID", "1").start();
    manager.report_with("READY=1");
    daemon.wire().ask("PING\r\n", "PONG\r\n");
    daemon.signal(Signal::TERM);
    let reports = manager.reports_until("STOPPING=1");
    assert!(reports.iter().all(|report| !report.contains_key("WATCHDOG")), "{reports:#?}");
    assert!(daemon.wait(PATIENCE).success());
}

#[test]
fn a_service_manager_that_has_gone_or_was_never_there_changes_nothing() {
    for has_been_there in [true, false] {
        let manager = ServiceManager::new();
        let socket = manager.path();
        let launch = manager.of(Launch::new()).with_variable("WATCHDOG_USEC", "20000");
        let mut manager = Some(manager).filter(|_| has_been_there);
        let config = write_config(&launch, "");
        let daemon = launch.with_args(&config).with_args("--message-level debug").start();
        if let Some(manager) = manager.take() {
            manager.report_with("READY=1");
        }
        assert!(!socket.exists());
        daemon.wait_for_line("the service manager cannot be reached");
        daemon.wire().ask("SET a 1\r\nGET a\r\n", "OK\r\nVALUE 1\r\n");
        daemon.signal(Signal::HUP);
        daemon.wait_for_line("the configuration is reloaded");
        let told = daemon.log_lines().iter().filter(|line| line.contains("cannot be reached")).count();
        assert_eq!(told, 1, "one message for all reports: {:#?}", daemon.log_lines());
        daemon.stop();
    }
}

#[test]
fn a_bad_notify_socket_is_one_message_and_no_reason_not_to_serve() {
    let too_long = format!("/{}", "x".repeat(200));
    for name in ["notify", "vsock:2:1234", &too_long] {
        let launch = Launch::new().with_variable("NOTIFY_SOCKET", name);
        let daemon = launch.with_args("--message-level debug").start();
        daemon.wire().ask("PING\r\n", "PONG\r\n");
        daemon.wait_for_line("NOTIFY_SOCKET cannot be used");
        daemon.stop();
    }
}

#[test]
fn a_service_manager_that_never_reads_holds_up_neither_clients_nor_the_stop() {
    let manager = ServiceManager::new();
    let launch = manager.of(Launch::new()).with_variable("WATCHDOG_USEC", "2000");
    let daemon = launch.with_args("--message-level debug").start();
    daemon.wait_for_line("the service manager cannot be reached");
    daemon.wire().ask("SET a 1\r\nGET a\r\n", "OK\r\nVALUE 1\r\n");
    daemon.stop();
}
