//! Checks of a configuration.

use std::collections::HashSet;
use std::time::Duration;

use super::{
    ConfigError, MAX_BIND_ADDRS, MAX_CONNECTIONS_LIMIT, MAX_IDLE_TIMEOUT, MAX_RESERVED_DESCRIPTORS,
    MAX_SLOW_LOG_ENTRIES, MAX_TCP_KEEPALIVE, MAX_THREADS, MAX_VALUE_BYTES_LIMIT, ServerConfig,
};
use crate::tls::{ClientAuth, ClientCertUser, MAX_HANDSHAKE_TIMEOUT, MAX_HANDSHAKES_LIMIT, TlsConfig};

impl ServerConfig {
    /// Checks every field, as [`Server::bind`](crate::Server::bind) and [`serve`](crate::serve) do.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let commands = || self.bind_addrs.iter().chain(&self.tls.bind_addrs);
        let http = || self.http_addrs.iter().chain(&self.tls.http_addrs);
        let addrs = || commands().chain(http());
        check_range("bind_addrs", commands().count(), MAX_BIND_ADDRS)?;
        // None is as good.
        check_range("http_addrs", http().count().max(1), MAX_BIND_ADDRS)?;
        addrs().try_for_each(|addr| check_bind_addr(addr))?;
        check_repeated_addrs(addrs())?;
        check_tls(&self.tls)?;
        check_range("max_connections", self.max_connections, MAX_CONNECTIONS_LIMIT)?;
        check_range("max_value_bytes", self.max_value_bytes, MAX_VALUE_BYTES_LIMIT)?;
        check_range("max_output_bytes", self.max_output_bytes, usize::MAX)?;
        check_range("threads", self.threads, MAX_THREADS)?;
        check_seconds("tcp_keepalive", self.tcp_keepalive, MAX_TCP_KEEPALIVE)?;
        check_seconds("idle_timeout", self.idle_timeout, MAX_IDLE_TIMEOUT)?;
        check_seconds("request_timeout", self.request_timeout, MAX_IDLE_TIMEOUT)?;
        check_range("slow_log_entries", self.slow_log_entries, MAX_SLOW_LOG_ENTRIES)?;
        check_range("reserved_descriptors", self.reserved_descriptors, MAX_RESERVED_DESCRIPTORS)?;
        check_max_buffer(self.max_buffer_bytes, self.max_value_bytes)?;
        check_compact_ratio(self.compact_ratio)?;
        check_max_memory(self.max_memory_bytes)
    }
}

fn check_bind_addr(addr: &str) -> Result<(), ConfigError> {
    let is_host_and_port =
        addr.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_host_and_port { Ok(()) } else { Err(ConfigError::BindAddr { addr: addr.to_owned() }) }
}

/// Refuses repeated addresses. Binding the second one would report a port in use, as if by another program.
fn check_repeated_addrs<'a>(addrs: impl Iterator<Item = &'a String>) -> Result<(), ConfigError> {
    let mut earlier = HashSet::new();
    let has_port = |addr: &&String| !addr.ends_with(":0");
    match addrs.filter(has_port).find(|addr| !earlier.insert(addr.as_str())) {
        Some(addr) => Err(ConfigError::RepeatedBindAddr { addr: addr.clone() }),
        None => Ok(()),
    }
}

fn check_range(field: &'static str, value: usize, max: usize) -> Result<(), ConfigError> {
    if (1..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { field, value, max }) }
}

fn check_seconds(field: &'static str, value: Option<Duration>, max: Duration) -> Result<(), ConfigError> {
    match value.filter(|value| !(Duration::from_secs(1)..=max).contains(value)) {
        Some(value) => Err(ConfigError::DurationOutOfRange { field, value, max }),
        None => Ok(()),
    }
}

fn check_compact_ratio(ratio: f64) -> Result<(), ConfigError> {
    if ratio.is_finite() && ratio > 1.0 { Ok(()) } else { Err(ConfigError::CompactRatio { ratio }) }
}

fn check_max_memory(max_memory_bytes: Option<u64>) -> Result<(), ConfigError> {
    if max_memory_bytes == Some(0) { Err(ConfigError::NoMemory) } else { Ok(()) }
}

/// Refuses a limit at which a client that is alone could not store the longest value.
fn check_max_buffer(value: usize, max_value_bytes: usize) -> Result<(), ConfigError> {
    let min = max_value_bytes.saturating_mul(2);
    if value >= min { Ok(()) } else { Err(ConfigError::BufferBytes { value, min }) }
}

fn check_tls(tls: &TlsConfig) -> Result<(), ConfigError> {
    check_seconds("tls.handshake-timeout", Some(tls.handshake_timeout), MAX_HANDSHAKE_TIMEOUT)?;
    check_range("tls.max-handshakes", tls.max_handshakes, MAX_HANDSHAKES_LIMIT)?;
    let (is_on, has_pair) = (tls.is_on(), tls.cert.is_some() && tls.key.is_some());
    let reason = if is_on && !has_pair {
        "tls.bind and tls.http need a certificate and its key: set tls.cert and tls.key"
    } else if !is_on && (tls.cert.is_some() || tls.key.is_some()) {
        "tls.cert and tls.key have no use without an address: set tls.bind, for example to 127.0.0.1:8443, or tls.http"
    } else if tls.client_auth != ClientAuth::Off && tls.client_ca.is_none() {
        "tls.client-auth needs the authority that issues the clients' certificates: set tls.client-ca"
    } else if tls.client_auth == ClientAuth::Off && tls.client_cert_user != ClientCertUser::Off {
        "tls.client-cert-user needs client certificates: set tls.client-auth to optional or required"
    } else {
        return Ok(());
    };
    Err(ConfigError::Tls { reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DEFAULT_MAX_BUFFER_BYTES;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(ServerConfig::default().validate(), Ok(()));
    }

    #[test]
    fn addresses_without_host_or_port_are_refused() {
        for addr in ["", "8080", ":8080", "localhost", "localhost:", "localhost:65536", "localhost:http"] {
            assert!(check_bind_addr(addr).is_err(), "{addr}");
        }
        for addr in ["localhost:8080", "0.0.0.0:0", "[::1]:8080"] {
            assert_eq!(check_bind_addr(addr), Ok(()), "{addr}");
        }
    }

    #[test]
    fn an_address_is_given_once_unless_the_system_chooses_its_port() {
        let validate = |addrs: &[&str]| {
            let bind_addrs = addrs.iter().map(|addr| (*addr).to_owned()).collect();
            ServerConfig { bind_addrs, ..ServerConfig::default() }.validate()
        };
        let refusal = validate(&["[::1]:1", "localhost:1", "localhost:1"]).map_err(|error| error.to_string());
        assert_eq!(refusal, Err("the address 'localhost:1' is given twice: give it once".to_owned()));
        assert_eq!(validate(&["localhost:1", "localhost:2"]), Ok(()));
        assert_eq!(validate(&["localhost:0", "localhost:0"]), Ok(()));
    }

    #[test]
    fn a_compact_ratio_must_be_a_number_above_1() {
        for compact_ratio in [1.0, 0.0, -2.0, f64::NAN, f64::INFINITY] {
            let config = ServerConfig { compact_ratio, ..ServerConfig::default() };
            assert!(matches!(config.validate(), Err(ConfigError::CompactRatio { .. })), "{compact_ratio}");
        }
        assert_eq!(ServerConfig { compact_ratio: 1.01, ..ServerConfig::default() }.validate(), Ok(()));
    }

    #[test]
    fn a_memory_limit_of_nothing_is_refused() {
        let config = ServerConfig { max_memory_bytes: Some(0), ..ServerConfig::default() };
        assert_eq!(config.validate(), Err(ConfigError::NoMemory));
    }

    #[test]
    fn a_limit_on_buffers_has_room_for_the_longest_value_and_its_double() {
        let config = |max_buffer_bytes, max_value_bytes| {
            ServerConfig { max_buffer_bytes, max_value_bytes, ..ServerConfig::default() }.validate()
        };
        assert_eq!(config(2000, 1000), Ok(()));
        assert_eq!(config(1999, 1000), Err(ConfigError::BufferBytes { value: 1999, min: 2000 }));
        assert_eq!(config(DEFAULT_MAX_BUFFER_BYTES, MAX_VALUE_BYTES_LIMIT), Ok(()));
    }

    #[test]
    fn durations_out_of_range_are_refused() {
        let (no_time, too_long) = (Some(Duration::ZERO), Some(MAX_IDLE_TIMEOUT + Duration::from_secs(1)));
        for value in [no_time, too_long] {
            for config in [
                ServerConfig { tcp_keepalive: value, ..ServerConfig::default() },
                ServerConfig { idle_timeout: value, ..ServerConfig::default() },
                ServerConfig { request_timeout: value, ..ServerConfig::default() },
            ] {
                assert!(
                    matches!(config.validate(), Err(ConfigError::DurationOutOfRange { .. })),
                    "{config:?}"
                );
            }
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let refused = [
            ServerConfig { max_connections: 0, ..ServerConfig::default() },
            ServerConfig { max_connections: MAX_CONNECTIONS_LIMIT + 1, ..ServerConfig::default() },
            ServerConfig { max_value_bytes: 0, ..ServerConfig::default() },
            ServerConfig { max_value_bytes: MAX_VALUE_BYTES_LIMIT + 1, ..ServerConfig::default() },
            ServerConfig { bind_addrs: Vec::new(), ..ServerConfig::default() },
            ServerConfig { threads: 0, ..ServerConfig::default() },
            ServerConfig { reserved_descriptors: 0, ..ServerConfig::default() },
        ];
        for config in refused {
            assert!(matches!(config.validate(), Err(ConfigError::OutOfRange { .. })), "{config:?}");
        }
    }
}
