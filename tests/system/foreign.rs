//! Clients that speak another protocol: what a browser can be made to send must never pass for commands.

use rustvault_tests::{Daemon, Launch, need, until};

/// What a page can make a browser send without asking: the method, and headers that a server finds in any order.
fn request(method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Sends it all at once; one answer comes, then the end, and nothing was stored.
#[track_caller]
fn assert_refused(daemon: &Daemon, sent: &[u8], code: &str) {
    let mut wire = daemon.wire();
    wire.send(sent);
    let rest = wire.rest();
    let shown = sent[..sent.len().min(60)].escape_ascii();
    assert!(rest.starts_with(&format!("ERROR {code} ")), "{shown}: {rest:?}");
    assert_eq!(rest.lines().count(), 1, "{shown}: {rest:?}");
    assert!(rest.contains("the connection is closed"), "{shown}: {rest:?}");
    daemon.wire().ask("COUNT\r\n", "VALUE 0\r\n");
}

#[test]
fn a_request_of_http_stores_nothing_whatever_its_method() {
    let daemon = Launch::new().start();
    let body = "SET pwned 1\r\nMSET a b\r\nQUIT\r\n";
    for method in ["POST", "PUT", "PATCH", "OPTIONS", "HEAD", "PRI", "post"] {
        assert_refused(&daemon, request(method, "/", body).as_bytes(), "UNKNOWN_COMMAND");
    }
    for method in ["GET", "DELETE", "get"] {
        assert_refused(&daemon, request(method, "/", body).as_bytes(), "SYNTAX");
        assert_refused(&daemon, request(method, "/SET%20a%20b?x=1", body).as_bytes(), "SYNTAX");
    }
    let mut wire = daemon.wire();
    until("all are counted", || wire.info_number("closed_foreign_protocol") == 13);
    let line = daemon.wait_for_line("another protocol");
    assert!(line.contains("WARN"), "{line}");
    daemon.stop();
}

#[test]
fn a_request_whose_first_line_is_a_command_ends_at_its_headers() {
    let daemon = Launch::new().start();
    // A page whose name leads to 127.0.0.1 may choose the method. The line is well formed, so it is carried out.
    let mut wire = daemon.wire();
    wire.send(request("SET", "/", "SET pwned 1\r\n"));
    let rest = wire.rest();
    assert!(rest.starts_with("OK\r\nERROR SYNTAX ") && rest.lines().count() == 2, "{rest:?}");
    daemon.wire().ask("COUNT\r\nGET /\r\n", "VALUE 1\r\nVALUE HTTP/1.1\r\n");
}

#[test]
fn later_lines_that_begin_as_http_end_the_connection_and_what_follows_is_not_carried_out() {
    let daemon = Launch::new().start();
    for line in ["POST / HTTP/1.1", "post", "Host: 127.0.0.1", "HOST:"] {
        let mut wire = daemon.wire();
        wire.ask("PING\r\nNONSENSE x\r\n", "PONG\r\nERROR UNKNOWN_COMMAND ");
        wire.line();
        wire.send(format!("{line}\r\nSET pwned 1\r\nPING\r\n"));
        let rest = wire.rest();
        assert!(rest.starts_with("ERROR SYNTAX ") && rest.lines().count() == 1, "{line}: {rest:?}");
    }
    daemon.wire().ask("COUNT\r\n", "VALUE 0\r\n");
}

#[test]
fn other_protocols_are_told_so_as_soon_as_their_first_bytes_are_there() {
    let daemon = Launch::new().start();
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for first in [&tls_hello[..], b"\0\0\0\x08\x04\xd2\x16\x2f", b"\xff\xfe", b"SSH-2.0-OpenSSH_9.9"] {
        assert_refused(&daemon, first, "UNKNOWN_COMMAND");
    }
    assert_refused(&daemon, b"EHLO example.org\r\nMAIL FROM:<a@example.org>\r\n", "UNKNOWN_COMMAND");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0SET pwned 1\r\n";
    assert_refused(&daemon, preface, "UNKNOWN_COMMAND");
    let mut rng = fastrand::Rng::with_seed(0x5eed);
    for _ in 0..200 {
        let mut bytes: Vec<u8> = (0..rng.usize(8..400)).map(|_| rng.u8(0x80..)).collect();
        bytes.extend_from_slice(b"\r\nSET pwned 1\r\n");
        assert_refused(&daemon, &bytes, "UNKNOWN_COMMAND");
    }
}

#[test]
fn no_command_of_ours_ends_a_connection_whatever_it_holds() {
    let daemon = Launch::new().start();
    for line in ["GET", "GET a b", "set k", "SCAN x", "COUNT x", "GET \"a", "DELETE  k"] {
        let mut wire = daemon.wire();
        wire.ask_error(format!("{line}\r\n"), "SYNTAX");
        wire.ask("PING\r\n", "PONG\r\n");
    }
    for line in ["SET / HTTP/1.1", "SET Host: POST / HTTP/1.1", "SET POST Host:", "SET k SET / HTTP/1.1"] {
        let mut wire = daemon.wire();
        wire.ask(format!("{line}\r\n{line}\r\n"), "OK\r\nOK\r\n");
    }
    let mut wire = daemon.wire();
    wire.ask_error("\r\n", "SYNTAX");
    wire.ask("GET Host:\r\n", "VALUE POST / HTTP/1.1\r\n");
    for line in ["PUT / HTTP/1.1", "GET / HTTP/1.1", "Hosts", "POSTS x", "Content-Length: 5"] {
        wire.send(format!("{line}\r\n"));
        assert!(wire.line().starts_with("ERROR "), "{line}");
    }
    wire.ask("PING\r\n", "PONG\r\n");
}

#[test]
fn resp_takes_post_and_host_for_http_as_redis_does() {
    let daemon = Launch::new().start();
    for name in ["POST", "host:"] {
        let mut wire = daemon.wire();
        wire.send(format!(
            "*1\r\n$4\r\nPING\r\n*2\r\n${}\r\n{name}\r\n$1\r\n/\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n",
            name.len()
        ));
        let rest = wire.rest();
        assert!(
            rest.starts_with("+PONG\r\n-ERR ") && rest.contains("HTTP") && rest.lines().count() == 2,
            "{rest:?}"
        );
    }
    let mut wire = daemon.wire();
    wire.ask("COUNT\r\n", "VALUE 0\r\n");
    until("both are counted", || wire.info_number("closed_foreign_protocol") == 2);
}

#[test]
fn curl_stores_nothing() {
    if !need("curl") {
        return;
    }
    let daemon = Launch::new().start();
    let url = format!("http://{}/", daemon.addr());
    for method in ["POST", "PUT", "GET"] {
        let body = ["--data-binary", "SET pwned 1\r\n", "-H", "Content-Type: text/plain"];
        let curl = std::process::Command::new("curl")
            .args(["-s", "--http0.9", "--max-time", "10", "-X", method])
            .args(body)
            .arg(&url)
            .output()
            .expect("it can be run");
        let said = String::from_utf8_lossy(&curl.stdout).into_owned();
        assert!(said.starts_with("ERROR ") && said.contains("the connection is closed"), "{said:?}");
    }
    daemon.wire().ask("COUNT\r\n", "VALUE 0\r\n");
}
