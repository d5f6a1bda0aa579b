//! The real redis_exporter of Debian against a daemon.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use rustvault_tests::{Daemon, Launch, cli, listening_port, need, resp_request};

const EXPORTER: &str = "prometheus-redis-exporter";

/// A redis_exporter; it is killed when this is dropped.
struct Exporter {
    process: Child,
}

impl Exporter {
    fn start(daemon: &Daemon, arguments: &[&str]) -> Self {
        let mut command = Command::new(EXPORTER);
        command.arg("-redis.addr").arg(format!("redis://127.0.0.1:{}", daemon.addr().port()));
        command.args(["-web.listen-address", "127.0.0.1:0"]).args(arguments);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self { process: process.spawn().expect("it can be run") }
    }

    /// Makes it ask the daemon; returns what it exports.
    fn scrape(&self) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", listening_port(self.process.id()))).unwrap();
        socket.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        // A name that came twice would be an error of 500.
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
        answer
    }

    /// Ends it; returns the messages about errors.
    fn errors(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        let mut messages = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
        messages.lines().filter(|line| line.contains("level=error")).map(str::to_owned).collect()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn value(exported: &str, name: &str) -> f64 {
    let line = exported.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {exported}")).parse().expect("it is a number")
}

#[test]
fn redis_exporter_reads_all_that_a_server_has() {
    if !need(EXPORTER) {
        return;
    }
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for key in ["user:1", "user:2", "other"] {
        wire.ask(resp_request(&["SET", key, "john"]), "+OK\r\n");
    }
    wire.ask(resp_request(&["INCR", "other"]), "-ERR value is not an integer or out of range\r\n");
    // The metrics have a command before the next one of its connection.
    wire.ask(resp_request(&["PING"]), "+PONG\r\n");
    // Names that both protocols have are one for tools.
    daemon.wire().info("version");
    let exporter = Exporter::start(
        &daemon,
        &[
            "-export-client-list",
            "-include-system-metrics",
            "-check-keys",
            "user:*",
            "-count-keys",
            "db0=user:*",
        ],
    );
    let exported = exporter.scrape();
    for (name, expected) in [
        ("redis_up", 1.0),
        ("redis_exporter_last_scrape_error{err=\"\"}", 0.0),
        ("redis_db_keys{db=\"db0\"}", 3.0),
        ("redis_commands_total{cmd=\"set\"}", 3.0),
        ("redis_commands_failed_calls_total{cmd=\"incr\"}", 1.0),
        ("redis_commands_rejected_calls_total{cmd=\"incr\"}", 0.0),
        ("redis_latency_percentiles_usec_count{cmd=\"set\"}", 3.0),
        ("redis_errors_total{err=\"ERR\"}", 1.0),
        ("redis_key_size{db=\"db0\",key=\"user:1\"}", 4.0),
        ("redis_keys_count{db=\"db0\",key=\"user:*\"}", 2.0),
        ("redis_aof_enabled", 1.0),
        ("redis_aof_last_write_status", 1.0),
        ("redis_connected_slaves", 0.0),
        ("redis_cluster_enabled", 0.0),
        ("redis_loading_dump_file", 0.0),
    ] {
        assert_eq!(value(&exported, name), expected, "{name}");
    }
    for name in [
        "redis_connected_clients",
        "redis_commands_processed_total",
        "redis_commands_duration_seconds_total{cmd=\"set\"}",
        "redis_config_maxclients",
        "redis_aof_current_size_bytes",
        "redis_memory_used_bytes",
        "redis_memory_used_rss_bytes",
        "redis_mem_fragmentation_ratio",
        "redis_net_input_bytes_total",
        "redis_net_output_bytes_total",
        "redis_total_system_memory_bytes",
    ] {
        assert!(value(&exported, name) > 0.0, "{name}");
    }
    assert!(exported.contains("\nredis_connected_clients_details{"), "{exported}");
    let port = format!("tcp_port=\"{}\"", daemon.addr().port());
    assert!(exported.contains(&port) && exported.contains("redis_version=\"7.2.4\""), "{exported}");
    let errors = exporter.errors();
    assert!(errors.is_empty(), "{errors:?}");
    drop(wire);
    daemon.stop();
}

#[test]
fn redis_exporter_can_do_with_the_right_metrics_alone() {
    if !need(EXPORTER) {
        return;
    }
    let launch = Launch::new();
    let users = launch.folder().join("users.toml");
    let mut add = cli();
    add.args(["user", "add", "exporter", "--allow", "metrics", "--token"]).env("RUSTVAULT_USERS", &users);
    let token = String::from_utf8(add.output().unwrap().stdout).unwrap();
    let daemon = launch.with_args(&format!("--users {}", users.display())).start();
    let exporter = Exporter::start(&daemon, &["-redis.user", "exporter", "-redis.password", token.trim()]);
    let exported = exporter.scrape();
    assert_eq!(value(&exported, "redis_up"), 1.0);
    assert!(value(&exported, "redis_memory_used_rss_bytes") > 0.0);
    drop(exporter);
    daemon.stop();
}
