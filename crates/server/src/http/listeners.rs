//! Sockets that HTTP listens on. They are bound by the caller's runtime, and belong to that of HTTP afterwards.

use std::net::{SocketAddr, TcpListener};

use crate::listener::bind_tcp;
use crate::{Error, ServerConfig};

/// Sockets that HTTP listens on, with their real addresses.
#[derive(Debug, Default)]
pub(crate) struct HttpListeners(Vec<HttpListener>);

/// A socket that HTTP listens on.
#[derive(Debug)]
pub(super) struct HttpListener {
    pub(super) listener: TcpListener,
    pub(super) addr: SocketAddr,
    pub(super) has_tls: bool,
}

impl HttpListeners {
    /// Listens on the addresses of a configuration.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub(crate) async fn bind(config: &ServerConfig) -> Result<Self, Error> {
        let plain = config.http_addrs.iter().map(|addr| (addr, false));
        let mut listeners = Vec::new();
        for (addr, has_tls) in plain.chain(config.tls.http_addrs.iter().map(|addr| (addr, true))) {
            let (listener, addr) = bind_tcp(addr).await?;
            listeners.push(HttpListener { listener, addr, has_tls });
        }
        Ok(Self(listeners))
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the addresses, with TLS or without.
    pub(crate) fn addrs(&self, has_tls: bool) -> Box<[SocketAddr]> {
        self.0.iter().filter(|listener| listener.has_tls == has_tls).map(|listener| listener.addr).collect()
    }

    pub(super) fn into_vec(self) -> Vec<HttpListener> {
        self.0
    }
}
