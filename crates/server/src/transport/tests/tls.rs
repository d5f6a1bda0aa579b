//! TLS, with real sockets, through moves between threads and a graceful stop: no byte is lost.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use fastrand::Rng;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use rustvault_testkit::{Socket, Wire, until};

use super::{RestlessServer, WatchedStore, command, commands, count_answers, reading, storing, tcp, unix};
use crate::TlsConfig;
use crate::server::DRAIN_LIMIT;
use crate::tls::{LoadedTls, load};

/// Files of a server's TLS, loaded, and settings of a client that trusts them.
fn tls() -> (LoadedTls, Arc<ClientConfig>) {
    let folder = tempfile::tempdir().unwrap();
    let (cert_path, key_path) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(&cert_path, cert.pem()).unwrap();
    std::fs::write(&key_path, key.serialize_pem()).unwrap();
    let config = TlsConfig {
        bind_addrs: vec!["localhost:0".to_owned()],
        cert: Some(cert_path),
        key: Some(key_path),
        ..TlsConfig::default()
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(cert.der().to_vec())).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (load(&config).unwrap().unwrap(), Arc::new(client))
}

type Client = StreamOwned<ClientConnection, Socket>;

/// Does a handshake whose bytes are sent one by one.
fn shake_hands(mut socket: Socket, config: &Arc<ClientConfig>) -> Client {
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
    while session.is_handshaking() {
        send_byte_by_byte(&mut session, &mut socket);
        if session.is_handshaking() {
            session.read_tls(&mut socket).unwrap();
            session.process_new_packets().unwrap();
        }
    }
    send_byte_by_byte(&mut session, &mut socket);
    StreamOwned::new(session, socket)
}

fn send_byte_by_byte(session: &mut ClientConnection, socket: &mut Socket) {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes).unwrap();
    }
    bytes.iter().for_each(|byte| socket.write_all(&[*byte]).unwrap());
}

/// Sends commands in records that ignore where commands end, and reads their answers, as often as that.
fn converse(mut stream: Client, client: u8, rounds: usize) {
    let (mut rng, mut number) = (Rng::with_seed(client.into()), 0);
    for _ in 0..rounds {
        let count = *rng.choice(&[1, 2, 30, 150]).unwrap();
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        for number in number..number + count {
            let (command, answer) = command(client, number);
            sent.extend(command);
            expected.extend(answer);
        }
        number += count;
        // The server has to answer with keys of its own before its next record.
        stream.conn.refresh_traffic_keys().unwrap();
        for piece in sent.chunks(rng.usize(1..40_000)) {
            stream.write_all(piece).unwrap();
            stream.flush().unwrap();
        }
        let mut came = vec![0; expected.len()];
        stream.read_exact(&mut came).unwrap();
        assert!(came == expected, "an answer before command {number} is another");
    }
}

#[test]
fn no_byte_is_lost_while_connections_over_tls_move_between_threads() {
    let (store, (loaded, config)) = (WatchedStore::new(), tls());
    let (listen, addr) = tcp();
    let server = RestlessServer::start_with_tls(listen, store.clone(), loaded);
    let clients: Vec<_> = (b'a'..b'e')
        .map(|client| {
            let (config, store) = (Arc::clone(&config), store.clone());
            thread::spawn(move || {
                let stream = shake_hands(Wire::connect(addr).into_socket(), &config);
                converse(stream, client, 100);
                let moves = store.moves_of(client);
                println!("client {client} moved {moves} times");
                assert!(moves >= 5, "{moves} moves");
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert!(server.stop() < DRAIN_LIMIT);
}

/// Stops a server whose thread is held up meanwhile, and which has received this by then; returns the answers.
fn stop_with_received(sent: &[u8], cut_off_bytes: usize) -> io::Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.sock");
    let (store, (loaded, config)) = (WatchedStore::new(), tls());
    let server = RestlessServer::start_with_tls(unix(&path), store.clone(), loaded);
    let StreamOwned { conn: mut session, sock: mut socket } =
        shake_hands(Wire::connect_unix(&path).into_socket(), &config);

    let held = store.hold();
    let mut bytes = Vec::new();
    session.writer().write_all(&reading(b"held")).unwrap();
    session.write_tls(&mut bytes).unwrap();
    socket.write_all(&bytes).unwrap();
    until("its thread is held up", || store.is_held.load(Ordering::Relaxed));
    bytes.clear();
    session.set_buffer_limit(None);
    session.writer().write_all(sent).unwrap();
    while session.wants_write() {
        session.write_tls(&mut bytes).unwrap();
    }
    // The system has it all when this returns: a Unix socket has one buffer for both ends.
    socket.write_all(&bytes[..bytes.len() - cut_off_bytes]).unwrap();
    server.begin_stop();
    drop(held);
    let mut answers = Vec::new();
    let mut stream = StreamOwned::new(session, socket);
    let end = stream.read_to_end(&mut answers);
    drop(stream);
    let stop = server.stop();
    assert!(stop < DRAIN_LIMIT, "{stop:?}");
    end?;
    Ok(answers.strip_prefix(b"$-1\r\n").expect("the answer to the first").to_vec())
}

#[test]
fn a_stop_answers_whole_records_and_announces_the_end_without_the_rest_of_one() {
    let unfinished = storing(b"k", &[b'x'; 40_000]);
    let answers = stop_with_received(&[commands(21), unfinished].concat(), 2_000).unwrap();
    assert_eq!(count_answers(b'a', &answers), 21);
}

/// Does a handshake whose last bytes leave together with a request and, if that is wanted, the announcement of the end.
fn request_in_the_last_bytes_of_a_handshake(addr: &std::path::Path, config: &Arc<ClientConfig>) -> Client {
    let mut socket = Wire::connect_unix(addr).into_socket();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
    send_byte_by_byte(&mut session, &mut socket);
    while session.is_handshaking() {
        session.read_tls(&mut socket).unwrap();
        session.process_new_packets().unwrap();
    }
    session.writer().write_all(&commands(3)).unwrap();
    session.send_close_notify();
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes).unwrap();
    }
    socket.write_all(&bytes).unwrap();
    StreamOwned::new(session, socket)
}

/// Ends its direction as `openssl s_client` does, whose input is a file.
#[test]
fn whoever_ends_its_direction_right_behind_the_handshake_is_answered_and_told_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.sock");
    let (loaded, config) = tls();
    let server = RestlessServer::start_with_tls(unix(&path), WatchedStore::new(), loaded);
    let mut stream = request_in_the_last_bytes_of_a_handshake(&path, &config);
    let mut answers = Vec::new();
    // An end that is not announced is an error.
    stream.read_to_end(&mut answers).unwrap();
    assert_eq!(count_answers(b'a', &answers), 3);
    server.stop();
}

/// Nothing of a request has come, but memory is held for it.
#[test]
fn a_record_that_does_not_end_is_a_request_that_does_not_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.sock");
    let (loaded, config) = tls();
    let server =
        RestlessServer::start_with_request_timeout(unix(&path), loaded, std::time::Duration::from_secs(1));
    let mut stream = shake_hands(Wire::connect_unix(&path).into_socket(), &config);
    stream.sock.write_all(&[0x17, 3, 3, 0x40, 0, 1]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("--request-timeout"), "{answer}");
    server.stop();
}
