//! Addresses beyond loopback, which are served without users only if that is meant: those of a container are among them.

use std::net::SocketAddr;

use crate::tls::ClientAuth;
use crate::{ConfigError, ServerConfig};

/// Addresses of TCP that a server listens on, with their real ports.
#[derive(Debug, Clone, Default)]
pub(crate) struct TcpAddrs {
    pub(crate) plain: Box<[SocketAddr]>,
    pub(crate) tls: Box<[SocketAddr]>,
    /// Addresses of HTTP.
    pub(crate) http: Box<[SocketAddr]>,
    /// Addresses of HTTP over TLS.
    pub(crate) tls_http: Box<[SocketAddr]>,
}

impl TcpAddrs {
    /// Refuses an address beyond loopback where nobody has to log in, at the start and at every reload.
    ///
    /// # Errors
    /// [`ConfigError::PublicWithoutUsers`].
    pub(crate) fn check(&self, has_users: bool, config: &ServerConfig) -> Result<(), ConfigError> {
        if has_users || config.allow_unauthenticated {
            return Ok(());
        }
        if let Some(addr) = self.public(config).next() {
            return Err(ConfigError::PublicWithoutUsers { addr: *addr });
        }
        match self.public_http(config).next() {
            Some(addr) => Err(ConfigError::PublicHttpWithoutUsers { addr: *addr }),
            None => Ok(()),
        }
    }

    /// Returns the addresses beyond loopback at which no certificate of a client is required.
    pub(crate) fn public(&self, config: &ServerConfig) -> impl Iterator<Item = &SocketAddr> {
        public(&self.plain, &self.tls, config)
    }

    /// Returns the addresses of HTTP beyond loopback at which no certificate of a client is required.
    pub(crate) fn public_http(&self, config: &ServerConfig) -> impl Iterator<Item = &SocketAddr> {
        public(&self.http, &self.tls_http, config)
    }
}

fn public<'a>(
    plain: &'a [SocketAddr],
    tls: &'a [SocketAddr],
    config: &ServerConfig,
) -> impl Iterator<Item = &'a SocketAddr> + use<'a> {
    let is_open = config.tls.client_auth != ClientAuth::Required;
    let open = plain.iter().chain(tls.iter().filter(move |_| is_open));
    open.filter(|addr| !addr.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_anybody_reaches_need_users() {
        let addrs = |plain: &str, tls: &str| TcpAddrs {
            plain: Box::new([plain.parse().unwrap()]),
            tls: Box::new([tls.parse().unwrap()]),
            ..TcpAddrs::default()
        };
        let (local, public) = ("127.0.0.1:1", "10.0.0.1:1");
        let mut config = ServerConfig::default();
        assert_eq!(addrs(local, "[::1]:1").check(false, &config), Ok(()));
        assert_eq!(addrs("[::ffff:127.0.0.1]:1", local).check(false, &config), Ok(()));
        assert!(addrs(public, local).check(false, &config).is_err());
        assert!(addrs(local, public).check(false, &config).is_err());
        assert_eq!(addrs(public, public).check(true, &config), Ok(()));
        let http = |plain: &str, tls: &str| {
            let TcpAddrs { plain: http, tls: tls_http, .. } = addrs(plain, tls);
            TcpAddrs { http, tls_http, ..addrs(local, local) }
        };
        assert_eq!(http(local, local).check(false, &config), Ok(()));
        for addrs in [http(public, local), http(local, public)] {
            assert_eq!(addrs.check(false, &config).unwrap_err().to_string().split(' ').nth(6), Some("the"));
            assert_eq!(addrs.check(true, &config), Ok(()));
        }
        config.tls.client_auth = ClientAuth::Required;
        assert_eq!(http(local, public).check(false, &config), Ok(()));
        assert_eq!(addrs(local, public).check(false, &config), Ok(()));
        assert!(addrs(public, public).check(false, &config).is_err());
        config.allow_unauthenticated = true;
        assert_eq!(addrs(public, public).check(false, &config), Ok(()));
    }
}
