//! The client over TLS: whom it trusts, and what it says of a server that it does not.

use std::fs;
use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustvault_client::{Client, Commands, Error, Options, TlsOptions, blocking};
use rustvault_protocol::ErrorCode;
use tokio_rustls::TlsAcceptor;

use crate::support::{FakeServer, Peer, Reply, get, greeting, hello, patient, request, text, value};

/// An authority that signs certificates for the test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
struct Pair {
    cert: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap().pem();
        Pair { cert, key: key.serialize_pem() }
    }

    fn server(&self, name: &str) -> Pair {
        self.sign(name, |_| ())
    }

    fn client(&self, name: &str) -> Pair {
        self.sign(name, |params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth))
    }

    fn trusted(&self) -> TlsOptions {
        TlsOptions::new().ca_pem(self.pem())
    }
}

fn acceptor(pair: &Pair, client_ca: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let cert = CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![cert], key).unwrap()))
}

/// The next connection, over TLS.
async fn accept(server: &FakeServer, tls: &TlsAcceptor) -> io::Result<Peer> {
    tls.accept(server.accept_tcp().await).await.map(Peer::new)
}

/// The next connection, over TLS, with its greeting answered.
async fn greet(server: &FakeServer, tls: &TlsAcceptor) -> Peer {
    let mut peer = accept(server, tls).await.unwrap();
    peer.answer(hello(), greeting()).await;
    peer
}

fn url(server: &FakeServer) -> String {
    let (_, port) = server.addr.rsplit_once(':').unwrap();
    format!("rustvaults://localhost:{port}")
}

/// Why a client did not connect to a server with this certificate.
async fn refusal(pair: &Pair, client_ca: Option<&Authority>, options: TlsOptions) -> Error {
    let server = FakeServer::start().await;
    let tls = acceptor(pair, client_ca);
    let (client, ()) = tokio::join!(Client::connect_with(url(&server), patient().tls(options)), async {
        if let Ok(mut peer) = accept(&server, &tls).await {
            assert_eq!(peer.recv().await, None, "nothing is asked");
        }
    });
    client.expect_err("the connection is refused")
}

#[tokio::test]
async fn values_longer_than_a_sockets_buffer_go_both_ways_over_tls() {
    let ca = Authority::new("CA");
    let tls = acceptor(&ca.server("localhost"), None);
    let server = FakeServer::start().await;
    let options = patient().tls(ca.trusted()).one_connection(true);
    let (client, mut peer) = tokio::join!(Client::connect_with(url(&server), options), greet(&server, &tls));
    let client = client.unwrap();
    let large = vec![b'v'; 8 * 1024 * 1024];
    let (written, read, ()) = tokio::join!(client.set("k", &large), client.get("k"), async {
        peer.answer(request(rustvault_protocol::Command::Set, [b"k".to_vec(), large.clone()]), Reply::OK)
            .await;
        peer.answer(get("k"), value(large.clone())).await;
    });
    written.unwrap();
    assert!(read.unwrap().unwrap() == large);
    // A lost connection is made anew, and reads are asked once more.
    let (read, ()) = tokio::join!(client.get("k"), async {
        peer.expect(get("k")).await;
        drop(peer);
        greet(&server, &tls).await.answer(get("k"), value("v")).await;
    });
    assert_eq!(text(read).as_deref(), Some("v"));
}

#[tokio::test]
async fn a_certificate_that_is_not_right_is_refused_with_what_to_do() {
    let (ca, other) = (Authority::new("CA"), Authority::new("other"));
    let expired = ca.sign("localhost", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let later = ca.sign("localhost", |params| params.not_before = date_time_ymd(4000, 1, 1));
    let own = Pair { cert: ca.pem(), key: ca.0.key().serialize_pem() };
    for (pair, options, said) in [
        (ca.server("localhost"), other.trusted(), "give the certificate of its CA (ca_file, or --ca)"),
        (ca.server("db.internal"), ca.trusted(), "set that (server_name, or --server-name)"),
        (ca.server("localhost"), ca.trusted().server_name("db.internal"), "db.internal"),
        (expired, ca.trusted(), "the server's certificate has expired"),
        (later, ca.trusted(), "is not valid yet"),
        (own, ca.trusted(), "make one for the server"),
    ] {
        let error = refusal(&pair, None, options).await;
        assert!(error.to_string().contains("over TLS") && error.to_string().contains(said), "{error}");
        assert!(error.is_not_connected() && !error.is_retryable() && !error.is_timeout(), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_taken_if_that_is_the_name_to_expect() {
    let ca = Authority::new("CA");
    let tls = acceptor(&ca.server("db.internal"), None);
    let server = FakeServer::start().await;
    let options = patient().tls(ca.trusted().server_name("db.internal"));
    let (client, _) = tokio::join!(Client::connect_with(&server.addr, options), greet(&server, &tls));
    client.unwrap();
}

#[tokio::test]
async fn a_client_shows_its_own_certificate_where_the_server_wants_one() {
    let (ca, other) = (Authority::new("CA"), Authority::new("other"));
    let pair = ca.server("localhost");
    let error = refusal(&pair, Some(&ca), ca.trusted()).await;
    assert!(error.to_string().contains("(cert_file and key_file, or --cert and --key)"), "{error}");
    let foreign = other.client("app");
    let error = refusal(&pair, Some(&ca), ca.trusted().cert_pem(foreign.cert, foreign.key)).await;
    assert!(error.to_string().contains("does not accept the client's certificate"), "{error}");

    let own = ca.client("app");
    let server = FakeServer::start().await;
    let tls = acceptor(&pair, Some(&ca));
    let options = patient().tls(ca.trusted().cert_pem(own.cert, own.key));
    let (client, mut peer) = tokio::join!(Client::connect_with(url(&server), options), greet(&server, &tls));
    let (read, ()) = tokio::join!(client.as_ref().unwrap().get("k"), peer.answer(get("k"), value("v")));
    assert_eq!(text(read).as_deref(), Some("v"));
}

#[tokio::test]
async fn files_are_read_anew_for_each_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let path = |name: &str| folder.path().join(name);
    let write = |ca: &Authority| {
        let own = ca.client("app");
        fs::write(path("ca.pem"), ca.pem()).unwrap();
        fs::write(path("cert.pem"), own.cert).unwrap();
        fs::write(path("key.pem"), own.key).unwrap();
    };
    write(&first);
    let server = FakeServer::start().await;
    let url = format!(
        "{}?ca_file={}&cert_file={}&key_file={}",
        url(&server),
        path("ca.pem").display(),
        path("cert.pem").display(),
        path("key.pem").display()
    );
    let tls = acceptor(&first.server("localhost"), Some(&first));
    let options = patient().one_connection(true);
    let (client, peer) = tokio::join!(Client::connect_with(url, options), greet(&server, &tls));
    let client = client.unwrap();
    write(&second);
    drop(peer);
    let tls = acceptor(&second.server("localhost"), Some(&second));
    let (read, ()) = tokio::join!(client.get("k"), async {
        greet(&server, &tls).await.answer(get("k"), value("v")).await
    });
    assert_eq!(text(read).as_deref(), Some("v"));
}

#[tokio::test]
async fn files_that_are_no_use_are_named_before_anything_is_sent() {
    let (ca, server) = (Authority::new("CA"), FakeServer::start().await);
    let (own, other) = (ca.client("app"), ca.client("app"));
    for (options, said) in [
        (TlsOptions::new().ca_file("/nowhere/ca.pem"), "cannot read /nowhere/ca.pem"),
        (TlsOptions::new().ca_pem("hello"), "the CA's certificate: no certificate in PEM is there"),
        (ca.trusted().cert_pem(own.cert.clone(), other.key), "do not belong together"),
        (ca.trusted().cert_pem(own.key, own.cert), "no certificate in PEM is there"),
    ] {
        let shown = format!("{options:?}");
        assert!(!shown.contains("BEGIN"), "{shown}");
        let error = Client::connect_with(url(&server), patient().tls(options)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("TLS cannot be set up") && text.contains(said), "{text}");
        assert!(!error.is_retryable());
    }
    assert!(!server.has_new_connection());
}

#[tokio::test]
async fn a_port_that_speaks_the_other_way_is_recognised() {
    let ca = Authority::new("CA");
    // TLS to the plain port, which answers as a server does to what it cannot read.
    let server = FakeServer::start().await;
    let (client, ()) = tokio::join!(Client::connect_with(url(&server), patient().tls(ca.trusted())), async {
        let mut peer = server.accept_raw().await;
        peer.recv_raw(1).await;
        peer.send(Reply::error(ErrorCode::Syntax, "that is TLS")).await;
    });
    let error = client.unwrap_err();
    assert!(error.to_string().contains("what came is not TLS: is this the plain port?"), "{error}");

    // And one that says nothing.
    let (client, ()) = tokio::join!(Client::connect_with(url(&server), patient().tls(ca.trusted())), async {
        server.accept_raw().await.recv_raw(1).await;
    });
    let error = client.unwrap_err();
    assert!(error.to_string().contains("during the TLS handshake; does this port speak TLS?"), "{error}");
    assert!(error.is_not_connected() && error.is_retryable());

    let tls = acceptor(&ca.server("localhost"), None);
    let (client, peer) = tokio::join!(Client::connect(&server.addr), accept(&server, &tls));
    assert!(peer.is_err());
    let error = client.unwrap_err();
    assert!(error.to_string().contains("the port speaks TLS: write rustvaults://"), "{error}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up_after_the_connect_timeout() {
    let ca = Authority::new("CA");
    let server = FakeServer::start().await;
    let options = Options::new().connect_timeout(std::time::Duration::from_millis(50)).tls(ca.trusted());
    let (client, _held) = tokio::join!(Client::connect_with(url(&server), options), server.accept_tcp());
    let error = client.unwrap_err();
    assert!(error.is_timeout() && error.is_not_connected(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_blocking_client_speaks_tls_and_logs_in() {
    let ca = Authority::new("CA");
    let tls = acceptor(&ca.server("localhost"), None);
    let server = FakeServer::start().await;
    let options = patient().tls(ca.trusted()).user("app").password("s3cret").one_connection(true);
    let url = url(&server);
    let asking = tokio::task::spawn_blocking(move || blocking::Client::connect_with(url, options)?.get("k"));
    let mut peer = accept(&server, &tls).await.unwrap();
    let hello = request(rustvault_protocol::Command::Hello, ["3", "AUTH", "app", "s3cret"]);
    peer.answer(hello, greeting()).await;
    peer.answer(get("k"), value("v")).await;
    assert_eq!(text(asking.await.unwrap()).as_deref(), Some("v"));
}
