//! Changes of a running server, by reloads and by `CONFIG SET`.
#![cfg(test)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rustvault_protocol::Reply;
use rustvault_server::{ConfigSource, Error, ReloadError, Server, ServerConfig};
use rustvault_testkit::Wire;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

type Loaded = Result<ServerConfig, ReloadError>;

/// A server whose source of the configuration is the test.
struct Reloadable {
    addr: std::net::SocketAddr,
    config: ServerConfig,
    source: ConfigSource,
    next: Arc<Mutex<Loaded>>,
    loads: Arc<Loads>,
    /// The configurations that were announced as in force.
    announced: Arc<Mutex<Vec<ServerConfig>>>,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), Error>>>,
    _folder: TempDir,
}

/// Loads that have begun, and those that run; a test holds them by the lock.
#[derive(Default)]
struct Loads {
    begun: AtomicUsize,
    running: AtomicUsize,
    gate: Mutex<()>,
}

impl Reloadable {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = support::config();
        config.bind_addrs = vec!["127.0.0.1:0".to_owned()];
        config.wal_path = folder.path().join("vault.log");
        let next = Arc::new(Mutex::new(Ok(config.clone())));
        let (loads, announced) = (Arc::<Loads>::default(), Arc::<Mutex<Vec<_>>>::default());
        let source = source(&next, &loads, &announced);
        let (stop, (tell, addr)) = (CancellationToken::new(), mpsc::channel());
        let (server_config, server_source, stopped) = (config.clone(), source.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(server_config).await?.reload_from(server_source);
                tell.send(server.local_addr()).unwrap();
                server.run(stopped.cancelled()).await
            })
        });
        let (addr, thread) = (addr.recv().unwrap(), Some(thread));
        Self { addr, config, source, next, loads, announced, stop, thread, _folder: folder }
    }

    fn wire(&self) -> Wire {
        Wire::connect(self.addr)
    }

    /// Sets what the next loads return: the configuration of the start, changed.
    fn next(&self, change: impl FnOnce(&mut ServerConfig)) {
        let mut config = self.config.clone();
        change(&mut config);
        *self.next.lock().unwrap() = Ok(config);
    }
}

impl Drop for Reloadable {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap().unwrap();
        }
    }
}

fn source(
    next: &Arc<Mutex<Loaded>>,
    loads: &Arc<Loads>,
    announced: &Arc<Mutex<Vec<ServerConfig>>>,
) -> ConfigSource {
    let (next, loads, announced) = (Arc::clone(next), Arc::clone(loads), Arc::clone(announced));
    let load = move || {
        assert_eq!(loads.running.fetch_add(1, Ordering::SeqCst), 0, "two reloads run at once");
        loads.begun.fetch_add(1, Ordering::SeqCst);
        drop(loads.gate.lock().unwrap());
        loads.running.fetch_sub(1, Ordering::SeqCst);
        next.lock().unwrap().clone()
    };
    ConfigSource::new(load).on_change(move |config| announced.lock().unwrap().push(config.clone()))
}

/// Asks for names and values, as one line.
fn pairs(client: &mut Wire, command: &str) -> String {
    client.send(format!("{command}\r\n"));
    let list = client.list();
    list.chunks(2).map(|pair| pair.join("=")).collect::<Vec<_>>().join("\n")
}

fn value(client: &mut Wire, name: &str) -> String {
    let pairs = pairs(client, &format!("CONFIG GET {name}"));
    pairs.split_once('=').expect("there is such a setting").1.to_owned()
}

/// Waits until `INFO` says this of a name.
fn wait_for_info(client: &mut Wire, name: &str, value: &str) {
    rustvault_testkit::until(&format!("{name}={value}"), || client.info(name) == value);
}

#[test]
fn a_reload_says_of_every_option_whether_it_is_applied_or_needs_a_restart() {
    let server = Reloadable::start();
    let mut client = server.wire();
    server.next(|config| {
        config.max_connections = 7;
        config.tcp_keepalive = None;
        config.max_value_bytes = 1 << 20;
    });
    for before in ["applied: 7, before 1000", "unchanged"] {
        let report = pairs(&mut client, "CONFIG RELOAD");
        let has = |line: &str| assert!(report.lines().any(|found| found == line), "{line}: {report}");
        has(&format!("max-connections={before}"));
        has("fsync=unchanged");
        has("max-value-bytes=needs a restart: 1MiB takes effect then, 16MiB is kept until then");
    }
    assert_eq!(value(&mut client, "maxclients"), "7");
    assert_eq!(value(&mut client, "tcp-keepalive"), "0");
    assert_eq!(value(&mut client, "max-value-bytes"), "16MiB");
    assert_eq!(client.info("config_reloads"), "2");
    let announced = server.announced.lock().unwrap().clone();
    assert_eq!(announced.iter().map(|config| config.max_connections).collect::<Vec<_>>(), [7, 7]);
    let mut resp = server.wire();
    let Reply::Map(report) = rustvault_testkit::resp_reply(&{
        resp.call(&[b"HELLO", b"3"]);
        resp.call(&[b"CONFIG", b"RELOAD"])
    }) else {
        panic!("not a map")
    };
    assert!(report.len() > 10);
}

#[test]
fn a_bad_reload_changes_nothing_and_says_why() {
    let server = Reloadable::start();
    let mut client = server.wire();
    let before = pairs(&mut client, "CONFIG GET *");
    *server.next.lock().unwrap() = Err(ReloadError::new(["no such file", "line 2: no such\n  option"]));
    let error = client.ask_error("CONFIG RELOAD\r\n", "SYNTAX");
    assert!(error.ends_with("nothing has changed: no such file; line 2: no such option"), "{error}");
    assert_eq!(client.info("last_reload_error"), "no such file; line 2: no such option");
    server.next(|config| (config.max_connections, config.max_output_bytes) = (7, 0));
    let error = client.ask_error("CONFIG RELOAD\r\n", "SYNTAX");
    assert!(error.contains("max_output_bytes"), "{error}");
    assert_eq!(pairs(&mut client, "CONFIG GET *"), before);
    assert!(server.announced.lock().unwrap().is_empty());
    assert_eq!(
        (client.info("config_reloads"), client.info("config_reloads_failed")),
        ("0".into(), "2".into())
    );
    server.next(|config| config.max_connections = 7);
    pairs(&mut client, "CONFIG RELOAD");
    assert_eq!(client.info("last_reload_error"), "");
    assert_eq!(value(&mut client, "max-connections"), "7");
}

#[test]
fn reloads_at_once_run_one_after_another_and_none_undoes_a_setting_that_comes_later() {
    let server = Reloadable::start();
    let mut clients: Vec<_> = (0..4).map(|_| server.wire()).collect();
    let mut other = server.wire();
    server.next(|config| config.idle_timeout = Some(Duration::from_secs(600)));
    let gate = server.loads.gate.lock().unwrap();
    clients.iter_mut().for_each(|client| client.send("CONFIG RELOAD\r\nCONFIG SET max-connections 77\r\n"));
    server.source.request();
    server.source.request();
    rustvault_testkit::until("a load has begun", || server.loads.begun.load(Ordering::SeqCst) == 1);
    // Others are served meanwhile.
    other.ask("SET k v\r\nGET k\r\n", "OK\r\nVALUE v\r\n");
    drop(gate);
    for client in &mut clients {
        client.list();
        client.expect("OK\r\n");
    }
    // Those of the clients, and one for both requests, or for each.
    rustvault_testkit::until("all loads have ended", || other.info_number("config_reloads") >= 5);
    assert_eq!(server.loads.running.load(Ordering::SeqCst), 0);
    assert_eq!(value(&mut other, "timeout"), "600");
    other.ask("CONFIG SET max-connections 78\r\n", "OK\r\n");
    assert_eq!(
        (value(&mut other, "max-connections"), value(&mut other, "timeout")),
        ("78".into(), "600".into())
    );
}

#[test]
fn a_requested_reload_takes_back_what_was_set_at_run_time() {
    let server = Reloadable::start();
    let mut client = server.wire();
    client.ask("CONFIG SET maxclients 5 timeout 30\r\n", "OK\r\n");
    assert_eq!(
        (value(&mut client, "max-connections"), value(&mut client, "idle-timeout")),
        ("5".into(), "30".into())
    );
    server.source.request();
    wait_for_info(&mut client, "config_reloads", "1");
    assert_eq!(
        (value(&mut client, "max-connections"), value(&mut client, "idle-timeout")),
        ("1000".into(), "0".into())
    );
}

#[test]
fn config_set_changes_all_settings_or_none() {
    let server = Reloadable::start();
    let mut client = server.wire();
    let before = pairs(&mut client, "CONFIG GET *");
    for bad in [
        "max-connections 5 nonsense 1",
        "max-connections 5 max-output-bytes 0",
        "max-connections 5 bind 127.0.0.1:1",
        "max-connections 5 max-connections 6",
        "max-connections 5 timeout",
        "max-connections 5 tcp-keepalive 99999999",
        "max-connections 5 appendonly no",
        "max-connections 0",
    ] {
        client.ask_error(format!("CONFIG SET {bad}\r\n"), "SYNTAX");
        assert_eq!(pairs(&mut client, "CONFIG GET *"), before, "{bad}");
    }
    let long = "9".repeat(4097);
    client.ask_error(format!("CONFIG SET max-connections {long}\r\n"), "TOO_LARGE");
    let error = client.ask_error("CONFIG SET wal x.log\r\n", "SYNTAX");
    assert!(error.contains("'wal'") && error.contains("needs a restart"), "{error}");
    client.ask("CONFIG SET max-connections 5 save \"\"\r\n", "OK\r\n");
    assert_eq!(value(&mut client, "max-connections"), "5");
    let error = client.ask_error("CONFIG REWRITE\r\n", "SYNTAX");
    assert!(error.contains("never writes"), "{error}");
}

#[test]
fn limits_that_change_hold_for_whoever_comes_next() {
    let server = Reloadable::start();
    let mut client = server.wire();
    client.ask("SET a 0123456789\r\nSET b 0123456789\r\n", "OK\r\nOK\r\n");
    client.ask("CONFIG SET maxclients 1\r\n", "OK\r\n");
    let mut refused = server.wire();
    refused.send("PING\r\n");
    assert!(refused.line().starts_with("ERROR TOO_MANY_CONNECTIONS "));
    client.ask("PING\r\nCONFIG SET maxclients 2\r\n", "PONG\r\nOK\r\n");
    server.wire().ask("PING\r\n", "PONG\r\n");

    client.ask("CONFIG SET maxmemory 1\r\n", "OK\r\n");
    client.ask_error("SET c 1\r\n", "OUT_OF_MEMORY");
    assert_eq!(client.info("max_memory_bytes"), "1");
    client.ask("CONFIG SET max-memory 1GiB\r\nSET c 1\r\n", "OK\r\nOK\r\n");
    client.ask("CONFIG SET maxmemory 0\r\nSET d 1\r\n", "OK\r\nOK\r\n");

    client.ask("CONFIG SET max-output-bytes 12\r\n", "OK\r\n");
    client.send("KEYS *\r\n");
    let first = client.line();
    assert!(first.starts_with("ERROR ") || first.starts_with("LIST 4"), "{first}");
}

#[test]
fn an_idle_connection_obeys_a_changed_timeout_from_its_next_request_on() {
    let server = Reloadable::start();
    let (mut client, mut other) = (server.wire(), server.wire());
    other.ask("PING\r\n", "PONG\r\n");
    client.ask("CONFIG SET timeout 1\r\n", "OK\r\n");
    other.ask("PING\r\n", "PONG\r\n");
    assert_eq!(other.rest(), "", "it is closed");
    assert_eq!(client.rest(), "");
    client = server.wire();
    client.ask("CONFIG SET timeout 0\r\n", "OK\r\n");
    wait_for_info(&mut client, "closed_idle", "2");
}

#[test]
fn counters_can_be_set_to_zero_and_connections_cannot() {
    let server = Reloadable::start();
    let (mut client, _other) = (server.wire(), server.wire());
    client.ask_error("GET\r\n", "SYNTAX");
    assert_eq!(client.info_number("total_errors"), 1);
    client.ask("CONFIG RESETSTAT\r\n", "OK\r\n");
    assert_eq!(client.info_number("total_errors"), 0);
    assert_eq!(client.info_number("total_connections"), 0);
    assert_eq!(client.info_number("connections"), 2);
}
