//! TLS: whom a client trusts, by what certificate it is known itself, and the handshake.

mod explain;

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{Error, ErrorKind};
pub(crate) use explain::{is_tls_record, problem_of};

/// Settings of connections over TLS: whom to trust, and the client's own certificate.
///
/// Without settings, the authorities that the system trusts are trusted. A server's certificate is always checked.
///
/// ```
/// use rustvault_client::{Options, TlsOptions};
///
/// let tls = TlsOptions::new().ca_file("/etc/rustvault/ca.pem");
/// let options = Options::new().tls(tls);
/// ```
///
/// Files are read anew for each connection, so certificates can be exchanged while a program runs.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    ca: Option<PemSource>,
    cert: Option<PemSource>,
    key: Option<PemSource>,
    server_name: Option<String>,
}

impl TlsOptions {
    /// The defaults: the system's authorities, no certificate of the client's own, the name that stands in the address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in a PEM file, and not those of the system.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = Some(PemSource::File(path.into()));
        self
    }

    /// Trusts these certificates, in PEM, and not those of the system.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(PemSource::Bytes(pem.into()));
        self
    }

    /// Sets the PEM file of the client's certificate, followed by those between it and the authority. It needs a
    /// [key](Self::key_file).
    pub fn cert_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.cert = Some(PemSource::File(path.into()));
        self
    }

    /// Sets the PEM file of the key of the client's certificate.
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = Some(PemSource::File(path.into()));
        self
    }

    /// Sets the client's certificate, followed by those between it and the authority, and its key, both in PEM.
    pub fn cert_pem(mut self, cert: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.cert = Some(PemSource::Bytes(cert.into()));
        self.key = Some(PemSource::Bytes(key.into()));
        self
    }

    /// Sets the name, or IP address, that the server's certificate has to be for. Default: the host of the address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }
}

/// Source of something in PEM.
#[derive(Clone)]
enum PemSource {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl PemSource {
    fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::File(path) => {
                fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
            Self::Bytes(pem) => Ok(pem.clone()),
        }
    }
}

impl fmt::Debug for PemSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => fmt::Debug::fmt(path, f),
            // It may be a key.
            Self::Bytes(_) => f.write_str("…"),
        }
    }
}

/// Makes the TLS connections to one server, as a [`Client`](crate::Client) does: for programs that speak the protocol by
/// themselves, as load generators do.
pub struct TlsDialer {
    options: TlsOptions,
    server_name: ServerName<'static>,
    /// Settings that were loaded last. They are kept while the files are the same, and with them the sessions that can be resumed.
    loaded: Mutex<Option<(Material, Arc<ClientConfig>)>>,
}

/// Contents of the files.
#[derive(Clone, PartialEq, Eq)]
struct Material {
    ca: Option<Vec<u8>>,
    cert: Option<(Vec<u8>, Vec<u8>)>,
}

impl TlsDialer {
    /// Takes the settings for the server at `host:port`.
    ///
    /// # Errors
    /// They do not fit together, or no certificate can be for the host.
    pub fn new(options: TlsOptions, addr: &str) -> Result<Self, Error> {
        let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host);
        Self::of_host(options, host).map_err(|problem| ErrorKind::TlsSetup { problem }.into())
    }

    pub(crate) fn of_host(options: TlsOptions, host: &str) -> Result<Self, String> {
        if options.cert.is_some() != options.key.is_some() {
            return Err("a client's certificate and its key belong together: set both".to_owned());
        }
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = options.server_name.as_deref().unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned()).map_err(|_| {
            format!("'{}' is no name that a certificate can be for: set server_name", name.escape_debug())
        })?;
        Ok(Self { options, server_name, loaded: Mutex::new(None) })
    }

    /// Reads the files, unless that was done and they are the same.
    pub(crate) async fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>, Error> {
        let this = Arc::clone(self);
        let loaded = spawn_blocking(move || this.load()).await;
        let loaded = loaded.map_err(|error| error.to_string()).flatten();
        loaded.map_err(|problem| ErrorKind::TlsSetup { problem }.into())
    }

    /// Reads the files and does the handshake.
    ///
    /// # Errors
    /// A file cannot be used, or one side does not accept what the other one shows.
    pub async fn handshake(
        self: &Arc<Self>,
        tcp: TcpStream,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, Error> {
        let addr = tcp.peer_addr().map(|addr| addr.to_string()).unwrap_or_default();
        let config = self.config().await?;
        self.connect(config, tcp).await.map_err(|error| failed_handshake(addr, error))
    }

    /// Does the handshake.
    pub(crate) async fn connect(
        &self,
        config: Arc<ClientConfig>,
        tcp: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(config).connect(self.server_name.clone(), tcp).await
    }

    fn load(&self) -> Result<Arc<ClientConfig>, String> {
        let material = self.read()?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, config)) = &*loaded
            && *known == material
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(client_config(&material)?);
        *loaded = Some((material, Arc::clone(&config)));
        Ok(config)
    }

    fn read(&self) -> Result<Material, String> {
        let TlsOptions { ca, cert, key, .. } = &self.options;
        let ca = ca.as_ref().map(PemSource::read).transpose()?;
        let cert = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert.read()?, key.read()?)),
            _ => None,
        };
        Ok(Material { ca, cert })
    }
}

impl fmt::Debug for TlsDialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsDialer").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Returns why there is no connection, after a handshake that failed.
pub(crate) fn failed_handshake(addr: String, source: io::Error) -> Error {
    if let Some(problem) = problem_of(&source) {
        return ErrorKind::Tls { addr, problem, source }.into();
    }
    let during = format!("{source} during the TLS handshake; does this port speak TLS?");
    ErrorKind::Connect { addr, source: io::Error::new(source.kind(), during) }.into()
}

fn client_config(material: &Material) -> Result<ClientConfig, String> {
    let roots = match &material.ca {
        Some(pem) => given_roots(pem)?,
        None => system_roots()?,
    };
    // The provider is passed, not set for the whole program, which may have another one.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let Some((cert, key)) = &material.cert else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(cert, "the client's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "the key of the client's certificate: no private key in PEM is there".to_owned())?;
    builder.with_client_auth_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            "the client's certificate and key do not belong together: give the key of this certificate"
                .to_owned()
        }
        error => format!("the client's certificate cannot be used: {error}"),
    })
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "the CA's certificate")? {
        roots.add(certificate).map_err(|error| format!("the CA's certificate cannot be used: {error}"))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!(
            "this system has no certificates of authorities{reason}: install them (ca-certificates), or give the CA of the \
             server (ca_file, or --ca)"
        ));
    }
    Ok(roots)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("{what}: no certificate in PEM is there")),
        Err(error) => Err(format!("{what} is not well-formed PEM: {error}")),
    }
}
