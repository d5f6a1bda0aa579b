//! TLS: clients over it, beside it, and against it.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::{ClientConfig, HandshakeKind};
use rustvault_tests::tls::{Authority, Identity, TlsWire, write_file};
use rustvault_tests::{Daemon, Launch, Wire, resp_request, until};

/// A daemon that listens with TLS, and what its clients need.
struct TlsDaemon {
    daemon: Daemon,
    addr: SocketAddr,
    authority: Authority,
    client: Arc<ClientConfig>,
}

impl TlsDaemon {
    fn start() -> Self {
        Self::start_with("")
    }

    fn start_with(args: &str) -> Self {
        let (authority, launch) = (Authority::new(), Launch::new());
        authority.issue("the server").write(launch.folder());
        write_file(&launch.folder().join("ca.pem"), &authority.pem());
        let daemon = with_tls(launch, args).start();
        let addr = tls_addr(daemon.ready_line());
        let client = authority.client(None);
        Self { daemon, addr, authority, client }
    }

    fn folder(&self) -> &std::path::Path {
        self.daemon.launch().folder()
    }

    fn connect(&self) -> TlsWire {
        TlsWire::connect(self.addr, &self.client).unwrap()
    }

    /// Connects with this certificate, and asks; tells whether that is answered.
    fn is_served(&self, identity: Option<&Identity>) -> bool {
        let wire = TlsWire::connect(self.addr, &self.authority.client(identity));
        wire.and_then(|mut wire| wire.try_ask(b"PING\r\n", b"PONG\r\n")).is_ok()
    }
}

fn with_tls(launch: Launch, args: &str) -> Launch {
    let folder = launch.folder().display().to_string();
    let args = args.replace("FOLDER", &folder);
    launch.with_args(
        format!("--tls-bind 127.0.0.1:0 --tls-cert {folder}/cert.pem --tls-key {folder}/key.pem {args}")
            .trim(),
    )
}

/// Finds the address of TLS in the line that says that the daemon serves.
pub(super) fn tls_addr(ready: &str) -> SocketAddr {
    let (_, addr) = ready.split_once("tls_address=").unwrap_or_else(|| panic!("none in {ready:?}"));
    let addr: String = addr.trim_start_matches('"').chars().take_while(|c| !" \",".contains(*c)).collect();
    addr.parse().unwrap_or_else(|_| panic!("{addr:?} in {ready:?}"))
}

#[test]
fn both_protocols_are_served_over_both_versions_of_tls_beside_plain_clients() {
    let server = TlsDaemon::start();
    let versions = [server.client.clone(), server.authority.client_of_tls_1_2()];
    for (number, config) in versions.iter().enumerate() {
        let mut text = TlsWire::connect(server.addr, config).unwrap();
        text.ask(format!("SET k {number}\r\nGET k\r\n"), format!("OK\r\nVALUE {number}\r\n"));
        let mut resp = TlsWire::connect(server.addr, config).unwrap();
        resp.ask(resp_request(&["GET", "k"]), format!("$1\r\n{number}\r\n"));
        text.ask("QUIT\r\n", "OK\r\n");
        assert_eq!(text.rest(), b"");
    }
    let mut plain = server.daemon.wire();
    plain.ask("GET k\r\n", "VALUE 1\r\n");
    assert_eq!(plain.info_number("tls_handshakes"), 4);
    assert!(plain.info_number("tls_certificate_not_after") > 4_000_000_000);
    until("those have ended", || plain.info_number("tls_connections") == 0);
    server.daemon.stop();
}

#[test]
fn large_values_and_long_pipelines_pass_in_both_directions() {
    let server = TlsDaemon::start();
    let mut wire = server.connect();
    let value: Vec<u8> = (0..5_000_000_u32).map(|number| (number * 7 / 3) as u8).collect();
    wire.ask(resp_request(&[&b"SET"[..], b"large", &value]), "+OK\r\n");
    let answer = [format!("${}\r\n", value.len()).as_bytes(), &value, b"\r\n"].concat();
    wire.ask(resp_request(&["GET", "large"]), &answer);
    wire.ask(
        resp_request(&["MGET", "large", "none", "large"]),
        [&b"*3\r\n"[..], &answer[..], b"$-1\r\n", &answer].concat(),
    );
    let (mut commands, mut answers) = (Vec::new(), Vec::new());
    for number in 0..10_000 {
        let (key, value) = (format!("k{number}"), "x".repeat(number % 300));
        commands.extend(resp_request(&["SET", &key, &value]));
        commands.extend(resp_request(&["GET", &key]));
        answers.extend(format!("+OK\r\n${}\r\n{value}\r\n", value.len()).into_bytes());
    }
    wire.ask(commands, answers);
    server.daemon.stop();
}

#[test]
fn records_that_come_byte_by_byte_are_put_together() {
    let server = TlsDaemon::start();
    let mut wire = server.connect();
    let value = "v".repeat(10_000);
    wire.send_byte_by_byte(&resp_request(&["SET", "k", &value]));
    wire.expect("+OK\r\n");
    wire.ask(resp_request(&["STRLEN", "k"]), ":10000\r\n");
}

#[test]
fn a_client_refuses_a_server_whose_authority_it_does_not_trust_and_that_is_counted() {
    let server = TlsDaemon::start();
    let other = Authority::new();
    TlsWire::connect(server.addr, &other.client(None)).unwrap_err();
    server.daemon.wait_for_line("the TLS handshake failed");
    assert_eq!(server.daemon.wire().info_number("tls_handshake_errors"), 1);
    server.connect().ask("PING\r\n", "PONG\r\n");
}

#[test]
fn a_certificate_of_a_client_is_not_asked_for_may_be_shown_or_must_be() {
    let (mut served, stranger) = (Vec::new(), Authority::new());
    for auth in ["off", "optional", "required"] {
        let server =
            TlsDaemon::start_with(&format!("--tls-client-ca FOLDER/ca.pem --tls-client-auth {auth}"));
        let good = server.authority.issue("alice");
        let expired = server.authority.issue_between("alice", 2001, 2002);
        let foreign = stranger.issue("alice");
        let identities = [None, Some(&good), Some(&foreign), Some(&expired)];
        served.push((auth, identities.map(|identity| server.is_served(identity))));
    }
    let expected = [
        ("off", [true, true, true, true]),
        ("optional", [true, true, false, false]),
        ("required", [false, true, false, false]),
    ];
    assert_eq!(served, expected);
}

#[test]
fn the_common_name_of_a_certificate_logs_its_user_in_and_nobody_else() {
    let launch = Launch::new();
    let authority = Authority::new();
    let user = "[[user]]\nname = \"alice\"\n[[user.right]]\nallow = [\"read\"]\n";
    write_file(&launch.folder().join("users.toml"), user);
    authority.issue("the server").write(launch.folder());
    write_file(&launch.folder().join("ca.pem"), &authority.pem());
    let args = "--tls-client-ca FOLDER/ca.pem --tls-client-auth optional --tls-client-cert-user common-name \
        --users FOLDER/users.toml";
    let daemon = with_tls(launch, args).start();
    let addr = tls_addr(daemon.ready_line());
    let answer = |name: Option<&str>| {
        let identity = name.map(|name| authority.issue(name));
        let mut wire = TlsWire::connect(addr, &authority.client(identity.as_ref())).unwrap();
        wire.send("GET k\r\nSET k v\r\nQUIT\r\n");
        String::from_utf8(wire.rest()).unwrap()
    };
    assert!(answer(Some("alice")).starts_with("NOT_FOUND\r\nERROR DENIED "), "{}", answer(Some("alice")));
    for name in [None, Some("bob"), Some("")] {
        assert!(answer(name).starts_with("ERROR AUTH_REQUIRED "), "{name:?}");
    }
    daemon.stop();
}

#[test]
fn whoever_speaks_plain_text_to_tls_is_told_so_in_its_own_protocol() {
    let server = TlsDaemon::start();
    let ask = |sent: &str| {
        let mut wire = Wire::connect(server.addr);
        wire.send(sent);
        wire.rest()
    };
    assert!(ask("PING\r\n").starts_with("ERROR SYNTAX this port speaks TLS"));
    assert!(ask("*1\r\n$4\r\nPING\r\n").starts_with("-ERR this port speaks TLS"));
    let http = ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(
        http.starts_with("HTTP/1.1 400 Bad Request\r\n") && http.contains("this port speaks TLS"),
        "{http}"
    );
    assert!(server.daemon.wait_for_line("speaks another protocol").contains("does not speak TLS"));
    server.connect().ask("PING\r\n", "PONG\r\n");
}

#[test]
fn whoever_speaks_tls_to_a_plain_port_gets_an_error_at_once() {
    let server = TlsDaemon::start();
    let error = TlsWire::connect(server.daemon.addr(), &server.client).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
    assert!(server.daemon.wait_for_line("speaks another protocol").contains("it began with"));
}

#[test]
fn handshakes_that_never_end_keep_nobody_out() {
    let server = TlsDaemon::start_with("--tls-max-handshakes 4 --tls-handshake-timeout 3600");
    let mut held = Vec::new();
    for number in 0..12 {
        let mut socket = TcpStream::connect(server.addr).unwrap();
        // The beginning of a record that announces 512 bytes.
        if number % 2 == 0 {
            socket.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
        }
        held.push(socket);
    }
    let mut plain = server.daemon.wire();
    plain.ask("PING\r\n", "PONG\r\n");
    server.connect().ask("PING\r\n", "PONG\r\n");
    assert!(plain.info_number("tls_handshake_timeouts") >= 8);
    server.daemon.stop();
}

#[test]
fn a_handshake_ends_at_its_deadline() {
    let server = TlsDaemon::start_with("--tls-handshake-timeout 1");
    let mut wire = Wire::connect(server.addr);
    assert_eq!(wire.rest(), "");
    assert_eq!(server.daemon.wire().info_number("tls_handshake_timeouts"), 1);
}

#[test]
fn garbage_instead_of_a_handshake_ends_its_connection_alone() {
    let server = TlsDaemon::start();
    let mut served = server.connect();
    let mut rng = fastrand::Rng::with_seed(16);
    for _ in 0..100 {
        let mut bytes = vec![0x16, 3, 1, 0, 200];
        bytes.extend((0..200).map(|_| rng.u8(..)));
        let mut wire = Wire::connect(server.addr);
        let _ = wire.try_send(&bytes);
        wire.rest_or_reset();
        served.ask("PING\r\n", "PONG\r\n");
    }
    let mut plain = server.daemon.wire();
    assert_eq!(plain.info_number("tls_handshake_errors"), 100);
    server.daemon.stop();
}

#[test]
fn a_stop_answers_what_was_received_and_announces_the_end() {
    let server = TlsDaemon::start();
    let mut wire = server.connect();
    wire.ask("PING\r\n", "PONG\r\n");
    wire.send("PING\r\n".repeat(5000));
    server.daemon.signal(Signal::TERM);
    assert_eq!(wire.rest(), "PONG\r\n".repeat(5000).as_bytes());
}

#[test]
fn a_new_certificate_is_shown_to_new_clients_and_a_half_replaced_one_changes_nothing() {
    let server = TlsDaemon::start();
    let mut old = server.connect();
    let shown = |wire: &TlsWire| wire.session().peer_certificates().unwrap()[0].to_vec();
    let first = shown(&old);
    let next = server.authority.issue("the server");
    write_file(&server.folder().join("cert.pem"), &next.cert);
    server.daemon.signal(Signal::HUP);
    server.daemon.wait_for_line("does not belong to the certificate");
    assert_eq!(shown(&server.connect()), first);
    next.write(server.folder());
    server.daemon.signal(Signal::HUP);
    until("the new one is shown", || shown(&server.connect()) != first);
    old.ask("PING\r\n", "PONG\r\n");
    server.daemon.stop();
}

#[test]
fn a_session_is_resumed_until_the_files_change() {
    let server = TlsDaemon::start();
    let kind = || {
        let mut wire = server.connect();
        wire.ask("PING\r\n", "PONG\r\n");
        wire.session().handshake_kind()
    };
    assert_eq!(kind(), Some(HandshakeKind::Full));
    assert_eq!(kind(), Some(HandshakeKind::Resumed));
    server.authority.issue("the server").write(server.folder());
    server.daemon.signal(Signal::HUP);
    server.daemon.wait_for_line("the configuration is reloaded");
    assert_eq!(kind(), Some(HandshakeKind::Full));
}

#[test]
fn files_that_cannot_be_used_end_the_start_with_2_and_one_message() {
    let launch = Launch::new();
    let refusal = with_tls(launch, "").refused();
    assert_eq!(refusal.code, 2, "{:?}", refusal.lines);
    assert!(refusal.lines.iter().any(|line| line.contains("tls.cert") && line.contains("does not exist")));
    assert!(refusal.elapsed < Duration::from_secs(10));
}
