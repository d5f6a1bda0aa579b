//! TLS: its files, its handshakes, and what all connections over it share.

mod accept;
mod certificate;
mod config;
mod error;
mod handshake;
mod load;
mod state;

pub(crate) use accept::accept_tls;
pub use config::{
    ClientAuth, ClientCertUser, DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_HANDSHAKES, MAX_HANDSHAKE_TIMEOUT,
    MAX_HANDSHAKES_LIMIT, MinTlsVersion, TlsConfig,
};
pub use error::{TlsError, TlsProblem};
pub(crate) use handshake::{EstablishedTls, shake_hands};
pub(crate) use load::{LoadedTls, load};
#[allow(unused_imports, reason = "the reload calls it every minute")]
pub(crate) use load::{TlsFingerprint, fingerprint};
pub(crate) use state::TlsState;
