//! HTTP of a daemon: its probes through recovery, failure and stop, its metrics with users and TLS, and who is kept out.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use rustvault_tests::tls::{Authority, Identity, TlsWire, write_file};
use rustvault_tests::{Daemon, Launch, PATIENCE, Wire, cli, need_strace, until, wait_for_exit};

/// Finds an address in a message by its name there.
fn addr_in(line: &str, name: &str) -> SocketAddr {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("no {name} in {line:?}"));
    let addr: String = rest.trim_start_matches('"').chars().take_while(|c| !" \",".contains(*c)).collect();
    addr.parse().unwrap_or_else(|_| panic!("{addr:?} in {line:?}"))
}

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

/// Sends a request on a new connection; returns status and body, or `None` if nobody listens or answers.
fn try_get(addr: SocketAddr, path: &str, headers: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request(path, headers).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    parsed(&answer)
}

fn parsed(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

#[track_caller]
fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    try_get(addr, path, "").expect("an answer")
}

fn http_addr(daemon: &Daemon) -> SocketAddr {
    addr_in(daemon.ready_line(), "http_address")
}

#[test]
fn probes_and_metrics_are_answered_while_the_log_is_recovered_and_clients_wait() {
    if !need_strace() {
        return;
    }
    let launch = Launch::new().with_args("--http 127.0.0.1:0");
    launch.start().stop();
    // The recovery begins by opening the log.
    let trace = launch.folder().join("trace");
    let delayed = launch.clone().with_fault_at(launch.wal(), "openat:delay_enter=4000000:when=1", &trace);
    let mut process = delayed.command().spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("HTTP is served")).expect("it says so");
    let addr = addr_in(&line, "http_address");
    let (status, body) = get(addr, "/readyz");
    assert_eq!((status, body.starts_with("not ready: the log is being recovered: ")), (503, true), "{body}");
    assert_eq!(get(addr, "/livez"), (200, "alive\n".to_owned()));
    let (status, metrics) = get(addr, "/metrics");
    assert_eq!((status, metrics.contains("\nrustvault_ready 0")), (200, true), "{metrics}");
    until("it is ready", || get(addr, "/readyz") == (200, "ready\n".to_owned()));
    let ready = lines.find(|line| line.contains("ready")).unwrap();
    assert_eq!(addr_in(&ready, "http_address"), addr, "it is the same address all the time");
    assert!(get(addr, "/metrics").1.contains("\nrustvault_ready 1"));
    // Its tracer is another process.
    let pid: i32 = Wire::connect(addr_in(&ready, "address")).info("pid").parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    wait_for_exit(&mut process, PATIENCE);
}

#[test]
fn clients_that_take_all_their_descriptors_leave_some_for_the_probes() {
    let daemon = Launch::new().with_args("--http 127.0.0.1:0").with_open_files_limit(100).start();
    let mut clients: Vec<_> = (0..100).map(|_| TcpStream::connect(daemon.addr()).unwrap()).collect();
    let mut refusal = String::new();
    clients.pop().unwrap().read_to_string(&mut refusal).unwrap();
    assert!(refusal.contains("TOO_MANY_CONNECTIONS"), "{refusal}");
    let addr = http_addr(&daemon);
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(get(addr, path).0, 200, "{path}");
    }
    drop(clients);
    daemon.stop();
}

#[test]
fn a_server_whose_log_has_failed_is_not_ready_until_it_ends() {
    if !need_strace() {
        return;
    }
    let launch = Launch::new().with_args("--http 127.0.0.1:0");
    launch.start().stop();
    let trace = launch.folder().join("trace");
    let mut daemon = launch.with_fault("fdatasync:error=EIO:when=4", &trace).start();
    let addr = http_addr(&daemon);
    let mut wire = daemon.wire();
    // Answers that nobody reads keep the server for a second.
    wire.send(format!("SET k {}\r\n", "x".repeat(1 << 20)));
    wire.expect("OK\r\n");
    wire.send("GET k\r\n".repeat(30));
    let mut writer = daemon.wire();
    while writer.try_send("SET a 1\r\n").is_ok() && writer.try_line().is_some_and(|line| line == b"OK") {}
    let mut seen = Vec::new();
    while let Some(answer) = try_get(addr, "/readyz", "") {
        seen.push(answer);
    }
    assert!(!daemon.wait(PATIENCE).success());
    let failed =
        |(status, body): &(u16, String)| *status == 503 && body.starts_with("not ready: the log has failed");
    assert!(seen.iter().any(failed), "{seen:?}");
    assert!(
        seen.iter().all(|answer| failed(answer) || answer.0 == 200 || answer.1.contains("stopping")),
        "{seen:?}"
    );
}

#[test]
fn a_server_whose_log_was_removed_is_not_ready_until_a_compaction_has_made_a_new_one() {
    let daemon = Launch::new().with_args("--http 127.0.0.1:0").start();
    let addr = http_addr(&daemon);
    until("it is ready", || get(addr, "/readyz").0 == 200);
    fs::remove_file(daemon.launch().wal()).unwrap();
    let mut wire = daemon.wire();
    until("it notices", || {
        wire.send("SET k 1\r\n");
        wire.line().starts_with("ERROR READ_ONLY")
    });
    let (status, body) = get(addr, "/readyz");
    assert_eq!((status, body.contains("rustvault-cli compact")), (503, true), "{body}");
    assert_eq!(get(addr, "/livez").0, 200);
    assert!(get(addr, "/metrics").1.contains("\nrustvault_log_removed 1"));
    wire.ask("COMPACT\r\n", "OK\r\n");
    assert_eq!(get(addr, "/readyz"), (200, "ready\n".to_owned()));
    daemon.stop();
    assert_eq!(try_get(addr, "/readyz", ""), None);
}

#[test]
fn clients_are_served_and_answered_while_scrapers_come_in_crowds_and_do_not_read() {
    let daemon = Launch::new().with_args("--http 127.0.0.1:0").start();
    let addr = http_addr(&daemon);
    let before = daemon.resident_bytes();
    let greedy: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(addr).unwrap();
            let scrape = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
            stream.write_all(scrape.as_bytes()).unwrap();
            stream
        })
        .collect();
    let mut wire = daemon.wire();
    for number in 0..200 {
        wire.ask(format!("SET k {number}\r\nGET k\r\n"), format!("OK\r\nVALUE {number}\r\n"));
        if number % 20 == 0 {
            assert_eq!(get(addr, "/livez").0, 200);
        }
    }
    let (status, metrics) = get(addr, "/metrics");
    assert!(status == 200 && metrics.contains("\nrustvault_http_connections 101"), "{metrics}");
    let grown = daemon.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes are held for scrapers that do not read");
    drop(greedy);
    daemon.stop();
}

#[test]
fn an_address_beyond_loopback_needs_users_or_that_it_is_meant() {
    let launch = Launch::new().with_args("--http 0.0.0.0:0");
    let refusal = launch.refused();
    let line = refusal.lines.last().unwrap();
    assert_eq!((refusal.code, line.contains("could read the metrics")), (2, true), "{line}");
    let checked = launch.command().arg("--check-config").output().unwrap();
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    let daemon = launch.with_args("--allow-unauthenticated").start();
    let addr = SocketAddr::from(([127, 0, 0, 1], http_addr(&daemon).port()));
    daemon.wait_for_line("anybody who can reach this address can read the metrics");
    assert_eq!(get(addr, "/metrics").0, 200);
    daemon.stop();
}

#[test]
fn an_address_that_is_taken_is_named_and_the_log_left_alone() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let launch = Launch::new().with_args(&format!("--http {addr}"));
    let refusal = launch.refused();
    assert_eq!(refusal.code, 1);
    assert!(refusal.lines.last().unwrap().contains(&format!("cannot listen on {addr}")), "{refusal:?}");
    assert!(!launch.wal().exists());
}

/// A daemon with users that serves HTTP with and without TLS, and the authority of its certificates.
struct SecuredHttp {
    daemon: Daemon,
    authority: Authority,
    plain: SocketAddr,
    tls: SocketAddr,
}

impl SecuredHttp {
    fn start() -> Self {
        let (authority, launch) = (Authority::new(), Launch::new());
        authority.issue("the server").write(launch.folder());
        write_file(&launch.folder().join("ca.pem"), &authority.pem());
        let folder = launch.folder().display().to_string();
        let launch = launch.with_args(&format!(
            "--users {folder}/users.toml --http 127.0.0.1:0 --tls-http 127.0.0.1:0 --tls-cert {folder}/cert.pem \
             --tls-key {folder}/key.pem --tls-client-ca {folder}/ca.pem --tls-client-auth optional \
             --tls-client-cert-user common-name"
        ));
        user(launch.folder(), "add watcher --allow metrics --no-password");
        user(launch.folder(), "add reader --allow read --no-password");
        let daemon = launch.start();
        let (plain, tls) = (http_addr(&daemon), addr_in(daemon.ready_line(), "tls_http_address"));
        Self { daemon, authority, plain, tls }
    }

    /// Asks over TLS.
    fn get(&self, identity: Option<&Identity>, path: &str, headers: &str) -> (u16, String) {
        let mut wire = TlsWire::connect(self.tls, &self.authority.client(identity)).unwrap();
        wire.send(request(path, headers));
        parsed(&String::from_utf8(wire.rest()).unwrap()).expect("an answer")
    }
}

fn user(folder: &Path, line: &str) -> String {
    let mut command = cli();
    command.arg("user").args(line.split(' ')).arg("--file").arg(folder.join("users.toml"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn over_tls_a_certificate_or_a_token_shows_the_metrics_to_whoever_has_the_right() {
    let server = SecuredHttp::start();
    let (watcher, reader, stranger) = (
        server.authority.issue("watcher"),
        server.authority.issue("reader"),
        server.authority.issue("nobody"),
    );
    assert_eq!(server.get(Some(&watcher), "/metrics", "").0, 200);
    assert_eq!(server.get(Some(&reader), "/metrics", "").0, 403);
    assert_eq!(server.get(Some(&stranger), "/metrics", "").0, 401);
    assert_eq!(server.get(None, "/metrics", "").0, 401);
    assert_eq!(server.get(None, "/readyz", ""), (200, "ready\n".to_owned()));
    // A header counts more than the certificate.
    assert_eq!(server.get(Some(&watcher), "/metrics", "Authorization: Bearer rv_wrong\r\n").0, 401);
    let mut plain = TcpStream::connect(server.tls).unwrap();
    plain.write_all(request("/metrics", "").as_bytes()).unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("this port speaks TLS"), "{answer}");
    server.daemon.stop();
}

#[test]
fn a_new_token_and_a_right_that_is_taken_away_count_after_a_reload_and_messages_hold_no_secret() {
    let server = SecuredHttp::start();
    let token = user(server.daemon.launch().folder(), "token watcher --label scrape");
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    assert_eq!(try_get(server.plain, "/metrics", &bearer).unwrap().0, 401);
    server.daemon.signal(Signal::HUP);
    until("the token counts", || try_get(server.plain, "/metrics", &bearer).unwrap().0 == 200);
    assert_eq!(server.get(None, "/metrics", &bearer).0, 200);
    user(server.daemon.launch().folder(), "remove watcher");
    server.daemon.signal(Signal::HUP);
    until("the user is gone", || try_get(server.plain, "/metrics", &bearer).unwrap().0 == 401);
    let lines = server.daemon.log_lines();
    let accepted = lines.iter().filter(|line| line.contains("login accepted") && line.contains("watcher"));
    assert_eq!(accepted.count(), 1, "one message for all its scrapes: {lines:#?}");
    assert!(lines.iter().any(|line| line.contains("login failed")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains(token.trim())), "{lines:#?}");
    server.daemon.stop();
}

#[test]
fn a_signal_during_the_recovery_ends_the_daemon_before_the_recovery_is_over() {
    if !need_strace() {
        return;
    }
    let launch = Launch::new().with_args("--http 127.0.0.1:0");
    launch.start().stop();
    let trace = launch.folder().join("trace");
    // The tracer itself ends only after the delay.
    let delayed = launch.clone().with_fault_at(launch.wal(), "openat:delay_enter=5000000:when=1", &trace);
    let mut tracer = delayed.command().spawn().unwrap();
    let mut lines = BufReader::new(tracer.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains("HTTP is served")).expect("it recovers the log");
    let children = format!("/proc/{0}/task/{0}/children", tracer.id());
    let pid: i32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    assert!(lines.any(|line| line.contains("stopping before the log is recovered")));
    assert_eq!(wait_for_exit(&mut tracer, PATIENCE).code(), Some(0));
    launch.start().stop();
}
