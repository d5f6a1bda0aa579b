//! Configuration of TLS, its defaults and its limits.

use std::path::PathBuf;
use std::time::Duration;

/// Default of `handshake_timeout`.
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest accepted `handshake_timeout`.
pub const MAX_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Default of `max_handshakes`. Each takes about a quarter of a millisecond of a core with an ECDSA key, and about a millisecond with
/// an RSA key: so many at once keep other clients waiting for a fraction of a second.
pub const DEFAULT_MAX_HANDSHAKES: usize = 256;

/// Highest accepted `max_handshakes`.
pub const MAX_HANDSHAKES_LIMIT: usize = 65_536;

/// Settings of TLS. Without addresses to listen on there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsConfig {
    /// Addresses to listen on with TLS, each `host:port`, beside those without; none by default.
    pub bind_addrs: Vec<String>,
    /// Addresses of HTTP over TLS, each `host:port`; none by default.
    pub http_addrs: Vec<String>,
    /// Path of the server's certificate and its intermediate ones, in PEM; the server's own is the first.
    pub cert: Option<PathBuf>,
    /// Path of the private key of that certificate, in PEM: PKCS#8, PKCS#1 or SEC1, without a passphrase.
    pub key: Option<PathBuf>,
    /// Path of the certificates, in PEM, of the authorities that issue client certificates.
    pub client_ca: Option<PathBuf>,
    /// Demand for client certificates; [`ClientAuth::Off`] by default.
    pub client_auth: ClientAuth,
    /// Source of a user's name in a client certificate; [`ClientCertUser::Off`] by default.
    pub client_cert_user: ClientCertUser,
    /// Oldest version of TLS that is spoken; [`MinTlsVersion::V1_2`] by default.
    pub min_version: MinTlsVersion,
    /// Time in which a client must end its handshake, 1 s to [`MAX_HANDSHAKE_TIMEOUT`]; [`DEFAULT_HANDSHAKE_TIMEOUT`] by
    /// default.
    pub handshake_timeout: Duration,
    /// Most handshakes at a time, 1 to [`MAX_HANDSHAKES_LIMIT`]; further clients wait to be accepted.
    /// [`DEFAULT_MAX_HANDSHAKES`] by default.
    pub max_handshakes: usize,
}

impl TlsConfig {
    /// Returns whether there is an address with TLS.
    pub(crate) fn is_on(&self) -> bool {
        !self.bind_addrs.is_empty() || !self.http_addrs.is_empty()
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            bind_addrs: Vec::new(),
            http_addrs: Vec::new(),
            cert: None,
            key: None,
            client_ca: None,
            client_auth: ClientAuth::default(),
            client_cert_user: ClientCertUser::default(),
            min_version: MinTlsVersion::default(),
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            max_handshakes: DEFAULT_MAX_HANDSHAKES,
        }
    }
}

/// Demand for certificates of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    Off,
    /// A client may show one; a wrong one ends the handshake.
    Optional,
    /// A client without one is refused.
    Required,
}

/// Source of a user's name in a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertUser {
    /// A certificate names no user.
    #[default]
    Off,
    /// The common name of its subject.
    CommonName,
}

/// Oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinTlsVersion {
    /// TLS 1.2, and 1.3.
    #[default]
    V1_2,
    /// TLS 1.3 alone.
    V1_3,
}
