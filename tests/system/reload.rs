//! Changes of a daemon that runs: by SIGHUP, by commands, under load.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;
use rustvault_tests::tls::{Authority, TlsWire, write_file};
use rustvault_tests::{Daemon, Launch, Wire, until};
use rustvault_users::Secret;

/// Connections that ask all the time while everything changes, half of them over TLS.
const LOAD_CONNECTIONS: usize = 100;

/// A daemon with a configuration file, users and TLS, whose files the test changes.
struct ConfiguredDaemon {
    daemon: Daemon,
    tls_addr: SocketAddr,
    file: PathBuf,
    users_path: PathBuf,
}

/// A user of the file of users, with the token `rv_` and the name.
const fn right_to_all(name: &str) -> (&str, &str) {
    (name, "[\"all\"]")
}

impl ConfiguredDaemon {
    fn start(authority: &Authority, users: &[(&str, &str)]) -> Self {
        let launch = Launch::new();
        let path = |name: &str| launch.folder().join(name);
        let (file, users_path) = (path("rustvault.toml"), path("users.toml"));
        write_file(&users_path, &users_file(users));
        authority.issue("the server").write(launch.folder());
        fs::write(&file, config_file(&launch, "max-connections = 1000\nmessage-level = \"info\"\n")).unwrap();
        let daemon = launch.with_args("--config").with_args(file.to_str().unwrap()).start();
        let (_, addr) = daemon.ready_line().split_once("tls_address=").unwrap();
        let addr: String =
            addr.trim_start_matches('"').chars().take_while(|c| !" \",".contains(*c)).collect();
        Self { tls_addr: addr.parse().unwrap(), daemon, file, users_path }
    }

    /// Writes the file anew, with these lines.
    fn configure(&self, lines: &str) {
        write_file(&self.file, &config_file(self.daemon.launch(), lines));
    }

    /// A connection of a user.
    fn logged_in(&self, name: &str) -> Wire {
        let mut wire = self.daemon.wire();
        wire.ask(log_in(name), "OK\r\n");
        wire
    }

    /// Sends SIGHUP, and waits until that has been obeyed or refused.
    fn hang_up(&self, admin: &mut Wire, counter: &str) {
        let before = admin.info_number(counter);
        self.daemon.signal(Signal::HUP);
        until("the reload has ended", || admin.info_number(counter) == before + 1);
    }
}

fn config_file(launch: &Launch, lines: &str) -> String {
    let folder = launch.folder().display();
    format!(
        "users = \"{folder}/users.toml\"\n{lines}[tls]\nbind = [\"127.0.0.1:0\"]\ncert = \"{folder}/cert.pem\"\n\
        key = \"{folder}/key.pem\"\n"
    )
}

pub(super) fn users_file(users: &[(&str, &str)]) -> String {
    let user = |(name, categories): &(&str, &str)| {
        let Secret::Token(hash) = Secret::of(token(name).as_bytes()).unwrap() else { panic!("no token") };
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "[[user]]\nname = \"{name}\"\n[[user.credential]]\nlabel = \"test\"\ntoken-sha256 = \"{hash}\"\n\
            [[user.right]]\nallow = {categories}\n"
        )
    };
    users.iter().map(user).collect()
}

pub(super) fn token(name: &str) -> String {
    format!("rv_{name:a<43}")
}

fn log_in(name: &str) -> String {
    format!("AUTH {name} {}\r\n", token(name))
}

fn config(wire: &mut Wire, name: &str) -> String {
    wire.send(format!("CONFIG GET {name}\r\n"));
    wire.list().pop().unwrap()
}

/// Clients that store and read without a pause; any answer but the right one ends a thread by a panic.
struct Load {
    stop: Arc<AtomicBool>,
    /// Rounds of each connection.
    rounds: Arc<Vec<AtomicU64>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(server: &ConfiguredDaemon, authority: &Authority) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let rounds = Arc::new((0..LOAD_CONNECTIONS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
        let clients = (0..LOAD_CONNECTIONS).map(|number| {
            let (stop, rounds) = (Arc::clone(&stop), Arc::clone(&rounds));
            let mut ask: Box<dyn FnMut(String, String) + Send> = if number % 2 == 0 {
                let mut wire = TlsWire::connect(server.tls_addr, &authority.client(None)).unwrap();
                Box::new(move |commands, answers| wire.ask(commands, answers))
            } else {
                let mut wire = server.daemon.wire();
                Box::new(move |commands, answers| wire.ask(commands, answers))
            };
            ask(log_in("load"), "OK\r\n".to_owned());
            thread::spawn(move || {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    ask(
                        format!("SET k{number} {round}\r\nGET k{number}\r\n"),
                        format!("OK\r\nVALUE {round}\r\n"),
                    );
                    rounds[number].store(round, Ordering::Relaxed);
                }
            })
        });
        let clients = clients.collect();
        Self { stop, rounds, clients }
    }

    /// Waits until every connection has been answered twice from now on.
    fn wait_for_all(&self) {
        let before: Vec<_> = self.rounds.iter().map(|round| round.load(Ordering::Relaxed)).collect();
        let has_moved = |(round, before): (&AtomicU64, &u64)| round.load(Ordering::Relaxed) >= before + 2;
        until("all connections are served", || self.rounds.iter().zip(&before).all(has_moved));
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().expect("every answer was right"));
    }
}

#[test]
fn certificate_user_limit_and_message_level_change_under_load_and_nobody_notices() {
    let (old, new) = (Authority::new(), Authority::new());
    let server =
        ConfiguredDaemon::start(&old, &[right_to_all("admin"), right_to_all("load"), right_to_all("gone")]);
    let mut admin = server.logged_in("admin");
    let load = Load::start(&server, &old);
    load.wait_for_all();

    new.issue("the server").write(server.daemon.launch().folder());
    write_file(
        &server.users_path,
        &users_file(&[right_to_all("admin"), right_to_all("load"), right_to_all("new")]),
    );
    server.configure("max-connections = 777\nmessage-level = \"debug\"\n");
    server.hang_up(&mut admin, "config_reloads");
    load.wait_for_all();
    let check = |admin: &mut Wire| {
        TlsWire::connect(server.tls_addr, &old.client(None)).unwrap_err();
        let mut secure = TlsWire::connect(server.tls_addr, &new.client(None)).unwrap();
        secure.ask(log_in("new"), "OK\r\n");
        server.daemon.wire().ask_error(log_in("gone"), "DENIED");
        assert_eq!(config(admin, "max-connections"), "777");
        assert_eq!(config(admin, "message-level"), "debug");
    };
    check(&mut admin);
    let report = server.daemon.wait_for_line("the configuration is reloaded");
    for part in [
        "max-connections (1000 -> 777)",
        "message-level (info -> debug)",
        "users (contents)",
        "tls.cert (contents)",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    server.daemon.wait_for_line("connection opened");

    // Everything is new and good, but for one file.
    old.issue("the server").write(server.daemon.launch().folder());
    write_file(&server.users_path, "[[user]]\nname = 1\n");
    server.configure("max-connections = 5\nmessage-level = \"info\"\n");
    server.hang_up(&mut admin, "config_reloads_failed");
    load.wait_for_all();
    check(&mut admin);
    assert!(admin.info("last_reload_error").contains("users.toml"));
    load.stop();
    assert_eq!(admin.info("closed_lost"), "0");
    assert_eq!(admin.info("rejected_connections"), "0");
    server.daemon.stop();
}

#[test]
fn a_bad_file_is_named_with_its_line_and_changes_nothing() {
    let server = ConfiguredDaemon::start(&Authority::new(), &[right_to_all("admin")]);
    let mut admin = server.logged_in("admin");
    server.configure("max-connections = 7\nmax-conections = 8\n");
    server.hang_up(&mut admin, "config_reloads_failed");
    server.daemon.wait_for_line("rustvault.toml:3");
    server.daemon.wait_for_line("the reload is refused, and nothing has changed");
    let error = admin.ask_error("CONFIG RELOAD\r\n", "SYNTAX");
    assert!(error.contains("rustvault.toml:3"), "{error}");
    assert_eq!(config(&mut admin, "max-connections"), "1000");
    fs::remove_file(&server.file).unwrap();
    server.hang_up(&mut admin, "config_reloads_failed");
    assert_eq!(config(&mut admin, "max-connections"), "1000");
    server.configure("max-connections = 8\n");
    server.hang_up(&mut admin, "config_reloads");
    assert_eq!(config(&mut admin, "max-connections"), "8");
    assert_eq!(admin.info("last_reload_error"), "");
    server.daemon.stop();
}

#[test]
fn hangups_and_commands_at_once_all_end_with_what_the_file_says() {
    let server = ConfiguredDaemon::start(&Authority::new(), &[right_to_all("admin")]);
    server.configure("max-connections = 321\n");
    let mut admins: Vec<_> = (0..8).map(|_| server.logged_in("admin")).collect();
    for admin in &mut admins {
        admin.send("CONFIG RELOAD\r\nCONFIG SET timeout 100\r\nCONFIG RELOAD\r\n");
        server.daemon.signal(Signal::HUP);
    }
    for admin in &mut admins {
        assert!(!admin.list().is_empty());
        admin.expect("OK\r\n");
        assert!(!admin.list().is_empty());
    }
    let mut admin = server.logged_in("admin");
    server.hang_up(&mut admin, "config_reloads");
    assert_eq!(
        (config(&mut admin, "max-connections"), config(&mut admin, "timeout")),
        ("321".into(), "0".into())
    );
    server.daemon.stop();
}
