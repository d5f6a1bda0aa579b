//! Logins and TLS: where a password comes from, where it never is shown, and whom the program trusts.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use assert_cmd::Command;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::pty::Terminal;
use crate::support::{FakeServer, PASSWORD, USER, cli};

fn password_file(folder: &TempDir) -> String {
    let path = folder.path().join("password");
    fs::write(&path, format!("{PASSWORD}\n")).unwrap();
    path.display().to_string()
}

/// The exit code and what was written to standard error.
fn failure(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_password_comes_from_a_file_or_the_environment() {
    let (server, folder) = (FakeServer::start_with_login(), TempDir::new().unwrap());
    let file = password_file(&folder);
    let ping = |command: &mut Command| {
        command.arg("ping").assert().code(0).stdout("PONG\n").stderr("");
    };
    ping(server.cli().args(["--user", USER, "--password-file", &file]));
    ping(server.cli().env("RUSTVAULT_USER", USER).env("RUSTVAULT_PASSWORD", PASSWORD));
    ping(server.cli().env("RUSTVAULT_USER", USER).env("RUSTVAULT_PASSWORD_FILE", &file));
    // Options before variables, and a variable that is set to nothing is not set.
    ping(
        server
            .cli()
            .args(["--user", USER])
            .env("RUSTVAULT_USER", "other")
            .env("RUSTVAULT_PASSWORD", PASSWORD),
    );
    ping(
        server
            .cli()
            .args(["--user", USER])
            .env("RUSTVAULT_PASSWORD", "")
            .env("RUSTVAULT_PASSWORD_FILE", &file),
    );
    let wrong = server.cli().args(["--user", USER, "--password-file", &file, "-h"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&wrong.stdout).contains(PASSWORD));
}

#[test]
fn a_session_without_a_user_logs_in_by_its_first_line() {
    let server = FakeServer::start_with_login();
    let lines = format!("auth {USER} \"{PASSWORD}\"\nping\n");
    server.cli().write_stdin(lines).assert().code(0).stdout("OK\nPONG\n").stderr("");
    let (code, message) = failure(server.cli().write_stdin("ping\n"));
    assert!(code == 1 && message.contains("line 1") && message.contains("AUTH"), "{message}");
    let (code, message) = failure(server.cli().write_stdin(format!("auth {USER} wrong\nping\n")));
    assert!(code == 1 && message.contains("line 1") && !message.contains("wrong"), "{message}");
}

#[test]
fn a_session_and_a_command_of_the_server_log_in_too() {
    let server = FakeServer::start_with_login();
    let logged_in = || {
        let mut command = server.cli();
        command.env("RUSTVAULT_USER", USER).env("RUSTVAULT_PASSWORD", PASSWORD);
        command
    };
    logged_in().write_stdin("set a 1\nget a\n").assert().code(0).stdout("OK\n1\n");
    server.put("b", "12");
    let mut strlen = server.cli();
    strlen.args(["strlen", "b", "--user", USER]).env("RUSTVAULT_PASSWORD", PASSWORD);
    strlen.assert().code(0).stdout("2\n");
}

#[test]
fn a_wrong_password_is_the_servers_error_and_is_not_shown() {
    let server = FakeServer::start_with_login();
    let mut command = server.cli();
    let (code, said) = failure(command.args(["ping", "--user", USER]).env("RUSTVAULT_PASSWORD", "wr0ng"));
    assert_eq!(code, 1);
    assert!(said.contains("the server refused to log 'app' in") && said.contains("check the user"), "{said}");
    assert!(!said.contains("wr0ng"), "{said}");
}

#[test]
fn a_user_without_a_password_is_a_usage_error_where_nobody_can_be_asked() {
    let server = FakeServer::start_with_login();
    let (code, said) = failure(server.cli().args(["ping", "--user", USER]));
    assert_eq!(code, 2);
    assert!(said.contains("no password for 'app': give --password-file"), "{said}");
}

#[test]
fn a_person_is_asked_for_the_password_and_does_not_see_it() {
    let server = FakeServer::start_with_login();
    let mut terminal = Terminal::start(&server.addr(), &["--user", USER]);
    terminal.expect("Password of 'app': ");
    terminal.send(&format!("{PASSWORD}\r"));
    let shown = terminal.expect("> ");
    assert!(!shown.contains("s3cret"), "{shown}");
    terminal.send("ping\r");
    terminal.expect("\nPONG\r\n");
    terminal.expect("> ");
    terminal.send("quit\r");
    assert!(terminal.end().0.success());
}

#[test]
fn ctrl_c_in_place_of_the_password_ends_the_program_with_the_terminal_as_it_was() {
    let server = FakeServer::start_with_login();
    let mut terminal = Terminal::start(&server.addr(), &["--user", USER, "ping"]);
    terminal.expect("Password of 'app': ");
    terminal.send("\x03");
    // A signal would have ended it while the terminal is hidden.
    assert_eq!(terminal.end().0.code(), Some(1));
}

#[test]
fn a_login_in_an_address_is_refused_and_not_shown() {
    for addr in ["rustvault://app:s3cret@h:1", "app:s3cret@h:1", "rustvaults://app:s3cret@h"] {
        for command in [cli().args(["--addr", addr, "ping"]), cli().arg("ping").env("RUSTVAULT_ADDR", addr)] {
            let (code, said) = failure(command);
            assert_eq!(code, 2);
            assert!(said.contains("--password-file") && said.contains("RUSTVAULT_PASSWORD"), "{said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}

#[test]
fn whoever_is_not_logged_in_is_told_how_to() {
    let server = FakeServer::start_logged_out();
    for words in [&["ping"][..], &["strlen", "k"], &["bench", "--requests", "1", "--clients", "1"]] {
        let output = server.cli().args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("hint: log in with --user NAME"), "{said}");
    }
}

#[test]
fn the_load_generator_logs_in_over_either_protocol() {
    let server = FakeServer::start_with_login();
    for protocol in ["text", "resp"] {
        let bench = ["bench", "--requests", "20", "--clients", "3", "--protocol", protocol, "--user", USER];
        server.cli().args(bench).env("RUSTVAULT_PASSWORD", PASSWORD).assert().code(0);
        let (code, said) = failure(server.cli().args(bench).env("RUSTVAULT_PASSWORD", "wr0ng"));
        assert_eq!(code, 1);
        assert!(
            said.contains("cannot make a connection ready") && said.contains("invalid username"),
            "{said}"
        );
    }
}

/// Puts TLS before a server, until the test's process ends; writes the CA to `ca`, and returns the port.
fn put_tls_before(server: &str, ca: &Path) -> u16 {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(ca, issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let cert = params.signed_by(&key, &issuer).unwrap().der().clone();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = server.parse().unwrap();
    thread::spawn(move || runtime.block_on(relay(listener, acceptor, server)));
    port
}

async fn relay(listener: TcpListener, acceptor: TlsAcceptor, server: SocketAddr) {
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let mut server = TcpStream::connect(server).await.unwrap();
            // Clients do not say goodbye.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

#[test]
fn tls_is_chosen_by_an_option_or_the_address_and_trusts_the_ca_that_is_given() {
    let (server, folder) = (FakeServer::start_with_login(), TempDir::new().unwrap());
    let ca = folder.path().join("ca.pem");
    let port = put_tls_before(&server.addr(), &ca);
    let ca = ca.display().to_string();
    let logged_in = || {
        let mut command = cli();
        command.env("RUSTVAULT_USER", USER).env("RUSTVAULT_PASSWORD", PASSWORD);
        command
    };
    let (addr, url) = (format!("localhost:{port}"), format!("rustvaults://127.0.0.1:{port}"));
    for options in [vec!["--addr", &addr, "--tls", "--ca", &ca], vec!["--addr", &url, "--ca", &ca]] {
        logged_in().args(&options).arg("ping").assert().code(0).stdout("PONG\n");
        let bench =
            ["bench", "--requests", "300", "--clients", "5", "--pipeline", "20", "--value-bytes", "64KiB"];
        logged_in().args(&options).args(bench).assert().code(0);
    }
    let other = folder.path().join("other.pem");
    put_tls_before(&server.addr(), &other);
    for command in [&["ping"][..], &["bench", "--requests", "1"]] {
        let (code, said) = failure(logged_in().args(["--addr", &url, "--ca"]).arg(&other).args(command));
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("(ca_file, or --ca)"), "{said}");
    }
    let (code, said) = failure(logged_in().args(["--addr", &url, "--ca", "/nowhere/ca.pem", "ping"]));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("cannot read /nowhere/ca.pem"), "{said}");
}
