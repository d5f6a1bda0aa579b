//! Connections as other connections see them: listed, named, ended.

use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;

use rustvault_tests::{Daemon, Launch, Wire};

use crate::peer::Redis;

fn ask(peer: &mut Wire, line: &str) -> String {
    let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
    String::from_utf8(peer.call(&words)).expect("it is text")
}

/// Starts a daemon, and a client that has a name.
fn start(name: &str) -> (Daemon, Wire) {
    let daemon = Launch::new().start();
    let mut peer = daemon.wire();
    assert_eq!(ask(&mut peer, &format!("CLIENT SETNAME {name}")), "+OK\r\n");
    (daemon, peer)
}

#[test]
fn clients_are_listed_with_what_they_have_told() {
    let (daemon, mut peer) = start("reader");
    ask(&mut peer, "CLIENT SETINFO LIB-NAME my-lib");
    ask(&mut peer, "CLIENT SETINFO LIB-VER 1.2");
    let mut other = daemon.wire();
    let mut text = daemon.wire();
    text.ask("PING\r\n", "PONG\r\n");
    let list = ask(&mut other, "CLIENT LIST");
    let lines: Vec<_> = list.lines().filter(|line| line.starts_with("id=")).collect();
    let [reader, lister, typist] = &lines[..] else { panic!("{list}") };
    assert!(reader.contains(" name=reader ") && reader.contains(" cmd=client|setinfo "), "{reader}");
    assert!(reader.contains(" user=default redir=-1 resp=2 lib-name=my-lib lib-ver=1.2 "), "{reader}");
    assert!(lister.contains(" cmd=client|list "), "{lister}");
    assert!(typist.contains(" cmd=ping ") && typist.contains(" resp=0 "), "{typist}");
    drop(peer);
    let info = ask(&mut other, "CLIENT INFO");
    assert!(info.contains(" cmd=client|info "), "{info}");
    assert_eq!(ask(&mut other, "CLIENT LIST ID 999"), "$0\r\n\r\n");
    daemon.stop();
}

#[test]
fn a_killed_client_is_gone_and_its_killer_stays() {
    let (daemon, mut victim) = start("victim");
    let mut killer = daemon.wire();
    let id = ask(&mut victim, "CLIENT ID");
    let id = id.trim_matches([':', '\r', '\n']);
    assert_eq!(ask(&mut killer, &format!("CLIENT KILL ID {id}")), ":1\r\n");
    assert_eq!(victim.rest_or_reset(), b"");
    assert_eq!(ask(&mut killer, "CLIENT KILL 127.0.0.1:1"), "-ERR No such client\r\n");
    assert_eq!(ask(&mut killer, "CLIENT KILL TYPE normal"), ":0\r\n");
    // Whoever ends itself is told so first.
    assert_eq!(ask(&mut killer, "CLIENT KILL TYPE normal SKIPME no"), ":1\r\n");
    assert_eq!(killer.rest_or_reset(), b"");
    daemon.stop();
}

#[test]
fn a_client_that_does_not_read_is_killed_all_the_same() {
    let (daemon, mut victim) = start("victim");
    let value = "v".repeat(1024 * 1024);
    assert_eq!(ask(&mut victim, &format!("SET k {value}")), "+OK\r\n");
    victim.send(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(100));
    let mut killer = daemon.wire();
    // Once it is at its answers, which nobody takes.
    while !ask(&mut killer, "CLIENT LIST").contains(" name=victim ") || !is_answering(&mut killer) {}
    assert_eq!(ask(&mut killer, "CLIENT KILL TYPE normal"), ":1\r\n");
    while ask(&mut killer, "CLIENT LIST").contains(" name=victim ") {}
    let info = ask(&mut killer, "INFO rustvault");
    assert!(info.contains("closed_killed:1\r\n"), "{info}");
    daemon.stop();
}

#[test]
fn a_client_that_sends_without_a_pause_is_killed_all_the_same() {
    let daemon = Launch::new().start();
    let mut socket = TcpStream::connect(daemon.addr()).unwrap();
    let mut answers = socket.try_clone().unwrap();
    let reading = thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
    let sending = thread::spawn(move || {
        let pipeline = b"*1\r\n$4\r\nPING\r\n".repeat(10_000);
        while socket.write_all(&pipeline).is_ok() {}
    });
    let mut killer = daemon.wire();
    while !ask(&mut killer, "CLIENT LIST").contains(" cmd=ping ") {}
    assert_eq!(ask(&mut killer, "CLIENT KILL TYPE normal"), ":1\r\n");
    sending.join().unwrap();
    // What was answered before may have come, or may not.
    drop(reading.join().unwrap());
    daemon.stop();
}

/// Returns the names of the fields of a line.
fn field_names(info: &str) -> Vec<String> {
    let line = info.lines().find(|line| line.starts_with("id=")).expect("a line of a client");
    line.split(' ').filter_map(|field| Some(field.split_once('=')?.0.to_owned())).collect()
}

#[test]
fn a_clients_line_has_all_fields_of_redis_in_their_order() {
    let Some(redis) = Redis::start() else { return };
    let daemon = Launch::new().start();
    let theirs = field_names(&ask(&mut redis.wire(), "CLIENT INFO"));
    let mut ours = field_names(&ask(&mut daemon.wire(), "CLIENT INFO"));
    assert!(theirs.len() > 20, "{theirs:?}");
    ours.retain(|name| theirs.contains(name));
    assert_eq!(ours, theirs);
    daemon.stop();
}

fn is_answering(killer: &mut Wire) -> bool {
    ask(killer, "CLIENT LIST")
        .lines()
        .any(|line| line.contains(" name=victim ") && line.contains(" cmd=get "))
}
