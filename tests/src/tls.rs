//! TLS for tests: an authority with the certificates that it issues, and a client.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::PATIENCE;

/// An authority that issues certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, in PEM.
    pub cert: String,
    /// The key, in PEM.
    pub key: String,
    der: (Vec<u8>, Vec<u8>),
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// Makes one that nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "an authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Returns its certificate, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for this machine, whose subject has this common name.
    pub fn issue(&self, common_name: &str) -> Identity {
        self.issue_between(common_name, 2020, 2099)
    }

    /// Issues one that is valid from the beginning of one year to that of another.
    pub fn issue_between(&self, common_name: &str, from: i32, to: i32) -> Identity {
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        let der = (cert.der().to_vec(), key.serialize_der());
        Identity { cert: cert.pem(), key: key.serialize_pem(), der }
    }

    /// Returns settings of a client that trusts it, and shows a certificate if it has one.
    pub fn client(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        self.client_of(&[&TLS13, &TLS12], identity)
    }

    /// Returns settings of a client that speaks TLS 1.2 alone.
    pub fn client_of_tls_1_2(&self) -> Arc<ClientConfig> {
        self.client_of(&[&TLS12], None)
    }

    fn client_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        identity: Option<&Identity>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match identity {
            None => config.with_no_client_auth(),
            Some(Identity { der: (cert, key), .. }) => {
                let key = PrivateKeyDer::try_from(key.clone()).unwrap();
                config.with_client_auth_cert(vec![CertificateDer::from(cert.clone())], key).unwrap()
            }
        })
    }
}

impl Identity {
    /// Writes it as `cert.pem` and `key.pem`; each appears whole.
    pub fn write(&self, folder: &Path) {
        write_file(&folder.join("cert.pem"), &self.cert);
        write_file(&folder.join("key.pem"), &self.key);
    }
}

/// Writes a file that only its owner may read, and that appears whole.
pub fn write_file(path: &Path, content: &str) {
    let beside = PathBuf::from(format!("{}.new", path.display()));
    fs::write(&beside, content).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// A client over TLS.
#[derive(Debug)]
pub struct TlsWire(StreamOwned<ClientConnection, TcpStream>);

impl TlsWire {
    /// Connects, and does the handshake.
    ///
    /// # Errors
    /// The handshake fails. With TLS 1.3 the client's ends before the server has judged its certificate.
    pub fn connect(addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut socket = TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Self(StreamOwned::new(session, socket)))
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
        self.0.flush().unwrap();
    }

    /// Sends bytes in packets of one byte, as they are encrypted.
    #[track_caller]
    pub fn send_byte_by_byte(&mut self, bytes: &[u8]) {
        self.0.conn.writer().write_all(bytes).unwrap();
        let mut encrypted = Vec::new();
        while self.0.conn.wants_write() {
            self.0.conn.write_tls(&mut encrypted).unwrap();
        }
        for byte in encrypted {
            self.0.sock.write_all(&[byte]).unwrap();
        }
    }

    /// Reads exactly these bytes.
    #[track_caller]
    pub fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let mut came = vec![0; expected.len()];
        self.0.read_exact(&mut came).unwrap();
        assert!(came == expected, "{} came", came[..came.len().min(200)].escape_ascii());
    }

    /// Reads a line, with its end.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Sends bytes and reads exactly the answers.
    ///
    /// # Errors
    /// The connection ends.
    pub fn try_ask(&mut self, commands: &[u8], answers: &[u8]) -> io::Result<()> {
        self.0.write_all(commands)?;
        let mut came = vec![0; answers.len()];
        self.0.read_exact(&mut came)?;
        assert_eq!(came.escape_ascii().to_string(), answers.escape_ascii().to_string());
        Ok(())
    }

    /// Sends bytes and reads exactly the answers.
    #[track_caller]
    pub fn ask(&mut self, commands: impl AsRef<[u8]>, answers: impl AsRef<[u8]>) {
        self.send(commands);
        self.expect(answers);
    }

    /// Reads all that comes until the server announces its end.
    ///
    /// # Panics
    /// It ends without an announcement.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Returns the session, for what is missing here.
    pub fn session(&self) -> &ClientConnection {
        &self.0.conn
    }
}
