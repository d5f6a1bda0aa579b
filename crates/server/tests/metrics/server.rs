//! A server with listeners of every kind.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::UNIX_EPOCH;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustvault_server::{Server, ServerConfig};
use rustvault_testkit::{PATIENCE, Wire, until};
use tokio::runtime::Builder;

use crate::scraped::Scraped;
use crate::talk::Door;

/// Most connections of the server.
pub(crate) const MAX_CONNECTIONS: usize = 20;

/// A server that runs.
pub(crate) struct RunningServer {
    folder: PathBuf,
    tcp: SocketAddr,
    tls: SocketAddr,
    http: SocketAddr,
    client: Arc<ClientConfig>,
    /// End of its certificate, in seconds since 1970.
    pub(crate) not_after: f64,
}

/// Runs a server as long as `work` takes.
pub(crate) fn with_server(work: impl FnOnce(&RunningServer) + Send) {
    with_configured_server(|_| (), work);
}

/// Runs a server whose configuration `configure` changes as long as `work` takes.
pub(crate) fn with_configured_server(
    configure: impl FnOnce(&mut ServerConfig),
    work: impl FnOnce(&RunningServer) + Send,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    std::fs::write(path("cert.pem"), cert.pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let mut config = ServerConfig::default();
    let any = || vec!["127.0.0.1:0".to_owned()];
    (config.bind_addrs, config.tls.bind_addrs, config.http_addrs) = (any(), any(), any());
    (config.tls.cert, config.tls.key) = (Some(path("cert.pem")), Some(path("key.pem")));
    (config.unix_socket, config.wal_path) = (Some(path("socket")), path("vault.log"));
    (config.threads, config.max_connections) = (2, MAX_CONNECTIONS);
    config.max_memory_bytes = Some(1 << 30);
    configure(&mut config);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::bind(config)).unwrap();
    let not_after = params.not_after;
    let running = RunningServer {
        folder: folder.path().to_owned(),
        tcp: server.local_addr(),
        tls: server.tls_addrs()[0],
        http: server.http_addrs()[0],
        client: client(cert.der()),
        not_after: std::time::SystemTime::from(not_after).duration_since(UNIX_EPOCH).unwrap().as_secs_f64(),
    };
    let (done, stop) = tokio::sync::oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            work(&running);
            drop(done);
        });
        runtime.block_on(server.run(async { drop(stop.await) })).unwrap();
    });
}

/// Returns the settings of a client that trusts this certificate.
fn client(cert: &CertificateDer<'_>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone().into_owned()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

impl RunningServer {
    pub(crate) fn tcp(&self) -> Door {
        Door::Tcp(self.tcp)
    }

    pub(crate) fn unix(&self) -> Door {
        Door::Unix(self.folder.join("socket"))
    }

    pub(crate) fn tls(&self) -> Door {
        Door::Tls(self.tls, Arc::clone(&self.client))
    }

    pub(crate) fn scrape(&self) -> Scraped {
        Scraped::of(self.http, "")
    }

    /// Scrapes as the user with this token.
    pub(crate) fn scrape_with(&self, token: &str) -> Scraped {
        Scraped::of(self.http, &format!("Authorization: Bearer {token}\r\n"))
    }

    /// Makes the next reload fail.
    pub(crate) fn spoil_certificate(&self) {
        std::fs::write(self.folder.join("cert.pem"), "no certificate").unwrap();
    }

    /// Sends something else than a handshake where TLS is spoken, and waits for the end of the connection.
    pub(crate) fn speak_no_tls(&self) {
        let mut socket = TcpStream::connect(self.tls).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"PING\r\n").unwrap();
        // Whatever comes, or a reset.
        let _ = socket.read_to_end(&mut Vec::new());
    }

    /// Opens connections until one is refused, beside one that is open, and closes them.
    pub(crate) fn fill_connections(&self) {
        until("one is open", || self.scrape().get("rustvault_connections") == 1.0);
        let mut wires: Vec<_> = (1..MAX_CONNECTIONS).map(|_| Wire::connect(self.tcp)).collect();
        wires.iter_mut().for_each(|wire| wire.ask("PING\r\n", "PONG\r\n"));
        let refused = Wire::connect(self.tcp).rest();
        assert!(refused.contains("TOO_MANY_CONNECTIONS"), "{refused}");
    }
}
